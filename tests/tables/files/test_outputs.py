"""Files and folders appear whole or not at all, where they may, and say why they cannot."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from synthgan.errors import OutputError
from synthgan.tables.files import outputs
from synthgan.tables.files.outputs import atomic_folder, atomic_path, check_folder_output, check_output, make_folder


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "t.csv"
    with pytest.raises(OutputError, match="exists already"), atomic_path(path) as temporary:
        temporary.write_text("ours")
        path.write_text("theirs")
    assert path.read_text() == "theirs"
    assert listing(tmp_path) == ["t.csv"]


def test_without_hard_links_the_file_is_moved(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOTSUP, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    with atomic_path(tmp_path / "t") as temporary:
        temporary.write_text("ours")
    assert (tmp_path / "t").read_text() == "ours"
    with pytest.raises(OutputError, match="exists already"), atomic_path(tmp_path / "u") as temporary:
        (tmp_path / "u").write_text("theirs")
    assert (tmp_path / "u").read_text() == "theirs"
    assert listing(tmp_path) == ["t", "u"]


def test_permissions_follow_the_umask_or_the_replaced_file(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "t"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "t").stat().st_mode) == 0o640
    (tmp_path / "t").chmod(0o600)
    with atomic_path(tmp_path / "t", force=True):
        pass
    assert stat.S_IMODE((tmp_path / "t").stat().st_mode) == 0o600


def test_a_link_keeps_pointing_at_the_replaced_file(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with atomic_path(tmp_path / "link", force=True) as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    for path, says in [
        (tmp_path, "is a folder"),
        (tmp_path / "none" / "t.csv", "folder does not exist"),
        (tmp_path / "file" / "t.csv", "cannot write"),
        (Path(), "empty"),
        (tmp_path / ("x" * 300), "name is too long"),
        ("/dev/null", "device"),
    ]:
        for force in (False, True):
            with pytest.raises(OutputError, match=says):
                check_output(path, force=force)
            with pytest.raises(OutputError, match=says), atomic_path(path, force=force):
                pytest.fail("the block must not run")
    with pytest.raises(OutputError, match="not a folder"):
        make_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot write"):
        make_folder(tmp_path / "file" / "below")
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    check_output(tmp_path / "a" / "b" / "c")


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "out") as folder:
        assert folder.parent == tmp_path
        (folder / "a.txt").write_text("a")
        assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "a.txt").read_text() == "a"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_folder_that_failed_vanishes(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), atomic_folder(tmp_path / "out") as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "a.txt").write_text("a")
        raise error
    assert not list(tmp_path.iterdir())


def test_a_folder_is_replaced_when_it_may_be(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").touch()
    for options in ({}, {"force": True}, {"replaceable": lambda _: True}):
        with pytest.raises(OutputError), atomic_folder(tmp_path / "out", **options):
            pytest.fail("the block must not run")
    seen = []
    with atomic_folder(tmp_path / "out", force=True, replaceable=lambda path: seen.append(path) or True) as folder:
        (folder / "new.txt").touch()
    assert set(seen) == {(tmp_path / "out").resolve()}
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["out", "out/new.txt"]


def test_a_folder_that_comes_to_be_meanwhile_is_kept(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="exists already"), atomic_folder(tmp_path / "out"):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "theirs.txt").touch()
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["out", "out/theirs.txt"]


def test_the_earlier_folder_comes_back_when_the_move_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").touch()
    rename = Path.rename

    def fail_second(path: Path, target: Path) -> Path:
        if path.suffix == ".partial":
            raise OSError(errno.ENOSPC, "full")
        return rename(path, target)

    with (
        pytest.raises(OutputError, match="disk or quota is full"),
        atomic_folder(tmp_path / "out", force=True, replaceable=lambda _: True) as folder,
    ):
        (folder / "new.txt").touch()
        monkeypatch.setattr(Path, "rename", fail_second)
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["out", "out/old.txt"]


def test_the_earlier_folder_is_kept_when_something_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").touch()
    rename = Path.rename

    def then_taken(path: Path, target: Path) -> Path:
        moved = rename(path, target)
        if path.name == "out":
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "other.txt").touch()
        return moved

    with (
        pytest.raises(OutputError),
        atomic_folder(tmp_path / "out", force=True, replaceable=lambda _: True),
    ):
        monkeypatch.setattr(Path, "rename", then_taken)
    assert listing(tmp_path / "out") == ["other.txt"]
    assert [path.name for path in tmp_path.rglob("old.txt")] == ["old.txt"]


@pytest.mark.parametrize("moves_before", [0, 1, 2])
def test_an_interruption_anywhere_in_a_move_leaves_one_whole_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves_before: int
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").touch()
    done: list[object] = []

    def interrupted(move: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object, **options: object) -> object:
            done.append(move)
            if len(done) == moves_before + 1:
                raise KeyboardInterrupt
            return move(*arguments, **options)

        return step

    with (
        pytest.raises(KeyboardInterrupt),
        atomic_folder(tmp_path / "out", force=True, replaceable=lambda _: True) as folder,
    ):
        (folder / "new.txt").touch()
        monkeypatch.setattr(Path, "rename", interrupted(Path.rename))
        monkeypatch.setattr(shutil, "rmtree", interrupted(shutil.rmtree))
    assert listing(tmp_path) == ["out"]
    assert listing(tmp_path / "out") == ["new.txt" if moves_before == 2 else "old.txt"]


def test_places_for_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place, says in (
        (tmp_path / "file", "not a folder"),
        (tmp_path / "a" / "b", "create it first"),
        (Path("/"), "root"),
    ):
        with pytest.raises(OutputError, match=says):
            check_folder_output(place, force=True, replaceable=lambda _: True)


def test_what_is_being_written_is_known(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a") as file, atomic_folder(tmp_path / "b") as folder:
        assert {file, folder} == outputs.UNFINISHED
        file.write_text("x")
    assert not outputs.UNFINISHED
    with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "c"):
        raise ZeroDivisionError
    assert not outputs.UNFINISHED
