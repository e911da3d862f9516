"""``synthgan sample``: draw rows from a model file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synthgan.cli.messages import announce, command_line, duration, file_size, summary
from synthgan.cli.options import (
    PATH,
    NetworkCommand,
    csv_options,
    debug_option,
    examples,
    force_option,
    given,
    seed_option,
)

if TYPE_CHECKING:
    import pandas as pd

    from synthgan.synthesizer import Synthesizer
    from synthgan.tables.files.csv_format import CsvFormat


@click.command(
    cls=NetworkCommand,
    short_help="Draw synthetic rows from a model file.",
    epilog=examples(
        "synthgan sample model.synthgan -n 10000 -o synthetic.parquet",
        "synthgan sample model.synthgan -n 500 -o rich.csv --where 'income=>50K' --where age=60..80",
        "synthgan sample model.synthgan -n 500 -o some.parquet --where 'sex=Female|Male' --where 'workclass=missing()'",
        "synthgan sample model.synthgan -o matched.parquet --like wanted.parquet",
    ),
)
@click.argument("model", type=PATH)
@click.option(
    "-n", "--rows", "n_rows", type=click.IntRange(max=10**12, clamp=False), metavar="N", help="How many rows."
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=PATH,
    metavar="FILE",
    help="Where to write them: .parquet, .csv or .tsv, also .csv.gz.",
)
@click.option(
    "--where",
    "wheres",
    multiple=True,
    metavar="CONDITION",
    help="COLUMN=VALUE, COLUMN=A|B, COLUMN=LOW..HIGH or COLUMN=missing(). All given conditions hold in every row.",
)
@click.option(
    "--like",
    type=PATH,
    metavar="FILE",
    help="A table of conditions: one row is drawn for each of its rows, with its values.",
)
@seed_option
@csv_options
@force_option
@debug_option
def sample(
    *,
    model: Path,
    n_rows: int | None,
    output: Path,
    wheres: tuple[str, ...],
    like: Path | None,
    seed: int | None,
    csv_format: CsvFormat | None,
    force: bool,
) -> None:
    """Draw rows from MODEL and write them to a file.

    Rows are generated and written in batches, so their number is not limited by memory. Conditions are met exactly: the
    model draws only rows that satisfy them. What is said of CSV files holds for FILE and for that of --like.
    """
    if like is not None and wheres:
        raise click.UsageError("--like and --where cannot be combined; put the conditions into the --like table.")
    if like is not None and n_rows is not None:
        raise click.UsageError("--like already says how many rows to draw: one per row of its table; leave -n out.")
    if like is None and n_rows is None:
        raise click.UsageError(
            "say how many rows to draw: -n N, or --like FILE for one per row of a table of conditions."
        )

    import synthgan
    from synthgan.tables.files.writers import check_table_output

    check_table_output(output, force=force)
    synthesizer = synthgan.load(model)
    conditions = _conditions(synthesizer, wheres, like, csv_format)
    announce("Drawing rows")
    began = time.monotonic()
    result = synthesizer.sample_to(
        output, **given(n_rows=n_rows, conditions=conditions, random_state=seed, csv_format=csv_format), force=force
    )
    seconds = time.monotonic() - began
    facts = [("rows", f"{output} ({file_size(output)})")]
    if result.effective_sample_size is not None:
        facts.append(("support", f"an effective sample of {result.effective_sample_size:,.0f} for these conditions"))
    summary(
        f"Wrote {result.n_rows:,} synthetic rows in {duration(seconds)}.",
        facts,
        next_step=command_line("synthgan", "evaluate", "REAL", output),
    )


def _conditions(
    synthesizer: Synthesizer, wheres: tuple[str, ...], like: Path | None, csv_format: CsvFormat | None
) -> dict[str, Any] | pd.DataFrame | None:
    """The conditions a person typed, or the table of them, or None."""
    if like is not None:
        return _read_conditions(like, csv_format)
    if wheres:
        from synthgan.tables.conditions.predicates import parse_where

        return dict(parse_where(wheres, synthesizer.schema_))
    return None


def _read_conditions(path: Path, csv_format: CsvFormat | None) -> pd.DataFrame:
    """A table of conditions as a frame; one row is enough."""
    import pandas as pd
    import pyarrow as pa

    from synthgan.tables.sources.open import names_csv, open_source

    source = open_source(path, minimum_rows=1, csv_format=csv_format if names_csv(path) else None)
    table = pa.Table.from_batches(list(source.batches()), schema=source.arrow_schema)
    return table.to_pandas(types_mapper=pd.ArrowDtype)
