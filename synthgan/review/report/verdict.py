"""The top of the report: what the gates came to, and the key figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from markupsafe import Markup

from synthgan.evaluation.catalogue import GROUPS, Group
from synthgan.loose_json import finite, numbers
from synthgan.review.report.blocks import Heading, Legend, Points, Section, Table, Text, marked, named
from synthgan.review.report.figures import Estimate, strip
from synthgan.review.report.glossary_section import terms_of
from synthgan.review.wording import beside, counted, exactly, figure, listed, short, span

if TYPE_CHECKING:
    from synthgan.evaluation.scores import Score, Scores
    from synthgan.review.policy import Gate
    from synthgan.review.verdicts import Outcome, Verdict, Verdicts

State = Literal["pass", "fail", "inconclusive", "none"]

WORDS: Mapping[State, str] = {
    "pass": "Passed",
    "fail": "Failed",
    "inconclusive": "Inconclusive",
    "none": "No verdict",
}
_ORDER: tuple[State, ...] = ("fail", "inconclusive", "pass", "none")
_NO_PROOF = "That is no proof that nobody can be found in the table."
_MEANING: Mapping[State, str] = {
    "pass": "The evidence keeps to every limit of the policy. " + _NO_PROOF,
    "fail": "Under this policy the table is not to be released.",
    "inconclusive": "The evidence does not decide. This does not count as a pass.",
    "none": "No policy was applied, so nothing here says that the table may be released.",
}
_LISTED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Headline:
    """The verdict in a word, a sentence, and what it means."""

    state: State
    word: str
    sentence: str
    meaning: str


def headline(verdicts: Verdicts | None, *, is_withheld: bool = False) -> Headline:
    """The verdict of all gates; an edition without scores says that it tells none."""
    if verdicts is None and is_withheld:
        return Headline(
            state="none",
            word="Not told here",
            sentence="Gates are judged by figures of real rows, so this edition is silent about them.",
            meaning="Nothing here says that the table may be released.",
        )
    state = "none" if verdicts is None else _state(verdicts.outcome)
    return Headline(state=state, word=WORDS[state], sentence=_sentence(verdicts), meaning=_meaning(state, verdicts))


def _meaning(state: State, verdicts: Verdicts | None) -> str:
    """What the verdict says and what not: what is open is said to be open, also beside a pass."""
    undecided = [] if verdicts is None else [v for v in verdicts.verdicts if _state(v.outcome) != "pass"]
    if state != "pass" or not undecided:
        return _MEANING[state]
    names = [
        f"\N{LEFT DOUBLE QUOTATION MARK}{short(v.gate.name, 60)}\N{RIGHT DOUBLE QUOTATION MARK}" for v in undecided
    ]
    more = [] if len(names) <= _LISTED else [counted(len(names) - _LISTED, "other")]
    verb = "is" if len(names) == 1 else "are"
    return (
        f"Every gate that the policy requires is passed. On {listed([*names[:_LISTED], *more])}, which {verb} not "
        f"required, the evidence does not decide. {_NO_PROOF}"
    )


def gates_table(verdicts: Verdicts | None, scores: Scores | None) -> Table | None:
    """Each gate with its outcome and why, failed ones first; None without gates."""
    if verdicts is None or not verdicts.verdicts:
        return None
    units = {} if scores is None else {score.name: score.unit for score in scores}
    ranked = sorted(verdicts.verdicts, key=lambda verdict: _ORDER.index(_state(verdict.outcome)))
    return Table(
        caption="Every gate of the policy",
        stacked=True,
        name="gates",
        headings=(
            Heading(text="Gate"),
            Heading(text="Outcome"),
            Heading(text="Measured", is_number=True),
            Heading(text="Limit"),
            Heading(text="Why"),
        ),
        bodies=(("", tuple(_gate_row(verdict, units) for verdict in ranked)),),
    )


def key_figures(scores: Scores, verdicts: Verdicts | None) -> Section:
    """Every score with its interval, the noise floor and the limit that a gate sets."""
    limits = _limits(verdicts)
    bodies = []
    for group, members in _grouped(scores):
        rows = tuple(_score_row(score, limits.get(score.name)) for score in members)
        bodies.append((GROUPS[group], rows))
    table = Table(
        caption="Scores of the synthetic table",
        stacked=True,
        name="scores",
        headings=(
            Heading(text="Score"),
            Heading(text="Synthetic", is_number=True),
            Heading(text="95% interval", is_number=True),
            Heading(text="Real rows", is_number=True),
            Heading(text="Best"),
            Heading(text="Scale"),
        ),
        bodies=tuple(bodies),
    )
    has_floor = any(finite(score.reference) is not None for score in scores)
    marks = [("mark-dot", "synthetic, with its 95% interval")]
    marks += [("mark-diamond", "real rows in its place (noise floor) or real-trained model")] if has_floor else []
    marks += [("mark-tick", "ideal")] if any(finite(score.ideal) is not None for score in scores) else []
    marks += [("mark-limit", "limit of a gate")] if limits else []
    notes = (Points(items=tuple(scores.notes), heading="Notes"),) if scores.notes else ()
    return Section(
        key="figures",
        title="Key figures",
        lead=_reading(scores),
        blocks=(Legend(entries=tuple(marks)), table, *notes),
    )


def _reading(scores: Scores) -> str:
    """How to read the figures: with real rows beside them, or without."""
    n_holdout, n_synthetic = (scores.n_rows.get(name, 0) for name in ("holdout", "synthetic"))
    if not n_holdout:
        return (
            "Chance alone moves every figure. There were no real rows that the fit had not seen, so nothing here shows "
            "how far: an error of zero is out of reach, and what would be good stands nowhere."
        )
    few = ""
    if 2 * n_holdout < n_synthetic:
        few = (
            f" Here they are few ({n_holdout:,} beside {n_synthetic:,} synthetic rows), so chance moves them more: a "
            "distance smaller than theirs is no sign of quality or of copying."
        )
    return (
        "Chance alone moves every figure. Compare each with real rows that the fit has not seen, scored in the "
        "synthetic table\N{RIGHT SINGLE QUOTATION MARK}s place: nothing can be expected to do better than they do."
        + few
    )


def _grouped(scores: Scores) -> Iterator[tuple[Group, list[Score]]]:
    members: dict[Group, list[Score]] = {}
    for score in scores:
        members.setdefault(score.group, []).append(score)
    yield from members.items()


def _score_row(score: Score, limit: float | None) -> tuple[Text, ...]:
    value, floor, ideal = finite(score.value), finite(score.reference), finite(score.ideal)
    interval = span(score.interval, score.unit)
    picture: Text = ""
    if value is not None:
        words = [f"{score.label}: {figure(value, score.unit)}"]
        words += [f"95% interval {interval}"] if interval else []
        words += [f"real rows {figure(floor, score.unit)}"] if floor is not None else []
        words += [f"limit {figure(limit, score.unit)}"] if limit is not None else []
        picture = strip(Estimate(value, _pair(score.interval)), ", ".join(words), floor=floor, ideal=ideal, limit=limit)
    return (
        _score_label(score),
        "undefined" if value is None else figure(value, score.unit),
        interval,
        "" if floor is None else figure(floor, score.unit),
        _best(score, ideal),
        picture,
    )


def _score_label(score: Score) -> Text:
    """A score's name, which leads to its explanation, and below it what it is."""
    anchors = terms_of(score.name)
    name = marked('<a href="#{}">{}</a>', anchors[0], score.label) if anchors else score.label
    return marked('{}<span class="aside">{}</span>', name, score.note) if score.note else name


