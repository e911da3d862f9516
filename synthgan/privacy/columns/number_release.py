"""Noisy histograms of numbers and times.

The grid that a column is counted on comes from its type and declaration alone, and is refined by noisy counts only:

1. *Step*: where the grid of floats or times is not declared, rows are counted by the coarsest step they lie on.
2. *Range*: 64 equal cells between declared bounds, else an exponential grid over the type's whole range, of which the
   stretch between the outermost heavy cells stays. Rows beyond it are few; they are left to the nearest cell.
3. *Single values*: a range of at most `FEW_TICKS` ticks is counted tick by tick, and that is all. Otherwise values
   that many rows share are discovered; they are a column's zeros, caps and sentinels, and count by themselves from
   here on. One discovery at full strength finds smaller spikes than a tree that halves heavy cells down to ticks would,
   because the tree has to share the same budget out among its levels.
4. *Refinement*: what is left of heavy cells is cut into pieces of some eight standard deviations each, again while a
   sixteenth of the rows still lies in one piece.
5. *Last count*: all cells once more, with the budget that is left.

All measurements of nested cells are reconciled by least squares and brought to the table's noisy number of rows.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat

from synthgan.privacy.columns.estimates import TRUST, Cell, norm_sub, rising_sums, without_noise
from synthgan.privacy.columns.heavy_values import heavy_numbers
from synthgan.privacy.columns.number_cells import N_SPECIAL, CellCounter, Reader, StepCounter, candidate_steps
from synthgan.privacy.columns.protocol import Budget, ColumnRelease, Counter, PendingRelease
from synthgan.privacy.columns.public_grids import (
    N_EQUAL_CELLS,
    declared_range,
    equal_cells,
    exponential_cells,
    n_ticks,
    public_axis,
    public_range,
    tick_array,
    width,
    without_ticks,
)
from synthgan.privacy.columns.released_columns import ReleasedColumn, number_of
from synthgan.tables.arrow_types import parse_type
from synthgan.tables.axes.axis import Axis
from synthgan.tables.axes.raw_numbers import Numbers
from synthgan.tables.schema.schema import ColumnSchema
from synthgan.tables.statistics.declared_grids import has_declared_grid
from synthgan.tables.statistics.histogram import Histogram

FEW_TICKS = 256
"""A range of no more ticks is counted tick by tick."""

STEP_SHARE, RANGE_SHARE, SPIKE_SHARE = 0.1, 0.15, 0.3
"""Of a column's budget. The rest goes to refinement and the last count, which see every row that is no spike."""

OPEN_RANGE_SHARE = 0.2
"""Of the budget for the range where bounds are open: what it misses is lost for good."""

ROUNDS = 4
"""Most refinements; 64 pieces each make 2**24 times narrower cells."""

PIECE = 8.0
"""Standard deviations of rows that a piece should hold."""

MOST_CUT = 64
"""Most cells that are cut at once; their number, and so memory and time, depends on no count."""

HEAVY_SHARE = 1 / 16
"""Of all rows: a piece that holds more is cut again."""

OFF_GRID_SHARE = 0.005
"""Of all rows: a step that no more rows miss is the column's step."""

EDGE = 3.0
"""Standard deviations from which on a cell beside a heavy one still belongs to the range."""

NEAR_CELLS = 2

END_ROWS = 1.0
"""Fewest rows in the outermost cells between declared bounds. Where values may end is public then, so the tails reach
there, however few rows lie in them."""

OBSERVATION = 0.25
"""Rows per observation in standard deviations: ten observations are two and a half of them."""


def n_cells_expected(column: ColumnSchema) -> float:
    """How many cells the column's histogram will have, as far as its declaration tells: what its budget goes by."""
    axis = public_axis(column)
    low, high = public_range(column, axis)
    if None in declared_range(column, axis):
        return 2.0 * N_EQUAL_CELLS
    ticks = n_ticks(axis, low, high)
    return ticks + N_SPECIAL if ticks <= FEW_TICKS else 1.5 * N_EQUAL_CELLS


