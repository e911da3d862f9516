"""Checks a review bundle, or one tier of it, against its manifests and its own statements."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from synthgan.errors import BundleError, SynthganError
from synthgan.privacy.ledger import Ledger
from synthgan.privacy.wording import in_words
from synthgan.review.document import SCHEMA
from synthgan.review.json_files import read_json
from synthgan.review.json_schema import violations
from synthgan.review.layout import (
    CSV,
    INTERNAL,
    LEDGER,
    MANIFEST,
    OPTIONAL,
    PARQUET,
    REQUIRED,
    REVIEW,
    SHAREABLE,
    TIERS,
    Tier,
)
from synthgan.review.manifest import differences, read_manifest, sha256_of
from synthgan.strict_json import JsonError

_MOST_VIOLATIONS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What a look at a bundle found.

    Attributes:
        path: what was looked at.
        tiers: the tiers that are there.
        n_files: number of files that their manifests list.
        manifests: SHA-256 of each tier's manifest, in hex. Compare the shareable one with what the sender says.
        guarantee: of the release, in words; empty where it cannot be told.
        problems: what is wrong, a sentence each; empty when all is well.
    """

    path: Path
    tiers: tuple[Tier, ...]
    n_files: int
    manifests: Mapping[str, str]
    guarantee: str
    problems: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify_bundle(path: str | os.PathLike[str]) -> Verification:
    """Recheck hashes, files, the form of ``review.json``, the metadata of the rows, and the account of the budget.

    Args:
        path: the folder that `synthgan.review.write_bundle` wrote, or one of its tiers (who was given the shareable one
            has no more).

    Raises:
        BundleError: when the folder is missing or is no review bundle.
    """
    path = Path(path)
    folders = _tiers(path)
    problems: list[str] = []
    manifests: dict[str, str] = {}
    documents: dict[str, Any] = {}
    n_files, guarantee = 0, ""
    if not (path / MANIFEST).is_file():
        others = sorted(file.name for file in path.iterdir() if file.name not in TIERS)
        problems += [f"{name!r} does not belong into a bundle" for name in others]
        problems += [f"the tier {tier}/ is missing" for tier in TIERS if tier not in folders]
    for tier, folder in folders.items():
        found, listed = _check_files(tier, folder)
        n_files += listed
        if (folder / MANIFEST).is_file():
            manifests[tier] = sha256_of(folder / MANIFEST)
        documents[tier], broken = _review(tier, folder)
        found += broken
        if tier == SHAREABLE and not found:
            found += _check_release(folder, documents[tier])
        problems += [f"{tier}/: {problem}" for problem in found]
    if not problems and len(folders) == len(TIERS):
        problems += _check_tie(documents, manifests)
    for content in documents.values():
        guarantee = content["model"]["guarantee"] if not problems else ""
    return Verification(
        path=path,
        tiers=tuple(folders),
        n_files=n_files,
        manifests=manifests,
        guarantee=guarantee,
        problems=tuple(problems),
    )


def _tiers(path: Path) -> dict[Tier, Path]:
    """The folders of the tiers that are there."""
    if not path.is_dir():
        raise BundleError(f"there is no folder '{path}'; name the folder that `synthgan review -o` wrote")
    if (path / MANIFEST).is_file():
        return {read_manifest(path).tier: path}
    found = {tier: path / tier for tier in TIERS if (path / tier).is_dir() and not (path / tier).is_symlink()}
    if not found:
        raise BundleError(f"'{path}' is no review bundle: it has neither a {MANIFEST} nor the folders of one")
    return found


def _check_files(tier: Tier, folder: Path) -> tuple[list[str], int]:
    """What is wrong with the files of a tier, and how many its manifest lists."""
    try:
        manifest = read_manifest(folder)
    except BundleError as error:
        return [str(error)], 0
    problems = [] if manifest.tier == tier else [f"its manifest is that of the tier {manifest.tier}/"]
    listed = {entry.path for entry in manifest.files}
    problems += [f"'{name}' is not listed" for name in sorted(REQUIRED[tier] - listed)]
    unknown = sorted(listed - REQUIRED[tier] - OPTIONAL[tier])
    problems += [f"'{name}' is listed and does not belong there" for name in unknown]
    return problems + differences(folder, manifest), len(listed)


