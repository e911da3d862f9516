"""A private release: declare what is public, fit with epsilon 1, look at the account, write rows.

python examples/private_release.py                     # a few minutes
python examples/private_release.py --max-steps 20      # seconds, and rows to match

The bundled census table stands for a private one.
"""

import argparse
import tempfile
from pathlib import Path

import synthgan

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--max-steps", type=int, help="train for fewer steps")
max_steps = parser.parse_args().max_steps
table = synthgan.datasets.load_adult("train")

# What the table's documentation says. Nothing here was looked up in the table: a bound that was would be a leak.
public = {
    "columns": {
        "age": {"kind": "integer", "bounds": {"lower": 17, "upper": 90}},
        "education-num": {"kind": "integer", "bounds": {"lower": 1, "upper": 16}},
        "hours-per-week": {"kind": "integer", "bounds": {"lower": 1, "upper": 99}},
        "capital-gain": {"kind": "integer", "bounds": {"lower": 0, "upper": 99999}},
        "capital-loss": {"kind": "integer", "bounds": {"lower": 0, "upper": 5000}},
        "sex": {"kind": "categorical", "levels": ["Female", "Male"]},
        "income": {"kind": "categorical", "levels": ["<=50K", ">50K"]},
    }
}

with tempfile.TemporaryDirectory() as folder:
    account = Path(folder, "census.ledger")
    synth = synthgan.Synthesizer(
        privacy=synthgan.Privacy(epsilon=1.0, delta=1e-6, ledger=account),
        schema=public,
        target="income",
        max_steps=max_steps,
    )
    synth.fit(table)
    assert synth.ledger_ is not None
    print(f"about {synth.n_rows_:,} rows (a noisy count), epsilon spent: {synth.ledger_.spent_epsilon():.3f}")
    for quantity in synth.ledger_.unprotected:
        print(f"published as it is: {quantity}")

    model = synth.save(Path(folder, "census.synthgan"))
    rows = synthgan.load(model).sample(1000)
    print(rows.head())
