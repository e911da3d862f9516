"""The whole evaluation in one call: tables in any form, scores out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import synthgan
from synthgan.datasets import load_adult
from synthgan.errors import DataError, SchemaError, SettingsError, SourceError, SynthganWarning
from synthgan.evaluation import Scores, evaluate
from synthgan.evaluation.part_progress import each_part

NAMES = [
    "shape",
    "trend_shared",
    "trend_own",
    "strong_pairs",
    "missing",
    "missing_patterns",
    "correlations",
    "rare_slices",
    "mode_coverage",
    "frechet_distance",
    "alpha_precision",
    "beta_recall",
    "c2st",
    "utility_auc",
    "utility_balanced_accuracy",
    "utility_gap",
    "subgroup_gap",
    "importance_agreement",
    "membership_auc",
    "membership_tpr_10",
    "membership_auc_worst",
    "membership_tpr_10_worst",
    "attribute_inference",
    "singling_out",
    "linkability",
    "rare_categories",
    "extreme_values",
    "exact_copies",
    "near_copies",
    "dcr_share",
    "nndr",
]


@pytest.fixture(scope="module", autouse=True)
def small_models() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synthgan.evaluation.utility.models._ROUNDS", 30)
        patch.setattr("synthgan.evaluation.utility.models._FOREST_TREES", 10)
        yield


def thirds() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Real, synthetic and holdout rows, all of them real."""
    train = load_adult("train")
    return train.head(1500), train.iloc[1500:3000], train.iloc[3000:4500]


@pytest.fixture(scope="module")
def adult_scores() -> Scores:
    return evaluate(*thirds(), target="income", evidence=True)


def test_it_is_the_public_function() -> None:
    assert synthgan.evaluate is evaluate


def test_fresh_rows_of_adult_score_as_the_holdout_does(adult_scores: Scores) -> None:
    assert [score.name for score in adult_scores] == NAMES
    for name in ("shape", "trend_shared", "strong_pairs"):
        assert adult_scores[name].value == pytest.approx(adult_scores[name].reference, rel=0.4)
    assert adult_scores["c2st"].value > 0.9
    assert adult_scores["utility_auc"].value > 0.85
    assert adult_scores["dcr_share"].interval[0] < 0.5 < adult_scores["dcr_share"].interval[1]
    assert adult_scores.n_rows == {"real": 1500, "synthetic": 1500, "holdout": 1500}
    assert adult_scores.settings["target"] == "income"
    assert adult_scores.notes == ()


def test_scores_print_and_export(adult_scores: Scores) -> None:
    assert "Shape error" in str(adult_scores)
    assert json.loads(adult_scores.to_json())["settings"]["random_state"] == 0
    assert list(adult_scores.to_frame().index) == NAMES


@pytest.mark.slow
def test_the_same_seed_gives_the_same_scores(adult_scores: Scores) -> None:
    again = evaluate(*thirds(), target="income", evidence=True)
    assert again.to_json() == adult_scores.to_json()


@pytest.mark.slow
def test_files_and_frames_give_the_same_scores(adult_scores: Scores, tmp_path: Path) -> None:
    train = load_adult("train")
    parts = {"real": train.head(1500), "synthetic": train.iloc[1500:3000], "holdout": train.iloc[3000:4500]}
    for name, part in parts.items():
        part.to_parquet(tmp_path / f"{name}.parquet", index=False)
    read = evaluate(*(tmp_path / f"{name}.parquet" for name in parts), target="income")
    assert [score.value for score in read] == pytest.approx([score.value for score in adult_scores], abs=1e-9)
    parts["synthetic"].to_csv(tmp_path / "synthetic.csv", index=False)
    mixed = evaluate(parts["real"], str(tmp_path / "synthetic.csv"), tmp_path / "holdout.parquet")
    assert mixed["trend_shared"].value == pytest.approx(adult_scores["trend_shared"].value)


def test_without_holdout_and_target_less_is_said_and_less_computed() -> None:
    frame = load_adult("train").head(300)
    with pytest.warns(SynthganWarning, match="All 300 rows of the synthetic table are exact copies"):
        scores = evaluate(frame, frame)
    found = [*NAMES[: NAMES.index("c2st") + 1], "rare_categories", "extreme_values", "exact_copies"]
    assert [score.name for score in scores] == found
    assert scores["exact_copies"].value == 100.0
    assert scores.notes[0].startswith("All 300 rows")
    assert any("Without a holdout" in note for note in scores.notes)


