"""Persons of several rows under attack: the canary is one person more, with more rows than a person may have."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from synthgan.audit.games import DistinguishingGame, Signals
from synthgan.privacy.account.ledger import Ledger
from synthgan.privacy.columns.private_statistics import PrivateStatistics
from synthgan.privacy.mechanisms import Mechanisms
from synthgan.privacy.private_schema import private_schema
from synthgan.privacy.units import UnitLimitedSource
from synthgan.tables.sources.batches import TableSource

UNIT = "who"
"""The column that names persons."""

ROWS_PER_UNIT = 3
"""Most rows of a person that are used."""

CANARY_ROWS = 9
"""Rows that the canary has: what is not cut off stands out."""


def person_statistics_game(epsilon: float, delta: float) -> DistinguishingGame:
    """Door 1 with a declared domain and persons: all rows of the canary have one level."""
    sizes = {f"level {number}": 12 * (number + 1) for number in range(8)}
    words = [word for word, size in sizes.items() for _ in range(ROWS_PER_UNIT * size)]
    persons = [row // ROWS_PER_UNIT for row in range(len(words))]
    declared = {"columns": {"word": {"levels": list(sizes)}}}
    probe = Ledger(epsilon, delta)

    def run(canary: bool) -> Signals:
        n_more = CANARY_ROWS * canary
        source = TableSource(
            pa.table({UNIT: persons + [len(persons)] * n_more, "word": words + ["level 3"] * n_more}),
            description="the table",
        )
        schema = private_schema(source, declared, unit=UNIT)
        ledger = Ledger(epsilon, delta, order=probe.order)
        released = PrivateStatistics.release(
            UnitLimitedSource(source, UNIT, ROWS_PER_UNIT),
            schema,
            Mechanisms(ledger, rows_per_unit=ROWS_PER_UNIT),
            rho=ledger.remaining_rho,
            delta=0.0,
            unit=UNIT,
        ).levels("word")
        of_level = dict(zip(released.values.to_pylist(), released.counts, strict=True))
        others = np.mean([count for word, count in of_level.items() if word != "level 3"])
        return {"count of its level": of_level["level 3"] - others}

    return DistinguishingGame(
        name="column statistics, persons", epsilon=epsilon, delta=delta, play=run, zcdp_delta=delta
    )
