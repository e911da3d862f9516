"""The section that explains the words of a page."""

from __future__ import annotations

from collections.abc import Iterable

from synthgan.evaluation.glossary import GlossaryTerm, read_glossary, words_of
from synthgan.review.report.blocks import Section, Term, Terms


def terms_of(score: str) -> list[str]:
    """Anchors of the words that belong to a score, the best first."""
    entries = [entry for entry in words_of([score]) if score in entry.scores]
    return [_anchor(entry) for entry in sorted(entries, key=lambda entry: entry.scores.index(score))]


def glossary_section(scores: Iterable[str], *, is_private: bool, has_facts: bool) -> Section | None:
    """The words that a page uses.

    Args:
        scores: names of the scores on it.
        is_private: whether it shows a ledger.
        has_facts: whether it shows facts about columns.
    """
    shown = {"ledger": is_private, "facts": has_facts}
    entries = [
        *words_of(scores),
        *(entry for entry in read_glossary("synthgan.review.report") if shown[entry.group]),
    ]
    if not entries:
        return None
    terms = tuple(Term(anchor=_anchor(entry), word=entry.word, meaning=entry.meaning) for entry in entries)
    return Section(key="glossary", title="Words used here", blocks=(Terms(terms=terms),))


def _anchor(entry: GlossaryTerm) -> str:
    return f"term-{entry.key}"
