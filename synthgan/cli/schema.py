"""``synthgan schema``: what synthgan sees in a table, as a file a person can edit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from synthgan.cli.messages import command_line, say, say_json, summary, table
from synthgan.cli.options import PATH, Command, csv_options, debug_option, examples, force_option, given

if TYPE_CHECKING:
    from synthgan.tables.files.csv_format import CsvFormat
    from synthgan.tables.schema.schema import Constraint


@click.command(
    cls=Command,
    short_help="Show the kinds and likely rules of a table's columns.",
    epilog=examples(
        "synthgan schema data.parquet",
        "synthgan schema data.parquet -o schema.json",
        "synthgan schema data.csv --declared schema.json --json",
    ),
)
@click.argument("data", nargs=-1, required=True, type=PATH)
@click.option(
    "-o", "--output", type=PATH, metavar="FILE", help="Write the schema there as JSON, to edit and to fit with."
)
@click.option("--target", metavar="COLUMN", help="The column to predict, which is never taken for an identifier.")
@click.option("--declared", type=PATH, metavar="FILE", help="A schema, or a part of one, whose facts win over guesses.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@csv_options
@force_option
@debug_option
def schema(
    *,
    data: tuple[Path, ...],
    output: Path | None,
    target: str | None,
    declared: Path | None,
    as_json: bool,
    csv_format: CsvFormat | None,
    force: bool,
) -> None:
    """Show how synthgan would model each column of the table DATA, and why.

    Rules that seem to hold between columns are suggested below, with the evidence. They are not in force until you copy
    them into the "constraints" of a schema file and fit with it.
    """
    from synthgan.tables.files.outputs import check_output
    from synthgan.tables.inference import infer_schema
    from synthgan.tables.reading.reading import Reading
    from synthgan.tables.schema.declarations import constraint_to_json
    from synthgan.tables.schema.schema_file import schema_to_json, write_schema
    from synthgan.tables.sources.open import open_source
    from synthgan.tables.sources.written_source import as_modelled
    from synthgan.tables.suggestions import suggest_constraints

    if output is not None:
        check_output(output, force=force)
    source = open_source(data[0] if len(data) == 1 else list(data), reading=Reading.of(declared), csv_format=csv_format)
    found = infer_schema(source, **given(declared=declared, target=target))
    suggested = suggest_constraints(as_modelled(source, found), found)
    if output is not None:
        write_schema(found, output, force=force)

    if as_json:
        suggestions = [{"constraint": constraint_to_json(rule), "evidence": evidence} for rule, evidence in suggested]
        say_json({"schema": schema_to_json(found), "suggested_constraints": suggestions})
        return
    table(
        ("column", "kind", "type", "why"),
        [(column.name, column.kind, column.arrow_type, column.reason) for column in found.columns],
    )
    if suggested:
        say()
        table(
            ("likely rule (not in force)", "evidence"),
            [(describe(rule), evidence) for rule, evidence in suggested],
        )
    say()
    words = [command_line(path) for path in data]
    if output is None:
        step = command_line("synthgan", "schema", *data, "-o", "schema.json")
        summary(f"{len(found.columns)} columns in {source.description}.", next_step=f"{step}   (a file to edit)")
    else:
        fit = f"synthgan fit {' '.join(words)} --schema {command_line(output)} -o model.synthgan"
        summary(f"{len(found.columns)} columns in {source.description}.", [("schema", str(output))], next_step=fit)


def describe(rule: Constraint) -> str:
    """A constraint as a short formula."""
    from synthgan.tables.schema.schema import Combinations, Order, Sum, UniqueKey

    if isinstance(rule, Order):
        return f"{rule.low} <= {rule.high}"
    if isinstance(rule, Sum):
        return f"{rule.total} = {' + '.join(rule.parts)}"
    if isinstance(rule, Combinations):
        return f"only known combinations of {', '.join(rule.columns)}"
    if isinstance(rule, UniqueKey):
        return f"no two rows share {', '.join(rule.columns)}"
    raise TypeError(f"no formula for {type(rule).__name__}")
