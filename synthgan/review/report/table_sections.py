"""Sections on the tables themselves: columns, pairs, what gives synthetic rows away, what models learn from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from synthgan.evaluation.evidence import ColumnEvidence, Evidence, Matrix, PairEvidence
from synthgan.loose_json import finite, mapping, numbers
from synthgan.review.report.blocks import Block, Drawing, Gallery, Legend, Prose, Section, named, parts_table, table
from synthgan.review.report.details import records
from synthgan.review.report.figures import Estimate, Pair, bars, compared_bars
from synthgan.review.report.figures_columns import column_picture, heat_scale, heatmap
from synthgan.review.wording import counted, figure, percent, short, span

if TYPE_CHECKING:
    from synthgan.evaluation.scores import Score, Scores

SHOWN_COLUMNS = 12
"""Columns whose pictures stand open."""

DRAWN_COLUMNS = 36
"""Columns that are drawn at all; the table has the rest."""

DRAWN_PAIRS = 16
"""Columns of a heatmap."""

LISTED_PAIRS = 15

_MEASURES = ("auc", "balanced_accuracy", "r2")


def columns_section(scores: Scores) -> Section | None:
    """Each column's distribution, worst first."""
    columns = _worst_first(scores.evidence)
    if not columns:
        return None
    drawn = [_column_drawing(column) for column in columns[:DRAWN_COLUMNS]]
    blocks: list[Block] = [
        Legend(
            entries=(
                ("swatch-real", "real"),
                ("swatch-synthetic", "synthetic"),
                *((("swatch-holdout", "fresh real rows"),) if any("holdout" in c.shares for c in columns) else ()),
            )
        ),
        Gallery(drawings=tuple(drawn[:SHOWN_COLUMNS])),
    ]
    if drawn[SHOWN_COLUMNS:]:
        more = f"{counted(len(drawn) - SHOWN_COLUMNS, 'more column')}, with smaller errors"
        blocks.append(Gallery(drawings=tuple(drawn[SHOWN_COLUMNS:]), folded=more))
    rows = [
        (
            named(column.name),
            column.kind,
            figure(column.shape_error, "%"),
            percent(column.missing.get("real")),
            percent(column.missing.get("synthetic")),
        )
        for column in columns
    ]
    headings = ("Column", "Kind", "Shape error", "Missing, real", "Missing, synthetic")
    blocks.append(
        table(
            "Every column",
            headings,
            rows,
            numeric=(2, 3, 4),
            folded=f"All {counted(len(columns), 'column')} as a table",
        )
    )
    left = len(columns) - len(drawn)
    return Section(
        key="columns",
        title="Columns",
        lead="Each column by itself, the worst first, with its shape error. Numbers are steps over bins, categories "
        "are bars; missing values are left aside and named below the picture."
        + (f" {counted(left, 'column')} with the smallest errors are in the table only." if left else ""),
        blocks=tuple(blocks),
    )


def pairs_section(scores: Scores) -> Section | None:
    """How columns hang together: real, synthetic, and the difference."""
    pairs = None if scores.evidence is None else scores.evidence.pairs
    if pairs is None or not _can_be_drawn(pairs):
        return None
    shown = _worst_columns(pairs)
    errors = [value for row in shown.error for value in row if value is not None]
    most = max(1.0, *errors) if errors else 1.0
    drawings = tuple(
        Drawing(svg=heatmap(shown, values, top, _heatmap_words(shown, values, title, unit)), title=title)
        for title, values, top, unit in (
            ("Real", shown.real, 1.0, ""),
            ("Synthetic", shown.synthetic, 1.0, ""),
            ("Difference", shown.error, most, "%"),
        )
    )
    scales = Legend(
        entries=(
            (heat_scale("1"), "strength of the relation, real and synthetic"),
            (heat_scale(figure(most, "%"), "0 %"), "trend error, difference"),
        )
    )
    left = len(pairs.columns) - len(shown.columns)
    blocks: list[Block] = [scales, Gallery(drawings=drawings)]
    if rows := list(_worst_pairs(pairs)):
        headings = ("Pair", "Real", "Synthetic", "Trend error")
        blocks.append(table("The pairs with the largest errors", headings, rows, numeric=(1, 2, 3)))
    return Section(
        key="pairs",
        title="Pairs of columns",
        lead="How strongly two columns hang together, from 0 (not at all) to 1 (one follows from the other)."
        + (f" The {len(shown.columns)} columns with the largest errors are drawn." if left else ""),
        blocks=tuple(blocks),
    )


