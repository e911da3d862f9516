"""Identifiers and free text: formats are kept, values are fresh and unique, nothing is learned."""

from __future__ import annotations

import dataclasses
import re
import string
import uuid
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.errors import ConditionError, DataError, SchemaError, SynthganWarning
from synthgan.tables.columns.fresh_values import Permutation
from synthgan.tables.columns.text import TextEncoder
from synthgan.tables.conditions.predicates import Equals, Missing
from tests.column_fitting import check_round_trip, fit_column

FEW = settings(max_examples=60, deadline=None)


def made(encoder: Any, n_rows: int, n_batches: int = 3, seed: int = 0) -> list[str]:
    decoder = encoder.decoder(np.random.default_rng(seed))
    parts = [decoder.decode(np.zeros(n_rows, dtype=np.int64), None) for _ in range(n_batches)]
    return pa.concat_arrays(parts).to_pylist()


@FEW
@given(size=st.integers(1, 5000), seed=st.integers(0, 1000))
def test_permutations_are_permutations(size: int, seed: int) -> None:
    images = Permutation(size, np.random.default_rng(seed)).apply(np.arange(size))
    np.testing.assert_array_equal(np.sort(images), np.arange(size))


def test_formats_with_fixed_parts() -> None:
    real = [f"PAS{i:04}-{'NB'[i % 2]}" for i in range(500)]
    encoder = fit_column(pa.array(real), "identifier")
    got = made(encoder, 400)
    assert len(set(got)) == 1200
    assert all(re.fullmatch(r"PAS\d{4}-[A-Z]", text) for text in got)


def test_formats_keep_their_shares_and_rare_ones_are_dropped() -> None:
    real = [f"A{i:05}" for i in range(300)] + [f"{i}/x{i:03}" for i in range(100, 200)] + ["unique one"]
    encoder = fit_column(pa.array(real), "identifier")
    got = made(encoder, 1000)
    assert len(set(got)) == 3000
    first = sum(bool(re.fullmatch(r"A\d{5}", text)) for text in got)
    second = sum(bool(re.fullmatch(r"\d{3}/x\d{3}", text)) for text in got)
    assert first + second == 3000
    assert first / 3000 == pytest.approx(0.75, abs=0.03)
    assert encoder.describe()["merged"] == 1


def test_uuids() -> None:
    real = [str(uuid.UUID(int=i * 2**100 + i)) for i in range(50)]
    got = made(fit_column(pa.array(real), "identifier"), 500)
    assert len(set(got)) == 1500
    for text in got:
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert (parsed.version, parsed.variant) == (4, uuid.RFC_4122)


@pytest.mark.parametrize("alphabet", ["0123456789abcdef", string.ascii_uppercase + string.digits, string.ascii_letters])
def test_random_codes(alphabet: str) -> None:
    rng = np.random.default_rng(1)
    real = ["".join(rng.choice(list(alphabet), size=20)) for _ in range(300)]
    got = made(fit_column(pa.array(real), "identifier"), 300)
    assert len(set(got)) == 900
    assert all(set(text) <= set(alphabet) and len(text) == 20 for text in got)
    assert not set(got) & set(real)


def test_identifiers_without_a_common_format_become_numbers() -> None:
    real = ["x" * length for length in range(1, 40)]
    encoder = fit_column(pa.array(real), "identifier")
    assert "no format" in encoder.notices()[0]
    assert made(encoder, 3) == [str(i) for i in range(1, 10)]


def test_a_format_that_runs_out_stays_unique() -> None:
    real = [f"N{i}" for i in range(10)] * 3
    encoder = fit_column(pa.array(real), "identifier")
    with pytest.warns(SynthganWarning, match=r"column 'x'.*has run out of different ones.*end with '~'") as caught:
        got = made(encoder, 2000)
    assert len(caught) == 1
    assert "cannot write as many different ones" in encoder.notices()[0]
    assert len(set(got)) == 6000
    assert all(re.fullmatch(r"N\d(~\d+)?", text) for text in got)


def test_a_format_with_room_says_nothing() -> None:
    encoder = fit_column(pa.array([f"N{i:06}" for i in range(100)]), "identifier")
    assert not encoder.notices()
    assert len(set(made(encoder, 2000))) == 6000


