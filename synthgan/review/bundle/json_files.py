"""Files of a bundle: JSON written so that equal content gives equal bytes, and read with suspicion; plain text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from synthgan import strict_json
from synthgan.strict_json import MOST_BYTES, JsonError
from synthgan.tables.files.outputs import atomic_path


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
        JsonError: when it is missing, too large, or not strict JSON; the message completes "this file ...".
    """
    try:
        if path.is_symlink() or not path.is_file():
            raise JsonError("is missing")
        return strict_json.read_json(path, most_bytes=most_bytes)
    except OSError:
        raise JsonError("cannot be read") from None
