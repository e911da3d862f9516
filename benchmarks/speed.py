"""Speed: rows a second of each task, seconds to a fixed quality, and growth with rows, columns and levels.

python benchmarks/speed.py --data ../shared/data --peer-python PEERS/bin/python --threads 2 \
    --output docs/benchmarks/speed.json --markdown docs/benchmarks/speed.md

``tasks``     encode, fit, decode and sample one table, taking turns with ctgan (one epoch) in the same run
``quality``   ctgan at its own number of epochs, then synthgan with growing budgets of steps, each a whole schedule,
              until every measure is at least as good as ctgan's; the seconds of both
``rows``      the same table resampled to more and more rows
``columns``   made-up tables of more and more columns
``levels``    a made-up table with more and more levels in one column, at least 40 rows each

Each cell is measured in a process of its own, whose high-water mark of resident memory is its peak, libraries included.
The JSON is written after each; cells that it holds with the same options are not measured again (``--again`` does),
those of synthgan only if they were measured of the package as it is now. Several processes may share the JSON.
ctgan's whole fit may have been done before: ``--peer-sample`` takes its rows, and its seconds are given with
``--peer-seconds`` or extrapolated from two short fits in this run, ``--peer-epochs-timed 1 3``.
Without ``--peer-python`` everything that runs ctgan is skipped, and the output says so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.cells import CellStore  # noqa: E402  (the path above makes our own modules importable)
from benchmarks.made_up import write_made_up  # noqa: E402
from benchmarks.speed_report import QUALITY, markdown, unmet  # noqa: E402

PARTS = ("tasks", "quality", "rows", "columns", "levels")
PEER_SCRIPT = ROOT / "benchmarks" / "peers" / "ctgan_peer.py"
COLUMNS_ROWS = 20_000
LEVELS_ROWS = 200_000
LEVELS_COLUMNS = 15


def main() -> None:
    """Measure what is asked for and write the results."""
    arguments = _arguments()
    store = CellStore(arguments.output, "speed")
    skipped: dict[str, str] = {}
    if arguments.peer_python is None or not arguments.peer_python.exists():
        skipped["ctgan"] = "no python of an environment with ctgan was given (--peer-python)"
        print(f"ctgan: skipped, {skipped['ctgan']}", flush=True)
        arguments.peer_python = None
    with tempfile.TemporaryDirectory(prefix="synthgan-bench-", dir=arguments.folder) as scratch:
        if arguments.data is None:
            arguments.data = _bundled_table(Path(scratch))
        session = Session(arguments, store, skipped, Path(scratch))
        for part in arguments.parts:
            MEASURED[part](session)
    with store.change() as results:
        results["skipped"] = skipped
    if arguments.markdown:
        arguments.markdown.parent.mkdir(parents=True, exist_ok=True)
        arguments.markdown.write_text(markdown(store.read()), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--data", type=Path, help="folder of Parquet tables; the bundled Adult by default")
    parser.add_argument("--table", default="adult")
    parser.add_argument("--target", help="column to predict, for tables not listed in benchmarks/tables.py")
    parser.add_argument("--threads", type=int, help="of every process; the libraries' own choice by default")
    parser.add_argument("--rounds", type=int, default=3, help="turns of synthgan and ctgan in 'tasks'")
    parser.add_argument("--repeats", type=int, default=5, help="of encoding, decoding and sampling in each process")
    parser.add_argument("--steps", type=int, default=50, help="of the fits in 'tasks'")
    parser.add_argument("--growth-steps", type=int, default=20, help="of the fits in 'rows', 'columns' and 'levels'")
    parser.add_argument("--sampled-rows", type=int, default=100_000, help="most rows sampled in the growth")
    parser.add_argument("--rows", nargs="+", type=int, default=[10_000, 100_000, 1_000_000, 10_000_000])
    parser.add_argument("--columns", nargs="+", type=int, default=[15, 50, 100, 200])
    parser.add_argument("--levels", nargs="+", type=int, default=[10, 100, 1_000, 5_000])
    parser.add_argument(
        "--budgets", nargs="+", type=int, default=[100, 200, 300, 450, 600, 900], help="steps, ascending"
    )
    parser.add_argument("--effort", default="default", help="of the fits in 'quality'")
    parser.add_argument("--peer-python", type=Path, help="python of an environment with ctgan")
    parser.add_argument("--peer-epochs", type=int, default=300)
    parser.add_argument(
        "--peer-sample", type=Path, help="Parquet of a sample that ctgan made earlier with those epochs"
    )
    parser.add_argument(
        "--peer-seconds", type=float, help="seconds of the fit behind --peer-sample, where measured here"
    )
    parser.add_argument(
        "--peer-epochs-timed", nargs=2, type=int, metavar=("E1", "E2"), help="extrapolate from two short fits"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="smallest sizes, to see that all works")
    parser.add_argument("--folder", type=Path, help="where temporary files are written; the system's own by default")
    parser.add_argument("--again", action="store_true", help="measure cells that the output already holds")
    parser.add_argument("--output", type=Path, default=Path("speed.json"))
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    if arguments.quick:
        small = {"rows": [2_000], "columns": [5], "levels": [10], "budgets": [3], "steps": 3, "rounds": 1, "repeats": 1}
        vars(arguments).update(small, growth_steps=3, sampled_rows=2_000, peer_epochs=1)
    n_ways = sum(way is not None for way in (arguments.peer_seconds, arguments.peer_epochs_timed))
    if n_ways != (arguments.peer_sample is not None):
        parser.error("--peer-sample goes with either --peer-seconds or --peer-epochs-timed, and these only with it")
    return arguments


class Session:
    """One run: its options, its results and how cells are measured."""

    def __init__(self, arguments: argparse.Namespace, store: CellStore, skipped: dict[str, str], scratch: Path) -> None:
        self.arguments = arguments
        self.store = store
        self.skipped = skipped
        self.scratch = scratch
        self.environment = dict(os.environ)
        if arguments.threads is not None:
            names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
            self.environment |= dict.fromkeys(names, str(arguments.threads))

    def cell(
        self, key: str, options: dict[str, Any], measure: Callable[[], dict[str, Any]], *, ours: bool = True
    ) -> dict[str, Any]:
        """The cell as the output holds it, measured now unless it is there."""
        threads = self.arguments.threads
        return self.store.measured(
            key,
            options | {"threads": threads, "seed": self.arguments.seed},
            measure,
            ours=ours,
            again=self.arguments.again,
            more={} if threads is None else {"threads": threads},
        )

    def synthgan(self, **options: Any) -> dict[str, Any]:
        """`benchmarks.speed_tasks` in a process of its own."""
        command = [sys.executable, "-m", "benchmarks.speed_tasks", json.dumps(options)]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, check=True, stdout=subprocess.PIPE, text=True)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def peer(self, train: Path, numeric: tuple[str, ...], *, epochs: int, repeats: int, sample: Path) -> dict[str, Any]:
        """One fit of ctgan in its own environment."""
        meta = self.scratch / "peer.json"
        command = [
            *(str(self.arguments.peer_python.absolute()), str(PEER_SCRIPT), "--train", str(train)),
            *("--numeric", *numeric, "--epochs", str(epochs), "--seed", str(self.arguments.seed)),
            *("--repeats", str(repeats), "--sample", str(sample), "--meta", str(meta)),
        ]
        # Away from the repository, so that nothing of it can be imported by accident.
        subprocess.run(command, cwd=self.scratch, env=self.environment, check=True)
        found: dict[str, Any] = json.loads(meta.read_text(encoding="utf-8"))
        return found


def measure_tasks(session: Session) -> None:
    """Encode, fit, decode and sample the table, ours and ctgan's in turns."""
    from benchmarks.tables import load_table

    arguments = session.arguments
    table = load_table(arguments.table, arguments.data, target=arguments.target)
    train = session.scratch / "train.parquet"
    table.train.to_parquet(train)
    repeats = arguments.repeats
    options = {"steps": arguments.steps, "rounds": arguments.rounds, "repeats": repeats}

    def measure() -> dict[str, Any]:
        found: dict[str, Any] = {"n_rows": len(table.train), "n_columns": table.train.shape[1], "synthgan": []}
        if arguments.peer_python is not None:
            found["ctgan"] = []
        for _ in range(arguments.rounds):
            found["synthgan"].append(
                session.synthgan(
                    path=str(train),
                    target=table.target,
                    steps=arguments.steps,
                    repeats=repeats,
                    sampled_rows=len(table.train),
                    seed=arguments.seed,
                )
            )
            if arguments.peer_python is not None:
                sample = session.scratch / "peer.parquet"
                found["ctgan"].append(session.peer(train, table.numeric, epochs=1, repeats=repeats, sample=sample))
        return found

    session.cell(f"tasks/{table.name}", options | {"ctgan": arguments.peer_python is not None}, measure)


