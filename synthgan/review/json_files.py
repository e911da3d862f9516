"""JSON files of a bundle: written so that equal content gives equal bytes, read with suspicion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from synthgan.tables.outputs import atomic_path

MOST_BYTES = 256 * 2**20


class JsonFileError(ValueError):
    """A file cannot be read as JSON; the message completes the sentence "this file ..."."""


def json_text(content: Any) -> str:
    """JSON values as text, such as UTF-8 can hold: equal content gives equal text."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "replace").decode("utf-8")


def write_text(text: str, path: Path) -> None:
    """Write text as UTF-8, with line ends of Unix and whatever cannot be encoded replaced.

    Raises:
        OutputError: when the file exists or cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(as_bytes(text))


def as_bytes(text: str) -> bytes:
    """The bytes that `write_text` writes."""
    return text.encode("utf-8", "replace")


def read_json(path: Path, *, most_bytes: int = MOST_BYTES) -> Any:
    """The JSON values in a file.

    Raises:
        JsonFileError: when it is missing, too large, or not strict JSON.
    """
    try:
        if path.is_symlink() or not path.is_file():
            raise JsonFileError("is missing")
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except OSError:
        raise JsonFileError("cannot be read") from None
    if len(content) > most_bytes:
        raise JsonFileError(f"is larger than {most_bytes / 2**20:.0f} MiB")
    try:
        return json.loads(content, object_pairs_hook=_without_repeats, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise JsonFileError("is not valid JSON") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _refuse(_: str) -> Any:
    raise ValueError("JSON has no NaN")
