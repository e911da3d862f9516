"""Bugs of published DP-GAN code, planted one at a time: each detector fails with its bug, and passes without it.

The table in docs/privacy-audit.md names each bug with its detectors.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks import audit_power
from synthgan.audit import games as distinguishing
from synthgan.audit import person_games
from synthgan.critics.marginal_door import ExactMarginals
from synthgan.errors import PrivacyError
from synthgan.fitting import private as private_fit
from synthgan.fitting import private_table
from synthgan.networks.generator import GeneratedRows
from synthgan.privacy import dp_sgd, mechanisms, poisson_units
from synthgan.privacy.account.ledger import Ledger
from synthgan.privacy.columns.private_statistics import PrivateStatistics
from synthgan.privacy.dp_sgd import PrivateCritic
from synthgan.privacy.dp_sgd_plan import DpSgdPlan
from synthgan.privacy.marginals import PrivateMarginals
from synthgan.privacy.mechanisms import Mechanisms
from synthgan.privacy.poisson_units import PoissonUnits
from synthgan.tables.codec import TableCodec
from synthgan.tables.sources.open import Source
from tests import detectors
from tests.private_critics import NO_CLIP

Patch = pytest.MonkeyPatch

PAGE = Path(__file__).resolve().parents[2] / "docs" / "privacy-audit.md"

# ---------------------------------------------------------------------------------------------------- counts and levels


def halve_noise_of_counts(patch: Patch) -> None:
    """The mechanism draws half of what the ledger was told, past the check of its own map."""
    original = mechanisms._scaled
    patch.setattr(
        mechanisms, "_scaled", lambda make, cost, rho, scale: original(make, cost, rho, scale) and make(scale / 2)
    )


def discover_exactly(patch: Patch) -> None:
    """Every level that occurs is shown, with a noisy count."""

    def discover(self: Mechanisms, counts: Any, *, rho: float, delta: float, door: int, what: str) -> Any:
        noisy = self.counts(np.asarray(counts), rho=rho, door=door, what=what)
        return np.arange(len(noisy)), np.maximum(noisy, 1)

    patch.setattr(Mechanisms, "discover", discover)


def read_exact_levels(patch: Patch) -> None:
    """Levels that nobody declared are looked up in the table."""
    _declare_what_is_there(patch, levels=True)


def read_exact_bounds(patch: Patch) -> None:
    """Smallest and largest number are looked up in the table."""
    _declare_what_is_there(patch, levels=False)


def _declare_what_is_there(patch: Patch, *, levels: bool) -> None:
    for module in (private_table, distinguishing):
        original = module.private_schema

        def schema(source: Source, declared: Any = None, original: Any = original, **options: Any) -> Any:
            columns = dict((declared or {}).get("columns", {}))
            for name in source.names:
                values = [value for value in source.read().column(name).to_pylist() if value is not None]
                if not levels and isinstance(values[0], int) and not isinstance(values[0], bool):
                    columns[name] = {**columns.get(name, {}), "bounds": [min(values), max(values)]}
                if levels and isinstance(values[0], str):
                    columns[name] = {"levels": sorted(set(values))}
            return original(source, {"columns": columns}, **options)

        patch.setattr(module, "private_schema", schema)


def count_rows_exactly(patch: Patch) -> None:
    original = Mechanisms.counts

    def counts(self: Mechanisms, counts: Any, *, what: str, **options: Any) -> Any:
        noisy = original(self, counts, what=what, **options)
        return np.asarray(counts) if what == "number of rows" else noisy

    patch.setattr(Mechanisms, "counts", counts)


def normalise_by_exact_rows(patch: Patch) -> None:
    """The noisy count is paid for, and the exact one used."""
    original = PrivateStatistics.release.__func__

    def release(cls: Any, source: Source, *args: Any, **options: Any) -> Any:
        released = original(cls, source, *args, **options)
        released._n_rows = float(sum(batch.num_rows for batch in source.batches(source.names[:1])))
        return released

    patch.setattr(PrivateStatistics, "release", classmethod(release))


def condition_on_exact_counts(patch: Patch) -> None:
    """Conditions are weighed by exact shares of the levels, as in training by sampling."""
    original = TableCodec.encode

    def encode(self: TableCodec, *args: Any, **options: Any) -> Any:
        table = original(self, *args, **options)
        exact = np.concatenate(
            [np.bincount(table.codes[:, i], minlength=span.n_levels) for i, span in enumerate(self.layout.spans)]
        )
        object.__setattr__(self.layout, "marginal", (exact / max(1, table.n_rows)).astype(np.float32))
        return table

    patch.setattr(TableCodec, "encode", encode)


def select_exactly(patch: Patch) -> None:
    """The worst candidate is paid for by its noisy maximum, and then looked up."""
    original = Mechanisms.select

    def select(self: Mechanisms, scores: Any, **options: Any) -> int:
        original(self, scores, **options)
        return int(np.argmax(scores))

    patch.setattr(Mechanisms, "select", select)


def halve_noise_of_selection(patch: Patch) -> None:
    """As when the log-odds of the exponential mechanism are taken for its scores: a factor of two is lost."""
    original = Mechanisms.select

    def select(self: Mechanisms, scores: Any, **options: Any) -> int:
        return original(self, 2 * np.asarray(scores), **options)

    patch.setattr(Mechanisms, "select", select)


def forget_rows_of_persons(patch: Patch) -> None:
    """Noise for one row, where a person has several."""
    original = Mechanisms.__init__

    def init(self: Mechanisms, ledger: Any, *, rows_per_unit: int = 1) -> None:
        original(self, ledger, rows_per_unit=rows_per_unit)
        self.rows_per_unit = 1

    patch.setattr(Mechanisms, "__init__", init)


def use_all_rows_of_persons(patch: Patch) -> None:
    """The limit of rows per person is declared, and not kept."""
    for module in (private_table, person_games):
        patch.setattr(module, "UnitLimitedSource", lambda source, unit, rows_per_unit: source)


def let_slices_overlap(patch: Patch) -> None:
    """A row is counted in the slice of its own level and in all that come after it."""
    original = ExactMarginals.counts

    def counts(self: Any, column: int | None = None, levels: Any = ()) -> Tensor:
        return original(self) if column is None else original(self, column, list(range(max(levels) + 1)))

    patch.setattr(ExactMarginals, "counts", counts)


def halve_noise_of_slices(patch: Patch) -> None:
    """Each slice is measured as if it were a table of its own, by four draws of which the mean is kept."""
    original = PrivateMarginals._measure

    def measure(self: Any, candidate: Any, rho: float, what: str) -> None:
        original(self, candidate, rho, what)
        if candidate.is_split:
            exact = self._cells(self._exact, candidate).cpu().numpy()
            known = self._measured[candidate]
            self._measured[candidate] = dataclasses.replace(known, counts=exact + (known.counts - exact) / 2)

    patch.setattr(PrivateMarginals, "_measure", measure)


def count_persons_exactly(patch: Patch) -> None:
    """The noisy count of persons is paid for, and the exact one used."""
    original = private_fit.PrivateFit._count_persons

    def count(self: Any, persons: Any, *, rho: float) -> float:
        original(self, persons, rho=rho)
        return float(len(np.unique(persons)))

    patch.setattr(private_fit.PrivateFit, "_count_persons", count)


def count_persons_without_noise(patch: Patch) -> None:
    original = Mechanisms.counts

    def counts(self: Mechanisms, counts: Any, *, what: str, **options: Any) -> Any:
        noisy = original(self, counts, what=what, **options)
        return np.asarray(counts) if what == "number of persons" else noisy

    patch.setattr(Mechanisms, "counts", counts)


def overshoot(patch: Patch) -> None:
    """The budget is looked at after the spend, if at all."""
    patch.setattr(Ledger, "_refuse_overshoot", lambda self, entry: None)


def seed_membership(patch: Patch) -> None:
    """Batches follow from ``random_state``."""
    patch.setattr(poisson_units, "system_rng", lambda: np.random.default_rng(0))


# ----------------------------------------------------------------------------------------------------------- the critic


def halve_noise(patch: Patch) -> None:
    original = dp_sgd.DPOptimizerFastGradientClipping.__init__

    def init(self: Any, *args: Any, noise_multiplier: float, **kwargs: Any) -> None:
        original(self, *args, noise_multiplier=noise_multiplier / 2, **kwargs)

    patch.setattr(dp_sgd.DPOptimizerFastGradientClipping, "__init__", init)


def switch_clipping_off(patch: Patch) -> None:
    original = dp_sgd.ghost_clipped
    patch.setattr(dp_sgd, "ghost_clipped", lambda discriminator, _: original(discriminator, NO_CLIP))


def sample_twice_as_often(patch: Patch) -> None:
    """The ledger pays for q, and the critic samples at 2q."""
    original = PoissonUnits.__init__

    def init(self: Any, *args: Any, sampling_rate: float, **options: Any) -> None:
        original(self, *args, sampling_rate=min(1.0, 2 * sampling_rate), **options)

    patch.setattr(PoissonUnits, "__init__", init)


def plan_with_half_the_rate(patch: Patch) -> None:
    """The same slip on the other side: noise is calibrated and paid for batches of half the size."""
    original = DpSgdPlan.event

    def event(self: DpSgdPlan) -> Any:
        paid = dataclasses.replace(self)
        object.__setattr__(paid, "sampling_rate", self.sampling_rate / 2)
        return original(paid)

    patch.setattr(DpSgdPlan, "event", event)


def clip_rows_of_persons_apart(patch: Patch) -> None:
    """Each row of a person is clipped by itself, so that a person of k rows adds up to k times the bound."""
    original = PrivateCritic._real_losses

    def real_losses(self: Any, index: Tensor) -> Tensor:
        return original(self, index[index >= 0][:, None])

    patch.setattr(PrivateCritic, "_real_losses", real_losses)


def shuffle_instead(patch: Patch) -> None:
    """Fixed batches of a shuffled table, epoch by epoch."""

    def draw(self: Any) -> Any:
        size = round(self.n_units * self._rate)
        if len(getattr(self, "_queue", ())) < size:
            self._queue = self._rng.permutation(self.n_units)
        batch, self._queue = self._queue[:size], self._queue[size:]
        return self._rows[batch]

    patch.setattr(PoissonUnits, "draw", draw)


def condition_fakes_on_rows(patch: Patch) -> None:
    """As CTGAN does: the condition of each generated row is a real row's value."""
    original = PrivateCritic._fake_half

    def fake_half(self: Any, fake: GeneratedRows, *, penalised: bool) -> Any:
        own = torch.arange(len(fake.codes)) % len(self._rows.codes)
        flags = self.discriminator.axis.one_hot(self._rows.codes[own].long())[:, :2]
        told = torch.cat([flags, fake.one_hot[:, 2:]], 1)
        return original(self, dataclasses.replace(fake, one_hot=told), penalised=penalised)

    patch.setattr(PrivateCritic, "_fake_half", fake_half)


