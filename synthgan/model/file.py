"""The ``.synthgan`` file: one uncompressed zip of JSON and safetensors. No row, no pickle, no critic.

Members: ``manifest.json`` (what this is, and size and SHA-256 of every other member), ``schema.json``, ``codec.json``,
``model.safetensors`` and, optionally, ``history.json``; ``ledger.json`` where there is a privacy guarantee. The zip's
comment holds the SHA-256 of the manifest, so that damage to any member, the manifest included, is noticed. Checksums
tell damage, not malice: whoever can write the file can also write its checksums. That is why reading never executes
anything, bounds every size before it allocates, and hands tensors over only when their names, shapes and dtypes are
exactly those that the caller expects.

The same content gives the same bytes: members are in a fixed order, with fixed timestamps, and JSON keeps its order.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgan.errors import ModelFileError, SynthganError
from synthgan.model.archive import (
    MANIFEST,
    MEMBERS,
    OPTIONAL,
    TENSORS,
    check_contents,
    comment_of,
    damaged,
    from_json,
    not_one,
    opened,
    opened_archive,
    read_member,
    to_json,
    write_archive,
)
from synthgan.tables.files.outputs import atomic_path
from synthgan.version import __version__

if TYPE_CHECKING:
    import torch

    from synthgan.privacy.account.ledger import Ledger
    from synthgan.tables.codec import TableCodec

FORMAT = "synthgan-model"
FORMAT_VERSION = 1

GENERATOR, NOTHING = "residual-generator", "nothing-to-generate"
ARCHITECTURES = frozenset({GENERATOR, NOTHING})
"""Networks a file may ask for; the second is for tables without a column to model."""

GUARANTEES = frozenset({"none", "differential privacy"})
"""Privacy guarantees a file may state."""

_LARGEST_HEADER = 8 * 2**20

_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip

TensorSpecification = Mapping[str, tuple[Sequence[int], Any]]
"""Name -> (shape, dtype); a dtype is a `torch.dtype`, a numpy dtype or its name, such as ``"float32"``."""


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """A checked model file, read except for its tensors.

    Attributes:
        manifest: format, versions, architecture, guarantee, details, and the size and SHA-256 of each member.
        schema: the schema as JSON values.
        codec: the codec as JSON values.
        history: the training history, None when the file has none.
        ledger: the privacy ledger, None without a guarantee.
    """

    manifest: dict[str, Any]
    schema: Any
    codec: Any
    history: Any
    ledger: Any
    _path: Path = field(repr=False)
    _tensors: bytes = field(repr=False)

    @property
    def architecture(self) -> str:
        """Name of the network, one of `ARCHITECTURES`."""
        return str(self.manifest["architecture"]["name"])

    @property
    def architecture_settings(self) -> dict[str, Any]:
        """JSON values the network is built from."""
        return dict(self.manifest["architecture"]["settings"])

    @property
    def details(self) -> dict[str, Any]:
        """Whatever else `save_model` was given."""
        return dict(self.manifest["details"])

    def tensors(self, specification: TensorSpecification) -> dict[str, torch.Tensor]:
        """The network's tensors, on the CPU.

        Args:
            specification: exactly the tensors that the network needs.

        Raises:
            ModelFileError: when a name, shape or dtype differs, or a value is not finite.
        """
        check_tensors(self._tensors, specification, self._path)
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            tensors: dict[str, torch.Tensor] = load(self._tensors)
        except (SafetensorError, ValueError, KeyError):
            raise damaged(self._path) from None
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values() if tensor.is_floating_point()):
            raise ModelFileError(f"model file '{self._path}' holds weights that are not finite: fit the model again")
        return tensors


def save_model(
    path: str | os.PathLike[str],
    *,
    architecture: str,
    architecture_settings: Mapping[str, Any],
    schema: Any,
    codec: Any,
    tensors: Mapping[str, torch.Tensor],
    history: Any = None,
    ledger: Any = None,
    details: Mapping[str, Any] | None = None,
    force: bool = False,
) -> Path:
    """Write a model file, whole or not at all.

    Args:
        path: where it is to stand.
        architecture: one of `ARCHITECTURES`.
        architecture_settings: JSON values to build the network from.
        schema: the schema as JSON values.
        codec: the codec as JSON values.
        tensors: the network's state.
        history: the training history as JSON values, None to leave it out.
        ledger: the privacy ledger as JSON values; None where nothing is guaranteed.
        details: further JSON values for the manifest. What differs between two equal fits (times, say) makes the
            files differ.
        force: replace a file that is already there.

    Raises:
        OutputError: when the file exists and ``force`` is off, or it cannot be written.
        ValueError: for an unknown architecture, values that JSON cannot hold, or a member beyond its
            largest size.
    """
    from safetensors.torch import save

    if architecture not in ARCHITECTURES:
        raise ValueError("unknown architecture")
    contents = {
        "codec.json": to_json(codec),
        TENSORS: save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}),
        "schema.json": to_json(schema),
    }
    for name, optional in (("history.json", history), ("ledger.json", ledger)):
        if optional is not None:
            contents[name] = to_json(optional)
    manifest = to_json(
        {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "synthgan_version": __version__,
            "guarantee": "none" if ledger is None else "differential privacy",
            "architecture": {"name": architecture, "settings": dict(architecture_settings)},
            "details": dict(details or {}),
            "members": {name: _fingerprint(content) for name, content in sorted(contents.items())},
        },
        indent=2,
    )
    contents[MANIFEST] = manifest
    with atomic_path(path, force=force) as temporary:
        write_archive(temporary, contents)
    return Path(path)


def read_parts(path: str | os.PathLike[str]) -> tuple[ModelFile, TableCodec, Ledger | None]:
    """What a model file states, without its network: the file, the codec and the account of a private fit.

    Raises:
        ModelFileError: as `load_model`, and when schema, codec or ledger make no sense.
    """
    file = load_model(path)
    with consistent(path):
        return file, *stated(file)


@contextmanager
def consistent(path: str | os.PathLike[str]) -> Iterator[None]:
    """Whatever goes wrong inside is the file's fault: its parts are whole, and make no sense together."""
    path = os.fspath(path)
    try:
        yield
    except ModelFileError as error:
        if str(path) in str(error):
            raise
        raise ModelFileError(f"model file '{path}' cannot be used: {error}") from None
    except (SynthganError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError):
        raise ModelFileError(
            f"model file '{path}' is whole but its parts do not fit together; this version of synthgan did "
            "not write it: fit the model again"
        ) from None


