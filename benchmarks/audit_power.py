"""How often a game of the audit sees a bug: the laws of its evidence, played many times and judged as the audit does.

python benchmarks/audit_power.py --output docs/benchmarks/audit.json

No mechanism runs here. What an attacker scores has a known law (a normal one, a count of selections, a mixture), with
the bug and without it, so that thousands of games take a minute. ``tests/audit/test_planted_bugs.py`` plays a few of
them against the code itself, with bugs in it.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402  (the path above makes our own modules importable)
import numpy.typing as npt  # noqa: E402
from scipy.special import expit  # noqa: E402

from benchmarks.cells import CellStore  # noqa: E402
from benchmarks.machine import describe_run  # noqa: E402
from synthgan.audit.canaries import SAMPLING_RATE, _plan, _watched  # noqa: E402
from synthgan.audit.games import DistinguishingGame, Transcript, judged  # noqa: E402
from synthgan.audit.person_games import ROWS_PER_UNIT  # noqa: E402
from synthgan.privacy.account.events import budget_at, plan_order  # noqa: E402

DELTA = 1e-5
N_GAMES = 300

Numbers = npt.NDArray[np.float64]
Law = Callable[[np.random.Generator, int, bool], Numbers]
"""So many scores, with the canary or without."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A detector beside a bug.

    Attributes:
        detector: its name in ``tests/detectors.py``, whose claim, runs and confidence these are.
        bug: as the page names it.
        epsilon: the claim.
        n_runs: runs of a game.
        confidence: of its bounds.
        with_bug: the law of its evidence with the bug.
        without: the law without it.
        n_others: other kinds of evidence, which tell nothing and share the error.
        zcdp_delta: as in `DistinguishingGame`.
        sampling_rate: as in `DistinguishingGame`.
    """

    detector: str
    bug: str
    epsilon: float
    n_runs: int
    with_bug: Law
    without: Law
    confidence: float = 0.5
    n_others: int = 0
    zcdp_delta: float | None = DELTA
    sampling_rate: float | None = None

    def share_refuted(self, law: Law, rng: np.random.Generator, n_games: int) -> float:
        """Of so many games."""
        game = DistinguishingGame(
            name=self.detector,
            epsilon=self.epsilon,
            delta=DELTA,
            play=lambda _: {},
            zcdp_delta=self.zcdp_delta,
            sampling_rate=self.sampling_rate,
        )
        refuted, half = 0, self.n_runs // 2
        for _ in range(n_games):
            transcript = Transcript()
            for scores, canary in ((transcript.without, False), (transcript.with_, True)):
                scores["evidence"] = law(rng, half, canary).tolist()
                for number in range(self.n_others):
                    scores[f"other {number}"] = rng.normal(0, 1, half).tolist()
            refuted += judged(game, transcript, confidence=self.confidence).is_refuted
        return refuted / n_games


def normal(shift: float) -> Law:
    """Noise of one standard deviation, moved by the canary."""
    return lambda rng, n, canary: rng.normal(shift * canary, 1, n)


def selections(log_odds: float, n_rounds: int = 2, n_likelier: int = 8, n_others: int = 7) -> Law:
    """How often one half of the candidates is selected, which the canary moves by ``log_odds`` in all."""

    def law(rng: np.random.Generator, n: int, canary: bool) -> Numbers:
        half = log_odds / 2 if canary else -log_odds / 2
        return rng.binomial(n_rounds, expit(half + math.log(n_likelier / n_others)), n).astype(np.float64)

    return law


def sampled(noise_multiplier: float, rate: float) -> Law:
    """One noisy sum, in which the canary is with some probability."""
    return lambda rng, n, canary: rng.normal(0, noise_multiplier, n) + canary * (rng.random(n) < rate)


def known(law: Callable[[bool], float]) -> Law:
    """No noise at all."""
    return lambda _rng, n, canary: np.full(n, law(canary))


def rho_of(epsilon: float, delta: float = DELTA) -> float:
    """All zCDP that a claim pays for."""
    order = plan_order(epsilon, delta)
    return budget_at(epsilon, delta, order) / order


def gaussian_shift(epsilon: float, share: float, delta: float = DELTA) -> float:
    """By how many standard deviations a unit moves a count that a share of the budget is spent on."""
    return math.sqrt(2 * share * rho_of(epsilon, delta))


def cases() -> list[Case]:
    """Every statistical detector that was written for selection, three-way marginals, persons and sampling."""
    # Door 1: a fiftieth counts the rows; the mean of seven other levels is subtracted.
    persons = gaussian_shift(4.0, 0.98) / math.sqrt(1 + 1 / 7)
    three_way = gaussian_shift(4.0, 0.99 * 0.98)
    # A whole fit: 85% for door 2, of which a fifth measures the pair first, and nine tenths of the rest after.
    pipeline = gaussian_shift(8.0, 0.85 * (0.2 + 0.8 * 0.9), 0.9 * DELTA)
    odds = 2 * gaussian_shift(4.0, 0.95 / 2)
    update, everybody = _plan(16.0, DELTA, _watched(1), SAMPLING_RATE), _plan(8.0, DELTA, _watched(1), 1.0)
    k = ROWS_PER_UNIT
    found = [
        Case(
            detector="audit_selection",
            bug=bug,
            epsilon=4.0,
            n_runs=800,
            confidence=0.8,
            with_bug=law,
            without=selections(odds),
        )
        for bug, law in (
            ("selection without noise", known(lambda canary: 2.0 * canary)),
            ("noise scale halved (selection)", selections(2 * odds)),
            ("noise for one row of a person", selections(k * odds)),
        )
    ]
    for detector, epsilon, n_runs, shift, more in (
        ("audit_person_statistics", 4.0, 400, persons, {"confidence": 0.95}),
        ("audit_person_pipeline", 8.0, 400, pipeline, {"confidence": 0.8, "n_others": 1, "zcdp_delta": 0.9 * DELTA}),
    ):
        for bug in ("noise for one row of a person", "all rows of a person"):
            found.append(
                Case(
                    detector=detector,
                    bug=bug,
                    epsilon=epsilon,
                    n_runs=n_runs,
                    with_bug=normal(k * shift),
                    without=normal(shift),
                    **more,  # type: ignore[arg-type]
                )
            )
    for bug, shift in (
        # The canary is counted in four slices, and so is the noise.
        ("slices of a three-way marginal overlap", 4 / math.sqrt(4) * three_way),
        ("noise scale halved (three-way)", 2 * three_way),
    ):
        found.append(
            Case(
                detector="audit_three_way",
                bug=bug,
                epsilon=4.0,
                n_runs=1200,
                with_bug=normal(shift),
                without=normal(three_way),
                n_others=1,
            )
        )
    found += [
        Case(
            detector="audit_counted_persons",
            bug="persons counted exactly",
            epsilon=1.0,
            n_runs=120,
            with_bug=known(lambda canary: 1000.0 + canary),
            without=normal(0.05),
            zcdp_delta=None,
        ),
        Case(
            detector="audit_sampled_critic",
            bug="samples at 2q, pays q",
            epsilon=16.0,
            n_runs=600,
            confidence=0.995,
            with_bug=sampled(update.noise_multiplier, 2 * SAMPLING_RATE),
            without=sampled(update.noise_multiplier, SAMPLING_RATE),
            zcdp_delta=None,
            sampling_rate=SAMPLING_RATE,
        ),
        Case(
            detector="audit_person_critic",
            bug="rows of a person clipped apart",
            epsilon=8.0,
            n_runs=400,
            confidence=0.995,
            with_bug=normal(k / everybody.noise_multiplier),
            without=normal(1 / everybody.noise_multiplier),
            zcdp_delta=None,
            sampling_rate=1.0,
        ),
    ]
    return found


def measured(n_games: int = N_GAMES, seed: int = 0, *, only: Collection[str] = ()) -> list[dict[str, Any]]:
    """For each case (of some detectors only), the share of games that see the bug, and of those that cry without."""
    rng, found = np.random.default_rng(seed), []
    for case in cases():
        if only and case.detector not in only:
            continue
        values = {
            name: value
            for name, value in asdict(case).items()
            if name in ("detector", "bug", "epsilon", "n_runs", "confidence")
        }
        seen, cried = (case.share_refuted(law, rng, n_games) for law in (case.with_bug, case.without))
        found.append({**values, "n_games": n_games, "seen": seen, "cried": cried})
    return found


def main() -> None:
    """Add the table to the audit's JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--games", type=int, default=N_GAMES)
    parser.add_argument("--only", nargs="+", default=[], metavar="DETECTOR", help="the others keep their rows")
    parser.add_argument("--output", type=Path, default=Path("audit.json"))
    arguments = parser.parse_args()
    rows = measured(arguments.games, only=arguments.only)
    for row in rows:
        print(f"{row['detector']:26} {row['bug']:42} seen {row['seen']:.3f}, cried {row['cried']:.3f}")
    with CellStore(arguments.output, "audit").change() as results:
        done = {row["detector"] for row in rows}
        kept = [row for row in results.get("power", {}).get("rows", ()) if row["detector"] not in done]
        order = [(case.detector, case.bug) for case in cases()]
        rows = sorted(kept + rows, key=lambda row: order.index((row["detector"], row["bug"])))
        results["power"] = {"run": describe_run(), "rows": rows}


if __name__ == "__main__":
    main()