def _pair(interval: Any) -> tuple[float, float] | None:
    ends = numbers(interval)
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        return None
    return ends[0], ends[1]


def _best(score: Score, ideal: float | None) -> str:
    if score.direction == "target":
        return "" if ideal is None else f"near {figure(ideal, score.unit)}"
    return score.direction if score.direction in ("lower", "higher") else ""


def _gate_row(verdict: Verdict, units: Mapping[str, str]) -> tuple[Text, ...]:
    gate, state = verdict.gate, _state(verdict.outcome)
    unit = units.get(gate.score, "")
    name = named(gate.name)
    why = (verdict.because or verdict.why).removesuffix(".")
    required = "" if gate.required else Markup('<span class="aside">not required</span>')
    return (
        marked('{}<span class="aside">{}</span>', name, gate.reason) if gate.reason else name,
        badge(state) + required,
        _measured(verdict, unit),
        _limit_text(gate, unit),
        why[:1].upper() + why[1:],
    )


def _measured(verdict: Verdict, unit: str) -> Text:
    """What a gate judged: the figure, or what it is above its reference, with the interval of that."""
    value, reference, excess = (finite(each) for each in (verdict.value, verdict.reference, verdict.excess))
    judged = value if excess is None else excess
    if judged is None:
        return ""
    text = beside(judged, verdict.gate.threshold, unit)
    interval = span(verdict.interval if excess is None else verdict.excess_interval, unit)
    parts = [interval] if interval else []
    if excess is not None:
        parts.append(f"{figure(value, unit)} less {figure(reference, unit)} of real rows")
    return marked("{}", text) + Markup("").join(marked('<span class="aside">{}</span>', part) for part in parts)


def badge(state: State) -> Markup:
    """An outcome as a sign and a word."""
    return marked(
        '<span class="badge {}"><svg class="sign" viewBox="0 0 24 24" aria-hidden="true"><use href="#sign-{}"/></svg>'
        "{}</span>",
        *(state, state, WORDS[state]),
    )


def _limit_text(gate: Gate, unit: str) -> str:
    limit, is_upper = gate.threshold, gate.at_most is not None
    above = " above real rows" if gate.against == "excess" else ""
    if above and limit < 0:  # "at least -0.15 above" is at most 0.15 below
        limit, above, is_upper = -limit, " below real rows", not is_upper
    return f"{'at most' if is_upper else 'at least'} {exactly(limit, unit)}{above}"


def _limits(verdicts: Verdicts | None) -> dict[str, float]:
    """The limit on each score itself; one on its excess over the reference has another scale."""
    limits: dict[str, float] = {}
    for verdict in verdicts or ():
        if verdict.gate.against != "excess":
            limits.setdefault(verdict.gate.score, verdict.gate.threshold)
    return limits


def _state(outcome: Outcome) -> State:
    return outcome.value


def _sentence(verdicts: Verdicts | None) -> str:
    if verdicts is None or not verdicts.verdicts:
        return "No gate was applied."
    states = [_state(verdict.outcome) for verdict in verdicts.verdicts]
    if set(states) == {"pass"}:
        return f"All {len(states)} gates are passed." if len(states) > 1 else "The one gate is passed."
    words = {"fail": "failed", "inconclusive": "inconclusive", "pass": "passed"}
    waived = sum(
        state == "inconclusive" and not verdict.gate.required
        for state, verdict in zip(states, verdicts.verdicts, strict=True)
    )
    notes = {"inconclusive": f" ({waived} of them not required)" if waived else ""}
    parts = [f"{states.count(state)} {word}{notes.get(state, '')}" for state, word in words.items() if state in states]
    return f"Of {counted(len(states), 'gate')}, {listed(parts)}."