def detection_section(scores: Scores) -> Section | None:
    """What gave the synthetic rows away."""
    score = _score(scores, "c2st")
    if score is None:
        return None
    drops = [(str(name), finite(drop)) for name, drop in mapping(score.details.get("importances")).items()]
    known = sorted(((name, drop) for name, drop in drops if drop is not None), key=lambda item: item[1], reverse=True)
    if not known:
        return None
    auc = finite(score.details.get("auc"))
    found = (
        ""
        if auc is None
        else f" It ranks a synthetic row above a real one with probability {figure(auc)}; 0.5 is chance."
    )
    names = [short(name, 30) for name, _ in known[:3]]
    label = f"How much worse the classifier gets without a column; most for {', '.join(names)}"
    picture = bars(known, label)
    rows = [(named(name), figure(drop)) for name, drop in known]
    return Section(
        key="detection",
        title="What gives the synthetic rows away",
        lead="A classifier was trained to tell synthetic rows from real ones and judged on rows it had not seen."
        + found,
        blocks=(
            Gallery(
                drawings=(Drawing(svg=picture, title="Loss of AUC when a column is shuffled"),),
                layout="halves",
            ),
            table("Loss of AUC by column", ("Column", "Loss of AUC"), rows, numeric=(1,), folded="As a table"),
        ),
    )


def utility_section(scores: Scores) -> Section | None:
    """What models learn from the synthetic rows, against the same models trained on real ones."""
    found = [(score, pairs) for score in scores if score.group == "utility" and (pairs := _models(score))]
    drawings = [_model_drawing(score, pairs) for score, pairs in found]
    if not drawings:
        singles = [
            Pair(score.label, _estimate(score.value, score.interval), _estimate(score.reference, None))
            for score in scores
            if score.group == "utility" and score.name in _MEASURES and finite(score.value) is not None
        ]
        words = _compared_words("Utility", singles)
        drawings = [Drawing(svg=compared_bars(singles, words), title="One model, by measure")] if singles else []
    blocks: list[Block] = [Gallery(drawings=tuple(drawings), layout="halves")] if drawings else []
    blocks += [_model_table(score, pairs) for score, pairs in found]
    after = [*_subgroup_blocks(scores), *_augmentation_blocks(scores)]
    if not blocks and not after:
        return None
    legend = Legend(entries=(("swatch-real", "trained on real rows"), ("swatch-bar", "trained on synthetic rows")))
    target = scores.settings.get("target")
    return Section(
        key="utility",
        title="Utility",
        lead=(
            f"Models learn to predict {short(target)}"
            if isinstance(target, str)
            else "Models learn to predict a column"
        )
        + " from synthetic or from real rows, and are tested on real rows that neither has seen"
        + (". " if scores.n_rows.get("holdout") else "; the synthesizer, however, may have seen them. ")
        + "Lines through the ends of the bars are 95% intervals.",
        blocks=(*((legend, *blocks) if blocks else ()), *after),
    )


def _worst_first(evidence: Evidence | None) -> list[ColumnEvidence]:
    """The columns that can be drawn; those without an error come last."""
    drawn = [column for column in (evidence.columns if evidence is not None else ()) if column.n_parts]
    return sorted(drawn, key=lambda each: -1.0 if each.shape_error is None else each.shape_error, reverse=True)


def _can_be_drawn(pairs: PairEvidence) -> bool:
    """Whether there are two columns, and anything is known of them."""
    rows = (*pairs.real, *pairs.synthetic, *pairs.error)
    return len(pairs.columns) > 1 and any(value is not None for row in rows for value in row)


def _column_drawing(column: ColumnEvidence) -> Drawing:
    missing = [column.missing.get(part) for part in ("real", "synthetic")]
    return Drawing(
        svg=column_picture(column),
        title=named(column.name, 34),
        aside="" if column.shape_error is None else figure(column.shape_error, "%"),
        detail=f"Missing: {percent(missing[0])} real, {percent(missing[1])} synthetic" if any(missing) else "",
    )


def _worst_columns(pairs: PairEvidence) -> PairEvidence:
    """At most as many columns as a heatmap can hold, those with the largest errors, in the table's order."""
    if len(pairs.columns) <= DRAWN_PAIRS:
        return pairs
    worst = [max((value for value in row if value is not None), default=-1.0) for row in pairs.error]
    chosen = sorted(np.argsort(worst, kind="stable")[::-1][:DRAWN_PAIRS].tolist())

    def cut(rows: Matrix) -> Matrix:
        return tuple(tuple(rows[i][j] for j in chosen) for i in chosen)

    names = tuple(pairs.columns[place] for place in chosen)
    return PairEvidence(columns=names, real=cut(pairs.real), synthetic=cut(pairs.synthetic), error=cut(pairs.error))


def _worst_pairs(pairs: PairEvidence) -> Iterator[tuple[Any, ...]]:
    size = len(pairs.columns)
    errors = [(pairs.error[i][j], i, j) for i in range(size) for j in range(i + 1, size)]
    known = sorted(((error, i, j) for error, i, j in errors if error is not None), reverse=True)
    for error, i, j in known[:LISTED_PAIRS]:
        name = named(pairs.columns[i], 40) + " \N{MULTIPLICATION SIGN} " + named(pairs.columns[j], 40)
        yield name, figure(pairs.real[i][j]), figure(pairs.synthetic[i][j]), figure(error, "%")


