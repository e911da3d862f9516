"""Checks the rows of a bundle: against what is said of them, one file against the other, and against the model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from synthgan.errors import SynthganError
from synthgan.review.bundle.environment import environment
from synthgan.review.bundle.manifest import sha256_of
from synthgan.review.file_names import CSV, INTERNAL, PARQUET, REVIEW

if TYPE_CHECKING:
    from synthgan.model.model import Model
    from synthgan.review.bundle.release import Release

_KEYS = frozenset({b"synthgan", b"synthetic", b"generator", b"version", b"guarantee", b"pandas", b"ARROW:schema"})
"""Metadata that synthgan writes; anything else was put there by somebody else."""


def check_rows(folder: Path, review: Mapping[str, Any]) -> list[str]:
    """Whether the files of the rows are what ``review.json`` says, and hold the same rows.

    Args:
        folder: of the shareable tier.
        review: what its ``review.json`` holds.
    """
    try:
        file = pq.ParquetFile(folder / PARQUET)
        problems = _check_parquet(file.metadata, file.schema_arrow.names, review)
        if (CSV in review["synthetic"]["files"]) != (folder / CSV).is_file():
            problems.append(f"'{CSV}' is there and '{REVIEW}' does not say so, or the other way round")
        elif (folder / CSV).is_file() and not _same_csv(file, folder / CSV):
            problems.append(f"'{CSV}' does not hold the rows of '{PARQUET}', or holds them written in another way")
    except SynthganError as error:
        return [f"'{CSV}' could not be written again from '{PARQUET}' to compare them: {error}"]
    except (pa.ArrowException, OSError, ValueError):
        return [f"'{PARQUET}' cannot be read as Parquet"]
    return problems


def check_against_model(
    path: str | os.PathLike[str], folder: Path | None, documents: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Whether a bundle is of a model: its hash, what is said of it, and the rows, drawn again.

    Args:
        path: the model file.
        folder: of the shareable tier, None where it is not there.
        documents: ``review.json`` of each tier that is there.

    Raises:
        ModelFileError: when the model cannot be read.
    """
    from synthgan.review.bundle.release import opened

    model, release = opened(path)
    problems = []
    for tier, review in documents.items():
        stated = review["model"]
        if stated["sha256"] != release.sha256:
            return [f"the model is not the one of {tier}/: its SHA-256 is {release.sha256}"]
        facts = ("written_by", "guarantee", "n_fitted", "min_count", "protect_values")
        wrong = [f"model.{name}" for name in facts if stated[name] != getattr(release, name)]
        wrong += ["ledger"] if review["ledger"] != (release.account and release.account.to_json()) else []
        wrong += ["provenance"] if review["provenance"] != list(release.provenance) else []
        wrong += ["synthetic.columns"] if review["synthetic"]["columns"] != list(release.columns) else []
        problems += [f"{tier}/: '{REVIEW}' says something else of the model than the model itself: {n}" for n in wrong]
    if folder is not None and INTERNAL in documents and not problems:
        problems += _check_draw(model, release, folder / PARQUET, documents[INTERNAL])
    return problems


def _check_parquet(file: pq.FileMetaData, names: list[str], review: Mapping[str, Any]) -> list[str]:
    metadata = file.metadata or {}
    stated = {key: metadata.get(key.encode(), b"").decode("utf-8", "replace") for key in ("synthetic", "guarantee")}
    problems = []
    made_by = (metadata.get(b"generator"), metadata.get(b"version"))
    if stated["synthetic"] != "true" or made_by != (b"synthgan", review["generator"]["version"].encode()):
        problems.append(f"'{PARQUET}' does not say in its metadata that it is synthetic, and what made it")
    if stated["guarantee"] != review["model"]["guarantee"]:
        problems.append(f"'{PARQUET}' states another guarantee than '{REVIEW}'")
    if set(metadata) - _KEYS:
        problems.append(f"'{PARQUET}' has metadata that synthgan did not write")
    if file.num_rows != review["synthetic"]["n_rows"]:
        problems.append(
            f"'{PARQUET}' has {file.num_rows:,} rows, and '{REVIEW}' says {review['synthetic']['n_rows']:,}"
        )
    if names != [column["name"] for column in review["synthetic"]["columns"]]:
        problems.append(f"'{PARQUET}' has other columns than '{REVIEW}' says")
    return problems


