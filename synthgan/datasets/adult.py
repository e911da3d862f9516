"""The bundled table: UCI Adult, for demonstrations and tests.

Adult holds 48,842 persons of the 1994 US census and 15 columns; the question is whether a person earns more than
50,000 dollars a year. Source: Becker, B. and Kohavi, R. (1996), *Adult*, UCI Machine Learning Repository,
https://doi.org/10.24432/C5XW20, licensed CC BY 4.0. Changes: the official training part comes first, unknown entries
are missing values, the file is Parquet.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from synthgan.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd

ADULT_TARGET = "income"
ADULT_TRAINING_ROWS = 32_561
"""Rows of the official training part, which come first in the file; the remaining 16,281 are the test part."""


def adult_path() -> Path:
    """Path of the bundled Parquet file, for everything that reads files.

    Example:
        >>> from synthgan.datasets import adult_path
        >>> adult_path().name
        'adult.parquet'
    """
    return Path(__file__).resolve().parent / "adult.parquet"


def load_adult(split: Literal["all", "train", "test"] = "all") -> pd.DataFrame:
    """Load the UCI Adult table.

    Args:
        split: ``"all"`` rows (48,842), or the official ``"train"`` (32,561) or ``"test"`` (16,281) part.

    Returns:
        A frame with 6 integer and 9 string columns; ``workclass``, ``occupation`` and ``native-country`` have missing
        values. The usual target is ``income``.

    Raises:
        SettingsError: when ``split`` is none of the three.

    Example:
        >>> from synthgan.datasets import load_adult
        >>> load_adult("train").shape, load_adult("test").shape
        ((32561, 15), (16281, 15))
    """
    import pandas as pd

    frame = pd.read_parquet(adult_path())
    if split == "all":
        return frame
    if split == "train":
        return frame.iloc[:ADULT_TRAINING_ROWS].reset_index(drop=True)
    if split == "test":
        return frame.iloc[ADULT_TRAINING_ROWS:].reset_index(drop=True)
    raise SettingsError("load_adult: split must be 'all', 'train' or 'test'; choose one of these.")


__all__ = ["ADULT_TARGET", "ADULT_TRAINING_ROWS", "adult_path", "load_adult"]
