"""The rooms of the package and of its tests: what a module may be, what it is called, and where its tests stand."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "synthgan"
TESTS = ROOT / "tests"
MODULES = sorted(PACKAGE.rglob("*.py"))
TEST_MODULES = sorted(TESTS.rglob("test_*.py"))
MOST_LINES = 400
LEAST_TESTED = 100
"""Lines from which on a module has tests that name it."""

SAYS_NOTHING = re.compile(r"(^|_)(util|utils|helper|helpers|manager|managers|common|misc)(_|$)")

OTHER_FOLDERS = {
    "benchmarks": "mirrors the folder of the scripts beside the package",
    "earlier_files": "files that earlier versions wrote, and what wrote them",
    "fuzz": "any command on any damaged input",
    "gpu": "what needs a CUDA device",
    "integration": "several rooms at once, from a table to a file",
}
"""Folders of tests that are no room of the package."""

OTHER_TESTS = {
    "test_docs.py": "the pages",
    "test_doctests.py": "the examples in docstrings",
    "test_house_rules.py": "what CI's lint step runs",
    "test_public_surface.py": "what `import synthgan` offers",
    "test_rooms.py": "this one",
    "test_synthesizer_sampling.py": "the second half of the front's tests",
    "audit/test_planted_bugs.py": "a law of the room: each bug of the literature is found by its detectors",
    "benchmarks/test_pages.py": "pages of several scripts",
    "cli/test_endings.py": "how a process ends, whatever the command: signals, streams, memory",
    "cli/test_privacy.py": "the private options of several commands",
    "cli/test_private_tables.py": "a law of the room: neighbouring files, the same words and exit codes",
    "cli/test_terminal.py": "what only a real terminal shows",
    "critics/test_sampled_marginal.py": "a law of the room: 200 columns, of which no step sees all pairs",
    "fitting/test_behind_the_doors.py": "a law of the room: who may touch rows, and when",
    "fitting/test_stored_facts.py": "a law of the room: no stored number moves with one row's value",
    "review/report/test_browser.py": "the page in a real browser",
    "tables/frames/test_whole_dtypes.py": "a law of the room: a frame's dtypes come back whole",
    "tables/test_stability.py": "a law of the room: one unit changes at most its own rows, before any noise",
    "tables/test_stability_dtypes.py": "the same for dtypes, which hang on cells",
}
"""Test modules that are named after no module of their room."""

TESTED_THROUGH = {
    "audit/marginal_games.py": "audit/test_pipeline.py",
    "cli/options.py": "cli/test_cli.py",
    "evaluation/parts.py": "evaluation/test_all_parts.py",
    "privacy/account/joint_account.py": "privacy/account/test_shared_file.py",
    "privacy/account/ledger_document.py": "privacy/account/test_ledger.py",
    "privacy/columns/number_release.py": "privacy/columns/test_private_statistics.py",
    "review/bundle/deployment_record.py": "review/bundle/test_write.py",
    "review/bundle/findings.py": "review/bundle/test_write.py",
    "review/bundle/real_rows.py": "review/bundle/test_write.py",
    "review/report/blocks.py": "review/report/test_page.py",
    "review/report/figures.py": "review/report/test_page.py",
    "review/report/svg.py": "review/report/test_page.py",
    "review/report/table_sections.py": "review/report/test_page.py",
    "review/verdicts.py": "review/test_gates.py",
    "review/wording.py": "review/test_gates.py",
    "tables/axes/axis_search.py": "tables/axes/test_grids.py",
    "tables/axes/decimal_digits.py": "tables/axes/test_grids.py",
    "tables/axes/grid_search.py": "tables/axes/test_grids.py",
    "tables/axes/raw_numbers.py": "tables/axes/test_grids.py",
    "tables/columns/binning.py": "tables/columns/test_numeric.py",
    "tables/columns/curve.py": "tables/columns/test_numeric.py",
    "tables/columns/numeric_levels.py": "tables/columns/test_numeric.py",
    "tables/conditions/settling.py": "tables/conditions/test_predicates.py",
    "tables/constraints/planning.py": "tables/constraints/test_constraints.py",
    "tables/constraints/reparametrisation.py": "tables/constraints/test_order.py",
    "tables/constraints/steps.py": "tables/constraints/test_order.py",
    "tables/constraints/violations.py": "tables/constraints/test_constraints.py",
    "tables/frames/object_columns.py": "tables/frames/test_frames.py",
    "tables/kind_guesses.py": "tables/test_inference.py",
    "tables/schema/declared_columns.py": "tables/schema/test_schema_file.py",
    "tables/schema/written_columns.py": "tables/written/test_written.py",
    "tables/sources/csv_source.py": "tables/sources/test_open.py",
    "tables/sources/declared_source.py": "tables/reading/test_conversion.py",
    "tables/sources/parquet_source.py": "tables/sources/test_open.py",
    "tables/written/number_format.py": "tables/written/test_written.py",
    "tables/written/number_proposals.py": "tables/written/test_written.py",
    "tables/written/time_format.py": "tables/written/test_written.py",
    "tables/written/time_proposals.py": "tables/written/test_written.py",
}
"""Modules of some length that no test imports by name, and the tests that reach them through their neighbours."""


def _in(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: _in(path, PACKAGE))
def test_a_module_fits_on_some_screens_and_says_what_it_is(path: Path) -> None:
    assert _lines(path) <= MOST_LINES, "it is two things: give each a module"
    text = path.read_text(encoding="utf-8")
    assert (ast.get_docstring(ast.parse(text)) or "").strip()


def test_names_say_what_is_inside() -> None:
    folders = (PACKAGE, TESTS, ROOT / "benchmarks", ROOT / "scripts", ROOT / "examples")
    paths = [path for folder in folders for path in folder.rglob("*") if path.suffix == ".py" or path.is_dir()]
    assert len(paths) > len(MODULES)
    assert [_in(path, ROOT) for path in paths if SAYS_NOTHING.search(path.stem)] == []


def test_every_room_says_what_it_is() -> None:
    rooms = {path.parent for path in MODULES}
    assert [_in(room, ROOT) for room in rooms if not (room / "__init__.py").exists()] == []


def test_folders_of_tests_mirror_the_package() -> None:
    folders = {path.parent for path in TESTS.rglob("*.py")} - {TESTS}
    strays = [
        _in(folder, TESTS)
        for folder in folders
        if _in(folder, TESTS).split("/")[0] not in OTHER_FOLDERS and not (PACKAGE / _in(folder, TESTS)).is_dir()
    ]
    assert strays == []
    assert [name for name in OTHER_FOLDERS if not (TESTS / name).is_dir()] == []


def _named_after(path: Path) -> list[Path]:
    """What a test module may be named after: a module of its room, or the room itself."""
    room, name = path.relative_to(TESTS).parent, path.stem.removeprefix("test_")
    home = ROOT / room if room.parts[:1] == ("benchmarks",) else PACKAGE / room
    return [home / f"{name}.py", *([home] if home.name == name else [])]


@pytest.mark.parametrize("path", TEST_MODULES, ids=lambda path: _in(path, TESTS))
def test_a_test_module_is_named_after_what_it_tests(path: Path) -> None:
    if path.relative_to(TESTS).parts[0] in set(OTHER_FOLDERS) - {"benchmarks"}:
        return
    assert _in(path, TESTS) in OTHER_TESTS or any(home.exists() for home in _named_after(path))


@pytest.mark.parametrize("listed", [*OTHER_TESTS, *TESTED_THROUGH.values()])
def test_test_modules_that_are_named_here_exist(listed: str) -> None:
    assert (TESTS / listed).is_file()


def _imports(text: str) -> set[str]:
    """Everything that a module imports by name: modules, and what is taken from them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_long_modules_have_tests() -> None:
    """A test module of the same name, one that imports the module, or one that is listed as reaching it."""
    imported = {name for path in TEST_MODULES for name in _imports(path.read_text(encoding="utf-8"))}
    untested = {
        _in(path, PACKAGE)
        for path in MODULES
        if path.name != "__init__.py"
        and _lines(path) >= LEAST_TESTED
        and not (TESTS / _in(path.parent, PACKAGE) / f"test_{path.name}").exists()
        and ".".join(path.relative_to(ROOT).with_suffix("").parts) not in imported
    }
    assert untested - set(TESTED_THROUGH) == set(), "give it tests, or say which tests reach it"
    assert [name for name in TESTED_THROUGH if not (PACKAGE / name).is_file()] == []
