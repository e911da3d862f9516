"""The list of a tier's files with their sizes and SHA-256 hashes, and what differs from it.

The list has a hash of its own, so that an entry that was changed or cut out is noticed. Hashes tell accidents, and
manipulation by somebody who does not know the format; they are no signature. Whoever wants one compares the SHA-256 of
the manifest itself, which review and verification print, with what the sender says by another way.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from synthgan.errors import BundleError
from synthgan.review.bundle.json_files import read_json
from synthgan.review.file_names import MANIFEST, TIERS, Tier
from synthgan.strict_json import JsonError
from synthgan.tables.files.outputs import atomic_path

FORMAT: Final = "synthgan-manifest"
VERSION: Final = 1

_MOST_BYTES: Final = 4 * 2**20
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_BLOCK: Final = 2**20


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One file of a tier.

    Attributes:
        path: relative to the tier's folder, with slashes.
        size: in bytes.
        sha256: in hex.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of a tier, sorted by path."""

    tier: Tier
    files: tuple[ListedFile, ...]


def write_manifest(folder: Path, tier: Tier) -> str:
    """List all files of a finished tier.

    Args:
        folder: the tier's folder; nothing may be added to it afterwards.
        tier: its name.

    Returns:
        SHA-256 of the manifest, in hex.

    Raises:
        OutputError: when the manifest cannot be written.
    """
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files = [{"path": path, **_fingerprint(folder / path)} for path in paths]
    content = {"format": FORMAT, "version": VERSION, "tier": tier, "files": files, "files_sha256": _listing(files)}
    with atomic_path(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8", newline="\n")
    return sha256_of(folder / MANIFEST)


def read_manifest(folder: Path) -> Manifest:
    """Read and check what `write_manifest` wrote.

    Raises:
        BundleError: when it is missing, damaged, altered or newer than this version of synthgan.
    """
    path = folder / MANIFEST
    try:
        content = read_json(path, most_bytes=_MOST_BYTES)
        if content["format"] != FORMAT:
            raise ValueError
        if type(content["version"]) is int and content["version"] > VERSION:
            raise BundleError(f"'{path}' is newer than this version of synthgan reads: upgrade synthgan")
        if set(content) != {"format", "version", "tier", "files", "files_sha256"} or content["version"] != VERSION:
            raise ValueError
        files = tuple(_entry(values) for values in content["files"])
        in_order = [file.path for file in files] == sorted({file.path for file in files})
        if content["tier"] not in TIERS or not in_order or content["files_sha256"] != _listing(content["files"]):
            raise ValueError
    except BundleError:
        raise
    except JsonError as error:
        raise BundleError(f"'{path}' {error}: ask for a fresh copy of the bundle") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BundleError(f"'{path}' is no manifest, or was altered: ask for a fresh copy of the bundle") from None
    return Manifest(content["tier"], files)


def differences(folder: Path, manifest: Manifest) -> list[str]:
    """What is not as the manifest says, a sentence each; empty when all is well. Follows no link."""
    found = _found(folder)
    listed = {entry.path: entry for entry in manifest.files}
    problems = [f"{json.dumps(path)} is not in the manifest" for path in sorted(found - set(listed) - {MANIFEST})]
    for path, entry in listed.items():
        file = folder / path
        if path not in found:
            problems.append(f"'{path}' is missing")
        elif file.is_symlink() or not file.is_file():
            problems.append(f"'{path}' is a link or no ordinary file")
        else:
            problems += _changes(file, entry)
    return problems


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _changes(file: Path, entry: ListedFile) -> list[str]:
    try:
        size = file.stat().st_size
        if size != entry.size:
            return [f"'{entry.path}' has {size:,} bytes, and had {entry.size:,}"]
        if sha256_of(file) != entry.sha256:
            return [f"'{entry.path}' was changed: its content has another SHA-256"]
    except OSError:
        return [f"'{entry.path}' cannot be read"]
    return []


def _found(folder: Path) -> set[str]:
    """Everything below a folder but folders themselves, relative, with slashes; empty folders count as found, too."""
    found: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=False):
        here = Path(place)
        links = [name for name in folders if (here / name).is_symlink()]
        found |= {(here / name).relative_to(folder).as_posix() for name in [*files, *links]}
        if not files and not folders and here != folder:
            found.add(here.relative_to(folder).as_posix() + "/")
    return found


def _entry(values: Any) -> ListedFile:
    if set(values) != {"path", "size", "sha256"} or type(values["size"]) is not int or values["size"] < 0:
        raise ValueError
    path, digest = values["path"], values["sha256"]
    # No "..", no root, no drive, no backslash, nothing hidden: a manifest cannot point out of its folder.
    if not all(_NAME.fullmatch(part) for part in path.split("/")) or path == MANIFEST or not _DIGEST.fullmatch(digest):
        raise ValueError
    return ListedFile(path, values["size"], digest)


def _fingerprint(path: Path) -> dict[str, Any]:
    return {"size": path.stat().st_size, "sha256": sha256_of(path)}


def _listing(files: Any) -> str:
    """The hash of the list itself."""
    return hashlib.sha256(json.dumps(files, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
