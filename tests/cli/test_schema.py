"""``synthgan schema`` end to end, and what it refuses."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import synthgan


@pytest.fixture(scope="module")
def trips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with an order, a sum and a counter, in which every rule is easy to see."""
    n = 300
    index = pd.RangeIndex(n)
    start = pd.Timestamp("2024-03-01") + pd.to_timedelta(index * 7919 % 86_400, unit="s")
    fare, tip = 5.0 + index * 37 % 200 / 4, index * 11 % 20 / 4
    frame = pd.DataFrame(
        {
            "trip id": index + 1000,
            "pickup": start,
            "dropoff": start + pd.to_timedelta(60 + index * 31 % 3000, unit="s"),
            "fare": fare,
            "tip": tip,
            "total": fare + tip,
            "zone [a]": [f"zone {i % 7}" for i in range(n)],
        }
    )
    path = tmp_path_factory.mktemp("trips") / "trips.parquet"
    frame.to_parquet(path)
    return path


def test_kinds_reasons_and_likely_rules_are_shown(cli, trips: Path) -> None:
    outcome = cli("schema", trips)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    kinds = {
        "trip id": "identifier",
        "pickup": "datetime",
        "dropoff": "datetime",
        "fare": "float",
        "zone [a]": "categorical",
    }
    for name, kind in kinds.items():
        (line,) = [line for line in lines if line.startswith(f"{name}  ")]
        assert line.removeprefix(name).split()[0] == kind
    assert "pickup <= dropoff" in outcome.out
    assert "total = fare + tip" in outcome.out
    assert "not in force" in outcome.out
    assert lines[-1] == f"Next: synthgan schema {trips} -o schema.json   (a file to edit)"
    assert "\x1b" not in outcome.out


def test_json_goes_to_standard_output_alone(cli, trips: Path) -> None:
    outcome = cli("schema", trips, "--json")
    assert outcome.code == 0
    found = json.loads(outcome.out)
    assert [column["name"] for column in found["schema"]["columns"]][:2] == ["trip id", "pickup"]
    assert found["schema"].get("constraints", []) == [], "suggestions are never in force by themselves"
    assert all(suggestion["evidence"] for suggestion in found["suggested_constraints"])
    assert len(found["suggested_constraints"]) >= 2


def test_a_written_schema_can_be_read_edited_and_given_back(cli, trips: Path, tmp_path: Path) -> None:
    path = tmp_path / "my schema.json"
    outcome = cli("schema", trips, "-o", path)
    assert outcome.code == 0
    assert outcome.out.splitlines()[-1] == f"Next: synthgan fit {trips} --schema '{path}' -o model.synthgan"
    assert synthgan.read_schema(path)["fare"].kind == "float"

    suggestions = json.loads(cli("schema", trips, "--json").out)["suggested_constraints"]
    edited = json.loads(path.read_text(encoding="utf-8"))
    edited["constraints"] = [suggestion["constraint"] for suggestion in suggestions]
    path.write_text(json.dumps(edited), encoding="utf-8")
    again = cli("schema", trips, "--declared", path, "--json")
    assert again.code == 0, again.err
    assert len(json.loads(again.out)["schema"]["constraints"]) == len(suggestions)


def test_an_existing_schema_is_kept(cli, trips: Path, tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text("precious")
    assert cli("schema", trips, "-o", path).code == 6
    assert path.read_text() == "precious"
    assert cli("schema", trips, "-o", path, "--force").code == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not json", "JSON"),
        ('{"columns": [{"name": "fair", "kind": "float"}]}', "fare"),
        ('{"columns": [{"name": "fare", "kind": "flaot"}]}', "float"),
        ('{"columns": [{"name": "fare", "knd": "float"}]}', "kind"),
        ('{"constraints": [{"rule": "order", "low": "pickup", "high": "dropof"}]}', "dropoff"),
    ],
)
def test_a_declared_schema_with_a_mistake(cli, trips: Path, tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "declared.json"
    path.write_text(text)
    outcome = cli("schema", trips, "--declared", path)
    assert outcome.code == 3, outcome.err
    assert says in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_unusable_data(cli, tmp_path: Path) -> None:
    assert cli("schema", tmp_path / "missing.parquet").code == 3
    assert cli("schema", tmp_path).code == 3
    frame = pd.DataFrame({"mixed": [1, "Grace Hopper", None]})
    outcome = cli("schema", *_written(frame.astype("string"), tmp_path / "ok.parquet"), "--target", "mixd")
    assert outcome.code == 3
    assert "'mixed'" in outcome.err


def _written(frame: pd.DataFrame, path: Path) -> list[Path]:
    frame.to_parquet(path)
    return [path]


def test_a_csv_file_in_another_country_s_writing(cli, tmp_path: Path) -> None:
    path = tmp_path / "umsätze.csv"
    rows = "".join(f"{i % 9},{i % 7}^Köln^-\n" for i in range(40))
    path.write_bytes(("preis^größe^code\n" + rows).encode("latin-1"))
    refused = cli("schema", path, "--separator", "^")
    assert refused.code == 3
    assert "--encoding" in refused.err
    options = ("--encoding", "latin-1", "--separator", "^", "--decimal", ",", "--missing", "-")
    outcome = cli("schema", path, "--json", *options)
    assert outcome.code == 0, outcome.err
    columns = json.loads(outcome.out)["schema"]["columns"]
    assert [column["name"] for column in columns] == ["preis", "größe", "code"]
    assert columns[0]["kind"] == "float"
    assert "missing" in columns[2]["reason"]
    unknown = cli("schema", path, "--encoding", "klingon")
    assert unknown.code == 2
    assert "not known" in unknown.err


@pytest.mark.slow
@pytest.mark.parametrize(("n_columns", "seconds"), [(2_000, 10), (10_000, 60)])
def test_wide_tables_take_seconds(cli, tmp_path: Path, n_columns: int, seconds: float) -> None:
    path = tmp_path / "wide.parquet"
    values = np.random.default_rng(0).integers(0, 50, (300, n_columns))
    pd.DataFrame(values, columns=[f"c{i}" for i in range(n_columns)]).to_parquet(path)
    began = time.process_time()
    outcome = cli("schema", path, "-o", tmp_path / "schema.json")
    assert outcome.code == 0
    assert time.process_time() - began < seconds
    assert f"{n_columns} columns" in outcome.out
