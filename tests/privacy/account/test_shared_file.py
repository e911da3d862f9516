"""Several fits on one table: sums, caps, kills, several processes at once."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan import BudgetError, OutputError, PrivacyError, SettingsError
from synthgan.privacy.account import shared_file as module
from synthgan.privacy.account.journal import lock
from synthgan.privacy.account.shared_file import LedgerFile
from synthgan.privacy.account.shared_file_lock import lock_path, locked, memory_of

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX locks, signals and permissions")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fits.json"


def test_fits_add_up(path: Path) -> None:
    file = LedgerFile(path)
    for seed in range(10):
        with file.fit(0.1, 1e-6, what=f"seed {seed}"):
            pass
    assert file.guarantee() == (1.0, 1e-5)
    assert [fit.state for fit in file.read().fits] == ["spent"] * 10
    assert LedgerFile(path).read() == file.read()


def test_the_file_says_what_it_means(path: Path) -> None:
    LedgerFile.create(path, table="customers 2026", unit="person", cap_epsilon=5)
    LedgerFile(path).reserve(1, 1e-5, unit="person", rows_per_unit=3, what="tuning")
    content = json.loads(path.read_text())
    assert content["table"] == "customers 2026"
    assert content["unit"] == "person"
    assert content["joint_guarantee"] == {"epsilon": 1.0, "delta": 1e-5}
    assert content["cap"] == {"epsilon": 5.0, "delta": None}
    assert "Rogers et al. 2016" in content["composition"]
    assert "add or remove" in content["adjacency"]
    (fit,) = content["fits"]
    assert (fit["state"], fit["epsilon"], fit["rows_per_unit"], fit["what"]) == ("reserved", 1.0, 3, "tuning")


def test_the_name_of_a_table_is_random_unless_given(tmp_path: Path) -> None:
    names = {LedgerFile.create(tmp_path / f"{number}.json").read().table for number in range(5)}
    assert len(names) == 5


def test_a_fit_counts_before_it_reads_data_and_when_it_fails(path: Path) -> None:
    file = LedgerFile(path)
    with pytest.raises(RuntimeError), file.fit(1.0, 1e-5):
        assert file.guarantee() == (1.0, 1e-5)
        raise RuntimeError
    assert file.guarantee() == (1.0, 1e-5)
    assert [fit.state for fit in file.read().fits] == ["reserved"]


@posix
def test_a_killed_fit_counts(path: Path) -> None:
    code = f"""
import os, signal
from synthgan.privacy.account.shared_file import LedgerFile
from synthgan.privacy.account.shared_file_lock import lock_path, locked, memory_of
LedgerFile({str(path)!r}).reserve(0.75, 1e-6, what="killed")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    file = LedgerFile(path)
    file.reserve(0.25, 1e-6)
    assert file.guarantee() == (1.0, 2e-6)
    assert file.read().fits[0].state == "reserved"


def test_a_cap_refuses_what_would_pass_it(path: Path) -> None:
    file = LedgerFile.create(path, cap_epsilon=1.0, cap_delta=3e-6)
    for _ in range(3):
        file.reserve(0.3, 1e-6)
    before = path.read_bytes()
    with pytest.raises(BudgetError, match=r"epsilon of the ledger file .* would add up to 1.2, above its cap of 1"):
        file.reserve(0.3, 1e-9)
    with pytest.raises(BudgetError, match="delta of the ledger file"):
        file.reserve(0.1, 1e-6)
    assert path.read_bytes() == before
    with pytest.raises(BudgetError), LedgerFile(path).fit(0.2, 1e-9):
        pytest.fail("the fit must not begin")


@settings(max_examples=30)  # each fit waits for the disk
@given(st.lists(st.tuples(st.floats(1e-3, 3), st.floats(1e-9, 1e-3)), max_size=8), st.floats(0.5, 5))
def test_no_sequence_of_fits_passes_the_cap(tmp_path_factory, asked, cap: float) -> None:
    file = LedgerFile.create(tmp_path_factory.mktemp("ledger") / "fits.json", cap_epsilon=cap)
    accepted = []
    for epsilon, delta in asked:
        total = sum(part for part, _ in accepted) + epsilon
        try:
            file.settle(file.reserve(epsilon, delta))
        except BudgetError:
            assert total > cap * (1 - 1e-12)
        else:
            accepted.append((epsilon, delta))
        assert file.guarantee()[0] <= cap
    assert file.guarantee() == pytest.approx(tuple(sum(parts) for parts in zip(*accepted, strict=True)) or (0, 0))


def test_one_file_protects_one_unit(path: Path) -> None:
    file = LedgerFile(path)
    file.reserve(1.0, 1e-5, unit="person", rows_per_unit=2)
    file.reserve(1.0, 1e-5, unit="person", rows_per_unit=5)
    with pytest.raises(PrivacyError, match="protect the unit 'person', this one 'row'"):
        file.reserve(1.0, 1e-5)


