from __future__ import annotations

import json

import pytest
import torch

from synthgan.config import DiscriminatorSettings, Effort, GeneratorSettings, TrainingSettings, from_dict, to_dict
from synthgan.critics.losses import LOSSES
from synthgan.errors import SettingsError
from synthgan.training.device import resolve_device, resolve_precision
from synthgan.training.effort import resolve


def test_settings_survive_json() -> None:
    settings = TrainingSettings(n_steps=7, generator=GeneratorSettings(width=32), betas=(0.1, 0.2))
    assert from_dict(TrainingSettings, json.loads(json.dumps(to_dict(settings)))) == settings


def test_an_unknown_setting_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(SettingsError, match="did you mean 'batch_size'"):
        from_dict(TrainingSettings, {"batchsize": 3})
    with pytest.raises(SettingsError, match="GeneratorSettings has no setting 'depth'"):
        from_dict(TrainingSettings, {"generator": {"depth": 3}})


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_steps": 0},
        {"n_steps": True},
        {"batch_size": -1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"ema_decay": 1.0},
        {"condition_fraction": 0.9999},
        {"loss": "unheard-of"},
        {"precision": "float8"},
        {"capture": "on"},
        {"adversarial_weight": 0.0, "marginal_weight": 0.0},
        {"batch_size": 10, "discriminator": DiscriminatorSettings(packing=3)},
        {"n_steps": 20.5},
        {"warmup_steps": 1.5},
        {"penalty": -1.0},
        {"marginal_weight": -1.0},
        {"gram_horizon": (0.5, 20.0)},
        {"gram_horizon": (3.0, 2.0)},
        {"gram_horizon": (1.0, float("inf"))},
        {"gram_horizon": (1.0,)},
        {"gram_horizon": 20.0},
        {"gram_horizon": None},
        {"gram_horizon": (1.0, "20")},
        {"gram_horizon": [1.0, 20.0]},
        {"betas": (0.5,)},
        {"betas": (0.5, 1.0)},
        {"final_learning_rate": 1.5},
        {"auxiliary_weight": 1.0, "discriminator": DiscriminatorSettings(packing=2)},
        {"early_stopping": True, "marginal_weight": 0.0},
    ],
    ids=str,
)
def test_values_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        TrainingSettings(**wrong)  # type: ignore[arg-type]


def test_small_tables_keep_a_given_balance_and_judge_by_the_current_batch() -> None:
    def settings(n_rows: float) -> TrainingSettings:
        return resolve("default", n_rows=n_rows, device=torch.device("cpu"))

    assert (settings(4999).marginal_weight, settings(4999).gram_horizon) == (2.0, (1.0, 1.0))
    assert (settings(5000).marginal_weight, settings(5000).gram_horizon) == (None, (1.0, 10.0))


def test_effort_grows_and_small_tables_get_fewer_steps() -> None:
    def steps(effort: str, n_rows: float = 100_000) -> int:
        return resolve(effort, n_rows=n_rows, device=torch.device("cpu")).n_steps  # type: ignore[arg-type]

    assert steps("quick") < steps("default") < steps("high")
    assert steps("default", 1000) < steps("default")
    with pytest.raises(SettingsError, match="effort must be one of quick, default, high"):
        steps("extreme")


def test_small_tables_are_fitted_more_cautiously_by_degrees() -> None:
    def settings(n_rows: float) -> TrainingSettings:
        return resolve("default", n_rows=n_rows, device=torch.device("cpu"))

    large, half, few = settings(5000), settings(2500), settings(50)
    assert large.shrinkage == 0
    assert large.penalty is None
    assert half.shrinkage == pytest.approx(1)
    for name in ("adversarial_weight", "target_weight"):
        assert getattr(half, name) == pytest.approx(getattr(large, name) / 2)
    assert half.penalty == pytest.approx(2 * LOSSES[half.loss].penalty_weight)
    # Not below 1/50, where the critics would fall silent.
    assert few.adversarial_weight == pytest.approx(large.adversarial_weight / 50)
    assert few.n_steps == 100


def test_high_effort_means_larger_batches() -> None:
    cpu = torch.device("cpu")
    sizes = [resolve(effort, n_rows=1e5, device=cpu).batch_size for effort in ("quick", "default", "high")]
    assert sizes[0] <= sizes[1] < sizes[2]


def test_max_steps_only_ever_shortens() -> None:
    def steps(max_steps: int) -> int:
        device = torch.device("cpu")
        return resolve("quick", n_rows=1e6, device=device, max_steps=max_steps).n_steps

    assert steps(5) == 5
    assert steps(10**9) == steps(10**8)
    with pytest.raises(SettingsError, match="max_steps"):
        steps(0)


def test_max_steps_cuts_the_warm_up_and_the_averaging_too() -> None:
    def schedule(effort: Effort | TrainingSettings, max_steps: int | None) -> tuple[int, int, float]:
        settings = resolve(effort, n_rows=1e6, device=torch.device("cpu"), max_steps=max_steps)
        return settings.n_steps, settings.warmup_steps, settings.gram_horizon[1]

    assert schedule("default", None) == (3000, 100, 20.0)
    assert schedule("high", None) == (4000, 100, 20.0)
    assert schedule("default", 600) == schedule("quick", None) == (600, 100, 4.0)
    assert schedule("default", 200) == (200, 40, pytest.approx(200 / 150))
    assert schedule("default", 1) == (1, 0, 1.0)
    assert schedule(TrainingSettings(), 200) == (200, 40, 20.0)
    assert schedule(TrainingSettings(n_steps=200), 500) == (200, 100, 20.0)  # nothing is cut


def test_device_and_precision() -> None:
    cpu = torch.device("cpu")
    assert resolve_device("cpu") == cpu
    assert resolve_device("auto").type in ("cpu", "cuda")
    for unusable in ("abacus", "meta"):
        with pytest.raises(SettingsError, match=f"device '{unusable}' is not available"):
            resolve_device(unusable)
    assert resolve_precision("float32", cpu) == "float32"
    assert resolve_precision("auto", cpu) in ("float32", "bfloat16")
    with pytest.raises(SettingsError, match="precision must be one of"):
        resolve_precision("float8", cpu)  # type: ignore[arg-type]
