"""The benchmark tables: where they lie, how they are split, which columns are numeric and what is to be predicted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

SPLIT_SEED = 1234
TRAIN_SHARE = 0.9

Task = Literal["classification", "regression"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Protocol:
    """What the published protocol fixes for one table; None for "read it off the dtypes"."""

    target: str
    task: Task = "classification"
    numeric: tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchmarkTable:
    """A table split into training and test rows."""

    name: str
    train: pd.DataFrame
    test: pd.DataFrame
    target: str
    task: Task
    numeric: tuple[str, ...]


PROTOCOLS: dict[str, Protocol] = {
    "adult": Protocol(
        target="income",
        numeric=("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"),
    ),
    "default": Protocol(
        target="default_payment_next_month",
        numeric=(
            "LIMIT_BAL",
            "AGE",
            *(f"BILL_AMT{month}" for month in range(1, 7)),
            *(f"PAY_AMT{month}" for month in range(1, 7)),
        ),
        drop=("ID",),
    ),
    "shoppers": Protocol(
        target="Revenue",
        numeric=(
            "Administrative",
            "Administrative_Duration",
            "Informational",
            "Informational_Duration",
            "ProductRelated",
            "ProductRelated_Duration",
            "BounceRates",
            "ExitRates",
            "PageValues",
            "SpecialDay",
        ),
    ),
    "german_credit": Protocol(target="credit_risk"),
    "insurance": Protocol(target="charges", task="regression"),
    "hotel_bookings": Protocol(target="is_canceled"),
    "nyc_taxis": Protocol(target="fare", task="regression"),
    "titanic": Protocol(target="survived"),
    "penguins_raw": Protocol(target="Species"),
}


def load_table(name: str, folder: str | Path, *, target: str | None = None) -> BenchmarkTable:
    """Read ``NAME_train.parquet`` and ``NAME_test.parquet``, or split ``NAME.parquet`` 90/10 as the protocol says.

    Args:
        name: table name without suffix.
        folder: folder of Parquet files.
        target: column to predict; needed for tables that `PROTOCOLS` does not list.

    Raises:
        FileNotFoundError: the folder does not hold the table.
        ValueError: the table is not listed and no target was given.
    """
    folder = Path(folder)
    official = folder / f"{name}_train.parquet", folder / f"{name}_test.parquet"
    if all(path.exists() for path in official):
        train, test = (pd.read_parquet(path) for path in official)
    elif (folder / f"{name}.parquet").exists():
        train, test = split(pd.read_parquet(folder / f"{name}.parquet"))
    else:
        raise FileNotFoundError(
            f"{folder} holds neither {name}.parquet nor {name}_train.parquet and {name}_test.parquet"
        )
    protocol = PROTOCOLS.get(name)
    if protocol is None:
        if target is None:
            raise ValueError(
                f"table {name} is not in benchmarks/tables.py: give its target with --target {name}=COLUMN"
            )
        protocol = Protocol(target=target, task=_guess_task(train[target]))
    numeric = protocol.numeric if protocol.numeric is not None else _numeric_columns(train, protocol)
    return BenchmarkTable(
        name=name,
        train=train.drop(columns=list(protocol.drop)),
        test=test.drop(columns=list(protocol.drop)),
        target=target or protocol.target,
        task=protocol.task,
        numeric=numeric,
    )


def split(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first 90% of a seeded permutation, and the rest."""
    order = np.random.RandomState(SPLIT_SEED).permutation(len(frame))
    n_train = int(TRAIN_SHARE * len(frame))
    return frame.iloc[order[:n_train]].reset_index(drop=True), frame.iloc[order[n_train:]].reset_index(drop=True)


def _guess_task(target: pd.Series) -> Task:
    few = 20
    return "regression" if pd.api.types.is_numeric_dtype(target) and target.nunique() > few else "classification"


def _numeric_columns(frame: pd.DataFrame, protocol: Protocol) -> tuple[str, ...]:
    def numeric(name: str) -> bool:
        dtype = frame[name].dtype
        if name == protocol.target:
            return protocol.task == "regression"
        if pd.api.types.is_bool_dtype(dtype):
            return False
        return bool(pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_datetime64_any_dtype(dtype))

    return tuple(name for name in frame.columns if numeric(name) and name not in protocol.drop)
