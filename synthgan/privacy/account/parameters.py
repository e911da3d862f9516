"""What a person asks for: epsilon, delta, whom the guarantee protects, and how the budget is split."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Iterable
from dataclasses import dataclass

from synthgan.config import DpSgdSettings
from synthgan.errors import SettingsError

ROW = "row"
"""The unit when each row is a person of its own."""

ADJACENCY = "add or remove one unit with all its rows"
"""What neighbouring tables differ by."""

DISCOVERY_SHARE = 0.1
"""Of delta, set aside for discovery: of levels and heavy values that nobody declared."""

LARGE_EPSILON = 10.0


@dataclass(frozen=True, slots=True)
class Privacy:
    """A differential-privacy guarantee to be kept by a fit.

    Neighbouring tables differ by one unit, added or removed with all its rows.

    Attributes:
        epsilon: how much any one unit may change the odds of any result (by a factor of ``exp(epsilon)``); above 0.
        delta: the probability with which that bound may fail, in (0, 1); a constant chosen before the data is seen.
        unit: "row" when each row is a person of its own, else the column whose values name the persons.
        rows_per_unit: the most rows of one person that are used; 1 with unit "row".
        neural: share of the budget for the neural critic, in [0, 1]: 1 is the classic DP-SGD GAN, 0 marginals only;
            None for the default of this epsilon.
        ledger: a file that composes several fits on one table (`synthgan.privacy.account.shared_file`), or None.
        neural_settings: how the neural critic is trained; None for the defaults.

    Raises:
        SettingsError: when a value is out of range.

    Example:
        >>> from synthgan import Privacy, Synthesizer
        >>> from synthgan.datasets import load_adult
        >>> rows = load_adult("train").head(200)[["education", "income"]]
        >>> schema = {"columns": {"education": {"kind": "categorical"}, "income": {"levels": ["<=50K", ">50K"]}}}
        >>> private = Synthesizer(privacy=Privacy(epsilon=1.0), schema=schema, max_steps=2).fit(rows)
        >>> private.ledger_.guarantee()
        (1.0, 1e-05)
    """

    epsilon: float
    delta: float = 1e-5
    unit: str = ROW
    rows_per_unit: int = 1
    neural: float | None = None
    ledger: str | os.PathLike[str] | None = None
    neural_settings: DpSgdSettings | None = None

    def __post_init__(self) -> None:
        """Check ranges."""
        object.__setattr__(self, "epsilon", check_epsilon(self.epsilon))
        object.__setattr__(self, "delta", check_delta(self.delta))
        check_unit(self.unit, self.rows_per_unit)
        if self.neural is not None:
            share = _number(self.neural)
            if share is None or not 0 <= share <= 1:
                raise SettingsError(f"neural must be a share of the budget in [0, 1] or None, got {self.neural!r}.")
            object.__setattr__(self, "neural", share)
        if self.ledger is not None and not isinstance(self.ledger, str | os.PathLike):
            raise SettingsError(f"ledger must be the path of a file or None, got {type(self.ledger).__name__}.")

    def check_columns(self, names: Iterable[str]) -> None:
        """Refuse a table in which the unit could mean two things.

        Args:
            names: of the table's columns.

        Raises:
            SettingsError: when each row is to be a person and a column has the name that says so.
        """
        if self.unit == ROW and ROW in names:
            raise SettingsError(
                f"the table has a column called {ROW!r}, and the unit {ROW!r} (the one that is used where none is "
                "named) means that each row is a person; rename the column, and name it as the unit (unit=..., --unit) "
                "if its values are the persons."
            )

    def warnings_for(self, n_units: float) -> tuple[str, ...]:
        """What a person should know before relying on this guarantee, in plain words.

        Args:
            n_units: a released (noisy or public) number of units in the table, never the exact one: what is said
                depends on it.

        Returns:
            One sentence per concern, none when there is none.
        """
        found: list[str] = []
        if self.epsilon > LARGE_EPSILON:
            found.append(
                f"epsilon {self.epsilon:g} is above {LARGE_EPSILON:g}: the guarantee lets one person's data change the "
                "odds of a result by a factor of more than 20,000, which on paper protects hardly anyone; ask for 10 "
                "or less."
            )
        if self.delta * max(n_units, 1.0) >= 1:
            people = "rows" if self.unit == ROW else "persons"
            found.append(
                f"delta {self.delta:g} is not below 1 divided by the (noisy) number of {people}, about "
                f"{max(n_units, 1.0):.0f}: a release that publishes some person's data outright could meet it; ask "
                f"for a delta well below {1 / max(n_units, 1.0):.1g}."
            )
        return tuple(found)


def check_epsilon(value: float) -> float:
    """``value`` as a float.

    Raises:
        SettingsError: when it is no epsilon: zero, negative, infinite or not a number.
    """
    epsilon = _number(value)
    if epsilon is None or not 0 < epsilon < math.inf:
        raise SettingsError(f"epsilon must be a finite number above 0, got {value!r}.")
    return epsilon


def check_delta(value: float) -> float:
    """``value`` as a float.

    Raises:
        SettingsError: when it does not lie strictly between 0 and 1.
    """
    delta = _number(value)
    if delta is None or not 0 < delta < 1:
        raise SettingsError(f"delta must be a number strictly between 0 and 1, got {value!r}.")
    return delta


def check_unit(unit: object, rows_per_unit: object) -> None:
    """Raise unless the two say whom the guarantee protects.

    Raises:
        SettingsError: for an empty unit, less than one row per unit, or several rows of a unit that is a row.
    """
    if not isinstance(unit, str) or not unit:
        raise SettingsError('unit must be "row" or the name of the column whose values name persons.')
    rows = _number(rows_per_unit)
    if rows is None or not isinstance(rows_per_unit, numbers.Integral) or rows < 1:
        raise SettingsError(f"rows_per_unit must be a whole number of at least 1, got {rows_per_unit!r}.")
    if unit == ROW and rows > 1:
        raise SettingsError(
            f"rows_per_unit is {rows_per_unit} but the unit is a row; name the column of the persons as unit, "
            "or leave rows_per_unit at 1."
        )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        return float(value)
    except OverflowError:  # a whole number beyond double precision
        return math.inf
