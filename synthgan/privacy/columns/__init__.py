"""Private releases of column statistics, one per family of columns."""

from __future__ import annotations

from synthgan.privacy.columns.identifier_release import IDENTIFIER_RELEASE
from synthgan.privacy.columns.level_release import LEVEL_RELEASE
from synthgan.privacy.columns.number_release import NUMBER_RELEASE
from synthgan.privacy.columns.protocol import ColumnRelease

RELEASES: dict[str, ColumnRelease] = {
    "levels": LEVEL_RELEASE,
    "numbers": NUMBER_RELEASE,
    "identifiers": IDENTIFIER_RELEASE,
}
"""Family of `synthgan.tables.kinds.TRAITS` -> its release; a family whose cells are never read has none."""
