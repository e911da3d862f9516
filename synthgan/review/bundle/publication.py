"""What may be published of a release and what not."""

from __future__ import annotations

from typing import Final

from synthgan.review.file_names import INTERNAL, Tier

EVALUATED: Final = "Do not publish this page: it was computed from real rows, and tells about them."

_PAGE_INSIDE: Final = (
    "Do not publish this page or anything else in internal/: it was computed from real rows and tells about them. Keep "
    "it with the table."
)
_DECIDED: Final = {
    "pass": "May be published once somebody has decided so and signed below: the folder shareable/, as it is.",
    "fail": "The policy does not let these rows out: the folder shareable/ is not to be published.",
    "inconclusive": "The folder shareable/ did not pass the policy, because the evidence does not decide: whoever "
    "publishes it all the same does so on their own judgement, and signs for it below.",
}
_MODEL_OPEN: Final = (
    "Not reviewed here, and not to be published with it: the model file, which holds values and counts of the table "
    "and draws any number of rows; its receipt; the table."
)
_MODEL_PRIVATE: Final = (
    "Not reviewed here: the model file, which has the same guarantee. Never to be published: its receipt, which holds "
    "exact counts; the table."
)
_SHAREABLE_OPEN: Final = (
    "This page may go where the rows go, once the table's owner has decided to publish them. It holds figures that "
    "were computed from real rows, without their parts by column, group and value."
)
_SHAREABLE_PRIVATE: Final = (
    "This page may go where the rows go, once the table's owner has decided to publish them. It holds nothing that was "
    "computed from real rows besides what the budget paid for."
)


def publication_of(tier: Tier, *, is_private: bool, outcome: str | None) -> tuple[str, ...]:
    """What may be published of a release, a sentence each, the most important first.

    Args:
        tier: whose page says so.
        is_private: whether the fit has a guarantee.
        outcome: of all gates together, None where no policy was asked.
    """
    if tier != INTERNAL:
        return (_SHAREABLE_PRIVATE if is_private else _SHAREABLE_OPEN,)
    decided = () if outcome is None else (_DECIDED[outcome],)
    return (_PAGE_INSIDE, *decided, _MODEL_PRIVATE if is_private else _MODEL_OPEN)
