"""Receipts: what the owner of a table keeps of a fit, and nobody else may see.

A receipt lies beside the model file, readable by its owner only. It tells the rows that were fitted from those that
were held out, and says exactly how many there were. Publishing it would void a private fit's guarantee: the model file
holds nothing of it, and it belongs where the table is kept.

A receipt that was edited divides the rows otherwise than the fit did, so it carries two keyed hashes: a *seal* over the
file, and one over the division. The key is in the file too, so neither is a signature: they tell of hands, not of
forgers.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgan.errors import DataError, ModelFileError
from synthgan.privacy.account.parameters import ROW
from synthgan.strict_json import read_json
from synthgan.tables.files.outputs import atomic_path, check_output
from synthgan.tables.reading.reading import Reading
from synthgan.tables.sources.derived_source import ChosenRows
from synthgan.tables.sources.holdout import KEY_BYTES, Division, divide
from synthgan.tables.sources.open import Data, open_source

if TYPE_CHECKING:
    from synthgan.tables.files.csv_format import CsvFormat

FORMAT = "synthgan-receipt"
VERSION = 2
NOTE = "Internal: tells which rows were fitted. Keep it with the table, never with the model."
MOST_BYTES = 1 << 24  # types of very many columns may be declared

STAYED = (
    "this is a copy, and the receipt, which tells the rows that were fitted, stayed with the original: save the "
    "original to have it written beside the model"
)
"""Among the notices of a copied or pickled synthesizer."""

_MODEL_SUFFIX = ".synthgan"
_RECEIPT_SUFFIX = ".receipt.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What a fit was given. Its ``repr``, which ends up in logs and notebooks, says none of what is secret or exact.

    Attributes:
        key: decides which units are held out, 16 bytes.
        holdout: the share asked for, in [0, 1).
        unit: "row", or the column whose values name persons.
        content: keyed hash of the whole table, in hex.
        n_rows: exact number of its rows.
        n_training: exact number of the rows that were fitted (before any limit of rows per person).
        n_holdout: exact number of the rows that were held out. Rows without a person, where persons are the units, are
            in neither number.
        sides: keyed hash of which rows these were, in hex; None in receipts of version 1, which tell the numbers only.
        reading: how the table was read, from `synthgan.tables.reading.reading.Reading.to_json`; None in older receipts.
    """

    key: bytes = field(repr=False)
    holdout: float
    unit: str
    content: str = field(repr=False)
    n_rows: int = field(repr=False)
    n_training: int = field(repr=False)
    n_holdout: int = field(repr=False)
    sides: str | None = field(default=None, repr=False)
    reading: Mapping[str, Any] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, division: Division, *, key: bytes, holdout: float, unit: str) -> Receipt:
        """The receipt of a table that was divided with these."""
        n_training, n_holdout = division.training.n_rows, division.holdout.n_rows
        assert n_training is not None
        assert n_holdout is not None
        return cls(
            key=key,
            holdout=holdout,
            unit=unit,
            content=division.content,
            n_rows=division.n_rows,
            n_training=n_training,
            n_holdout=n_holdout,
            sides=division.sides,
        )

    def tells(self, division: Division) -> bool:
        """Whether a division of the fitted table is the one that this receipt was written of."""
        n_rows = (division.n_rows, division.training.n_rows, division.holdout.n_rows)
        return n_rows == (self.n_rows, self.n_training, self.n_holdout) and self.sides in (None, division.sides)