@pytest.mark.parametrize(
    ("first", "count", "arrow_type", "pattern"),
    [
        (1_700_000_000_000_000_000, 10**9, pa.int64(), r"[1-9]\d{18}"),
        (9_200_000_000_000_000_000, 10**15, pa.int64(), r"[1-9]\d{18}"),
        (2**63 - 5000, 5000, pa.int64(), r"9223\d{15}"),
        (2**64 - 5000, 5000, pa.uint64(), r"18446\d{15}"),
        (12_345_678_901_234_567_890, 10**9, pa.uint64(), r"[1-9]\d{19}"),
        (10**21, 10**12, pa.decimal128(25, 0), r"[1-9]\d{21}"),
        (10**29, 10**12, pa.decimal128(38, 0), r"[1-9]\d{29}"),
        (10**17, 10**12, pa.int64(), r"[1-9]\d{17}"),
        (10**40, 10**12, pa.string(), r"\d{41}"),
        (10**18, 10**12, pa.string(), r"\d{19}"),
    ],
)
def test_long_numbers_keep_their_length(first: int, count: int, arrow_type: pa.DataType, pattern: str) -> None:
    numbers = [first + int(step) for step in np.random.default_rng(1).choice(count, 300, replace=False)]
    texts = pa.array([str(number) for number in numbers])
    encoder = fit_column(texts.cast(arrow_type), "identifier")
    got = made(encoder, 2000)
    assert len(set(got)) == 6000
    assert all(re.fullmatch(pattern, str(number)) for number in got)
    assert len(set(got) & set(numbers)) < 60


def test_long_numbers_of_several_lengths_keep_them() -> None:
    real = pa.array([10**8 + 7 * i for i in range(300)] + [10**9 + 7 * i for i in range(100)])
    got = made(fit_column(real, "identifier"), 400)
    assert len(set(got)) == 1200
    assert {len(str(number)) for number in got} == {9, 10}
    assert sum(number >= 10**9 for number in got) / 1200 == pytest.approx(0.25, abs=0.06)


@pytest.mark.parametrize("arrow_type", [pa.int32(), pa.int64(), pa.uint64(), pa.float64(), pa.decimal128(19, 0)])
def test_numbers_count_up(arrow_type: pa.DataType) -> None:
    real = pa.array(range(1, 500)).cast(arrow_type)
    encoder = fit_column(real, "identifier")
    assert made(encoder, 10) == list(range(1, 31))


def test_numbers_of_one_width_keep_it() -> None:
    real = pa.array(np.random.default_rng(2).integers(10**7, 10**8, 400))
    got = made(fit_column(real, "identifier"), 500)
    assert len(set(got)) == 1500
    assert min(got) >= 10**7
    assert max(got) < 10**8
    few = made(fit_column(pa.array(range(10, 100)), "identifier"), 60)
    assert sorted(few[:90]) == list(range(10, 100))
    assert few[90:] == list(range(100, 190))


def test_a_type_that_is_too_small_is_an_error() -> None:
    with pytest.raises(DataError, match="column 'x' is an identifier of type int8"):
        made(fit_column(pa.array(range(50), type=pa.int8()), "identifier"), 100)


def test_missing_identifiers_are_modelled_as_missing_only() -> None:
    real = pa.array([f"K{i:03}" if i % 4 else None for i in range(400)])
    encoder = fit_column(real, "identifier")
    np.testing.assert_allclose(encoder.facts.marginal, [0.75, 0.25])
    codes, positions = encoder.encode(real, np.random.default_rng(0))
    assert positions is None
    decoded = encoder.decoder(np.random.default_rng(0)).decode(codes, None)
    assert decoded.is_null().equals(real.is_null())
    assert len(set(decoded.drop_null().to_pylist())) == 300
    assert encoder.compile(Missing()).allowed.tolist() == [False, True]
    with pytest.raises(ConditionError, match="only missing"):
        encoder.compile(Equals("K001"))


def test_the_same_seed_makes_the_same_identifiers() -> None:
    encoder = fit_column(pa.array([f"Q-{i:06}" for i in range(50)]), "identifier")
    again = type(encoder).from_json(encoder.to_json())
    assert made(encoder, 50, seed=3) == made(again, 50, seed=3)
    assert made(encoder, 50, seed=3) != made(encoder, 50, seed=4)


@pytest.mark.filterwarnings("ignore:column 'x'. a format of its identifiers has run out")
@FEW
@given(values=st.lists(st.text(max_size=6), min_size=1, max_size=80), extra=st.integers(0, 30))
def test_any_text_gives_unique_identifiers(values: list[str], extra: int) -> None:
    encoder = fit_column(pa.array(values + values[:1] * extra), "identifier")
    assert len(set(made(encoder, 40))) == 120


