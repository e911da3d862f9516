"""Verification of a bundle: each way of tampering is noticed, and named."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from synthgan.errors import BundleError
from synthgan.review import manifest, verify_bundle, write_bundle
from synthgan.review.manifest import differences, read_manifest, write_manifest
from tests.reviewed_models import ReviewedModel, install


@pytest.fixture(scope="module")
def written(
    open_release: ReviewedModel, private_release: ReviewedModel, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("written")
    with pytest.MonkeyPatch.context() as patch:
        install(patch)
        for name, release in (("open", open_release), ("private", private_release)):
            write_bundle(release.model, release.data, folder / name, random_state=1)
    return {name: folder / name for name in ("open", "private")}


@pytest.fixture
def bundle(written: dict[str, Path], tmp_path: Path) -> Path:
    """A private bundle of one's own."""
    shutil.copytree(written["private"], tmp_path / "release")
    return tmp_path / "release"


def problems(path: Path) -> str:
    return "\n".join(verify_bundle(path).problems)


def edit(path: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def listing(files: Any) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def seal(folder: Path) -> None:
    """Write the manifest anew, as somebody does who knows the format."""
    tier = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))["tier"]
    (folder / "MANIFEST.json").unlink()
    write_manifest(folder, tier)


@pytest.mark.parametrize("name", ["open", "private"])
def test_an_untouched_bundle_is_whole(written: dict[str, Path], name: str) -> None:
    found = verify_bundle(written[name])
    assert found.problems == ()
    assert found.is_whole
    assert found.tiers == ("internal", "shareable")
    assert found.n_files == 3 + 7
    assert found.guarantee.startswith("none" if name == "open" else "differential privacy, epsilon 2")
    assert (
        found.manifests["shareable"]
        == hashlib.sha256((written[name] / "shareable" / "MANIFEST.json").read_bytes()).hexdigest()
    )


@pytest.mark.parametrize("tier", ["internal", "shareable"])
def test_one_tier_can_be_checked_alone(written: dict[str, Path], tmp_path: Path, tier: str) -> None:
    shutil.copytree(written["private"] / tier, tmp_path / "given")
    found = verify_bundle(tmp_path / "given")
    assert (found.problems, found.tiers) == ((), (tier,))


