"""Where the figures of a page come from, in words: the dates, commits and machines of its cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

NOT_RECORDED = "commit and machine not recorded"


def provenance(rows: Mapping[str, Iterable[Mapping[str, Any]]], *, versions: bool = False) -> str:
    """One sentence where all cells come from the same commit and machine, else one part for each, with its rows.

    Args:
        rows: label of a row of the page -> its cells.
        versions: also Python and the packages.
    """
    labels: dict[str, list[str]] = {}
    dates: dict[str, set[str]] = {}
    for label, cells in rows.items():
        for cell in cells:
            run = cell.get("run")
            where = NOT_RECORDED if not run else _where(run, versions=versions)
            labels.setdefault(where, [])
            if label not in labels[where]:
                labels[where].append(label)
            if run:
                dates.setdefault(where, set()).add(run["date"][:10])
    one = len(labels) == 1
    parts = [_dated(where, dates) + ("" if one else f" ({', '.join(names)})") for where, names in labels.items()]
    return f"Measured: {'; '.join(parts)}." if parts else ""


def commit(run: Mapping[str, Any]) -> str:
    """The commit of a run as the pages print it."""
    return f"`{(run['commit'] or 'none')[:12]}`{' with uncommitted changes' if run['uncommitted_changes'] else ''}"


def _where(run: Mapping[str, Any], *, versions: bool) -> str:
    machine = run["machine"]
    parts = [f"commit {commit(run)}", f"{machine['cores']} cores of {machine['processor']}"]
    threads = run.get("threads")
    if threads:
        parts.append(f"{threads} thread{'' if str(threads) == '1' else 's'}")
    if versions:
        parts += [f"{machine['memory_gib']} GiB", f"Python {run['python']}"]
        parts += [f"{name} {version}" for name, version in run["versions"].items()]
    return ", ".join(parts)


def _dated(where: str, dates: Mapping[str, set[str]]) -> str:
    days = sorted(dates.get(where, ()))
    return f"{' to '.join(dict.fromkeys((days[0], days[-1])))}, {where}" if days else where
