"""What a metric returns, and how a set of them is shown and written."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from synthgan.evaluation.catalogue import GROUPS, Direction, Group, Unit, definition
from synthgan.evaluation.compared.harmless_text import harmless
from synthgan.evaluation.glossary import words_of

if TYPE_CHECKING:
    import pandas as pd

HEADINGS = ("Score", "Synthetic", "95% interval", "Real rows", "Best")
"""Headings of `Scores.rows`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """One figure with what is needed to read it.

    Attributes:
        name: key, unique in a `Scores`.
        label: name for people.
        value: the figure; NaN when it is undefined.
        direction: which way is better; "target" when ``ideal`` is best from both sides, "none" for a plain fact.
        group: the part of the evaluation it belongs to.
        interval: 95% interval, where one was computed.
        ideal: what a perfect synthesizer would score.
        reference: the same figure for real rows (a holdout in the synthetic table's place, or a model trained on real).
        unit: "%" or empty.
        note: one clause that says what the figure is or how it is limited.
        details: parts of the figure (per column, per pair, counts), JSON values only.
    """

    name: str
    label: str
    value: float
    direction: Direction
    group: Group
    interval: tuple[float, float] | None = None
    ideal: float | None = None
    reference: float | None = None
    unit: Unit = ""
    note: str = ""
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        name: str,
        value: float,
        *,
        interval: tuple[float, float] | None = None,
        reference: float | None = None,
        note: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> Score:
        """A score of the catalogue, which knows its label, direction, group, ideal and unit.

        Where real rows are the ideal and there are none, the direction is the one that a gate takes for the better.

        Raises:
            LookupError: the catalogue has no such score.
        """
        known = definition(name)
        ideal = reference if known.ideal == "reference" else known.ideal
        return cls(
            name=name,
            label=known.label,
            value=value,
            direction=known.direction if ideal is not None else known.better or "none",
            group=known.group,
            interval=interval,
            ideal=ideal,
            reference=reference,
            unit=known.unit,
            note=note,
            details=details or {},
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values; numbers that are not finite become None."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Score:
        """The score that `to_dict` wrote; a figure that is None was undefined."""
        value, interval = content["value"], content["interval"]
        ends = None if interval is None else tuple(math.nan if end is None else end for end in interval)
        return cls(**{**content, "value": math.nan if value is None else value, "interval": ends})


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Scores:
    """The scores of one synthetic table, in the order of the groups. Iterates over `Score`, looks up by name.

    Attributes:
        scores: the figures.
        n_rows: rows of each table that took part.
        settings: what the evaluation was asked for (target, seed, row caps).
        notes: what a reader must know besides the figures: columns left out, rows capped, scores not computed and why.
        evidence: what a report draws besides the figures: each column's distribution, each pair's association. JSON
            values only.

    Example:
        >>> from synthgan.evaluation.scores import Score, Scores
        >>> shape = Score(name="shape", label="Columns", value=2.5, direction="lower", group="fidelity", unit="%")
        >>> scores = Scores(scores=(shape,), n_rows={"real": 200, "synthetic": 100})
        >>> scores
        <Scores: 1 of 200 real, 100 synthetic rows; print them for the table>
        >>> scores["shape"].value, "c2st" in scores
        (2.5, False)
        >>> Scores.from_dict(scores.to_dict()) == scores
        True
    """

    scores: tuple[Score, ...]
    n_rows: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        rows = ", ".join(f"{count:,} {table}" for table, count in self.n_rows.items())
        return f"<Scores: {len(self.scores)} of {rows or 'no'} rows; print them for the table>"

    def __iter__(self) -> Iterator[Score]:
        return iter(self.scores)

    def __len__(self) -> int:
        return len(self.scores)

    def __contains__(self, name: object) -> bool:
        return any(score.name == name for score in self.scores)

    def __getitem__(self, name: str) -> Score:
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(f"no score named {name!r}; there are {', '.join(score.name for score in self.scores)}")

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "scores": [score.to_dict() for score in self.scores],
            "n_rows": _plain(self.n_rows),
            "settings": _plain(self.settings),
            "notes": list(self.notes),
            "evidence": _plain(self.evidence),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Scores:
        """The scores that `to_dict` wrote."""
        scores = tuple(Score.from_dict(score) for score in content["scores"])
        return cls(**{**content, "scores": scores, "notes": tuple(content["notes"])})

    def to_json(self, indent: int | None = 2) -> str:
        """Everything as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    def to_frame(self) -> pd.DataFrame:
        """One row per score, without the details."""
        import pandas as pd

        rows = [
            {
                "score": score.name,
                "group": score.group,
                "value": score.value,
                "lower": score.interval[0] if score.interval else math.nan,
                "upper": score.interval[1] if score.interval else math.nan,
                "reference": math.nan if score.reference is None else score.reference,
                "ideal": math.nan if score.ideal is None else score.ideal,
                "unit": score.unit,
                "direction": score.direction,
            }
            for score in self.scores
        ]
        return pd.DataFrame(rows).set_index("score")

    def rows(self) -> list[tuple[str, ...]]:
        """The table that is printed, one tuple of texts per score, as long as `HEADINGS`."""
        return [
            (
                score.label,
                _text(score.value, score.unit),
                "" if score.interval is None else " to ".join(_text(end, "") for end in score.interval),
                "" if score.reference is None else _text(score.reference, score.unit),
                _best(score),
            )
            for score in self.scores
        ]

    def to_html(self, title: str = "Scores of a synthetic table") -> str:
        """The table as an HTML page of its own, with the notes and settings; it loads nothing and runs nothing."""
        style = files("synthgan.evaluation").joinpath("scores.css").read_text(encoding="utf-8").strip()
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        head = "".join(f'<th scope="col">{_escaped(heading)}</th>' for heading in HEADINGS)
        lines: dict[str, str] = {}
        for score, row in zip(self.scores, self.rows(), strict=True):
            lines[GROUPS[score.group]] = lines.get(GROUPS[score.group], "") + _page_row(row, score.note)
        bodies = "".join(
            f'<tbody><tr><th scope="rowgroup" colspan="{len(HEADINGS)}">{_escaped(group)}</th></tr>{rows}</tbody>'
            for group, rows in lines.items()
        )
        notes = "".join(f"<li>{_escaped(note)}</li>" for note in self.notes)
        words = "".join(
            f"<div><dt>{_escaped(entry.word)}</dt><dd>{_escaped(entry.meaning)}</dd></div>"
            for entry in words_of(score.name for score in self)
        )
        facts = {f"rows, {table}": f"{n:,}" for table, n in self.n_rows.items()} | dict(self.settings)
        told = "".join(
            f'<tr><th scope="row">{_escaped(name)}</th><td>{_escaped(_setting(value))}</td></tr>'
            for name, value in facts.items()
        )
        parts = [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta http-equiv="Content-Security-Policy" '
            f"content=\"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\">",
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_escaped(title)}</title>",
            f"<style>{style}</style></head>",
            f"<body><main><h1>{_escaped(title)}</h1>",
            '<p class="warning">Do not publish this page: it was computed from real rows, and tells about them.</p>',
            '<div class="scroll" tabindex="0" role="region" aria-label="Scores">',
            f'<table class="scores"><thead><tr>{head}</tr></thead>{bodies}</table></div>',
            f"<h2>Notes</h2><ul>{notes}</ul>" if notes else "",
            f"<h2>Words used here</h2><dl>{words}</dl>" if words else "",
            f'<h2>Settings</h2><table class="facts"><tbody>{told}</tbody></table>' if told else "",
            "</main></body></html>",
        ]
        return "\n".join(part for part in parts if part) + "\n"

    def __str__(self) -> str:
        rows = self.rows()
        widths = [max(len(row[i]) for row in [HEADINGS, *rows]) for i in range(len(HEADINGS))]
        lines = [_aligned(HEADINGS, widths)]
        group = None
        for score, row in zip(self.scores, rows, strict=True):
            if score.group != group:
                group = score.group
                lines.append(GROUPS[group])
            lines.append(_aligned(row, widths))
        lines.extend(f"Note: {note}" for note in self.notes)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The table for a notebook; column names in notes are escaped."""
        head = "".join(f"<th>{html.escape(heading)}</th>" for heading in HEADINGS)
        body = []
        group = None
        for score, row in zip(self.scores, self.rows(), strict=True):
            if score.group != group:
                group = score.group
                body.append(f'<tr><th colspan="{len(HEADINGS)}" style="text-align:left">{GROUPS[group]}</th></tr>')
            cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
            body.append(f'<tr title="{html.escape(score.note)}">{cells}</tr>')
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        listed = f"<ul>{notes}</ul>" if notes else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>{listed}"


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    first, *middle, last = row
    cells = [
        f"  {first:<{widths[0]}}",
        *(f"{cell:>{width}}" for cell, width in zip(middle, widths[1:], strict=False)),
        last,
    ]
    return "  ".join(cells).rstrip()


def _page_row(row: tuple[str, ...], note: str) -> str:
    name = f"{_escaped(row[0])}{f'<small>{_escaped(note)}</small>' if note else ''}"
    cells = (
        f'<td data-label="{_escaped(heading)}">{_escaped(cell)}</td>'
        for heading, cell in zip(HEADINGS[1:], row[1:], strict=True)
    )
    return f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>'


def _setting(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, default=str) if value else "none"
    return "none" if value is None else str(value)


def _escaped(text: str) -> str:
    return html.escape(harmless(text))


def _best(score: Score) -> str:
    if score.direction == "target":
        return "" if score.ideal is None else f"near {_text(score.ideal, score.unit)}"
    return "" if score.direction == "none" else score.direction


def _text(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return "undefined"
    size = abs(value)
    decimals = 0 if size >= 1000 else 1 if size >= 100 else 2 if unit or size >= 10 else 3
    return f"{value:.{decimals}f}{' ' + unit if unit else ''}"


def _plain(value: Any) -> Any:
    """The value with tuples as lists and numbers that are not finite as None, as JSON has them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