def test_a_schema_decides_how_columns_are_scored() -> None:
    """Whole numbers are levels where the schema says so, in the target too, and its identifiers take no part."""
    rng = np.random.default_rng(0)

    def table() -> pd.DataFrame:
        x = rng.normal(size=200)
        return pd.DataFrame({"x": x, "y": (x + rng.normal(size=200) > 0).astype(int), "key": rng.integers(9, size=200)})

    tables = [table() for _ in range(3)]
    schema = {"columns": {"y": "categorical", "key": "identifier"}}
    scores = evaluate(*tables, target="y", schema=schema, parts=["utility"])
    assert "utility_auc" in scores
    assert (scores.settings["numeric"], scores.settings["categorical"]) == (["x"], ["y"])
    assert "Column 'key' takes no part: an identifier, as the schema has it." in scores.notes
    assert evaluate(*tables, target="y", parts=["utility"]).settings["categorical"] == []
    with pytest.raises(SchemaError, match="the schema names the column 'keys', which the real table lacks"):
        evaluate(*tables, schema={"columns": {"keys": "identifier"}}, parts=["utility"])


def test_without_holdout_utility_is_tested_on_a_part_of_the_real_rows() -> None:
    train = load_adult("train")
    scores = evaluate(train.head(900), train.iloc[900:1800], target="income")
    assert scores["utility_auc"].details["n_test"] == 300
    assert any("third of the real rows" in note for note in scores.notes)
    assert scores["utility_gap"].interval is None  # so that no gate passes on rows that may have been seen


def backend(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    if name == "numpy":
        objects = frame[["c", "b", "t"]].astype({"c": object, "b": object})
        return pd.DataFrame(
            {"x": frame["x"].to_numpy(dtype=float, na_value=np.nan), "k": frame["k"].astype("int64"), **objects}
        )[list(frame)]
    if name == "arrow":
        return frame.convert_dtypes(dtype_backend="pyarrow")
    if name == "categorical":
        return frame.assign(c=frame["c"].astype("category"))
    return frame


@pytest.mark.parametrize("name", ["numpy", "arrow", "categorical"])
def test_every_backend_gives_the_same_scores(name: str) -> None:
    rng = np.random.default_rng(0)

    def rows() -> pd.DataFrame:
        frame = pd.DataFrame(
            {
                "x": pd.array(rng.normal(size=120), dtype="Float64"),
                "k": pd.array(rng.integers(5, size=120), dtype="Int64"),
                "c": pd.array(rng.choice([*"abc"], 120), dtype="string"),
                "b": pd.array(rng.random(120) < 0.5, dtype="boolean"),
                "t": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(1000, size=120), unit="h"),
            }
        )
        frame.loc[::7, ["x", "c", "b"]] = pd.NA
        return frame

    real, synthetic, holdout = rows(), rows(), rows()
    expected = evaluate(real, synthetic, holdout, target="b")
    # The other dtypes in one table only: tables need not agree on them.
    got = evaluate(backend(real, name), synthetic, backend(holdout, name), target="b")
    assert [score.name for score in got] == [score.name for score in expected]
    assert [score.value for score in got] == pytest.approx([score.value for score in expected], nan_ok=True)


def test_identifiers_and_emptied_text_are_left_out_and_named() -> None:
    rng = np.random.default_rng(0)
    real = pd.DataFrame({"id": range(200), "name": [f"n{i}" for i in range(200)], "x": rng.normal(size=200)})
    scores = evaluate(real, real.assign(name=None, x=rng.normal(size=200)))
    assert set(scores.settings["left_out"]) == {"id", "name"}
    assert set(scores["shape"].details) == {"x"}
    assert sum("takes no part" in note for note in scores.notes) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"target": "incom"},
            SettingsError,
            "target names 'incom', which is not a column of the real table; did you mean 'income'",
        ),
        ({"numeric": ["zzz"]}, SettingsError, "numeric names 'zzz'"),
        ({"secrets": ["inkome"]}, SettingsError, "secrets names 'inkome'.*did you mean 'income'"),
        ({"n_jobs": 0}, SettingsError, "n_jobs must be at least 1"),
        ({"parts": ["fidelitie"]}, SettingsError, "parts names 'fidelitie'.*did you mean 'fidelity'"),
        ({"synthetic": pd.DataFrame({"age": [1]})}, DataError, "lacks 14 column"),
        ({"synthetic": pd.DataFrame()}, DataError, "no rows"),
        ({"synthetic": "nowhere.parquet"}, SourceError, "nowhere.parquet"),
    ],
)
def test_mistakes_are_said(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    frame = load_adult("train").head(50)
    with pytest.raises(error, match=message):
        evaluate(frame, **{"synthetic": frame, **arguments})


def test_columns_without_names_are_known_by_their_numbers() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)))
    scores = evaluate(frame, frame, frame, target=1, secrets=[0], parts=["utility", "disclosure"])  # type: ignore[arg-type, list-item]
    assert "utility_r2" in scores
    assert scores["attribute_inference"].details["secret"] == "0"
    assert (scores.settings["target"], scores.settings["secrets"]) == ("1", ["0"])


