"""The benchmark scripts: splits, scores, published figures, resumable cells, the generated page."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with one small table."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    frame = pd.DataFrame(
        {
            "x": x,
            "k": pd.array(rng.integers(100, size=400), dtype="Int64"),
            "c": pd.array(np.where(rng.random(400) < 0.1, None, np.where(x > 0, "up", "down")), dtype="string"),
            "y": pd.array(x + rng.normal(size=400) > 0, dtype="boolean"),
        }
    )
    folder = tmp_path / "data"
    folder.mkdir()
    frame.to_parquet(folder / "small.parquet")
    return folder


# --------------------------------------------------------------------------------------------------------------- tables


def test_the_split_is_the_protocols() -> None:
    from benchmarks.tables import split

    train, test = split(pd.DataFrame({"row": range(1000)}))
    order = np.random.RandomState(1234).permutation(1000)
    assert train["row"].tolist() == order[:900].tolist()
    assert test["row"].tolist() == order[900:].tolist()


def test_the_benchmark_tables_have_the_published_sizes_and_types(shared_data: Path) -> None:
    from benchmarks.tables import load_table

    sizes = {}
    for name in ("adult", "default", "shoppers"):
        table = load_table(name, shared_data)
        sizes[name] = (len(table.train), len(table.test), len(table.numeric), table.train.shape[1])
        assert set(table.numeric) < set(table.train.columns)
        assert table.target in table.train.columns
    assert sizes == {
        "adult": (32561, 16281, 6, 15),
        "default": (27000, 3000, 14, 24),
        "shoppers": (11097, 1233, 10, 18),
    }


def test_tables_that_are_not_listed_need_a_target_and_read_types_off(data: Path) -> None:
    from benchmarks.tables import load_table

    with pytest.raises(ValueError, match="--target small=COLUMN"):
        load_table("small", data)
    table = load_table("small", data, target="y")
    assert (table.task, table.numeric) == ("classification", ("x", "k"))
    assert load_table("small", data, target="x").task == "regression"
    with pytest.raises(FileNotFoundError, match=r"holds neither other\.parquet"):
        load_table("other", data, target="y")


def test_published_figures_stand_under_our_names() -> None:
    from benchmarks.published import published

    adult = published("adult")
    assert adult["TabDiff"] == {
        "shape": 0.68,
        "trend_own": 1.54,
        "mle_auc": 0.913,
        "xgb_c2st": 0.84,
        "alpha_precision": 0.986,
        "beta_recall": 0.526,
        "fit_seconds": 11605.0,
        "sample_seconds": 10.8,
    }
    assert published("default")["CTGAN"] == {"shape": 16.9, "trend_own": 29.8, "mle_auc": 0.727, "xgb_c2st": 0.0}
    assert published("beijing")["real"] == {"mle_rmse": 0.491}
    assert "real" not in published("diabetes")
    assert published("titanic") == {}


# -------------------------------------------------------------------------------------------------------------- scoring


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_every_measure_of_a_sample(data: Path) -> None:
    pytest.importorskip("xgboost", reason="xgboost is not installed")
    pytest.importorskip("sdmetrics", reason="sdmetrics is not installed")
    from benchmarks.scoring import score_sample
    from benchmarks.tables import load_table

    table = load_table("small", data, target="y")
    rng = np.random.default_rng(0)
    independent = pd.DataFrame(
        {c: table.train[c].iloc[rng.permutation(360)].reset_index(drop=True) for c in table.train}
    )
    copied = score_sample(table.train, table.test, table.train, table, full=True)
    broken = score_sample(table.train, table.test, independent, table, full=True)
    assert copied["shape"] == copied["trend_own"] == copied["trend_shared"] == copied["strong_pairs"] == 0.0
    assert broken["shape"] == pytest.approx(0.0, abs=1e-9)
    assert broken["trend_own"] > 3.0
    assert copied["mle_auc"] == copied["mle_real_auc"] == broken["mle_real_auc"] > broken["mle_auc"]
    assert copied["exact_copies"] == 360
    assert copied["xgb_c2st"] == 1.0 > broken["xgb_c2st"]
    assert copied["dcr_share"] > 0.5
    assert copied["beta_recall"] > 0.9 > broken["beta_recall"]
    assert copied["mode_coverage"] == copied["level_coverage"] == 1.0 >= broken["mode_coverage"] > 0.5
    assert copied["frechet_distance"] == pytest.approx(0.0, abs=1e-6)
    assert broken["frechet_distance"] > copied["frechet_distance_holdout"] > 1.0
    assert copied["mode_coverage_holdout"] == broken["mode_coverage_holdout"] > 0.9
    assert 0.0 <= broken["lr_c2st"] <= 1.0
    assert score_sample(table.train, table.test, independent, table)["xgb_c2st"] == broken["xgb_c2st"]
    numeric_target = load_table("small", data, target="x")
    scores = score_sample(numeric_target.train, numeric_target.test, independent, numeric_target)
    assert scores["mle_real_r2"] > scores["mle_r2"]
    assert scores["mle_real_rmse"] < scores["mle_rmse"]


# --------------------------------------------------------------------------------------------------------------- script


def run_fidelity(data: Path, output: Path, *more: str) -> str:
    pytest.importorskip("xgboost", reason="xgboost is not installed")
    pytest.importorskip("sdmetrics", reason="sdmetrics is not installed")
    command = [sys.executable, str(ROOT / "benchmarks" / "fidelity.py"), "--data", str(data), "--tables", "small"]
    command += ["--target", "small=y", "--effort", "--output", str(output), *more]
    done = subprocess.run(command, cwd=data, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_cells_are_written_resumed_and_shown(data: Path, tmp_path: Path) -> None:
    output, page = tmp_path / "results.json", tmp_path / "docs" / "fidelity.md"
    first = run_fidelity(data, output, "--seeds", "0", "--built-in", "bootstrap")
    assert "small/bootstrap/0: running" in first
    before = json.loads(output.read_text())["cells"]["small/bootstrap/0"]
    assert before["scores"]["peak_rss_mib"] > 10
    assert before["scores"]["mode_coverage"] > 0.9
    assert before["n_rows"] == {"train": 360, "test": 40, "synthetic": 360, "columns": 4}

    sample, meta = tmp_path / "peer.parquet", tmp_path / "peer.json"
    pd.read_parquet(data / "small.parquet").head(360).to_parquet(sample)
    meta.write_text('{"fit_seconds": 12.5, "sample_seconds": 0.5}')
    cached = ["--cached", "ctgan", "small", str(sample), str(meta), "--markdown", str(page)]
    second = run_fidelity(data, output, "--seeds", "0", "--built-in", "bootstrap", "independent", *cached)
    assert "small/bootstrap/0: already there" in second
    assert "small/independent/0: running" in second
    results = json.loads(output.read_text())
    assert results["cells"]["small/bootstrap/0"] == before
    assert results["cells"]["small/ctgan/0"]["scores"]["fit_seconds"] == 12.5
    assert {"commit", "machine", "versions", "date", "source"} <= set(before["run"])
    assert results["cells"]["small/ctgan/0"]["options"] == {"cached": "peer.parquet", "meta": "peer.json"}
    assert str(tmp_path) not in output.read_text(), "no folder of the machine"

    text = page.read_text()
    assert [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")] == [
        "generator",
        "ctgan (cached)",
        "bootstrap",
        "independent",
    ]
    assert "360 training rows, 40 test rows, 4 columns." in text


def test_the_page_averages_seeds_and_quotes_the_papers() -> None:
    from benchmarks.report import markdown

    rows = {"train": 10, "test": 5, "synthetic": 10, "columns": 3}

    def cell(generator: str, shape: float) -> dict[str, Any]:
        return {
            "table": "adult",
            "generator": generator,
            "n_rows": rows,
            "scores": {
                "shape": shape,
                "mle_real_auc": 0.9,
                "mode_coverage": 0.75,
                "mode_coverage_holdout": 0.99987,
                "frechet_distance_holdout": 0.12,
            },
        }

    cells = {"a": cell("bootstrap", 1.0), "b": cell("synthgan-default", 0.5), "c": cell("synthgan-default", 0.7)}
    timing = {"ctgan/adult": {"seconds_per_epoch": 2.0, "fixed_seconds": 5.0}}
    text = markdown({"cells": cells, "peer_timing": timing})
    assert "| synthgan-default | 2 | 0.60 ± 0.14 | 0.7500 ± 0.0000 |" in text
    assert "Mode coverage of the test rows in a synthetic table's place: 0.9999. Frechet %" in text
    assert "| *TabDiff, published* | | *0.68* |  |" in text
    assert text.index("synthgan-default") < text.index("| bootstrap")
    assert "| ctgan | adult | 2.00 | 605 s |" in text
    assert "trained on the real rows: 0.9000." in text


# --------------------------------------------------------------------------------------------------------------- losses


def test_the_variants_differ_from_each_other_as_they_say() -> None:
    from benchmarks.losses import PARTNERS, VARIANTS, Cell
    from synthgan.config import LOSS_NAMES, TrainingSettings

    def settings(variant: str, partner: str = "with marginal critic") -> TrainingSettings:
        return Cell(table="t", n_steps=7, seed=0, variant=variant, partner=partner, learning_rate=0.125).settings

    default = TrainingSettings(n_steps=7, learning_rate=0.125, twin_weight=0.0)
    replace = dataclasses.replace
    for loss in LOSS_NAMES:
        assert settings(loss) == replace(default, loss=loss)
        assert settings(loss, "without marginal critic") == replace(default, loss=loss, marginal_weight=0.0)
    base = replace(default, loss="relativistic")
    discriminator = base.discriminator
    options = {variant: settings(variant) for variant in VARIANTS if variant not in LOSS_NAMES}
    assert list(options.values()) == [
        replace(base, penalty=0.0, discriminator=replace(discriminator, spectral_norm=True)),
        replace(base, auxiliary_weight=1.0),
        replace(base, discriminator=replace(discriminator, packing=8)),
    ]
    assert len(PARTNERS) == 2


def run_losses(data: Path, output: Path, *more: str) -> None:
    pytest.importorskip("xgboost", reason="xgboost is not installed")
    from benchmarks.losses import main

    words = ["--data", str(data), "--table", "small", "--target", "y", "--steps", "2", "--output", str(output), *more]
    main(words)


def test_losses_are_measured_kept_and_resumed(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.losses_report import markdown

    output = tmp_path / "results" / "losses.json"
    packed = "small/2/0/relativistic, packing of 8/without marginal critic/0.002"
    run_losses(data, output, "--only", packed)
    first = json.loads(output.read_text())["cells"]
    assert list(first) == [packed]
    assert first[packed]["settings"]["discriminator"]["packing"] == 8
    assert first[packed]["settings"]["marginal_weight"] == first[packed]["settings"]["twin_weight"] == 0.0
    assert first[packed]["target"] == "y"
    assert {"adversarial", "discriminator", "generator"} <= set(first[packed]["last_history"])
    assert {"commit", "machine", "versions", "date"} <= set(first[packed]["run"])

    # A rate at which any loss diverges, beside one at which it does not.
    run_losses(data, output, "--only", "hinge/with marginal", packed, "--learning-rates", "1e30", "0.002")
    cells = json.loads(output.read_text())["cells"]
    assert f"{packed}: already there" in capsys.readouterr().out
    assert cells[packed] == first[packed]
    start = "small/2/0/hinge/with marginal critic"
    assert list(cells) == [f"{start}/1e+30", f"{start}/0.002", packed]
    assert "training diverged at step 2" in cells[f"{start}/1e+30"]["diverged"]
    assert "scores" not in cells[f"{start}/1e+30"]
    assert cells[f"{start}/0.002"]["penalty"] == {"kind": "r1r2", "weight": 0.01}
    assert [path.name for path in output.parent.iterdir()] == ["losses.json"]

    text = markdown({"cells": cells})
    shown = cells[f"{start}/0.002"]["scores"]
    line = f"| hinge | with | R1 and R2 0.01 | {shown['shape']:.2f} | {shown['trend_shared']:.2f} | "
    assert line in text
    assert f"| {shown['xgb_c2st']:.3f} | {shown['mle_auc']:.3f} |" in text
    assert "| 0.002 (1e+30 diverged) |" in text
    assert "- hinge, with marginal critic, learning rate 1e+30: training diverged at step 2" in text
    assert "| 0.002 (1e+30 not run) |" in text


def test_alarms_of_training_are_kept_and_other_warnings_let_through(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xgboost", reason="xgboost is not installed")
    from benchmarks import losses
    from benchmarks.tables import load_table
    from synthgan import SynthganWarning, TrainingError

    def run(*arguments: Any, **options: Any) -> dict[str, Any]:
        warnings.warn("the generator has collapsed", SynthganWarning, stacklevel=1)
        warnings.warn("a library is old", UserWarning, stacklevel=1)
        raise TrainingError("training diverged at step 50")

    monkeypatch.setattr(losses, "run", run)
    cell = losses.Cell(
        table="small", n_steps=2, seed=0, variant="hinge", partner="with marginal critic", learning_rate=0.002
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = losses.measure(load_table("small", data, target="y"), cell)
    assert found["alarms"] == ["the generator has collapsed"]
    assert found["diverged"] == "training diverged at step 50"
    assert [str(warning.message) for warning in caught] == ["a library is old"]


def test_a_part_of_the_losses_that_does_not_exist_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        run_losses(data, tmp_path / "losses.json", "--only", "no such loss")
    assert not (tmp_path / "losses.json").exists()


def losses_cell(learning_rate: float, *, variant: str = "hinge", **more: Any) -> dict[str, Any]:
    machine = {"cores": 2, "processor": "P"}
    return {
        "table": "adult",
        "n_steps": 600,
        "seed": 0,
        "variant": variant,
        "partner": "with marginal critic",
        "learning_rate": learning_rate,
        "reference": "Lim and Ye 2017",
        "penalty": {"kind": "none", "weight": 0.0},
        "settings": {"loss": "hinge"},
        "alarms": [],
        "run": {
            "date": "2026-01-01T00:00:00",
            "commit": None,
            "uncommitted_changes": False,
            "machine": machine,
            "threads": "1",
        },
        **more,
    }


def scored(learning_rate: float, xgb_c2st: float, strong_pairs: float, **more: Any) -> dict[str, Any]:
    scores = {"shape": 1.0, "trend_shared": 2.0, "strong_pairs": strong_pairs, "xgb_c2st": xgb_c2st, "mle_auc": 0.9}
    figures = {"scores": scores, "fit_seconds": 60.0, "fit_cpu_seconds": 50.0, "device": "cpu"}
    return losses_cell(learning_rate, **figures, **more)


def test_the_better_learning_rate_is_shown() -> None:
    from benchmarks.losses_report import better, markdown

    low, high = scored(0.0005, 0.5, 3.0), scored(0.002, 0.6, 4.0)
    assert better([low, high]) is better([high, low]) is high
    tied = scored(0.001, 0.6, 3.5)
    assert better([high, tied]) is better([tied, high]) is tied
    unknown = scored(0.004, 0.6, float("nan"))
    assert better([unknown, high]) is better([high, unknown]) is high
    broken = losses_cell(0.002, diverged="training diverged at step 50.", variant="b")
    assert better([broken]) is None

    alarm = "training diverges: at step 50 the generator loss is 1e+06."
    measured = scored(0.0005, 0.7, 1.0, variant="c", last_history={"mode_coverage": 0.75}) | {"alarms": [alarm]}
    text = markdown({"cells": dict(enumerate([low, high, broken, measured]))})
    assert "| hinge | with | none | 1.00 | 2.00 | 4.00 | 0.600 | 0.900 |  | 60 | 50 | 0.002 |" in text
    assert "| c | with | none | 1.00 | 2.00 | 1.00 | 0.700 | 0.900 | 0.750 | 60 | 50 | 0.0005 (0.002 not run) |" in text
    assert f"| b | with | none | {'diverged | ' * 6} |  | none (0.002 diverged; 0.0005 not run) |" in text
    assert "- b, with marginal critic, learning rate 0.002: training diverged at step 50." in text
    assert f"- c, with marginal critic, learning rate 0.0005: {alarm}" in text
    assert "Papers: hinge (Lim and Ye 2017)." in text
    assert "Measured: 2026-01-01, commit `none`, 2 cores of P, 1 thread; fitted on: cpu." in text


def test_the_page_of_the_losses_appears_with_its_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import generate_docs

    folder = tmp_path / "benchmarks"
    folder.mkdir()
    for name in ("ablations.json", "scale.json"):
        shutil.copy(ROOT / "docs" / "benchmarks" / name, folder)
    monkeypatch.setattr(generate_docs, "DOCS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["generate_docs.py"])
    assert generate_docs.main() == 0
    assert "losses.md" not in (tmp_path / "benchmarks.md").read_text()
    assert not (folder / "losses.md").exists()

    (folder / "losses.json").write_text(json.dumps({"cells": {"key": scored(0.002, 0.6, 4.0)}}))
    assert generate_docs.stale() == ["benchmarks.md", "benchmarks/losses.md"]
    assert generate_docs.main() == 0
    assert "(benchmarks/losses.md)" in (tmp_path / "benchmarks.md").read_text()
    assert "## adult, 600 steps, seed 0" in (folder / "losses.md").read_text()
    assert generate_docs.stale() == []


# ----------------------------------------------------------------------------------------------------------- membership


def test_a_membership_split_cuts_the_whole_table_into_disjoint_parts(data: Path) -> None:
    from benchmarks.membership import split_rows
    from benchmarks.tables import load_table

    table = load_table("small", data, target="y")
    first, second = (split_rows(table, number) for number in (0, 1))
    assert first.n_rows == {"members": 200, "judged_members": 100, "non_members": 100, "reference": 100}
    parts = [first.members, first.non_members, first.reference]
    everything = pd.concat([table.train, table.test])["x"]
    assert sorted(pd.concat(parts)["x"]) == sorted(everything)
    assert set(first.judged_members["x"]) < set(first.members["x"])
    assert set(first.members["x"]) != set(second.members["x"])
    pd.testing.assert_frame_equal(first.members, split_rows(table, 0).members)


@pytest.mark.slow
def test_membership_cells_are_pooled_resumed_and_shown(data: Path, tmp_path: Path) -> None:
    output, page = tmp_path / "membership.json", tmp_path / "docs" / "membership.md"
    command = [sys.executable, str(ROOT / "benchmarks" / "membership.py"), "--data", str(data), "--tables", "small"]
    command += ["--target", "small=y", "--max-steps", "5", "--output", str(output), "--markdown", str(page)]

    def run(splits: str) -> str:
        done = subprocess.run([*command, "--splits", splits], cwd=data, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("1")
    before = json.loads(output.read_text())
    assert "small/synthgan-default-5-steps/0: already there" in run("2")
    results = json.loads(output.read_text())
    assert len(results["cells"]) == 6
    assert results["cells"]["small/bootstrap/0"] == before["cells"]["small/bootstrap/0"]
    assert results["cells"]["small/synthgan-default-5-steps/1"]["settings"]["n_steps"] == 5
    assert all("source" in cell["run"] for cell in results["cells"].values())
    assert set(results["pooled"]) == {
        f"small/{generator}/{times}"
        for generator in ("bootstrap", "independent", "synthgan-default-5-steps")
        for times in "15"
    }
    control = results["pooled"]["small/bootstrap/5"]
    assert (control["n_splits"], control["guessing"]) == (2, False)
    areas = [results["cells"][f"small/bootstrap/{k}"]["trials"]["5"]["closest"]["auc"] for k in (0, 1)]
    assert control["attacks"]["closest"]["auc"] == pytest.approx(np.mean(areas))
    assert min(areas) > 0.95
    text = page.read_text()
    assert "200 members, 100 non-members and as many members judged, 100 reference rows in each split." in text
    assert "- bootstrap, 5x, 2 splits: 0.5 is outside the interval of " in text
    assert text.count("| exact_match |") == 6


# ---------------------------------------------------------------------------------------------------------------- peers


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks" / "peers")
    import ctgan_peer

    return ctgan_peer


def test_the_peer_gets_plain_values_and_gives_the_tables_own_back(peer: ModuleType, data: Path) -> None:
    frame = pd.read_parquet(data / "small.parquet")
    table, discrete = peer.plain(frame, ["x", "k"])
    assert discrete == ["c", "y"]
    assert [str(dtype) for dtype in table.dtypes[["x", "k"]]] == ["float64", "int64"]
    assert not table.isna().any().any()
    back = peer.restored(table.copy(), frame, discrete)
    for name in discrete:
        pd.testing.assert_series_equal(back[name], frame[name])


def test_the_peer_refuses_missing_numbers(peer: ModuleType) -> None:
    with pytest.raises(SystemExit, match="column x has missing numbers"):
        peer.plain(pd.DataFrame({"x": [1.0, None]}), ["x"])


def test_requirements_of_the_peer_are_pinned() -> None:
    lines = (ROOT / "benchmarks" / "peers" / "requirements-ctgan.txt").read_text().splitlines()
    assert "ctgan==0.12.1" in lines
    assert all("==" in line for line in lines if line and not line.startswith("#"))
