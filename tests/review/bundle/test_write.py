"""The review bundle: what is written, what is withheld, and that nothing is left of a bundle that failed."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import synthgan
from synthgan import DataError, ModelFileError, OutputError, SettingsError
from synthgan.fitting.receipt import split
from synthgan.networks.generator import Generator
from synthgan.review import write_bundle
from synthgan.review.bundle.document import SCHEMA
from synthgan.review.bundle.release import DECISION, Release
from synthgan.review.file_names import is_bundle
from tests.reviewed_models import Outcome, ReviewedModel, StandIn, fit_and_save, install, people


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    return install(monkeypatch)


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def copy_of(release: ReviewedModel, folder: Path, *, receipt: bool = True) -> ReviewedModel:
    shutil.copy(release.model, folder / "model.synthgan")
    if receipt:
        shutil.copy(release.receipt, folder / "model.receipt.json")
    return ReviewedModel(folder / "model.synthgan", release.data)


INTERNAL = {"MANIFEST.json", "review.json", "report.html", "model_card.md"}
SHAREABLE = INTERNAL | {"ledger.json", "environment.json", "synthetic.parquet", "synthetic.csv"}


def test_both_tiers_are_written(parts: StandIn, open_release: ReviewedModel, tmp_path: Path) -> None:
    bundle = write_bundle(open_release.model, open_release.data, tmp_path / "release", random_state=3)
    assert {path.name for path in tmp_path.iterdir()} == {"release"}
    assert names(tmp_path / "release" / "internal") == INTERNAL
    assert names(tmp_path / "release" / "shareable") == SHAREABLE
    assert is_bundle(bundle.path)
    if sys.platform != "win32":
        assert stat.S_IMODE((bundle.path / "internal").stat().st_mode) == 0o700
    for tier in ("internal", "shareable"):
        review = read(bundle.path / tier / "review.json")
        jsonschema.validate(review, SCHEMA)
        assert review["tier"] == tier
        assert review["evaluation"]["scores"][0]["value"] == bundle.scores["shape"].value
        assert review["gates"]["outcome"] == "pass"
        assert review["deployment"] is None


def test_training_and_holdout_are_those_of_the_fit(parts: StandIn, open_release: ReviewedModel, tmp_path: Path) -> None:
    bundle = write_bundle(open_release.model, open_release.data, tmp_path / "release", random_state=3, n_jobs=2)
    training, holdout = split(open_release.data, open_release.receipt)
    assert parts.calls is not None
    (call,) = parts.calls
    assert call["real"].equals(training.to_frame())
    assert call["holdout"].equals(holdout.to_frame())
    assert (call["target"], call["random_state"], call["n_jobs"]) == ("colour", 3, 2)
    assert call["schema"] == synthgan.load(open_release.model).schema_
    review = read(bundle.path / "internal" / "review.json")
    assert review["real"] == {
        "n_training": training.n_rows,
        "n_holdout": holdout.n_rows,
        "checked_by": "receipt",
        "holdout_from": "receipt",
        "table": "people.parquet",
    }
    assert bundle.n_rows == training.n_rows


def test_the_rows_say_that_they_are_synthetic(
    parts: StandIn, open_release: ReviewedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precisions: list[str] = []
    monkeypatch.setattr(Generator, "for_sampling", lambda self, precision: precisions.append(precision) or self)
    write_bundle(open_release.model, open_release.data, tmp_path / "release", random_state=3, n_rows=50)
    shareable = tmp_path / "release" / "shareable"
    metadata = {
        key.decode(): text.decode() for key, text in pq.read_schema(shareable / "synthetic.parquet").metadata.items()
    }
    assert metadata["synthetic"] == "true"
    assert metadata["generator"] == "synthgan"
    assert metadata["version"] == synthgan.__version__
    assert metadata["guarantee"].startswith("none: nothing is proved")
    rows = pd.read_parquet(shareable / "synthetic.parquet")
    pd.testing.assert_frame_equal(rows, synthgan.load(open_release.model).sample(50, random_state=3))
    assert precisions == 2 * [synthgan.load(open_release.model).training_settings_.precision]
    written = pd.read_csv(shareable / "synthetic.csv")
    assert written["age"].tolist() == rows["age"].tolist()
    assert read(shareable / "review.json")["synthetic"]["n_rows"] == 50


def test_no_csv(parts: StandIn, open_release: ReviewedModel, tmp_path: Path) -> None:
    write_bundle(open_release.model, open_release.data, tmp_path / "release", csv=False)
    shareable = tmp_path / "release" / "shareable"
    assert names(shareable) == SHAREABLE - {"synthetic.csv"}
    assert read(shareable / "review.json")["synthetic"]["files"] == ["synthetic.parquet"]


def test_the_open_tier_has_figures_and_no_value_of_the_table(
    parts: StandIn, open_release: ReviewedModel, tmp_path: Path
) -> None:
    write_bundle(open_release.model, open_release.data, tmp_path / "release")
    inside, shared = (read(tmp_path / "release" / tier / "review.json") for tier in ("internal", "shareable"))
    assert inside["evaluation"]["evidence"]["columns"]
    assert inside["evaluation"]["scores"][0]["details"]["secret level"] == 3
    assert shared["evaluation"]["evidence"] == {}
    assert all(score["details"] == {} for score in shared["evaluation"]["scores"])
    for path in (tmp_path / "release" / "shareable").iterdir():
        assert b"secret level" not in path.read_bytes()
    assert "secret level" in (tmp_path / "release" / "internal" / "report.html").read_text(encoding="utf-8")
    assert "Membership AUC" in (tmp_path / "release" / "shareable" / "model_card.md").read_text(encoding="utf-8")


def numbers_in(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for item in value.values():
            yield from numbers_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from numbers_in(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def texts_of(folder: Path) -> str:
    """Everything a tier says, its rows aside: those are what the budget paid for."""
    said = [path.read_text(encoding="utf-8") for path in folder.iterdir() if path.suffix in (".json", ".html", ".md")]
    said.append(str(pq.read_schema(folder / "synthetic.parquet").metadata))
    return "\n".join(said)


def test_a_private_tier_has_no_figure_of_the_scores(
    parts: StandIn, private_release: ReviewedModel, tmp_path: Path
) -> None:
    parts.salt = 30_253.9  # figures that nothing else is likely to have
    bundle = write_bundle(private_release.model, private_release.data, tmp_path / "release", random_state=3)
    inside = read(bundle.path / "internal" / "review.json")
    numbers = [abs(number) for number in [*numbers_in(inside["evaluation"]), *numbers_in(inside["gates"])]]
    found = {f"{number:.6g}": repr(number) for number in numbers}
    telling = {text: whole for text, whole in found.items() if len(text.replace(".", "").lstrip("0")) >= 4}
    assert len(telling) >= 6
    internal, shared = (texts_of_tier(bundle.path / tier) for tier in ("internal", "shareable"))
    for text, whole in telling.items():
        assert whole in internal, text
        assert text not in shared, text
        for digits in (2, 3, 4):  # as people are shown it
            assert not re.search(rf"(?<![\d.]){re.escape(f'{float(text):.{digits}f}')}(?!\d)", shared), text
    for word in ("Shape error", "membership_auc", "shape-below-five", "takes no part"):
        assert word not in shared
        assert word in internal
    review = read(bundle.path / "shareable" / "review.json")
    jsonschema.validate(review, SCHEMA)
    assert review["evaluation"] is review["gates"] is None
    assert not {"real", "random_state", "shareable_manifest_sha256"} & set(review)


def texts_of_tier(folder: Path) -> str:
    return (
        texts_of(folder)
        if folder.name == "shareable"
        else "\n".join(path.read_text(encoding="utf-8") for path in folder.iterdir())
    )


def test_a_private_tier_is_the_same_whatever_the_real_rows_say(
    parts: StandIn, private_release: ReviewedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Non-interference: other scores, other verdicts, other real rows, byte for byte the same tier."""
    from synthgan.review.bundle import write as written

    write_bundle(private_release.model, private_release.data, tmp_path / "a", random_state=3, date="2026-11-30")
    parts.salt, parts.outcome = 12.5, Outcome.FAIL
    original = written.real_rows

    def other_rows(*arguments: Any, **options: Any) -> Any:
        real = original(*arguments, **options)
        return dataclasses.replace(real, training=people(77, seed=9), holdout=None, limits=("Other rows.",))

    monkeypatch.setattr(written, "real_rows", other_rows)
    second = write_bundle(
        private_release.model, private_release.data, tmp_path / "b", random_state=3, date="2026-11-30"
    )
    assert second.verdicts.outcome is Outcome.FAIL
    for name in SHAREABLE:
        first = (tmp_path / "a" / "shareable" / name).read_bytes()
        assert first == (tmp_path / "b" / "shareable" / name).read_bytes(), name
    changed = [
        name
        for name in INTERNAL
        if (tmp_path / "a" / "internal" / name).read_bytes() != (tmp_path / "b" / "internal" / name).read_bytes()
    ]
    assert set(changed) == INTERNAL


