"""The model file: same bytes for the same model, and everything that is not one is refused with a sentence."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.errors import ModelFileError, OutputError
from synthgan.model import archive as model_archive
from synthgan.model import file as model_file
from synthgan.model.file import FORMAT_VERSION, load_model, read_manifest, save_model

SECRET = "Jane Q. Public"
SPECIFICATION = {"trunk.weight": ((3, 2), torch.float32), "trunk.bias": ((3,), torch.float32), "steps": ((), "int64")}
DAMAGED = "damaged, cut short or altered"


def tensors():
    generator = torch.Generator().manual_seed(0)
    return {
        "trunk.weight": torch.randn(3, 2, generator=generator),
        "trunk.bias": torch.randn(3, generator=generator),
        "steps": torch.tensor(7),
    }


def write(path, **changes):
    content = {
        "architecture": "residual-generator",
        "architecture_settings": {"width": 3, "n_blocks": 1},
        "schema": {"columns": [{"name": "Größe", "kind": "integer"}]},
        "codec": {"levels": [SECRET, "b", None], "knots": [0.1, 2**53 + 1, -1.5e-300]},
        "history": [{"step": 50, "marginal_error": 0.25}],
        "tensors": tensors(),
        "details": {"target": None, "n_rows": 1000},
    }
    return save_model(path, **{**content, **changes})


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "m.synthgan")


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def comment_of(path):
    with zipfile.ZipFile(path) as archive:
        return archive.comment


def pack(path, contents, *, comment=None, method=zipfile.ZIP_STORED):
    """A zip of these members in this order, given as pairs where a name repeats."""
    pairs = contents.items() if isinstance(contents, dict) else contents
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as archive:
        warnings.simplefilter("ignore")  # on purpose: two members of one name
        for name, content in pairs:
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
        manifest = dict(pairs).get("manifest.json", b"")
        digest = hashlib.sha256(manifest).hexdigest().encode()
        archive.comment = b"synthgan manifest sha256 " + digest if comment is None else comment
    return path


def forge(path, contents):
    """A file whose checksums fit its members, as someone who means harm would make it."""
    manifest = json.loads(contents["manifest.json"])
    manifest["members"] = {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in contents.items()
        if name != "manifest.json"
    }
    return pack(path, {**contents, "manifest.json": json.dumps(manifest).encode()})


def with_manifest(path, **changes):
    contents = members(path)
    manifest = json.loads(contents["manifest.json"])
    for name, value in changes.items():
        if value is ...:
            del manifest[name]
        else:
            manifest[name] = value
    return pack(path, {**contents, "manifest.json": json.dumps(manifest).encode()})


def refused(path, says=DAMAGED, *, manifest_too=True):
    """Every way of reading refuses the file, in one sentence that names it and repeats nothing from inside."""
    readers = (load_model, read_manifest) if manifest_too else (load_model,)
    for reader in readers:
        with pytest.raises(ModelFileError, match=says) as caught:
            reader(path)
        message = str(caught.value)
        assert str(path) in message
        assert SECRET not in message
        assert "\n" not in message
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
        assert caught.value.exit_code == 5


# --- What comes back -------------------------------------------------------------------------------------------------


def test_everything_comes_back(path):
    loaded = load_model(path)
    assert loaded.schema == {"columns": [{"name": "Größe", "kind": "integer"}]}
    assert loaded.codec == {"levels": [SECRET, "b", None], "knots": [0.1, 2**53 + 1, -1.5e-300]}
    assert loaded.history == [{"step": 50, "marginal_error": 0.25}]
    assert loaded.architecture == "residual-generator"
    assert loaded.architecture_settings == {"width": 3, "n_blocks": 1}
    assert loaded.details == {"target": None, "n_rows": 1000}
    back = loaded.tensors(SPECIFICATION)
    assert list(back) and back.keys() == tensors().keys()
    for name, tensor in tensors().items():
        assert back[name].dtype == tensor.dtype
        assert torch.equal(back[name], tensor)
        back[name].add_(1)  # writable memory of its own


def test_the_manifest_says_what_the_file_is(path):
    from synthgan.version import __version__

    manifest = read_manifest(path)
    assert manifest == load_model(path).manifest
    assert {name: manifest[name] for name in ("format", "format_version", "guarantee", "synthgan_version")} == {
        "format": "synthgan-model",
        "format_version": FORMAT_VERSION,
        "guarantee": "none",
        "synthgan_version": __version__,
    }
    contents = members(path)
    assert list(contents) == ["manifest.json", "codec.json", "history.json", "model.safetensors", "schema.json"]
    for name, declared in manifest["members"].items():
        assert declared == {"size": len(contents[name]), "sha256": hashlib.sha256(contents[name]).hexdigest()}


def test_the_same_model_gives_the_same_bytes(path, tmp_path):
    again = write(tmp_path / "again.synthgan", tensors=dict(reversed(tensors().items())))
    assert again.read_bytes() == path.read_bytes()
    other = write(tmp_path / "other.synthgan", tensors={**tensors(), "steps": torch.tensor(8)})
    assert other.read_bytes() != path.read_bytes()


def test_key_order_survives(tmp_path):
    path = write(tmp_path / "m", codec={"z": 1, "a": 2})
    assert list(load_model(path).codec) == ["z", "a"]


def test_history_is_optional_and_a_table_may_have_nothing_to_generate(tmp_path):
    path = write(tmp_path / "m", history=None, architecture="nothing-to-generate", tensors={})
    loaded = load_model(path)
    assert loaded.history is None
    assert loaded.tensors({}) == {}
    assert "history.json" not in members(path)


def test_views_and_gradients_are_saved_as_plain_tensors(tmp_path):
    weight = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
    path = write(tmp_path / "m", tensors={"w": weight.T})
    assert torch.equal(load_model(path).tensors({"w": ((3, 2), "float32")})["w"], weight.detach().T)


def test_the_manifest_is_read_without_torch(path):
    code = (
        f"import sys; from synthgan.model.file import *; read_manifest({str(path)!r}); load_model({str(path)!r}); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(model_file.__file__).parents[2])},
    )  # fmt: skip
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    "changes",
    [{"architecture": "resnet"}, {"guarantee": "total"}, {"codec": {"x": float("nan")}}, {"codec": {"x": {1, 2}}}],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path, changes):
    with pytest.raises((ValueError, TypeError)):
        write(tmp_path / "m", **changes)
    assert list(tmp_path.iterdir()) == []


# --- Writing ---------------------------------------------------------------------------------------------------------


def test_an_existing_file_is_kept(path):
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        write(path, codec={})
    assert path.read_bytes() == before
    write(path, codec={}, force=True)
    assert load_model(path).codec == {}
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_places_that_cannot_be_written(tmp_path, monkeypatch):
    with pytest.raises(OutputError, match="folder does not exist"):
        write(tmp_path / "none" / "m")
    with pytest.raises(OutputError, match="is a folder"):
        write(tmp_path)

    def forbid(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", forbid)
    with pytest.raises(OutputError, match="no permission"):
        write(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


FILL_THE_DISK = """
import resource, sys
import torch
from synthgan.errors import OutputError
from synthgan.model.file import save_model

resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for path in sys.argv[1:]:
    try:
        save_model(path, architecture="residual-generator", architecture_settings={}, schema={}, codec={},
                   tensors={"w": torch.zeros(100_000)}, force=True)
    except OutputError as error:
        print(error)
"""


def test_a_full_disk_leaves_nothing_or_the_old_file(path):
    pytest.importorskip("resource")
    before = path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(path.with_name("new")), str(path)],
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(model_file.__file__).parents[2])},
    )  # fmt: skip
    assert done.stdout.count("disk or quota is full") == 2
    assert done.stderr == ""
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_a_member_too_large_to_be_read_back_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setitem(model_archive.MEMBERS, "codec.json", 10)
    with pytest.raises(ValueError, match=r"codec\.json"):
        write(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


# --- Files that are no model -----------------------------------------------------------------------------------------


def test_no_file_or_no_ordinary_one(tmp_path):
    refused(tmp_path / "none", "does not exist")
    refused(tmp_path, "not an ordinary file")
    refused(Path("/dev/null"), "not an ordinary file")


def test_a_file_that_may_not_be_read(path, monkeypatch):
    if os.geteuid() == 0:  # root may read anything: say what the system would say to others

        def forbid(*_, **__):
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(Path, "open", forbid)
    else:
        path.chmod(0)
    refused(path, "cannot be read: permission denied")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"hello", "not a synthgan model file"),
        (b"a,b\n1,2\n" * 1000, "not a synthgan model file"),
        (b"PAR1" + bytes(1000), "not a synthgan model file"),
        (pickle.dumps({"weights": [SECRET]}), "looks like a pickle, which synthgan never reads"),
        (b"PK\x03\x04" + bytes(1000), DAMAGED),
    ],
)
def test_other_files(tmp_path, content, says):
    path = tmp_path / "m.synthgan"
    path.write_bytes(content)
    refused(path, says)


def test_torch_files_and_other_zips(tmp_path):
    path = tmp_path / "m.synthgan"
    torch.serialization.save(tensors(), path)  # a zip with a pickle in it
    refused(path, "not a synthgan model file")
    refused(pack(path, {"readme.txt": b"hello"}), "not a synthgan model file")
    refused(pack(path, {}), "not a synthgan model file")
    refused(pack(path, {"manifest.json": b"{}"}), "not a synthgan model file")
    refused(pack(path, {"manifest.json": b'{"format": "other"}'}), "not a synthgan model file")
    refused(pack(path, {f"m{place}": b"" for place in range(1000)}), "not a synthgan model file")


def test_truncated_at_many_lengths(path):
    whole = path.read_bytes()
    for length in [*range(0, len(whole) - 300, 7), *range(len(whole) - 300, len(whole))]:
        path.write_bytes(whole[:length])
        refused(path, "is empty" if not length else f"{DAMAGED}|not a synthgan model file")


def test_every_byte_matters_or_changes_nothing(path):
    """Flip one byte after the other: refused, or (in the zip's unused fields, like dates) read as the same model."""
    whole = bytearray(path.read_bytes())
    reference = load_model(path)
    # Every byte of every member, and the comment with the manifest's checksum.
    meaning = set(range(whole.rfind(b"synthgan manifest sha256"), len(whole)))
    for content in members(path).values():
        meaning |= set(range(whole.find(content), whole.find(content) + len(content)))
    assert len(meaning) > 0.6 * len(whole)
    for place in range(1, len(whole), 3):
        whole[place] ^= 0xFF
        path.write_bytes(whole)
        whole[place] ^= 0xFF
        try:
            loaded = load_model(path)
        except ModelFileError as error:
            assert SECRET not in str(error)
        else:
            assert place not in meaning
            assert loaded == reference


@pytest.mark.parametrize("name", ["manifest.json", "codec.json", "history.json", "model.safetensors", "schema.json"])
def test_each_member_tampered_with(path, name):
    """Changed inside the zip, with the zip's own checksum in order."""
    contents = members(path)
    comment = comment_of(path)
    last = contents[name].rstrip()[-1:]
    pack(path, {**contents, name: contents[name].rstrip()[:-1] + b" " + last}, comment=comment)
    refused(path, manifest_too=True)
    changed = bytearray(contents[name])
    place = len(changed) // 2
    changed[place] = changed[place] ^ 1
    pack(path, {**contents, name: bytes(changed)}, comment=comment)
    refused(path, f"{DAMAGED}|not a synthgan", manifest_too=name == "manifest.json")
    if name != "history.json":
        pack(path, {other: content for other, content in contents.items() if other != name}, comment=comment)
        refused(path, f"{DAMAGED}|not a synthgan")


@pytest.mark.parametrize(
    "name", ["extra.json", "../schema.json", "/etc/passwd", "schema.json/", "c:\\x", "model.pkl", "SCHEMA.JSON"]
)
def test_members_that_do_not_belong(path, name):
    contents = members(path)
    refused(pack(path, {**contents, name: b"{}"}))
    refused(forge(path, {**contents, name: b"{}"}))
    assert not (path.parent / "extra.json").exists()


@pytest.mark.parametrize("name", ["manifest.json", "schema.json"])
def test_a_member_that_is_there_twice(path, name):
    contents = members(path)
    refused(pack(path, [*contents.items(), (name, contents[name])]))


def test_compressed_members_are_no_way_to_a_bomb(path):
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        refused(pack(path, members(write(path, force=True)), method=method))


def test_bytes_between_before_or_behind_the_members(path):
    whole = path.read_bytes()
    for content in (b"MZ" + whole, whole + b"\0"):
        path.write_bytes(content)
        refused(path, f"{DAMAGED}|not a synthgan")
    contents = members(write(path, force=True))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
            archive.fp.write(b"hidden")  # room that no entry owns
            archive.start_dir = archive.fp.tell()
        archive.comment = comment_of(path)
    path.write_bytes(stream.getvalue())
    refused(path)


def test_overlapping_members(path):
    """Two entries that share bytes let a small file unpack to a large one."""
    contents = members(path)
    pack(path, contents)
    content = bytearray(path.read_bytes())
    directory = content.find(b"PK\x01\x02")
    second = content.find(b"PK\x01\x02", directory + 4)
    content[second + 42 : second + 46] = struct.pack("<L", 0)
    path.write_bytes(content)
    refused(path)


def test_sizes_beyond_the_caps(path, monkeypatch):
    monkeypatch.setitem(model_archive.MEMBERS, "codec.json", 10)
    refused(path, r"codec\.json in model file .* larger than the 10 bytes allowed", manifest_too=False)
    monkeypatch.setitem(model_archive.MEMBERS, "manifest.json", 10)
    refused(path, r"manifest\.json in model file .* larger")


def test_a_huge_file_is_refused_before_it_is_read(path):
    with path.open("r+b") as stream:
        stream.truncate(model_archive.LARGEST_FILE + 1)  # sparse: no disk space is used
    refused(path, "larger than any synthgan model file")


def test_a_directory_that_claims_too_much(path):
    content = bytearray(path.read_bytes())
    end = content.rfind(b"PK\x05\x06")
    for place, value in ((10, struct.pack("<H", 60_000)), (12, struct.pack("<L", 2**31))):
        changed = bytearray(content)
        changed[end + place : end + place + len(value)] = value
        path.write_bytes(changed)
        refused(path, "not a synthgan model file")
    path.write_bytes(content[:end] + b"PK\x06\x07" + bytes(16) + content[end:])
    refused(path, "not a synthgan model file")


@pytest.mark.parametrize("version", [2, 99, 10**30])
def test_a_newer_version_asks_for_an_upgrade(path, version):
    refused(with_manifest(path, format_version=version, novelty=[1]), "upgrade synthgan to read it")


@pytest.mark.parametrize("version", [0, -1, "1", None, 1.0, True, ...])
def test_a_version_that_never_was(path, version):
    if version in (1.0, True) and version is not ...:
        version = float(version) + 0.5
    refused(with_manifest(path, format_version=version))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"architecture": {"name": "os.system", "settings": {}}}, "unknown architecture"),
        ({"architecture": {"name": ["residual-generator"], "settings": {}}}, "unknown architecture"),
        ({"guarantee": "epsilon 1"}, "unknown guarantee"),
        ({"guarantee": None}, "unknown guarantee"),
        ({"architecture": {"name": "residual-generator"}}, DAMAGED),
        ({"architecture": {"name": "residual-generator", "settings": []}}, DAMAGED),
        ({"architecture": "residual-generator"}, DAMAGED),
        ({"architecture": ...}, DAMAGED),
        ({"details": []}, DAMAGED),
        ({"members": {}}, DAMAGED),
        ({"members": []}, DAMAGED),
        ({"members": {"schema.json": {"size": 1}}}, DAMAGED),
        ({"members": ...}, DAMAGED),
        ({"unknown": 1}, DAMAGED),
        ({"format": "synthgan-table"}, "not a synthgan model file"),
    ],
)
def test_manifests_that_make_no_sense(path, changes, says):
    refused(with_manifest(path, **changes), says)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"\xff\xfe", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1, "a": 2}', b"[" * 100_000,
        b"[" * 100 + b"]" * 100, b'{"a":' * 70 + b"1" + b"}" * 70, b"1" * 5000, b"null garbage",
    ],
    ids=range(11),
)  # fmt: skip
@pytest.mark.parametrize("name", ["schema.json", "codec.json", "history.json"])
def test_json_that_is_none_or_too_deep(path, name, content):
    refused(forge(path, {**members(path), name: content}), manifest_too=False)
    if name == "schema.json":
        refused(pack(path, {**members(path), "manifest.json": content}))


