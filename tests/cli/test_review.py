"""``synthgan review``: the bundle by command, its exit codes, and verification."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.reviewed_models import Outcome, ReviewedModel, StandIn, install, people


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    return install(monkeypatch)


@pytest.mark.parametrize(("outcome", "code"), [(Outcome.PASS, 0), (Outcome.FAIL, 10), (Outcome.INCONCLUSIVE, 11)])
def test_the_exit_code_is_that_of_the_gates(
    cli, parts: StandIn, open_release: ReviewedModel, tmp_path: Path, outcome: Outcome, code: int
) -> None:
    parts.outcome = outcome
    output = tmp_path / "release"
    done = cli("review", open_release.model, "--data", open_release.data, "-o", output, "--seed", 5, "-n", 30)
    assert (done.code, done.err) == (code, "")
    text = re.sub(r"\s+", " ", done.out)
    assert f"shape-below-five {outcome.value} the score," in text
    assert "Reviewed 30 synthetic rows in " in text
    words = {Outcome.PASS: "1 passed", Outcome.FAIL: "1 failed", Outcome.INCONCLUSIVE: "1 inconclusive"}
    assert re.search(rf"the gates say {outcome.value}, with [^.]*\b{words[outcome]}\b", text)
    assert f"{output / 'internal'} (scores on real rows: keep it with the table, never publish it)" in text
    assert done.out.endswith(f"Next: synthgan review --verify {output}\n")
    assert json.loads((output / "internal" / "review.json").read_text(encoding="utf-8"))["random_state"] == 5
    (digest,) = re.findall(r"[0-9a-f]{64}", done.out)

    verified = cli("review", "--verify", output)
    assert (verified.code, verified.err) == (0, "")
    assert "is whole: 10 files are as their manifests say" in verified.out
    assert digest in verified.out
    assert "none: nothing is proved" in verified.out
    checked, unchecked = verified.out.split("NOT checked:")
    assert "Checked:\n  - size and SHA-256" in checked
    assert "not signed" in unchecked
    assert "--model FILE" in unchecked

    with_model = cli("review", "--verify", output, "--model", open_release.model)
    assert (with_model.code, with_model.err) == (0, "")
    assert "drawn again from the model" in with_model.out


def test_options_reach_the_review(cli, parts: StandIn, tmp_path: Path, private_release: ReviewedModel) -> None:
    policy = tmp_path / "policy.toml"
    policy.touch()
    done = cli(
        *("review", private_release.model, "--data", private_release.data, "-o", tmp_path / "release"),
        *("--target", "age", "--policy", policy, "--jobs", 2, "--no-csv", "--secret", "age", "--secret", "sex"),
    )
    assert done.code == 0, done.err
    assert (parts.calls[0]["target"], parts.calls[0]["n_jobs"]) == ("age", 2)
    assert parts.calls[0]["secrets"] == ("age", "sex")
    assert not (tmp_path / "release" / "shareable" / "synthetic.csv").exists()
    assert "no figure from real rows" in done.out
    again = ("review", private_release.model, "--data", private_release.data, "-o", tmp_path / "release")
    assert cli(*again).code == 6
    assert cli(*again, "--force").code == 0


def test_a_wrong_table_is_one_sentence(cli, parts: StandIn, tmp_path: Path, open_release: ReviewedModel) -> None:
    people(400, seed=1).to_parquet(tmp_path / "other.parquet")
    done = cli("review", open_release.model, "--data", tmp_path / "other.parquet", "-o", tmp_path / "release")
    assert (done.code, done.out) == (3, "")
    assert len(done.err.splitlines()) == 1
    assert "is not the table of this receipt" in done.err
    assert not (tmp_path / "release").exists()


def test_several_files_are_one_table(cli, parts: StandIn, tmp_path: Path, open_release: ReviewedModel) -> None:
    frame = people()
    frame.iloc[:150].to_parquet(tmp_path / "a.parquet")
    frame.iloc[150:].to_parquet(tmp_path / "b.parquet")
    words = ["--data", tmp_path / "a.parquet", "--data", tmp_path / "b.parquet", "-o", tmp_path / "release"]
    assert cli("review", open_release.model, *words).code == 0


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ([], 2, "--verify FOLDER"),
        (["MODEL", "-o", "OUT"], 2, "--data"),
        (["MODEL", "--data", "DATA"], 2, "-o FOLDER"),
        (["--data", "DATA", "-o", "OUT"], 2, "name the model"),
        (["--verify", "OUT", "--force"], 2, "no other option"),
        (["MODEL", "--verify", "OUT"], 2, "no other option"),
        (["MODEL", "--data", "DATA", "-o", "OUT", "--model", "MODEL"], 2, "goes with --verify"),
        (["MODEL", "--data", "DATA", "-o", "OUT", "--date", "1.2.2026"], 2, "date must be a day"),
        (["MODEL", "--data", "DATA", "-o", "OUT", "-n", "0"], 2, "'-n' / '--rows'"),
        (["MODEL", "--data", "nowhere.parquet", "-o", "OUT"], 3, "does not exist"),
        (["nothing.synthgan", "--data", "DATA", "-o", "OUT"], 5, "does not exist"),
        (["MODEL", "--data", "DATA", "--holdout", "DATA", "-o", "OUT"], 2, "--holdout"),
        (["MODEL", "--data", "DATA", "-o", "no/OUT"], 6, "create it first"),
        (["--verify", "OUT"], 5, "there is no folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_refusals(
    cli,
    parts: StandIn,
    tmp_path: Path,
    open_release: ReviewedModel,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"MODEL": open_release.model, "DATA": open_release.data}
    done = cli("review", *(places.get(word, word) for word in words))
    assert done.code == code, done.err
    assert says in re.sub(r"\s+", " ", done.err)
    assert done.out == ""
    assert not list(tmp_path.iterdir())


def test_what_differs_is_listed(cli, parts: StandIn, tmp_path: Path, open_release: ReviewedModel) -> None:
    output = tmp_path / "release"
    assert cli("review", open_release.model, "--data", open_release.data, "-o", output).code == 0
    (output / "shareable" / "model_card.md").unlink()
    (output / "internal" / "report.html").write_text("<p>all is well</p>")
    done = cli("review", "--verify", output)
    assert done.code == 5
    assert done.out.splitlines()[-1] == "shareable/: 'model_card.md' is missing"
    assert "internal/: 'report.html' has" in done.out
    assert done.err.startswith(f"Error: '{output}' is not what was written (2 differences")
    assert "Traceback" not in done.err


def test_a_forgery_under_fresh_hashes_is_an_error(
    cli, parts: StandIn, tmp_path: Path, open_release: ReviewedModel
) -> None:
    from synthgan.review.bundle.manifest import write_manifest

    output = tmp_path / "release"
    assert cli("review", open_release.model, "--data", open_release.data, "-o", output).code == 0
    shutil.rmtree(output / "internal")
    (output / "shareable" / "report.html").write_text("<script>alert('all is well')</script>")
    (output / "shareable" / "MANIFEST.json").unlink()
    write_manifest(output / "shareable", "shareable")
    done = cli("review", "--verify", output / "shareable")
    assert done.code == 5
    assert "'report.html' is not what follows from 'review.json'" in done.out
    assert "Checked:" not in done.out


def test_the_shareable_tier_alone(cli, parts: StandIn, tmp_path: Path, private_release: ReviewedModel) -> None:
    output = tmp_path / "release"
    assert cli("review", private_release.model, "--data", private_release.data, "-o", output).code == 0
    shutil.copytree(output / "shareable", tmp_path / "given")
    done = cli("review", "--verify", tmp_path / "given")
    assert done.code == 0, done.err
    assert "differential privacy, epsilon 2" in done.out


def test_a_report_and_gates_of_an_evaluation(cli, parts: StandIn, tmp_path: Path) -> None:
    for number, name in enumerate(("real", "synthetic")):
        people(60, seed=number).to_parquet(tmp_path / f"{name}.parquet")
    tables = [tmp_path / "real.parquet", tmp_path / "synthetic.parquet"]
    parts.outcome = Outcome.INCONCLUSIVE
    page = tmp_path / "report.html"
    done = cli("evaluate", *tables, "-o", page, "--policy", tmp_path / "policy.toml")
    assert (done.code, done.err) == (11, "")
    assert "shape-below-five" in done.out
    assert "the gates say inconclusive" in done.out
    text = page.read_text(encoding="utf-8")
    assert "Shape error" in text
    assert "shape-below-five" in text
    assert cli("evaluate", *tables, "-o", page).code == 6

    done = cli("evaluate", *tables, "-o", page, "--force")
    assert done.code == 0
    assert "shape-below-five" not in page.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("which", ["open_release", "private_release"])
def test_the_whole_way_without_stand_ins(cli, request: pytest.FixtureRequest, tmp_path: Path, which: str) -> None:
    pytest.importorskip("synthgan.review.gates")
    pytest.importorskip("synthgan.review.report.page")
    release: ReviewedModel = request.getfixturevalue(which)
    output = tmp_path / "release"
    done = cli("review", release.model, "--data", release.data, "-o", output, "--seed", 5)
    assert done.code in (10, 11), "ten steps on 300 rows prove nothing"
    assert done.err == ""
    verified = cli("review", "--verify", output)
    assert verified.code == 0, verified.out
    inside = json.loads((output / "internal" / "review.json").read_text(encoding="utf-8"))
    labels = [score["label"] for score in inside["evaluation"]["scores"]]
    page = (output / "shareable" / "report.html").read_text(encoding="utf-8")
    assert len(labels) > 10
    assert all((label in page) == (which == "open_release") for label in labels)


def test_jobs_below_one_are_a_mistake_on_the_command_line(cli, tmp_path: Path) -> None:
    done = cli("review", "model", "--data", "data.parquet", "-o", tmp_path / "release", "--jobs", 0)
    assert done.code == 2
    assert "'--jobs': 0 is not in the range x>=1" in done.err
