"""What the second door's release tells about a generator besides its error: modes reached, Frechet distance, variety.

No row of the table is needed. All two-way marginals are also the modes that a table's pairs of columns have, and the
first two moments of its one-hot rows; so these figures cost no privacy beyond the marginals, which are there already.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from synthgan.comparison import MODE_ROWS, REACHED_SHARE, Gaussian, frechet_distance, random_projection
from synthgan.critics.marginal_door import GramTarget, per_pair
from synthgan.networks.layers import LevelAxis

AGREEMENT_ROWS = 512
_CHUNK_LEVELS = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """What is known about a fit before its first step.

    Attributes:
        marginal_error: mean total variation distance, over pairs, of independent columns with the data's one-way
            marginals. Training starts near it.
        mode_coverage: share of the modes that such columns reach.
        agreement: two real rows agree in all columns with at most this probability.
    """

    marginal_error: float
    mode_coverage: float
    agreement: float


class Monitor:
    """Compares generated rows with released marginals.

    Args:
        target: all one- and two-way marginals, as `synthgan.critics.marginal_door.Marginals.pairs` gives them; not
            shrunken ones, which a critic may fit instead.
        axis: the layout on the device.
    """

    def __init__(self, target: GramTarget, axis: LevelAxis) -> None:
        self._target = target
        self._axis = axis
        self._mean = target.share.diagonal().double()
        # Pairs of columns whose marginal is known; a column with itself is no pair.
        self._known = (target.weight > 0) & ~torch.eye(axis.n_columns, dtype=torch.bool, device=self._mean.device)

    def figures(self, probabilities: Tensor) -> dict[str, float]:
        """Error, mode coverage, level coverage, Frechet distance and row agreement of a batch.

        - ``averaged_marginal_error``: mean total variation distance over pairs of columns, 0 without any.
        - ``mode_coverage``: share of the modes that the generator reaches. A mode is a cell of a two-way table that
          lies as far from zero, in standard errors, as `MODE_ROWS` rows do; it is reached when it is generated with at
          least `REACHED_SHARE` of its probability. Levels take the place of cells where there is no pair of columns.
        - ``level_coverage``: the same for single levels.
        - ``frechet_distance``: of one-hot rows, each column scaled to total variance 1, as a share of the data's
          variance. 0 is best, and 1 what the mean alone would score.
        - ``row_agreement``: probability that two generated rows agree in all columns; one over it is the effective
          number of different rows (Hill 1973, order 2).

        Args:
            probabilities: ``(n_rows, n_levels)``, each column's softmax, all finite.
        """
        mean = probabilities.double().mean(0)
        gram = probabilities.T @ probabilities / len(probabilities)
        return {
            "averaged_marginal_error": self._error(gram),
            "mode_coverage": self._mode_coverage(gram, mean),
            "level_coverage": self._level_coverage(mean),
            "frechet_distance": self._frechet_distance(gram, mean),
            "row_agreement": self._row_agreement(probabilities[:AGREEMENT_ROWS]),
        }

    @cached_property
    def baseline(self) -> Baseline:
        """What training starts from."""
        mean = self._mean.float()
        product = torch.outer(mean, mean)
        # Summed over each pair's cells: how often two rows agree in both columns.
        agreement = per_pair(self._target.share.square(), self._axis)
        return Baseline(
            marginal_error=self._error(product),
            mode_coverage=self._mode_coverage(product, self._mean),
            agreement=float(torch.cat([agreement.diagonal(), agreement[self._known]]).min()),
        )

    def _error(self, gram: Tensor) -> float:
        weight = self._target.weight * self._known
        distance = 0.5 * per_pair((gram - self._target.share).abs(), self._axis)
        return float((distance * weight).sum() / weight.sum().clamp_min(1))

    @cached_property
    def _certain(self) -> Tensor:
        """Cells that hold enough to be modes, ``(n_levels, n_levels)`` bool."""
        share, tolerance = self._target.share, self._target.tolerance_at(slice(None), slice(None))
        return (share > 0) & (share.square() >= MODE_ROWS * tolerance.square())

    @cached_property
    def _modes(self) -> Tensor:
        """Those of them that lie between two columns."""
        column = self._axis.column_of_level
        return self._certain & self._known[column][:, column]

    def _mode_coverage(self, gram: Tensor, mean: Tensor) -> float:
        n_modes = int(self._modes.sum())
        if not n_modes:
            return self._level_coverage(mean)
        return int(((gram >= REACHED_SHARE * self._target.share) & self._modes).sum()) / n_modes

    def _level_coverage(self, mean: Tensor) -> float:
        modes = self._certain.diagonal()
        reached = modes & (mean >= REACHED_SHARE * self._mean)
        return int(reached.sum()) / max(1, int(modes.sum()))

    def _frechet_distance(self, gram: Tensor, mean: Tensor) -> float:
        real, scale = self._law
        if real is None:
            return 0.0
        return frechet_distance(real, self._gaussian(gram, mean, scale)) / max(float(real.covariance.trace()), 1e-12)

    @cached_property
    def _law(self) -> tuple[Gaussian | None, Tensor]:
        """The data's law on scaled features, None without a column that varies; and the map onto those features."""
        variance = self._mean * (1 - self._mean)
        per_column = torch.stack([part.sum() for part in variance.split(self._axis.sizes)])
        weight = torch.where(per_column > 1e-9, per_column.clamp_min(1e-9).rsqrt(), 0.0)[self._axis.column_of_level]
        projection = random_projection(self._axis.n_levels)
        scale = weight.diag() if projection is None else weight[:, None] * torch.from_numpy(projection).to(weight)
        if not weight.any():
            return None, scale
        return self._gaussian(self._target.share, self._mean, scale), scale

    def _gaussian(self, gram: Tensor, mean: Tensor, scale: Tensor) -> Gaussian:
        """First two moments of one-hot rows with the given marginals. Covariances of unknown pairs count as 0.

        Shape: ``(n_levels, n_levels)``, ``(n_levels,)``, ``(n_levels, n_features)``.
        """
        column = self._axis.column_of_level
        covariance = scale.T @ (mean[:, None] * scale)
        # In chunks: twice the width of the Gram matrix in 64 bits may not fit beside it.
        for start in range(0, len(mean), _CHUNK_LEVELS):
            here = slice(start, start + _CHUNK_LEVELS)
            same = column[here, None] == column
            outer = torch.outer(mean[here], mean)
            rows = torch.where(self._known[column[here]][:, column], gram[here] - outer, torch.where(same, -outer, 0.0))
            covariance += scale[here].T @ (rows @ scale)
        return Gaussian((mean @ scale).cpu().numpy(), covariance.cpu().numpy())

    def _row_agreement(self, probabilities: Tensor) -> float:
        n_rows = len(probabilities)
        agree = torch.ones(n_rows, n_rows, device=probabilities.device)
        for part in self._axis.parts(probabilities):
            agree *= part @ part.T
        return float((agree.sum() - agree.diagonal().sum()) / (n_rows * (n_rows - 1)))
