"""``synthgan demo``: the whole way on the bundled table."""

from __future__ import annotations

import time
from pathlib import Path

import click

from synthgan.cli.evaluate import write_scores
from synthgan.cli.messages import announce, command_line, duration, file_size, say, summary
from synthgan.cli.options import PATH, NetworkCommand, debug_option, examples, given
from synthgan.cli.review import bundle_facts, in_one_word, show_gates
from synthgan.config import EFFORTS

DEMO_SEED = 0
"""The demo's seed when none is given, so that two runs on one machine show the same rows."""


@click.command(
    cls=NetworkCommand,
    short_help="Fit, sample and review the bundled table.",
    epilog=examples(
        "synthgan demo", "synthgan demo --output /tmp/demo --effort default", "synthgan demo --max-steps 200 --force"
    ),
)
@click.option(
    "-o",
    "--output",
    type=PATH,
    default=Path("synthgan-demo"),
    show_default=True,
    metavar="DIR",
    help="Where to put the results.",
)
@click.option("--effort", type=click.Choice(EFFORTS), default="quick", show_default=True, help="How long to train.")
@click.option("--max-steps", type=click.IntRange(min=1), metavar="N", help="Train for at most N steps.")
@click.option("--device", metavar="NAME", help="auto, cpu, cuda or cuda:N.  [default: auto]")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=DEMO_SEED,
    show_default=True,
    metavar="N",
    help="Same seed, same result.",
)
@click.option("--force", is_flag=True, help="Overwrite the results of an earlier run.")
@debug_option
def demo(*, output: Path, effort: str, max_steps: int | None, device: str | None, seed: int, force: bool) -> None:
    """Fit the bundled UCI Adult table, sample it, and show how good the rows are.

    The model learns the official training part (32,561 rows). The test part is the holdout: fresh real rows to compare
    with, and to test a model on that was trained on synthetic rows. The results end with a review bundle, as
    `synthgan review` writes it; its gates are shown and do not decide the exit code.
    """
    import synthgan
    from synthgan.datasets import ADULT_TARGET, load_adult
    from synthgan.review.bundle.write import write_bundle
    from synthgan.review.file_names import is_bundle
    from synthgan.tables.files.outputs import check_folder_output, check_output, make_folder

    make_folder(output)
    model, rows, scores_file = (output / name for name in ("model.synthgan", "synthetic.parquet", "scores.json"))
    for path in (model, rows, scores_file):
        check_output(path, force=force)
    release = output / "release"
    check_folder_output(release, force=force, replaceable=is_bundle)

    train, test = load_adult("train"), load_adult("test")
    announce("Learning the bundled table")
    began = time.monotonic()
    synthesizer = synthgan.Synthesizer(
        target=ADULT_TARGET, random_state=seed, **given(effort=effort, max_steps=max_steps, device=device)
    )
    synthesizer.fit(train)
    synthesizer.save(model, force=force)
    fitted = time.monotonic()
    synthesizer.sample_to(rows, len(train), random_state=seed, force=force)
    sampled = time.monotonic()
    announce("Reviewing the synthetic rows")
    bundle = write_bundle(model, train, release, holdout=test, random_state=seed, force=force)
    write_scores(bundle.scores, scores_file, force=force)

    say(str(bundle.scores))
    say()
    show_gates(bundle.verdicts)
    summary(
        f"Learned {len(train):,} rows of UCI Adult in {duration(fitted - began)}, drew as many synthetic ones in "
        f"{duration(sampled - fitted)}, reviewed them in {duration(time.monotonic() - sampled)}.",
        [
            ("model", f"{model} ({file_size(model)}, guarantee: none)"),
            ("rows", f"{rows} ({file_size(rows)})"),
            ("scores", str(scores_file)),
            ("gates", in_one_word(bundle.verdicts)),
            *bundle_facts(bundle),
        ],
        next_step=command_line("synthgan", "inspect", model),
    )
