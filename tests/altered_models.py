"""Model files whose checksums are right and whose members are not: what someone who knows the format could make."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from synthgan.model.archive import MANIFEST, write_archive


def rewrite(source: Path, target: Path, changes: Mapping[str, Callable[[bytes], bytes]]) -> Path:
    """The model ``source`` with some members changed, and sizes and hashes put right, at ``target``."""
    with zipfile.ZipFile(source) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    for name, change in changes.items():
        altered = change(contents[name])
        assert altered != contents[name], f"{name} was not changed"
        contents[name] = altered
    if MANIFEST not in changes:
        manifest = json.loads(contents[MANIFEST])
        for name in manifest["members"]:
            content = contents[name]
            manifest["members"][name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        contents[MANIFEST] = json.dumps(manifest).encode()
    write_archive(target, contents)
    return target
