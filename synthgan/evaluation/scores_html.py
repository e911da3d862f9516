"""Scores as an HTML page of their own: one file that loads nothing and runs nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from synthgan.evaluation.compared.harmless_text import harmless

STYLE = """
:root { color-scheme: light dark; }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif;
  background: Canvas; color: CanvasText; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
caption { text-align: left; padding: 0.5rem 0; }
th, td { padding: 0.35rem 1rem 0.35rem 0; text-align: left; vertical-align: top; font-weight: 400;
  border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
thead th { border-bottom-color: currentColor; white-space: nowrap; }
tbody th[scope="rowgroup"] { padding-top: 1.25rem; font-weight: 650; }
td, thead th + th { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td:last-child, thead th:last-child { text-align: left; padding-right: 0; }
.facts td { text-align: left; white-space: normal; }
.facts th { white-space: nowrap; padding-right: 1.5rem; }
small { display: block; opacity: 0.75; }
.warning { padding: 0.75rem 1rem; border-left: 5px solid currentColor; font-weight: 650; }
dt { margin-top: 0.75rem; font-weight: 650; }
dd { margin: 0; max-width: 68ch; }
@media (max-width: 40rem) {
  .scores, .scores tbody, .scores tr, .scores th, .scores td { display: block; }
  .scores thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .scores tr { padding: 0.5rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
  .scores th, .scores td { padding: 0.1rem 0; border: 0; }
  .scores td { display: grid; grid-template-columns: 7rem 1fr; text-align: left; white-space: normal; }
  .scores td:empty { display: none; }
  .scores td::before { content: attr(data-label); opacity: 0.75; }
  .facts th { white-space: normal; }
}
@media print {
  @page { margin: 15mm 14mm 17mm; @bottom-right { content: counter(page) " / " counter(pages); font: 8pt sans-serif; } }
  body { margin: 0; max-width: none; font-size: 9.5pt; }
  tr, dl > div { break-inside: avoid; }
  h2 { break-inside: avoid; }
  h2::after { content: ""; display: block; height: 8rem; margin-bottom: -8rem; }
}
""".strip()


def scores_page(
    title: str,
    headings: Sequence[str],
    groups: Iterable[tuple[str, Sequence[tuple[Sequence[str], str]]]],
    *,
    notes: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
    warning: str = "",
    words: Sequence[tuple[str, str]] = (),
) -> str:
    """The page.

    Args:
        title: its heading.
        headings: of the table.
        groups: title and rows of each group; a row is its texts, as many as headings, and a note on it.
        notes: listed below the table.
        facts: listed at the end: row counts, settings.
        warning: stands above the table.
        words: words of the page, and what they mean.
    """
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    head = "".join(f'<th scope="col">{_text(heading)}</th>' for heading in headings)
    bodies = "".join(_body(name, rows, headings) for name, rows in groups)
    listed = "".join(f"<li>{_text(note)}</li>" for note in notes)
    told = "".join(
        f'<tr><th scope="row">{_text(name)}</th><td>{_text(_value(value))}</td></tr>'
        for name, value in (facts or {}).items()
    )
    explained = "".join(f"<div><dt>{_text(word)}</dt><dd>{_text(meaning)}</dd></div>" for word, meaning in words)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta http-equiv="Content-Security-Policy" '
        f"content=\"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title>",
        f"<style>{STYLE}</style></head>",
        f"<body><main><h1>{_text(title)}</h1>",
        f'<p class="warning">{_text(warning)}</p>' if warning else "",
        '<div class="scroll" tabindex="0" role="region" aria-label="Scores">',
        f'<table class="scores"><thead><tr>{head}</tr></thead>{bodies}</table></div>',
        f"<h2>Notes</h2><ul>{listed}</ul>" if notes else "",
        f"<h2>Words used here</h2><dl>{explained}</dl>" if words else "",
        f'<h2>Settings</h2><table class="facts"><tbody>{told}</tbody></table>' if facts else "",
        "</main></body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _body(name: str, rows: Sequence[tuple[Sequence[str], str]], headings: Sequence[str]) -> str:
    lines = "".join(
        f'<tr><th scope="row">{_text(cells[0])}{f"<small>{_text(note)}</small>" if note else ""}</th>'
        + "".join(
            f'<td data-label="{_text(heading)}">{_text(cell)}</td>'
            for heading, cell in zip(headings[1:], cells[1:], strict=True)
        )
        + "</tr>"
        for cells, note in rows
    )
    return f'<tbody><tr><th scope="rowgroup" colspan="{len(headings)}">{_text(name)}</th></tr>{lines}</tbody>'


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, default=str) if value else "none"
    return "none" if value is None else str(value)


def _text(text: str) -> str:
    return escape(harmless(text))
