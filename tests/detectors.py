"""Detectors of privacy bugs: each passes on the code as it is, and fails with an AssertionError on a broken guarantee.

`tests/audit/test_planted_bugs.py` plants bugs and shows that their detectors fail. Statistical detectors play the games
of `synthgan audit`; the others look at what happens inside.
"""

from __future__ import annotations

import contextlib
import json
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from dp_accounting import ZCDpEvent

from synthgan.audit.canaries import SAMPLING_RATE, dp_sgd_game, person_critic_game
from synthgan.audit.games import DistinguishingGame, discovery_game, marginals_game, play, statistics_game
from synthgan.audit.marginal_games import selection_game, three_way_game
from synthgan.audit.person_games import person_statistics_game
from synthgan.audit.pipeline import counted_persons_game, pipeline_game, undeclared_pipeline_game
from synthgan.config import DpSgdSettings
from synthgan.errors import BudgetError
from synthgan.fitting import private as private_fit
from synthgan.fitting.private import PrivateFit
from synthgan.fitting.private_settings import private_settings
from synthgan.fitting.private_table import PrivateTable
from synthgan.privacy import mechanisms
from synthgan.privacy.account.ledger import Ledger
from synthgan.privacy.account.parameters import Privacy
from synthgan.privacy.account.updates import DP_SGD
from synthgan.privacy.mechanisms import Mechanisms
from synthgan.privacy.poisson_units import PoissonUnits
from synthgan.tables.sources.batches import Source, TableSource
from synthgan.training.setup import Seeds, trainer_before
from tests.private_critics import (
    BASE,
    CPU,
    TABLE,
    batch_of,
    clipped,
    fake_half,
    fake_rows,
    fix_positions,
    make,
    person_gradient,
    real_half,
)

DELTA = 1e-5

FEW_UPDATES = DpSgdSettings(width=8, n_blocks=1, n_updates=10, expected_batch_size=50)

Detector = Callable[[], None]


# ----------------------------------------------------------------------------------------------------------- the critic


def check_noise(seed: int = 1) -> None:
    """On an empty batch the real half is noise: ``noise_multiplier * max_grad_norm`` on the sum, afresh each time."""
    judge = make(noise_multiplier=3.0, max_grad_norm=0.5, n_rows=150.0, seed=seed)
    batch_of(judge)
    noise = torch.stack([real_half(judge) for _ in range(30)])
    expected = 3.0 * 0.5 / (0.2 * 150.0)
    count = noise.numel()  # some 20,000: the sample's deviation is within 3% with near certainty
    assert count > 15_000
    assert abs(float(noise.std()) / expected - 1) < 0.03
    assert abs(float(noise.mean())) < 6 * expected / count**0.5
    first, second = noise[0], noise[1]
    assert abs(float((first * second).mean()) / expected**2) < 6 / len(first) ** 0.5


def check_clipping() -> None:
    """The sum over a batch is the sum of the units' gradients, each clipped to the bound."""
    bound = 0.05
    judge = make(max_grad_norm=bound)
    fix_positions(judge)
    batch = [0, 3, 4, 11, 17, 30]
    batch_of(judge, *batch)
    plain = [person_gradient(judge, [i]) for i in batch]
    assert min(float(g.norm()) for g in plain) > bound
    total = real_half(judge) * judge._rows_per_batch
    assert float(total.norm()) <= len(batch) * bound * 1.0001
    torch.testing.assert_close(total, sum(clipped(g, bound) for g in plain), rtol=1e-3, atol=1e-6)


def check_membership() -> None:
    """Each unit enters each batch by a coin of its own."""
    n_units, rate, n_batches = 60, 0.3, 400
    units = PoissonUnits(n_units, None, sampling_rate=rate)
    drawn = np.zeros((n_batches, n_units))
    for row in drawn:
        batch = units.draw()
        assert len(np.unique(batch)) == len(batch)
        row[batch[:, 0]] = 1
    sizes = drawn.sum(1)
    assert abs(sizes.mean() - n_units * rate) < 6 * (n_units * rate * (1 - rate) / n_batches) ** 0.5
    # The size varies as a binomial does, whose variance is 12.6 here; 400 batches tell it within 6 standard errors.
    assert abs(sizes.var() / (n_units * rate * (1 - rate)) - 1) < 6 * (2 / n_batches) ** 0.5
    # Neighbouring batches know nothing of each other: 5.4 units in common on average.
    shared = (drawn[1:] * drawn[:-1]).sum(1).mean()
    assert abs(shared - n_units * rate**2) < 6 * (n_units * rate**2 / n_batches) ** 0.5