def _same_csv(file: pq.ParquetFile, path: Path) -> bool:
    """Whether a CSV file is what the rows of a Parquet file give."""
    from synthgan.tables.files.writers import open_writer

    with TemporaryDirectory(prefix="synthgan-verify-") as place:
        again = Path(place) / CSV
        with open_writer(again, file.schema_arrow) as writer:
            for batch in file.iter_batches():
                writer.write(batch)
        return again.stat().st_size == path.stat().st_size and sha256_of(again) == sha256_of(path)


def _check_draw(model: Model, release: Release, path: Path, review: Mapping[str, Any]) -> list[str]:
    """Whether the rows are those that the model draws with the stored seed."""
    from synthgan.review.bundle.synthetic_rows import write_rows

    n_rows = review["synthetic"]["n_rows"]
    with TemporaryDirectory(prefix="synthgan-verify-") as place:
        write_rows(model, release, Path(place), n_rows, seed=review["random_state"], with_csv=False)
        drawn, found = (pq.ParquetFile(file) for file in (Path(place) / PARQUET, path))
        with drawn, found:
            pandas = [file.metadata.metadata.get(b"pandas") for file in (drawn, found)]
            if not drawn.schema_arrow.equals(found.schema_arrow) or pandas[0] != pandas[1]:
                return [f"'{PARQUET}' has columns of other types than the model draws, or is said to hold them"]
            differing = sum(_differing(ours, theirs) for ours, theirs in _aligned(_pieces(drawn), _pieces(found)))
    if not differing:
        return []
    said = f"'{PARQUET}': {differing:,} of {n_rows:,} rows are not those that the model draws with the stored seed"
    return [said + _other_machine(model, review, differing / n_rows)]


def _pieces(file: pq.ParquetFile) -> Iterator[pa.Table]:
    return (pa.Table.from_batches([batch]) for batch in file.iter_batches())


def _other_machine(model: Model, review: Mapping[str, Any], share: float) -> str:
    """What a difference may come from besides an exchange of rows."""
    there, here = review["environment"], environment()
    kinds = [
        f"{name} {there_is}, here {here_is}"
        for name, there_is, here_is in (
            ("torch", there["libraries"].get("torch"), here["libraries"].get("torch")),
            ("processor", there["platform"]["machine"], here["platform"]["machine"]),
            ("arithmetic", there["platform"]["arithmetic"], here["platform"]["arithmetic"]),
        )
        if there_is != here_is
    ]
    if not kinds:
        return "; the bundle says that it was drawn on a machine of this kind, so another rounding does not explain it"
    return (
        f"; the bundle says that it was drawn on another kind of machine ({'; '.join(kinds)}), where sums are rounded "
        f"otherwise ({model.settings.precision} weights) and rows may change by that alone; {100 * share:.3g} % do. "
        "Whether they were exchanged cannot be told here: verify on a machine of that kind"
    )


def _aligned(first: Iterator[pa.Table], second: Iterator[pa.Table]) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Two streams of equally many rows, cut into pieces of equal lengths."""
    left, right = next(first, None), next(second, None)
    while left is not None and right is not None:
        length = min(left.num_rows, right.num_rows)
        if length:
            yield left.slice(0, length), right.slice(0, length)
        left = left.slice(length) if left.num_rows > length else next(first, None)
        right = right.slice(length) if right.num_rows > length else next(second, None)


def _differing(ours: pa.Table, theirs: pa.Table) -> int:
    """How many rows of two tables differ; missing equals missing."""
    if all(left.equals(right) for left, right in zip(ours.columns, theirs.columns, strict=True)):
        return 0
    left, right = (table.to_pandas(ignore_metadata=True).astype(object) for table in (ours, theirs))
    differs = (left != right) & ~(left.isna() & right.isna())
    return int(differs.any(axis=1).sum())
