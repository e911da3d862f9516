"""Fidelity of synthgan and its peers on real tables: every measure, several seeds, JSON and Markdown.

python benchmarks/fidelity.py --data ../shared/data --tables adult default shoppers --seeds 0 1 2 \
    --output results.json --markdown docs/benchmarks/fidelity.md --peers ctgan

A cell is one fit of one generator on one table with one seed. Each runs in a process of its own; the JSON is written
after each. Cells that it already holds with the same options are not run again (``--again`` runs them), those of
synthgan only if they were made by the package as it is now. Several processes may share the JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.cells import CellStore  # noqa: E402  (the path above makes our own modules importable)
from benchmarks.machine import describe_run  # noqa: E402
from benchmarks.report import markdown  # noqa: E402
from benchmarks.tables import BenchmarkTable, load_table  # noqa: E402

BUILT_IN = ("bootstrap", "independent")
PEERS = ("ctgan", "tvae")
PEER_EPOCHS = 300
DEFAULT_TABLES = ("adult", "default", "shoppers")
PEER_FOLDER = ROOT / "benchmarks" / "peers"


def main() -> None:
    """Run the cells that are asked for and write the results."""
    arguments = _arguments()
    store = CellStore(arguments.output, "fidelity")
    targets = dict(pair.split("=", 1) for pair in arguments.target)
    for name in arguments.tables:
        table = load_table(name, arguments.data, target=targets.get(name))
        for cell in _cells(arguments, table):
            store.measured(
                f"{name}/{cell['generator']}/{cell['seed']}",
                _named(cell["options"]),
                lambda table=table, cell=cell: _run_cell(arguments, table, cell, targets.get(table.name)),
                ours=cell["generator"].startswith("synthgan"),
                again=arguments.again,
                brief=lambda found: _brief(found["scores"]),
            )
        for peer in arguments.peers if arguments.peer_timing else ():
            timing = _time_peer(arguments, table, peer) | {"run": describe_run()}
            with store.change() as results:
                results.setdefault("peer_timing", {})[f"{peer}/{name}"] = timing
    if arguments.markdown:
        arguments.markdown.parent.mkdir(parents=True, exist_ok=True)
        arguments.markdown.write_text(markdown(store.read()), encoding="utf-8")
        print(f"{arguments.markdown} written", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of Parquet tables")
    parser.add_argument("--tables", nargs="+", default=list(DEFAULT_TABLES))
    parser.add_argument("--target", action="append", default=[], metavar="TABLE=COLUMN", help="for tables not listed")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--effort", nargs="*", default=["default"], help="efforts of synthgan; none to leave it out")
    parser.add_argument("--max-steps", type=int)
    parser.add_argument("--time-limit", type=float, help="seconds a fit")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--unprotected", action="store_true", help="also synthgan without value protection")
    parser.add_argument("--built-in", nargs="*", choices=BUILT_IN, default=list(BUILT_IN))
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=[])
    parser.add_argument("--peer-seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--peer-epochs", type=int, default=PEER_EPOCHS)
    parser.add_argument("--peer-python", type=Path, help="python of an environment with the peer; made if not given")
    parser.add_argument(
        "--peer-timing", nargs=2, type=int, metavar=("E1", "E2"), help="time peers at two numbers of epochs"
    )
    parser.add_argument(
        "--cached",
        action="append",
        nargs=4,
        default=[],
        metavar=("GENERATOR", "TABLE", "SAMPLE.parquet", "META.json"),
        help="score a sample made earlier; the JSON holds fit_seconds and sample_seconds",
    )
    parser.add_argument("--cache", type=Path, default=_default_cache(), help="where peer environments are made")
    parser.add_argument("--jobs", type=int, default=1, help="threads of XGBoost")
    parser.add_argument("--again", action="store_true", help="run cells that the output already holds")
    parser.add_argument("--output", type=Path, default=Path("fidelity.json"))
    parser.add_argument("--markdown", type=Path)
    return parser.parse_args()


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "synthgan-benchmarks"


def _cells(arguments: argparse.Namespace, table: BenchmarkTable) -> list[dict[str, Any]]:
    """Generator, seed and options of every cell of one table."""
    limits = {
        name: value
        for name, value in (("max_steps", arguments.max_steps), ("time_limit", arguments.time_limit))
        if value is not None
    }
    cells = []
    for effort in arguments.effort:
        options = {"effort": effort, "device": arguments.device, **limits}
        for seed in arguments.seeds:
            cells.append({"generator": f"synthgan-{effort}", "seed": seed, "options": options})
            if arguments.unprotected:
                free = options | {"protect_values": False}
                cells.append({"generator": f"synthgan-{effort}-unprotected", "seed": seed, "options": free})
    cells += [
        {"generator": name, "seed": seed, "options": {}} for name in arguments.built_in for seed in arguments.seeds
    ]
    cached = {(generator, name): (sample, meta) for generator, name, sample, meta in arguments.cached}
    for (generator, name), (sample, meta) in cached.items():
        if name == table.name:
            cells.append({"generator": generator, "seed": 0, "options": {"cached": sample, "meta": meta}})
    cells += [
        {"generator": peer, "seed": seed, "options": {"epochs": arguments.peer_epochs}}
        for peer in arguments.peers
        for seed in arguments.peer_seeds
        if (peer, table.name) not in cached
    ]
    return cells


def _named(options: dict[str, Any]) -> dict[str, Any]:
    """The options as they are kept: of files made earlier, the names without the machine's folders."""
    return {key: Path(value).name if key in ("cached", "meta") else value for key, value in options.items()}


