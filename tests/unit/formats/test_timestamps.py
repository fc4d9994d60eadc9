from __future__ import annotations

import decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whispercore.errors import InvalidOption
from whispercore.formats.timestamps import milliseconds, seconds, stamp


@pytest.mark.parametrize(
    ("time_s", "ms"),
    [
        (0.0, 0),
        (-0.0, 0),
        (-3.5, 0),
        (0.0005, 1),
        (0.00049, 0),
        (1.0005, 1001),
        (1.0015, 1002),
        (259.0395, 259_040),
        (0.1 + 0.2, 300),
        (59.9995, 60_000),
        (1e-320, 0),
        (7, 7000),
    ],
)
def test_the_written_decimal_is_rounded(time_s: float, ms: int) -> None:
    assert milliseconds(time_s) == ms


def test_rounding_does_not_depend_on_the_callers_decimal_context() -> None:
    with decimal.localcontext() as context:
        context.prec = 2
        assert milliseconds(123_456.789) == 123_456_789


@pytest.mark.parametrize("time_s", [float("nan"), float("inf"), float("-inf")])
def test_times_are_finite(time_s: float) -> None:
    with pytest.raises(ValueError, match=r"nan|inf"):
        milliseconds(time_s)


@pytest.mark.parametrize(
    ("ms", "written"),
    [
        (0, "00:00:00,000"),
        (59_999, "00:00:59,999"),
        (60_000, "00:01:00,000"),
        (3_599_999, "00:59:59,999"),
        (359_999_999, "99:59:59,999"),
        (360_000_000, "100:00:00,000"),
    ],
)
def test_stamps(ms: int, written: str) -> None:
    assert stamp(ms, ",") == written
    assert stamp(ms, ".") == written.replace(",", ".")


@given(st.integers(0, 10**12), st.sampled_from([",", "."]))
@settings(deadline=None)
def test_the_way_back(ms: int, mark: str) -> None:
    assert milliseconds(seconds(stamp(ms, "," if mark == "," else "."))) == ms


def test_webvtt_may_leave_out_hours() -> None:
    assert seconds("01:02.003") == 62.003


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "0:00:00,000",
        "00:00:00",
        "00:60:00,000",
        "00:00:60.000",
        "00:00:00,00",
        "00:00:00,000\n",
        "\u0660\u0660:00:00,000",
    ],
)
def test_what_is_not_a_timestamp(text: str) -> None:
    with pytest.raises(InvalidOption, match=r"^timestamp: "):
        seconds(text)