def test_a_target_without_a_value_is_noted() -> None:
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=60), "y": np.nan})
    scores = evaluate(frame, frame, frame, target="y", parts=["utility", "membership"])
    assert "membership_auc" in scores
    assert any("no known value" in note for note in scores.notes)


def test_a_target_that_cannot_be_predicted_is_noted() -> None:
    rng = np.random.default_rng(0)
    real, synthetic, holdout = (pd.DataFrame({"x": rng.normal(size=60), "y": ["same"] * 60}) for _ in range(3))
    scores = evaluate(real, synthetic, holdout, target="y")
    assert not any(score.group == "utility" for score in scores)
    assert any("Utility was not computed: 'y'" in note for note in scores.notes)


@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_tiny_tables_are_scored_as_far_as_they_go(n_rows: int) -> None:
    frame = load_adult("train").head(n_rows)
    scores = evaluate(frame, frame, frame, target="income")
    assert scores["shape"].value == 0.0
    assert scores["exact_copies"].value == 100.0
    assert "c2st" not in scores


def test_parts_are_scored_alike_alone_and_together(adult_scores: Scores) -> None:
    train = load_adult("train")
    frames = (train.head(1500), train.iloc[1500:3000], train.iloc[3000:4500])
    alone = evaluate(*frames, parts=["copies", "fidelity"], n_jobs=1)
    assert [score.group for score in alone] == ["fidelity"] * 8 + ["copies"] * 4
    assert [score.value for score in alone] == [adult_scores[score.name].value for score in alone]
    assert alone.settings["parts"] == ["fidelity", "copies"]


def test_augmentation_is_tried_when_it_is_asked_for() -> None:
    frame = load_adult("train").head(900)
    scores = evaluate(frame[:300], frame[300:600], frame[600:], target="income", parts=["augmentation"])
    assert [score.name for score in scores] == ["augmentation_uplift"]
    assert scores["augmentation_uplift"].details["verdict"] in ("helps", "does not help", "unclear")
    assert evaluate(frame[:300], frame[300:600], parts=["augmentation"]).notes[0].startswith("Augmentation was not")


def test_the_report_can_draw_what_was_found(adult_scores: Scores) -> None:
    evidence = adult_scores.evidence.to_json()
    columns = evidence["columns"]
    assert sum(columns["sex"]["shares"]["real"]) == pytest.approx(1.0)
    assert columns["age"]["kind"] == "numeric"
    assert len(evidence["pairs"]["columns"]) == 15


def test_progress_names_the_parts_and_is_silent_in_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = load_adult("train").head(60)
    evaluate(frame.head(30), frame.tail(30), parts=["copies"])
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")  # what makes rich take a pipe for a terminal
    assert list(each_part(["copies", "fidelity"], "on")) == ["copies", "fidelity"]
    assert "fidelity" in capsys.readouterr().err


@pytest.mark.slow
def test_the_whole_of_adult_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthgan.evaluation.utility.models._ROUNDS", 100)
    monkeypatch.setattr("synthgan.evaluation.utility.models._FOREST_TREES", 100)
    train = load_adult("train")
    synthetic = train.sample(len(train), replace=True, random_state=1, ignore_index=True)
    with pytest.warns(SynthganWarning, match="are exact copies of real rows"):
        scores = evaluate(train, synthetic, load_adult("test"), target="income")
    # A bootstrap is all copies, and the evaluation says so.
    assert scores["exact_copies"].value == 100.0
    assert scores["dcr_share"].value > 0.7
    assert scores["membership_auc"].interval[0] > 0.7
    assert scores["singling_out"].interval[0] > 0.2
    assert scores["utility_auc"].value > 0.91
