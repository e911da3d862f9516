"""The files of a tier that follow from its ``review.json``: written once, and once more by whoever verifies them."""

from __future__ import annotations

import json

from synthgan.review.bundle import findings as parts
from synthgan.review.bundle.document import TierContent, content_of, document
from synthgan.review.bundle.json_files import json_text
from synthgan.review.bundle.model_card import model_card
from synthgan.review.file_names import ENVIRONMENT, LEDGER, MODEL_CARD, REPORT, REVIEW, SHAREABLE


def as_reread(content: TierContent) -> TierContent:
    """The content as a reader of its ``review.json`` has it: lists for tuples, and nothing that JSON cannot hold."""
    return content_of(json.loads(json_text(document(content))))


def written_files(content: TierContent) -> dict[str, str]:
    """Name and text of each file of a tier, besides its rows and its manifest."""
    release = content.release
    files = {REVIEW: json_text(document(content)), MODEL_CARD: model_card(content), REPORT: parts.report(content)}
    if content.tier == SHAREABLE:
        guarantee = "differential privacy" if release.is_private else "none"
        account = None if release.account is None else release.account.to_json()
        files[LEDGER] = json_text({"guarantee": guarantee, "ledger": account})
        files[ENVIRONMENT] = json_text(dict(content.environment))
    return files