def discovers_values(column: ColumnSchema) -> bool:
    """Whether the column's release may have to discover single values: not where a few ticks are all there are."""
    axis = public_axis(column)
    grid_is_found = not has_declared_grid(column) and pat.is_floating(parse_type(column.arrow_type))  # and may be fine
    return grid_is_found or n_ticks(axis, *public_range(column, axis)) > FEW_TICKS


def release_numbers(column: ColumnSchema, budget: Budget) -> PendingRelease[Histogram]:
    """Release the histogram of a column of numbers or times."""
    axis, left = yield from _axis(column, budget)
    bounds = declared_range(column, axis)
    reader = Reader(name=column.name, axis=axis, low=bounds[0], high=bounds[1])
    low, high = public_range(column, axis)
    is_declared = None not in bounds
    specials = [Cell(0, 0) for _ in range(N_SPECIAL)]
    few = n_ticks(axis, low, high) <= FEW_TICKS
    if few or is_declared:
        cells = equal_cells(axis, low, high, FEW_TICKS if few else N_EQUAL_CELLS)
    else:
        cells = exponential_cells(axis, low, high)
    share = left if few else RANGE_SHARE if is_declared else OPEN_RANGE_SHARE
    yield from _count(reader, cells, specials, budget, share=share, what="coarse histogram")
    if few:
        return _histogram(axis, cells, specials, budget, ends_are_public=is_declared)
    left -= share
    if not is_declared:
        cells = _heavy_stretch(cells, budget.deviation(share))
        low, high = cells[0].lower, cells[-1].upper
        if n_ticks(axis, low, high) <= FEW_TICKS:
            for cell in cells:
                cell.parts = equal_cells(axis, cell.lower, cell.upper, FEW_TICKS)
            yield from _count(reader, _leaves(cells), specials, budget, share=left, what="histogram of single ticks")
            return _histogram(axis, cells, specials, budget, ends_are_public=is_declared)
    spikes = tick_array(axis, [])
    if budget.delta > 0:
        spikes = yield from _spikes(reader, cells, budget)
        left -= SPIKE_SHARE
    yield from _refine(reader, cells, spikes, specials, budget, left=left)
    return _histogram(axis, cells, specials, budget, ends_are_public=is_declared)


def _axis(column: ColumnSchema, budget: Budget) -> Generator[Counter, None, tuple[Axis, float]]:
    """The column's grid, and the share of its budget that is left."""
    arrow_type = parse_type(column.arrow_type)
    steps = candidate_steps(arrow_type)
    if has_declared_grid(column) or (len(steps) == 1 and not pat.is_floating(arrow_type)):
        return public_axis(column), 1.0
    counter = StepCounter(column.name, arrow_type)
    yield counter
    noisy, deviation = budget.counts(counter.counts, STEP_SHARE, "steps")
    return _axis_on_step(column, arrow_type, _step(noisy, deviation, budget.n_rows)), 1.0 - STEP_SHARE


def _axis_on_step(column: ColumnSchema, arrow_type: pa.DataType, place: int | None) -> Axis:
    if pat.is_floating(arrow_type):
        return public_axis(column, step=None) if place is None else public_axis(column, step=1, decimals=place)
    return public_axis(column, step=1 if place is None else candidate_steps(arrow_type)[place])


def _step(noisy: npt.NDArray[np.float64], deviation: float, n_rows: float) -> int | None:
    """Place of the coarsest step that next to all rows lie on; None when noise leaves it open."""
    for place in range(len(noisy) - 1):
        on, off = float(noisy[: place + 1].sum()), float(noisy[place + 1 :].sum())
        noise = deviation * np.sqrt(len(noisy))
        if on >= 5 * TRUST * noise and off <= max(2 * noise, OFF_GRID_SHARE * n_rows):
            return place
    return None


