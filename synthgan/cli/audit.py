"""``synthgan audit``: whether the private pipeline keeps what it claims."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synthgan.cli.messages import duration, say, summary, table
from synthgan.cli.options import PATH, NetworkCommand, debug_option, examples, force_option, given

if TYPE_CHECKING:
    from synthgan.audit.pipeline import AuditReport


@click.command(
    cls=NetworkCommand,
    short_help="Attack the private pipeline and compare with its claim.",
    epilog=examples(
        "synthgan audit",
        "synthgan audit --epsilon 4 --runs 2000",
        "synthgan audit --epsilon 1 --json audit.json",
    ),
)
@click.option("--epsilon", type=float, metavar="E", default=1.0, show_default=True, help="The claim to be audited.")
@click.option("--delta", type=float, metavar="D", help="The claim to be audited.  [default: 1e-05]")
@click.option("--runs", type=click.IntRange(min=8), metavar="N", help="Runs of each game.  [default: 600]")
@click.option(
    "--canaries",
    type=click.IntRange(min=0),
    metavar="N",
    help="Canary rows of the one-run audit of the neural critic, 0 for none.  [default: 1000]",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="C",
    help="With which all lower bounds hold together.  [default: 0.95]",
)
@click.option("--json", "json_file", type=PATH, metavar="FILE", help="Write all figures there as JSON too.")
@force_option
@debug_option
def audit(
    *,
    epsilon: float,
    delta: float | None,
    runs: int | None,
    canaries: int | None,
    confidence: float | None,
    json_file: Path | None,
    force: bool,
) -> None:
    """Attack the private pipeline on made-up tables, and show how much epsilon that proves, beside the claim.

    Each game fits a small table many times, by turns with and without one row more, and an attacker scores what was
    released. No table of yours is read. A lower bound above the claim means that the guarantee does not hold: the exit
    code is 9 then. A lower bound below the claim proves nothing bad; how far below says how tight the audit is.
    """
    from synthgan.audit import pipeline as pipeline_audit
    from synthgan.errors import AuditError
    from synthgan.tables.files.outputs import atomic_path, check_output

    if json_file is not None:
        check_output(json_file, force=force)
    began = time.monotonic()
    options = given(delta=delta, n_runs=runs, n_canaries=canaries, confidence=confidence)
    with _progress(runs or pipeline_audit.N_RUNS) as on_run:
        report = pipeline_audit.audit(epsilon, **options, on_run=on_run)
    _show(report)
    facts = [("claim", f"epsilon {report.epsilon:g} at delta {report.delta:g}")]
    facts.append(("proved", f"epsilon of at least {report.lower_bound:.2f}, with {report.confidence:.0%} confidence"))
    if json_file is not None:
        with atomic_path(json_file, force=force) as temporary:
            temporary.write_text(report.to_json() + "\n", encoding="utf-8")
        facts.append(("figures", str(json_file)))
    summary(f"Audited in {duration(time.monotonic() - began)}.", facts)
    if report.is_refuted:
        raise AuditError(
            f"the audit proves an epsilon of at least {report.lower_bound:.2f} where {report.epsilon:g} is claimed: do "
            "not publish private models of this version, and report this."
        )


def _show(report: AuditReport) -> None:
    rows = []
    for outcome in report.outcomes:
        for finding in outcome.findings:
            gaussian = finding.bounds["gaussian"].epsilon
            rows.append(
                (
                    outcome.game,
                    finding.evidence,
                    f"{outcome.n_runs:,}",
                    f"{finding.epsilon:.2f}",
                    f"{gaussian:.2f}",
                    f"{outcome.epsilon:g}",
                )
            )
    if report.one_run is not None:
        one = report.one_run
        evidence = f"{one.n_correct} of {one.n_guesses} guesses right"
        rows.append(("DP-SGD critic, one run", evidence, "1", f"{one.epsilon:.2f}", "", f"{report.epsilon:g}"))
    table(("attacked", "evidence", "runs", "epsilon >=", "if Gaussian", "claimed"), rows, right=(2, 3, 4, 5))
    say()


@contextlib.contextmanager
def _progress(n_runs: int) -> Iterator[Callable[[str, int], object]]:
    """A line on a terminal, nothing in a pipe; yields what is told of each run."""
    if not sys.stderr.isatty():
        yield lambda _game, _run: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, int] = {}

        def show(game: str, run: int) -> None:
            if game not in tasks:
                tasks[game] = progress.add_task(game, total=n_runs)
            progress.update(tasks[game], completed=run)  # type: ignore[arg-type]

        yield show
