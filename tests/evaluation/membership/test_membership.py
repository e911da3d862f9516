"""Membership scores: what leaks is caught with its interval, fresh rows are not accused, and what is shown when."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synthgan.datasets import load_adult
from synthgan.evaluation.compared.compared_tables import ComparedTables, compare
from synthgan.evaluation.compared.intervals import roc_auc
from synthgan.evaluation.membership.attacks import ATTACKS
from synthgan.evaluation.membership.membership import (
    FEWEST_JUDGED,
    ROC_POINTS,
    AttackedTable,
    membership_scores,
    play,
    pooled_membership_scores,
)
from synthgan.evaluation.scores import Score, Scores
from tests.membership_tables import overfitted, rows


def tables_of(real: pd.DataFrame, synthetic: pd.DataFrame, holdout: pd.DataFrame) -> ComparedTables:
    return compare({"real": real, "synthetic": synthetic, "holdout": holdout})


def scored(real: pd.DataFrame, synthetic: pd.DataFrame, holdout: pd.DataFrame, seed: int = 0) -> dict[str, Score]:
    found = membership_scores(tables_of(real, synthetic, holdout), np.random.default_rng(seed))
    return {score.name: score for score in found}


def made_game(scores: dict[str, np.ndarray], n_members: int, is_worst: np.ndarray | None = None) -> AttackedTable:
    """A game with given scores, members first."""
    n = len(next(iter(scores.values())))
    return AttackedTable(
        is_member=np.arange(n) < n_members,
        is_random=np.ones(n, dtype=bool),
        is_worst=np.zeros(n, dtype=bool) if is_worst is None else is_worst,
        scores=scores,
        n_rows={"reference": 10, "synthetic": 20},
    )


# -------------------------------------------------------------------------------------------------- leaks and innocents


def test_a_bootstrap_is_caught() -> None:
    rng = np.random.default_rng(0)
    real = rows(200, rng)
    found = scored(real, real.sample(200, replace=True, random_state=0), rows(400, rng))
    assert [*found] == ["membership_auc", "membership_tpr_10", "membership_auc_worst"]
    # A row is drawn at least once in 63 of 100 bootstraps.
    for name in ("membership_auc", "membership_auc_worst"):
        assert 0.5 + 0.1 < found[name].interval[0] < found[name].value < 0.95, name
    assert 0.5 < found["membership_tpr_10"].interval[0] < 0.63 < found["membership_tpr_10"].interval[1]


def test_copies_with_a_little_noise_are_caught() -> None:
    rng = np.random.default_rng(1)
    real = rows(200, rng)
    near = real.copy()
    numbers = [f"x{k}" for k in range(8)]
    near[numbers] += 0.1 * rng.normal(size=(200, 8))
    found = scored(real, near, rows(400, rng))
    assert found["membership_auc"].interval[0] > 0.9
    assert found["membership_tpr_10"].interval[0] > 0.8
    assert found["membership_auc"].details["strongest"] != "exact_match"
    assert found["membership_auc"].details["attacks"]["exact_match"]["value"] == 0.5


def test_fresh_rows_are_not_accused() -> None:
    """Each interval misses with at most 5%: two of the same score in five tables would happen once in 45 times."""
    missed: dict[str, int] = {}
    for seed in range(5):
        rng = np.random.default_rng([2, seed])
        for score in scored(rows(100, rng), rows(150, rng), rows(200, rng), seed).values():
            missed[score.name] = missed.get(score.name, 0) + (score.interval[0] > score.reference)
            assert score.value < score.reference + 0.25
    assert set(missed) == {"membership_auc", "membership_tpr_10", "membership_auc_worst"}
    assert max(missed.values()) <= 1


@pytest.mark.slow
def test_fresh_rows_are_accused_no_more_often_than_stated() -> None:
    """Each interval misses with at most 5%: of 60 more than 8 would happen once in 150 times."""
    missed: dict[str, int] = {}
    for seed in range(60):
        rng = np.random.default_rng([3, seed])
        for score in scored(rows(120, rng), rows(150, rng), rows(240, rng), seed).values():
            missed[score.name] = missed.get(score.name, 0) + (score.interval[0] > score.reference)
    assert set(missed) == {"membership_auc", "membership_tpr_10", "membership_auc_worst"}
    assert max(missed.values()) <= 8


def test_an_outlier_that_leaks_alone_is_seen_among_the_worst_cases() -> None:
    """The generator copies the far tenth of its rows and makes the others anew."""
    rng = np.random.default_rng(4)

    def table(n: int) -> pd.DataFrame:
        frame = pd.DataFrame(rng.normal(size=(n, 6)), columns=[f"x{k}" for k in range(6)])
        far = rng.random(n) < 0.1
        frame[far] *= 5.0
        return frame

    real, fresh = table(600), table(600)
    is_far = np.abs(real).max(axis=1) > 4.0
    synthetic = pd.concat([real[is_far], fresh[np.abs(fresh).max(axis=1) <= 4.0]], ignore_index=True)
    found = scored(real, synthetic, table(1200))
    assert found["membership_auc_worst"].interval[0] > 0.6
    assert found["membership_auc_worst"].value > found["membership_auc"].value + 0.1
    assert found["membership_tpr_10_worst"].value > 2 * found["membership_tpr_10"].value


# --------------------------------------------------------------------------------------------------------- attack power


def check_power(found: dict[str, Score], fresh: dict[str, Score]) -> None:
    """An overfitted generator's rate at 1% is several times that of fresh rows, its interval above chance."""
    leaking, innocent = found["membership_tpr_1"], fresh["membership_tpr_1"]
    assert leaking.value > 4 * innocent.value
    assert leaking.interval[0] > 2 * leaking.reference
    assert innocent.interval[0] <= innocent.reference <= innocent.interval[1]


