"""Membership attacks: what an attacker reads from synthetic rows about the rows they were made from.

Each attack sees the synthetic rows, reference rows of the same population that the generator never saw, and the rows to
be judged, without knowing which were used; never the generator. It treats all rows to be judged alike, so where nothing
leaks the scores of members and of fresh rows have one distribution. The attacks that compare with reference rows are
the stronger ones where density varies: a row in a dense region has neighbours whether it was used or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from synthgan.evaluation.compared.compared_tables import ComparedTables, Floats
from synthgan.evaluation.compared.neighbours import RowPoints, as_points, distance_blocks, smallest_distances

N_NEIGHBOURS = 5
N_COMPONENTS = 10

N_BINS = 10
"""Bins of equally many reference rows that `marginals` cuts a numeric column into."""

MAX_LEVELS = 50
"""Levels of a column that `marginals` tells apart; rarer ones share a cell."""

MAX_COLUMNS = 200
"""Columns that `marginals` looks at; of more, evenly spaced ones."""

_FLOOR = 1e-3
_MORE_ROWS = np.float32(2.0)


@dataclass(frozen=True, kw_only=True)
class AttackerView:
    """What an attacker works with.

    Attributes:
        targets: the rows to be judged.
        synthetic: the published rows, or a random part of them.
        reference: the attacker's own rows.
        features: the same three for a classifier, in this order: ``(n_rows, n_columns)`` numbers and codes, NaN where
            missing.
        is_categorical: per column of ``features``, whether it holds codes.
        is_published: ``(n_targets,)`` whether some published row equals the target in every compared column.
    """

    targets: RowPoints
    synthetic: RowPoints
    reference: RowPoints
    features: tuple[Floats, Floats, Floats] = field(repr=False)
    is_categorical: tuple[bool, ...]
    is_published: NDArray[np.bool_]

    @cached_property
    def to_synthetic(self) -> Floats:
        """L1 distances to each target's five nearest synthetic rows, nearest first: ``(n_targets, 5)``."""
        return smallest_distances(self.targets, self.synthetic, N_NEIGHBOURS)

    @cached_property
    def to_reference(self) -> Floats:
        """L1 distances to each target's five nearest reference rows, nearest first: ``(n_targets, 5)``."""
        return smallest_distances(self.targets, self.reference, N_NEIGHBOURS)


Attack = Callable[[AttackerView], Floats]
"""One score per target, ``(n_targets,)``: higher says "member"."""


def attacker_view(tables: ComparedTables, *, max_synthetic: int | None = None) -> AttackerView:
    """The view on tables named ``targets``, ``synthetic`` and ``reference``; scales are those of the reference rows.

    Args:
        tables: of the three names; other tables are not looked at.
        max_synthetic: only so many of the synthetic rows take part, the first ones, except in the search for equal
            rows; None for all.
    """
    names = ("targets", "synthetic", "reference")
    tables = replace(
        tables,
        n_rows={name: tables.n_rows[name] for name in names},
        numbers={name: tables.numbers[name] for name in names},
        codes={name: tables.codes[name] for name in names},
    )
    is_published = _equal_to_some(tables, "targets", "synthetic")
    tables = tables.select("synthetic", np.arange(tables.n_rows["synthetic"])[:max_synthetic])
    targets, synthetic, reference = (as_points(tables, name, real="reference") for name in names)
    return AttackerView(
        targets=targets,
        synthetic=synthetic,
        reference=reference,
        features=(tables.matrix("targets"), tables.matrix("synthetic"), tables.matrix("reference")),
        is_categorical=tuple(role == "categorical" for role in tables.roles.values()),
        is_published=is_published,
    )


# ------------------------------------------------------------------------------------------------------------ distances


def closest(view: AttackerView) -> Floats:
    """Nearness of the closest synthetic row (Chen et al. 2020, *GAN-Leaks*, full black box), L1."""
    return -view.to_synthetic[:, 0]


