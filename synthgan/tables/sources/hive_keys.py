"""Folders named ``key=value`` (Hive partitions) as columns of the files that lie in them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa

from synthgan.errors import SourceError
from synthgan.tables.sources.batches import hash_file

_WHOLE = re.compile(r"0|[1-9][0-9]{0,18}")
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def hive_keys(paths: Sequence[Path], folder: Path | None, names: Sequence[str]) -> dict[str, pa.Array]:
    """Key -> its value in each of ``paths``; keys that are columns of the files anyway are left to the files.

    Args:
        paths: the files of one table.
        folder: where the folders that may be keys begin; None for no keys.
        names: the columns inside the files.

    Raises:
        SourceError: when some files have other keys than the first one.
    """
    found: list[dict[str, str]] = []
    for path in paths:
        parts = path.relative_to(folder).parts[:-1] if folder is not None else ()
        found.append(dict(part.split("=", 1) for part in parts if "=" in part))
        if found[-1].keys() != found[0].keys():
            raise SourceError(f"{path} lies in other key=value folders than {paths[0]}: one table needs the same keys")
    columns = {}
    for key in found[0] if found else ():
        if key not in names:
            # Escapes that are no UTF-8 stay apart from each other.
            texts = [
                None if keys[key] == _NO_VALUE else unquote(keys[key], errors="backslashreplace") for keys in found
            ]
            values = pa.array(texts, pa.string())
            columns[key] = values.cast(pa.int64()) if all(map(_is_whole, texts)) else values
    return columns


def _is_whole(text: str | None) -> bool:
    """Whether a key is missing, or a whole number as it is written by itself, and of 64 bits."""
    return text is None or (bool(_WHOLE.fullmatch(text)) and int(text) < 2**63)


def fingerprint_of(schema: pa.Schema, paths: Sequence[Path], keys: Mapping[str, pa.Array]) -> str:
    """SHA-256 over files of one table (see `hash_file`) and over what the folders that are columns say of each.

    Args:
        schema: how the table is read.
        paths: its files.
        keys: from `hive_keys`.
    """
    digest = hashlib.sha256(str(schema).encode())
    for index, path in enumerate(paths):
        if keys:
            digest.update(repr([values[index].as_py() for values in keys.values()]).encode())
        hash_file(digest, path)
    return digest.hexdigest()
