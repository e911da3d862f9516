"""Door 2 under differential privacy: marginals measured with noise, where the generator is worst.

The private twin of `synthgan.critics.marginal_door.ExactMarginals`. It starts from released one-way marginals,
measures the pairs with the target, and then takes turns with the training: it selects the candidates that the generator
gets most wrong (exponential mechanism), measures them (discrete Gaussian mechanism), and the generator trains on all
that was measured so far: select, measure, generate, as in AIM (McKenna et al. 2022) and GEM (Liu et al. 2021).

A candidate is the marginal of a pair of columns, of all rows or *split*: by slices of the target column, which makes it
a three-way marginal. Either is a histogram in which a row adds one to one cell.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from synthgan.critics.marginal_door import ExactMarginals, GramTarget, per_pair
from synthgan.networks.layers import LevelAxis
from synthgan.privacy.account.entries import MARGINALS
from synthgan.privacy.reconciliation import Estimate, combined, fitted_to, split_fitted_to
from synthgan.tables.layout import Layout

if TYPE_CHECKING:
    from synthgan.privacy.mechanisms import Mechanisms

UNMEASURED = 1e6
"""Tolerance, as a share, of cells that nobody measured."""


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """A marginal that may be measured: of columns ``a < b``, by slices of the target where ``is_split``."""

    a: int
    b: int
    is_split: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RoundSettings:
    """How the budget of door 2 is spent.

    Attributes:
        n_rounds: rounds of selecting and measuring.
        per_round: marginals selected in each round.
        first_share: share of the budget that measures the pairs with the target before the first round.
        selection_share: share of each round that selects; the rest measures.
        max_cells: candidates with more cells are left out.
        target_weight: weight of candidates with the target in the selection.
    """

    n_rounds: int = 25
    per_round: int = 4
    first_share: float = 0.2
    selection_share: float = 0.1
    max_cells: int = 5000
    target_weight: float = 1.0


class PrivateMarginals:
    """Measures marginals and hands out what is known; the only holder of the codes behind door 2.

    Args:
        codes: ``(n_rows, n_columns)`` integer tensor.
        layout: what the codes mean; its marginal is released, and so are the one-way counts.
        mechanisms: noise, and the ledger it is paid from.
        rho: zCDP budget of this door; with 0, one-way marginals are all it knows.
        n_rows: released number of rows.
        one_way_variance: variance of the noise in the layout's marginal, in squared rows.
        target: index of the modelled column that matters most, None for no such column.
        slices: disjoint sets of the target's codes that cover them; fewer than two for no split candidates.
        settings: how the budget is spent.
        earlier: the `state` of an earlier run that this one goes on from; of ``rho`` no more is spent than it had left.
    """

    def __init__(
        self,
        codes: Tensor,
        layout: Layout,
        mechanisms: Mechanisms,
        *,
        rho: float,
        n_rows: float,
        one_way_variance: float,
        target: int | None = None,
        slices: Sequence[Sequence[int]] = (),
        settings: RoundSettings | None = None,
        earlier: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.settings = settings or RoundSettings()
        self._axis = LevelAxis(layout)
        self._spans = [slice(span.start, span.stop) for span in layout.spans]
        self._n_rows = max(1.0, n_rows)
        self._mechanisms = mechanisms
        self._target = target
        self._slices = [list(levels) for levels in slices] if target is not None and len(slices) > 1 else []
        exact = ExactMarginals(codes, layout)
        self._exact = [exact.counts(), *(exact.counts(target, levels) for levels in self._slices)]
        self._device = codes.device
        self._one_way = Estimate(layout.marginal.astype(np.float64) * self._n_rows, max(one_way_variance, 1e-9))
        self._candidates = self._listed() if rho > 0 else []
        self._measured: dict[Candidate, Estimate] = {}
        self._rho_left = rho
        self.rounds_done = 0
        if earlier is None:
            self._measure_target_pairs()
        else:
            self._go_on(earlier)

    # ------------------------------------------------------------------ what is known: post-processing

    def pairs(self) -> GramTarget:
        """See `Marginals.pairs`. Columns' own marginals are known from the start, pairs once they are measured."""
        known = _Known(self._spans, self._axis.n_levels)
        np.fill_diagonal(known.counts, self._one_way.counts)
        np.fill_diagonal(known.deviations, self._one_way.standard_deviation)
        np.fill_diagonal(known.weights, 1.0)
        for (a, b), estimate in self._estimates().items():
            known.add(a, b, estimate.counts, estimate.standard_deviation)
        return known.target(self._n_rows, self._device)

    def slice(self, column: int, levels: Sequence[int]) -> GramTarget:
        """See `Marginals.slice`: of the target, for the slices given at the start.

        Raises:
            ValueError: for another column or other levels.
        """
        if column != self._target or list(levels) not in self._slices:
            raise ValueError("a private door measures the slices that it was made for and no others")
        place = self._slices.index(list(levels))
        known, pairs = _Known(self._spans, self._axis.n_levels), self._estimates()
        for candidate, estimate in self._measured.items():
            if candidate.is_split:
                fitted = split_fitted_to(estimate, pairs[candidate.a, candidate.b])
                known.add(candidate.a, candidate.b, fitted.counts[place], fitted.standard_deviation)
        return known.target(self._n_rows, self._device)

    @property
    def measurements(self) -> dict[Candidate, Estimate]:
        """What was measured so far, as it was released: noisy counts and their variance."""
        return dict(self._measured)

    def state(self) -> dict[str, Tensor]:
        """What was released so far, and what is left to spend. Nothing of it is exact."""
        tensors = {"rho_left": torch.tensor(self._rho_left, dtype=torch.float64)}
        tensors["rounds_done"] = torch.tensor(self.rounds_done)
        for c, estimate in self._measured.items():
            name = f"{c.a}.{c.b}.{int(c.is_split)}"
            tensors[f"counts.{name}"] = torch.from_numpy(estimate.counts)
            tensors[f"variance.{name}"] = torch.tensor(estimate.variance, dtype=torch.float64)
        return tensors

    def _go_on(self, earlier: Mapping[str, Tensor]) -> None:
        # What was spent after the state was saved is gone, and so is what it bought.
        self._rho_left = min(self._rho_left, float(earlier["rho_left"]))
        self.rounds_done = int(earlier["rounds_done"])
        for name in sorted(name for name in earlier if name.startswith("counts.")):
            a, b, is_split = (int(part) for part in name.split(".")[1:])
            variance = float(earlier[name.replace("counts", "variance", 1)])
            counts = earlier[name].cpu().numpy().astype(np.float64)
            self._measured[Candidate(a, b, bool(is_split))] = Estimate(counts, variance)

    # ------------------------------------------------------------------ what is spent

    @property
    def is_spent(self) -> bool:
        """Whether all rounds are over."""
        return self.rounds_done >= self.settings.n_rounds or not self._candidates or self._rho_left <= 0

    def measure_worst(self, expected: Sequence[Tensor]) -> None:
        """One round: select the candidates that generated rows get most wrong, and measure them.

        Args:
            expected: ``(n_levels, n_levels)`` marginals of generated rows as shares, symmetric: of all rows, then of
                each slice, as `expected_marginals` gives them.

        Raises:
            PrivacyError: when the ledger does not allow it.
        """
        if self.is_spent:
            return
        rho = self._rho_left / (self.settings.n_rounds - self.rounds_done)
        n_chosen = min(self.settings.per_round, len(self._candidates))
        each, share = rho / n_chosen, self.settings.selection_share
        chosen: list[Candidate] = []
        scores = self._scores(expected, (1 - share) * each)
        for _ in range(n_chosen):
            open_ = [index for index, candidate in enumerate(self._candidates) if candidate not in chosen]
            place = self._mechanisms.select(
                scores[open_],
                rho=share * each,
                sensitivity=self._largest_weight,
                door=MARGINALS,
                what="the marginal that the generator gets most wrong",
            )
            chosen.append(self._candidates[open_[place]])
        for candidate in chosen:
            self._measure(candidate, (1 - share) * each, "a selected marginal")
        self._rho_left -= rho
        self.rounds_done += 1

    def _measure_target_pairs(self) -> None:
        pairs = [c for c in self._candidates if not c.is_split and self._target in (c.a, c.b)]
        rho = self.settings.first_share * self._rho_left
        for candidate in pairs:
            self._measure(candidate, rho / len(pairs), "a pair with the target")
        self._rho_left -= rho if pairs else 0.0

    def _measure(self, candidate: Candidate, rho: float, what: str) -> None:
        exact = self._cells(self._exact, candidate)
        noisy = self._mechanisms.counts(
            exact.cpu().numpy().astype(np.int64).ravel(), rho=rho, door=MARGINALS, what=what
        ).reshape(exact.shape)
        new = Estimate(noisy.astype(np.float64), self._mechanisms.standard_deviation(rho) ** 2)
        known = self._measured.get(candidate)
        self._measured[candidate] = new if known is None else combined(known, new)

    def _scores(self, expected: Sequence[Tensor], rho: float) -> npt.NDArray[np.float64]:
        """How many rows each candidate is off by, less what noise alone would add. A row changes it by one at most.

        Not noise-free: only `Mechanisms.select` may see it.
        """
        noise = math.sqrt(2 / math.pi) * self._mechanisms.standard_deviation(rho)
        off = [self._off_by(exact, share) for exact, share in zip(self._exact, expected, strict=True)]
        of_pairs, of_splits = off[0], np.sum(off[1:], axis=0)
        return np.array(
            [
                self._weight(c) * ((of_splits if c.is_split else of_pairs)[c.a, c.b] - noise * self._n_cells(c))
                for c in self._candidates
            ]
        )

    def _off_by(self, exact: Tensor, share: Tensor) -> npt.NDArray[np.float64]:
        """Total absolute difference in rows per pair of columns. Shape: ``(n_columns, n_columns)``, upper triangle."""
        difference = (exact.double() - share.double() * self._n_rows).abs_()
        summed: npt.NDArray[np.float64] = per_pair(difference.triu(), self._axis).cpu().numpy()
        return summed

    def _listed(self) -> list[Candidate]:
        found = [Candidate(a, b) for a, b in itertools.combinations(range(self._axis.n_columns), 2)]
        if self._slices:
            found += [Candidate(c.a, c.b, is_split=True) for c in found if self._target not in (c.a, c.b)]
        return [candidate for candidate in found if self._n_cells(candidate) <= self.settings.max_cells]

    def _weight(self, candidate: Candidate) -> float:
        with_target = candidate.is_split or self._target in (candidate.a, candidate.b)
        return self.settings.target_weight if with_target else 1.0

    @property
    def _largest_weight(self) -> float:
        return max(1.0, self.settings.target_weight)

    def _n_cells(self, candidate: Candidate) -> int:
        sizes = self._axis.sizes
        return sizes[candidate.a] * sizes[candidate.b] * (len(self._slices) if candidate.is_split else 1)

    def _cells(self, of_all_and_slices: Sequence[Tensor], candidate: Candidate) -> Tensor:
        a, b = self._spans[candidate.a], self._spans[candidate.b]
        if candidate.is_split:
            return torch.stack([part[a, b] for part in of_all_and_slices[1:]])
        return of_all_and_slices[0][a, b]

    # ------------------------------------------------------------------ from measurements to targets

    def _estimates(self) -> dict[tuple[int, int], Estimate]:
        """What is known of each measured pair of columns, all rows together."""
        found: dict[tuple[int, int], list[Estimate]] = {}
        for candidate, estimate in sorted(self._measured.items()):
            whole = estimate
            if candidate.is_split:
                whole = Estimate(estimate.counts.sum(0), estimate.variance * len(estimate.counts))
            found.setdefault((candidate.a, candidate.b), []).append(whole)
        return {
            (a, b): fitted_to(combined(*known), self._margin(a), self._margin(b)) for (a, b), known in found.items()
        }

    def _margin(self, column: int) -> Estimate:
        return Estimate(self._one_way.counts[self._spans[column]], self._one_way.variance)


class _Known:
    """What is known of all pairs: counts, their standard deviations, and weights of pairs; nothing at first."""

    def __init__(self, spans: Sequence[slice], n_levels: int) -> None:
        self._spans = spans
        self.counts = np.zeros((n_levels, n_levels))
        self.deviations = np.full((n_levels, n_levels), np.inf)
        self.weights = np.zeros((len(spans), len(spans)))

    def add(self, a: int, b: int, counts: npt.NDArray[np.float64], deviation: float) -> None:
        """Counts of a pair of columns, ``(n_a, n_b)``."""
        rows, columns = self._spans[a], self._spans[b]
        self.counts[rows, columns], self.counts[columns, rows] = counts, counts.T
        self.deviations[rows, columns] = self.deviations[columns, rows] = deviation
        self.weights[a, b] = self.weights[b, a] = 1.0

    def target(self, n_rows: float, device: torch.device) -> GramTarget:
        """The same as shares of the rows."""
        deviations = np.minimum(self.deviations / n_rows, UNMEASURED)
        share, tolerance, weight = (
            torch.from_numpy(part).float().to(device) for part in (self.counts / n_rows, deviations, self.weights)
        )
        return GramTarget(share, weight, round(n_rows), tolerance)