@pytest.mark.parametrize(
    "name", ["synthetic.parquet", "synthetic.csv", "report.html", "review.json", "model_card.md", "ledger.json"]
)
@pytest.mark.parametrize("change", ["a byte", "cut", "gone", "a link", "a folder"])
def test_a_changed_file_is_named(bundle: Path, name: str, change: str) -> None:
    path = bundle / "shareable" / name
    content = bytearray(path.read_bytes())
    path.unlink()
    if change == "a byte":
        content[len(content) // 2] ^= 1
        path.write_bytes(bytes(content))
    elif change == "cut":
        path.write_bytes(bytes(content[:-1]))
    elif change == "a link":
        if sys.platform == "win32":
            pytest.skip("links need rights on Windows")
        (bundle.parent / "elsewhere").write_bytes(bytes(content))
        path.symlink_to(bundle.parent / "elsewhere")
    elif change == "a folder":
        path.mkdir()
    says = {"a byte": "another SHA-256", "cut": "bytes, and had", "gone": "is missing", "a link": "link"}
    said = problems(bundle)
    assert f"shareable/: '{name}' {'is missing' if change == 'a folder' else ''}" in said
    assert says.get(change, "is not in the manifest") in said


def test_what_was_added_is_named(bundle: Path) -> None:
    (bundle / "shareable" / "extra.csv").write_text("a,b\n")
    (bundle / "internal" / "deep" / "er").mkdir(parents=True)
    (bundle / "internal" / "deep" / "er" / "x\x1b[31m").touch()
    (bundle / "internal" / "empty").mkdir()
    (bundle / "notes.txt").touch()
    said = problems(bundle)
    assert 'shareable/: "extra.csv" is not in the manifest' in said
    assert 'internal/: "deep/er/x\\u001b[31m" is not in the manifest' in said
    assert 'internal/: "empty/" is not in the manifest' in said
    assert "'notes.txt' does not belong into a bundle" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("tier", ["internal", "shareable"])
def test_a_missing_tier_is_named(bundle: Path, tier: str) -> None:
    shutil.rmtree(bundle / tier)
    assert f"the tier {tier}/ is missing" in problems(bundle)


def drop_last(content: Any) -> None:
    content["files"].pop()


def drop_last_and_sign(content: Any) -> None:
    content["files"].pop()
    content["files_sha256"] = listing(content["files"])


def hide_a_change(content: Any) -> None:
    content["files"][0]["sha256"] = "0" * 64


MANIFEST_EDITS: list[tuple[Callable[[Any], None], str]] = [
    (drop_last, "is no manifest, or was altered"),
    (drop_last_and_sign, "synthetic.parquet"),
    (hide_a_change, "is no manifest, or was altered"),
    (lambda content: content.update(version=2), "newer than this version"),
    (lambda content: content.update(version="1"), "is no manifest"),
    (lambda content: content.update(format="other"), "is no manifest"),
    (lambda content: content.update(tier="internal"), "its manifest is that of the tier internal/"),
    (lambda content: content.update(tier="../internal"), "is no manifest"),
    (lambda content: content.update(more=1), "is no manifest"),
    (lambda content: content.pop("files"), "is no manifest"),
    (lambda content: content.update(files=None), "is no manifest"),
    (lambda content: content["files"].reverse(), "is no manifest"),
    (lambda content: content["files"].append(content["files"][-1]), "is no manifest"),
]


@pytest.mark.parametrize(("change", "says"), MANIFEST_EDITS, ids=[str(i) for i in range(len(MANIFEST_EDITS))])
def test_an_edited_manifest_is_noticed(bundle: Path, change: Callable[[Any], None], says: str) -> None:
    edit(bundle / "shareable" / "MANIFEST.json", change)
    assert says in problems(bundle)


@pytest.mark.parametrize(
    "path",
    [
        *("../secret", "/etc/passwd", "a/../../secret", "./review.json", "a//b", "", ".", "..", "C:\\x", "a\\..\\b"),
        *("~/x", "MANIFEST.json", ".hidden", "a/.b", "x\n", "nul\0", "é", "x" * 101, 3, None, ["a"]),
    ],
    ids=repr,
)
def test_a_manifest_cannot_point_out_of_its_folder(bundle: Path, path: Any) -> None:
    (bundle.parent / "secret").write_text("x")
    digest = hashlib.sha256(b"x").hexdigest()

    def escape(content: Any) -> None:
        content["files"] = [*content["files"], {"path": path, "size": 1, "sha256": digest}]
        content["files"].sort(key=lambda entry: str(entry["path"]))
        content["files_sha256"] = listing(content["files"])

    edit(bundle / "shareable" / "MANIFEST.json", escape)
    with pytest.raises(BundleError, match="no manifest"):
        read_manifest(bundle / "shareable")
    assert "is no manifest" in problems(bundle)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 100_000, '{"format": "x"}']
)
def test_damaged_json_is_no_crash(bundle: Path, text: str) -> None:
    for tier in ("internal", "shareable"):
        (bundle / tier / "MANIFEST.json").write_text(text)
        (bundle / tier / "review.json").write_text(text)
    (bundle / "shareable" / "ledger.json").write_text(text)
    said = problems(bundle)
    assert "MANIFEST.json" in said
    assert "'review.json'" in said


def figure_smuggled_in(content: Any) -> None:
    content["evaluation"] = {"scores": [], "n_rows": {}, "settings": {}, "notes": [], "evidence": {}}


REVIEW_EDITS: list[tuple[Callable[[Any], None], str]] = [
    (lambda content: content.pop("limits"), "$.limits is missing"),
    (lambda content: content.update(tier="internal"), "breaks its schema"),
    (lambda content: content.update(surprise=1), '$["surprise"] should not be there'),
    (lambda content: content.update(gates={"outcome": "pass"}), "$.gates is not of type null"),
    (figure_smuggled_in, "$.evaluation is not of type null"),
    (lambda content: content.update(guarantee="none"), "$.deployment is not of type null"),
    (lambda content: content["synthetic"].update(n_rows=7), "rows, and 'review.json' says 7"),
    (lambda content: content["synthetic"]["columns"].pop(), "has other columns"),
    (lambda content: content["synthetic"].update(files=["synthetic.parquet"]), "synthetic.csv"),
    (lambda content: content["model"].update(guarantee="perfect"), "another guarantee"),
    (
        lambda content: content["deployment"]["privacy_loss"]["privacy_parameters"].update(epsilon=0.1),
        "promise different things",
    ),
    (
        lambda content: content["deployment"]["dp_variant"].update(unprotected_quantities="- nothing"),
        "unprotected_quantities does not have the form",
    ),
]


