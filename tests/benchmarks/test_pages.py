"""The pages of the ablations and of fidelity, from figures computed by hand; made-up tables; the variants."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)


def fidelity_cell(generator: str, seconds: float, n_steps: int, shape: float, **scores: float) -> dict[str, Any]:
    return {
        "table": "titanic",
        "generator": generator,
        "n_rows": {"train": 900, "test": 100, "synthetic": 900, "columns": 3},
        "scores": {"shape": shape, "fit_seconds": seconds, **scores},
        "settings": {"n_steps": n_steps, "batch_size": 1000},
        "generator_facts": {"last_history": [{"step": n_steps}]},
    }


def test_quality_stands_against_time_from_the_shortest_fit_to_the_longest() -> None:
    from benchmarks.report import markdown

    cells = [
        fidelity_cell("synthgan-high", 900.0, 10_000, 0.3),
        fidelity_cell("synthgan-default", 200.0, 3_000, 0.5),
        fidelity_cell("synthgan-default", 220.0, 3_000, 0.7),
        fidelity_cell("synthgan-default-unprotected", 1.0, 3_000, 0.4),
        fidelity_cell("bootstrap", 0.0, 1, 0.1),
    ]
    text = markdown({"cells": dict(enumerate(cells))})
    section = text[text.index("### Quality against time") :]
    assert [line for line in section.splitlines() if line.startswith("|")] == [
        "| effort | steps | batch | fit s | shape % |",
        "|---|---|---|---|---|",
        "| default | 3,000 | 1,000 | 210.0 ± 14.1 | 0.60 ± 0.14 |",
        "| high | 10,000 | 1,000 | 900.0 | 0.30 |",
    ]
    assert "Quality against time" not in markdown({"cells": dict(enumerate(cells[1:]))})


def test_copies_stand_beside_the_interval_of_as_many_fresh_rows() -> None:
    from benchmarks.report import holdout_copies, markdown

    # No copy among 100 rows: the upper end of the exact interval is 1 - 0.025 ** (1 / 100).
    none = fidelity_cell("synthgan-default", 1.0, 3, 0.3, exact_copies=1, exact_copies_holdout=0)
    assert holdout_copies(none) == pytest.approx((0.0, 0.0, 900 * (1 - 0.025**0.01)))
    every = fidelity_cell("synthgan-default", 1.0, 3, 0.3, exact_copies=1, exact_copies_holdout=100)
    assert holdout_copies(every) == pytest.approx((900.0, 900 * 0.025**0.01, 900.0))
    text = markdown({"cells": {"a": none}})
    assert "as many fresh rows would have: 0.0, 95% interval 0.0 to 32.6 (from 0 among the test rows)." in text


def ablation_cell(shape: float, **more: Any) -> dict[str, Any]:
    return {"target": "y", "scores": {"shape": shape, "mle_auc": 0.9}, "fit_cpu_seconds": 60.4, **more}


def test_ablations_stand_beside_the_baseline() -> None:
    from benchmarks.ablations_report import markdown

    cells = {
        "adult/700/0/default": ablation_cell(1.0),
        "adult/700/0/batch 500": ablation_cell(1.25),
        "adult/700/0/penalty 0.1": {"diverged": "training diverged at step 5.", "fit_seconds": 3.0},
        "default/700/0/batch 500": ablation_cell(2.0),
    }
    lines = markdown({"cells": cells})
    assert "### adult, 700 steps, seed 0" in lines
    assert "The default recipe is told the target, y." in lines
    assert [line for line in lines if line.startswith("| ")] == [
        "| variant | shape % | MLE AUC | CPU s |",
        "| default | 1.00 | 0.900 | 60 |",
        "| batch 500 | 1.25 (+0.25) | 0.900 (+0.000) | 60 |",
        "| penalty 0.1 | diverged | diverged |  |",
        "| variant | shape % | MLE AUC | CPU s |",
        "| batch 500 | 2.00 | 0.900 | 60 |",
    ]


def test_each_variant_is_another_recipe_and_a_valid_one() -> None:
    from benchmarks.ablations import BASELINE, NO_TARGET, VARIANTS, changed, default_recipe

    recipe = default_recipe(32_561, 700)
    assert (recipe.n_steps, recipe.batch_size, recipe.shrinkage) == (700, 1000, 0.0)
    made = {name: changed(recipe, changes) for name, changes in VARIANTS.items()}
    assert made[BASELINE] == made[NO_TARGET] == recipe
    others = [settings for name, settings in made.items() if name not in (BASELINE, NO_TARGET)]
    assert len({str(settings) for settings in others}) == len(others)
    # Where the processor has no bfloat16 the recipe is float32 already.
    assert [name for name, settings in made.items() if settings == recipe and name != "float32"] == [
        BASELINE,
        NO_TARGET,
    ]
    wide = made["width 384"]
    assert wide == dataclasses.replace(
        recipe,
        generator=dataclasses.replace(recipe.generator, width=384),
        discriminator=dataclasses.replace(recipe.discriminator, width=384),
    )
    assert default_recipe(1000, 700).shrinkage > 0, "a small table has a recipe of its own"


def test_ablations_are_measured_kept_and_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("xgboost", reason="xgboost is not installed")
    from benchmarks.ablations import main

    rows = range(400)
    frame = pd.DataFrame({"x": [i * 7919 % 1000 / 10 for i in rows], "y": ["a" if i % 3 else "b" for i in rows]})
    frame.to_parquet(tmp_path / "small.parquet")
    output = tmp_path / "ablations.json"
    words = ["--data", str(tmp_path), "--tables", "small", "--target", "small=y", "--max-steps", "2"]
    main([*words, "--output", str(output), "--variants", "packing of 2"])
    main([*words, "--output", str(output), "--variants", "packing of 2", "no target", "default"])
    assert capsys.readouterr().out.count("already there") == 1
    cells = json.loads(output.read_text())["cells"]
    assert list(cells) == [f"small/2/0/{name}" for name in ("default", "no target", "packing of 2")]
    assert [cell["target"] for cell in cells.values()] == ["y", None, "y"]
    assert [cell["settings"]["discriminator"]["packing"] for cell in cells.values()] == [1, 1, 2]
    assert all(cell["run"]["source"] for cell in cells.values())


def test_made_up_levels_are_equally_frequent(tmp_path: Path) -> None:
    from benchmarks.made_up import write_made_up

    write_made_up(tmp_path / "t.parquet", 2000, 3, n_levels=50, seed=0)
    frame = pd.read_parquet(tmp_path / "t.parquet")
    assert list(frame) == ["text 0", "number 1", "text 2"]
    assert frame["text 0"].value_counts().tolist() == [40] * 50
    assert frame["text 2"].value_counts().tolist() == [200] * 10