def _count(
    reader: Reader,
    cells: Sequence[Cell],
    specials: Sequence[Cell],
    budget: Budget,
    *,
    share: float,
    what: str,
    excluded: Numbers | None = None,
) -> Generator[Counter, None, None]:
    """Measure cells, and what is not a number, in one histogram."""
    counter = CellCounter(reader, cells, excluded=excluded)
    yield counter
    noisy, deviation = budget.counts(counter.counts, share, what)
    for cell, count in zip([*cells, *specials], noisy.tolist(), strict=True):
        cell.measure(count, deviation**2)


def _heavy_stretch(cells: list[Cell], deviation: float) -> list[Cell]:
    """The cells from the first heavy one to the last; at least the heaviest.

    The threshold grows with the number of cells, so that among thousands of empty ones hardly any passes.
    """
    counts = np.array([cell.count for cell in cells])
    heavy = np.flatnonzero(counts >= deviation * np.sqrt(2 * np.log(20 * len(cells))))
    if not len(heavy):
        heavy = np.array([int(np.argmax(counts))])
    ends = []
    for end, direction in ((int(heavy[0]), -1), (int(heavy[-1]), 1)):
        near = [end + direction * step for step in range(1, NEAR_CELLS + 1)]
        fits = [place for place in near if 0 <= place < len(cells) and counts[place] >= EDGE * deviation]
        ends.append(fits[-1] if fits else end)
    return cells[ends[0] : ends[1] + 1]


def _spikes(reader: Reader, cells: list[Cell], budget: Budget) -> Generator[Counter, None, Numbers]:
    """Discover heavy single values; each becomes a part of its cell, beside a part for the rest."""
    low, high = cells[0].lower, cells[-1].upper

    def keys(array: pa.Array) -> Numbers:
        ticks, _ = reader.read(array)
        inside = ticks[(ticks >= low) & (ticks <= high)]
        return inside + 0 if inside.dtype.kind == "f" else inside  # -0.0 is 0.0

    n_possible = n_ticks(reader.axis, low, high)
    found, noisy, deviation = yield from heavy_numbers(budget, keys, SPIKE_SHARE, n_possible=n_possible)
    spikes = found.astype(reader.axis.dtype)
    lower = tick_array(reader.axis, [cell.lower for cell in cells])
    for tick, count in zip(spikes.tolist(), noisy.tolist(), strict=True):
        cell = cells[int(np.searchsorted(lower, tick, side="right")) - 1]
        spike = Cell(tick, tick)
        spike.measure(count, deviation**2)
        cell.parts.append(spike)
    listed = spikes.tolist()
    for cell in cells:
        if cell.parts and without_ticks(reader.axis, cell, listed):
            cell.parts.append(Cell(cell.lower, cell.upper))  # what is left of it
        cell.reconcile()
    return spikes


def _refine(
    reader: Reader, cells: list[Cell], spikes: Numbers, specials: Sequence[Cell], budget: Budget, *, left: float
) -> Generator[Counter, None, None]:
    """Cut heavy cells into pieces, then count all of them once more."""
    listed = spikes.tolist()
    least = HEAVY_SHARE * budget.n_rows
    for round_ in range(ROUNDS):
        share = left / 2
        deviation = budget.deviation(share)
        threshold = 2 * PIECE * deviation if round_ == 0 else max(least, 2 * PIECE * deviation)
        heavy = [cell for cell in _rest(cells, set(listed)) if cell.count >= threshold and not cell.is_single]
        pieces: list[Cell] = []
        for cell in sorted(heavy, key=lambda cell: -cell.count)[:MOST_CUT]:
            n_pieces = int(np.clip(cell.count / (PIECE * deviation), 2, N_EQUAL_CELLS))
            made = equal_cells(reader.axis, cell.lower, cell.upper, n_pieces)
            # A piece that is a spike and nothing else would hold no row.
            cell.parts = [piece for piece in made if without_ticks(reader.axis, piece, listed)]
            pieces += cell.parts
        pieces.sort(key=lambda piece: piece.lower)
        if not pieces:
            break
        yield from _count(reader, pieces, specials, budget, share=share, what="finer histogram", excluded=spikes)
        left -= share
        for cell in cells:
            cell.reconcile()
    rest = _rest(cells, set(listed))
    yield from _count(reader, rest, specials, budget, share=left, what="last histogram", excluded=spikes)