# --- Tensors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"steps": None}, "0 missing, 1 too many"),
        ({"other": ((1,), "float32")}, "1 missing, 0 too many"),
        ({"trunk.bias": ((4,), "float32")}, r"'trunk.bias' .* shape \[3\] and dtype float32; its network needs \[4\]"),
        ({"trunk.weight": ((2, 3), "float32")}, r"needs \[2, 3\]"),
        ({"trunk.bias": ((3,), torch.float16)}, "needs .* float16"),
        ({"steps": ((), "int32")}, "dtype int64"),
    ],
)
def test_tensors_are_exactly_those_of_the_network(path, changes, says):
    specification = {name: each for name, each in {**SPECIFICATION, **changes}.items() if each is not None}
    with pytest.raises(ModelFileError, match=says) as caught:
        load_model(path).tensors(specification)
    assert str(path) in str(caught.value)


def header_of(entries, content=b""):
    header = json.dumps(entries).encode() if not isinstance(entries, bytes) else entries
    return len(header).to_bytes(8, "little") + header + content


GOOD = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"1234567", (2**63).to_bytes(8, "little") + b"{}", (100).to_bytes(8, "little") + b"{}", header_of(b"[]"),
        header_of(b"nonsense"), header_of({"w": 1}), header_of({"w": {"dtype": "F32"}}),
        header_of(GOOD), header_of(GOOD, bytes(7)), header_of(GOOD, bytes(9)),
        header_of({"w": {**GOOD["w"], "data_offsets": [0, 2**62]}}, bytes(8)),
        header_of({"w": {**GOOD["w"], "data_offsets": [4, 12]}}, bytes(12)),
        header_of({"w": {"dtype": "F32", "shape": [2]}}, bytes(8)),
        header_of({"w": {**GOOD["w"], "shape": [2.0]}}, bytes(8)),
        header_of({"w": {**GOOD["w"], "dtype": "F99"}}, bytes(8)),
        header_of({"w": {**GOOD["w"], "dtype": 3}}, bytes(8)),
        header_of(b"[" * 5000),
    ],
    ids=range(18),
)  # fmt: skip
def test_safetensors_that_are_none(path, content):
    forge(path, {**members(path), "model.safetensors": content})
    with pytest.raises(ModelFileError) as caught:
        load_model(path).tensors({"w": ((2,), "float32")})
    assert str(path) in str(caught.value)
    forge(path, {**members(path), "model.safetensors": header_of(GOOD, bytes(8))})
    assert load_model(path).tensors({"w": ((2,), "float32")})["w"].tolist() == [0.0, 0.0]


def test_weights_that_are_not_finite(tmp_path):
    path = write(tmp_path / "m", tensors={"w": torch.tensor([1.0, float("nan")])})
    with pytest.raises(ModelFileError, match="not finite"):
        load_model(path).tensors({"w": ((2,), "float32")})


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300), st.integers(0, 2**16), st.booleans())
def test_nonsense_never_gets_past_one_sentence(tmp_path_factory, nonsense, place, insert):
    path = tmp_path_factory.getbasetemp() / "nonsense.synthgan"
    whole = write(path, force=True).read_bytes()
    place %= len(whole)
    path.write_bytes(whole[:place] + nonsense + whole[place + (0 if insert else len(nonsense)) :])
    try:
        loaded = load_model(path)
    except ModelFileError as error:
        assert SECRET not in str(error)
    else:
        assert loaded.codec["levels"][0] == SECRET
