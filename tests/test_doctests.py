"""Examples in docstrings run and show what they say, and everything that a user calls has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest

import synthgan
import synthgan.datasets
import synthgan.review
from synthgan.audit.pipeline import audit
from synthgan.evaluation.scores import Scores
from synthgan.privacy.account.ledger import Ledger
from synthgan.privacy.account.shared_file import LedgerFile

ROOT = Path(__file__).resolve().parent.parent
SLOW = {"synthgan.review.bundle.verify.verify_bundle", "synthgan.review.bundle.write.write_bundle"}
"""Examples of some seconds: a whole evaluation each."""

RESULTS = {synthgan.review.Bundle, synthgan.review.Verification}
"""Nobody makes one by hand; the functions that return them show them."""


def _examples() -> list[doctest.DocTest]:
    """All docstrings of the package that hold an example, by the name of what they describe."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    examples = []
    for path in sorted((ROOT / "synthgan").rglob("*.py")):
        if ">>> " not in path.read_text(encoding="utf-8"):
            continue
        parts = path.relative_to(ROOT).with_suffix("").parts
        module = importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
        examples += [found for found in finder.find(module) if found.examples]
    return examples


EXAMPLES = _examples()


def _called() -> dict[str, Any]:
    """What a user calls: the public names but for errors, and the public methods of the synthesizer."""
    homes = (synthgan, synthgan.datasets, synthgan.review)
    offered = {f"{home.__name__}.{name}": getattr(home, name) for home in homes for name in home.__all__}
    offered |= {
        f"Synthesizer.{name}": method
        for name, method in inspect.getmembers(synthgan.Synthesizer, callable)
        if not name.startswith("_")
    }
    offered |= {part.__name__: part for part in (audit, Scores, Ledger, LedgerFile)}
    return {
        name: value
        for name, value in offered.items()
        if callable(value)
        and value not in RESULTS
        and not (isinstance(value, type) and issubclass(value, BaseException))
    }


@pytest.mark.parametrize(
    "example",
    [pytest.param(found, id=found.name, marks=[pytest.mark.slow] * (found.name in SLOW)) for found in EXAMPLES],
)
def test_the_example_shows_what_it_says(
    example: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an empty folder of its own, with names that no other example has left, and warnings as errors."""
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    copy = doctest.DocTest(
        example.examples, namespace, example.name, example.filename, example.lineno, example.docstring
    )
    told: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(copy, out=told.append)
    assert result.attempted == len(example.examples)
    assert result.failed == 0, "".join(told)


@pytest.mark.parametrize("name", sorted(_called()))
def test_everything_that_a_user_calls_has_an_example(name: str) -> None:
    assert ">>> " in (inspect.getdoc(_called()[name]) or "")


def test_slow_examples_are_there() -> None:
    assert {found.name for found in EXAMPLES} >= SLOW
