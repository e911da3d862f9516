"""Fit a table, sample it, keep the model, see how good the rows are.

python examples/quickstart.py                     # a few minutes
python examples/quickstart.py --max-steps 20      # seconds, and rows to match
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import synthgan


def main(max_steps: int | None) -> None:
    """Run the example; ``max_steps`` cuts training short."""
    train = synthgan.datasets.load_adult("train")
    test = synthgan.datasets.load_adult("test")

    synth = synthgan.Synthesizer(target="income", effort="quick", max_steps=max_steps, random_state=1)
    synth.fit(train)

    rows = synth.sample(5000)
    print(rows.head().to_string())

    seniors = synth.sample(500, conditions={"age": (60, 80), "income": ">50K"})
    print(f"\n{len(seniors)} rows, all aged 60 to 80 with a high income; most common occupations:")
    print(seniors["occupation"].value_counts().head(3).to_string())

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adult.synthgan"
        synth.save(path)
        again = synthgan.load(path)
        assert again.sample(5, random_state=7).equals(synth.sample(5, random_state=7))
        print(f"\nThe model file takes {path.stat().st_size / 1e6:.1f} MB and gives the same rows after loading.")

    print()
    print(synthgan.evaluate(train.head(5000), rows, holdout=test.head(5000), target="income"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--max-steps", type=int, help="train for at most this many steps")
    main(parser.parse_args().max_steps)
