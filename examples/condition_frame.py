"""Draw one synthetic row for each row of a table of conditions.

Here: keep sex and education of 1,000 real persons and synthesise everything else about them. (The kept columns are
real values: whether they may leave the house is for you to judge.)

    python examples/condition_frame.py
    python examples/condition_frame.py --max-steps 20
"""

from __future__ import annotations

import argparse

import synthgan

KEPT = ["sex", "education"]


def main(max_steps: int | None) -> None:
    """Run the example; ``max_steps`` cuts training short."""
    train = synthgan.datasets.load_adult("train")
    synth = synthgan.Synthesizer(effort="quick", max_steps=max_steps, random_state=1).fit(train)

    # Levels carried by fewer than `min_count` rows are not in the model, so they cannot be asked for.
    common = train.groupby(KEPT)["age"].transform("size") >= 10
    wanted = train.loc[common, KEPT].head(1000).reset_index(drop=True)
    rows = synth.sample(conditions=wanted)

    assert rows[KEPT].equals(wanted), "every row meets its condition"
    print(f"{len(rows)} rows with the given {', '.join(KEPT)}. Mean hours per week, real and synthetic:")
    real = train.groupby("sex")["hours-per-week"].mean()
    synthetic = rows.groupby("sex")["hours-per-week"].mean()
    for sex in real.index:
        print(f"  {sex:<8} {real[sex]:5.1f} {synthetic[sex]:5.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--max-steps", type=int, help="train for at most this many steps")
    main(parser.parse_args().max_steps)
