"""What the words of the trade mean: ``glossary.toml`` of a package, of which a page shows those that it uses."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True, kw_only=True, slots=True)
class GlossaryTerm:
    """A word.

    Attributes:
        key: unique among all words.
        word: as it stands on the page.
        meaning: one or a few sentences.
        scores: names of the scores that it belongs to, those that it explains best first; empty for every page.
        group: the part of a page that it belongs to, where that is no score.
    """

    key: str
    word: str
    meaning: str
    scores: tuple[str, ...] = ()
    group: str = ""


@cache
def read_glossary(package: str = "synthgan.evaluation") -> tuple[GlossaryTerm, ...]:
    """The words of a package, in the order of its file."""
    content = tomllib.loads(files(package).joinpath("glossary.toml").read_text(encoding="utf-8"))
    return tuple(
        GlossaryTerm(**{**term, "meaning": " ".join(term["meaning"].split()), "scores": tuple(term.get("scores", ()))})
        for term in content["terms"]
    )


def words_of(scores: Iterable[str]) -> list[GlossaryTerm]:
    """The words that a reader of these scores needs; none without a score."""
    names = set(scores)
    return [entry for entry in read_glossary() if names and (not entry.scores or names & {*entry.scores})]