def check_persons_are_clipped_together() -> None:
    """What a person with several rows adds to a batch is one gradient, clipped to the bound once."""
    bound = 0.05
    units = np.arange(len(TABLE.codes)) // 4
    judge = make(max_grad_norm=bound, units=units, rows_per_unit=3)
    fix_positions(judge)
    batch_of(judge, 2, 7)
    assert float((real_half(judge) * judge._rows_per_batch).norm()) <= 2 * bound * 1.0001
    assert judge._units.n_units == len(TABLE.codes) // 4


def check_sampling_is_paid() -> None:
    """The critic of a fit draws each person as often as its entry in the ledger says, and takes as many updates."""
    private = _fit_of_persons(400)
    doors = private.open(CPU)
    assert doors.neural is not None
    judge: Any = doors.neural(torch.Generator())
    entry = next(entry for entry in private.ledger.entries if entry.mechanism == DP_SGD)
    assert judge.agreed.n_updates == entry.event.count
    rate, n_batches = entry.event.event.sampling_probability, 400
    assert 0.02 < rate < 0.5
    sizes = np.array([len(judge._units.draw()) for _ in range(n_batches)])
    n_units = judge._units.n_units
    assert n_units == 400
    assert abs(sizes.mean() - n_units * rate) < 6 * (n_units * rate * (1 - rate) / n_batches) ** 0.5


def check_plan_knows_no_person() -> None:
    """With mechanisms that answer alike, tables of more or fewer persons give the same plan and the same account."""
    plans = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(private_fit, "Mechanisms", BlindMechanisms)
        for n_persons in (300, 450):
            private = _fit_of_persons(n_persons)
            doors = private.open(CPU)
            assert doors.neural is not None
            judge: Any = doors.neural(torch.Generator())
            account = json.dumps(private.ledger.to_json(), default=str)
            plans.append((judge.agreed, judge._rows_per_batch, account))
    assert plans[0] == plans[1]