def _heatmap_words(pairs: PairEvidence, values: Matrix, title: str, unit: str) -> str:
    size = len(pairs.columns)
    cells = [(values[i][j], i, j) for i in range(size) for j in range(i + 1, size)]
    known = sorted(((value, i, j) for value, i, j in cells if value is not None), reverse=True)[:3]
    largest = "; ".join(
        f"{short(pairs.columns[i], 30)} with {short(pairs.columns[j], 30)} {figure(value, unit)}"
        for value, i, j in known
    )
    return f"{title}: heatmap of {size} columns. Largest: {largest or 'none'}."


def _score(scores: Scores, name: str) -> Score | None:
    return next((score for score in scores if score.name == name), None)


def _estimate(value: Any, interval: Any) -> Estimate | None:
    known = finite(value)
    ends = numbers(interval)
    if known is None:
        return None
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        return Estimate(known)
    return Estimate(known, (ends[0], ends[1]))


def _models(score: Score) -> list[Pair]:
    found = []
    for name, values in mapping(score.details.get("models")).items():
        model = mapping(values)
        pair = Pair(
            label if isinstance(label := model.get("label"), str) else str(name).replace("_", " "),
            _estimate(model.get("value"), model.get("interval")),
            _estimate(model.get("real"), model.get("real_interval")),
        )
        if pair.found is not None or pair.compared is not None:
            found.append(pair)
    return found


def _model_drawing(score: Score, pairs: list[Pair]) -> Drawing:
    values = [each.value for pair in pairs for each in (pair.found, pair.compared) if each is not None]
    start = 0.5 if score.name in ("auc", "balanced_accuracy") and min(values) >= 0.5 else 0.0
    notes = [score.note.rstrip(".")] if score.note else []
    notes += ["bars begin at 0.5, which is chance for two classes"] if start else []
    words = _compared_words(score.label, pairs)
    svg = compared_bars(pairs, words, start=start)
    return Drawing(svg=svg, title=score.label, detail=_clause("; ".join(notes)))


def _model_table(score: Score, pairs: list[Pair]) -> Block:
    rows = [
        (pair.label.capitalize(), *(text for each in (pair.found, pair.compared) for text in _texts(each)))
        for pair in pairs
    ]
    headings = ("Model", "Synthetic", "95% interval", "Real", "95% interval")
    return table(f"{score.label} by model", headings, rows, numeric=(1, 2, 3, 4), folded=f"{score.label} as a table")


def _clause(text: str) -> str:
    return text[:1].upper() + text[1:]


def _texts(estimate: Estimate | None) -> tuple[str, str]:
    return ("", "") if estimate is None else (figure(estimate.value), span(estimate.interval))


def _compared_words(title: str, pairs: list[Pair]) -> str:
    parts = [f"{short(pair.label, 30)} {_texts(pair.found)[0]} against {_texts(pair.compared)[0]}" for pair in pairs]
    return f"{title}, trained on synthetic against trained on real rows: {'; '.join(parts)}."


def _subgroup_blocks(scores: Scores) -> list[Block]:
    score = _score(scores, "subgroup_gap")
    if score is None:
        return []
    parts = {name: value for name, value in score.details.items() if name != "worst"}  # it heads the list as well
    found = list(records(parts, frozenset({"real", "synthetic", "gap", "value"})))
    if not found:
        return []
    explained = Prose(
        heading="Subgroups",
        text="How much worse the synthetic-trained model serves a part of the table; largest gap first. A gap whose "
        "interval holds 0 may be chance.",
    )
    rows = [_subgroup_row(values) for _, values in found if {"column", "group"} <= values.keys()]
    if len(rows) < len(found):
        return [explained, parts_table("Subgroups", "Subgroup", found)]
    headings = ("Subgroup", "Test rows", "Real-trained", "Synthetic-trained", "Gap", "95% interval")
    return [explained, table("Subgroups", headings, rows, numeric=(1, 2, 3, 4, 5))]


def _augmentation_blocks(scores: Scores) -> list[Block]:
    score = _score(scores, "augmentation_uplift")
    if score is None:
        return []
    arms = mapping(score.details.get("arms"))
    found = [
        ((str(mapping(arm).get("label", way)),), values)
        for way, arm in arms.items()
        for _, values in records(arm, frozenset({"value", "uplift"}), least=1)
    ]
    if not found:
        return []
    return [Prose(heading=score.label, text=_clause(score.note)), parts_table(score.label, "Trained on", found)]


def _subgroup_row(values: Mapping[Any, Any]) -> tuple[Any, ...]:
    n_test = finite(values.get("n_test"))
    return (
        named(values["column"], 40) + ": " + named(values["group"], 40),
        "" if n_test is None else f"{n_test:,.0f}",
        figure(values.get("real")),
        figure(values.get("synthetic")),
        figure(values.get("gap")),
        span(values.get("interval")),
    )
