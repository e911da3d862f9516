"""Checks what a tier of a bundle says: that each file is the one listed, and that each follows from ``review.json``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synthgan.errors import BundleError, SynthganError
from synthgan.review.bundle.document import SCHEMA, VERSION, TierContent, content_of, document
from synthgan.review.bundle.environment import environment
from synthgan.review.bundle.json_files import as_bytes, read_json
from synthgan.review.bundle.json_schema import violations
from synthgan.review.bundle.manifest import differences, read_manifest
from synthgan.review.bundle.real_rows import comparison_limits
from synthgan.review.bundle.written_files import written_files
from synthgan.review.file_names import OPTIONAL, REPORT, REQUIRED, REVIEW, Tier
from synthgan.review.gates import judge
from synthgan.review.wording import short
from synthgan.strict_json import JsonError

_MOST_VIOLATIONS = 20
_RENDERED_WITH = ("jinja2", "numpy")
"""Libraries whose versions may change a report's bytes."""

_EARLIER_PEN = "matplotlib"
"""What pictures were drawn with before synthgan wrote them itself; no environment has named it since."""

_PICTURE = re.compile(
    r'<svg viewBox="[\d. ]+" width="[\d.]+" height="[\d.]+" role="img" aria-label="([^"]*)"(?: font-size="[\d.]+")?>'
    r"(.*?)</svg>",
    re.DOTALL,
)
_EARLIER_DRAWING = re.compile(
    r"(?:\s|</?(?:g|path|use|defs|clipPath|rect|text)"
    r'(?: (?:href="#[\w-]+"|(?:id|d|x|y|width|height|transform|clip-path|fill|stroke|opacity)="[^"<>]*"'
    r'|(?:fill-opacity|stroke-[a-z]+|text-anchor|font-size|font-weight)="[^"<>]*"))*/?>|(?<=>)[^<>]+(?=</text>))*'
)
"""Everything that such a picture could hold: shapes and texts, and nothing that acts or leads anywhere."""


def check_files(tier: Tier, folder: Path) -> tuple[list[str], int]:
    """What is wrong with the files of a tier, and how many its manifest lists."""
    try:
        manifest = read_manifest(folder)
    except BundleError as error:
        return [str(error)], 0
    problems = [] if manifest.tier == tier else [f"its manifest is that of the tier {manifest.tier}/"]
    listed = {entry.path for entry in manifest.files}
    problems += [f"'{name}' is not listed" for name in sorted(REQUIRED[tier] - listed)]
    unknown = sorted(listed - REQUIRED[tier] - OPTIONAL[tier])
    problems += [f"'{name}' is listed and does not belong there" for name in unknown]
    return problems + differences(folder, manifest), len(listed)


def read_review(tier: Tier, folder: Path) -> tuple[Any, list[str]]:
    """The content of ``review.json``, and what is wrong with its form."""
    try:
        content = read_json(folder / REVIEW)
        if isinstance(content, dict) and content.get("version") != VERSION and isinstance(content.get("version"), int):
            return content, [
                f"'{REVIEW}' is of version {content['version']}, and this synthgan verifies version {VERSION}: verify "
                "with the synthgan that wrote it"
            ]
        broken = violations(content, SCHEMA)
    except JsonError as error:
        return None, [f"'{REVIEW}' {error}"]
    except RecursionError:
        return None, [f"'{REVIEW}' is nested too deeply"]
    if not broken and content["tier"] != tier:
        broken = [f"$.tier is not {tier}"]
    more = [f"... and {len(broken) - _MOST_VIOLATIONS} more"] if len(broken) > _MOST_VIOLATIONS else []
    return content, [f"'{REVIEW}' breaks its schema: {problem}" for problem in [*broken[:_MOST_VIOLATIONS], *more]]


def check_statements(folder: Path, review: Mapping[str, Any]) -> list[str]:
    """Whether ``review.json`` follows from itself, and every other file of the tier from ``review.json``.

    Args:
        folder: of the tier.
        review: what its ``review.json`` holds, which follows the schema.
    """
    try:
        content = content_of(review)
        problems = _contradictions(content, review)
        files = {} if problems else written_files(content)
    except SynthganError as error:
        return [f"'{REVIEW}' contradicts itself: {error}"]
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return [f"'{REVIEW}' cannot be read: a part of it is not what synthgan writes"]
    for name, text in files.items():
        there, here = (folder / name).read_bytes(), as_bytes(text)
        may_differ = name == REPORT and has_earlier_pictures(review)
        if there != here and not (may_differ and _differ_in_pictures(there, here)):
            problems.append(f"'{name}' is not what follows from '{REVIEW}'{_other_versions(review)}")
    return problems


def has_earlier_pictures(review: Mapping[str, Any]) -> bool:
    """Whether the bundle says that a synthgan wrote it whose report has the pictures of another library."""
    return _EARLIER_PEN in review["environment"]["libraries"]


def _differ_in_pictures(there: bytes, here: bytes) -> bool:
    """Whether two reports differ in their pictures only, which have the same descriptions and hold shapes alone."""
    try:
        page = there.decode()
    except UnicodeDecodeError:
        return False
    if not all(_EARLIER_DRAWING.fullmatch(picture[2]) for picture in _PICTURE.finditer(page)):
        return False
    earlier, now = (_PICTURE.sub(r"<svg>\1</svg>", each) for each in (page, here.decode()))
    return earlier == now


def _contradictions(content: TierContent, review: Mapping[str, Any]) -> list[str]:
    """Parts of a review that do not follow from the others."""
    again = document(content)
    problems = [
        f"'{REVIEW}' contradicts itself: {key!r} does not follow from the rest"
        for key in again
        if again[key] != review[key]
    ]
    if "real" in review:
        real = review["real"]
        if tuple(review["comparison"] or ()) != comparison_limits(real["checked_by"], real["holdout_from"]):
            problems.append(f"'{REVIEW}' contradicts itself: 'comparison' does not follow from 'real'")
    if content.findings is not None:
        for verdict in content.findings.verdicts.verdicts:
            if judge(verdict.gate, content.findings.scores).to_dict() != verdict.to_dict():
                name = short(verdict.gate.name)
                problems.append(
                    f"'{REVIEW}' contradicts itself: the verdict of '{name}' does not follow from its score"
                )
    return problems


def _other_versions(review: Mapping[str, Any]) -> str:
    """A clause where other software wrote the bundle, whose files may differ without anybody's doing."""
    there, here = review["environment"], environment()
    pairs = {"synthgan": (there["synthgan"], here["synthgan"])} | {
        name: (there["libraries"].get(name), here["libraries"].get(name)) for name in _RENDERED_WITH
    }
    others = [f"{name} {short(was)}, here {now}" for name, (was, now) in pairs.items() if was != now]
    if not others:
        return ""
    return f"; it says that other versions wrote it ({'; '.join(others)}), so verify it again with those"
