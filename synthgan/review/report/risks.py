"""Sections on privacy: attacks, disclosure, the ledger of a private fit, where every fact came from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from synthgan.errors import PrivacyError
from synthgan.evaluation.catalogue import CATALOGUE
from synthgan.loose_json import finite, mapping, sequence
from synthgan.privacy.account.entries import DOOR_NAMES
from synthgan.privacy.account.parameters import ROW
from synthgan.review.report.blocks import (
    Block,
    Drawing,
    Gallery,
    Legend,
    Points,
    Prose,
    Section,
    Text,
    marked,
    named,
    parts_table,
    table,
)
from synthgan.review.report.details import read_curves, records
from synthgan.review.report.figures import MOST_ROWS, Estimate, Pair, compared_bars
from synthgan.review.report.figures_risk import MOST_CURVES, Segment, budget_picture, line_key, roc_picture, shades
from synthgan.review.wording import counted, figure, percent, short, span

if TYPE_CHECKING:
    from synthgan.evaluation.scores import Score, Scores

_LISTED_RELEASES = 4
_SOURCES = {
    "declared": "declared by the user",
    "inferred-exact": "read off the table, without noise",
    "released": "released by a private mechanism",
}


def attacks_section(scores: Scores) -> Section | None:
    """ROC curves of the membership attacks, on random and on worst-case records."""
    found = [
        (score, curves) for score in scores if score.group == "membership" and (curves := read_curves(score.details))
    ]
    if not found:
        return None
    # One legend serves all pictures: an attack has the same line everywhere.
    attacks = list(dict.fromkeys(curve.attack for _, curves in found for curve in curves))[:MOST_CURVES]
    drawings = []
    tables: list[Block] = []
    for score, curves in found:
        title = "Worst-case records" if score.name.endswith("_worst") else "Random records"
        lines = {attacks.index(curve.attack): curve for curve in curves if curve.attack in attacks}
        drawings.append(Drawing(svg=roc_picture(lines, title), title=title, detail=score.note))
        wanted = frozenset({"auc", "value", "tpr", "tpr_10", "tpr_1", "tpr_01"})
        if parts := list(records({"attacks": score.details.get("attacks")}, wanted, least=1)):
            stripped = [((" ".join(path[1:]).replace("_", " "),), values) for path, values in parts]
            folded = f"{title}: every attack as a table"
            tables.append(parts_table(f"Attacks, {title.lower()}", "Attack", stripped, folded=folded))
    legend = Legend(
        entries=tuple((line_key(line), named(attack.replace("_", " "), 40)) for line, attack in enumerate(attacks))
    )
    return Section(
        key="attacks",
        title="Membership attacks",
        lead="An attacker tries to tell who was among the training rows. The lower left counts: there he names few "
        "people and is sure of them. A curve on the dashed line is guessing.",
        blocks=(legend, Gallery(drawings=tuple(drawings), layout="halves"), *tables),
    )


def disclosure_section(scores: Scores) -> Section | None:
    """How much more an attacker learns about people in the table than about others."""
    found = [
        (score, parts) for score in scores if score.group == "disclosure" and (parts := _risk_parts(score.details))
    ]
    if not found:
        return None
    drawn = [_risk_drawing(score, parts) for score, parts in found]
    drawings = tuple(drawing for drawing in drawn if drawing is not None)
    tables = [
        parts_table(
            score.label,
            "Attack",
            [((_path(path),), values) for path, values in parts],
            folded=f"{score.label} as a table",
        )
        for score, parts in found
    ]
    legend = Legend(
        entries=(("swatch-bar", "attack on training rows"), ("swatch-real", "same attack on people not in the table"))
    )
    return Section(
        key="disclosure",
        title="Disclosure",
        lead="What can be guessed about people who are not in the table was not learned from their being in it. So "
        "every attack is run on both, and only the excess is a risk that the table adds. Tables state the risk as a "
        "share of what the control leaves to be lost.",
        blocks=(*((legend, Gallery(drawings=drawings, layout="halves")) if drawings else ()), *tables),
    )


def ledger_section(ledger: Mapping[str, Any] | None, *, fitted: bool, attacked: bool = False) -> Section | None:
    """What was promised and what it went to.

    Args:
        ledger: of a private fit.
        fitted: whether the report is about a fit at all, not about rows that anyone may have made.
        attacked: whether the report holds attacks, which speak where no promise does.
    """
    values = mapping(ledger)
    guarantee = mapping(values.get("guarantee"))
    epsilon, delta = finite(guarantee.get("epsilon")), finite(guarantee.get("delta"))
    if epsilon is None and not fitted:
        return None
    if epsilon is None:
        return Section(
            key="ledger",
            title="Privacy ledger",
            lead="This fit made no promise of differential privacy: nothing is proved about what the table tells of "
            "any one row. "
            + ("Only the attacks above speak for it." if attacked else "No attack was tried either, so nothing does."),
        )
    segments = budget_segments(values)
    blocks: list[Block] = [Prose(text=_promise(values, epsilon, delta))]
    if segments:
        drawing = Drawing(
            svg=budget_picture(segments),
            title="Where the budget went",
            detail="Share of the Renyi divergence.",
        )
        entries = tuple(
            (f"swatch-{shade}", f"{_door(part.door)}: {short(part.mechanism, 40)}, {percent(part.share)}")
            for part, shade in zip(segments, shades(segments), strict=True)
        )
        left = 1 - sum(part.share for part in segments)
        entries += (("swatch-empty", f"Not spent, {percent(left)}"),) if left > 5e-4 else ()
        blocks += [Gallery(drawings=(drawing,), layout="bar"), Legend(entries=entries)]
    entries_found = [mapping(entry) for entry in sequence(values.get("entries"))]
    if entries_found:
        costs = [_cost(values, entry) for entry in entries_found]
        rows = [_ledger_row(entry, cost) for entry, cost in zip(entries_found, costs, strict=True)]
        headings = ("Released", "Door", "Mechanism", "Releases", "Of the budget", "State")
        blocks.append(table("Every release", headings, rows, numeric=(3, 4), folded=_opening(entries_found)))
    composition = mapping(values.get("composition"))
    spent = mapping(values.get("spent"))
    terms = [
        ("Adjacency", values.get("adjacency")),
        ("Composition", composition.get("method")),
        ("Sources", composition.get("source")),
        ("Renyi order", figure(composition.get("order"))),
        ("Spent epsilon", figure(spent.get("epsilon"))),
        *((f"Randomness of {what}", words) for what, words in mapping(values.get("randomness")).items()),
    ]
    rows = [(str(name), str(words)) for name, words in terms if isinstance(words, str)]
    blocks.append(table("How it is reckoned", ("Term", "What it says"), rows, folded="How it is reckoned"))
    return Section(
        key="ledger",
        title="Privacy ledger",
        lead="What the fit promised, and every noisy figure that it took out of the data.",
        blocks=tuple(blocks),
    )


def budget_segments(ledger: Mapping[str, Any]) -> list[Segment]:
    """Each door's mechanisms with their shares of the budget; the doors' totals where single costs are unknown."""
    shares: dict[tuple[int, str], list[float]] = {}
    for entry in map(mapping, sequence(ledger.get("entries"))):
        cost, door = _cost(ledger, entry), finite(entry.get("door"))
        if cost is None or door is None:
            shares = {}
            break
        found = shares.setdefault((int(door), str(entry.get("mechanism", "unnamed"))), [0.0, 0.0])
        found[0] += cost
        found[1] += finite(entry.get("count")) or 0.0
    if shares:
        return [Segment(door, name, share, int(count)) for (door, name), (share, count) in sorted(shares.items())]
    totals = [(str(door), mapping(total)) for door, total in sorted(mapping(ledger.get("doors")).items(), key=str)]
    return [
        Segment(int(door), "all mechanisms", share, int(finite(total.get("releases")) or 0))
        for door, total in totals
        if door.isascii()
        and door.isdecimal()
        and len(door) < 4
        and (share := finite(total.get("share_of_budget"))) is not None
    ]


def provenance_section(provenance: Sequence[Mapping[str, Any]], protection: str = "") -> Section | None:
    """Where every bound and every list of categories came from.

    Args:
        provenance: a mapping per fact.
        protection: what value protection did, in words.
    """
    rows = [_provenance_row(mapping(fact)) for fact in provenance]
    if not rows:
        return None
    counts: dict[str, int] = {}
    for row in rows:
        counts[str(row[2])] = counts.get(str(row[2]), 0) + 1
    headings: tuple[str, ...] = ("Column", "Fact", "Source", "Detail")
    if not any(row[3] for row in rows):
        headings, rows = headings[:3], [row[:3] for row in rows]
    summary = "; ".join(f"{count:,} {source}" for source, count in counts.items())
    return Section(
        key="provenance",
        title="Where every fact about a column came from",
        lead="Bounds and lists of categories can give people away. A declared fact tells nothing about the data, and a "
        "released one was paid for in the ledger. No guarantee covers one that was read off the table without noise"
        + ("; what value protection did about it stands below." if protection else "."),
        blocks=(
            Prose(text=f"{counted(len(rows), 'fact')}: {summary}."),
            *((Prose(text=f"Value protection: {protection}."),) if protection else ()),
            table(
                "Facts by column",
                headings,
                rows,
                folded=f"All {counted(len(rows), 'fact')}" if len(rows) > 30 else None,
            ),
        ),
    )


def unprotected_section(ledger: Mapping[str, Any] | None) -> Section | None:
    """What the guarantee does not cover."""
    quantities = tuple(
        short(text, 400) for text in sequence(mapping(ledger).get("unprotected")) if isinstance(text, str)
    )
    if not quantities:
        return None
    return Section(
        key="unprotected",
        title="What the guarantee does not cover",
        lead="These were published as they are. They must not be secret.",
        blocks=(Points(items=tuple(text[:1].upper() + text[1:] for text in quantities)),),
    )


def _risk_drawing(score: Score, parts: Sequence[tuple[tuple[str, ...], Mapping[Any, Any]]]) -> Drawing | None:
    pairs = [
        Pair(_path(path) or score.label, _share(values, "attack"), _share(values, "control")) for path, values in parts
    ]
    drawn = [pair for pair in pairs if pair.found is not None and pair.compared is not None]
    if not drawn:
        return None
    words = "; ".join(
        f"{short(pair.label, 40)} {figure(pair.found.value, '%')} against {figure(pair.compared.value, '%')}"
        for pair in drawn[:MOST_ROWS]
        if pair.found is not None and pair.compared is not None
    )
    interval = span(score.interval, score.unit)
    # The tables have the share of what the control leaves to be lost, whatever the score is.
    word = "Excess" if CATALOGUE[score.name].is_excess else "Risk"
    risk = f"{word} {figure(score.value, score.unit)}{f', 95% interval {interval}' if interval else ''}"
    return Drawing(
        svg=compared_bars(drawn, f"{score.label}, success: {words}.", unit="%"),
        title=score.label,
        detail=f"{risk}; {score.note}" if score.note else risk,
    )


def _risk_parts(details: Any) -> list[tuple[tuple[str, ...], Mapping[Any, Any]]]:
    """Each attack, or the one attack that the details themselves speak of, or what was counted in each column."""
    found = list(records(details, frozenset({"attack", "control", "baseline", "risk"}), depth=4))
    if not found:
        found = list(records(details, frozenset({"attack_rate", "control_rate"}), depth=0))
    if not found:
        counts = mapping(mapping(details).get("columns")).items()
        found = [((str(column),), values) for column, values in counts if isinstance(values, Mapping) and values]
    return found


def _share(values: Mapping[Any, Any], name: str) -> Estimate | None:
    number = finite(values.get(name, values.get(f"{name}_rate")))
    return None if number is None else Estimate(100.0 * min(max(number, -1.0), 1.0))


def _path(path: Sequence[str]) -> str:
    kept = [part for part in path if part not in ("secrets", "attacks", "parts", "risks")]
    return ", ".join(part.replace("_", " ") for part in kept)


def _promise(values: Mapping[str, Any], epsilon: float, delta: float | None) -> Text:
    unit = values.get("unit")
    whom = "each row" if not isinstance(unit, str) or unit == ROW else marked("each person in '{}'", named(unit))
    rows = finite(values.get("rows_per_unit")) or 1
    limit = "" if whom == "each row" else f", of whom at most {counted(int(rows), 'row')} took part"
    factor = f" (e^{epsilon:g} = {figure(math.exp(epsilon))})" if epsilon < 50 else ""
    return marked(
        "Differential privacy with <b>epsilon {}</b> and <b>delta {}</b> for {}{}. With or without any one of them in "
        "the data, no result of the fit is more than e to the epsilon times as likely{}, apart from a chance of delta.",
        *(f"{epsilon:g}", "0" if delta is None else f"{delta:g}", whom, limit, factor),
    )


def _cost(ledger: Mapping[str, Any], entry: Mapping[str, Any]) -> float | None:
    """Share of the budget that an entry's releases take together."""
    composition = mapping(ledger.get("composition"))
    order, budget, count = (
        finite(x) for x in (composition.get("order"), composition.get("budget"), entry.get("count"))
    )
    if order is None or count is None or budget is None or budget <= 0 or order <= 1:
        return None
    from synthgan.privacy.account.events import event_from_json, renyi_cost

    try:
        return finite(renyi_cost(event_from_json(entry.get("event")), order) * count / budget)
    except (PrivacyError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _ledger_row(entry: Mapping[str, Any], cost: float | None) -> tuple[Text, ...]:
    count, door = finite(entry.get("count")), finite(entry.get("door"))
    return (
        _what(mapping(entry.get("what"))),
        _door(None if door is None else int(door)),
        short(entry.get("mechanism", ""), 40),
        "" if count is None else f"{count:,.0f}",
        "" if cost is None else percent(cost),
        short(entry.get("state", ""), 20),
    )


def _what(what: Mapping[Any, Any]) -> Text:
    names = [str(name) for name in what]
    shown = Markup("; ").join(named(name, 80) for name in names[:_LISTED_RELEASES])
    left = len(names) - _LISTED_RELEASES
    return shown + f"; and {left:,} more" if left > 0 else shown


def _door(door: int | None) -> str:
    return DOOR_NAMES.get(door or 0, "unknown door").capitalize()


def _opening(entries: Sequence[Mapping[str, Any]]) -> str:
    releases = sum(int(finite(entry.get("count")) or 0) for entry in entries)
    return f"All {counted(releases, 'release')}, in {counted(len(entries), 'entry', 'entries')}"


def _provenance_row(fact: Mapping[str, Any]) -> tuple[Text, ...]:
    source = str(fact.get("source", "unknown"))
    rest = [(key, value) for key, value in fact.items() if key not in ("column", "what", "source")]
    detail = Markup("; ").join(
        marked("{}: {}", short(key, 30), named(value, 120)) for key, value in rest if value not in (None, "")
    )
    return (
        named(fact.get("column", "")),
        short(fact.get("what", ""), 40),
        _SOURCES.get(source, short(source, 40)),
        detail,
    )