def _review(tier: Tier, folder: Path) -> tuple[Any, list[str]]:
    """The content of ``review.json``, and what is wrong with its form."""
    try:
        content = read_json(folder / REVIEW)
        broken = violations(content, SCHEMA)
    except JsonError as error:
        return None, [f"'{REVIEW}' {error}"]
    except RecursionError:
        return None, [f"'{REVIEW}' is nested too deeply"]
    if not broken and content["tier"] != tier:
        broken = [f"$.tier is not {tier}"]
    more = [f"... and {len(broken) - _MOST_VIOLATIONS} more"] if len(broken) > _MOST_VIOLATIONS else []
    return content, [f"'{REVIEW}' breaks its schema: {problem}" for problem in [*broken[:_MOST_VIOLATIONS], *more]]


def _check_release(folder: Path, review: Mapping[str, Any]) -> list[str]:
    """Whether rows and account are what ``review.json`` says."""
    problems = _check_rows(folder / PARQUET, review)
    if (CSV in review["synthetic"]["files"]) != (folder / CSV).is_file():
        problems.append(f"'{CSV}' is there and '{REVIEW}' does not say so, or the other way round")
    return problems + _check_ledger(folder / LEDGER, review)


def _check_rows(path: Path, review: Mapping[str, Any]) -> list[str]:
    try:
        file = pq.read_metadata(path)
        metadata, names = file.metadata or {}, file.schema.to_arrow_schema().names
    except (pa.ArrowException, OSError, ValueError):
        return [f"'{PARQUET}' cannot be read as Parquet"]
    stated = {key: metadata.get(key.encode(), b"").decode("utf-8", "replace") for key in ("synthetic", "guarantee")}
    problems = []
    if stated["synthetic"] != "true" or metadata.get(b"generator") != b"synthgan" or not metadata.get(b"version"):
        problems.append(f"'{PARQUET}' does not say in its metadata that it is synthetic, and what made it")
    if stated["guarantee"] != review["model"]["guarantee"]:
        problems.append(f"'{PARQUET}' states another guarantee than '{REVIEW}'")
    if file.num_rows != review["synthetic"]["n_rows"]:
        problems.append(
            f"'{PARQUET}' has {file.num_rows:,} rows, and '{REVIEW}' says {review['synthetic']['n_rows']:,}"
        )
    if names != [column["name"] for column in review["synthetic"]["columns"]]:
        problems.append(f"'{PARQUET}' has other columns than '{REVIEW}' says")
    return problems


def _check_ledger(path: Path, review: Mapping[str, Any]) -> list[str]:
    try:
        content = read_json(path)
        stated, values = content["guarantee"], content["ledger"]
        ledger = None if values is None else Ledger.from_json(values)
    except JsonError as error:
        return [f"'{LEDGER}' {error}"]
    except (KeyError, TypeError):
        return [f"'{LEDGER}' is no account of a budget"]
    except SynthganError as error:
        return [f"'{LEDGER}': {error}"]
    if stated != review["guarantee"] or (ledger is None) != (stated == "none"):
        return [f"'{LEDGER}' states another guarantee than '{REVIEW}'"]
    if ledger is None:
        return []
    parameters = review["deployment"]["privacy_loss"]["privacy_parameters"]
    if (parameters["epsilon"], parameters["delta"]) != ledger.guarantee() or review["model"]["guarantee"] != in_words(
        ledger
    ):
        return [f"'{LEDGER}' and '{REVIEW}' promise different things"]
    return []


def _check_tie(documents: Mapping[str, Any], manifests: Mapping[str, str]) -> list[str]:
    """Whether the two tiers belong together."""
    inside, shared = documents[INTERNAL], documents[SHAREABLE]
    if inside["shareable_manifest_sha256"] != manifests[SHAREABLE]:
        return ["shareable/ is not the one that internal/ was written with"]
    if any(inside[key] != shared[key] for key in ("model", "synthetic", "deployment", "provenance")):
        return ["internal/ and shareable/ describe different releases"]
    return []