def let_generator_loss_read_rows(patch: Patch) -> None:
    original = PrivateCritic.generator_loss

    def generator_loss(self: Any, fake: GeneratedRows) -> Tensor:
        rows = self._real_features(torch.arange(32)[:, None])
        return original(self, fake) - self.discriminator(rows).mean()

    patch.setattr(PrivateCritic, "generator_loss", generator_loss)


def penalise_real_rows(patch: Patch) -> None:
    """R1 beside the clipped gradient."""
    original = PrivateCritic._noised_real_half

    def real_half(self: Any) -> None:
        original(self)
        inputs = self._real_features(torch.from_numpy(self._units.draw())).requires_grad_(True)
        (slope,) = torch.autograd.grad(self.discriminator(inputs).sum(), inputs, create_graph=True)
        weights = list(self.discriminator.parameters())[:-1]
        for weight, gradient in zip(weights, torch.autograd.grad(slope.square().mean(), weights), strict=True):
            weight.grad.add_(gradient)

    patch.setattr(PrivateCritic, "_noised_real_half", real_half)


@dataclasses.dataclass(frozen=True)
class Planted:
    """A bug, and what finds it.

    Attributes:
        bug: in the words of the issue and the docs.
        plant: puts it in.
        check: finds it.
        statistical: whether by a game of the audit; else by a look inside.
    """

    bug: str
    plant: Callable[[Patch], None]
    check: detectors.Detector
    statistical: bool = False


