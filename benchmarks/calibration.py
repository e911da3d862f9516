"""Our scores against the library and the definitions they follow: same tables, both figures, the difference.

python benchmarks/calibration.py --data ../shared/data --tables adult --files adult=ctgan.parquet \
    --output docs/benchmarks/calibration.json --markdown docs/benchmarks/calibration.md

A cell is one synthetic table beside one real one: a bootstrap of the training rows, independent columns, or the Parquet
file of any generator (``--files TABLE=FILE``). Shape, trend and strong pairs are held to ``QualityReport`` of
sdmetrics, column by column and pair by pair (trend over all pairs: its thresholds at zero, which is the papers'
protocol); the DCR share to its ``DCROverfittingProtection``, which scales otherwise, and to the papers' definition;
alpha-precision and beta-recall to the definitions of Alaa et al. 2022. Definitions are written down here a second time,
as literally as can be.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402  (the path above makes our own modules importable)
import pandas as pd  # noqa: E402
from scipy.spatial.distance import cdist  # noqa: E402

from benchmarks import scoring  # noqa: E402
from benchmarks.calibration_report import markdown  # noqa: E402
from benchmarks.cells import Cell, CellStore  # noqa: E402
from benchmarks.generate import GENERATORS  # noqa: E402
from benchmarks.tables import BenchmarkTable, load_table  # noqa: E402
from synthgan.evaluation.compared.compared_tables import compare  # noqa: E402

BUILT_IN = ("bootstrap", "independent")


def main() -> None:
    """Compare what is asked for and write the results."""
    arguments = _arguments()
    store = CellStore(arguments.output, "calibration")
    targets = dict(pair.split("=", 1) for pair in arguments.target)
    files = [pair.split("=", 1) for pair in arguments.files]
    for name in arguments.tables:
        table = load_table(name, arguments.data, target=targets.get(name))
        samples: dict[str, Path | None] = dict.fromkeys(BUILT_IN)
        samples |= {Path(path).stem: Path(path) for of_table, path in files if of_table == name}
        for sample, path in samples.items():
            store.measured(
                f"{name}/{sample}",
                {"seed": arguments.seed, "near_rows": arguments.near_rows, "file": path.name if path else None},
                lambda table=table, sample=sample, path=path: (
                    {"table": table.name, "sample": sample}
                    | calibrate(
                        table,
                        _rows(table, sample, path, arguments.seed),
                        near_rows=arguments.near_rows,
                        seed=arguments.seed,
                    )
                ),
                again=arguments.again,
                brief=_brief,
            )
    if arguments.markdown:
        arguments.markdown.parent.mkdir(parents=True, exist_ok=True)
        arguments.markdown.write_text(markdown(store.read()), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of Parquet tables")
    parser.add_argument("--tables", nargs="+", default=["adult"])
    parser.add_argument("--target", action="append", default=[], metavar="TABLE=COLUMN", help="for tables not listed")
    parser.add_argument("--files", nargs="*", default=[], metavar="TABLE=FILE", help="synthetic tables made elsewhere")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--near-rows", type=int, default=2000, help="rows of each table for neighbours; the library crosses all of them"
    )
    parser.add_argument("--again", action="store_true", help="measure cells that the output already holds")
    parser.add_argument("--output", type=Path, default=Path("calibration.json"))
    parser.add_argument("--markdown", type=Path)
    return parser.parse_args()


def _rows(table: BenchmarkTable, sample: str, path: Path | None, seed: int) -> pd.DataFrame:
    if path is not None:
        return pd.read_parquet(path)
    sampler, _ = GENERATORS[sample](table, seed, {})
    return sampler(len(table.train))


def calibrate(table: BenchmarkTable, synthetic: pd.DataFrame, *, near_rows: int, seed: int = 0) -> dict[str, Any]:
    """Both figures of each measure, and the largest difference of any column or pair.

    Args:
        table: the real table.
        synthetic: rows with its columns.
        near_rows: rows of each table for measures of neighbours; as many of the training rows as of the holdout.
        seed: of the rows drawn.
    """
    measures = _distributions(table, synthetic)
    rng = np.random.default_rng(seed)
    size = min(near_rows, len(table.test))
    few = {
        name: frame.iloc[np.sort(rng.permutation(len(frame))[:size])].reset_index(drop=True)
        for name, frame in (("real", table.train), ("synthetic", synthetic), ("holdout", table.test))
    }
    measures |= _closeness(table, few, seed) | _support(table, few, seed)
    return {
        "measures": measures,
        "n_rows": {"train": len(table.train), "synthetic": len(synthetic)},
        "n_near": {name: len(frame) for name, frame in few.items()},
    }


def _distributions(table: BenchmarkTable, synthetic: pd.DataFrame) -> dict[str, Any]:
    """Shape, trend over all pairs and strong pairs, beside sdmetrics'."""
    tables = compare({"real": table.train, "synthetic": synthetic}, numeric=table.numeric, keep=_names(table))
    ours = {score.name: score for score in scoring.fidelity_scores(tables, np.random.default_rng(0), n_resamples=0)}
    frames = [{"t": plain(frame, table.numeric)} for frame in (table.train, synthetic[_names(table)])]
    reported = _reported(frames, table)
    every_pair = _reported(frames, table, threshold=0.0)
    found = {}
    for name, parts in (
        ("shape", reported["Column Shapes"]),
        ("trend_own", every_pair["Column Pair Trends"]),
        ("strong_pairs", reported["Column Pair Trends"]),
    ):
        theirs = {part: error for part, error in parts.items() if not np.isnan(error)}
        details = ours[name].details
        apart = [abs(details[part] - error) for part, error in theirs.items() if part in details]
        found[name] = {
            "ours": ours[name].value,
            "theirs": float(np.mean(list(theirs.values()))) if theirs else None,
            "parts": len(theirs),
            "parts_compared": len(apart),
            "largest_difference": max(apart, default=None),
        }
    return found


