"""All scores of disclosure together, on the bundled table: leaks are caught, fresh rows are not accused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from synthgan.datasets import load_adult
from synthgan.errors import SettingsError
from synthgan.evaluation.compared.compared_tables import compare
from synthgan.evaluation.disclosure.disclosure import disclosure_scores
from synthgan.evaluation.scores import Score, Scores

NAMES = ["attribute_inference", "singling_out", "linkability", "rare_categories", "extreme_values"]


def thirds(seed: int, n: int = 500) -> dict[str, pd.DataFrame]:
    rows = load_adult().sample(3 * n, random_state=seed)
    return {"real": rows[:n], "synthetic": rows[n : 2 * n], "holdout": rows[2 * n :]}


def scored(frames: dict[str, pd.DataFrame], seed: int = 0, **settings: object) -> dict[str, Score]:
    tables = compare(frames)
    holdout = "holdout" if "holdout" in frames else None
    found = disclosure_scores(tables, np.random.default_rng(seed), holdout=holdout, **settings)  # type: ignore[arg-type]
    return {score.name: score for score in found}


def accused(score: Score) -> bool:
    assert score.interval is not None
    assert score.reference is not None
    return score.interval[0] > score.reference


@pytest.mark.parametrize("leak", ["copy", "bootstrap", "noisy copy"])
def test_leaks_are_caught(leak: str) -> None:
    frames = thirds(0)
    real, rng = frames["real"], np.random.default_rng(1)
    missed: list[str] = []
    if leak == "copy":
        frames["synthetic"] = real
    elif leak == "bootstrap":
        # A third of the training rows is left out, the rare among them too; what is left does not show on 500 rows.
        frames["synthetic"], missed = real.sample(len(real), replace=True, random_state=1), ["rare_categories"]
    else:
        # Numbers are no longer equal to the extremes.
        numbers = [str(name) for name in real if pd.api.types.is_numeric_dtype(real[name])]
        noise = {name: real[name] + 0.01 * real[name].std() * rng.normal(size=len(real)) for name in numbers}
        frames["synthetic"], missed = real.assign(**noise), ["extreme_values"]
    found = scored(frames, secrets=["age", "income"])
    assert list(found) == NAMES
    assert [name for name, score in found.items() if not accused(score)] == missed
    assert all(score.group == "disclosure" and score.direction == "lower" for score in found.values())


def test_fresh_rows_are_not_accused() -> None:
    counts = dict.fromkeys(NAMES, 0)
    for seed in range(5):
        for name, score in scored(thirds(seed), seed, secrets=["age", "income"]).items():
            counts[name] += accused(score)
    assert max(counts.values()) <= 1


def test_scores_are_json_and_name_no_value() -> None:
    found = scored(thirds(0), target="income")
    text = Scores(scores=tuple(found.values())).to_json()
    assert json.loads(text)["scores"][0]["details"]["secrets"]["income"]["role"] == "categorical"
    assert "Married" not in text


def test_without_a_holdout_only_rare_values_are_left() -> None:
    frames = thirds(0)
    del frames["holdout"]
    assert list(scored(frames)) == NAMES[3:]


@pytest.mark.parametrize(
    ("secret", "what"), [("incom", "did you mean 'income'"), ("zzz", "name one of"), ("key", "takes no part")]
)
def test_secrets_must_be_compared_columns(secret: str, what: str) -> None:
    frames = {name: frame.assign(key=[f"key {i}" for i in range(len(frame))]) for name, frame in thirds(0).items()}
    with pytest.raises(SettingsError, match=what):
        scored(frames, secrets=[secret])


@pytest.mark.parametrize("n", [1, 2, 7, 60])
def test_odd_tables_have_scores(n: int) -> None:
    """Constant, infinite, missing and few values, and a target that is missing throughout."""
    frame = pd.DataFrame(
        {
            "flat": 1.0,
            "infinite": np.where(np.arange(n) % 5 == 1, np.inf, np.arange(n, dtype=float)),
            "when": pd.to_datetime("1900-01-01") + pd.to_timedelta(np.arange(n) % 11, unit="D"),
            "holes": np.where(np.arange(n) % 2 == 0, 3.0, np.nan),
            "level": pd.Series(["a", None] * n, dtype=object)[:n],
            "target": pd.Series([None] * n, dtype=object),
        }
    )
    tables = compare(dict.fromkeys(("real", "synthetic", "holdout"), frame), keep=("target",))
    found = disclosure_scores(tables, np.random.default_rng(0), target="target")
    assert {"rare_categories", "extreme_values"} <= {score.name for score in found}
    json.loads(Scores(scores=tuple(found)).to_json())
