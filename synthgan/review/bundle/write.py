"""Writes a review bundle: what a privacy officer decides by, and what may leave the building.

The shareable tier of a private release is written before any score is computed: nothing in it can depend on one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from synthgan.errors import SettingsError
from synthgan.random_state import fresh_seed
from synthgan.review.bundle import findings as parts
from synthgan.review.bundle.document import Findings, TierContent
from synthgan.review.bundle.json_files import write_text
from synthgan.review.bundle.manifest import write_manifest
from synthgan.review.bundle.occasion import Occasion
from synthgan.review.bundle.real_rows import RealRows, real_rows
from synthgan.review.bundle.release import opened
from synthgan.review.bundle.synthetic_rows import write_rows
from synthgan.review.bundle.written_files import as_reread, written_files
from synthgan.review.file_names import INTERNAL, PARQUET, SHAREABLE, Tier, is_bundle
from synthgan.tables.files.outputs import atomic_folder, check_folder_output

if TYPE_CHECKING:
    from synthgan.evaluation import Scores
    from synthgan.review.gates import Verdicts
    from synthgan.tables.files.csv_format import CsvFormat
    from synthgan.tables.sources.open import Data


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """What `write_bundle` wrote.

    Attributes:
        path: the folder.
        n_rows: number of synthetic rows.
        is_private: whether the release has a differential-privacy guarantee.
        scores: of the synthetic rows; computed from real rows.
        verdicts: of the gates; `Verdicts.exit_code` is what the command line exits with.
        manifest_sha256: of the shareable tier's manifest, in hex: what a recipient compares with.
    """

    path: Path
    n_rows: int
    is_private: bool
    scores: Scores
    verdicts: Verdicts
    manifest_sha256: str


def write_bundle(
    model: str | os.PathLike[str],
    data: Data,
    output: str | os.PathLike[str],
    *,
    holdout: Data | None = None,
    n_rows: int | None = None,
    target: str | None = None,
    secrets: Sequence[str] | None = None,
    policy: str | os.PathLike[str] | None = None,
    random_state: int | None = None,
    n_jobs: int | None = None,
    csv: bool = True,
    title: str | None = None,
    purpose: str | None = None,
    date: str | None = None,
    csv_format: CsvFormat | None = None,
    force: bool = False,
) -> Bundle:
    """Draw rows from a model, review them against the table that was fitted, and write the bundle.

    The folder gets two tiers. ``internal/`` holds all scores and gates and stays with the table. ``shareable/`` holds
    the synthetic rows with what may be said about them; of a private release it holds nothing that was computed from
    real rows outside the budget. The folder appears whole or not at all, also when gates fail: look at ``verdicts``.

    Args:
        model: the model file. With a receipt beside it, the table is divided as the fit did.
        data: the table that was fitted.
        output: the folder to write.
        holdout: real rows that the fit has not seen, where the fit held out none itself.
        n_rows: how many synthetic rows; None for as many as the model says it was fitted to (of a private model, the
            noisy count).
        target: column that utility is measured by; None for the model's own.
        secrets: columns that attribute inference tries to guess; None lets it choose.
        policy: a file of gates; None for the policy that ships.
        random_state: seed of rows and scores; None for fresh rows, and the evaluation's own default.
        n_jobs: most threads of the evaluation; None for all cores.
        csv: whether to write the rows as CSV, too.
        title: name of the table, for both tiers.
        purpose: what the rows are wanted for, for both tiers.
        date: day of the review, as ``"2026-11-30"``; None for today (UTC).
        csv_format: how the real rows' files are written, those that are CSV.
        force: replace an earlier bundle. Any other folder is left alone.

    Raises:
        DataError: when the table is not the one that was fitted.
        ModelFileError: when the model or its receipt cannot be read, or a private model has no receipt.
        SettingsError: when an argument is out of range, or the policy is malformed.
        OutputError: when the folder exists already or cannot be written.

    Example:
        >>> from synthgan import Synthesizer
        >>> from synthgan.datasets import load_adult
        >>> from synthgan.review import write_bundle
        >>> rows = load_adult("train").head(200)
        >>> model = Synthesizer(target="income", max_steps=2, random_state=0).fit(rows).save("adult.synthgan")
        >>> bundle = write_bundle(model, rows, "release", n_rows=100, random_state=0)
        >>> sorted(folder.name for folder in bundle.path.iterdir()), bundle.is_private
        (['internal', 'shareable'], False)
    """
    check_folder_output(output, force=force, replaceable=is_bundle)
    _check_count(n_rows, "n_rows")
    gates = parts.policy_of(policy)
    occasion = Occasion.of(title=title, purpose=purpose, date=date)
    fitted, release = opened(model, target=target)
    real = real_rows(release, model, data, holdout=holdout, csv_format=csv_format)
    wanted = release.n_rows if n_rows is None else int(n_rows)
    seed = _seed(random_state)
    asked = {"random_state": random_state, "n_jobs": n_jobs, "secrets": secrets}
    options = {name: value for name, value in asked.items() if value is not None}

    with atomic_folder(output, force=force, replaceable=is_bundle) as folder:
        internal, shareable = folder / INTERNAL, folder / SHAREABLE
        internal.mkdir(mode=0o700)
        shareable.mkdir()
        write_rows(fitted, release, shareable, wanted, seed=seed, with_csv=csv)

        def found() -> Findings:
            schema = fitted.codec.schema
            return parts.findings(
                real, shareable / PARQUET, schema=schema, target=release.target, policy=gates, **options
            )

        def content(tier: Tier, findings: Findings | None, **internals: Any) -> TierContent:
            return TierContent(tier, release, wanted, csv, findings, internals, occasion)

        if release.is_private:
            digest = _write_tier(shareable, content(SHAREABLE, None))
            all_found = found()
        else:
            all_found = found()
            digest = _write_tier(shareable, content(SHAREABLE, all_found.without_details()))
        inside = {"random_state": seed, "real": _about(real), "shareable_manifest_sha256": digest}
        _write_tier(internal, content(INTERNAL, all_found, **inside))
    return Bundle(
        path=Path(output),
        n_rows=wanted,
        is_private=release.is_private,
        scores=all_found.scores,
        verdicts=all_found.verdicts,
        manifest_sha256=digest,
    )


def _write_tier(folder: Path, content: TierContent) -> str:
    """What a tier has besides its rows; returns the SHA-256 of its manifest.

    Everything is written from what ``review.json`` says and from nothing else, so that anybody can write it again.
    """
    for name, text in written_files(as_reread(content)).items():
        write_text(text, folder / name)
    return write_manifest(folder, content.tier)


def _about(real: RealRows) -> dict[str, Any]:
    return {
        "n_training": len(real.training),
        "n_holdout": 0 if real.holdout is None else len(real.holdout),
        "checked_by": real.checked_by,
        "holdout_from": real.holdout_from,
        "table": real.table,
    }


def _check_count(value: int | None, name: str) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1):
        raise SettingsError(f"{name} must be a whole number of at least 1, got {value!r}.")


def _seed(random_state: int | None) -> int:
    if random_state is None:
        return fresh_seed()
    if isinstance(random_state, bool) or not isinstance(random_state, int | np.integer) or random_state < 0:
        raise SettingsError(f"random_state must be a whole number from 0 up or None, got {random_state!r}.")
    return int(random_state)
