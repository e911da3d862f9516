"""Made-up scores, verdicts, ledgers and provenance, in the form that evaluation and gates give them to the report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from synthgan.evaluation.scores import Score, Scores
from synthgan.privacy.account.ledger import Ledger

LEVELS = {
    "workclass": ["Private", "Self-emp-not-inc", "Local-gov", "State-gov", "Self-emp-inc", "Federal-gov", "(other)"],
    "education": [
        "HS-grad",
        "Some-college",
        "Bachelors",
        "Masters",
        "Assoc-voc",
        "11th",
        "Assoc-acdm",
        "10th",
        "(other)",
    ],
    "marital_status": ["Married-civ-spouse", "Never-married", "Divorced", "Separated", "Widowed", "(other)"],
    "occupation": [
        *("Prof-specialty", "Craft-repair", "Exec-managerial", "Adm-clerical", "Sales", "Other-service"),
        *("Machine-op-inspct", "Transport-moving", "Handlers-cleaners", "Farming-fishing", "Tech-support"),
        *("Protective-serv", "Priv-house-serv", "Armed-Forces"),
    ],
    "relationship": ["Husband", "Not-in-family", "Own-child", "Unmarried", "Wife", "Other-relative"],
    "race": ["White", "Black", "Asian-Pac-Islander", "Amer-Indian-Eskimo", "Other"],
    "sex": ["Male", "Female"],
    "native_country": ["United-States", "Mexico", "Philippines", "Germany", "(other)"],
    "income": ["<=50K", ">50K"],
}
NUMBERS = {
    "age": (17.0, 90.0),
    "fnlwgt": (12_285.0, 1_484_705.0),
    "education_num": (1.0, 16.0),
    "capital_gain": (0.0, 99_999.0),
    "capital_loss": (0.0, 4_356.0),
    "hours_per_week": (1.0, 99.0),
}


class Outcome(str, Enum):
    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Gate:
    name: str
    score: str
    at_most: float | None = None
    at_least: float | None = None
    against: str = "value"
    reason: str = ""
    required: bool = True


@dataclass(frozen=True)
class Verdict:
    gate: Gate
    outcome: Outcome
    why: str
    value: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Verdicts:
    verdicts: tuple[Verdict, ...]
    policy: str = "synthgan default"

    @property
    def outcome(self) -> Outcome:
        found = {verdict.outcome for verdict in self.verdicts}
        return next((o for o in (Outcome.FAIL, Outcome.INCONCLUSIVE) if o in found), Outcome.PASS)


def evidence(names: dict[str, list[str] | tuple[float, float]] | None = None, seed: int = 0) -> dict[str, Any]:
    """Distributions and associations; a list of levels or a pair of bounds for each name."""
    rng = np.random.default_rng(seed)
    names = names if names is not None else {**NUMBERS, **LEVELS}
    columns = {name: _column(domain, rng) for name, domain in names.items()}
    size = len(names)
    root = rng.random((size, 3)) ** 2
    real = np.clip(root @ root.T / 2, 0, 1)
    noise = rng.normal(0, 0.04, (size, size))
    synthetic = np.clip(real + (noise + noise.T) / 2, 0, 1)
    error = 50 * np.abs(real - synthetic) + 0.2
    return {
        "columns": columns,
        "pairs": {
            "columns": list(names),
            **{name: _off_diagonal(m) for name, m in (("real", real), ("synthetic", synthetic), ("error", error))},
        },
    }


def _column(domain: list[str] | tuple[float, float], rng: np.random.Generator) -> dict[str, Any]:
    numeric = isinstance(domain, tuple)
    if numeric:
        edges = np.linspace(*domain, 41)
        middle, width = rng.uniform(0.05, 0.5), rng.uniform(0.04, 0.25)
        real = np.exp(-0.5 * ((np.linspace(0, 1, 40) - middle) / width) ** 2) + 0.02 * rng.random(40)
    else:
        edges = None
        real = 0.6 ** np.arange(len(domain)) + 0.01
    real = real / real.sum()
    size = rng.choice([0.02, 0.05, 0.3])
    shares = {"real": real}
    for table, scale in (("synthetic", size), ("holdout", 0.03)):
        moved = real * np.exp(rng.normal(0, scale, len(real)))
        shares[table] = moved / moved.sum()
    missing = float(rng.choice([0.0, 0.056]))
    return {
        "kind": "numeric" if numeric else "categorical",
        "edges": None if edges is None else edges.tolist(),
        "levels": None if numeric else domain,
        "shares": {table: values.tolist() for table, values in shares.items()},
        "missing": {"real": missing, "synthetic": missing * 0.98},
        "shape_error": float(50 * np.abs(shares["synthetic"] - real).sum()),
    }


def _off_diagonal(matrix: np.ndarray) -> list[list[float | None]]:
    return [[None if i == j else float(x) for j, x in enumerate(row)] for i, row in enumerate(matrix)]


def curve(power: float) -> dict[str, list[float]]:
    fpr = np.logspace(-3, 0, 100)
    return {"fpr": [0.0, *fpr.tolist()], "tpr": [0.0, *(fpr**power).tolist()]}


def score(name: str, label: str, value: float, group: Any, **fields: Any) -> Score:
    return Score(name=name, label=label, value=value, group=group, **{"direction": "lower", **fields})


def _models(real: float) -> dict[str, Any]:
    found = {}
    for place, name in enumerate(("gradient_boosting", "random_forest", "logistic_regression")):
        low = real - 0.012 * place
        found[name] = {
            "value": low - 0.011,
            "interval": [low - 0.018, low - 0.004],
            "real": low,
            "real_interval": [low - 0.006, low + 0.006],
        }
    return found


def scores() -> Scores:
    """Of a good table, with everything that the report can draw."""
    found = evidence()
    errors = {name: column["shape_error"] for name, column in found["columns"].items()}
    drops = {name: 0.04 * 0.7**place for place, name in enumerate(["fnlwgt", "capital_gain", *LEVELS, "age"])}
    attacks = {name: curve(power) for name, power in (("density_ratio", 0.9), ("classifier", 0.97), ("distance", 0.99))}
    secrets = {
        secret: {
            "attacks": {"nearest": {"attack": a, "control": c, "risk": (a - c) / (1 - c), "interval": [-0.02, 0.05]}}
        }
        for secret, a, c in (("occupation", 0.231, 0.226), ("income", 0.842, 0.839), ("race", 0.861, 0.863))
    }
    subgroups = [
        {
            "column": "race",
            "group": "Black",
            "n_test": 1561,
            "real": 0.93,
            "synthetic": 0.90,
            "gap": 0.03,
            "interval": [0.01, 0.05],
        },
        {
            "column": "age",
            "group": "quarter 1 of 4",
            "n_test": 4302,
            "real": 0.91,
            "synthetic": 0.9,
            "gap": 0.01,
            "interval": [-0.01, 0.03],
        },
    ]
    wide = {"unit": "%", "ideal": 0.0}
    values = (
        score(
            "shape",
            "Shape error",
            0.52,
            "fidelity",
            reference=0.36,
            details=errors,
            note="mean distance of the columns' distributions",
            **wide,
        ),
        score(
            "trend_shared",
            "Trend error, shared bins",
            1.44,
            "fidelity",
            reference=1.21,
            interval=(1.39, 1.50),
            note="mean distance over all pairs of columns",
            **wide,
        ),
        score(
            "strong_pairs", "Strong-pair trend error", 1.90, "fidelity", reference=0.9, interval=(1.75, 2.05), **wide
        ),
        score("missing", "Missing shares", 0.14, "fidelity", reference=0.11, **wide),
        score(
            "mode_coverage",
            "Mode coverage",
            0.998,
            "coverage",
            direction="higher",
            ideal=1.0,
            reference=1.0,
            interval=(0.997, 0.999),
        ),
        score("frechet_distance", "Frechet distance", 0.06, "coverage", reference=0.02, **wide),
        score(
            "c2st",
            "C2ST, gradient boosting",
            0.81,
            "detection",
            direction="higher",
            ideal=1.0,
            reference=0.99,
            interval=(0.79, 0.83),
            details={"auc": 0.595, "importances": drops},
        ),
        score(
            "auc",
            "AUC",
            0.916,
            "utility",
            direction="higher",
            reference=0.927,
            interval=(0.91, 0.92),
            details={"models": _models(0.927)},
        ),
        score(
            "balanced_accuracy",
            "Balanced accuracy",
            0.781,
            "utility",
            direction="higher",
            reference=0.798,
            interval=(0.77, 0.79),
            details={"models": _models(0.798)},
        ),
        score(
            "subgroup_gap",
            "Worst subgroup",
            0.03,
            "utility",
            interval=(0.01, 0.05),
            ideal=0.0,
            details={"subgroups": subgroups},
        ),
        score(
            "membership_auc",
            "Membership AUC",
            0.507,
            "membership",
            interval=(0.499, 0.515),
            ideal=0.5,
            reference=0.5,
            note="maximum over attacks; 5,000 members",
            details={
                "roc": attacks,
                "attacks": {n: {"auc": 0.5 + 0.002 * i, "tpr_1": 0.01} for i, n in enumerate(attacks)},
            },
        ),
        score(
            "membership_tpr_1",
            "TPR at 1% FPR",
            0.013,
            "membership",
            interval=(0.009, 0.017),
            ideal=0.01,
            reference=0.01,
        ),
        score(
            "membership_auc_worst",
            "Membership AUC, worst-case records",
            0.531,
            "membership",
            interval=(0.505, 0.557),
            ideal=0.5,
            reference=0.5,
            details={"roc": {n: curve(0.8 + 0.05 * i) for i, n in enumerate(attacks)}},
        ),
        score(
            "attribute_inference",
            "Attribute inference",
            0.006,
            "disclosure",
            interval=(-0.01, 0.022),
            ideal=0.0,
            note="worst secret",
            details={"secrets": secrets},
        ),
        score(
            "singling_out",
            "Singling out",
            -0.002,
            "disclosure",
            interval=(-0.012, 0.009),
            ideal=0.0,
            details={
                "attacks": {
                    "univariate": {"attack": 0.01, "control": 0.012, "risk": -0.002, "interval": [-0.012, 0.009]}
                }
            },
        ),
        score(
            "exact_copies",
            "Exact copies of real rows",
            0.02,
            "copies",
            direction="target",
            reference=0.04,
            unit="%",
            ideal=0.03,
        ),
        score(
            "dcr_share",
            "Closer to train than to holdout",
            0.503,
            "copies",
            direction="target",
            ideal=0.5,
            interval=(0.493, 0.513),
        ),
    )
    return Scores(
        scores=values,
        n_rows={"real": 32_561, "synthetic": 32_561, "holdout": 16_281},
        settings={
            "target": "income",
            "random_state": 0,
            "numeric": list(NUMBERS),
            "left_out": {},
            "detection_rows": 50_000,
        },
        notes=("Closeness to training rows was measured on 10,000 synthetic rows drawn at random.",),
        evidence=found,
    )


def verdicts() -> Verdicts:
    return Verdicts(
        verdicts=(
            Verdict(
                Gate(
                    "membership",
                    "membership_tpr_1",
                    at_most=0.02,
                    against="interval",
                    reason="Twice chance is the most that we accept.",
                ),
                Outcome.PASS,
                "the score, 0.013 with the interval 0.009 to 0.017, is on the good side of the threshold, 0.02.",
                0.013,
                (0.009, 0.017),
            ),
            Verdict(
                Gate(
                    "worst-case members",
                    "membership_auc_worst",
                    at_most=0.55,
                    against="interval",
                    reason="People far from all others are found first.",
                ),
                Outcome.INCONCLUSIVE,
                "the score, 0.531 (interval 0.505 to 0.557), is not surely on either side of the threshold, 0.55.",
                0.531,
                (0.505, 0.557),
            ),
            Verdict(
                Gate(
                    "fidelity of single columns",
                    "shape",
                    at_most=1.0,
                    against="excess",
                    reason="One point above the noise floor.",
                ),
                Outcome.PASS,
                "the score above its reference, 0.16 %, is on the good side of the threshold, 1.00 %.",
                0.52,
            ),
            Verdict(
                Gate("strong pairs", "strong_pairs", at_most=1.5, reason="Relations that users see at once."),
                Outcome.FAIL,
                "the score, 1.90 % with the interval 1.75 to 2.05, is on the bad side of the threshold, 1.50 %.",
                1.90,
                (1.75, 2.05),
            ),
            Verdict(
                Gate("augmentation", "augmentation_uplift", at_least=0.0, required=False),
                Outcome.INCONCLUSIVE,
                "the score 'augmentation_uplift' was not computed.",
            ),
        )
    )


def ledger() -> dict[str, Any]:
    """Of a private fit with two doors, epsilon 1, some budget left."""
    from dp_accounting import ZCDpEvent

    found = Ledger(1.0, 1e-5, order=24, discovery_delta=1e-6)
    found.declare(
        unit="person",
        rows_per_unit=2,
        unprotected=("names, order and physical types of the columns", "how long the fit took"),
    )
    rho = found.remaining_rho
    for name in (*NUMBERS, *LEVELS):
        found.settle(
            found.reserve(
                ZCDpEvent(rho * 0.01), door=1, mechanism="discrete Gaussian", what=f"histogram of column '{name}'"
            )
        )
    found.settle(
        found.reserve(
            ZCDpEvent(rho * 0.05),
            door=1,
            mechanism="thresholded discrete Gaussian",
            what="levels of column 'native_country'",
            delta=1e-6,
        )
    )
    for left, right in zip([*LEVELS], [*LEVELS][1:], strict=False):
        found.settle(
            found.reserve(
                ZCDpEvent(rho * 0.02),
                door=2,
                mechanism="exponential mechanism",
                what="the marginal that the generator gets most wrong",
            )
        )
        found.settle(
            found.reserve(
                ZCDpEvent(rho * 0.06), door=2, mechanism="discrete Gaussian", what=f"marginal of '{left}' and '{right}'"
            )
        )
    return found.to_json()


def provenance() -> list[dict[str, Any]]:
    facts = [
        {"column": name, "what": "bounds", "source": "declared", "lower": a, "upper": b}
        for name, (a, b) in NUMBERS.items()
    ]
    facts += [
        {"column": name, "what": "levels", "source": "declared", "number": len(levels)}
        for name, levels in LEVELS.items()
    ]
    facts[-2] |= {"source": "released"}
    facts[3] |= {"source": "inferred-exact"}
    return facts


def arguments() -> dict[str, Any]:
    """All arguments of `render_report`."""
    return {
        "title": "adult-epsilon-1.synthgan",
        "scores": scores(),
        "verdicts": verdicts(),
        "ledger": ledger(),
        "provenance": provenance(),
        "facts": {
            "Edition": "internal",
            "synthgan": "0.5.0",
            "Python": "3.11.7",
            "Policy": "synthgan default",
            "Seed": "none",
        },
        "limits": [],
    }
