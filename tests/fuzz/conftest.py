"""Shows how many cases ended with which exit code."""

from __future__ import annotations

import pytest

from tests.fuzz.cases import SUMMARY


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not SUMMARY:
        return
    terminalreporter.section("hostile cases by exit code")
    for target, codes in SUMMARY.items():
        listed = ", ".join(f"{code}: {number:,}" for code, number in sorted(codes.items()))
        terminalreporter.write_line(f"{target:<14} {codes.total():>6,}   {listed}")
    terminalreporter.write_line(f"{'all':<14} {sum(codes.total() for codes in SUMMARY.values()):>6,}")