def stated(file: ModelFile) -> tuple[TableCodec, Ledger | None]:
    """The codec and the account of a private fit; raises whatever makes them unreadable, see `consistent`."""
    from synthgan.privacy.account.ledger import Ledger
    from synthgan.tables.codec import TableCodec
    from synthgan.tables.schema.schema_file import schema_from_json

    codec = TableCodec.from_json(file.codec, schema_from_json(file.schema))
    return codec, None if file.ledger is None else Ledger.from_json(file.ledger)


def read_manifest(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A model file's manifest, checked against the file's table of contents; no other member is read.

    Raises:
        ModelFileError: as `load_model`, except for damage inside other members.
    """
    path = Path(path)
    with opened(path) as stream, opened_archive(stream, path) as archive:
        manifest: dict[str, Any] = _checked_manifest(archive, path)
    return manifest


def load_model(path: str | os.PathLike[str]) -> ModelFile:
    """Read and check a model file. Needs neither torch nor the network; see `ModelFile.tensors` for the weights.

    Raises:
        ModelFileError: when the file is missing, no model file, newer than this version of synthgan, cut short,
            damaged or altered, too large, or holds anything else than it should.
    """
    path = Path(path)
    with opened(path) as stream, opened_archive(stream, path) as archive:
        manifest = _checked_manifest(archive, path)
        contents: dict[str, bytes] = {}
        for name, declared in manifest["members"].items():
            content = read_member(archive, name, path)
            if hashlib.sha256(content).hexdigest() != declared["sha256"]:
                raise damaged(path)
            contents[name] = content
    return ModelFile(
        manifest=manifest,
        schema=from_json(contents["schema.json"], path),
        codec=from_json(contents["codec.json"], path),
        history=from_json(contents["history.json"], path) if "history.json" in contents else None,
        ledger=from_json(contents["ledger.json"], path) if "ledger.json" in contents else None,
        _path=path,
        _tensors=contents[TENSORS],
    )


def check_tensors(content: bytes, specification: TensorSpecification, path: Path) -> None:
    """Compare a safetensors header with what the caller expects, before any tensor is made.

    Raises:
        ModelFileError: when a tensor is missing, too many, or has another shape or dtype.
    """
    header = _tensor_header(content, path)
    missing, extra = set(specification) - set(header), set(header) - set(specification)
    if missing or extra:
        raise ModelFileError(
            f"the tensors in model file '{path}' are not those of its network ({len(missing)} missing, {len(extra)} "
            "too many): fit the model again"
        )
    for name, (shape, dtype) in specification.items():
        expected = str(dtype).removeprefix("torch.")
        found_shape, found_dtype = header[name]
        if found_shape != list(shape) or found_dtype != expected:
            raise ModelFileError(
                f"tensor '{name}' in model file '{path}' has shape {found_shape} and dtype {found_dtype}; its network "
                f"needs {list(shape)} and {expected}: fit the model again"
            )


def _checked_manifest(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    names = archive.namelist()
    if MANIFEST not in names:
        raise not_one(path)
    content = read_member(archive, MANIFEST, path)
    manifest = from_json(content, path)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise not_one(path)
    version = manifest.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ModelFileError(
            f"model file '{path}' has format version {version}; this synthgan reads up to {FORMAT_VERSION}: "
            "upgrade synthgan to read it"
        )
    if archive.comment != comment_of(content) or version != FORMAT_VERSION:
        raise damaged(path)
    _check_manifest(manifest, path)
    check_contents(archive, manifest["members"], path)
    return manifest


def _check_manifest(manifest: Mapping[str, Any], path: Path) -> None:
    expected = {"format", "format_version", "synthgan_version", "guarantee", "architecture", "details", "members"}
    architecture, members = manifest.get("architecture"), manifest.get("members")
    if (
        set(manifest) != expected
        or not isinstance(architecture, dict)
        or set(architecture) != {"name", "settings"}
        or not isinstance(architecture["settings"], dict)
        or not isinstance(manifest["details"], dict)
        or not isinstance(members, dict)
        or not all(_is_fingerprint(declared) for declared in members.values())
    ):
        raise damaged(path)
    stated = (("architecture", architecture["name"], ARCHITECTURES), ("guarantee", manifest["guarantee"], GUARANTEES))
    for what, name, known in stated:
        if not isinstance(name, str) or name not in known:
            raise ModelFileError(
                f"model file '{path}' states an unknown {what}: upgrade synthgan, or fit the model again"
            )
    required = set(MEMBERS) - OPTIONAL - {MANIFEST}
    is_private = manifest["guarantee"] != "none"
    if not required <= set(members) <= required | OPTIONAL or ("ledger.json" in members) != is_private:
        raise damaged(path)


def _is_fingerprint(declared: Any) -> bool:
    return (
        isinstance(declared, dict)
        and set(declared) == {"size", "sha256"}
        and type(declared["size"]) is int
        and isinstance(declared["sha256"], str)
    )


def _fingerprint(content: bytes) -> dict[str, Any]:
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _tensor_header(content: bytes, path: Path) -> dict[str, tuple[list[int], str]]:
    """Name -> (shape, dtype) from a safetensors header."""
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or size > min(_LARGEST_HEADER, len(content) - 8):
        raise damaged(path)
    header = from_json(content[8 : 8 + size], path)
    if not isinstance(header, dict):
        raise damaged(path)
    found = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if not isinstance(entry, dict) or not isinstance(entry.get("shape"), list):
            raise damaged(path)
        found[name] = (entry["shape"], _DTYPES.get(str(entry.get("dtype")), "unknown"))
    return found
