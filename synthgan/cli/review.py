"""``synthgan review``: the folder that a privacy officer decides by, written and verified."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synthgan.cli.messages import announce, command_line, duration, say, summary, table
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
    from synthgan.review.bundle.write import Bundle
    from synthgan.review.gates import Verdicts
    from synthgan.tables.files.csv_format import CsvFormat


@click.command(
    cls=NetworkCommand,
    short_help="Write the bundle that a release is decided by, or verify one.",
    epilog=examples(
        "synthgan review model.synthgan --data data.parquet -o release/",
        "synthgan review model.synthgan --data train.parquet --holdout test.parquet --policy policy.toml -o release/",
        "synthgan review model.synthgan --data data.parquet -o release/ --title Claims --purpose 'software tests'",
        "synthgan review --verify release/",
        "synthgan review --verify release/ --model model.synthgan",
    ),
)
@click.argument("model", type=PATH, required=False)
@click.option(
    "--data", multiple=True, type=PATH, metavar="FILE", help="The table that was fitted; repeat it for several files."
)
@click.option("-o", "--output", type=PATH, metavar="FOLDER", help="Where to write the bundle.")
@click.option("--verify", type=PATH, metavar="FOLDER", help="Check a bundle, or one tier of it, and write nothing.")
@click.option(
    "--model",
    "model_file",
    type=PATH,
    metavar="FILE",
    help="With --verify: the model that the rows are said to be drawn from; they are drawn again.",
)
@click.option(
    "--holdout", type=PATH, metavar="FILE", help="Real rows that the fit has not seen, if it held out none itself."
)
@click.option(
    "-n",
    "--rows",
    "n_rows",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many synthetic rows.  [default: as many as were fitted; of a private fit, the noisy count]",
)
@click.option("--target", metavar="COLUMN", help="Measure utility by this column.  [default: the model's target]")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="COLUMN",
    help="A column that an attacker tries to guess; may be given several times.  [default: some are chosen]",
)
@click.option("--policy", type=PATH, metavar="FILE", help="Gates to judge by (TOML).  [default: those that ship]")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Most threads.  [default: all cores]")
@click.option("--title", metavar="TEXT", help="Name of the table, as the report and both tiers show it.")
@click.option("--purpose", metavar="TEXT", help="What the rows are wanted for; the report and both tiers show it.")
@click.option("--date", metavar="DAY", help="Day of the review, as 2026-11-30.  [default: today, UTC]")
@click.option("--no-csv", is_flag=True, help="Write the rows as Parquet only.")
@seed_option
@csv_options
@force_option
@debug_option
def review(
    *,
    model: Path | None,
    data: tuple[Path, ...],
    output: Path | None,
    verify: Path | None,
    model_file: Path | None,
    holdout: Path | None,
    n_rows: int | None,
    target: str | None,
    secrets: tuple[str, ...],
    policy: Path | None,
    jobs: int | None,
    title: str | None,
    purpose: str | None,
    date: str | None,
    no_csv: bool,
    seed: int | None,
    csv_format: CsvFormat | None,
    force: bool,
) -> int:
    """Draw rows from MODEL, score them against the table it was fitted to, and write a review bundle.

    The bundle has two tiers. internal/ holds all scores and gates, which tell about real rows: keep it with the table.
    shareable/ holds the synthetic rows, a report, a model card and the privacy ledger; of a private model it holds
    nothing that was computed from real rows. The receipt beside MODEL says which rows were fitted, and another table is
    refused. The exit code is that of the gates; the bundle is written in any case.

    With --verify, recheck a bundle: every file that follows from review.json is written again and compared, and with
    --model the rows are drawn again. What was checked is printed, and what was not.
    """
    given_besides = (
        csv_format,
        model,
        output,
        holdout,
        n_rows,
        target,
        secrets or None,
        policy,
        jobs,
        title,
        purpose,
        date,
        seed,
    )
    if verify is not None:
        if data or no_csv or force or any(value is not None for value in given_besides):
            raise click.UsageError(
                "--verify takes a folder and goes with no other option but --model FILE; leave the rest out."
            )
        return _verify(verify, model_file)
    if model_file is not None:
        raise click.UsageError("--model goes with --verify; to review a model, name it first: synthgan review MODEL.")
    if model is None or not data or output is None:
        raise click.UsageError(
            "name the model, its table and the folder to write: synthgan review MODEL --data FILE -o FOLDER; or check "
            "a bundle with --verify FOLDER."
        )
    from synthgan.review.bundle.write import write_bundle

    began = time.monotonic()
    announce("Drawing and scoring rows")
    bundle = write_bundle(
        model,
        data[0] if len(data) == 1 else list(data),
        output,
        **given(holdout=holdout, n_rows=n_rows, target=target, policy=policy, random_state=seed, n_jobs=jobs),
        **given(title=title, purpose=purpose, date=date),
        secrets=secrets or None,
        csv=not no_csv,
        csv_format=csv_format,
        force=force,
    )
    show_gates(bundle.verdicts)
    summary(
        f"Reviewed {bundle.n_rows:,} synthetic rows in {duration(time.monotonic() - began)}: "
        f"{in_one_word(bundle.verdicts)}.",
        bundle_facts(bundle),
        next_step=command_line("synthgan", "review", "--verify", output),
    )
    return bundle.verdicts.exit_code


def show_gates(verdicts: Verdicts) -> None:
    """Print each gate with its outcome, and why."""
    rows = [(verdict.gate.name, verdict.outcome.value, verdict.why) for verdict in verdicts.verdicts]
    if rows:
        table(("gate", "outcome", "why"), rows)
        say()


def in_one_word(verdicts: Verdicts) -> str:
    """What all gates come to, with their numbers."""
    return f"the gates say {verdicts.outcome.value}, with {verdicts.counts if verdicts.verdicts else 'no gate'}"


def bundle_facts(bundle: Bundle) -> list[tuple[str, str]]:
    """Where the tiers lie, and what to do with them."""
    from synthgan.review.file_names import INTERNAL, REPORT, SHAREABLE

    withheld = "no figure from real rows" if bundle.is_private else "scores without their parts"
    return [
        ("shareable", f"{bundle.path / SHAREABLE} (synthetic rows, report, model card, ledger; {withheld})"),
        ("internal", f"{bundle.path / INTERNAL} (scores on real rows: keep it with the table, never publish it)"),
        ("report", str(bundle.path / INTERNAL / REPORT)),
        ("manifest", f"{bundle.manifest_sha256} (SHA-256 of the shareable one, to compare with)"),
    ]


def _verify(path: Path, model: Path | None) -> int:
    """Check a bundle, say what differs, and return 0; a bundle that is not whole is an error."""
    from synthgan.errors import BundleError
    from synthgan.review.bundle.verify import verify_bundle

    found = verify_bundle(path, model=model)
    if not found.is_whole:
        for problem in found.problems:
            say(problem)
        number = f"{len(found.problems)} {'difference' if len(found.problems) == 1 else 'differences'}"
        raise BundleError(f"'{path}' is not what was written ({number}, listed above): ask for a fresh copy")
    facts = [("guarantee", found.guarantee), ("tiers", ", ".join(found.tiers))]
    facts += [(f"{tier} manifest", digest) for tier, digest in found.manifests.items()]
    summary(f"{path} is whole: {found.n_files} files are as their manifests say, and agree with each other.", facts)
    for heading, items in (("Checked:", found.checked), ("NOT checked:", found.unchecked)):
        click.echo(heading)
        for item in items:
            click.echo(f"  - {item}")
    return 0
