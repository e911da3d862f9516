"""What a page of the report is made of: sections of blocks, each of which the template knows how to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from markupsafe import Markup

from synthgan.review.wording import figure, harmless, short, span

Text: TypeAlias = "str | Markup"
"""Markup goes to the page as it is; text is escaped."""

MOST_ROWS = 400
"""Rows of a table; what is beyond is counted below it."""


MOST_BESIDE = 2
"""Columns that a telephone shows beside each other; of a wider table it shows the cells below each other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """Head of a table's column."""

    text: str
    is_number: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table; the first cell of each row names it.

    ``folded`` is the line that opens it, None when it stands open. A ``stacked`` one shows its cells below each other
    on a narrow screen. ``name`` is a class of the style sheet, for one that has widths of its own.
    """

    kind: ClassVar[str] = "table"
    caption: str
    headings: tuple[Heading, ...]
    bodies: tuple[tuple[Text, tuple[tuple[Text, ...], ...]], ...]
    folded: str | None = None
    note: Text = ""
    stacked: bool = False
    name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """A picture with its title, a figure beside the title and a line below."""

    svg: Markup
    title: Text
    aside: Text = ""
    detail: Text = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gallery:
    """Pictures side by side, as many as there is room for."""

    kind: ClassVar[str] = "gallery"
    drawings: tuple[Drawing, ...]
    layout: Literal["cards", "halves", "bar"] = "cards"
    folded: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Legend:
    """What the marks mean: a swatch (a class of the style sheet, or a picture) and a word each."""

    kind: ClassVar[str] = "legend"
    entries: tuple[tuple[Text, Text], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Prose:
    """A paragraph."""

    kind: ClassVar[str] = "prose"
    text: Text
    heading: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Points:
    """A list."""

    kind: ClassVar[str] = "points"
    items: tuple[Text, ...]
    heading: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """A word and what it means; ``anchor`` is where links to it lead."""

    anchor: str
    word: str
    meaning: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """A list of words with their meanings."""

    kind: ClassVar[str] = "terms"
    terms: tuple[Term, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """Lines to be filled in by hand: a choice of boxes, and lines to write on."""

    kind: ClassVar[str] = "form"
    choices: tuple[str, ...]
    lines: tuple[str, ...]


Block: TypeAlias = "Table | Gallery | Legend | Prose | Points | Terms | Form"


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A section of the page.

    Attributes:
        key: its anchor.
        title: its heading.
        lead: one or two sentences on how to read it.
        blocks: what it holds.
    """

    key: str
    title: str
    lead: Text = ""
    blocks: tuple[Block, ...] = field(default=())


def marked(template: str, *values: Any) -> Markup:
    """Markup with each value put in: other markup as it is, everything else harmless and escaped."""
    return Markup(template).format(*(value if isinstance(value, Markup) else harmless(value) for value in values))


def named(name: Any, most: int = 60) -> Markup:
    """A column or value of the table: isolated from the text around it, cut when long, whole in the tooltip."""
    whole = harmless(name)
    cut = short(name, most)
    if cut == whole:
        return marked("<bdi>{}</bdi>", cut)
    return marked('<bdi title="{}">{}</bdi>', short(name, 300), cut)


def table(
    caption: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[Text]],
    *,
    numeric: Sequence[int] = (),
    folded: str | None = None,
) -> Table:
    """A table with one body.

    Args:
        caption: what it holds.
        headings: of the columns.
        rows: texts, one per heading.
        numeric: places of the columns that hold numbers.
        folded: the line that opens it.
    """
    left_out = len(rows) - MOST_ROWS
    return Table(
        caption=caption,
        headings=tuple(Heading(text=text, is_number=place in numeric) for place, text in enumerate(headings)),
        bodies=(("", tuple(tuple(row) for row in rows[:MOST_ROWS])),),
        folded=folded,
        stacked=len(headings) > MOST_BESIDE,
        note=f"{left_out:,} more rows are in the JSON file." if left_out > 0 else "",
    )


def parts_table(
    caption: str,
    first: str,
    records: Sequence[tuple[tuple[str, ...], Mapping[Any, Any]]],
    *,
    most_columns: int = 8,
    folded: str | None = None,
) -> Table:
    """A table of a score's parts as the evaluation left them: a column for each key that holds figures or words."""
    keys: dict[Any, None] = {}
    for _, values in records:
        keys |= dict.fromkeys(key for key, value in values.items() if _cell(value))
    shown = list(keys)[:most_columns]
    rows = [
        (named(" \N{RIGHTWARDS ARROW} ".join(path) or "all"), *(_cell(values.get(key)) for key in shown))
        for path, values in records
    ]
    headings = [first, *(_heading(key) for key in shown)]
    return table(caption, headings, rows, numeric=range(1, len(headings)), folded=folded)


def _heading(key: Any) -> str:
    words = [word.upper() if word in ("auc", "tpr", "fpr", "rmse") else word for word in str(key).split("_")]
    words = ["number", "of", *words[1:]] if words[0] == "n" and len(words) > 1 else words
    return short(" ".join([words[0][:1].upper() + words[0][1:], *words[1:]]), 30)


def _cell(value: Any) -> Text:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return named(value) if value else ""
    if isinstance(value, list | tuple):
        return span(value)
    if isinstance(value, int):
        return f"{value:,}".replace("-", "\N{MINUS SIGN}") if abs(value) < 10**15 else figure(value)
    text = figure(value)
    return "" if text == "\N{EN DASH}" else text
