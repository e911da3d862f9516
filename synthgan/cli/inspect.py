"""``synthgan inspect``: what a model file holds, and therefore what it could leak."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synthgan.cli.guarantee import NO_GUARANTEE, show_spending, unprotected
from synthgan.cli.messages import command_line, file_size, say, say_json, size, summary, table
from synthgan.cli.options import PATH, Command, debug_option, examples
from synthgan.errors import SettingsError, did_you_mean

if TYPE_CHECKING:
    from synthgan.model.file import ModelFile
    from synthgan.privacy.account.ledger import Ledger
    from synthgan.tables.codec import TableCodec


@click.command(
    cls=Command,
    short_help="Show what a model file holds.",
    epilog=examples(
        "synthgan inspect model.synthgan",
        "synthgan inspect model.synthgan --column occupation",
        "synthgan inspect model.synthgan --json",
    ),
)
@click.argument("model", type=PATH)
@click.option(
    "--column", metavar="NAME", help="Print everything the file stores about one column, values included, as JSON."
)
@click.option("--json", "as_json", is_flag=True, help="Print manifest, schema and counts as JSON.")
@debug_option
def inspect(*, model: Path, column: str | None, as_json: bool) -> None:
    """Show what the file MODEL holds, and so what it could leak.

    The file is checked first, as before each use: members, sizes and checksums. "Stored" means in plain sight: whoever
    has the file can read these values. What the weights remember cannot be listed.
    """
    from synthgan.model.file import read_parts

    file, codec, ledger = read_parts(model)
    if column is not None:
        say_json(_stored_about(column, file, codec))
    elif as_json:
        say_json(_contents(file, codec, model))
    else:
        _show(file, codec, ledger, model)


def _stored_about(column: str, file: ModelFile, codec: TableCodec) -> dict[str, Any]:
    """The schema's and the codec's entries for one column of the table."""
    if column not in codec.schema.names:
        raise SettingsError(f"the model has no column '{column}'{did_you_mean(column, codec.schema.names)}")
    behind = {column, *codec.rules.derived.get(column, ())}
    return {
        "schema": next(entry for entry in file.schema["columns"] if entry["name"] == column),
        "codec": [entry for entry in file.codec["columns"] if entry["name"] in behind],
    }


def _contents(file: ModelFile, codec: TableCodec, path: Path) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "path": str(path),
        "size_bytes": path.stat().st_size,
        "manifest": file.manifest,
        "n_rows": codec.n_rows,
        "codec_settings": codec.settings.to_json(),
        "schema": file.schema,
        "columns": codec.describe(),
        "history": file.history,
        "ledger": file.ledger,
    }


def _show(file: ModelFile, codec: TableCodec, ledger: Ledger | None, path: Path) -> None:
    """The text for people."""
    table(
        ("column", "kind", "stored in the file"),
        [(facts["column"], facts["kind"], stored(facts)) for facts in codec.describe()],
    )
    say()
    if ledger is not None:
        show_spending(ledger)
    weights = file.manifest["members"]["model.safetensors"]["size"]
    noisy, through = ("", "") if ledger is None else (" (noisy)", " through the private doors")
    protected = f"on: no stored value rests on fewer than {codec.settings.min_count} rows"
    if ledger is not None:
        protected = "noise: values are declared, or were released by door 1"
    facts = [
        ("guarantee", NO_GUARANTEE if ledger is None else ledger.in_words()),
        *([] if ledger is None else unprotected(ledger)),
        ("protection", protected if codec.settings.protect_values else "OFF: rare values and true extremes are stored"),
        ("counts", f"{codec.n_rows:,.0f} rows{noisy} learned; the share of rows behind each value and bin{noisy}"),
        ("network", f"{file.architecture}, {size(weights)} of weights, trained on all rows{through}"),
        ("training", _training(file)),
        ("written by", f"synthgan {file.manifest['synthgan_version']}, format {file.manifest['format_version']}"),
    ]
    summary(
        f"{path} ({file_size(path)}) is whole: every member matches its checksum.",
        facts,
        next_step=command_line("synthgan", "sample", path, "-n", f"{codec.n_rows:.0f}", "-o", "synthetic.parquet"),
    )


def _training(file: ModelFile) -> str:
    """How training went, in words. Its record is for people only, so whatever is there is taken as it is."""
    records = file.history if isinstance(file.history, list) else []
    last = records[-1] if records and isinstance(records[-1], dict) else {}
    words = [f"{last.get('step', 0)} steps", f"ended by {file.details.get('stopped_by', 'nobody knows')}"]
    if file.details.get("target") is not None:
        words.append(f"target '{file.details['target']}'")
    if isinstance(last.get("mode_coverage"), int | float):
        words.append(f"{last['mode_coverage']:.1%} of modes reached")
    return ", ".join(words)


def stored(facts: Mapping[str, Any]) -> str:
    """What the file holds about a column in one line, from an entry of `TableCodec.describe`."""
    if "text" in facts:
        return f"nothing ({facts['text']})"
    parts = []
    for key, one, many in _COUNTED:
        number = facts.get(key, 0)
        if number:
            parts.append(f"{number:,} {one if number == 1 else many}")
    if facts.get("lowest") is not None:
        parts.append(f"from {facts['lowest']} to {facts['highest']}")
    if facts.get("patterns"):
        parts[-1] += f" ({', '.join(facts['patterns'])})"
    if facts.get("missing"):
        parts.append("missing")
    if facts.get("merged"):
        parts.append(f"{facts['merged']:,} rarer merged and not stored")
    return ", ".join(parts) or "nothing"


_COUNTED = (
    ("levels", "value", "values"),
    ("buckets", "bucket of rarer values", "buckets of rarer values"),
    ("bins", "bin", "bins"),
    ("knots", "knot", "knots"),
    ("formats", "format", "formats"),
)
"""Key of `TableCodec.describe`, and what it counts in singular and plural."""
