"""What a bundle is about: one model, its guarantee, and what may be said of it in public."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from synthgan.errors import SettingsError, did_you_mean
from synthgan.model import Model, read_model
from synthgan.model_file import read_manifest
from synthgan.privacy.wording import in_words
from synthgan.review.manifest import sha256_of
from synthgan.tables.schema import NUMERIC_KINDS

DECISION: Final = (
    "the decision to publish: whether these rows leave the building after their scores on real rows, and the gates on "
    "these scores, have been seen"
)
"""Unprotected in every private release that was reviewed: a table that is published tells that it passed."""

NO_GUARANTEE: Final = "none: nothing is proved about what these rows tell about any one row of the table"


@dataclass(frozen=True)
class Release:
    """One model that is under review.

    Attributes:
        model: as it was read.
        sha256: of the model file, in hex.
        written_by: version of synthgan that fitted it.
        target: the column that utility is measured by, None for none.
    """

    model: Model
    sha256: str
    written_by: str
    target: str | None

    @classmethod
    def of(cls, path: str | os.PathLike[str], *, target: str | None = None) -> Release:
        """The model in a file.

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
        return cls(
            model=model,
            sha256=sha256_of(Path(path)),
            written_by=str(read_manifest(path)["synthgan_version"]),
            target=wanted if wanted in names else None,
        )

    @property
    def is_private(self) -> bool:
        """Whether the model has a differential-privacy guarantee."""
        return self.model.ledger is not None

    @property
    def guarantee(self) -> str:
        """The guarantee in words."""
        return NO_GUARANTEE if self.model.ledger is None else in_words(self.model.ledger)

    @property
    def n_rows(self) -> int:
        """Rows that the model says it was fitted to: exact without a guarantee, noisy with one; at least 1."""
        return max(1, round(self.model.codec.n_rows))

    @cached_property
    def ledger(self) -> dict[str, Any] | None:
        """The ledger's document, the decision to publish among what is not protected; None without a guarantee."""
        if self.model.ledger is None:
            return None
        document = self.model.ledger.to_json()
        return {**document, "unprotected": [*document["unprotected"], DECISION]}

    @property
    def columns(self) -> list[dict[str, str]]:
        """Name, kind and Arrow type of each column of the synthetic rows, in order."""
        schema = self.model.codec.schema
        return [
            {"name": field.name, "kind": schema[field.name].kind, "type": str(field.type)}
            for field in self.model.codec.arrow_schema
        ]

    @property
    def provenance(self) -> list[dict[str, str]]:
        """Where each fact about a column came from: its kind, its bounds, its categories.

        Sources are those of `synthgan.tables.schema.Provenance`: declared, inferred-exact (read off the table as it is)
        or released (by a private mechanism). What no schema states was found by the fit.
        """
        found = "released" if self.is_private else "inferred-exact"
        facts: list[dict[str, str]] = []
        for column in self.model.codec.schema.columns:
            facts.append({"column": column.name, "what": "kind", "source": column.source})
            if column.kind in ("categorical", "constant"):
                source = found if column.levels is None else column.levels.source
                facts.append({"column": column.name, "what": "levels", "source": source})
            elif column.kind in NUMERIC_KINDS:
                source = found if column.bounds is None else column.bounds.source
                facts.append({"column": column.name, "what": "bounds", "source": source})
        return facts

    @property
    def parquet_metadata(self) -> Mapping[str, str]:
        """Key-value metadata that says what the rows are."""
        from synthgan import __version__

        return {"synthetic": "true", "generator": "synthgan", "version": __version__, "guarantee": self.guarantee}