def test_the_decision_to_publish_is_unprotected(parts: StandIn, private_release: ReviewedModel, tmp_path: Path) -> None:
    write_bundle(private_release.model, private_release.data, tmp_path / "release")
    shareable = tmp_path / "release" / "shareable"
    record = read(shareable / "review.json")["deployment"]
    assert DECISION in record["dp_variant"]["unprotected_quantities"]
    assert "names, order and types of the columns" in record["dp_variant"]["unprotected_quantities"]
    for name in ("report.html", "model_card.md"):
        assert "the decision to publish" in (shareable / name).read_text(encoding="utf-8")
    assert read(shareable / "ledger.json")["ledger"] == synthgan.load(private_release.model).ledger_.to_json()


def test_the_record_has_the_fields_of_the_registry(
    parts: StandIn, private_release: ReviewedModel, tmp_path: Path
) -> None:
    write_bundle(private_release.model, private_release.data, tmp_path / "release")
    record = read(tmp_path / "release" / "shareable" / "review.json")["deployment"]
    template = {
        "basic": "name data_curators description intended_use data_product_type data_product_region "
        "data_product_sector publication_date",
        "dp_variant": "variant_name data_domain unprotected_quantities",
        "privacy_loss": "privacy_unit privacy_unit_details number_of_privacy_units privacy_parameters "
        "privacy_parameters_details",
        "deployment_model": "model_name model_name_details trust_assumptions actors release_type release_type_details "
        "data_source_type data_source_type_details access_type access_type_details",
        "implementation": "preprocessing_and_hyperparameter_tuning mechanisms composition post_processing "
        "justification utility additional_information",
        "administrative": "evidence_sources status registry_authors tier",
    }
    assert {part: list(fields) for part, fields in record.items()} == {
        part: fields.split() for part, fields in template.items()
    }
    assert record["privacy_loss"]["privacy_parameters"] == {"epsilon": 2.0, "delta": 1e-5}
    assert record["privacy_loss"]["privacy_unit"] == "Row"
    assert "Door 1 (column statistics): discrete Gaussian" in record["implementation"]["mechanisms"]
    assert "Renyi filter" in record["implementation"]["composition"]