PLANTED = (
    Planted("noise scale halved (counts)", halve_noise_of_counts, detectors.audit_marginals, statistical=True),
    Planted("noise scale halved (counts)", halve_noise_of_counts, detectors.audit_statistics, statistical=True),
    Planted("noise scale halved (DP-SGD)", halve_noise, detectors.audit_dp_sgd, statistical=True),
    Planted("noise scale halved (DP-SGD)", halve_noise, detectors.check_noise),
    Planted("clipping off", switch_clipping_off, detectors.audit_dp_sgd, statistical=True),
    Planted("clipping off", switch_clipping_off, detectors.check_clipping),
    Planted("fakes conditioned on sampled rows", condition_fakes_on_rows, detectors.audit_dp_sgd, statistical=True),
    Planted("fakes conditioned on sampled rows", condition_fakes_on_rows, detectors.check_fakes_know_no_rows),
    Planted("exact category discovery", discover_exactly, detectors.audit_discovery, statistical=True),
    Planted("exact category discovery", discover_exactly, detectors.audit_undeclared_pipeline, statistical=True),
    Planted("exact category discovery", read_exact_levels, detectors.audit_discovery, statistical=True),
    Planted("exact category discovery", read_exact_levels, detectors.check_only_mechanisms_tell),
    Planted("exact min/max", read_exact_bounds, detectors.audit_discovery, statistical=True),
    Planted("exact min/max", read_exact_bounds, detectors.audit_undeclared_pipeline, statistical=True),
    Planted("exact min/max", read_exact_bounds, detectors.check_only_mechanisms_tell),
    Planted("conditions from exact counts", condition_on_exact_counts, detectors.check_only_mechanisms_tell),
    Planted(
        "generator loss reading real rows", let_generator_loss_read_rows, detectors.check_generator_loss_reads_no_rows
    ),
    Planted("Poisson batches replaced by shuffling", shuffle_instead, detectors.check_membership),
    Planted("selection without noise", select_exactly, detectors.audit_selection, statistical=True),
    Planted("noise scale halved (selection)", halve_noise_of_selection, detectors.audit_selection, statistical=True),
    Planted("noise for one row of a person", forget_rows_of_persons, detectors.audit_selection, statistical=True),
    Planted(
        "noise for one row of a person", forget_rows_of_persons, detectors.audit_person_statistics, statistical=True
    ),
    Planted("noise for one row of a person", forget_rows_of_persons, detectors.audit_person_pipeline, statistical=True),
    Planted("all rows of a person", use_all_rows_of_persons, detectors.audit_person_statistics, statistical=True),
    Planted("all rows of a person", use_all_rows_of_persons, detectors.audit_person_pipeline, statistical=True),
    Planted("slices of a three-way marginal overlap", let_slices_overlap, detectors.audit_three_way, statistical=True),
    Planted("noise scale halved (three-way)", halve_noise_of_slices, detectors.audit_three_way, statistical=True),
    Planted("persons counted exactly", count_persons_exactly, detectors.audit_counted_persons, statistical=True),
    Planted("persons counted exactly", count_persons_exactly, detectors.check_plan_knows_no_person),
    Planted("persons counted exactly", count_persons_without_noise, detectors.audit_counted_persons, statistical=True),
    Planted("samples at 2q, pays q", sample_twice_as_often, detectors.audit_sampled_critic, statistical=True),
    Planted("samples at 2q, pays q", sample_twice_as_often, detectors.check_sampling_is_paid),
    Planted("samples at 2q, pays q", plan_with_half_the_rate, detectors.check_sampling_is_paid),
    Planted(
        "rows of a person clipped apart", clip_rows_of_persons_apart, detectors.audit_person_critic, statistical=True
    ),
    Planted("rows of a person clipped apart", clip_rows_of_persons_apart, detectors.check_persons_are_clipped_together),
    Planted("budget overshoot", overshoot, detectors.check_budget_is_kept),
    Planted("a penalty on real rows outside the clip", penalise_real_rows, detectors.check_clipping),
    Planted("exact n", count_rows_exactly, detectors.audit_discovery, statistical=True),
    Planted("exact n", normalise_by_exact_rows, detectors.audit_undeclared_pipeline, statistical=True),
    Planted("exact n", normalise_by_exact_rows, detectors.check_only_mechanisms_tell),
    Planted("membership from random_state", seed_membership, detectors.check_membership_is_secret),
)

