"""Tiny models to review, and stand-ins for scores, gates and report: for the contracts of a bundle, not for quality."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import synthgan.evaluation
from synthgan import Privacy, Synthesizer
from synthgan.config import GeneratorSettings, TrainingSettings
from synthgan.evaluation.evidence import Evidence
from synthgan.evaluation.scores import Score, Scores
from synthgan.review.bundle import findings
from synthgan.review.gates import Outcome, Verdicts, apply
from synthgan.review.policy import Gate, Policy

SMALL = TrainingSettings(
    n_steps=10, batch_size=32, generator=GeneratorSettings(width=8, n_blocks=1, latent_dim=4), evaluate_every=5
)
DECLARED = {
    "columns": {
        "colour": {"levels": ["red", "blue", "green"]},
        "age": {"bounds": [0, 99]},
        "weight": {"bounds": [0, 200]},
        "smokes": "boolean",
    }
}


@dataclass(frozen=True)
class ReviewedModel:
    """A model file and the table that it was fitted to."""

    model: Path
    data: Path

    @property
    def receipt(self) -> Path:
        return self.model.with_name("model.receipt.json")


def people(n_rows: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    colour = rng.choice(["red", "blue", "green"], n_rows, p=[0.5, 0.3, 0.2])
    age = rng.integers(18, 90, n_rows)
    return pd.DataFrame(
        {
            "colour": colour,
            "age": age,
            "weight": rng.normal(50, 9, n_rows).round(1) + 20 * (colour == "red"),
            "smokes": rng.random(n_rows) < np.where(age > 50, 0.6, 0.2),
        }
    )


def fit_and_save(folder: Path, frame: pd.DataFrame, **options: Any) -> ReviewedModel:
    frame.to_parquet(folder / "people.parquet")
    options = {"settings": SMALL, "random_state": 0, "device": "cpu", "progress": "off", "target": "colour", **options}
    Synthesizer(**options).fit(folder / "people.parquet").save(folder / "model.synthgan")
    return ReviewedModel(folder / "model.synthgan", folder / "people.parquet")


def open_model(folder: Path) -> ReviewedModel:
    return fit_and_save(folder, people(), holdout=0.25)


def private_model(folder: Path) -> ReviewedModel:
    return fit_and_save(folder, people(), holdout=0.25, privacy=Privacy(epsilon=2.0), schema=DECLARED)


def real_scores(real: pd.DataFrame, synthetic: pd.DataFrame, holdout: pd.DataFrame | None, salt: float) -> Scores:
    """Two scores that depend on every part of the real rows, and on ``salt``."""
    value = abs(float(real["weight"].mean()) - float(synthetic["weight"].mean())) + salt / 7
    fresh = None if holdout is None else abs(float(holdout["weight"].mean()) - float(real["weight"].mean())) + salt / 9
    shape = Score(
        name="shape",
        label="Shape error",
        value=value,
        direction="lower",
        group="fidelity",
        interval=(value - 0.123456, value + 0.234567),
        reference=fresh,
        ideal=0.0,
        unit="%",
        note="mean over the columns",
        details={"weight": value + 0.345678, "secret level": 3},
    )
    attack = Score(
        name="membership_auc", label="Membership AUC", value=0.5 + value / 1000, direction="lower", group="membership"
    )
    n_rows = {"real": len(real), "synthetic": len(synthetic)} | ({} if holdout is None else {"holdout": len(holdout)})
    return Scores(
        scores=(shape, attack),
        n_rows=n_rows,
        settings={"target": None},
        notes=("Column 'x' takes no part.",),
        evidence=Evidence.from_json(
            {"columns": {"colour": {"levels": ["red"], "shares": {"real": [value / 100], "synthetic": [1.0]}}}}
        ),
    )


@dataclass
class StandIn:
    """What was asked of the stand-ins, and how they answer."""

    outcome: Outcome = Outcome.PASS
    salt: float = 0.0
    fails_with: BaseException | None = None
    calls: list[Mapping[str, Any]] | None = None

    def evaluate(self, real: Any, synthetic: Any, holdout: Any = None, target: Any = None, **options: Any) -> Scores:
        self.calls = [*(self.calls or []), {"real": real, "holdout": holdout, "target": target, **options}]
        if self.fails_with is not None:
            raise self.fails_with
        real = real if isinstance(real, pd.DataFrame) else pd.read_parquet(real)
        return real_scores(real, pd.read_parquet(synthetic), holdout, self.salt)

    def verdicts_on(self, scores: Scores, policy: Any) -> Verdicts:
        """A gate whose threshold gives the outcome that is wanted."""
        limit = {Outcome.PASS: 1e6, Outcome.FAIL: -1e6, Outcome.INCONCLUSIVE: scores["shape"].value}[self.outcome]
        gate = Gate(name="shape-below-five", score="shape", at_most=limit, reason="the threshold of a test")
        return apply(Policy(gates=(gate,), name="of a test"), scores)


def render_report(**parts: Any) -> str:
    """A page that shows all it is given."""
    shown = dict(parts)
    for name in ("scores", "verdicts"):
        shown[name] = None if parts[name] is None else parts[name].to_dict()
    return f"<!doctype html><pre>{json.dumps(shown, default=str)}</pre>"


def install(monkeypatch: pytest.MonkeyPatch, *, page: bool = True) -> StandIn:
    """Put stand-ins in the places of evaluation, policy and, unless ``page`` is off, report."""
    import sys
    from types import ModuleType

    stand_in = StandIn()
    if page:
        module = ModuleType("synthgan.review.report.page")
        module.render_report = render_report  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "synthgan.review.report.page", module)
    monkeypatch.setattr(synthgan, "evaluate", stand_in.evaluate)  # before its home: the name is kept when first used
    monkeypatch.setattr(synthgan.evaluation, "evaluate", stand_in.evaluate)
    monkeypatch.setattr(findings, "policy_of", lambda path: path)
    monkeypatch.setattr(findings, "verdicts_on", stand_in.verdicts_on)
    return stand_in
