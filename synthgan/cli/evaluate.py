"""``synthgan evaluate``: how good synthetic rows are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synthgan.cli.messages import announce, command_line, duration, say, summary
from synthgan.cli.options import (
    PATH,
    Command,
    csv_options,
    debug_option,
    examples,
    force_option,
    given,
    seed_option,
)

if TYPE_CHECKING:
    from synthgan.evaluation import Scores
    from synthgan.review.gates import Verdicts
    from synthgan.tables.files.csv_format import CsvFormat


@click.command(
    cls=Command,
    short_help="Measure how good synthetic rows are.",
    epilog=examples(
        "synthgan evaluate data.parquet synthetic.parquet",
        "synthgan evaluate train.parquet synthetic.parquet --holdout test.parquet --target income",
        "synthgan evaluate data.parquet synthetic.parquet --json scores.json",
        "synthgan evaluate data.parquet synthetic.parquet --holdout test.parquet -o report.html --policy default",
    ),
)
@click.argument("real", type=PATH)
@click.argument("synthetic", type=PATH)
@click.option("--holdout", type=PATH, metavar="FILE", help="Real rows that were not used to fit the model.")
@click.option(
    "--schema",
    type=PATH,
    metavar="FILE",
    help="What the columns are (JSON), as for `synthgan fit`.  [default: read off the types in REAL]",
)
@click.option("--target", metavar="COLUMN", help="Also train a model on the synthetic rows to predict this column.")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="COLUMN",
    help="A column that an attacker tries to guess; may be given several times.  [default: some are chosen]",
)
@click.option("--augmentation", is_flag=True, help="Also measure whether synthetic rows help real ones in training.")
@click.option("--json", "json_file", type=PATH, metavar="FILE", help="Write the scores there as JSON too.")
@click.option("-o", "--output", type=PATH, metavar="FILE", help="Write a report there, one HTML page.")
@click.option(
    "--policy",
    type=PATH,
    metavar="FILE",
    help="Judge the scores by the gates in this file (TOML), or by those that ship with synthgan (the word default); "
    "their outcome is the exit code.",
)
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Most threads.  [default: all cores]")
@seed_option
@csv_options
@force_option
@debug_option
def evaluate(
    *,
    real: Path,
    synthetic: Path,
    holdout: Path | None,
    schema: Path | None,
    target: str | None,
    secrets: tuple[str, ...],
    augmentation: bool,
    json_file: Path | None,
    output: Path | None,
    policy: Path | None,
    jobs: int | None,
    seed: int | None,
    csv_format: CsvFormat | None,
    force: bool,
) -> int:
    """Compare the table SYNTHETIC with the table REAL.

    Shows how close distributions and dependencies are, whether parts of the table are left out, whether a classifier
    can tell the tables apart, how useful the synthetic rows are for prediction, what attacks learn about the real rows,
    and whether rows were copied. The scores are computed from the real rows, so treat them as private too.
    """
    import synthgan
    from synthgan.tables.files.outputs import check_output

    for path in (json_file, output):
        if path is not None:
            check_output(path, force=force)
    gates = None
    if policy is not None:
        from synthgan.review.bundle.findings import policy_of

        gates = policy_of(policy)
    began = time.monotonic()
    announce("Comparing")
    options = given(
        holdout=holdout,
        schema=schema,
        target=target,
        random_state=seed,
        n_jobs=jobs,
        secrets=secrets or None,
        evidence=json_file is not None or output is not None,
        csv_format=csv_format,
    )
    if augmentation:
        from synthgan.evaluation.parts import PARTS

        options["parts"] = tuple(PARTS)
    scores = synthgan.evaluate(real, synthetic, **options)
    say(str(scores))
    say()
    facts = []
    if json_file is not None:
        write_scores(scores, json_file, force=force)
        facts.append(("scores", str(json_file)))
    verdicts = None
    if gates is not None:
        from synthgan.cli.review import in_one_word, show_gates
        from synthgan.review.bundle.findings import verdicts_on

        verdicts = verdicts_on(scores, gates)
        show_gates(verdicts)
        facts.append(("gates", in_one_word(verdicts)))
    if output is not None:
        _write_report(scores, verdicts, output, force=force)
        facts.append(("report", f"{output} (computed from real rows: as private as they are)"))
    summary(
        f"Compared {scores.n_rows['synthetic']:,} synthetic with {scores.n_rows['real']:,} real rows "
        f"in {duration(time.monotonic() - began)}.",
        facts,
        next_step=_next_step(real, synthetic, holdout, schema, target),
    )
    return 0 if verdicts is None else verdicts.exit_code


def write_scores(scores: Scores, path: Path, *, force: bool) -> None:
    """Write scores as a JSON file."""
    from synthgan.tables.files.outputs import atomic_path

    with atomic_path(path, force=force) as temporary:
        temporary.write_text(scores.to_json() + "\n", encoding="utf-8")


def _write_report(scores: Scores, verdicts: Verdicts | None, path: Path, *, force: bool) -> None:
    """Write the report of an evaluation, which knows nothing of how the rows were made."""
    from synthgan.review.bundle.findings import scores_page
    from synthgan.tables.files.outputs import atomic_path

    page = scores_page(scores, verdicts)
    with atomic_path(path, force=force) as temporary:
        temporary.write_bytes(page.encode("utf-8", "replace"))


def _next_step(
    real: Path, synthetic: Path, holdout: Path | None, schema: Path | None, target: str | None
) -> str | None:
    """What makes the figures more telling, if anything is left to add."""
    words: list[str | Path] = ["synthgan", "evaluate", real, synthetic]
    words += ["--holdout", "FILE" if holdout is None else holdout]
    words += ["--target", "COLUMN" if target is None else target]
    words += [] if schema is None else ["--schema", schema]
    if holdout is not None and target is not None:
        return None
    missing = [name for name, value in (("a holdout", holdout), ("a target", target)) if value is None]
    return f"{command_line(*words)}   (with {' and '.join(missing)} the figures say more)"