def _run_cell(
    arguments: argparse.Namespace, table: BenchmarkTable, cell: dict[str, Any], target: str | None
) -> dict[str, Any]:
    """Make the sample and score it."""
    import pandas as pd

    from benchmarks.scoring import score_sample

    with tempfile.TemporaryDirectory(prefix="synthgan-bench-") as scratch:
        sample, meta = Path(scratch, "sample.parquet"), Path(scratch, "meta.json")
        generator, options = cell["generator"], cell["options"]
        cached = "cached" in options
        if cached:
            sample, meta = Path(options["cached"]), Path(options["meta"])
        elif generator in PEERS:
            _run_peer(
                arguments, table, generator, seed=cell["seed"], epochs=options["epochs"], sample=sample, meta=meta
            )
        else:
            command = [
                *(sys.executable, "-m", "benchmarks.generate", "--generator", generator.partition("-")[0]),
                *("--table", table.name, "--data", str(arguments.data.resolve()), "--seed", str(cell["seed"])),
                *("--options", json.dumps(options), "--sample", str(sample), "--meta", str(meta)),
            ]
            if target is not None:
                command += ["--target", target]
            subprocess.run(command, cwd=ROOT, check=True)
        cost = json.loads(meta.read_text(encoding="utf-8"))
        synthetic = pd.read_parquet(sample)
    scores = score_sample(table.train, table.test, synthetic, table, n_jobs=arguments.jobs, full=True)
    for name in ("fit_seconds", "sample_seconds", "peak_rss_mib"):
        if name in cost:
            scores[name] = cost.pop(name)
    return {
        "table": table.name,
        "generator": generator,
        "seed": cell["seed"],
        "cached": cached,
        "n_rows": {
            "train": len(table.train),
            "test": len(table.test),
            "synthetic": len(synthetic),
            "columns": table.train.shape[1],
        },
        "scores": scores,
        "settings": cost.pop("training_settings", None),
        "generator_facts": cost,
    }


def _run_peer(
    arguments: argparse.Namespace,
    table: BenchmarkTable,
    peer: str,
    *,
    seed: int,
    epochs: int,
    sample: Path,
    meta: Path,
) -> None:
    """One fit of a peer in its own environment."""
    train = sample.with_name("train.parquet")
    table.train.to_parquet(train)
    command = [
        *(str(_peer_python(arguments)), str(PEER_FOLDER / "ctgan_peer.py"), "--model", peer),
        *("--train", str(train), "--numeric", *table.numeric, "--epochs", str(epochs), "--seed", str(seed)),
        *("--sample", str(sample), "--meta", str(meta)),
    ]
    # Away from the repository, so that nothing of it can be imported by accident.
    subprocess.run(command, cwd=sample.parent, check=True)


def _time_peer(arguments: argparse.Namespace, table: BenchmarkTable, peer: str) -> dict[str, float]:
    """Seconds per epoch of a peer from two short runs, beside which ours were measured on the same machine."""
    seconds = []
    for epochs in arguments.peer_timing:
        with tempfile.TemporaryDirectory(prefix="synthgan-bench-") as scratch:
            sample, meta = Path(scratch, "sample.parquet"), Path(scratch, "meta.json")
            _run_peer(arguments, table, peer, seed=0, epochs=epochs, sample=sample, meta=meta)
            seconds.append(json.loads(meta.read_text(encoding="utf-8"))["fit_seconds"])
    few, many = arguments.peer_timing
    per_epoch = (seconds[1] - seconds[0]) / (many - few)
    return {"seconds_per_epoch": per_epoch, "fixed_seconds": seconds[0] - few * per_epoch, "epochs": [few, many]}


def _peer_python(arguments: argparse.Namespace) -> Path:
    """The python of the peers' environment, made from the pinned requirements the first time."""
    if arguments.peer_python is not None:
        return Path(arguments.peer_python).absolute()
    folder = Path(arguments.cache).absolute() / "ctgan"
    python: Path = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        print(f"making the peers' environment in {folder}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        requirements = str(PEER_FOLDER / "requirements-ctgan.txt")
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
        ready.touch()
    return python


def _brief(scores: dict[str, float]) -> str:
    names = ("shape", "trend_shared", "strong_pairs", "xgb_c2st", "mle_auc", "mle_rmse", "mode_coverage", "fit_seconds")
    return ", ".join(f"{name} {scores[name]:.3f}" for name in names if name in scores)


if __name__ == "__main__":
    main()