SLOW_CHECKS = (
    detectors.audit_dp_sgd,
    detectors.audit_marginals,
    detectors.audit_undeclared_pipeline,
    detectors.audit_person_pipeline,
    detectors.audit_selection,
    detectors.audit_three_way,
    detectors.audit_sampled_critic,
    detectors.audit_person_critic,
)
"""Detectors that take long, for many fits are made."""


def _cases() -> list[Any]:
    return [
        pytest.param(
            each,
            id=f"{each.plant.__name__}-{each.check.__name__}",
            marks=[pytest.mark.slow] if each.check in SLOW_CHECKS else [],
        )
        for each in PLANTED
    ]


def _detectors() -> list[Any]:
    found = dict.fromkeys(each.check for each in PLANTED)
    return [
        pytest.param(check, id=check.__name__, marks=[pytest.mark.slow] if check in SLOW_CHECKS else [])
        for check in found
    ]


@pytest.mark.parametrize("planted", _cases())
def test_a_planted_bug_is_caught(monkeypatch: Patch, planted: Planted) -> None:
    """A game is played up to three times: one alone misses half the noise in a fiftieth of the cases."""
    planted.plant(monkeypatch)
    with pytest.raises(AssertionError):
        for _ in range(3 if planted.statistical else 1):
            planted.check()


