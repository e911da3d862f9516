"""The lines of a CSV file, each one a row by itself: nothing in a line changes how another one is read.

The usual way to read CSV lets a quote that is never closed swallow the rows below it, and stops at the first row with a
cell too many. Here a row ends where its line ends. A line that is no whole row (another number of cells than the header
has, a quote left open, a carriage return inside) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

_BLOCK_BYTES = 1 << 23
_LONGEST_LINE = 1 << 26
"""Bytes; a longer line is left out, for a block has to be held in memory."""


def blocks(stream: Any, ending: bytes) -> Iterator[bytes]:
    """The rest of a stream in pieces of some megabytes that end where a line ends, without the last line's end.

    Args:
        stream: a file opened for reading bytes.
        ending: what ends a line.
    """
    rest, too_long = b"", False
    while block := stream.read(_BLOCK_BYTES):
        head, found, tail = block.rpartition(ending)
        if not found:
            rest = b"" if too_long else rest + block
            too_long = too_long or len(rest) > _LONGEST_LINE
            rest = b"" if too_long else rest
            continue
        if too_long:
            head = head.partition(ending)[2]
        yield rest + head
        rest, too_long = tail, False
    if rest:
        yield rest


def decoded(block: bytes, encoding: str) -> str:
    """A block as text; bytes that the encoding does not know are written as escapes, so that they stay apart."""
    try:
        return block.decode(encoding)
    except UnicodeDecodeError:
        return block.decode(encoding, "backslashreplace")


def rows(text: str, header: list[str], separator: str, wanted: list[str], *, ending: str = "\n") -> pa.RecordBatch:
    """The whole rows among the lines of ``text``: the ``wanted`` columns as text, an empty cell missing."""
    lines = pc.list_flatten(pc.split_pattern(pa.array([text], pa.large_string()), ending))
    if "\r" in text:
        lines = pc.replace_substring_regex(lines, r"\r$", "")
    quoted = '"' in text
    lines = lines.filter(_whole(lines, len(header), separator, quoted=quoted))
    if not len(lines):
        return pa.RecordBatch.from_arrays([pa.array([], pa.string()) for _ in wanted], names=wanted)
    joined = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), pa.scalar("\n", lines.type))
    content = joined[0].as_buffer()
    table = csv.read_csv(
        pa.BufferReader(content),
        read_options=csv.ReadOptions(column_names=header, block_size=content.size + 1, use_threads=False),
        parse_options=csv.ParseOptions(delimiter=separator, quote_char='"' if quoted else False),
        convert_options=csv.ConvertOptions(
            include_columns=wanted,
            column_types=dict.fromkeys(wanted, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    return table.combine_chunks().to_batches()[0]


def _whole(lines: pa.Array, n_cells: int, separator: str, *, quoted: bool) -> pa.Array:
    """Which lines hold as many cells as the header, all their quotes closed; a quote opens only where a cell begins."""
    outside, whole = lines, pc.and_(pc.not_equal(lines, ""), pc.invert(pc.match_substring_regex(lines, r"[\r\n]")))
    if quoted:
        apart = re.escape(separator)
        cell = rf'(?:"(?:[^"]|"")*"(?:[^"{apart}][^{apart}]*)?|[^"{apart}][^{apart}]*|)'
        whole = pc.and_(whole, pc.match_substring_regex(lines, rf"(?s)^{cell}(?:{apart}{cell})*$"))
        outside = pc.replace_substring_regex(lines, rf'(^|{apart})"(?:[^"]|"")*"', r"\1")
    return pc.and_(whole, pc.equal(pc.count_substring(outside, separator), n_cells - 1))