def monte_carlo(view: AttackerView) -> Floats:
    """Share of synthetic rows within a radius: the median of the targets' closest distances (Hilprecht et al. 2019)."""
    radius = float(np.median(view.to_synthetic[:, 0]))
    shares = np.empty(len(view.targets))
    for rows, distances in distance_blocks(view.targets, view.synthetic, norm="l1"):
        shares[rows] = (distances <= radius).mean(axis=1)
    return shares


def domias_neighbours(view: AttackerView) -> Floats:
    """Density among synthetic over density among reference rows (van Breugel et al. 2023, *DOMIAS*), by neighbours.

    The density is the nearest-neighbour estimate, averaged as a logarithm over the first five neighbours. Of the log
    ratio of two such estimates only the difference of mean log distances depends on the target. Distances are at least
    a thousandth of their median, so that a copy has a finite density.
    """
    near = (view.to_synthetic, view.to_reference)
    positive = np.concatenate([distances[distances > 0] for distances in near])
    floor = _FLOOR * float(np.median(positive)) if len(positive) else 1.0
    to_synthetic, to_reference = (np.log(np.maximum(distances, floor)).mean(axis=1) for distances in near)
    return to_reference - to_synthetic


def domias_kernel(view: AttackerView) -> Floats:
    """DOMIAS with Gaussian kernels on the first principal components, at most ten, scaled to variance one.

    Bandwidths are Scott's. Blurred where the neighbours are sharp: it looks for whole regions that follow the members.
    """
    pooled = np.concatenate([view.synthetic.matrix, view.reference.matrix])
    centre = pooled.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(pooled - centre, rowvar=False).reshape(pooled.shape[1], -1))
    kept = np.arange(len(values))[values > 1e-9][-N_COMPONENTS:]
    if not len(kept):
        return np.zeros(len(view.targets))
    axes = vectors[:, kept] / np.sqrt(values[kept])

    def project(points: RowPoints) -> RowPoints:
        projected = (points.matrix - centre) @ axes
        return RowPoints(numbers=projected, levels=np.empty((len(points), 0), dtype=np.float32), values=projected)

    seen = project(view.targets)
    return _log_density(seen, project(view.synthetic)) - _log_density(seen, project(view.reference))


def exact_match(view: AttackerView) -> Floats:
    """1 where a synthetic row equals the target in every compared column."""
    return view.is_published.astype(np.float64)


# ---------------------------------------------------------------------------------------------------------- other means