@pytest.mark.parametrize("check", _detectors())
def test_without_the_bug_the_detector_is_silent(check: detectors.Detector) -> None:
    """A game that refutes the claim is played once more: of one game, that happens once in about a thousand."""
    refuted: list[str] = []
    for _ in range(2 if check in {each.check for each in PLANTED if each.statistical} else 1):
        try:
            check()
        except AssertionError as failure:
            refuted.append(str(failure))
        else:
            return
    pytest.fail("; ".join(refuted))


def test_half_the_noise_is_refused_by_the_map_of_the_mechanism(monkeypatch: Patch) -> None:
    """A scale that is merely wrong does not get as far as an audit."""
    original = mechanisms.make_gaussian
    monkeypatch.setattr(mechanisms, "make_gaussian", lambda *space, scale: original(*space, scale=scale / 2))
    with pytest.raises(PrivacyError, match="privacy map disagrees"):
        Mechanisms(Ledger(1.0, 1e-5)).counts(np.array([1]), rho=0.01, door=1, what="a count")


def test_a_reader_outside_the_fit_is_caught(monkeypatch: Patch) -> None:
    from synthgan import synthesizer
    from synthgan.fitting import fit as fitting

    original = synthesizer.Synthesizer._set_fitted

    def set_fitted(self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        list(fitting.open_source(None).batches())

    monkeypatch.setattr(synthesizer.Synthesizer, "_set_fitted", set_fitted)
    with pytest.raises(AssertionError):
        detectors.check_rows_are_read_in_the_fit_alone()


def test_every_bug_of_the_issue_is_planted() -> None:
    named = {each.bug for each in PLANTED}
    assert len(named) == 13 + 9  # twelve, of which half the noise is planted in counts and in DP-SGD; and later ones
    caught_by_statistics = {each.bug for each in PLANTED if each.statistical}
    assert {"noise scale halved (counts)", "clipping off", "fakes conditioned on sampled rows"} <= caught_by_statistics
    assert {"samples at 2q, pays q", "persons counted exactly", "selection without noise"} <= caught_by_statistics


def test_what_a_game_should_see_it_can_see() -> None:
    """The page's table of power: a game alone misses less than a thirtieth, and cries less than once in a hundred."""
    power = json.loads((PAGE.parent / "benchmarks" / "audit.json").read_text(encoding="utf-8"))["power"]["rows"]
    told = {(row["detector"], row["bug"]) for row in power}
    games = {each.detector for each in audit_power.cases()}
    planted = {(each.check.__name__, each.bug) for each in PLANTED if each.check.__name__ in games}
    assert told == planted
    assert min(row["seen"] for row in power) >= 0.97
    assert max(row["cried"] for row in power) <= 0.01


def test_the_laws_of_power_are_those_of_the_games() -> None:
    """As many standard deviations apart as the tables of a game are, within what so few runs can tell."""
    case = next(each for each in audit_power.cases() if each.detector == "audit_person_statistics")
    game, rng = person_games.person_statistics_game(case.epsilon, 1e-5), np.random.default_rng(0)
    runs = [np.array([game.play(canary)["count of its level"] for _ in range(80)]) for canary in (False, True)]
    assumed = [case.without(rng, 4000, canary) for canary in (False, True)]
    apart = [(with_.mean() - without.mean()) / without.std() for without, with_ in (runs, assumed)]
    assert apart[0] == pytest.approx(apart[1], abs=6 * (2 / 80) ** 0.5)


def test_the_page_names_every_bug_with_its_detectors() -> None:
    """And names no detector that does not exist."""
    rows = re.findall(r"^\| ([^|]+) \| ([^|]*)\| ([^|]*)\|$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    told = {bug: statistical + other for bug, statistical, other in rows}
    for each in PLANTED:
        assert f"`{each.check.__name__}`" in told[each.bug]
    names = {name for bug in {each.bug for each in PLANTED} for name in re.findall(r"`(\w+)`", told[bug])}
    assert names == {each.check.__name__ for each in PLANTED}
