"""What is said of number columns of which value protection changes more than their outermost rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from synthgan.tables.columns.protocol import ColumnEncoder

FLAT = 2.0
"""Below this many times ``min_count`` rows there is one bin: no distribution is left."""

NARROW = 5.0
"""Below this many, a fifth of the rows or more lies beyond the ends that are kept."""

_MOST_NAMED = 5


def protection_notices(encoders: Iterable[ColumnEncoder], min_count: int) -> tuple[str, ...]:
    """A sentence each for columns with a few values far out, a few infinite ones, next to constant, and narrower."""
    losses = {encoder.name: encoder.losses for encoder in encoders}
    far = [name for name, lost in losses.items() if lost.has_far_rows]
    infinite = [name for name, lost in losses.items() if lost.has_infinities]
    flat = [name for name, lost in losses.items() if lost.fullness < FLAT]
    narrow = [name for name, lost in losses.items() if FLAT <= lost.fullness < NARROW]
    advice = f"lower min_count (now {min_count}), or fit with protect_values=False if single rows may show"
    said: list[str] = []
    if far:
        said.append(
            f"{_named(far)} a few values far away from all others, in fewer rows than min_count (now {min_count}), "
            "which are learned as if they lay at the edge of the others; lower min_count to keep them, or make them "
            "missing if that is what they stand for"
        )
    if infinite:
        said.append(
            f"{_named(infinite)} infinite values in fewer rows than min_count (now {min_count}), which become missing; "
            "lower min_count to keep them"
        )
    if flat:
        said.append(
            f"{_named(flat)} too few rows with a value for a distribution (less than twice min_count): what comes out "
            f"lies close about one value in the middle; {advice}"
        )
    if narrow:
        said.append(
            f"{_named(narrow)} few rows with a value (less than five times min_count): the outer ones are drawn "
            f"towards the middle, so that what comes out is narrower than the table; {advice}"
        )
    return tuple(said)


def _named(columns: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in columns[:_MOST_NAMED]]
    if len(columns) > _MOST_NAMED:
        quoted.append(f"{len(columns) - _MOST_NAMED} more")
    if len(quoted) == 1:
        return f"column {quoted[0]} has"
    return f"columns {', '.join(quoted[:-1])} and {quoted[-1]} have"