@pytest.mark.parametrize(
    "wrong",
    [{"epsilon": 0.0}, {"delta": 1.0}, {"epsilon": float("nan")}, {"rows_per_unit": 2}, {"unit": ""}],
    ids=str,
)
def test_a_fit_that_promises_nothing_is_refused(path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        LedgerFile(path).reserve(**({"epsilon": 1.0, "delta": 1e-5} | wrong))
    assert not path.exists()


@pytest.mark.parametrize("wrong", [{"cap_epsilon": 0}, {"cap_delta": 1}, {"table": ""}, {"unit": ""}], ids=str)
def test_a_file_with_a_wrong_cap_or_name_is_refused(path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        LedgerFile.create(path, **wrong)
    assert not path.exists()


def test_settling_is_for_fits_that_are_reserved(path: Path) -> None:
    file = LedgerFile(path)
    with pytest.raises(PrivacyError, match="no such reserved fit"):
        file.settle("0123")
    fit = file.reserve(1.0, 1e-5)
    file.settle(fit.id)
    with pytest.raises(PrivacyError, match="no such reserved fit"):
        file.settle(fit)


def test_a_file_is_not_begun_twice(path: Path) -> None:
    LedgerFile(path).reserve(1.0, 1e-5)
    with pytest.raises(OutputError, match="exists already"):
        LedgerFile.create(path)
    assert LedgerFile(path).guarantee() == (1.0, 1e-5)


@posix
def test_the_file_is_for_its_owner_only(path: Path) -> None:
    old = os.umask(0)
    try:
        LedgerFile.create(path)
        path.chmod(0o644)
        LedgerFile(path).reserve(1.0, 1e-5)
    finally:
        os.umask(old)
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert {file.name for file in path.parent.iterdir()} == {"fits.json", ".fits.json.lock"}


def test_a_link_keeps_pointing_at_the_file(path: Path) -> None:
    LedgerFile.create(path)
    link = path.with_name("link.json")
    link.symlink_to(path)
    LedgerFile(link).reserve(1.0, 1e-5)
    assert link.is_symlink()
    assert LedgerFile(path).guarantee() == (1.0, 1e-5)


@posix
@pytest.mark.parametrize("of", ["file", "folder", "link to a link", "relative"])
def test_all_links_lead_to_one_account_and_one_lock(of: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "accounts").mkdir()
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "accounts" / "fits.json"
    link = tmp_path / "elsewhere" / "link.json"
    if of == "folder":
        (tmp_path / "elsewhere" / "folder").symlink_to(tmp_path / "accounts")
        link = tmp_path / "elsewhere" / "folder" / "fits.json"
    elif of == "relative":
        link.symlink_to(Path("..") / "accounts" / "fits.json")
    else:
        target = path
        if of == "link to a link":
            target = tmp_path / "between.json"
            target.symlink_to(path)
        link.symlink_to(target)
    LedgerFile(link).reserve(1.0, 1e-5)  # of a file that is not there yet
    LedgerFile(path).reserve(0.5, 1e-5)
    assert LedgerFile(link).guarantee() == LedgerFile(path).guarantee() == (1.5, 2e-5)
    assert [file.name for file in tmp_path.rglob("*.lock")] == [".fits.json.lock"]
    with locked(path, timeout_seconds=1.0):
        monkeypatch.setattr(module, "LOCK_SECONDS", 0.05)
        with pytest.raises(PrivacyError, match="another process holds"):
            LedgerFile(link).reserve(1.0, 1e-5)


@posix
def test_a_file_of_two_names_is_refused(path: Path) -> None:
    LedgerFile(path).reserve(1.0, 1e-5)
    other = path.with_name("other.json")
    os.link(path, other)
    for each in (path, other):
        with pytest.raises(PrivacyError, match=r"has 2 names \(hard links\)"):
            LedgerFile(each).reserve(1.0, 1e-5)
        with pytest.raises(PrivacyError, match="hard links"):
            LedgerFile(each).guarantee()
    other.unlink()
    assert LedgerFile(path).guarantee() == (1.0, 1e-5)


def without_fits(path: Path, *places: int) -> None:
    """Take fits out, and mend the totals."""
    content = json.loads(path.read_text())
    content["fits"] = [fit for place, fit in enumerate(content["fits"]) if place not in places]
    for name in ("epsilon", "delta"):
        content["joint_guarantee"][name] = sum(fit[name] for fit in content["fits"])
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "lose",
    [
        lambda path: without_fits(path, 2),
        lambda path: without_fits(path, 0),
        lambda path: without_fits(path, 0, 1, 2),
        lambda path: path.unlink(),
    ],
    ids=["the last", "the first", "all", "the file"],
)
def test_lost_fits_are_noticed_while_the_lock_remembers(path: Path, lose: Any) -> None:
    file = LedgerFile(path)
    for _ in range(3):
        file.reserve(0.5, 1e-6)
    good = path.read_bytes()
    lose(path)
    for look in (file.guarantee, lambda: file.reserve(0.5, 1e-6), lambda: file.check(0.5, 1e-6)):
        with pytest.raises(PrivacyError, match=r"has lost fits, of which .*\.fits\.json\.lock' remembers 3"):
            look()
    path.write_bytes(good)
    file.reserve(0.5, 1e-6)
    assert file.guarantee() == (2.0, 4e-6)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"fits": "many", "last": null}'])
