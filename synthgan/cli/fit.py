"""``synthgan fit``: learn a table and write the model file."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synthgan.cli.messages import announce, command_line, duration, file_size, summary, warn
from synthgan.cli.options import (
    PATH,
    NetworkCommand,
    RunState,
    csv_options,
    debug_option,
    examples,
    force_option,
    given,
    seed_option,
)
from synthgan.config import EFFORTS

if TYPE_CHECKING:
    from synthgan.privacy.account.parameters import Privacy
    from synthgan.privacy.columns.released_columns import Basis, ReleasedColumn
    from synthgan.synthesizer import Synthesizer
    from synthgan.tables.files.csv_format import CsvFormat

_BASES: dict[Basis, str] = {
    "known values": "by known values",
    "found values": "by values found in the table",
    "ranges": "by ranges of numbers or times",
    "missing only": "by missing cells only",
}
"""What a private fit counted of a column, in the words of the summary."""


@click.command(
    cls=NetworkCommand,
    short_help="Learn a table and write a model file.",
    epilog=examples(
        "synthgan fit data.parquet -o model.synthgan",
        "synthgan fit 'parts/*.parquet' -o model.synthgan --target income --effort high",
        "synthgan fit data.csv -o model.synthgan --schema schema.json --time-limit 600",
        "synthgan fit data.parquet -o model.synthgan --checkpoint fit.checkpoint",
        "synthgan fit daten.csv -o model.synthgan --encoding latin-1 --decimal ,",
        "synthgan fit data.parquet -o model.synthgan --epsilon 1 --schema public.json",
        "synthgan fit data.parquet -o model.synthgan --holdout 0.1",
    ),
)
@click.argument("data", nargs=-1, required=True, type=PATH)
@click.option(
    "-o", "--output", "model", required=True, type=PATH, metavar="MODEL", help="Where to write the model file."
)
@click.option("--target", metavar="COLUMN", help="The column that matters most, if the rows are for prediction.")
@click.option(
    "--schema",
    type=PATH,
    metavar="FILE",
    help="Declared kinds, bounds and rules (JSON), as `synthgan schema -o` writes.",
)
@click.option("--epsilon", type=float, metavar="E", help="Differential privacy: how much one unit may change the odds.")
@click.option("--delta", type=float, metavar="D", help="With --epsilon: how likely that may fail.  [default: 1e-05]")
@click.option(
    "--unit",
    metavar="COLUMN",
    help="With --epsilon: the column whose values name the persons to protect.  [default: each row is a person]",
)
@click.option(
    "--rows-per-unit",
    type=click.IntRange(min=1),
    metavar="K",
    help="With --unit: use at most K rows of each person.  [default: 1]",
)
@click.option(
    "--neural",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="With --epsilon: share of the budget for the neural critic (DP-SGD).",
)
@click.option(
    "--ledger", type=PATH, metavar="FILE", help="With --epsilon: account for all fits on this table in one file."
)
@click.option(
    "--holdout",
    type=click.FloatRange(0, 1, max_open=True),
    metavar="SHARE",
    help="Keep this share of the rows (with --unit, of the persons) out of the fit.  [default: 0]",
)
@click.option("--effort", type=click.Choice(EFFORTS), help="How long to train.  [default: default]")
@click.option("--max-steps", type=click.IntRange(min=1), metavar="N", help="Train for at most N steps.")
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Train for at most this long; not with --epsilon.",
)
@click.option(
    "--min-count",
    type=click.IntRange(min=1),
    metavar="N",
    help="Values carried by fewer rows are not stored in the model.  [default: 10]",
)
@click.option("--no-protection", is_flag=True, help="Store rare values and true extremes in the model too.")
@click.option("--device", metavar="NAME", help="auto, cpu, cuda or cuda:N.  [default: auto]")
@seed_option
@csv_options
@click.option(
    "--checkpoint",
    type=PATH,
    metavar="FILE",
    help="Save progress here now and then, and continue from it if it exists. Contains private data. "
    "With --epsilon, FILE.journal beside it keeps account.",
)
@click.option("--early-stopping", is_flag=True, help="Stop when a held-out score no longer improves.")
@force_option
@debug_option
@click.pass_context
def fit(
    context: click.Context,
    *,
    data: tuple[Path, ...],
    model: Path,
    target: str | None,
    schema: Path | None,
    epsilon: float | None,
    delta: float | None,
    unit: str | None,
    rows_per_unit: int | None,
    neural: float | None,
    ledger: Path | None,
    holdout: float | None,
    effort: str | None,
    max_steps: int | None,
    time_limit: float | None,
    min_count: int | None,
    no_protection: bool,
    device: str | None,
    seed: int | None,
    csv_format: CsvFormat | None,
    checkpoint: Path | None,
    early_stopping: bool,
    force: bool,
) -> None:
    """Learn the table DATA and write a model file.

    DATA is a Parquet or CSV file, several of them, a quoted glob, or a folder. Files are read in batches, so they may
    be larger than memory. The model file holds no row of DATA; `synthgan inspect` shows what it does hold.

    With --epsilon or --holdout a receipt is written beside the model (MODEL.receipt.json). It tells which rows were
    fitted: keep it with DATA, and never publish it.
    """
    if checkpoint is not None:
        state = context.ensure_object(RunState)
        state.interrupted = (
            f"no model was written; the same command continues from {checkpoint} if a checkpoint was saved already "
            "(it contains private data: delete it when you no longer need it)"
        )
    from synthgan.errors import SettingsError
    from synthgan.synthesizer import Synthesizer
    from synthgan.tables.files.outputs import check_output, real_path

    check_output(model, force=force)
    if epsilon is not None or holdout:
        from synthgan.fitting.receipt import receipt_path

        check_output(receipt_path(model), force=force)
    for option, path in (("--checkpoint", checkpoint), ("--ledger", ledger)):
        if path is not None and real_path(path) == real_path(model):
            raise SettingsError(f"{option} and --output name the same file; give {option} a file of its own.")
    synthesizer = Synthesizer(
        **given(
            target=target,
            schema=schema,
            privacy=_privacy(
                epsilon, delta=delta, unit=unit, rows_per_unit=rows_per_unit, neural=neural, ledger=ledger
            ),
            holdout=holdout,
            effort=effort,
            max_steps=max_steps,
            time_limit=time_limit,
            min_count=min_count,
            protect_values=False if no_protection else None,
            device=device,
            random_state=seed,
            early_stopping=early_stopping or None,
        )
    )
    began = time.monotonic()
    announce("Reading the table")
    synthesizer.fit(data[0] if len(data) == 1 else list(data), **given(checkpoint=checkpoint, csv_format=csv_format))
    seconds = time.monotonic() - began
    synthesizer.save(model, force=force)
    for notice in synthesizer.notices_:
        warn(notice)
    columns = len(synthesizer.schema_.columns)
    n_rows = round(synthesizer.n_rows_)
    summary(
        f"Learned {n_rows:,} rows and {columns} columns in {duration(seconds)}.",
        [
            ("model", f"{model} ({file_size(model)})"),
            ("guarantee", _guarantee(synthesizer)),
            *([("columns", _columns(synthesizer.released_))] if synthesizer.released_ else []),
            *([] if synthesizer.receipt_ is None else [("receipt", _receipt(model))]),
        ],
        next_step=_next_step(data, model, n_rows, reviewed=synthesizer.receipt_ is not None),
    )


def _privacy(epsilon: float | None, **options: Any) -> Privacy | None:
    """The guarantee asked for, None for none."""
    from synthgan.errors import SettingsError
    from synthgan.privacy.account.parameters import Privacy

    if epsilon is not None:
        return Privacy(epsilon, **given(**options))
    if asked := given(**options):
        option = next(iter(asked)).replace("_", "-")
        raise SettingsError(f"--{option} goes with --epsilon: say how much privacy is asked for, or leave it out.")
    return None


def _next_step(data: tuple[Path, ...], model: Path, n_rows: int, *, reviewed: bool) -> str:
    """A review where the fit left a receipt for one, or else rows."""
    if not reviewed:
        return command_line("synthgan", "sample", model, "-n", str(n_rows), "-o", "synthetic.parquet")
    tables = [word for path in data for word in ("--data", path)]
    return command_line("synthgan", "review", model, *tables, "-o", "release")


def _receipt(model: Path) -> str:
    """Where the receipt lies, and whom it is for."""
    from synthgan.fitting.receipt import receipt_path

    return f"{receipt_path(model)} (internal: tells which rows were fitted; keep it with the table, never publish it)"


def _guarantee(synthesizer: Synthesizer) -> str:
    """The guarantee of a fit, in words."""
    ledger = synthesizer.ledger_
    if ledger is None:
        return "none (see `synthgan inspect` for what it holds)"
    others = "" if synthesizer.privacy and synthesizer.privacy.ledger else "; other fits on this table are not counted"
    return f"epsilon {ledger.epsilon:g}, delta {ledger.delta:g}{others}"


def _columns(released: Sequence[ReleasedColumn]) -> str:
    """What a private fit learned the columns from, in words."""
    counts = Counter(each.basis for each in released)
    listed = ", ".join(f"{counts[basis]} {words}" for basis, words in _BASES.items() if counts[basis])
    return f"learned from noisy counts: {listed} (`synthgan inspect` shows what the file holds)"
