"""What benchmarks keep: which cells count as there, several writers, where figures come from in words."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the fingerprint of the package."""
    from benchmarks import cells

    def set_to(fingerprint: str) -> None:
        monkeypatch.setattr(cells, "source_fingerprint", lambda: fingerprint)

    set_to("old")
    return set_to


def measured(path: Path, figure: int, options: dict[str, Any], **more: Any) -> int:
    """The figure of the cell ``key``, which is ``figure`` if it is measured now."""
    from benchmarks.cells import CellStore

    return CellStore(path, "test").measured("key", options, lambda: {"figure": figure}, **more)["figure"]


def test_a_cell_is_measured_again_when_the_package_or_the_options_changed(tmp_path: Path, source: Any) -> None:
    path = tmp_path / "cells.json"
    assert measured(path, 1, {"steps": 5, "betas": (0.5, 0.9)}) == 1
    assert measured(path, 2, {"steps": 5, "betas": (0.5, 0.9)}) == 1, "the same options, the same source"
    assert measured(path, 3, {"steps": 6}) == 3, "other options"
    source("new")
    assert measured(path, 4, {"steps": 6}) == 4, "another source"
    assert measured(path, 5, {"steps": 6}) == 4
    assert measured(path, 6, {"steps": 6}, again=True) == 6
    cell = json.loads(path.read_text())["cells"]["key"]
    assert cell["options"] == {"steps": 6}
    assert cell["run"]["source"] == "new"
    assert {"commit", "uncommitted_changes", "date", "machine", "versions"} <= cell["run"].keys()


def test_cells_of_other_generators_outlive_a_change_of_the_package(tmp_path: Path, source: Any) -> None:
    path = tmp_path / "cells.json"
    assert measured(path, 1, {}, ours=False) == 1
    source("new")
    assert measured(path, 2, {}, ours=False) == 1
    assert measured(path, 3, {"epochs": 1}, ours=False) == 3


def test_cells_of_before_there_were_fingerprints_are_measured_again(tmp_path: Path, source: Any) -> None:
    path = tmp_path / "cells.json"
    path.write_text(json.dumps({"cells": {"key": {"figure": 1}}}))
    assert measured(path, 2, {}) == 2
    path.write_text(json.dumps({"cells": {"key": {"figure": 1, "options": {}, "run": {"commit": "c"}}}}))
    assert measured(path, 3, {}) == 3


def test_nothing_is_kept_when_the_package_changes_while_it_is_measured(tmp_path: Path, source: Any) -> None:
    from benchmarks.cells import CellStore

    def measure() -> dict[str, Any]:
        source("new")
        return {}

    store = CellStore(tmp_path / "cells.json", "test")
    with pytest.raises(RuntimeError, match="key is not kept: the source of synthgan changed"):
        store.measured("key", {}, measure)
    assert store.read()["cells"] == {}


def test_several_writers_lose_no_cell_and_leave_no_file_behind(tmp_path: Path) -> None:
    from benchmarks.cells import CellStore

    path = tmp_path / "results" / "cells.json"
    stores = [CellStore(path, "test", rank=lambda cell: -cell["i"]) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: stores[i % 4].keep(f"key {i}", {}, {"i": i}, {}), range(64)))
    assert list(stores[0].read()["cells"]) == [f"key {i}" for i in reversed(range(64))]
    assert [file.name for file in path.parent.iterdir()] == ["cells.json"]


def test_a_change_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    from benchmarks.cells import CellStore

    store = CellStore(tmp_path / "cells.json", "test")
    store.keep("key", {}, {"figure": 1}, {})
    before = store.path.read_text()
    with pytest.raises(ZeroDivisionError), store.change() as results:
        results["cells"].clear()
        _ = 1 / 0
    assert store.path.read_text() == before
    store.keep("other", {}, {}, {})
    assert list(store.read()["cells"]) == ["key", "other"]


def test_cells_that_a_benchmark_no_longer_knows_stand_last(tmp_path: Path) -> None:
    from benchmarks.cells import CellStore

    path = tmp_path / "cells.json"
    path.write_text(json.dumps({"cells": {"forgotten": {}, "b": {"place": 2}}}))
    store = CellStore(path, "test", rank=lambda cell: cell["place"])
    store.keep("a", {}, {"place": 1}, {})
    assert list(store.read()["cells"]) == ["a", "b", "forgotten"]


def test_the_fingerprint_follows_what_the_modules_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import machine

    monkeypatch.setattr(machine, "ROOT", tmp_path)
    module = tmp_path / "synthgan" / "critics" / "marginal.py"
    module.parent.mkdir(parents=True)
    module.write_text("a = 1\n")
    first = machine.source_fingerprint()
    (tmp_path / "synthgan" / "critics" / "marginal.pyc").write_text("a cache")
    assert machine.source_fingerprint() == first
    module.write_text("a = 2\n")
    second = machine.source_fingerprint()
    module.rename(module.with_name("other.py"))
    assert len({first, second, machine.source_fingerprint()}) == 3


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        ("../shared/data", "../shared/data"),
        ("/srv/tables/data", "data"),
        ("--data=/srv/tables", "--data=tables"),
        ("small=y", "small=y"),
        ("--quick", "--quick"),
    ],
)
def test_commands_are_kept_without_the_folders_of_the_machine(word: str, kept: str) -> None:
    from benchmarks.machine import without_folders

    assert without_folders(word) == kept


def run_of(commit: str | None, day: int = 1, *, changed: bool = False) -> dict[str, Any]:
    return {
        "date": f"2026-01-0{day}T00:00:00",
        "commit": commit,
        "uncommitted_changes": changed,
        "machine": {"cores": 2, "processor": "P", "memory_gib": 8.0},
        "threads": "2",
        "python": "3.11",
        "versions": {"numpy": "2"},
    }


def test_one_commit_is_named_once_and_several_with_their_rows() -> None:
    from benchmarks.provenance import provenance

    a, b = {"run": run_of("a" * 40)}, {"run": run_of("a" * 40, 3)}
    changed = {"run": run_of("b" * 40, 2, changed=True)}
    where = "2 cores of P, 2 threads"
    assert provenance({"x": [a, b], "y": [a]}) == (
        f"Measured: 2026-01-01 to 2026-01-03, commit `aaaaaaaaaaaa`, {where}."
    )
    assert provenance({"x": [a, changed], "y": [a], "z": [{}]}) == (
        f"Measured: 2026-01-01, commit `aaaaaaaaaaaa`, {where} (x, y); "
        f"2026-01-02, commit `bbbbbbbbbbbb` with uncommitted changes, {where} (x); "
        "commit and machine not recorded (z)."
    )
    assert provenance({"x": [a]}, versions=True).endswith(f"{where}, 8.0 GiB, Python 3.11, numpy 2.")
    assert provenance({}) == ""