def small_adult() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """1,000 rows to make synthetic ones from, as many fresh ones in their place, and a holdout."""
    table = load_adult().sample(4000, random_state=0, ignore_index=True)
    return table[:1000], table[1000:2000], table[2000:]


def test_an_overfitted_generator_of_a_small_part_of_adult_is_caught() -> None:
    real, _, holdout = small_adult()
    found = scored(real, overfitted(real, 1000, 0), holdout)["membership_tpr_1"]
    assert found.value > 4 * found.reference
    assert found.interval[0] > 2 * found.reference


@pytest.mark.slow
def test_power_on_a_small_part_of_adult() -> None:
    real, fresh, holdout = small_adult()
    check_power(scored(real, overfitted(real, 1000, 0), holdout), scored(real, fresh, holdout))


@pytest.mark.slow
def test_power_on_german_credit_pooled_over_splits(shared_data: Path) -> None:
    table = pd.read_parquet(shared_data / "german_credit.parquet")
    games: dict[str, list[AttackedTable]] = {"leaking": [], "innocent": []}
    for seed in range(5):
        order = table.sample(frac=1.0, random_state=seed, ignore_index=True)
        real, holdout, fresh = order[:400], order[400:800], order[800:]
        for name, synthetic in (("leaking", overfitted(real, 400, seed)), ("innocent", fresh)):
            game = play(tables_of(real, synthetic, holdout), np.random.default_rng(seed))
            assert game is not None
            games[name].append(game)
    leaking, innocent = (
        {score.name: score for score in pooled_membership_scores(games[name])} for name in ("leaking", "innocent")
    )
    check_power(leaking, innocent)
    assert leaking["membership_tpr_1"].details["n_tables"] == 5
    assert leaking["membership_tpr_1"].details["n_non_members"] == 1000


# ------------------------------------------------------------------------------------------------------- what is judged


def test_who_is_judged() -> None:
    rng = np.random.default_rng(5)
    real, holdout = pd.DataFrame({"x": rng.normal(size=300)}), pd.DataFrame({"x": rng.normal(size=401)})
    tables = tables_of(real, real.head(50), holdout)
    game = play(tables, np.random.default_rng(0), max_rows=60)
    assert game is not None
    kinds = [game.is_member, ~game.is_member]
    assert [int((kind & game.is_random).sum()) for kind in kinds] == [60, 60]
    # Half of the holdout are candidates, and as many members; a quarter of them are worst cases.
    worst = sorted(int((kind & game.is_worst).sum()) for kind in kinds)
    assert worst[0] == 50 <= worst[1] < 80
    assert (game.is_random | game.is_worst).all()
    assert game.n_rows == {"reference": 201, "synthetic": 50}
    assert set(game.scores) == set(ATTACKS)
    assert all(len(scores) == len(game.is_member) for scores in game.scores.values())
    fewer = play(tables, np.random.default_rng(0), max_rows=60, max_synthetic=20)
    assert fewer is not None
    assert fewer.n_rows["synthetic"] == 20


def test_neither_members_nor_worst_cases_hang_on_the_synthetic_rows() -> None:
    rng = np.random.default_rng(6)
    real, holdout = rows(120, rng), rows(240, rng)
    games = [
        play(tables_of(real, rows(100, np.random.default_rng(seed)), holdout), np.random.default_rng(0))
        for seed in (0, 1)
    ]
    for name in ("is_member", "is_random", "is_worst"):
        first, second = (getattr(game, name) for game in games)
        assert (first == second).all(), name


def test_too_few_rows_or_no_holdout_give_no_score() -> None:
    rng = np.random.default_rng(7)
    real, synthetic, holdout = rows(60, rng), rows(60, rng), rows(2 * FEWEST_JUDGED - 1, rng)
    assert scored(real, synthetic, holdout) == {}
    assert scored(real.head(FEWEST_JUDGED - 1), synthetic, rows(100, rng)) == {}
    tables = compare({"real": real, "synthetic": synthetic})
    assert membership_scores(tables, rng, reference=None) == []
    empty = pd.DataFrame({"x": [None] * 60})
    assert scored(empty, empty, empty) == {}
    # Enough to judge at random, but a quarter of them is not enough for worst cases.
    assert [*scored(real, synthetic, rows(2 * FEWEST_JUDGED, rng))] == ["membership_auc"]