def test_the_noisy_count_is_the_default_of_a_private_release(
    parts: StandIn, private_release: ReviewedModel, tmp_path: Path
) -> None:
    bundle = write_bundle(private_release.model, private_release.data, tmp_path / "release")
    assert bundle.is_private
    assert bundle.n_rows == round(synthgan.load(private_release.model).n_rows_)


def test_provenance_says_where_facts_came_from(private_release: ReviewedModel, open_release: ReviewedModel) -> None:
    private = {(fact["column"], fact["what"]): fact["source"] for fact in Release.of(private_release.model).provenance}
    assert private["colour", "levels"] == private["age", "bounds"] == "declared"
    assert "inferred-exact" not in private.values()
    found = {(fact["column"], fact["what"]): fact["source"] for fact in Release.of(open_release.model).provenance}
    assert set(found.values()) == {"inferred-exact"}
    assert {column for column, _ in found} == set(people().columns)


def test_equal_inputs_give_equal_bundles(parts: StandIn, open_release: ReviewedModel, tmp_path: Path) -> None:
    digests = [
        write_bundle(
            open_release.model, open_release.data, tmp_path / name, random_state=3, date="2026-11-30"
        ).manifest_sha256
        for name in ("a", "b")
    ]
    assert digests[0] == digests[1]
    for name in ("internal/MANIFEST.json", "shareable/MANIFEST.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    fresh = write_bundle(open_release.model, open_release.data, tmp_path / "c")
    assert fresh.manifest_sha256 != digests[0]


def test_what_the_reviewer_says_stands_in_both_tiers(
    parts: StandIn, private_release: ReviewedModel, tmp_path: Path
) -> None:
    said = {"title": "Claims <2025>", "purpose": "Tests of\nthe new system", "date": "2026-11-30"}
    write_bundle(private_release.model, private_release.data, tmp_path / "release", **said)
    for tier in ("internal", "shareable"):
        review = read(tmp_path / "release" / tier / "review.json")
        assert review["occasion"] == {**said, "purpose": "Tests of the new system"}
        assert review["deployment"]["basic"]["name"] == "Claims <2025>"
        assert review["deployment"]["basic"]["intended_use"] == "Tests of the new system"
        card = (tmp_path / "release" / tier / "model_card.md").read_text(encoding="utf-8")
        assert "Stated purpose: Tests of the new system" in card


def test_the_name_of_the_file_stays_inside(parts: StandIn, open_release: ReviewedModel, tmp_path: Path) -> None:
    write_bundle(open_release.model, open_release.data, tmp_path / "release")
    assert open_release.data.name in texts_of_tier(tmp_path / "release" / "internal")
    assert open_release.data.name not in texts_of(tmp_path / "release" / "shareable")


def test_what_is_known_of_copies_is_said_and_no_more(
    parts: StandIn, open_release: ReviewedModel, private_release: ReviewedModel, tmp_path: Path
) -> None:
    """That no row is anybody's was never shown: the stand-in counts no copies, and a private tier may not tell."""
    for name, release, told in (
        ("open", open_release, "how many do was not counted"),
        ("private", private_release, "how many do is not told here"),
    ):
        write_bundle(release.model, release.data, tmp_path / name)
        limits = read(tmp_path / name / "shareable" / "review.json")["limits"]
        assert any(told in limit for limit in limits)
        assert not any("record of a person" in limit for limit in limits)


def test_nothing_names_the_machine(parts: StandIn, open_release: ReviewedModel, tmp_path: Path) -> None:
    import getpass
    import platform

    write_bundle(open_release.model, open_release.data, tmp_path / "release")
    environment = read(tmp_path / "release" / "shareable" / "environment.json")
    assert environment["libraries"]["numpy"] == np.__version__
    assert environment["python"]["version"] == platform.python_version()
    for path in (tmp_path / "release").rglob("*"):
        if path.suffix in (".json", ".html", ".md"):
            text = path.read_text(encoding="utf-8")
            for hint in (str(tmp_path), str(open_release.data), sys.prefix, platform.release()):
                assert hint not in text, (path, hint)
            assert not platform.node() or not re.search(rf"\b{re.escape(platform.node())}\b", text)
            assert not re.search(rf"/{re.escape(getpass.getuser())}\b", text)


# --- which table, which holdout --------------------------------------------------------------------------------------


def test_another_table_is_refused(parts: StandIn, open_release: ReviewedModel, tmp_path: Path) -> None:
    other = people()
    other.loc[17, "age"] += 1
    with pytest.raises(DataError, match="is not the table of this receipt"):
        write_bundle(open_release.model, other, tmp_path / "release")
    assert not list(tmp_path.iterdir())
    assert parts.calls is None


@pytest.mark.parametrize(
    ("of", "version", "edited"),
    [
        ("open_release", 1, {"holdout": 0.9}),
        ("open_release", 1, {"n_training": 400, "n_holdout": 0}),
        ("open_release", 2, {"holdout": 0.9}),
        ("open_release", 2, {"unit": "colour"}),
        ("private_release", 1, {"holdout": 0.9}),
        ("private_release", 1, {"unit": "colour"}),  # which the model's ledger tells
        ("private_release", 2, {"unit": "colour"}),
    ],
)
def test_an_edited_receipt_is_refused(
    parts: StandIn, of: str, version: int, edited: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    release = copy_of(request.getfixturevalue(of), tmp_path)
    values = read(release.receipt) | edited | {"version": version}
    if version == 1:  # which has neither, and states numbers only
        del values["seal"], values["sides"]
    release.receipt.write_text(json.dumps(values))
    with pytest.raises(ModelFileError, match=r"was edited"):
        write_bundle(release.model, release.data, tmp_path / "release")
    assert not (tmp_path / "release").exists()
    assert parts.calls is None


def test_a_private_model_needs_its_receipt(parts: StandIn, private_release: ReviewedModel, tmp_path: Path) -> None:
    release = copy_of(private_release, tmp_path, receipt=False)
    with pytest.raises(ModelFileError, match="there is no receipt"):
        write_bundle(release.model, release.data, tmp_path / "release")


def test_a_receipt_of_another_model_is_refused(
    parts: StandIn, open_release: ReviewedModel, private_release: ReviewedModel, tmp_path: Path
) -> None:
    release = copy_of(open_release, tmp_path, receipt=False)
    shutil.copy(private_release.receipt, tmp_path / "model.receipt.json")
    with pytest.raises(ModelFileError, match="belongs to another model"):
        write_bundle(release.model, release.data, tmp_path / "release")


def test_a_second_holdout_is_refused(parts: StandIn, open_release: ReviewedModel, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--holdout"):
        write_bundle(open_release.model, open_release.data, tmp_path / "release", holdout=people(50, seed=1))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> ReviewedModel:
    """A model without guarantee, holdout and receipt."""
    return fit_and_save(tmp_path_factory.mktemp("plain"), people())


def test_without_a_receipt_the_limits_say_so(parts: StandIn, plain: ReviewedModel, tmp_path: Path) -> None:
    assert not plain.receipt.exists()
    write_bundle(plain.model, plain.data, tmp_path / "release")
    review = read(tmp_path / "release" / "internal" / "review.json")
    counts = {"n_training": 400, "n_holdout": 0, "table": "people.parquet"}
    assert review["real"] == {**counts, "checked_by": "shape", "holdout_from": "none"}
    assert any("no noise floor" in limit for limit in review["limits"])
    assert any("No receipt" in limit for limit in review["limits"])


def test_a_holdout_can_be_given(parts: StandIn, plain: ReviewedModel, tmp_path: Path) -> None:
    fresh = people(60, seed=1)
    write_bundle(plain.model, people(), tmp_path / "release", holdout=fresh)
    assert parts.calls is not None
    assert parts.calls[0]["holdout"].equals(fresh)
    review = read(tmp_path / "release" / "internal" / "review.json")
    assert (review["real"]["n_holdout"], review["real"]["holdout_from"]) == (60, "given")
    assert any("the word of the one" in limit for limit in review["limits"])
    assert not any("no noise floor" in limit for limit in review["limits"])


@pytest.mark.parametrize(
    "other", [people(399), people().drop(columns="age"), people().rename(columns={"age": "years"})], ids=str
)
def test_a_table_of_another_shape_is_refused(
    parts: StandIn, plain: ReviewedModel, tmp_path: Path, other: pd.DataFrame
) -> None:
    with pytest.raises(DataError, match="is not the table of this model"):
        write_bundle(plain.model, other, tmp_path / "release")


# --- arguments, outputs, failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"n_rows": 0}, "n_rows"),
        ({"n_rows": True}, "n_rows"),
        ({"random_state": -1}, "random_state"),
        ({"target": "color"}, "did you mean 'colour'"),
        ({"title": "  "}, "title must be a text"),
        ({"purpose": "x" * 501}, "purpose must be a text"),
        ({"date": "30.11.2026"}, "date must be a day"),
    ],
)
def test_arguments_out_of_range(
    parts: StandIn, open_release: ReviewedModel, tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        write_bundle(open_release.model, open_release.data, tmp_path / "release", **options)
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_kept(parts: StandIn, open_release: ReviewedModel, tmp_path: Path) -> None:
    output = tmp_path / "release"
    (output / "internal").mkdir(parents=True)
    (output / "internal" / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match="--force"):
        write_bundle(open_release.model, open_release.data, output)
    with pytest.raises(OutputError, match="other files"):
        write_bundle(open_release.model, open_release.data, output, force=True)
    assert names(output) == {"internal/thesis.txt"}
    with pytest.raises(OutputError, match="not a folder"):
        write_bundle(open_release.model, open_release.data, output / "internal" / "thesis.txt", force=True)
    with pytest.raises(OutputError, match="create it first"):
        write_bundle(open_release.model, open_release.data, tmp_path / "no" / "release")


def test_a_bundle_is_replaced_with_force(parts: StandIn, open_release: ReviewedModel, tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()  # an empty folder is in nobody's way
    write_bundle(open_release.model, open_release.data, tmp_path / "release", n_rows=20)
    with pytest.raises(OutputError, match="--force"):
        write_bundle(open_release.model, open_release.data, tmp_path / "release", n_rows=30)
    write_bundle(open_release.model, open_release.data, tmp_path / "release", n_rows=40, csv=False, force=True)
    assert read(tmp_path / "release" / "shareable" / "review.json")["synthetic"]["n_rows"] == 40
    assert names(tmp_path / "release" / "shareable") == SHAREABLE - {"synthetic.csv"}
    assert {path.name for path in tmp_path.iterdir()} == {"release"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), DataError("no"), OSError(28, "full")], ids=repr)
@pytest.mark.parametrize("which", ["open_release", "private_release"])
def test_nothing_is_left_of_a_bundle_that_failed(
    parts: StandIn, request: pytest.FixtureRequest, tmp_path: Path, error: BaseException, which: str
) -> None:
    release: ReviewedModel = request.getfixturevalue(which)
    parts.fails_with = error
    with pytest.raises(type(error)):
        write_bundle(release.model, release.data, tmp_path / "release")
    assert not list(tmp_path.iterdir())


def test_a_failed_bundle_leaves_the_earlier_one(parts: StandIn, open_release: ReviewedModel, tmp_path: Path) -> None:
    first = write_bundle(open_release.model, open_release.data, tmp_path / "release")
    parts.fails_with = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        write_bundle(open_release.model, open_release.data, tmp_path / "release", force=True)
    from synthgan.review import verify_bundle

    found = verify_bundle(tmp_path / "release")
    assert found.problems == ()
    assert found.manifests["shareable"] == first.manifest_sha256
    assert {path.name for path in tmp_path.iterdir()} == {"release"}


def test_failed_gates_do_not_stop_the_bundle(parts: StandIn, open_release: ReviewedModel, tmp_path: Path) -> None:
    parts.outcome = Outcome.FAIL
    bundle = write_bundle(open_release.model, open_release.data, tmp_path / "release")
    assert bundle.verdicts.exit_code == 10
    assert read(tmp_path / "release" / "internal" / "review.json")["gates"]["outcome"] == "fail"


def test_a_column_that_the_model_drops_is_not_compared(parts: StandIn, tmp_path: Path) -> None:
    frame = people(200).assign(note=[f"row {i} says {i}" for i in range(200)])
    schema = {"columns": {"note": {"kind": "text", "text": "drop"}}}
    release = fit_and_save(tmp_path, frame, schema=schema)
    write_bundle(release.model, release.data, tmp_path / "release")
    assert parts.calls is not None
    assert list(parts.calls[0]["real"].columns) == list(people().columns)
