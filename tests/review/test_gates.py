"""The verdicts of a policy: hand-made cases of each outcome, and what must hold whatever the scores are."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgan.cli.commands import EXIT_CODES as CLI_EXIT_CODES
from synthgan.errors import PolicyError
from synthgan.evaluation.scores import Score, Scores
from synthgan.review.gates import EXIT_CODES, Outcome, Verdict, Verdicts, apply, judge
from synthgan.review.policy import Gate, Policy
from synthgan.review.policy_file import default_policy

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
ROWS = {"real": 1000, "synthetic": 800, "holdout": 300}


def scores(value: float, interval: Any = None, *, name: str = "shape", **more: Any) -> Scores:
    n_rows = more.pop("n_rows", ROWS)
    fields = {"label": name, "direction": "lower", "group": "fidelity", "unit": "%"} | more
    return Scores(scores=(Score(name=name, value=value, interval=interval, **fields),), n_rows=n_rows)


def gate(**keys: Any) -> Gate:
    return Gate(**({"name": "g", "score": "shape", "reason": "as agreed"} | keys))


def outcome(gate: Gate, found: Scores) -> Outcome:
    verdict = judge(gate, found)
    assert verdict.gate is gate
    assert verdict.why.endswith(".")
    assert "\n" not in verdict.why
    return verdict.outcome


# ------------------------------------------------------------------------------------------------------------ intervals


@pytest.mark.parametrize(
    ("value", "interval", "expected"),
    [
        (3, (2, 4), PASS),
        (3, (2, 5), PASS),  # up to the threshold is good
        (4, (3, 5.1), INCONCLUSIVE),
        (6, (5, 7), INCONCLUSIVE),  # the threshold itself may be true, and it is good
        (6, (5.1, 7), FAIL),
        (5, (5, 5), PASS),
    ],
)
def test_an_interval_must_be_wholly_on_one_side(value: float, interval: tuple[float, float], expected: Outcome) -> None:
    assert outcome(gate(at_most=5), scores(value, interval)) is expected
    mirrored = scores(-value, (-interval[1], -interval[0]), name="c2st", direction="higher", unit="")
    assert outcome(gate(score="c2st", at_least=-5), mirrored) is expected


def test_an_interval_that_does_not_hold_its_value_is_stretched_to_it() -> None:
    assert outcome(gate(at_most=5), scores(6, (2, 4))) is INCONCLUSIVE
    assert outcome(gate(at_most=5), scores(4, (6, 7))) is INCONCLUSIVE
    assert outcome(gate(at_most=5), scores(4, (4.5, 3))) is PASS


def test_a_verdict_says_why() -> None:
    why = judge(gate(at_most=5), scores(4, (3, 5.125))).why
    assert (
        why == "the score, 4.00 % (interval 3.00 to 5.12), is not surely on either side of the threshold, at most 5 %."
    )
    why = judge(gate(score="c2st", at_least=0.5), scores(0.7, (0.6, 0.8), name="c2st", unit="")).why
    assert why == "the score, 0.700 (interval 0.600 to 0.800), is on the good side of the threshold, at least 0.5."
    why = judge(gate(at_most=5, against="value", least_rows=1), scores(6)).why
    assert why == "the score, 6.00 %, is on the bad side of the threshold, at most 5 %."


def test_a_verdict_holds_the_figures() -> None:
    verdict = judge(gate(at_most=5), scores(4, (3, 5.5), reference=1.0))
    assert (verdict.value, verdict.interval, verdict.reference) == (4.0, (3.0, 5.5), 1.0)


def test_a_wide_interval_does_not_pass_but_fails() -> None:
    narrow = gate(at_most=5, widest=1.0)
    assert outcome(narrow, scores(3, (2.5, 3.5))) is PASS
    assert outcome(narrow, scores(3, (2.4, 3.5))) is INCONCLUSIVE
    assert outcome(narrow, scores(8, (6, 10))) is FAIL


def test_few_rows_do_not_pass_but_fail_by_their_interval() -> None:
    many = gate(at_most=5, least_rows=801)
    assert outcome(many, scores(3, (2, 4))) is INCONCLUSIVE
    assert outcome(many, scores(8, (6, 10))) is FAIL
    assert outcome(gate(at_most=5, least_rows=800), scores(3, (2, 4))) is PASS
    assert judge(many, scores(3, (2, 4))).why == "800 rows took part and the gate asks for 801."


# ------------------------------------------------------------------------------------------------------------- evidence


def test_a_score_that_is_missing_or_undefined_is_inconclusive() -> None:
    for against in ("interval", "value", "excess"):
        asked = gate(at_most=5, against=against, least_rows=1)
        assert outcome(asked, Scores(scores=())) is INCONCLUSIVE
        assert "'shape' was not computed" in judge(asked, Scores(scores=())).why
        for value in (math.nan, math.inf, -math.inf):
            assert outcome(asked, scores(value, (0, 1), reference=0.0)) is INCONCLUSIVE
        for interval in ((math.nan, 1.0), (0.0, math.nan), (-math.inf, 0.0)):
            assert outcome(asked, scores(0.5, interval, reference=0.0)) is INCONCLUSIVE
            assert judge(asked, scores(0.5, interval, reference=0.0)).interval is None


def test_a_score_that_is_missing_says_what_it_needs() -> None:
    bare = Scores(scores=(), n_rows={"real": 9, "synthetic": 9})
    held_out = Scores(scores=(), n_rows={"real": 9, "synthetic": 9, "holdout": 9}, settings={"target": None})
    for name, found, why in (
        ("membership_auc", bare, "the score 'membership_auc' was not computed: it needs a holdout."),
        (
            "membership_auc",
            held_out,
            "the score 'membership_auc' was not computed: the holdout has too few rows for it.",
        ),
        ("utility_gap", held_out, "the score 'utility_gap' was not computed: it needs a target."),
        ("shape", bare, "the score 'shape' was not computed."),
    ):
        assert judge(gate(score=name, at_most=0.5), found).why == why


def test_a_value_counts_without_interval_only_where_the_gate_says_so_and_rows_suffice() -> None:
    assert outcome(gate(at_most=5), scores(3)) is INCONCLUSIVE
    assert outcome(gate(at_most=5), scores(7)) is INCONCLUSIVE
    enough, too_few = (gate(at_most=5, against="value", least_rows=n) for n in (800, 801))
    assert [outcome(enough, scores(value)) for value in (3, 5, 7)] == [PASS, PASS, FAIL]
    assert [outcome(too_few, scores(value)) for value in (3, 5, 7)] == [INCONCLUSIVE] * 3
    assert outcome(enough, scores(3, n_rows={})) is INCONCLUSIVE


def test_where_there_is_an_interval_a_gate_on_the_value_judges_that() -> None:
    asked = gate(at_most=5, against="value", least_rows=1)
    assert outcome(asked, scores(4, (3, 6))) is INCONCLUSIVE
    assert outcome(asked, scores(4, (3, 5))) is PASS


@pytest.mark.parametrize("key", ["n_rows", "n_test", "n_members", "n_non_members", "n_attacks"])
def test_rows_that_a_score_states_itself_count(key: str) -> None:
    asked = gate(at_most=5, against="value", least_rows=100)
    assert outcome(asked, scores(3, details={key: 99})) is INCONCLUSIVE
    assert outcome(asked, scores(3, details={key: 100})) is PASS
    assert outcome(asked, scores(3, details={key: "many"})) is PASS


# --------------------------------------------------------------------------------------------------------------- excess


def test_an_excess_is_over_the_reference() -> None:
    asked = gate(at_most=2, against="excess", least_rows=300)
    assert [outcome(asked, scores(value, reference=3.0)) for value in (1, 5, 5.1)] == [PASS, PASS, FAIL]
    assert outcome(asked, scores(1)) is INCONCLUSIVE
    assert "give a holdout" in judge(asked, scores(1)).why
    assert outcome(asked, scores(1, reference=math.nan)) is INCONCLUSIVE
    # The holdout's 300 rows count as well.
    assert outcome(gate(at_most=2, against="excess", least_rows=301), scores(1, reference=3.0)) is INCONCLUSIVE


@pytest.mark.parametrize("value", [5.0049, 4.9951, 5.0, 4.99999])
def test_a_rounded_figure_stays_on_its_side_of_the_threshold(value: float) -> None:
    """5.0049 is no "5.00 %, on the bad side of at most 5 %"."""
    verdict = judge(gate(at_most=5), scores(value, (value, value)))
    shown = float(re.findall(r"the score, ([\d.]+) %", verdict.why)[0])
    assert (shown > 5) == (value > 5)
    assert (shown < 5) == (value < 5)
    assert verdict.because in ("all of the interval keeps to the limit", "none of the interval keeps to the limit")


def test_the_interval_of_an_excess_is_that_of_a_difference() -> None:
    # 10 (8 to 12) less 4 exactly: 4 to 8. With 4 (2.5 to 5.5) the half width is the root of 4 + 2.25, which is 2.5.
    exact = scores(10, (8, 12), reference=4.0)
    uncertain = scores(10, (8, 12), reference=4.0, details={"reference_interval": [2.5, 5.5]})
    for bound, of_exact, of_uncertain in ((8.6, PASS, PASS), (8.4, PASS, INCONCLUSIVE), (3.9, FAIL, INCONCLUSIVE)):
        asked = gate(at_most=bound, against="excess", least_rows=1)
        assert (outcome(asked, exact), outcome(asked, uncertain)) == (of_exact, of_uncertain)
    asked = gate(at_most=3.4, against="excess", least_rows=1)
    assert outcome(asked, uncertain) is FAIL
    assert "the score above its reference, 6.00 % (interval 3.50 to 8.50)" in judge(asked, uncertain).why
    broken = scores(10, (8, 12), reference=4.0, details={"reference_interval": [None, 5.5]})
    assert outcome(gate(at_most=8.4, against="excess", least_rows=1), broken) is PASS


# ------------------------------------------------------------------------------------------------------------- verdicts


def made(*outcomes: tuple[Outcome, bool]) -> Verdicts:
    return Verdicts(
        verdicts=tuple(
            Verdict(gate=gate(name=f"g{i}", at_most=1, required=required), outcome=found, why="so.")
            for i, (found, required) in enumerate(outcomes)
        )
    )


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([(PASS, True), (PASS, True)], PASS),
        ([(PASS, True), (INCONCLUSIVE, True)], INCONCLUSIVE),
        ([(PASS, True), (INCONCLUSIVE, False)], PASS),
        ([(PASS, True), (FAIL, False)], FAIL),
        ([(INCONCLUSIVE, True), (FAIL, True)], FAIL),
        ([(PASS, False)], INCONCLUSIVE),
        ([], INCONCLUSIVE),
    ],
)
def test_the_outcome_of_all_gates(outcomes: list[tuple[Outcome, bool]], expected: Outcome) -> None:
    verdicts = made(*outcomes)
    assert verdicts.outcome is expected
    assert verdicts.exit_code == EXIT_CODES[expected]


def test_exit_codes_are_apart_from_those_of_errors() -> None:
    assert EXIT_CODES == {PASS: 0, FAIL: 10, INCONCLUSIVE: 11}
    of_gates = {10, 11}
    meanings = {code: meaning for code, meaning in CLI_EXIT_CODES if code in of_gates}
    assert all("gate" in meaning for meaning in meanings.values()), "another error took the code of a gate"


def test_verdicts_print_what_needs_attention_first() -> None:
    verdicts = made((PASS, True), (INCONCLUSIVE, False), (FAIL, True))
    assert str(verdicts).splitlines() == [
        "Fail: of 3 gates 1 passed, 1 failed, 1 inconclusive (1 of them not required).",
        "  Gate  Verdict                     Why",
        "  g2    fail                        so.",
        "  g1    inconclusive, not required  so.",
        "  g0    pass                        so.",
    ]
    assert str(made((PASS, True))).startswith("Pass: of 1 gate 1 passed, 0 failed, 0 inconclusive.")


def test_verdicts_are_looked_up_by_the_name_of_the_gate() -> None:
    verdicts = made((PASS, True), (FAIL, True))
    assert verdicts["g1"].outcome is FAIL
    assert [verdict.gate.name for verdict in verdicts] == ["g0", "g1"]
    assert len(verdicts) == 2
    assert verdicts.of(PASS) == (verdicts["g0"],)
    with pytest.raises(KeyError, match="no gate named 'g11'; did you mean 'g1'"):
        verdicts["g11"]


def test_names_are_escaped_in_html() -> None:
    hostile = Verdict(gate=gate(name="<script>alert(1)</script>", at_most=1), outcome=FAIL, why="<b>&.")
    shown = Verdicts(verdicts=(hostile,))._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "&lt;b&gt;&amp;." in shown


def test_verdicts_that_were_altered_are_refused() -> None:
    content = made((PASS, True), (FAIL, True)).to_dict()
    assert (content["outcome"], content["exit_code"]) == ("fail", 10)
    for key, value in (("outcome", "pass"), ("exit_code", 0)):
        with pytest.raises(PolicyError, match="the outcome of the verdicts was altered"):
            Verdicts.from_dict(content | {key: value})


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("verdict",), 1, "unknown key 'verdict' in the verdicts; did you mean 'verdicts'"),
        (("verdicts",), 3, "a list 'verdicts'"),
        (("verdicts", 0), None, "verdict number 1 must be an object"),
        (("verdicts", 1, "outcome"), "passed", "verdict number 2: 'outcome' must be one of pass, fail, inconclusive"),
        (("verdicts", 1, "outcome"), [], "'outcome' must be one of"),
        (("verdicts", 1, "value"), "3", "'value' must be a number, or null"),
        (("verdicts", 1, "interval"), [1], "'interval' must be a pair"),
        (("verdicts", 1, "interval"), [1, None], "'interval' must be a number"),
        (("verdicts", 1, "why"), None, "'why' must be text"),
        (("verdicts", 1, "gate", "score"), "dcr_share", "'dcr_share' is a diagnostic"),
    ],
)
def test_malformed_verdicts_are_refused(path: tuple[Any, ...], value: Any, words: str) -> None:
    content: Any = made((PASS, True), (FAIL, True)).to_dict()
    *outer, last = path
    inner = content
    for key in outer:
        inner = inner[key]
    inner[last] = value
    with pytest.raises(PolicyError, match=words):
        Verdicts.from_dict(content)
    with pytest.raises(PolicyError, match="the verdicts lacks the key 'policy'"):
        Verdicts.from_dict({})


def test_the_default_policy_passes_good_scores_fails_bad_ones_and_is_inconclusive_without_scores() -> None:
    policy = default_policy()
    n_rows = {"real": 30_000, "synthetic": 30_000, "holdout": 15_000}

    def at(distance: float) -> Scores:
        """Every gate's score so much beyond its threshold, with a narrow interval."""
        found = []
        for asked in policy.gates:
            worse = distance if asked.at_most is not None else -distance
            value = asked.threshold + worse
            found.append(
                Score(
                    name=asked.score, label=asked.score, value=value, direction="none", group="copies", reference=0.0,
                    interval=(value - abs(distance) / 2, value + abs(distance) / 2),
                )
            )  # fmt: skip
        return Scores(scores=tuple(found), n_rows=n_rows)

    good, bad, nothing = apply(policy, at(-0.01)), apply(policy, at(0.01)), apply(policy, Scores(scores=()))
    assert (good.outcome, len(good.of(PASS))) == (PASS, len(policy.gates))
    assert (bad.outcome, len(bad.of(FAIL))) == (FAIL, len(policy.gates))
    assert (nothing.outcome, len(nothing.of(INCONCLUSIVE))) == (INCONCLUSIVE, len(policy.gates))
    assert good.policy == policy.name == "synthgan default"


