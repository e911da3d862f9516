"""Constraints between columns, kept by construction.

`reparametrise` turns a schema with constraints into an internal schema without them, and back::

    schema = with_grids(schema, statistics_of_grid_columns)   # only where `grid_columns` names some
    rules = reparametrise(schema)
    broken = ViolationCounter(schema)
    for batch in batches:                                      # the user's columns
        broken.update(batch)
        model(rules.forward(batch))                            # columns of ``rules.internal``
    broken.check()
    state = rules.start(rng, combinations=...)                 # once per sampling session
    rules.backward(decoded, state)                             # the user's columns again
"""

from __future__ import annotations

from synthgan.tables.constraints.derived_grids import grid_columns, with_grids
from synthgan.tables.constraints.reparametrisation import Reparametrisation, reparametrise
from synthgan.tables.constraints.steps import DecodingState, describe
from synthgan.tables.constraints.violations import ViolationCounter

__all__ = [
    "DecodingState",
    "Reparametrisation",
    "ViolationCounter",
    "describe",
    "grid_columns",
    "reparametrise",
    "with_grids",
]
