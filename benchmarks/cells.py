"""The JSON that a benchmark keeps its cells in: which are still true, which must be measured, how they are added.

Every cell holds, beside its figures, the ``options`` it was asked for and the ``run`` it comes from (commit, machine,
versions, fingerprint of the package's source). A cell counts as there when both the options and the fingerprint match;
a cell of another generator than ours is bound to its options alone. Several processes may add to the same JSON.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_run, source_fingerprint

Cell = dict[str, Any]


class CellStore:
    """The cells of one benchmark in one JSON file, written after each.

    Args:
        path: the JSON, made when the first cell is added.
        benchmark: name of the benchmark, kept in the JSON.
        rank: where a cell stands among the others; in the order they were added by default.
    """

    def __init__(self, path: Path, benchmark: str, *, rank: Callable[[Cell], Any] | None = None) -> None:
        self.path = path
        self.benchmark = benchmark
        self.rank = rank
        self._source = source_fingerprint()

    def read(self) -> dict[str, Any]:
        """The whole JSON as it is now."""
        empty: dict[str, Any] = {"benchmark": self.benchmark, "cells": {}}
        return empty | (json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {})

    @contextmanager
    def change(self) -> Iterator[dict[str, Any]]:
        """The whole JSON, to be changed in place and written at the end, while no other process can.

        Nothing is written when the block raises.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path.parent, os.O_RDONLY)  # the folder, so that no lock file is left lying about
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            results = self.read()
            yield results
            fresh = self.path.with_name(self.path.name + ".part")
            fresh.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
            fresh.replace(self.path)
        finally:
            os.close(lock)

    def find(self, key: str, options: Mapping[str, Any], *, ours: bool = True) -> Cell | None:
        """The cell, if it was measured with these options and, where the package had a part in it, its present source.

        Args:
            key: name of the cell.
            options: what was asked for, as JSON values.
            ours: whether the figures come from the package; False for peers and built-in generators.
        """
        cell: Cell | None = self.read()["cells"].get(key)
        if cell is None or cell.get("options") != _plain(options):
            return None
        current = cell.get("run", {}).get("source") == self._source
        return cell if current or not ours else None

    def keep(self, key: str, options: Mapping[str, Any], cell: Mapping[str, Any], run: Mapping[str, Any]) -> Cell:
        """Add one cell, or put it in the place of an older one."""
        kept: Cell = _plain({**cell, "options": options, "run": run})
        with self.change() as results:
            cells = {**results["cells"], key: kept}
            results["cells"] = cells if self.rank is None else _sorted(cells, self.rank)
        return kept

    def measured(
        self,
        key: str,
        options: Mapping[str, Any],
        measure: Callable[[], Mapping[str, Any]],
        *,
        ours: bool = True,
        again: bool = False,
        brief: Callable[[Cell], str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> Cell:
        """The cell as it is kept, measured now unless it is there.

        Args:
            key: name of the cell.
            options: what is asked for, as JSON values.
            measure: measures the cell.
            ours: as in `find`.
            again: measure in any case.
            brief: what to print of a cell that was measured now.
            more: goes into the cell's ``run``.

        Raises:
            RuntimeError: the package's source changed meanwhile, so that it is unknown what was measured.
        """
        found = None if again else self.find(key, options, ours=ours)
        if found is not None:
            print(f"{key}: already there", flush=True)
            return found
        print(f"{key}: running", flush=True)
        run = describe_run() | {"source": self._source, **(more or {})}
        cell = measure()
        if ours and source_fingerprint() != self._source:
            raise RuntimeError(f"{key} is not kept: the source of synthgan changed since this benchmark was started.")
        kept = self.keep(key, options, cell, run)
        if brief is not None:
            print(f"{key}: {brief(kept)}", flush=True)
        return kept


def _sorted(cells: Mapping[str, Cell], rank: Callable[[Cell], Any]) -> dict[str, Cell]:
    """The cells by rank; those that the benchmark no longer knows stand last, in the order they had."""
    known: dict[str, Any] = {}
    for key, cell in cells.items():
        with suppress(KeyError, ValueError):
            known[key] = rank(cell)
    ordered = sorted(known, key=known.__getitem__)
    return {key: cells[key] for key in [*ordered, *(key for key in cells if key not in known)]}


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """The value as it comes back from JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(value))
    return plain