# ----------------------------------------------------------------------------------------------------------- properties

WORSE_TO_BETTER = (FAIL, INCONCLUSIVE, PASS)
# Whole numbers, so that rounding has no part in what is compared.
FINITE = st.integers(-1000, 1000).map(float)
WIDTHS = st.integers(0, 1000).map(float)
ANY = st.floats()  # also NaN and infinities


def rank(found: Outcome) -> int:
    return WORSE_TO_BETTER.index(found)


@st.composite
def asked_gates(draw: st.DrawFn) -> Gate:
    better_is_less = draw(st.booleans())
    against = draw(st.sampled_from(["interval", "value", "excess"]))
    return gate(
        score="shape" if better_is_less else "c2st",
        **{"at_most" if better_is_less else "at_least": draw(FINITE)},
        against=against,
        least_rows=draw(st.sampled_from([1, 300, 10_000] if against != "interval" else [None, 1, 10_000])),
        widest=draw(st.none() | st.integers(0, 1000).map(lambda whole: whole + 0.25)),
    )


INTERVALS = st.none() | st.tuples(WIDTHS, WIDTHS)
REFERENCES = st.none() | st.tuples(FINITE, st.none() | st.tuples(WIDTHS, WIDTHS))


def scored(asked: Gate, value: float, widths: Any, reference: Any) -> Scores:
    """Scores whose interval reaches ``widths`` below and above the value."""
    more: dict[str, Any] = {}
    if reference is not None:
        centre, ends = reference
        more["reference"] = centre
        if ends is not None:
            more["details"] = {"reference_interval": [centre - ends[0], centre + ends[1]]}
    interval = None if widths is None else (value - widths[0], value + widths[1])
    return scores(value, interval, name=asked.score, **more)


