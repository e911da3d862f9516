"""No number in a model file moves with the size of one row's value."""

from __future__ import annotations

import datetime as dt
import json
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from synthgan import Synthesizer

N_ROWS = 300
RULES = [
    {"rule": "order", "low": "lower", "high": "higher"},
    {"rule": "sum", "total": "total", "parts": ["part", "other_part"]},
]


def planted(large: bool) -> pd.DataFrame:
    """A table with one extreme value in a column of every kind; ``large`` says how extreme, and is all that differs."""
    rng = np.random.default_rng(0)
    words = np.array(["lorem", "ipsum", "dolor", "sit", "amet"])
    table = pd.DataFrame(
        {
            "whole": rng.integers(0, 10**5, N_ROWS),
            "few_values": rng.integers(0, 30, N_ROWS),
            "continuous": rng.normal(size=N_ROWS),
            "cents": rng.lognormal(5, 1, N_ROWS).round(2),
            "exact": [Decimal(int(value)).scaleb(-2) for value in rng.integers(100, 99_999, N_ROWS)],
            "day": [dt.date(2020, 1, 1) + dt.timedelta(days=int(value)) for value in rng.integers(0, 999, N_ROWS)],
            "moment": np.datetime64("2020-01-01T00:00:00") + rng.integers(0, 10**7, N_ROWS),
            "took": rng.integers(0, 10**5, N_ROWS).astype("timedelta64[s]"),
            "code": [f"K{value:06d}" for value in rng.permutation(10**6)[:N_ROWS]],
            "account": rng.permutation(10**6)[:N_ROWS] + 10**6,
            "remark": [" ".join(rng.choice(words, 12)) for _ in range(N_ROWS)],
            "short_remark": [" ".join(rng.choice(words, 4)) + f" {row % 50}" for row in range(N_ROWS)],
            "whole_float": rng.integers(0, 10**5, N_ROWS).astype(float),
            "single_precision": (rng.integers(0, 1_000, N_ROWS) / 4).astype(np.float32),
            "price": rng.integers(1, 40, N_ROWS) - 0.01,
            "odd": rng.choice(np.arange(3, 100, 14), N_ROWS),
            "below": -rng.lognormal(5, 1, N_ROWS).round(1),
            "number": rng.permutation(10**3)[:N_ROWS] + 100,
            "long": [Decimal(10**22 + int(value)).scaleb(-4) for value in rng.integers(0, 10**5, N_ROWS)],
            "noon": np.datetime64("2020-01-01T12:00:00") + rng.integers(0, 999, N_ROWS) * 86_400,
            "group": rng.choice(["a", "b", "c"], N_ROWS),
            "lower": rng.integers(0, 1_000, N_ROWS),
            "part": rng.integers(0, 1_000, N_ROWS),
            "other_part": rng.integers(0, 1_000, N_ROWS),
        }
    )
    table["higher"] = table["lower"] + rng.integers(0, 1_000, N_ROWS)
    size = 10**4 if large else 1
    table.loc[7, "whole"] = 10**7 * size
    table.loc[8, "few_values"] = -(10**6) * size
    table.loc[9, "continuous"] = 1e7 * size
    table.loc[10, "cents"] = 1e7 * size + 0.25
    table.loc[11, "exact"] = Decimal(10**7 * size) + Decimal("0.25")
    table.loc[12, "day"] = dt.date(9999 if large else 3000, 1, 2)
    table.loc[13, "moment"] = np.datetime64("9998-01-02T03:04:05" if large else "3000-01-02T03:04:05")
    table.loc[14, "took"] = np.timedelta64(10**7 * size + 1, "s")
    table.loc[15, "code"] = "K" + "1" * (30 if large else 10)
    table.loc[16, "account"] = 10**9 * size
    table.loc[17, "remark"] = "lorem " * (1_000 if large else 100)
    table.loc[21, "short_remark"] = "dolor " * (10_000 if large else 5)
    table.loc[22, "whole_float"] = 2.0**70 if large else 2.0**21
    table.loc[23, "single_precision"] = 1e30 if large else 1e4
    table.loc[24, "price"] = 1e13 if large else 4_999.99
    table.loc[25, "odd"] = 3 + 14 * 10**3 * size
    table.loc[26, "below"] = -1e300 if large else -1e5
    table.loc[27, "number"] = 10**15 if large else 10**4
    table.loc[28, "long"] = Decimal(10**36 if large else 10**23).scaleb(-4)
    table.loc[29, "noon"] = np.datetime64("9998-01-02T12:00:00" if large else "2030-01-02T12:00:00")
    table.loc[18, "group"] = "z" * (1_000 if large else 20)
    table.loc[19, ["lower", "higher"]] = [10**6 * size, 3 * 10**6 * size + 1]
    table.loc[20, "part"] = 10**6 * size
    table["total"] = table["part"] + table["other_part"]
    return table


def saved(table: pd.DataFrame, path: Path, rules: list[dict[str, Any]]) -> dict[str, bytes]:
    schema = {"columns": {}, "constraints": rules}
    fitted = Synthesizer(schema=schema, max_steps=2, effort="quick", random_state=0, device="cpu", progress="off")
    with zipfile.ZipFile(fitted.fit(table).save(path)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("rules", [[], RULES], ids=["plain", "with rules"])
def test_the_model_file_is_the_same_however_large_one_value_is(tmp_path: Path, rules: list[dict[str, Any]]) -> None:
    moderate = saved(planted(large=False), tmp_path / "moderate.synthgan", rules)
    large = saved(planted(large=True), tmp_path / "large.synthgan", rules)
    assert moderate.keys() == large.keys()
    for name, content in moderate.items():
        if name.endswith(".json"):
            assert json.loads(content) == json.loads(large[name]), name
        assert content == large[name], name


def test_the_table_with_another_shape_of_values_gives_another_file(tmp_path: Path) -> None:
    # So that the test above does not pass because nothing of these columns is stored.
    table = planted(large=False)
    usual = json.loads(saved(table, tmp_path / "usual.synthgan", [])["codec.json"])
    for name in ("whole", "few_values", "continuous", "cents"):
        table[name] = table[name] * 3
    changed = json.loads(saved(table, tmp_path / "changed.synthgan", [])["codec.json"])
    columns = {name: (a, b) for a, b in zip(usual["columns"], changed["columns"], strict=True) for name in [a["name"]]}
    for name in ("whole", "few_values", "continuous", "cents"):
        assert columns[name][0] != columns[name][1]