def measure_quality(session: Session) -> None:
    """Seconds until every measure is at least as good as ctgan's."""
    from benchmarks.tables import load_table

    arguments = session.arguments
    if arguments.peer_python is None and arguments.peer_seconds is None:
        session.skipped["quality"] = "there is no ctgan to compare with"
        print(f"quality: skipped, {session.skipped['quality']}", flush=True)
        return
    table = load_table(arguments.table, arguments.data, target=arguments.target)
    train = session.scratch / "train.parquet"
    table.train.to_parquet(train)
    wanted = session.cell(
        f"quality/{table.name}/ctgan",
        {
            "epochs": arguments.peer_epochs,
            "sample": arguments.peer_sample and arguments.peer_sample.name,
            "timed": arguments.peer_epochs_timed,
        },
        lambda: _peer_quality(session, table, train),
        ours=False,
    )
    for budget in sorted(arguments.budgets):
        found = session.cell(
            f"quality/{table.name}/{budget}",
            {"max_steps": budget, "effort": arguments.effort},
            lambda budget=budget: _our_quality(session, table, budget),
        )
        short = unmet(found["scores"], wanted["scores"])
        print(f"{budget} steps: {'as good' if not short else 'worse in ' + ', '.join(short)}", flush=True)
        if not short:
            break


