"""How a CSV file is written: its encoding, separator, decimal sign, and what stands for a missing cell.

What is not said is told from the first bytes of a file: the encoding from its byte order mark (UTF-8 without one), the
separator from the header line. No row below the header is looked at.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from synthgan.errors import SettingsError, SourceError

MISSING_SPELLINGS: Final = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
"""How `pandas.read_csv` takes missing cells to be spelled."""

_SEPARATORS = (",", ";", "\t", "|")
_NAMED_SEPARATORS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " ", "pipe": "|"}
_DECIMALS = (".", ",")
_HEAD_BYTES = 1 << 16
_TAB_SUFFIXES = (".tsv", ".tsv.gz")
_BYTE_ORDER_MARKS = (  # the long ones first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


_OF_NAMES = frozenset({"idna", "punycode"})
"""Codecs of names on the internet, which Python counts among the encodings of text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CsvFormat:
    """How CSV files are to be read.

    Attributes:
        encoding: name of the text encoding, such as "latin-1" or "cp1252"; None for UTF-8, or what a byte order mark
            says.
        separator: one character between cells, or its name ("tab", "comma", "semicolon", "pipe", "space"); None for
            what the header line shows (a tab in .tsv files).
        decimal: "." or ",".
        missing: texts that stand for a missing cell, besides the empty one; None for those that pandas takes
            (NA, NaN, null, None, n/a and others). An empty tuple leaves only the empty cell.

    Raises:
        SettingsError: for an encoding that Python does not know, or another setting out of range.

    Example:
        >>> from synthgan import CsvFormat
        >>> CsvFormat(encoding="latin-1", separator="semicolon", decimal=",").separator
        ';'
    """

    encoding: str | None = None
    separator: str | None = None
    decimal: str = "."
    missing: tuple[str, ...] | None = field(default=None)

    def __post_init__(self) -> None:
        """Check each setting, and bring separators onto one character."""
        if self.encoding is not None:
            object.__setattr__(self, "encoding", _checked_encoding(self.encoding))
        if self.separator is not None:
            separator = _NAMED_SEPARATORS.get(self.separator, self.separator)
            if len(separator) != 1 or not separator.isascii() or separator.isalnum() or separator in '"\r\n.':
                raise SettingsError(
                    "the separator of a CSV file must be one ASCII character that is no letter, digit, quote or point, "
                    f"or one of {', '.join(name for name in _NAMED_SEPARATORS if name.isalpha())}."
                )
            object.__setattr__(self, "separator", separator)
        if self.decimal not in _DECIMALS:
            raise SettingsError("the decimal sign of a CSV file must be '.' or ','.")
        if self.missing is not None:
            given: Any = self.missing
            if not isinstance(given, list | tuple) or not all(isinstance(text, str) for text in given):
                raise SettingsError("the spellings of a missing cell must be a tuple of texts.")
            object.__setattr__(self, "missing", tuple(self.missing))

    @property
    def missing_spellings(self) -> tuple[str, ...]:
        """All texts that stand for a missing cell, the empty one among them."""
        return MISSING_SPELLINGS if self.missing is None else tuple(dict.fromkeys(("", *self.missing)))

    def settled(self, path: Path) -> CsvFormat:
        """This format with encoding and separator as they are in the file ``path``, for which its header is read.

        Raises:
            SourceError: when the file is empty, no text, or not written in that encoding.
        """
        with explained(path, self.encoding), pa.input_stream(str(path), compression="detect") as stream:
            head = stream.read(_HEAD_BYTES)
        marked = next((name for mark, name in _BYTE_ORDER_MARKS if head.startswith(mark)), None)
        encoding = self.encoding or marked or "utf-8"
        with explained(path, encoding):  # UTF-16 and UTF-32 ask for a byte order mark
            text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(head)
        if not text.strip("\ufeff \t\r\n"):
            raise SourceError(f"{path} is empty: a header line with column names and rows below it are expected")
        if "\0" in text:
            raise SourceError(
                f"{path} is not a text file: save it as CSV (UTF-8), give it the suffix of its format, or name its "
                f"encoding (--encoding, such as utf-16-le)"
            )
        separator = self.separator_in(text.splitlines()[0], path)
        return CsvFormat(encoding=encoding, separator=separator, decimal=self.decimal, missing=self.missing)

    def separator_in(self, header: str, path: Path) -> str:
        """The separator, told from the header line and the name of a file where none is set."""
        if self.separator is not None:
            return self.separator
        if path.name.lower().endswith(_TAB_SUFFIXES):
            return "\t"
        plain = re.sub(r'"[^"]*"', "", header)
        return next((separator for separator in _SEPARATORS if separator in plain), ",")


def _checked_encoding(name: str) -> str:
    try:
        codec = codecs.lookup(name)
        "".encode(codec.name)  # refuses codecs that are none of text, such as zip
        if codec.name in _OF_NAMES:
            raise LookupError
    except (LookupError, TypeError, ValueError):
        raise SettingsError(
            f"the encoding {name!r} is not known: 'utf-8', 'latin-1', 'cp1252' and 'utf-16' are common ones."
        ) from None
    return codec.name


@contextmanager
def explained(path: Path, encoding: str | None = None) -> Iterator[None]:
    """Turns a failure to read ``path`` into one sentence; Arrow's own texts quote cells."""
    try:
        yield
    except UnicodeError:
        raise _not_in(encoding, path) from None
    except pa.ArrowException as error:
        text = str(error)
        if ragged := re.search(r"Expected (\d+) columns, got (\d+)", text):
            row = re.search(r"Row #(\d+)", text)
            where = f"row {row[1]}" if row else "a row"
            raise SourceError(
                f"{where} of {path} has {ragged[2]} cells where the header has {ragged[1]}: mend the file, or name "
                "its separator (--separator)"
            ) from None
        if "UTF8" in text or "utf-8" in text.lower() or "codec can't" in text:
            raise _not_in(encoding, path) from None
        raise SourceError(
            f"{path} is not a readable CSV file: check its separators and quotes, or write it again"
        ) from None
    except OSError as error:
        reason = error.strerror or "damaged or cut short"
        raise SourceError(f"{path} cannot be read ({reason}): check the file or write it again") from None


def _not_in(encoding: str | None, path: Path) -> SourceError:
    wanted = "UTF-8" if encoding is None else encoding
    return SourceError(
        f"{path} is not {wanted} text: name its encoding with --encoding (csv_format=CsvFormat(encoding=...) in "
        "Python), such as latin-1 or cp1252, or save it as UTF-8"
    )
