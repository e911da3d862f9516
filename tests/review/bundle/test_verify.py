"""Verification of a bundle: each way of tampering is noticed, and named."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from synthgan.errors import BundleError
from synthgan.review import verify_bundle, write_bundle
from synthgan.review.bundle import manifest
from synthgan.review.bundle.document import content_of
from synthgan.review.bundle.environment import environment
from synthgan.review.bundle.json_files import json_text
from synthgan.review.bundle.manifest import differences, read_manifest, write_manifest
from synthgan.review.bundle.written_files import written_files
from synthgan.tables.files.writers import open_writer
from tests.reviewed_models import ReviewedModel, fit_and_save, install


@pytest.fixture(scope="module")
def written(
    open_release: ReviewedModel, private_release: ReviewedModel, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("written")
    with pytest.MonkeyPatch.context() as patch:
        install(patch, page=False)
        for name, release in (("open", open_release), ("private", private_release), ("other", private_release)):
            write_bundle(release.model, release.data, folder / name, random_state=2 if name == "other" else 1)
    return {name: folder / name for name in ("open", "private", "other")}


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
    (lambda content: content["model"].update(guarantee="perfect"), "'model' does not follow from the rest"),
    (
        lambda content: content["deployment"]["privacy_loss"]["privacy_parameters"].update(epsilon=0.1),
        "'deployment' does not follow from the rest",
    ),
    (lambda content: content["ledger"]["guarantee"].update(epsilon=0.1), "do not rely on its guarantee"),
    (lambda content: content["ledger"].clear(), "contradicts itself"),
    (lambda content: content["limits"].pop(), "'limits' does not follow from the rest"),
    (lambda content: content["model"].update(min_count=99), "'report.html' is not what follows"),
    (lambda content: content["environment"].update(synthgan="0.0.1"), "'generator' does not follow"),
    (lambda content: content["environment"]["libraries"].update(torch="9.9"), "'environment.json' is not what follows"),
    (lambda content: content["occasion"].update(purpose="medical decisions"), "'deployment' does not follow"),
    (lambda content: content.update(version=1), "is of version 1"),
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
    shutil.rmtree(bundle / "shareable")
    shutil.copytree(written["other"] / "shareable", bundle / "shareable")
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
        (lambda content: content["ledger"]["guarantee"].update(epsilon=1.0), "'ledger.json' is not what follows"),
        (lambda content: content.update(ledger=None), "'ledger.json' is not what follows"),
        (lambda content: content.update(guarantee="none", ledger=None), "'ledger.json' is not what follows"),
        (lambda content: content.clear(), "'ledger.json' is not what follows"),
    ],
    ids=["epsilon", "no ledger", "no guarantee", "empty"],
)
def test_a_false_account_is_noticed(bundle: Path, change: Callable[[Any], None], says: str) -> None:
    edit(bundle / "shareable" / "ledger.json", change)
    seal(bundle / "shareable")
    assert says in problems(bundle / "shareable")


def reseal(bundle: Path) -> None:
    """Write both manifests anew and the hash that ties them, so that nothing but the content tells."""
    seal(bundle / "shareable")
    digest = hashlib.sha256((bundle / "shareable" / "MANIFEST.json").read_bytes()).hexdigest()
    edit(bundle / "internal" / "review.json", lambda content: content.update(shareable_manifest_sha256=digest))
    path = bundle / "internal" / "review.json"
    path.write_text(json_text(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")
    seal(bundle / "internal")


def replace(text: str, by: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        whole = path.read_text(encoding="utf-8")
        assert text in whole
        path.write_text(whole.replace(text, by, 1), encoding="utf-8")

    return change


def other_rows(path: Path) -> None:
    """As many rows with the same columns and metadata: real ones, say."""
    table = pq.read_table(path)
    place = table.schema.get_field_index("age")
    turned = pc.subtract(100, table.column("age")).cast(table.schema.field("age").type)
    pq.write_table(table.set_column(place, table.schema.field("age"), turned), path)


def csv_from_parquet(folder: Path) -> None:
    (folder / "synthetic.csv").unlink()
    table = pq.read_table(folder / "synthetic.parquet")
    with open_writer(folder / "synthetic.csv", table.schema) as writer:
        writer.write(table)


def flip_the_verdict(path: Path) -> None:
    def change(content: Any) -> None:
        content["gates"].update(outcome="fail", exit_code=10)
        content["gates"]["verdicts"][0].update(outcome="fail")

    edit(path, change)


def better_score(path: Path) -> None:
    edit(path, lambda content: content["evaluation"]["scores"][0].update(value=0.0, interval=[0.0, 0.0]))


SCRIPT = "<script>fetch('https://example.invalid')</script></body>"
TAMPERING: dict[str, tuple[str, str, Callable[[Path], None], str]] = {
    "a script in the report": ("open", "report.html", replace("</body>", SCRIPT), "'report.html' is not what follows"),
    "a report of one's own": ("open", "report.html", lambda path: path.write_text("safe"), "'report.html' is not what"),
    "a better figure in the report": ("open", "report.html", replace("Shape", "Good"), "'report.html' is not what"),
    "a card that claims a guarantee": (
        *("open", "model_card.md", replace("Guarantee: none: nothing", "Guarantee: differential privacy, epsilon 1")),
        "'model_card.md' is not what follows",
    ),
    "another guarantee in the card": (
        *("private", "model_card.md", replace("epsilon 2", "epsilon 0.1"), "'model_card.md' is not what follows"),
    ),
    "a verdict that was flipped": ("open", "review.json", flip_the_verdict, "does not follow from its score"),
    "a score that was improved": ("open", "review.json", better_score, "does not follow from its score"),
    "an account that was edited": (
        *("private", "ledger.json", replace('"epsilon": 2.0', '"epsilon": 0.2'), "'ledger.json' is not what follows"),
    ),
    "another environment": (
        *("private", "environment.json", replace('"synthgan": "', '"synthgan": "9.'), "'environment.json' is not what"),
    ),
    "other rows in the CSV": (
        *("open", "synthetic.csv", replace("red", "blue"), "'synthetic.csv' does not hold the rows"),
    ),
    "more rows in the CSV": (
        *("open", "synthetic.csv", lambda path: path.write_text(path.read_text() + "red,1,2.0,true\n")),
        "'synthetic.csv' does not hold the rows",
    ),
    "other rows in Parquet": ("open", "synthetic.parquet", other_rows, "'synthetic.csv' does not hold the rows"),
}


BOTH = ("report.html", "model_card.md", "review.json")
TAMPERED = [(what, tier) for what, how in TAMPERING.items() for tier in ("shareable", *["internal"] * (how[1] in BOTH))]


@pytest.mark.parametrize(("what", "tier"), TAMPERED)
def test_what_was_changed_is_noticed_under_fresh_hashes(
    written: dict[str, Path], tmp_path: Path, what: str, tier: str
) -> None:
    kind, name, change, says = TAMPERING[what]
    shutil.copytree(written[kind], tmp_path / "release")
    change(tmp_path / "release" / tier / name)
    reseal(tmp_path / "release")
    said = problems(tmp_path / "release")
    assert f"{tier}/: " in said
    assert says in said


def test_the_control_of_fresh_hashes(written: dict[str, Path], tmp_path: Path) -> None:
    """Sealing alone changes nothing: what is noticed above is the change."""
    shutil.copytree(written["open"], tmp_path / "release")
    reseal(tmp_path / "release")
    assert problems(tmp_path / "release") == ""


def test_metadata_that_somebody_added_is_noticed(bundle: Path) -> None:
    path = bundle / "shareable" / "synthetic.parquet"
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"real rows": b"1,2,3"}), path)
    seal(bundle / "shareable")
    assert "metadata that synthgan did not write" in problems(bundle / "shareable")


def test_the_model_tells_rows_that_it_did_not_draw(
    written: dict[str, Path], open_release: ReviewedModel, tmp_path: Path
) -> None:
    """Parquet and CSV exchanged together, hashes and all: only the model can tell."""
    shutil.copytree(written["open"], tmp_path / "release")
    assert verify_bundle(tmp_path / "release", model=open_release.model).problems == ()
    other_rows(tmp_path / "release" / "shareable" / "synthetic.parquet")
    csv_from_parquet(tmp_path / "release" / "shareable")
    reseal(tmp_path / "release")
    assert verify_bundle(tmp_path / "release").is_whole
    (said,) = verify_bundle(tmp_path / "release", model=open_release.model).problems
    frame = pd.read_parquet(written["open"] / "shareable" / "synthetic.parquet")
    changed = int((frame["age"] != 50).sum())
    assert f"{changed} of {len(frame)} rows are not those that the model draws with the stored seed" in said
    assert "a machine of this kind, so another rounding does not explain it" in said


def test_columns_of_every_kind_are_written_again_alike(tmp_path: Path) -> None:
    """CSV from Parquet, and rows drawn again: dates, time zones, durations, missing values, categories."""
    n = 120
    rng = np.random.default_rng(0)
    day = pd.Timestamp("2024-03-01")
    frame = pd.DataFrame(
        {
            "weight": rng.normal(60, 8, n).round(2),
            "day": [(day + pd.Timedelta(days=int(d))).date() for d in rng.integers(0, 90, n)],
            "seen": pd.to_datetime(day) + pd.to_timedelta(rng.integers(0, 10**6, n), unit="s"),
            "zoned": (pd.to_datetime(day) + pd.to_timedelta(rng.integers(0, 999, n), unit="h")).tz_localize("UTC"),
            "seconds": pd.Series(pd.to_datetime(day) + pd.to_timedelta(rng.integers(0, 999, n), unit="h")).astype(
                "datetime64[s]"
            ),
            "lasts": pd.to_timedelta(rng.integers(1, 500, n), unit="min"),
            "maybe": pd.array(np.where(rng.random(n) < 0.2, None, rng.integers(0, 5, n)), dtype="Int64"),
            "kind": pd.Categorical(rng.choice(["a,b", 'c"d', "e"], n)),
            "text": pd.array(np.where(rng.random(n) < 0.2, None, rng.choice(["", "x", "ü y"], n)), dtype="string"),
            "flag": pd.array(np.where(rng.random(n) < 0.2, None, rng.random(n) < 0.5), dtype="boolean"),
        }
    )
    release = fit_and_save(tmp_path, frame, target=None)
    with pytest.MonkeyPatch.context() as patch:
        install(patch, page=False)
        write_bundle(release.model, release.data, tmp_path / "release", random_state=1)
    found = verify_bundle(tmp_path / "release", model=release.model)
    assert found.problems == ()
    assert any("drawn again" in item for item in found.checked)


def test_a_single_column_is_written_again_alike(tmp_path: Path) -> None:
    from synthgan.review.bundle.verify_rows import _same_csv

    table = pa.table({"a": pa.array(["x", None, "", "y"])})
    for name in ("a.parquet", "a.csv", "b.csv"):
        with open_writer(tmp_path / name, table.schema) as writer:
            writer.write(table if name != "b.csv" else table.slice(0, 3))
    assert _same_csv(pq.ParquetFile(tmp_path / "a.parquet"), tmp_path / "a.csv")
    assert not _same_csv(pq.ParquetFile(tmp_path / "a.parquet"), tmp_path / "b.csv")


def test_rows_of_another_kind_of_machine_are_said_to_be_such(
    written: dict[str, Path], open_release: ReviewedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synthgan.review.bundle import verify_rows

    shutil.copytree(written["open"], tmp_path / "release")
    other_rows(tmp_path / "release" / "shareable" / "synthetic.parquet")
    csv_from_parquet(tmp_path / "release" / "shareable")
    reseal(tmp_path / "release")
    here = environment()
    monkeypatch.setattr(
        verify_rows, "environment", lambda: {**here, "platform": {**here["platform"], "arithmetic": "X"}}
    )
    (said,) = verify_bundle(tmp_path / "release", model=open_release.model).problems
    assert f"another kind of machine (arithmetic {here['platform']['arithmetic']}, here X)" in said
    assert "cannot be told here" in said


def test_a_model_of_another_bundle_is_noticed(
    written: dict[str, Path], open_release: ReviewedModel, private_release: ReviewedModel
) -> None:
    assert (
        "the model is not the one of internal/"
        in verify_bundle(written["open"], model=private_release.model).problems[0]
    )
    assert verify_bundle(written["private"], model=private_release.model).is_whole


def test_a_ledger_that_is_not_the_models_is_noticed(
    written: dict[str, Path], private_release: ReviewedModel, open_release: ReviewedModel, tmp_path: Path
) -> None:
    """A private bundle written anew from an open model's words: consistent in itself, and not what the model says."""
    shutil.copytree(written["private"], tmp_path / "release")
    for tier in ("internal", "shareable"):
        path = tmp_path / "release" / tier / "review.json"
        edit(path, lambda content: content["model"].update(min_count=3))
        for name, text in written_files(content_of(json.loads(path.read_text(encoding="utf-8")))).items():
            (path.parent / name).write_bytes(text.encode())
    reseal(tmp_path / "release")
    assert verify_bundle(tmp_path / "release").is_whole
    said = verify_bundle(tmp_path / "release", model=private_release.model).problems
    assert len(said) == 2
    assert all("something else of the model than the model itself: model.min_count" in problem for problem in said)