def _peer_quality(session: Session, table: Any, train: Path) -> dict[str, Any]:
    arguments = session.arguments
    sample = session.scratch / "peer.parquet"

    def fit(epochs: int) -> float:
        cost = session.peer(train, table.numeric, epochs=epochs, repeats=0, sample=sample)
        return float(cost["fit_seconds"])

    found: dict[str, Any] = {"epochs": arguments.peer_epochs}
    if arguments.peer_sample is None:
        found |= {"fit_seconds": fit(arguments.peer_epochs), "seconds_from": "the whole fit"}
    elif arguments.peer_epochs_timed is not None:
        few, many = arguments.peer_epochs_timed
        first, second = fit(few), fit(many)
        per_epoch = (second - first) / (many - few)
        found |= {
            "fit_seconds": first + (arguments.peer_epochs - few) * per_epoch,
            "seconds_from": f"fits of {few} and {many} epochs, extrapolated",
            "seconds_per_epoch": per_epoch,
        }
    else:
        found |= {"fit_seconds": arguments.peer_seconds, "seconds_from": "measured before, given with its sample"}
    return found | {"scores": _scores(table, arguments.peer_sample or sample)}


def _our_quality(session: Session, table: Any, budget: int) -> dict[str, Any]:
    arguments = session.arguments
    sample, meta = session.scratch / "ours.parquet", session.scratch / "ours.json"
    command = [
        *(sys.executable, "-m", "benchmarks.generate", "--generator", "synthgan", "--table", table.name),
        *("--data", str(arguments.data.absolute()), "--seed", str(arguments.seed)),
        *(() if arguments.target is None else ("--target", arguments.target)),
        *("--options", json.dumps({"max_steps": budget, "effort": arguments.effort, "device": "cpu"})),
        *("--sample", str(sample), "--meta", str(meta)),
    ]
    subprocess.run(command, cwd=ROOT, env=session.environment, check=True)
    cost = json.loads(meta.read_text(encoding="utf-8"))
    kept = {name: cost[name] for name in ("fit_seconds", "sample_seconds", "peak_rss_mib")}
    return kept | {"settings": cost["training_settings"], "scores": _scores(table, sample)}


def _scores(table: Any, sample: Path) -> dict[str, float]:
    import pandas as pd

    from benchmarks.scoring import score_sample

    scores = score_sample(table.train, table.test, pd.read_parquet(sample), table)
    return {name: float(scores[name]) for name in QUALITY if name in scores}


def measure_rows(session: Session) -> None:
    """Resampled Adult of more and more rows; as many are sampled, up to a point."""
    from benchmarks.scale import write_table

    for n_rows in session.arguments.rows:
        with _scratch_file(session, "rows.parquet") as path:
            _grow(
                session,
                f"rows/{n_rows}",
                path,
                lambda path=path, n_rows=n_rows: write_table(path, n_rows, session.arguments.seed),
                sampled_rows=min(n_rows, session.arguments.sampled_rows),
                target="income",
            )


def measure_columns(session: Session) -> None:
    """Made-up tables of more and more columns."""
    for n_columns in session.arguments.columns:
        with _scratch_file(session, "columns.parquet") as path:
            _grow(
                session,
                f"columns/{n_columns}",
                path,
                lambda path=path, n=n_columns: write_made_up(
                    path, COLUMNS_ROWS, n, n_levels=10, seed=session.arguments.seed
                ),
                sampled_rows=session.arguments.sampled_rows,
            )


def measure_levels(session: Session) -> None:
    """A made-up table with more and more levels in its first column."""
    for n_levels in session.arguments.levels:
        with _scratch_file(session, "levels.parquet") as path:
            _grow(
                session,
                f"levels/{n_levels}",
                path,
                lambda path=path, n=n_levels: write_made_up(
                    path, LEVELS_ROWS, LEVELS_COLUMNS, n_levels=n, seed=session.arguments.seed
                ),
                sampled_rows=session.arguments.sampled_rows,
            )


def _grow(
    session: Session,
    key: str,
    path: Path,
    write: Callable[[], None],
    *,
    sampled_rows: int,
    target: str | None = None,
) -> None:
    arguments = session.arguments
    options = {"steps": arguments.growth_steps, "sampled_rows": sampled_rows}

    def measure() -> dict[str, Any]:
        write()
        return session.synthgan(path=str(path), stream=True, target=target, repeats=1, seed=arguments.seed, **options)

    session.cell(key, options, measure)


@contextmanager
def _scratch_file(session: Session, name: str) -> Iterator[Path]:
    path = session.scratch / name
    yield path
    path.unlink(missing_ok=True)


def _bundled_table(scratch: Path) -> Path:
    from synthgan.datasets import load_adult

    folder = scratch / "data"
    folder.mkdir()
    for part in ("train", "test"):
        load_adult(part).to_parquet(folder / f"adult_{part}.parquet")
    return folder


MEASURED: dict[str, Callable[[Session], None]] = {
    "tasks": measure_tasks,
    "quality": measure_quality,
    "rows": measure_rows,
    "columns": measure_columns,
    "levels": measure_levels,
}


if __name__ == "__main__":
    main()