def without_receipt(fitted: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a synthesizer for its copies and pickles, which travel further than a receipt may; they say so."""
    if fitted.get("receipt_") is None:
        return dict(fitted)
    return {**fitted, "receipt_": None, "notices_": (*fitted["notices_"], STAYED)}


def new_key() -> bytes:
    """A key for a holdout, from the operating system's entropy."""
    return os.urandom(KEY_BYTES)


def receipt_path(model: str | os.PathLike[str]) -> Path:
    """Where the receipt of a model file lies: ``model.receipt.json`` beside ``model.synthgan``."""
    model = Path(model)
    return model.with_name(model.name.removesuffix(_MODEL_SUFFIX) + _RECEIPT_SUFFIX)


def write_receipt(receipt: Receipt, model: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write the receipt of a model file that is there already, readable by its owner only.

    Raises:
        OutputError: when there is a receipt and ``force`` is off, or it cannot be written.
    """
    path = receipt_path(model)
    check_output(path, force=force)
    values = asdict(receipt) | {"key": receipt.key.hex()}
    content = {"format": FORMAT, "version": VERSION, "note": NOTE, "model_sha256": _sha256(Path(model)), **values}
    content["seal"] = _seal(content, receipt.key)
    with atomic_path(path, force=force) as temporary:
        temporary.chmod(0o600)  # before a byte of it is written
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path


def read_receipt(path: str | os.PathLike[str], *, model: str | os.PathLike[str] | None = None) -> Receipt:
    """Read what `write_receipt` wrote.

    Args:
        path: the receipt.
        model: the model file that it should belong to; None for not checking.

    Raises:
        ModelFileError: when the receipt is missing, damaged, edited, of another version or of another model.
    """
    path = Path(path)
    try:
        content: dict[str, Any] = read_json(path, most_bytes=MOST_BYTES)
        if content["format"] != FORMAT or content["version"] not in (1, VERSION):
            raise ValueError
        seal = content.pop("seal") if content["version"] == VERSION else None
        values = {name: value for name, value in content.items() if name not in ("format", "version", "note")}
        digest = values.pop("model_sha256")
        receipt = _checked(Receipt(**values | {"key": bytes.fromhex(values["key"])}))
        if (receipt.sides is None) != (seal is None):
            raise ValueError
    except FileNotFoundError:
        raise ModelFileError(f"there is no receipt '{path}'; fits with privacy or a holdout write one") from None
    except OSError:
        raise ModelFileError(f"cannot read the receipt '{path}'; run as the user who wrote it") from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise ModelFileError(
            f"'{path}' is no whole receipt of this version of synthgan; restore it from a copy, or fit again"
        ) from None
    if seal is not None and seal != _seal(content, receipt.key):
        raise ModelFileError(
            f"the receipt '{path}' was edited: its seal is broken; restore it from a copy, or fit again"
        )
    if model is not None and digest != _sha256(Path(model)):
        raise ModelFileError(f"the receipt '{path}' belongs to another model than '{os.fspath(model)}'")
    return receipt


def split(
    data: Data, receipt: Receipt | str | os.PathLike[str], *, csv_format: CsvFormat | None = None
) -> tuple[ChosenRows, ChosenRows]:
    """The rows that were fitted and those that were held out, told again from the table and its receipt.

    Both are sources: `Synthesizer.fit` takes them, and ``to_frame()`` makes a DataFrame.

    Args:
        data: the table that was fitted, as `synthgan.tables.sources.open.open_source` takes it.
        receipt: what `read_receipt` read, or the path.
        csv_format: as it was given to the fit.

    Raises:
        ModelFileError: when the receipt cannot be read, or divides the table otherwise than it says.
        DataError: when the table is not the one that was fitted, whole and in the same order.
    """
    if not isinstance(receipt, Receipt):
        receipt = read_receipt(receipt)
    named = None if receipt.unit == ROW else receipt.unit
    reading = None if receipt.reading is None else Reading.from_json(receipt.reading, unit=named)
    source = open_source(data, minimum_rows=0, reading=reading, csv_format=csv_format)
    unit = named if named in source.names else None
    division = divide(source, receipt.holdout, key=receipt.key, unit=unit)
    if division.content == receipt.content:
        if unit == named and receipt.tells(division):
            return division.training, division.holdout
        raise ModelFileError(
            f"the receipt does not belong to the fit of {source.description}, or was edited: it divides the rows "
            "otherwise than it says; restore it from a copy, or fit again"
        )
    raise DataError(
        f"{source.description} is not the table of this receipt: its columns, rows, their order or their types differ "
        "(a CSV file and a Parquet file of one table may have other types); give the file that was fitted"
    )


def _checked(receipt: Receipt) -> Receipt:
    counts = (receipt.n_rows, receipt.n_training, receipt.n_holdout)
    good = (
        len(receipt.key) == KEY_BYTES
        and isinstance(receipt.holdout, int | float)
        and 0 <= receipt.holdout < 1
        and isinstance(receipt.unit, str)
        and isinstance(receipt.content, str)
        and isinstance(receipt.sides, str | None)
        and all(isinstance(count, int) and count >= 0 for count in counts)
        and receipt.n_training + receipt.n_holdout <= receipt.n_rows
    )
    if not good:
        raise ValueError
    if receipt.reading is not None:
        Reading.from_json(receipt.reading, unit=None)
    return receipt


def _seal(content: Mapping[str, Any], key: bytes) -> str:
    """Keyed hash of all that a receipt says."""
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), key=key, digest_size=32).hexdigest()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        raise ModelFileError(f"cannot read the model file '{path}'") from None
    return digest.hexdigest()