def _reported(
    frames: Sequence[dict[str, pd.DataFrame]], table: BenchmarkTable, threshold: float | None = None
) -> dict[str, dict[str, float]]:
    """Errors in percent of each column and pair by sdmetrics; pairs that do not count are left out."""
    from sdmetrics.reports import QualityReport

    report = QualityReport()
    if threshold is not None:
        report.real_correlation_threshold = report.real_association_threshold = threshold
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report.generate(*frames, {"tables": {"t": _metadata(table)}}, verbose=False)
    found = {}
    for kind, columns in (("Column Shapes", ["Column"]), ("Column Pair Trends", ["Column 1", "Column 2"])):
        details = report.get_details(kind, "t")
        if "Meets Threshold?" in details:
            details = details[details["Meets Threshold?"].eq(True)]
        names = [" | ".join(row) for row in details[columns].astype(str).itertuples(index=False)]
        found[kind] = dict(zip(names, (100.0 * (1.0 - details["Score"].astype(float))).tolist(), strict=True))
    return found


def _closeness(table: BenchmarkTable, few: dict[str, pd.DataFrame], seed: int) -> dict[str, Any]:
    """The DCR share beside its definition and beside sdmetrics; a tie counts for the holdout, as the library has it."""
    from sdmetrics.single_table import DCROverfittingProtection

    tables = compare(few, numeric=table.numeric, keep=_names(table))
    score = scoring.closer_to_train_score(scoring.real_neighbours(tables, np.random.default_rng(seed), max_rows=None))
    frames = {name: plain(frame, table.numeric) for name, frame in few.items()}
    metadata = {"tables": {"t": _metadata(table)}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The library takes dicts of tables, save for the holdout.
        theirs = DCROverfittingProtection.compute_breakdown(
            {"t": frames["real"]}, {"t": frames["synthetic"]}, frames["holdout"], metadata, "t"
        )
    ours = score.value - 0.5 * score.details["ties"] / len(few["synthetic"])
    return {
        "dcr_share": {"ours": ours, "theirs": defined_dcr_share(few, table.numeric)},
        "dcr_share_sdmetrics": {
            "ours": ours,
            "theirs": float(theirs["synthetic_data_percentages"]["closer_to_training"]),
        },
    }


def defined_dcr_share(few: dict[str, pd.DataFrame], numeric: Sequence[str]) -> float:
    """Share of synthetic rows nearer to a training than to a holdout row: L1, scaled numbers, one-hot categories."""
    real, synthetic, holdout = _encoded([few[name] for name in ("real", "synthetic", "holdout")], numeric)
    to_train, to_holdout = (cdist(synthetic, rows, "cityblock").min(axis=1) for rows in (real, holdout))
    # Sums of the same terms in another order are no difference.
    return float((to_train < to_holdout - 1e-9).mean())


def _support(table: BenchmarkTable, few: dict[str, pd.DataFrame], seed: int) -> dict[str, Any]:
    """Alpha-precision and beta-recall, beside their definitions written down once more."""
    tables = compare(few, numeric=table.numeric, keep=_names(table))
    ours = scoring.alpha_precision_beta_recall(tables, np.random.default_rng(seed))
    theirs = defined_support(few["real"], few["synthetic"], table.numeric)
    return {
        name: {"ours": float(ours[i]), "theirs": theirs[i]} for i, name in enumerate(("alpha_precision", "beta_recall"))
    }


def defined_support(real: pd.DataFrame, synthetic: pd.DataFrame, numeric: Sequence[str]) -> tuple[float, float]:
    """Integrated alpha-precision and beta-recall (Alaa et al. 2022, equations 2 to 5), all distances at once.

    Numbers are scaled to the real table's range, categories are one-hot.
    """
    first, second = _encoded([real, synthetic], numeric)
    levels = np.linspace(0.0, 1.0, 30)
    from_centre = np.linalg.norm(first - first.mean(axis=0), axis=1)
    of_synthetic = np.linalg.norm(second - first.mean(axis=0), axis=1)
    precision = [(of_synthetic <= np.quantile(from_centre, level)).mean() for level in levels]

    among, across = cdist(first, first), cdist(first, second)
    np.fill_diagonal(among, np.inf)
    closest = across.argmin(axis=1)
    covered = across.min(axis=1) <= among.min(axis=1)
    depth = np.linalg.norm(second[closest] - second.mean(axis=0), axis=1)
    recall = [(covered & (depth <= np.quantile(depth, level))).mean() for level in levels]

    def agreement(curve: list[Any]) -> float:
        return float(1.0 - np.abs(np.array(curve) - levels).sum() / levels.sum())

    return agreement(precision), agreement(recall)


def _encoded(frames: Sequence[pd.DataFrame], numeric: Sequence[str]) -> list[Any]:
    """Features of each table: numbers scaled to the range of the first, a missing one in its middle, with a flag."""
    every = pd.concat([plain(frame, numeric) for frame in frames], ignore_index=True)
    parts = []
    for name in every:
        if name not in numeric:
            parts.append(pd.get_dummies(every[name].astype(str), dtype=np.float64).to_numpy())
            continue
        values = every[name].to_numpy()
        low, high = np.nanmin(values[: len(frames[0])]), np.nanmax(values[: len(frames[0])])
        parts.append(np.nan_to_num((values - low) / ((high - low) or 1.0), nan=0.5)[:, None])
        parts.append(np.isnan(values).astype(np.float64)[:, None])
    features = np.concatenate(parts, axis=1)
    return np.split(features, np.cumsum([len(frame) for frame in frames])[:-1])


def plain(frame: pd.DataFrame, numeric: Sequence[str]) -> pd.DataFrame:
    """The frame on the dtypes that sdmetrics handles well: floats, and texts or NaN."""
    return pd.DataFrame(
        {
            name: frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
            if name in numeric
            else frame[name].astype(object).where(frame[name].notna(), np.nan)
            for name in map(str, frame.columns)
        }
    )


def _metadata(table: BenchmarkTable) -> dict[str, Any]:
    kinds = {True: "numerical", False: "categorical"}
    return {"columns": {name: {"sdtype": kinds[name in table.numeric]} for name in _names(table)}}


def _names(table: BenchmarkTable) -> list[str]:
    return [str(name) for name in table.train.columns]


def _brief(cell: Cell) -> str:
    return ", ".join(
        f"{name} {found['ours']:.4f} / {found['theirs']:.4f}"
        for name, found in cell["measures"].items()
        if found["theirs"] is not None
    )


if __name__ == "__main__":
    main()
