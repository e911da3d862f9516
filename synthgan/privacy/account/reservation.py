"""A fit's place in the ledger file of its table: asked for early, taken late, and settled at the end.

Whatever can be refused should be refused before the file is changed, for what it says is spent is spent. So a fit first
asks whether the file would take it, then looks for everything else that could stop it (settings, schema, outputs, the
checkpoint of another fit), and enters only when nothing is left but to release.
"""

from __future__ import annotations

from synthgan.errors import PrivacyError
from synthgan.privacy.account.parameters import Privacy
from synthgan.privacy.account.shared_file import LedgerFile


class Reservation:
    """The place of one fit; without a ledger file it does nothing.

    Args:
        privacy: the promise, and the file.
        earlier: what an earlier run of this fit was called in the file: it is not counted again.

    Attributes:
        fit: what the fit is called in the file; None before `enter`, and without a file.

    Raises:
        PrivacyError: when the file would refuse the fit, or lacks the earlier run. It is not changed.
        OutputError: when the file could not be written.
    """

    def __init__(self, privacy: Privacy, earlier: str | None = None) -> None:
        self.fit = earlier
        self._file = None if privacy.ledger is None else LedgerFile(privacy.ledger)
        self._privacy = privacy
        self._is_open = False
        if self._file is None:
            return
        if earlier is None:
            self._file.check(privacy.epsilon, privacy.delta, unit=privacy.unit, rows_per_unit=privacy.rows_per_unit)
            return
        states = {fit.id: fit.state for fit in self._file.read().fits}
        if earlier not in states:
            raise PrivacyError(
                f"the ledger file '{privacy.ledger}' does not know the fit of the checkpoint; name the file that it "
                "was started with, or start the fit afresh"
            )
        self._is_open = states[earlier] == "reserved"

    def enter(self) -> None:
        """Reserve the fit's whole promise, unless an earlier run did. From now on it counts, whatever happens.

        Raises:
            PrivacyError: when the file refuses, which it can where it has changed since the reservation was made.
            OutputError: when the file cannot be written.
        """
        if self._file is None or self.fit is not None:
            return
        asked = self._privacy
        entered = self._file.reserve(asked.epsilon, asked.delta, unit=asked.unit, rows_per_unit=asked.rows_per_unit)
        self.fit, self._is_open = entered.id, True

    def settle(self) -> None:
        """Note that the fit is done; one that was entered and fails stays reserved."""
        if self._file is not None and self.fit is not None and self._is_open:
            self._file.settle(self.fit)
            self._is_open = False