def _fit_of_persons(n_persons: int) -> PrivateFit:
    privacy = Privacy(20.0, DELTA, unit="who", rows_per_unit=2, neural=0.8, neural_settings=FEW_UPDATES)
    columns = {
        "flag": [True, False] * n_persons,
        "size": list(range(20)) * (n_persons // 10),
        "who": [person for person in range(n_persons) for _ in range(2)],
    }
    declared = {"columns": {"size": {"bounds": [0, 19]}, "who": "identifier"}}
    source = TableSource(pa.table(columns), description="the table")
    table = PrivateTable.of(source, privacy, declared=declared, target="flag")
    return PrivateFit.begin(table, private_settings(BASE, privacy, device=CPU), min_count=1)


def check_fakes_know_no_rows() -> None:
    """The gradient of the generated rows is the same whatever the real ones are, and however many were drawn."""
    fake, other = fake_rows(), TABLE.codes.copy()
    other[:, 0] = 1 - other[:, 0]
    judges = [make(), make(codes=other), make(codes=TABLE.codes[:7])]
    for judge in judges[1:]:
        judge.discriminator.load_state_dict(judges[0].discriminator.state_dict())
    halves = [fake_half(judge, fake) for judge in judges]
    assert torch.equal(halves[0], halves[1])
    assert torch.equal(halves[0], halves[2])


def check_generator_loss_reads_no_rows() -> None:
    """What the generator is told is the same with other rows, and with none in memory."""
    fake, other = fake_rows(), TABLE.codes.copy()
    other[:, 0] = 1 - other[:, 0]
    one, two = make(), make(codes=other)
    assert torch.equal(one.generator_loss(fake), two.generator_loss(fake))
    one.update(fake, 1e-3, penalised=False)
    told = one.generator_loss(fake)
    one._rows = None  # type: ignore[assignment]
    one._units = None  # type: ignore[assignment]
    assert torch.equal(one.generator_loss(fake), told)


def check_membership_is_secret() -> None:
    """Critics that were given the same public seed draw other batches and other noise."""
    one, two = make(noise_multiplier=1.0), make(noise_multiplier=1.0)
    assert not np.array_equal(one._units.draw(), two._units.draw())
    for judge in (one, two):
        batch_of(judge)
    assert not torch.equal(real_half(one), real_half(two))


# ------------------------------------------------------------------------------------------------------ the whole fit


class BlindMechanisms(Mechanisms):
    """Pays as the real ones do, and then answers without having looked at the data."""

    def _paid(self, measurement: Any, data: Any, *, rho: float, door: int, what: str, **more: Any) -> Any:
        self.ledger.settle(self.ledger.reserve(ZCDpEvent(float(rho)), door=door, what=what, **more))
        if more["mechanism"] == mechanisms.NOISY_MAX:
            return 0
        if more["mechanism"] == mechanisms.THRESHOLDED_GAUSSIAN:
            return {}
        if what in ("number of rows", "number of persons"):
            return [1000]
        return [(7 * place) % 5 * 200 for place in range(len(data))]


def fit_of(source: Source, declared: Any, *, neural: float = 0.0, unit: str | None = None) -> list[Any]:
    """All that a private fit of a few steps lets out, as plain values."""
    persons = {} if unit is None else {"unit": unit, "rows_per_unit": 2}
    privacy = Privacy(2.0, DELTA, neural=neural, **persons)
    settings = private_settings(BASE, privacy, device=CPU, max_steps=5)
    table = PrivateTable.of(source, privacy, declared=declared, target="flag")
    private = PrivateFit.begin(table, settings, min_count=1)
    doors, layout = private.open(CPU), private.codec.layout
    told = doors.marginals.pairs()
    trainer = trainer_before(doors, layout, settings, CPU, Seeds.spawn(0), target=layout.index("flag"))
    trainer.run()
    private.close()
    return [
        json.dumps(private.codec.to_json(), default=str),
        private.codec.n_rows,
        private.codec.describe(),
        private.released,
        private.notices,
        json.dumps(private.ledger.to_json(), default=str),
        layout.marginal.tolist(),
        [part.tolist() for part in (told.share, told.weight, told.tolerance)],
        trainer.conditions._marginal.tolist(),
        trainer.conditions.codes.tolist(),
        [{key: value for key, value in record.items() if key != "seconds"} for record in trainer.history],
        [weight.tolist() for weight in trainer.averaged.parameters()],
    ]


def check_only_mechanisms_tell() -> None:
    """Where mechanisms answer the same whatever the table holds, two tables give the same model, to the last weight.

    So nothing but the mechanisms' answers reaches codec, conditions, marginals, notices, history or weights.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(private_fit, "Mechanisms", BlindMechanisms)
        made = [fit_of(table_of(columns), DIFFERENT_DECLARED) for columns in DIFFERENT]
    for one, other in zip(*made, strict=True):
        assert one == other


DIFFERENT: tuple[dict[str, list[Any]], ...] = (
    {"flag": [True, False] * 300, "word": ["a", "b", "b"] * 200, "size": list(range(20)) * 30},
    {"flag": [True] * 450, "word": ["c", "c", None] * 150, "size": [5, 10**6, -3] * 150},
)
"""Tables of the same columns and types that differ in every other respect."""

DIFFERENT_DECLARED = {"columns": {"size": {"granularity": 1}}}


def table_of(columns: dict[str, list[Any]]) -> Source:
    return TableSource(pa.table(columns), description="the table")


def check_budget_is_kept() -> None:
    """What would overshoot is refused before anything is drawn, and the account never exceeds the promise."""
    ledger = Ledger(1.0, DELTA)
    noisy, drawn = Mechanisms(ledger), []
    counts = np.array([5, 7], dtype=np.int64)
    noisy.counts(counts, rho=0.75 * ledger.remaining_rho, door=1, what="a first count")
    with contextlib.suppress(BudgetError):
        drawn.append(noisy.counts(counts, rho=2 * ledger.remaining_rho, door=2, what="a second count"))
    assert not drawn
    assert ledger.spent <= ledger.budget
    assert ledger.spent_epsilon() <= 1.0 + 1e-9


def check_rows_are_read_in_the_fit_alone() -> None:
    """Every read of the source happens while `PrivateFit` opens its doors, the third included."""
    readers = [reader for neural in (0.0, 0.5) for reader in readers_of_a_fit(neural)]
    assert readers
    assert not [name for name in readers if name not in ("PrivateFit.of", "PrivateFit.open")]


def readers_of_a_fit(neural: float) -> list[str]:
    """Who asked for rows in a whole fit and a sample of it: the outermost method of `PrivateFit`, or nobody."""
    import synthgan
    from synthgan.fitting import fit as fitting

    source = WatchedSource(
        pa.table({"flag": [True, False] * 300, "word": ["a", "b", "b"] * 200, "size": list(range(20)) * 30})
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "open_source", lambda _, **__: source)
        model = synthgan.Synthesizer(
            privacy=Privacy(2.0, DELTA, neural=neural, neural_settings=FEW_UPDATES),
            settings=BASE,
            max_steps=5,
            target="flag",
            progress="off",
        ).fit(pa.table({"x": [1]}))
        model.sample(20)
        repr(model), model.notices_, model.schema_
    return source.readers


class WatchedSource(TableSource):
    """A table that notes who reads it."""

    def __init__(self, table: pa.Table) -> None:
        super().__init__(table, description="the table")
        self.readers: list[str] = []

    def _read(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
        frames = [frame for frame in traceback.extract_stack() if frame.filename == private_fit.__file__]
        self.readers.append(f"PrivateFit.{frames[0].name}" if frames else "nobody")
        yield from super()._read(columns, batch_size)


# ---------------------------------------------------------------------------------------------------- by statistics


def check_by_audit(game: DistinguishingGame, n_runs: int, *, confidence: float = 0.5) -> None:
    """Playing the game does not refute the claim.

    Limits as loose as these let few runs find a bug. False alarms are far rarer than half of the time: without a bug
    even the true rates prove only a part of the claim, and at epsilon 4 between three and four standard errors are in
    between.
    """
    outcome = play(game, n_runs, confidence=confidence)
    finding = outcome.strongest
    assert not outcome.is_refuted, (
        f"{outcome.game}, {finding.evidence}: epsilon is at least {finding.epsilon:.2f}, {outcome.epsilon:g} claimed"
    )


def audit_statistics() -> None:
    check_by_audit(statistics_game(4.0, DELTA), 800)


def audit_discovery() -> None:
    check_by_audit(discovery_game(1.0, DELTA), 120)


def audit_undeclared_pipeline() -> None:
    check_by_audit(undeclared_pipeline_game(1.0, DELTA), 240)


def audit_marginals() -> None:
    check_by_audit(marginals_game(4.0, DELTA), 800)


def audit_person_statistics() -> None:
    check_by_audit(person_statistics_game(4.0, DELTA), 400, confidence=0.95)


def audit_selection() -> None:
    check_by_audit(selection_game(4.0, DELTA), 800, confidence=0.8)


def audit_three_way() -> None:
    check_by_audit(three_way_game(4.0, DELTA), 1200)


def audit_person_pipeline() -> None:
    check_by_audit(pipeline_game(8.0, DELTA, persons=True), 400, confidence=0.8)


def audit_counted_persons() -> None:
    check_by_audit(counted_persons_game(1.0, DELTA), 120)


def audit_sampled_critic() -> None:
    """With one update the notion of a sampled Gaussian is tight, so a loose limit would be passed by chance."""
    check_by_audit(person_critic_game(16.0, DELTA, sampling_rate=SAMPLING_RATE), 600, confidence=0.995)


def audit_person_critic() -> None:
    """Everybody is in the batch, so this is one Gaussian and nothing else."""
    check_by_audit(person_critic_game(8.0, DELTA), 400, confidence=0.995)


def audit_dp_sgd() -> None:
    """Every row is in every batch, so this is Gaussian noise and nothing else: its trade-off counts too."""
    outcome = play(dp_sgd_game(4.0, DELTA, n_updates=1), 1100, confidence=0.98)
    proved = max(bound.epsilon for finding in outcome.findings for bound in finding.bounds.values())
    assert proved <= outcome.epsilon, f"epsilon is at least {proved:.2f}, {outcome.epsilon:g} claimed"