def classifier(view: AttackerView) -> Floats:
    """Log odds of gradient boosting told to tell synthetic rows from reference rows.

    A classifier's odds estimate the density ratio that DOMIAS wants (the classifier attack of Houssiau et al. 2022,
    *TAPAS*). Its trees are deep and a leaf may hold a single row, for what is looked for is a surplus of synthetic
    rows at single places: it is meant to learn them by heart. Where one table has fewer rows they weigh as much in sum.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    targets, synthetic, reference = view.features
    known = np.isfinite(np.concatenate([synthetic, reference])).any(axis=0)
    if not known.any():
        return np.zeros(len(targets))
    targets, synthetic, reference = (table[:, known] for table in view.features)  # empty columns have no bins
    model = HistGradientBoostingClassifier(
        max_iter=50,
        max_leaf_nodes=255,
        min_samples_leaf=1,
        max_features=0.3,
        l2_regularization=1.0,
        categorical_features=np.array(view.is_categorical)[known],
        early_stopping=False,
        class_weight="balanced",
        random_state=0,
    )
    model.fit(np.concatenate([synthetic, reference]), np.repeat([1, 0], [len(synthetic), len(reference)]))
    return np.asarray(model.decision_function(targets), dtype=np.float64)


def marginals(view: AttackerView) -> Floats:
    """How much the one- and two-way counts of a row's cells are in excess among the synthetic rows.

    The sum, over all columns and pairs of columns, of the log ratio of the synthetic to the reference share of the cell
    that the row is in. Generators that keep marginal counts give their rows away by them: attacks on such are the sum
    of ratios of MAMA-MIA (Golob et al. 2024) and the likelihood ratio over a graph's cliques of TAMIS (Andrey et al.
    2025). Here no method of generation is assumed, so all pairs count. Homer et al. (2008) used single columns only.

    Numbers are cut into deciles of the reference rows. Both tables get two more rows, spread as both together are: a
    cell that one of them lacks has a finite ratio, and a cell that both lack says nothing.
    """
    targets, synthetic, reference = _cells(view)
    counts = [cells.T @ cells for cells in (synthetic, reference)]
    n_rows = [len(synthetic), len(reference)]
    spread = _MORE_ROWS * sum(counts) / np.float32(sum(n_rows))
    shares = [(count + spread) / np.float32(n + _MORE_ROWS) for count, n in zip(counts, n_rows, strict=True)]
    excess = np.zeros_like(spread)
    np.log(np.divide(shares[0], shares[1], out=np.ones_like(spread), where=spread > 0), out=excess)
    # A row's cells are its ones: this adds up the excess of each pair of them, twice, and on the diagonal of each one.
    return np.einsum("ij,ij->i", targets @ excess, targets, dtype=np.float64)


ATTACKS: dict[str, Attack] = {
    "closest": closest,
    "monte_carlo": monte_carlo,
    "domias_neighbours": domias_neighbours,
    "domias_kernel": domias_kernel,
    "classifier": classifier,
    "marginals": marginals,
    "exact_match": exact_match,
}


# ---------------------------------------------------------------------------------------------------------------- parts


def _log_density(targets: RowPoints, points: RowPoints) -> Floats:
    """Log of the kernel estimate up to a constant: ``(n_targets,)``."""
    n, dimensions = points.numbers.shape
    bandwidth = n ** (-1.0 / (dimensions + 4))
    density = np.empty(len(targets))
    for rows, squares in distance_blocks(targets, points, norm="l2"):
        density[rows] = logsumexp(squares / (-2.0 * bandwidth**2), axis=1)
    return density


def _cells(view: AttackerView) -> list[NDArray[np.float32]]:
    """For targets, synthetic and reference rows 1 where the row is in the cell: ``(n_rows, n_cells)``."""
    n_columns = len(view.is_categorical)
    used = range(0, n_columns, -(-n_columns // MAX_COLUMNS))
    parts: list[list[NDArray[np.float32]]] = [[], [], []]
    for column in used:
        values = [table[:, column] for table in view.features]
        if view.is_categorical[column]:
            codes = [np.where(np.isnan(own), MAX_LEVELS, np.minimum(own, MAX_LEVELS - 1)) for own in values]
        else:
            own = values[2][~np.isnan(values[2])]
            edges = np.unique(np.quantile(own, np.arange(1, N_BINS) / N_BINS, method="lower")) if len(own) else own
            # Even numbers between edges, odd ones on an edge, where many rows may share a value.
            codes = [np.searchsorted(edges, own, "left") + np.searchsorted(edges, own, "right") for own in values]
        _, place = np.unique(np.concatenate(codes), return_inverse=True)
        ones = np.eye(int(place.max()) + 1, dtype=np.float32)
        splits = np.cumsum([len(own) for own in values])[:-1]
        for part, rows in zip(parts, np.split(place.reshape(-1), splits), strict=True):
            part.append(ones[rows])
    return [np.concatenate(part, axis=1) for part in parts]


def _equal_to_some(tables: ComparedTables, name: str, other: str) -> NDArray[np.bool_]:
    """Which rows of a table equal some row of the other; missing equals missing, and -0.0 equals 0.0."""
    n_rows = tables.n_rows[name]
    keys = np.zeros(n_rows + tables.n_rows[other], dtype=np.int64)
    for column, role in tables.roles.items():
        source = tables.numbers if role == "numeric" else tables.codes
        _, codes = np.unique(np.concatenate([source[name][column], source[other][column]]), return_inverse=True)
        # Numbering the pairs anew keeps the product of the two numbers far below 2**63.
        _, keys = np.unique(keys * (int(codes.max()) + 1) + codes.reshape(-1), return_inverse=True)
        keys = keys.reshape(-1).astype(np.int64)
    return np.isin(keys[:n_rows], keys[n_rows:])