@pytest.mark.parametrize(("change", "says"), REVIEW_EDITS, ids=[str(i) for i in range(len(REVIEW_EDITS))])
def test_a_false_review_is_noticed_under_a_fresh_manifest(
    bundle: Path, change: Callable[[Any], None], says: str
) -> None:
    edit(bundle / "shareable" / "review.json", change)
    seal(bundle / "shareable")
    assert says in problems(bundle / "shareable")


def test_the_internal_tier_knows_the_manifest_of_the_other(bundle: Path, written: dict[str, Path]) -> None:
    (bundle / "shareable" / "report.html").write_text("all is well")
    seal(bundle / "shareable")
    assert verify_bundle(bundle / "shareable").is_whole
    assert "shareable/ is not the one that internal/ was written with" in problems(bundle)


def test_tiers_of_two_releases_do_not_go_together(bundle: Path, written: dict[str, Path]) -> None:
    shutil.rmtree(bundle / "internal")
    shutil.copytree(written["open"] / "internal", bundle / "internal")
    assert "is not the one that internal/ was written with" in problems(bundle)
    digest = hashlib.sha256((bundle / "shareable" / "MANIFEST.json").read_bytes()).hexdigest()
    edit(bundle / "internal" / "review.json", lambda content: content.update(shareable_manifest_sha256=digest))
    seal(bundle / "internal")
    assert "describe different releases" in problems(bundle)


@pytest.mark.parametrize("lost", ["synthetic", "generator", "version", "guarantee"])
def test_rows_that_do_not_say_what_they_are(bundle: Path, lost: str) -> None:
    path = bundle / "shareable" / "synthetic.parquet"
    table = pq.read_table(path)
    left = {key: text for key, text in table.schema.metadata.items() if key != lost.encode()}
    pq.write_table(table.replace_schema_metadata(left), path)
    seal(bundle / "shareable")
    assert ("another guarantee" if lost == "guarantee" else "that it is synthetic") in problems(bundle / "shareable")


def test_rows_that_are_no_parquet(bundle: Path) -> None:
    (bundle / "shareable" / "synthetic.parquet").write_text("PAR1")
    seal(bundle / "shareable")
    assert "cannot be read as Parquet" in problems(bundle / "shareable")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda content: content["ledger"]["guarantee"].update(epsilon=1.0), "do not rely on its guarantee"),
        (lambda content: content.update(ledger=None), "another guarantee"),
        (lambda content: content.update(guarantee="none", ledger=None), "another guarantee"),
        (lambda content: content.clear(), "no account"),
    ],
    ids=["epsilon", "no ledger", "no guarantee", "empty"],
)
def test_a_false_account_is_noticed(bundle: Path, change: Callable[[Any], None], says: str) -> None:
    edit(bundle / "shareable" / "ledger.json", change)
    seal(bundle / "shareable")
    assert says in problems(bundle / "shareable")


def test_a_file_that_does_not_belong_is_noticed_under_a_fresh_manifest(bundle: Path) -> None:
    pd.DataFrame({"a": [1]}).to_csv(bundle / "shareable" / "real.csv")
    seal(bundle / "shareable")
    assert "'real.csv' is listed and does not belong there" in problems(bundle / "shareable")


def test_what_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no folder"):
        verify_bundle(tmp_path / "nowhere")
    with pytest.raises(BundleError, match="is no review bundle"):
        verify_bundle(tmp_path)
    (tmp_path / "internal").mkdir()
    assert "MANIFEST.json' is missing" in problems(tmp_path)


def test_a_file_that_cannot_be_read(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(13, "no", str(path))

    found = read_manifest(bundle / "shareable")
    monkeypatch.setattr(manifest, "sha256_of", refuse)
    assert differences(bundle / "shareable", found) == [f"'{entry.path}' cannot be read" for entry in found.files]


def test_a_manifest_lists_sorted_paths_sizes_and_hashes(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two.txt").write_bytes(b"22")
    (tmp_path / "one.txt").write_bytes(b"1")
    digest = write_manifest(tmp_path, "internal")
    content = json.loads((tmp_path / "MANIFEST.json").read_text(encoding="utf-8"))
    assert content["files"] == [
        {"path": "b/two.txt", "size": 2, "sha256": hashlib.sha256(b"22").hexdigest()},
        {"path": "one.txt", "size": 1, "sha256": hashlib.sha256(b"1").hexdigest()},
    ]
    assert (content["format"], content["version"], content["tier"]) == ("synthgan-manifest", 1, "internal")
    assert digest == hashlib.sha256((tmp_path / "MANIFEST.json").read_bytes()).hexdigest()
    assert differences(tmp_path, read_manifest(tmp_path)) == []