def _leaves(cells: Sequence[Cell]) -> list[Cell]:
    return [leaf for cell in cells for leaf in cell.leaves()]


def _rest(cells: Sequence[Cell], spikes: set[float | int]) -> list[Cell]:
    """Leaves, ascending, without the spikes; a single tick that is a spike holds no other row."""
    found = [leaf for leaf in _leaves(cells) if not (leaf.is_single and leaf.lower in spikes)]
    return sorted(found, key=lambda leaf: leaf.lower)


def _histogram(
    axis: Axis, cells: Sequence[Cell], specials: Sequence[Cell], budget: Budget, *, ends_are_public: bool
) -> Histogram:
    """Everything that was measured as one histogram of disjoint cells with the table's number of rows."""
    for cell in cells:
        cell.reconcile()
    leaves = sorted(_leaves(cells), key=lambda leaf: leaf.lower)
    deviation = float(np.median([np.sqrt(leaf.variance) for leaf in leaves]))
    counts = rising_sums(np.array([leaf.count for leaf in leaves]))
    if ends_are_public:
        counts[[0, -1]] = np.maximum(counts[[0, -1]], END_ROWS)
    others = np.array([special.count for special in specials])
    others = without_noise(others, float(np.sqrt(specials[0].variance)), n_last=N_SPECIAL)
    if not pat.is_floating(axis.arrow_type):
        others = others[:1]  # nothing else can be infinite: what is counted there is noise
    _, missing, *infinite = norm_sub(np.append(counts.sum(), others), budget.n_rows).tolist()
    positive, negative = infinite or (0.0, 0.0)
    counts *= max(budget.n_rows - missing - positive - negative, 0.0) / max(counts.sum(), 1e-300)
    spikes = sorted(leaf.lower for leaf in leaves if leaf.is_single)
    lower, upper, rows = [], [], []
    for leaf, count in zip(leaves, counts.tolist(), strict=True):
        parts = [leaf] if leaf.is_single else without_ticks(axis, leaf, spikes)
        widths = np.array([width(axis, part) for part in parts])
        shares = widths / widths.max(initial=5e-324)  # sums of large widths may overflow
        for part, share in zip(parts, (shares / shares.sum()).tolist(), strict=True):
            lower.append(part.lower)
            upper.append(part.upper)
            rows.append(count * share)
    start, last, held = tick_array(axis, lower), tick_array(axis, upper), np.array(rows, dtype=np.float64)
    order = np.argsort(start, kind="stable")
    order = order[held[order] > 0]
    return Histogram(
        axis=axis,
        lower=start[order],
        upper=last[order],
        counts=held[order],
        rows_per_observation=max(1.0, OBSERVATION * deviation),
        n_missing=missing,
        n_positive_infinite=positive,
        n_negative_infinite=negative,
        n_lost_digits=axis.frame.dropped if pat.is_decimal(axis.arrow_type) else 0,
    )


def numbers_in_words(column: ColumnSchema, released: Histogram) -> ReleasedColumn:
    """In how many ranges and single values the rows were counted, and in which steps."""
    n_single = int((released.lower == released.upper).sum())
    n_ranges = len(released.counts) - n_single
    counted = [number_of(n_single, "single value")] if n_single else []
    if n_ranges or not counted:
        counted.insert(0, number_of(n_ranges, "range"))
    words = f"counted in {' and '.join(counted)}"
    if column.traits.scale == "amount":  # the steps of times are nanoseconds or days
        step = released.axis.granularity
        words += ", with any number of decimals" if step is None else f", in steps of {step:.15g}"
    return ReleasedColumn(column=column.name, basis="ranges", words=words)


NUMBER_RELEASE = ColumnRelease(
    release=release_numbers, in_words=numbers_in_words, n_cells=n_cells_expected, discovers=discovers_values
)