def test_a_lock_that_remembers_nothing_is_no_obstacle(path: Path, content: bytes) -> None:
    """Locks of earlier versions are empty. And what the docs say: without the lock, edited totals are believed."""
    file = LedgerFile(path)
    for _ in range(2):
        file.reserve(0.5, 1e-6)
    lock_path(path).write_bytes(content)
    without_fits(path, 0)
    assert file.guarantee() == (0.5, 1e-6)
    file.reserve(0.25, 1e-6)
    assert file.guarantee() == (0.75, 2e-6)
    assert memory_of(path).n_fits == 2


def test_a_check_changes_nothing(path: Path) -> None:
    file = LedgerFile.create(path, cap_epsilon=1.0)
    before = path.read_bytes(), path.stat().st_mtime_ns
    file.check(1.0, 1e-5)
    for asked, kind, text in (((1.5, 1e-5), BudgetError, "above its cap"), ((0.0, 1e-5), SettingsError, "epsilon")):
        with pytest.raises(kind, match=text):
            file.check(*asked)
    with pytest.raises(PrivacyError, match="protect the unit"):
        file.check(1.0, 1e-5, unit="person")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    LedgerFile(path.with_name("new.json")).check(1.0, 1e-5)
    assert not path.with_name("new.json").exists()
    with pytest.raises(OutputError, match="its folder does not exist"):
        LedgerFile(path.parent / "nowhere" / "fits.json").check(1.0, 1e-5)


@posix
def test_fits_at_the_same_time_do_not_lose_each_other(path: Path) -> None:
    def five(number: int) -> None:
        for _ in range(5):
            LedgerFile(path).settle(LedgerFile(path).reserve(0.1, 1e-7, what=str(number)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(five, range(8)))
    assert LedgerFile(path).guarantee() == (4.0, 4e-6)
    assert {fit.state for fit in LedgerFile(path).read().fits} == {"spent"}


@posix
def test_a_file_in_use_is_waited_for_and_then_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = LedgerFile.create(path)
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.1)
    descriptor = os.open(path.with_name(".fits.json.lock"), os.O_RDWR)
    try:
        lock(descriptor)
        with pytest.raises(PrivacyError, match="another process holds"):
            file.reserve(1.0, 1e-5)
    finally:
        os.close(descriptor)
    file.reserve(1.0, 1e-5)


def test_a_file_needs_a_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="its folder does not exist"):
        LedgerFile(tmp_path / "nowhere" / "fits.json").reserve(1.0, 1e-5)


def test_a_missing_file_has_no_guarantee(path: Path) -> None:
    with pytest.raises(PrivacyError, match="there is no ledger file"):
        LedgerFile(path).guarantee()


def test_damage_anywhere_is_noticed(path: Path) -> None:
    file = LedgerFile.create(path, cap_epsilon=9.0, cap_delta=1e-3)
    file.settle(file.reserve(1.0, 1e-5, what="first"))
    file.reserve(2.0, 1e-5, what="second")
    good = json.loads(path.read_text())
    damages: list[tuple[str, Any]] = [("", None), ("", []), ("", {})]
    for key in good:
        damages += [(key, "drop"), (key, None), (key, 7)]
    for key in good["fits"][0]:
        damages += [(f"fits.{key}", "drop"), (f"fits.{key}", None), (f"fits.{key}", -7)]
    damages += [("fits.state", "cancelled"), ("fits.epsilon", 0.5), ("fits.more", 1), ("more", 1)]
    for place, value in damages:
        damaged = json.loads(json.dumps(good))
        inner, _, last = (damaged["fits"][0], "", place[5:]) if place.startswith("fits.") else (damaged, "", place)
        if not place:
            damaged = value
        elif value == "drop":
            del inner[last]
        else:
            inner[last] = value
        path.write_text(json.dumps(damaged))
        with pytest.raises(PrivacyError, match="nobody knows what was spent"):
            file.reserve(1.0, 1e-5)
    for text in ("", "{", "\0", json.dumps(good)[:-9]):
        path.write_text(text)
        with pytest.raises(PrivacyError, match="nobody knows what was spent"):
            file.read()
    path.write_text(json.dumps(good))
    assert file.guarantee() == (3.0, 2e-5)


def test_two_fits_of_one_name_are_damage(path: Path) -> None:
    file = LedgerFile(path)
    file.reserve(1.0, 1e-5)
    content = json.loads(path.read_text())
    content["fits"] *= 2
    content["joint_guarantee"] = {"epsilon": 2.0, "delta": 2e-5}
    path.write_text(json.dumps(content))
    with pytest.raises(PrivacyError, match="nobody knows what was spent"):
        file.read()
