"""What a bundle is about: one model, its guarantee, and what may be said of it in public."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from synthgan.errors import SettingsError, did_you_mean
from synthgan.model.file import read_manifest
from synthgan.model.model import Model, read_model
from synthgan.privacy.account.ledger import Ledger
from synthgan.review.bundle.manifest import sha256_of
from synthgan.version import __version__

DECISION: Final = (
    "the decision to publish: whether these rows leave the building after their scores on real rows, and the gates on "
    "these scores, have been seen"
)
"""Unprotected in every private release that was reviewed: a table that is published tells that it passed."""

NO_GUARANTEE: Final = "none: nothing is proved about what these rows tell about any one row of the table"


@dataclass(frozen=True, kw_only=True)
class Release:
    """What is said of one model that is under review. A bundle holds all of it, so it can be told without the model.

    Attributes:
        sha256: of the model file, in hex.
        written_by: version of synthgan that fitted it.
        target: the column that utility is measured by, None for none.
        n_fitted: rows that the model says it was fitted to: exact without a guarantee, noisy with one.
        min_count: fewest rows behind a value that the model may reproduce.
        protect_values: whether values with fewer rows behind them are merged, and extremes capped.
        columns: name, kind and Arrow type of each column of the synthetic rows, in order.
        provenance: where each fact about a column came from.
        account: what a private fit promised and spent; None without a guarantee.
    """

    sha256: str
    written_by: str
    target: str | None
    n_fitted: int
    min_count: int
    protect_values: bool
    columns: Sequence[Mapping[str, str]]
    provenance: Sequence[Mapping[str, str]]
    account: Ledger | None

    @classmethod
    def of(cls, path: str | os.PathLike[str], *, target: str | None = None) -> Release:
        """The release of the model in a file; see `opened`."""
        return opened(path, target=target)[1]

    @property
    def is_private(self) -> bool:
        """Whether the model has a differential-privacy guarantee."""
        return self.account is not None

    @property
    def guarantee(self) -> str:
        """The guarantee in words."""
        return NO_GUARANTEE if self.account is None else self.account.in_words()

    @property
    def n_rows(self) -> int:
        """Rows to draw when nobody says how many: as many as were fitted, at least 1."""
        return max(1, self.n_fitted)

    @property
    def fitted_names(self) -> list[str]:
        """Names of all columns of the table that was fitted, those included that the model drops."""
        return [fact["column"] for fact in self.provenance if fact["what"] == "kind"]

    @property
    def column_names(self) -> list[str]:
        """Names of the columns of the synthetic rows."""
        return [column["name"] for column in self.columns]

    @cached_property
    def ledger(self) -> dict[str, Any] | None:
        """The ledger's document, the decision to publish among what is not protected; None without a guarantee."""
        if self.account is None:
            return None
        document = self.account.to_json()
        return {**document, "unprotected": [*document["unprotected"], DECISION]}

    @property
    def value_protection(self) -> str:
        """What value protection did, in words."""
        if not self.protect_values:
            return "off: rare values and true extremes of the table stand in the model"
        if self.is_private:
            return f"released levels need at least {self.min_count:,} rows, as far as the noisy counts tell"
        return (
            f"on: categories that fewer than {self.min_count:,} rows have are merged, unless they were declared, and "
            "extremes are capped; a rule, and no proof"
        )

    @property
    def parquet_metadata(self) -> Mapping[str, str]:
        """Key-value metadata that says what the rows are."""
        return {"synthetic": "true", "generator": "synthgan", "version": __version__, "guarantee": self.guarantee}


def opened(path: str | os.PathLike[str], *, target: str | None = None) -> tuple[Model, Release]:
    """The model in a file, and what is said of it.

    Args:
        path: the model file.
        target: a column in place of the model's own target.

    Raises:
        ModelFileError: when the file is damaged, altered, too new, or no model at all.
        SettingsError: when the target is no column of the model.
    """
    model = read_model(path)
    names = model.codec.arrow_schema.names
    if target is not None and target not in names:
        hint = did_you_mean(target, names) or f"; it has {len(names)} columns"
        raise SettingsError(f"the target '{target}' is not a column of the model's rows{hint}")
    wanted = model.target if target is None else target
    return model, Release(
        sha256=sha256_of(Path(path)),
        written_by=str(read_manifest(path)["synthgan_version"]),
        target=wanted if wanted in names else None,
        n_fitted=round(model.codec.n_rows),
        min_count=model.codec.settings.min_count,
        protect_values=model.codec.settings.protect_values,
        columns=[
            {"name": field.name, "kind": model.codec.schema[field.name].kind, "type": str(field.type)}
            for field in model.codec.arrow_schema
        ],
        provenance=_provenance(model),
        account=model.ledger,
    )


def _provenance(model: Model) -> list[dict[str, str]]:
    """Where each fact about a column came from: its kind, its bounds, its categories.

    Sources are those of `synthgan.tables.schema.schema.Provenance`: declared, inferred-exact (read off the table as it
    is) or released (by a private mechanism). What no schema states was found by the fit.
    """
    found = "inferred-exact" if model.ledger is None else "released"
    facts: list[dict[str, str]] = []
    for column in model.codec.schema.columns:
        facts.append({"column": column.name, "what": "kind", "source": column.source})
        if (what := column.traits.stated_fact) is not None:
            fact = column.levels if what == "levels" else column.bounds
            facts.append({"column": column.name, "what": what, "source": found if fact is None else fact.source})
    return facts
