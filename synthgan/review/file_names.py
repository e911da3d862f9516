"""What lies where in a review bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

Tier = Literal["internal", "shareable"]

INTERNAL: Final[Tier] = "internal"
SHAREABLE: Final[Tier] = "shareable"
TIERS: Final[tuple[Tier, ...]] = (INTERNAL, SHAREABLE)

MANIFEST: Final = "MANIFEST.json"
REVIEW: Final = "review.json"
REPORT: Final = "report.html"
MODEL_CARD: Final = "model_card.md"
LEDGER: Final = "ledger.json"
ENVIRONMENT: Final = "environment.json"
PARQUET: Final = "synthetic.parquet"
CSV: Final = "synthetic.csv"

REQUIRED: Final[dict[Tier, frozenset[str]]] = {
    INTERNAL: frozenset({REVIEW, REPORT, MODEL_CARD}),
    SHAREABLE: frozenset({REVIEW, REPORT, MODEL_CARD, LEDGER, ENVIRONMENT, PARQUET}),
}
"""Files that a tier has in any case, besides its manifest."""

OPTIONAL: Final[dict[Tier, frozenset[str]]] = {INTERNAL: frozenset(), SHAREABLE: frozenset({CSV})}


def is_bundle(folder: Path) -> bool:
    """Whether a folder holds the two tiers of a bundle and nothing else, so that it may be replaced."""
    names = {path.name for path in folder.iterdir()}
    return names == set(TIERS) and all((folder / tier / MANIFEST).is_file() for tier in TIERS)