def test_it_says_what_it_checked_and_what_not(written: dict[str, Path], open_release: ReviewedModel) -> None:
    found = verify_bundle(written["open"])
    assert any("not signed" in item for item in found.unchecked)
    assert any("--model" in item for item in found.unchecked)
    assert not any("drawn again" in item for item in found.checked)
    assert any("synthetic.csv" in item for item in found.checked)
    with_model = verify_bundle(written["open"], model=open_release.model)
    assert any("drawn again" in item for item in with_model.checked)
    assert not any("--model" in item for item in with_model.unchecked)
    alone = verify_bundle(written["open"] / "shareable", model=open_release.model)
    assert alone.is_whole
    assert any("the seed stands in the internal tier" in item for item in alone.unchecked)
    assert not any("drawn again" in item for item in alone.checked)
    assert verify_bundle(written["private"] / "internal").unchecked[2:] != alone.unchecked[2:]


def test_a_report_of_other_versions_names_them(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from synthgan.review.bundle import verify_statements

    here = environment()
    other = {**here, "libraries": {**here["libraries"], "jinja2": "0.1"}}
    monkeypatch.setattr(verify_statements, "environment", lambda: other)
    assert verify_bundle(bundle).is_whole  # the same bytes, whatever wrote them
    (bundle / "internal" / "report.html").write_text("<p>")
    reseal(bundle)
    assert f"other versions wrote it (jinja2 {here['libraries']['jinja2']}, here 0.1)" in problems(bundle)


EARLIER = Path(__file__).resolve().parents[2] / "earlier_files"


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A bundle of a synthgan that drew the pictures of its reports with matplotlib."""
    with ZipFile(EARLIER / "private.bundle.zip") as archive:
        archive.extractall(tmp_path / "earlier")
    return tmp_path / "earlier"


def test_of_an_earlier_report_everything_but_the_pictures_is_compared(earlier: Path, bundle: Path) -> None:
    verified = verify_bundle(earlier)
    assert verified.is_whole
    assert "what the pictures in the report show" in "; ".join(verified.unchecked)
    assert "the report but for its pictures" in "; ".join(verified.checked)
    alone = verify_bundle(earlier / "internal")
    assert alone.is_whole
    assert "what the pictures in the report show" in "; ".join(alone.unchecked)
    of_today = verify_bundle(bundle)
    assert "what the pictures in the report show" not in "; ".join(of_today.unchecked)
    assert "the report but for its pictures" not in "; ".join(of_today.checked)


@pytest.mark.parametrize(
    ("text", "by"),
    [
        ("<h1>", "<h1>Passed: "),
        ('role="img" aria-label="', 'role="img" aria-label="Better: '),
        ('<path d="', '<a href="https://evil.example"><path d="'),
        ('<path d="', '<path onclick="x" d="'),
        ('<path d="', '<foreignObject><p>Passed</p></foreignObject><path d="'),
        ('<path d="', '</svg><p>Passed</p><svg><path d="'),
        ('<path d="', 'Passed<path d="'),
    ],
)
def test_an_earlier_report_is_no_excuse(earlier: Path, text: str, by: str) -> None:
    for tier in ("internal", "shareable"):
        page = earlier / tier / "report.html"
        whole = page.read_text(encoding="utf-8")
        start = 0 if text == "<h1>" else whole.index('<div class="canvas"><svg')
        assert text in whole[start:]
        page.write_text(whole[:start] + whole[start:].replace(text, by, 1), encoding="utf-8")
    reseal(earlier)
    assert problems(earlier).count("'report.html' is not what follows from 'review.json'") == 2


def test_a_report_of_today_is_compared_with_its_pictures(bundle: Path) -> None:
    page = bundle / "internal" / "report.html"
    whole = page.read_text(encoding="utf-8")
    picture = whole.index("</text></svg>")
    page.write_text(f"{whole[:picture]}!{whole[picture:]}", encoding="utf-8")
    reseal(bundle)
    assert "'report.html' is not what follows from 'review.json'" in problems(bundle)


def test_the_parts_that_gates_rest_on_may_leave_the_building() -> None:
    """Whoever gets the rows alone can judge again; nothing else of a score's parts is there."""
    from synthgan.review import gates
    from synthgan.review.bundle.document import PUBLIC_DETAILS

    assert set(PUBLIC_DETAILS) == {*gates._ROW_COUNTS, *gates._REFERENCE_INTERVALS}


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