@given(asked_gates(), FINITE, WIDTHS, INTERVALS, REFERENCES)
def test_a_better_score_never_gets_a_worse_verdict(
    asked: Gate, value: float, step: float, widths: Any, reference: Any
) -> None:
    better = value - step if asked.at_most is not None else value + step
    first, second = (scored(asked, found, widths, reference) for found in (value, better))
    assert rank(outcome(asked, second)) >= rank(outcome(asked, first))


@given(asked_gates(), FINITE, st.tuples(WIDTHS, WIDTHS), st.tuples(WIDTHS, WIDTHS), REFERENCES, WIDTHS)
def test_a_wider_interval_turns_nothing_into_a_pass_or_a_fail(
    asked: Gate, value: float, widths: Any, more: Any, reference: Any, blur: float
) -> None:
    first = outcome(asked, scored(asked, value, widths, reference))
    wider = tuple(width + extra for width, extra in zip(widths, more, strict=True))
    if reference is not None and reference[1] is not None:
        reference = reference[0], (reference[1][0] + blur, reference[1][1])
    second = outcome(asked, scored(asked, value, wider, reference))
    assert second in (first, INCONCLUSIVE)


@given(asked_gates(), ANY, st.none() | st.tuples(ANY, ANY), st.none() | ANY, st.integers(0, 20_000))
def test_a_pass_has_evidence_and_nothing_raises(
    asked: Gate, value: float, interval: Any, reference: Any, n_rows: int
) -> None:
    given_rows = {"real": n_rows, "synthetic": n_rows, "holdout": n_rows}
    found = scores(value, interval, name=asked.score, reference=reference, n_rows=given_rows)
    verdict = judge(asked, found)
    again = Verdict.from_dict(json.loads(json.dumps(verdict.to_dict(), allow_nan=False)))
    assert again == verdict
    if verdict.outcome is PASS:
        assert math.isfinite(value)
        assert interval is None or all(map(math.isfinite, interval))
        assert asked.against != "interval" or interval is not None
        assert n_rows >= (asked.least_rows or 0)
        judged = value - (reference if asked.against == "excess" else 0.0)
        assert judged <= asked.threshold if asked.at_most is not None else judged >= asked.threshold


@given(st.lists(st.tuples(st.sampled_from(WORSE_TO_BETTER), st.booleans()), max_size=6))
def test_verdicts_survive_json(outcomes: list[tuple[Outcome, bool]]) -> None:
    verdicts = made(*outcomes)
    assert Verdicts.from_dict(json.loads(json.dumps(verdicts.to_dict()))) == verdicts


@given(st.lists(asked_gates(), min_size=1, max_size=4), st.lists(FINITE, min_size=2, max_size=2), INTERVALS)
def test_there_is_one_verdict_for_each_gate_in_order(gates: list[Gate], values: list[float], widths: Any) -> None:
    named = tuple(dataclasses.replace(found, name=f"g{i}") for i, found in enumerate(gates))
    found = Scores(
        scores=tuple(
            scored(gate(score=name, **bound), value, widths, (0.0, None)).scores[0]
            for value, (name, bound) in zip(values, (("shape", {"at_most": 1}), ("c2st", {"at_least": 1})), strict=True)
        ),
        n_rows=ROWS,
    )
    verdicts = apply(Policy(gates=named), found)
    assert [verdict.gate for verdict in verdicts] == list(named)
    assert [verdict.outcome for verdict in verdicts] == [judge(asked, found).outcome for asked in named]