def test_scores_are_repeatable_and_of_json_values() -> None:
    rng = np.random.default_rng(8)
    tables = tables_of(rows(60, rng), rows(60, rng), rows(120, rng))
    first, second = (Scores(scores=tuple(membership_scores(tables, np.random.default_rng(1)))) for _ in range(2))
    assert first.to_json() == second.to_json()
    assert {score.group for score in first} == {"membership"}
    assert "Membership attack, AUC" in str(first)


# ------------------------------------------------------------------------------------------------------ figures by hand


def test_the_strongest_attack_by_hand() -> None:
    up, down = np.repeat([1.0, 0.0], 100), np.repeat([0.0, 1.0], 100)
    mixed = np.concatenate([np.repeat([2.0, 0.0], 50), np.repeat([1.0, 0.0], [10, 90])])
    score, rate = pooled_membership_scores([made_game({"up": up, "down": down, "mixed": mixed}, 100)])
    assert (score.name, score.value, score.reference, score.ideal) == ("membership_auc", 1.0, 0.5, 0.5)
    assert score.details["strongest"] == "up"
    assert score.details["attacks"]["down"]["value"] == 0.0
    # 50 members above all, 50 tied with 90 of 100: 0.5 + 0.5 * 0.45.
    assert score.details["attacks"]["mixed"]["value"] == pytest.approx(0.725)
    assert score.details["level"] == pytest.approx(1 - 0.05 / 3)
    ends = [attack["interval"] for attack in score.details["attacks"].values()]
    assert score.interval == (max(low for low, _ in ends), max(high for _, high in ends))
    assert (rate.name, rate.value) == ("membership_tpr_10", 1.0)
    # Ten of a hundred non-members may pass: of 101 exchangeable rows, eleven.
    assert rate.reference == pytest.approx(11 / 101)
    assert rate.details["false_positive_rate"] == 0.1
    assert rate.details["attacks"]["mixed"]["value"] == 0.5


@pytest.mark.parametrize(
    ("n_non_members", "shown"),
    [(99, []), (100, ["10"]), (999, ["10"]), (1000, ["10", "1"]), (10_000, ["10", "1", "01"])],
)
def test_a_rate_is_shown_where_ten_non_members_may_pass(n_non_members: int, shown: list[str]) -> None:
    scores = np.random.default_rng(9).normal(size=50 + n_non_members)
    found = pooled_membership_scores([made_game({"one": scores}, 50)])
    assert [score.name for score in found] == ["membership_auc", *(f"membership_tpr_{key}" for key in shown)]


def test_non_members_of_all_tables_count_together() -> None:
    rng = np.random.default_rng(10)
    games = [made_game({"one": rng.normal(size=550)}, 50) for _ in range(2)]
    assert "membership_tpr_1" not in [score.name for score in pooled_membership_scores(games[:1])]
    found = {score.name: score for score in pooled_membership_scores(games)}
    rate = found["membership_tpr_1"]
    assert (rate.details["n_tables"], rate.details["n_members"], rate.details["n_non_members"]) == (2, 100, 1000)
    assert rate.reference == pytest.approx(6 / 501)


def test_worst_cases_are_scored_apart() -> None:
    is_worst = np.zeros(400, dtype=bool)
    is_worst[[*range(40), *range(200, 240)]] = True
    scores = np.random.default_rng(11).normal(size=400)
    scores[:40] += 10.0
    found = {score.name: score for score in pooled_membership_scores([made_game({"one": scores}, 200, is_worst)])}
    assert found["membership_auc_worst"].value == 1.0
    assert found["membership_auc"].value < 0.8
    assert found["membership_auc_worst"].details["n_non_members"] == 40
    assert "membership_tpr_10_worst" not in found


def test_roc_curves_are_short_rise_and_have_the_area() -> None:
    rng = np.random.default_rng(12)
    scores = np.concatenate([rng.normal(size=3000) + 1.0, rng.normal(size=3000)])
    found = pooled_membership_scores([made_game({"one": scores, "same": np.zeros(6000)}, 3000)])[0]
    curve = found.details["roc"]["one"]
    false, true = np.array(curve["fpr"]), np.array(curve["tpr"])
    assert len(false) == len(true) <= ROC_POINTS
    assert (np.diff(false) > 0).all() and (np.diff(true) >= 0).all()
    assert (false[0], false[-1], true[-1]) == (0.0, 1.0, 1.0)
    assert false[1] == pytest.approx(1 / 3000)
    area = ((true[1:] + true[:-1]) / 2 * np.diff(false)).sum()
    assert area == pytest.approx(roc_auc(np.arange(6000) < 3000, scores)[0], abs=0.01)
    assert found.details["roc"]["same"]["tpr"] == [0.0] * (len(false) - 1) + [1.0]
