"""The command group: all commands, what they have in common in ``--help``, and the exit codes."""

from __future__ import annotations

import os

import click

from synthgan.cli.audit import audit
from synthgan.cli.demo import demo
from synthgan.cli.evaluate import evaluate
from synthgan.cli.fit import fit
from synthgan.cli.inspect import inspect
from synthgan.cli.options import debug_option
from synthgan.cli.review import review
from synthgan.cli.sample import sample
from synthgan.cli.schema import schema
from synthgan.version import __version__

# OpenMP threads that spin while they wait take the core from those they wait for: on a busy machine a fit then takes
# several times as long. It must be said before torch is imported, and a user's own choice stands.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

EXIT_CODES: tuple[tuple[int, str], ...] = (
    (0, "done"),
    (1, "an unexpected error: please report it"),
    (2, "a mistake on the command line, or a setting out of range"),
    (3, "the table, a file it is read from, or its schema cannot be used"),
    (4, "a sampling condition cannot be met"),
    (5, "the model file, checkpoint or review bundle is damaged, altered, too new, or not one"),
    (6, "the output exists already (see --force) or cannot be written"),
    (7, "training diverged"),
    (8, "the privacy budget is spent, or what was asked for cannot be private"),
    (9, "an audit found that more leaks than was claimed"),
    (10, "a gate of the review failed"),
    (11, "no gate of the review failed, and the evidence is too thin for a pass"),
    (12, "there is not enough memory"),
    (130, "interrupted with Ctrl-C"),
    (143, "told to end by SIGTERM, as `kill` sends it"),
)
"""What the process exits with, and when; `SynthganError.exit_code` holds the middle part."""

EPILOG = (
    "\b\nA first look:\n"
    "  synthgan demo\n"
    "  synthgan fit data.parquet -o model.synthgan\n"
    "  synthgan sample model.synthgan -n 10000 -o synthetic.parquet\n"
    "  synthgan evaluate data.parquet synthetic.parquet\n"
    "\n\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES)
)


class CommandsInOrder(click.Group):
    """A group that lists its commands in the order of the work, not of the alphabet."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Names as they were added."""
        return list(self.commands)


@click.group(
    cls=CommandsInOrder,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="synthgan")
@debug_option
def group() -> None:
    """Turn a private table into a shareable synthetic one.

    Fit a model to a table (Parquet or CSV), sample rows from it, measure how good they are. Each command has --help
    with examples.
    """


for _command in (demo, fit, sample, evaluate, review, inspect, schema, audit):
    group.add_command(_command)