def test_times_cannot_be_identifiers() -> None:
    with pytest.raises(SchemaError, match="identifiers are text or numbers"):
        fit_column(pa.array([1, 2], type=pa.date32()), "identifier")


# --- Free text -------------------------------------------------------------------------------------------------------


def test_text_is_emitted_empty_with_a_notice() -> None:
    array = pa.array(["a long remark", "another one"])
    encoder = fit_column(array, "text")
    assert check_round_trip(encoder, array).null_count == 2
    assert "emitted empty" in encoder.notices()[0]
    assert len(encoder.compile(Missing()).allowed) == 1
    with pytest.raises(ConditionError, match="not learned"):
        encoder.compile(Equals("a long remark"))


def test_text_from_faker() -> None:
    pytest.importorskip("faker")
    encoder = fit_column(pa.array(["Ann", "Bob"]), "text", text="faker:first_name")
    first, again = (encoder.decoder(np.random.default_rng(5)).decode(np.zeros(50, int), None) for _ in range(2))
    assert first.equals(again)
    assert first.null_count == 0
    assert len(first.unique()) > 10
    assert not encoder.notices()
    with pytest.raises(ConditionError, match="not learned"):
        encoder.compile(Missing())


@pytest.mark.parametrize("wish", ["faker:no_such_thing", "faker:", "faker:_factory", "faker:seed_instance"])
def test_unknown_providers_are_refused(wish: str) -> None:
    pytest.importorskip("faker")
    with pytest.raises(SchemaError, match="column 'x'"):
        fit_column(pa.array(["a", "b"]), "text", text=wish)


def test_faker_that_is_not_installed_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "faker", None)
    with pytest.raises(SchemaError, match="pip install 'synthgan\\[faker\\]'"):
        TextEncoder(name="x", arrow_type=pa.string(), text="faker:name").decoder(np.random.default_rng(0))


def test_letters_before_figures_stay_letters_though_all_are_hexadecimal_digits() -> None:
    real = [f"DE{10 + i % 89}{i * 7919 * 10**10:018d}"[:22] for i in range(1, 400)]
    got = made(fit_column(pa.array(real), "identifier"), 300)
    assert all(re.fullmatch(r"DE\d{20}", text) for text in got)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ([f"{i % 9 + 1}.{i:02d}e{'+-'[i % 2]}{i % 7:02d}" for i in range(10, 100)], True),
        ([f"{i % 9 + 1},{100 + i}" for i in range(300)], True),
        ([f"{1 + i % 12:02d}/{1 + i // 12:02d}/2024" for i in range(140)], True),
        ([f"{10 + i % 80}-{10 + i // 80}-{10 + i % 7}" for i in range(300)], False),
        ([f"{i}.{i % 7}.{i % 11}" for i in range(100, 400)], False),
        ([f"{i:06d}" for i in range(300)], False),
    ],
)
def test_text_that_may_be_numbers_is_told_where_nobody_called_it_an_identifier(texts: list[str], told: bool) -> None:
    encoder = fit_column(pa.array(texts), "identifier")
    assert dataclasses.replace(encoder, is_guessed=False).notices() == ()
    said = dataclasses.replace(encoder, is_guessed=True).notices()
    assert ["may be numbers or dates" in sentence for sentence in said] == [True] * told


def test_short_hexadecimal_codes_have_no_other_letters() -> None:
    rng = np.random.default_rng(3)
    codes = [f"{number:08X}" for number in rng.integers(0, 2**32, 400)]
    addresses = [":".join(f"{byte:02x}" for byte in row) for row in rng.integers(0, 256, (400, 6))]
    assert all(re.fullmatch("[0-9A-F]{8}", text) for text in made(fit_column(pa.array(codes), "identifier"), 300))
    form = "[0-9a-f]{2}(:[0-9a-f]{2}){5}"
    assert all(re.fullmatch(form, text) for text in made(fit_column(pa.array(addresses), "identifier"), 300))


@pytest.mark.parametrize("n_with_zero", [0, 3, 200])
def test_a_zero_comes_first_only_where_enough_rows_have_it(n_with_zero: int) -> None:
    rng = np.random.default_rng(4)
    numbers = [*rng.integers(10**9, 10**10, 400), *rng.integers(0, 10**9, n_with_zero)]
    got = made(fit_column(pa.array([f"{number:010d}" for number in numbers]), "identifier"), 1000)
    assert len(set(got)) == 3000
    assert all(re.fullmatch(r"\d{10}", text) for text in got)
    assert any(text.startswith("0") for text in got) == (n_with_zero == 200)
