"""Checks a review bundle, or one tier of it, and says what it checked and what it could not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from synthgan.errors import BundleError
from synthgan.review.bundle.manifest import read_manifest, sha256_of
from synthgan.review.bundle.verify_rows import check_against_model, check_rows
from synthgan.review.bundle.verify_statements import check_files, check_statements, read_review
from synthgan.review.file_names import CSV, INTERNAL, MANIFEST, SHAREABLE, TIERS, Tier

SHARED: Final = (
    "occasion",
    "guarantee",
    "generator",
    "model",
    "synthetic",
    "deployment",
    "ledger",
    "provenance",
    "environment",
)
"""Parts of ``review.json`` that both tiers have in common, whatever is withheld from one of them."""

FILES: Final = "size and SHA-256 of every file, against the manifest and the other way round"
STATEMENTS: Final = (
    "report, model card, ledger and environment: written again from review.json, byte for byte the same",
    "review.json: follows its schema, and guarantee, record and limits follow from the ledger, whose sums are right",
)
VERDICTS: Final = "verdicts: judged again from the scores that stand there"
ROWS: Final = "synthetic.parquet: number of rows, columns, and what it says of itself"
CSV_ROWS: Final = "synthetic.csv: written again from synthetic.parquet, byte for byte the same"
TIERS_AGREE: Final = "the two tiers: one belongs to the other, and they say the same"
MODEL: Final = "the model file: it is the one that the bundle names, with the guarantee, ledger and columns stated"
DRAWN: Final = "the rows: drawn again from the model with the seed that was stored, and the same"

NOBODY: Final = (
    "who made the bundle: it is not signed, and whoever knows the format can write another one; compare the SHA-256 of "
    "the manifest with what the sender tells you by another way"
)
NO_SCORES: Final = (
    "whether the scores are right: they were computed from real rows; review the model again with its table and the "
    "seed to see"
)
NO_MODEL: Final = "whether the rows, the ledger and the provenance are the model's: give the model with --model FILE"
NO_SEED: Final = "whether the rows are drawn from the model: the seed stands in the internal tier, which is not here"
NO_ROWS: Final = "the synthetic rows: they are in the shareable tier, which is not here"
NO_TIE: Final = "whether this tier belongs to the other one, which is not here"
WORDS: Final = "title, purpose and date: they are the reviewer's word"


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
        checked: what was checked and found right, a clause each; empty when something is wrong.
        unchecked: what no look at these files can tell, a clause each.
    """

    path: Path
    tiers: tuple[Tier, ...]
    n_files: int
    manifests: Mapping[str, str]
    guarantee: str
    problems: tuple[str, ...]
    checked: tuple[str, ...]
    unchecked: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify_bundle(path: str | os.PathLike[str], *, model: str | os.PathLike[str] | None = None) -> Verification:
    """Recheck the files of a bundle, what they say, and with the model the rows.

    Every file that follows from ``review.json`` is written again and compared, so that fresh hashes hide nothing.

    Args:
        path: the folder that `synthgan.review.write_bundle` wrote, or one of its tiers (who was given the shareable one
            has no more).
        model: the model file that the rows are said to be drawn from.

    Raises:
        BundleError: when the folder is missing or is no review bundle.
        ModelFileError: when the model cannot be read.

    Example:
        >>> from synthgan import Synthesizer
        >>> from synthgan.datasets import load_adult
        >>> from synthgan.review import verify_bundle, write_bundle
        >>> rows = load_adult("train").head(200)
        >>> model = Synthesizer(target="income", max_steps=2, random_state=0).fit(rows).save("adult.synthgan")
        >>> bundle = write_bundle(model, rows, "release", n_rows=100, random_state=0)
        >>> verification = verify_bundle("release", model=model)
        >>> verification.is_whole, verification.manifests["shareable"] == bundle.manifest_sha256
        (True, True)
    """
    path = Path(path)
    folders = _tiers(path)
    problems: list[str] = []
    manifests: dict[str, str] = {}
    documents: dict[str, Any] = {}
    n_files = 0
    if not (path / MANIFEST).is_file():
        others = sorted(file.name for file in path.iterdir() if file.name not in TIERS)
        problems += [f"{name!r} does not belong into a bundle" for name in others]
        problems += [f"the tier {tier}/ is missing" for tier in TIERS if tier not in folders]
    for tier, folder in folders.items():
        found, listed = check_files(tier, folder)
        n_files += listed
        if (folder / MANIFEST).is_file():
            manifests[tier] = sha256_of(folder / MANIFEST)
        documents[tier], broken = read_review(tier, folder)
        found += broken
        if not found:
            found += check_statements(folder, documents[tier])
            found += check_rows(folder, documents[tier]) if tier == SHAREABLE else []
        problems += [f"{tier}/: {problem}" for problem in found]
    if not problems and len(folders) == len(TIERS):
        problems += _check_tie(documents, manifests)
    if not problems and model is not None:
        problems += check_against_model(model, folders.get(SHAREABLE), documents)
    guarantee = "" if problems else next(iter(documents.values()))["model"]["guarantee"]
    return Verification(
        path=path,
        tiers=tuple(folders),
        n_files=n_files,
        manifests=manifests,
        guarantee=guarantee,
        problems=tuple(problems),
        checked=() if problems else _checked(documents, with_model=model is not None),
        unchecked=_unchecked(documents, with_model=model is not None),
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


def _check_tie(documents: Mapping[str, Any], manifests: Mapping[str, str]) -> list[str]:
    """Whether the two tiers belong together."""
    inside, shared = documents[INTERNAL], documents[SHAREABLE]
    if inside["shareable_manifest_sha256"] != manifests[SHAREABLE]:
        return ["shareable/ is not the one that internal/ was written with"]
    if any(inside[key] != shared[key] for key in SHARED):
        return ["internal/ and shareable/ describe different releases"]
    if shared["gates"] is not None and (shared["gates"], shared["comparison"]) != (
        inside["gates"],
        inside["comparison"],
    ):
        return ["internal/ and shareable/ come to different verdicts"]
    if shared["evaluation"] is not None and _figures(shared) != _figures(inside):
        return ["internal/ and shareable/ state different scores"]
    return []


def _figures(document: Mapping[str, Any]) -> Any:
    """The scores without their parts, which the shareable tier lacks."""
    scores = [{**score, "details": None} for score in document["evaluation"]["scores"]]
    return {**document["evaluation"], "scores": scores, "evidence": None}


def _checked(documents: Mapping[str, Any], *, with_model: bool) -> tuple[str, ...]:
    found = [FILES, *STATEMENTS]
    if any(document["gates"] is not None for document in documents.values()):
        found.append(VERDICTS)
    if SHAREABLE in documents:
        found.append(ROWS)
        found += [CSV_ROWS] if CSV in documents[SHAREABLE]["synthetic"]["files"] else []
    if len(documents) == len(TIERS):
        found.append(TIERS_AGREE)
    if with_model:
        found.append(MODEL)
        found += [DRAWN] if len(documents) == len(TIERS) else []
    return tuple(found)


def _unchecked(documents: Mapping[str, Any], *, with_model: bool) -> tuple[str, ...]:
    found = [NOBODY, NO_SCORES]
    if not with_model:
        found.append(NO_MODEL)
    elif INTERNAL not in documents:
        found.append(NO_SEED)
    if SHAREABLE not in documents:
        found.append(NO_ROWS)
    if len(documents) < len(TIERS):
        found.append(NO_TIE)
    return (*found, WORDS)
