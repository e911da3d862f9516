"""What scikit-learn accepts as ``random_state``, and a seed from it."""

from __future__ import annotations

import numpy as np

from synthgan.errors import SettingsError

RandomState = int | np.random.Generator | np.random.RandomState | None


def fresh_seed() -> int:
    """A seed of 63 bits from the operating system's entropy."""
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0]) >> 1


def seed_from(random_state: RandomState) -> int:
    """A seed: the whole number itself, one drawn from a generator, or a fresh one for None.

    Raises:
        SettingsError: for anything else, and for a number below 0.
    """
    if random_state is None:
        return fresh_seed()
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**63))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    if isinstance(random_state, bool) or not isinstance(random_state, int | np.integer) or random_state < 0:
        raise SettingsError(
            f"random_state must be a whole number from 0 up, a numpy generator or None, got {random_state!r}."
        )
    return int(random_state)
