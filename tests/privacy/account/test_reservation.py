"""A fit enters the account of its table last of all: whatever can be refused is refused before, and costs nothing."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from synthgan import BudgetError, Privacy, PrivacyError, Synthesizer, SynthganError
from synthgan.config import DpSgdSettings
from synthgan.errors import SourceError
from synthgan.fitting import private_table
from synthgan.fitting.resume import journal_path
from synthgan.privacy.account.ledger import Ledger
from synthgan.privacy.account.reservation import Reservation
from synthgan.privacy.account.shared_file import LedgerFile
from synthgan.tables.sources.batches import TableSource
from synthgan.tables.sources.derived_source import NoRows
from tests.fitting.test_private import CRITIC, DECLARED, SMALL, people

Refused = Callable[[Path], dict[str, Any]]


def fit(ledger: Path | None, *, data: Any = None, checkpoint: Path | None = None, **options: Any) -> Synthesizer:
    promise = {"epsilon": 4.0, "neural_settings": CRITIC, "ledger": ledger, **options.pop("promise", {})}
    options = {"settings": SMALL, "schema": DECLARED, "random_state": 0, **options}
    made = Synthesizer(privacy=Privacy(**promise), device="cpu", progress="off", **options)
    return made.fit(people(100) if data is None else data, **({} if checkpoint is None else {"checkpoint": checkpoint}))


class BreaksOff(TableSource):
    """A file that cannot be read to its end."""

    def _read(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
        yield next(iter(super()._read(columns, 10)))
        raise SourceError("the table cannot be read to its end")


def exact(folder: Path, **options: Any) -> Path:
    checkpoint = folder / "exact.checkpoint"
    made = Synthesizer(settings=SMALL, schema=DECLARED, random_state=0, device="cpu", progress="off", **options)
    made.fit(people(100), checkpoint=checkpoint)
    return checkpoint


@functools.cache
def private_files() -> dict[str, bytes]:
    """Checkpoint and journal of a private fit that was begun without an account."""
    with tempfile.TemporaryDirectory() as folder:
        fit(None, checkpoint=Path(folder) / "private.checkpoint")
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def private(folder: Path) -> Path:
    for name, content in private_files().items():
        (folder / name).write_bytes(content)
    return folder / "private.checkpoint"


def written(path: Path, content: bytes = b"something else") -> Path:
    path.write_bytes(content)
    return path


def journal_alone(folder: Path) -> Path:
    Ledger(1.0, 1e-5, journal=journal_path(folder / "fit.checkpoint"))
    return folder / "fit.checkpoint"


def without_journal(folder: Path) -> Path:
    journal_path(private(folder)).unlink()
    return folder / "private.checkpoint"


def with_journal(folder: Path, change: Callable[[bytes], bytes]) -> Path:
    journal = journal_path(private(folder))
    journal.write_bytes(change(journal.read_bytes()))
    return folder / "private.checkpoint"


def of_another_promise(folder: Path) -> Path:
    journal = journal_path(private(folder))
    journal.unlink()
    Ledger(2.0, 1e-5, journal=journal)
    return folder / "private.checkpoint"


def without_value(folder: Path, name: str) -> Path:
    """The checkpoint of this very fit, with one of the values gone that it keeps besides the trainer."""
    path = private(folder)
    with safe_open(path, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (not a dict)
        header = json.loads(file.metadata()["synthgan"])
    del header["private"][name]
    save_file(tensors, path, {"synthgan": json.dumps(header)})
    return path


def two_columns(rule: str, *names: str) -> dict[str, Any]:
    return {"columns": DECLARED["columns"], "constraints": [{"kind": rule, "columns": list(names)}]}


REFUSED: dict[str, Refused] = {
    "checkpoint of an exact fit": lambda folder: {"checkpoint": exact(folder)},
    "checkpoint of an exact fit with a holdout": lambda folder: {
        "checkpoint": exact(folder, holdout=0.2),
        "holdout": 0.2,
    },
    "checkpoint of other settings": lambda folder: {"checkpoint": private(folder), "min_count": 5},
    "checkpoint of another epsilon": lambda folder: {"checkpoint": private(folder), "promise": {"epsilon": 3.0}},
    "checkpoint of another table": lambda folder: {"checkpoint": private(folder), "data": people(100, seed=1)},
    "checkpoint of another delta": lambda folder: {"checkpoint": private(folder), "promise": {"delta": 1e-6}},
    "checkpoint of another share": lambda folder: {"checkpoint": private(folder), "promise": {"neural": 0.1}},
    "checkpoint of another schema": lambda folder: {"checkpoint": private(folder), "schema": None},
    "checkpoint of another seed": lambda folder: {"checkpoint": private(folder), "random_state": 1},
    "checkpoint of another target": lambda folder: {"checkpoint": private(folder), "target": "smokes"},
    "checkpoint of another holdout": lambda folder: {"checkpoint": private(folder), "holdout": 0.1},
    "checkpoint of another training": lambda folder: {"checkpoint": private(folder), "max_steps": 1},
    "checkpoint of a shorter table": lambda folder: {"checkpoint": private(folder), "data": people(100).head(99)},
    "checkpoint that is cut": lambda folder: {
        "checkpoint": written(folder / "fit.checkpoint", private_files()["private.checkpoint"][:-100])
    },
    "checkpoint without its codec": lambda folder: {"checkpoint": without_value(folder, "codec")},
    "checkpoint without its plan": lambda folder: {"checkpoint": without_value(folder, "plan")},
    "checkpoint without the key of its holdout": lambda folder: {"checkpoint": without_value(folder, "holdout_key")},
    "journal that is damaged": lambda folder: {"checkpoint": with_journal(folder, lambda lines: b"{]\n" + lines)},
    "journal that is empty": lambda folder: {"checkpoint": with_journal(folder, lambda _: b"")},
    "journal of another promise": lambda folder: {"checkpoint": of_another_promise(folder)},
    "checkpoint that is none": lambda folder: {"checkpoint": written(folder / "fit.checkpoint")},
    "checkpoint without its journal": lambda folder: {"checkpoint": without_journal(folder)},
    "journal without its checkpoint": lambda folder: {"checkpoint": journal_alone(folder)},
    "checkpoint without a folder": lambda folder: {"checkpoint": folder / "nowhere" / "fit.checkpoint"},
    "checkpoint that is the ledger": lambda folder: {"checkpoint": folder / "fits.json"},
    "journal that is the ledger": lambda folder: {
        "checkpoint": folder / "fit",
        "promise": {"ledger": folder / "fit.journal"},
    },
    "a target that is no column": lambda _: {"target": "smoke"},
    "a unit that is no column": lambda _: {"promise": {"unit": "person"}},
    "a declared column that is none": lambda _: {"schema": {"columns": {"height": {"bounds": [0, 3]}}}},
    "a declared type that does not fit": lambda _: {"schema": {"columns": {"age": {"kind": "text"}}}},
    "bounds the wrong way round": lambda _: {"schema": {"columns": {"age": {"bounds": [9, 3]}}}},
    "inferred facts": lambda _: {
        "schema": {"columns": {"age": {"bounds": {"lower": 18, "upper": 89, "source": "inferred-exact"}}}}
    },
    "an order over kinds without one": lambda _: {"schema": two_columns("order", "colour", "age")},
    "a rule without a column": lambda _: {"schema": two_columns("order", "age", "height")},
    "a schema file that is missing": lambda folder: {"schema": folder / "schema.json"},
    "early stopping": lambda _: {"early_stopping": True},
    "a time limit": lambda _: {"time_limit": 60.0},
    "no protection": lambda _: {"protect_values": False},
    "no steps": lambda _: {"max_steps": 0},
    "all held out": lambda _: {"holdout": 1.0},
    "a loss that pairs rows": lambda _: {
        "promise": {"neural": 1.0, "neural_settings": DpSgdSettings(loss="relativistic")}
    },
    "a table that cannot be read to its end": lambda _: {
        "data": BreaksOff(pa.Table.from_pandas(people(100), preserve_index=False), description="the table")
    },
    "a path that is no table": lambda folder: {"data": folder / "people.parquet"},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_costs_nothing(name: str, tmp_path: Path) -> None:
    ledger = tmp_path / "fits.json"
    options = REFUSED[name](tmp_path)
    there = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(SynthganError):
        fit(ledger, **options)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == there, "no file is new, and none has changed"


def test_the_journal_of_other_updates_costs_nothing(tmp_path: Path) -> None:
    """Of one promise, but of another plan for the neural critic."""
    ledger, checkpoint = tmp_path / "fits.json", tmp_path / "fit.checkpoint"
    neural = {"neural": 0.5}
    fit(None, checkpoint=checkpoint, promise=neural)
    journal = journal_path(checkpoint)
    plan = f'"count":{CRITIC.n_updates}'.encode()
    assert journal.read_bytes().count(plan) == 1
    journal.write_bytes(journal.read_bytes().replace(plan, b'"count":%d' % (CRITIC.n_updates - 1)))
    with pytest.raises(PrivacyError, match="journal belongs to another fit"):
        fit(ledger, checkpoint=checkpoint, promise=neural)
    assert not ledger.exists()


def test_a_full_account_leaves_no_journal(tmp_path: Path) -> None:
    ledger, checkpoint = tmp_path / "fits.json", tmp_path / "fit.checkpoint"
    LedgerFile.create(ledger, cap_epsilon=3.0)
    with pytest.raises(BudgetError, match="above its cap of 3"):
        fit(ledger, checkpoint=checkpoint)
    assert not checkpoint.exists()
    assert not journal_path(checkpoint).exists()


def test_an_account_that_fills_up_meanwhile_leaves_no_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, checkpoint = tmp_path / "fits.json", tmp_path / "fit.checkpoint"
    LedgerFile.create(ledger, cap_epsilon=5.0)
    divide = private_table.divide

    def slowly(*arguments: Any, **options: Any) -> Any:
        LedgerFile(ledger).reserve(2.0, 1e-5)
        return divide(*arguments, **options)

    monkeypatch.setattr(private_table, "divide", slowly)
    with pytest.raises(BudgetError, match="above its cap of 5"):
        fit(ledger, checkpoint=checkpoint)
    assert LedgerFile(ledger).guarantee() == (2.0, 1e-5)
    assert not checkpoint.exists()
    assert not journal_path(checkpoint).exists()


def test_a_fit_that_was_begun_without_an_account_enters_it_once(tmp_path: Path) -> None:
    ledger, checkpoint = tmp_path / "fits.json", private(tmp_path)
    fit(ledger, checkpoint=checkpoint)
    fit(ledger, checkpoint=checkpoint)
    fit(None, checkpoint=checkpoint)  # which does not forget what it is called there
    fit(ledger, checkpoint=checkpoint)
    assert [each.state for each in LedgerFile(ledger).read().fits] == ["spent"]


def test_a_fit_that_noise_left_no_column_goes_on_like_any_other(tmp_path: Path) -> None:
    ledger, checkpoint = tmp_path / "fits.json", tmp_path / "fit.checkpoint"
    nothing = {"schema": {"columns": {"note": "text"}}, "data": people(100)[["note"]]}
    for _ in range(2):
        made = fit(ledger, checkpoint=checkpoint, **nothing)
        assert made.codec_.layout.n_columns == 0
        assert checkpoint.exists()
    assert [each.state for each in LedgerFile(ledger).read().fits] == ["spent"]


def test_a_fit_without_a_column_that_was_begun_without_an_account_enters_it_once(tmp_path: Path) -> None:
    ledger, checkpoint = tmp_path / "fits.json", tmp_path / "fit.checkpoint"
    nothing = {"schema": {"columns": {"note": "text"}}, "data": people(100)[["note"]]}
    for account in (None, ledger, ledger, None, ledger):
        fit(account, checkpoint=checkpoint, **nothing)
    assert [each.state for each in LedgerFile(ledger).read().fits] == ["spent"]


def test_a_place_is_taken_late_and_kept(tmp_path: Path) -> None:
    ledger = tmp_path / "fits.json"
    privacy = Privacy(1.0, ledger=ledger)
    place = Reservation(privacy)
    assert not ledger.exists()
    place.enter()
    place.enter()
    assert [each.state for each in LedgerFile(ledger).read().fits] == ["reserved"]
    place.settle()
    assert [each.state for each in LedgerFile(ledger).read().fits] == ["spent"]
    lost = Reservation(privacy)
    lost.enter()
    assert [each.state for each in LedgerFile(ledger).read().fits] == ["spent", "reserved"]
    Reservation(privacy).settle()  # which was never entered
    assert len(LedgerFile(ledger).read().fits) == 2
    again = Reservation(privacy, lost.fit)
    again.enter()
    again.settle()
    assert [each.state for each in LedgerFile(ledger).read().fits] == ["spent", "spent"]
    nowhere = Reservation(Privacy(1.0))
    nowhere.enter()
    nowhere.settle()
    assert nowhere.fit is None


def test_the_rehearsal_spends_nothing_and_reads_nothing(tmp_path: Path) -> None:
    made = fit(tmp_path / "fits.json", data=people(60).assign(whole=pd.Series(range(60), dtype="Int64")))
    assert sum(entry.what == "number of rows" for entry in made.ledger_.entries) == 1
    unreadable = NoRows(BreaksOff(pa.table({"x": range(60)}), description="the table"))
    assert list(unreadable.batches()) == []
    assert (unreadable.n_rows, list(unreadable.names)) == (0, ["x"])
