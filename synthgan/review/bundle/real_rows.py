"""The rows that were fitted and those that were not, told again from the table's own file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from synthgan.errors import DataError, ModelFileError, SettingsError
from synthgan.evaluation.all_parts import as_frame
from synthgan.fitting.receipt import read_receipt, receipt_path, split
from synthgan.review.bundle.release import Release
from synthgan.tables.sources.open import Data, names_csv, open_source

if TYPE_CHECKING:
    import pandas as pd

    from synthgan.tables.files.csv_format import CsvFormat

NO_RECEIPT = (
    "No receipt lay beside the model, so only columns and number of rows show that this is the table that was fitted."
)
NO_HOLDOUT = (
    "There were no real rows that the fit had not seen: the scores have no noise floor, and nothing shows whether rows "
    "come closer to training rows than fresh ones would."
)
GIVEN_HOLDOUT = "That the fit has not seen the rows of the holdout is the word of the one who gave them."


@dataclass(frozen=True)
class RealRows:
    """What synthetic rows are compared with.

    Attributes:
        training: the rows that were fitted.
        holdout: real rows that were not, None for none.
        checked_by: "receipt" where the table is known to be the one fitted, else "shape".
        holdout_from: who says that the holdout was held out.
        limits: sentences for the report.
        table: name of the table's file, without its folder; None for a table that came from no file.
    """

    training: pd.DataFrame
    holdout: pd.DataFrame | None
    checked_by: Literal["receipt", "shape"]
    holdout_from: Literal["receipt", "given", "none"]
    limits: tuple[str, ...]
    table: str | None = None


def real_rows(
    release: Release,
    model: str | os.PathLike[str],
    data: Data,
    *,
    holdout: Data | None = None,
    csv_format: CsvFormat | None = None,
) -> RealRows:
    """Divide the table as the fit did, and refuse one that was not fitted.

    Args:
        release: what is under review.
        model: its file; the receipt lies beside it.
        data: the table that was given to the fit.
        holdout: real rows that the fit has not seen, where the fit held out none itself.
        csv_format: how those of the files are written that are CSV.

    Raises:
        DataError: when the table is not the one that was fitted.
        ModelFileError: when a private model has no receipt, or the receipt cannot be read or was edited.
        SettingsError: when a holdout is given and the receipt tells one.
    """
    path = receipt_path(model)
    if path.exists():
        receipt = read_receipt(path, model=model)
        if release.account is not None and release.account.unit != receipt.unit:
            raise ModelFileError(
                f"the receipt '{path}' was edited: it names another unit than the model's guarantee; restore it from a "
                "copy, or fit again"
            )
        if receipt.n_holdout and holdout is not None:
            raise SettingsError(
                f"the receipt '{path}' tells which rows were held out; leave the holdout (--holdout) out"
            )
        training, held_out = split(data, receipt, csv_format=csv_format if names_csv(data) else None)
        if not training.n_rows:
            raise DataError(f"{training.description} has no row that was fitted; there is nothing to compare with")
        frame, fresh = training.to_frame(), held_out.to_frame() if receipt.n_holdout else None
        checked_by: Literal["receipt", "shape"] = "receipt"
    elif release.is_private:
        raise ModelFileError(
            f"there is no receipt '{path}', without which nobody can tell which rows a private fit was given; put it "
            "back beside the model"
        )
    else:
        frame, fresh, checked_by = _by_shape(release, data, csv_format), None, "shape"
    holdout_from: Literal["receipt", "given", "none"] = "none" if fresh is None else "receipt"
    if holdout is not None:
        fresh, holdout_from = as_frame(holdout, csv_format), "given"
    return RealRows(
        training=_modelled(frame, release),
        holdout=None if fresh is None else _modelled(fresh, release),
        checked_by=checked_by,
        holdout_from=holdout_from,
        limits=comparison_limits(checked_by, holdout_from),
        table=_file_names(data),
    )


def comparison_limits(checked_by: str, holdout_from: str) -> tuple[str, ...]:
    """What must be said of real rows that were come by in this way."""
    limits = () if checked_by == "receipt" else (NO_RECEIPT,)
    of_holdout = {"given": (GIVEN_HOLDOUT,), "none": (NO_HOLDOUT,)}
    return limits + of_holdout.get(holdout_from, ())


def _file_names(data: Data) -> str | None:
    """The name of a file, or of the first of several."""
    paths = data if isinstance(data, list | tuple) else [data]
    names = [Path(path).name for path in paths if isinstance(path, str | os.PathLike)]
    if not names:
        return None
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _by_shape(release: Release, data: Data, csv_format: CsvFormat | None) -> pd.DataFrame:
    """The table, if it has the columns and the number of rows that the model file states."""
    source = open_source(data, minimum_rows=1, csv_format=csv_format if names_csv(data) else None)
    names = release.fitted_names
    if tuple(source.names) != tuple(names):
        raise DataError(
            f"{source.description} is not the table of this model: it has other columns ({len(source.names)}, and the "
            f"model {len(names)}), or in another order; give the file that was fitted"
        )
    frame = as_frame(data, csv_format)
    if len(frame) != release.n_rows:
        raise DataError(
            f"{source.description} is not the table of this model: it has {len(frame):,} rows, and {release.n_rows:,} "
            "were fitted; give the file that was fitted (after a fit with a holdout, put its receipt beside the model)"
        )
    return frame


def _modelled(frame: pd.DataFrame, release: Release) -> pd.DataFrame:
    """Without the columns that the model drops."""
    dropped = set(release.fitted_names) - set(release.column_names)
    frame = as_frame(frame)
    return frame[[label for label in frame.columns if str(label) not in dropped]]
