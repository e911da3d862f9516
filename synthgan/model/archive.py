"""The zip that a model file is: its members and their largest sizes, reading it with suspicion.

Nothing here knows what the members mean. Every size is bounded before anything is allocated, the zip must hold exactly
the declared members, stored plainly and one after the other, and JSON is read strictly (`synthgan.strict_json`).
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from synthgan.errors import ModelFileError
from synthgan.strict_json import JsonError, parse_json

MANIFEST = "manifest.json"
TENSORS = "model.safetensors"
_MEBIBYTE = 2**20
MEMBERS = {
    # name: largest size in bytes
    MANIFEST: _MEBIBYTE,
    "codec.json": 128 * _MEBIBYTE,
    "history.json": 32 * _MEBIBYTE,
    "ledger.json": 32 * _MEBIBYTE,
    TENSORS: 512 * _MEBIBYTE,
    "schema.json": 32 * _MEBIBYTE,
}
OPTIONAL = {"history.json", "ledger.json"}
LARGEST_FILE = sum(MEMBERS.values()) + _MEBIBYTE
_COMMENT = b"synthgan manifest sha256 "
_EPOCH = (1980, 1, 1, 0, 0, 0)

_END = struct.Struct("<4s4H2LH")  # zip's end of central directory: signature, disks, entries, size, offset, comment
_END_SIGNATURE = b"PK\x05\x06"
_ZIP64_SIGNATURE = b"PK\x06\x07"
_LOCAL_HEADER_SIZE = 30


def write_archive(path: Path, contents: Mapping[str, bytes]) -> None:
    """Write the members in a fixed order with fixed timestamps, so that equal contents give equal bytes.

    Raises:
        ValueError: a member beyond its largest size.
    """
    for name, content in contents.items():
        if len(content) > MEMBERS[name]:
            raise ValueError(f"the model's {name} has {len(content)} bytes, more than the {MEMBERS[name]} allowed")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name in MEMBERS:
            if name in contents:
                info = zipfile.ZipInfo(name, _EPOCH)
                info.create_system = 3
                info.external_attr = (stat.S_IFREG | 0o644) << 16
                archive.writestr(info, contents[name])
        archive.comment = comment_of(contents[MANIFEST])


def comment_of(manifest: bytes) -> bytes:
    """The zip's comment, which vouches for the manifest."""
    return _COMMENT + hashlib.sha256(manifest).hexdigest().encode()


def damaged(path: Path) -> ModelFileError:
    """The error for a file whose contents do not agree with what it says of them."""
    return ModelFileError(
        f"model file '{path}' is damaged, cut short or altered: copy it again from where it was saved, or fit again"
    )


def not_one(path: Path, hint: str = "") -> ModelFileError:
    """The error for a file that is something else."""
    return ModelFileError(f"'{path}' is not a synthgan model file{hint}: name a file that Synthesizer.save has written")


def opened(path: Path) -> BinaryIO:
    """The file, open for reading; its failures as `ModelFileError`."""
    try:
        if not path.exists():
            raise ModelFileError(f"model file '{path}' does not exist: check the path")
        if not path.is_file():
            raise ModelFileError(f"'{path}' is not an ordinary file: name a model file")
        stream = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from None
    return stream


def _unreadable(path: Path, error: OSError) -> ModelFileError:
    reason = os.strerror(error.errno).lower() if error.errno else "the operating system refused"
    return ModelFileError(f"model file '{path}' cannot be read: {reason}")


def _ends(stream: BinaryIO) -> tuple[int, bytes, bytes]:
    """The size of a file, its first four bytes, and its last ones."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    start = stream.read(4)
    stream.seek(max(0, size - 2**16))
    return size, start, stream.read(2**16)


def opened_archive(stream: BinaryIO, path: Path) -> zipfile.ZipFile:
    """The file as a zip, after a look at its table of contents that bounds what the zip library will read."""
    try:
        size, start, tail = _ends(stream)
    except OSError as error:
        raise _unreadable(path, error) from None
    if not size:
        raise ModelFileError(f"model file '{path}' is empty: copy it again from where it was saved, or fit again")
    if size > LARGEST_FILE:
        raise ModelFileError(f"'{path}' is larger than any synthgan model file ({size} bytes): check the path")
    if start[:4] != b"PK\x03\x04"[: len(start)]:
        raise not_one(path, " (it looks like a pickle, which synthgan never reads)" if start[:1] == b"\x80" else "")
    place = tail.rfind(_END_SIGNATURE)
    if place < 0 or len(tail) - place < _END.size:
        raise damaged(path)
    _, _, _, _, n_members, directory_size, _, comment_size = _END.unpack_from(tail, place)
    is_zip64 = tail[max(0, place - 20) : place].startswith(_ZIP64_SIGNATURE)
    if n_members > 4 * len(MEMBERS) or directory_size > 2**16 or is_zip64:
        raise not_one(path)
    if place + _END.size + comment_size != len(tail):
        raise damaged(path)
    try:
        return zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, *_ZIP_ERRORS):
        raise damaged(path) from None


_ZIP_ERRORS = (ValueError, NotImplementedError, RuntimeError, EOFError, OverflowError, struct.error, OSError)
"""What the zip library raises on nonsense, besides `zipfile.BadZipFile`."""


def check_contents(archive: zipfile.ZipFile, members: Mapping[str, Any], path: Path) -> None:
    """The zip holds exactly the declared members, stored plainly, one after the other and nothing in between."""
    infos = archive.infolist()
    if sorted(info.filename for info in infos) != sorted([*members, MANIFEST]):
        raise damaged(path)
    place = 0
    for info in sorted(infos, key=lambda each: each.header_offset):
        if info.filename != MANIFEST and info.file_size != members[info.filename]["size"]:
            raise damaged(path)
        if info.header_offset != place or info.extra:
            raise damaged(path)
        place += _LOCAL_HEADER_SIZE + len(info.filename) + info.file_size
    if place != archive.start_dir:
        raise damaged(path)


def read_member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """A member's bytes, never more than its cap, whatever the zip claims."""
    largest, info = MEMBERS[name], archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & 0x1:
        raise damaged(path)
    try:
        with archive.open(info) as stream:
            content = stream.read(largest + 1)
    except (zipfile.BadZipFile, *_ZIP_ERRORS):
        raise damaged(path) from None
    if len(content) > largest:
        raise ModelFileError(f"{name} in model file '{path}' is larger than the {largest} bytes allowed: fit again")
    return content


def to_json(content: Any, indent: int | None = None) -> bytes:
    """Plain ASCII JSON, without spaces unless it is indented."""
    separators = (",", ":") if indent is None else None
    return json.dumps(content, allow_nan=False, indent=indent, separators=separators).encode("ascii")


def from_json(content: bytes, path: Path) -> Any:
    """The parsed values; `ModelFileError` for anything but strict, shallow JSON."""
    try:
        return parse_json(content)
    except JsonError:
        raise damaged(path) from None
