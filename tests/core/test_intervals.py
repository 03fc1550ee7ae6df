"""Test what remains of a time interval when others are subtracted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.core.schedule.intervals import Interval, subtract_intervals

START = datetime(2026, 3, 2, tzinfo=UTC)


def interval(text: str) -> Interval:
    """Return the interval of hours such as "8-12"."""
    starts, ends = (START + timedelta(hours=int(part)) for part in text.split("-"))
    return Interval(starts, ends)


def intervals(text: str) -> list[Interval]:
    return [interval(part) for part in text.split()]


@pytest.mark.parametrize(
    ("taken", "left"),
    [
        ("", "8-20"),
        ("8-20", ""),
        ("0-24", ""),
        ("0-8 20-24", "8-20"),
        ("0-9", "9-20"),
        ("19-21", "8-19"),
        ("10-12", "8-10 12-20"),
        ("10-12 12-14", "8-10 14-20"),
        ("11-14 10-12", "8-10 14-20"),
        ("10-16 11-12", "8-10 16-20"),
        ("18-19 9-10", "8-9 10-18 19-20"),
    ],
)
def test_what_is_left(taken: str, left: str) -> None:
    assert subtract_intervals(interval("8-20"), intervals(taken)) == intervals(left)


@pytest.mark.parametrize(
    ("one", "other", "common"), [("8-12", "12-14", None), ("8-12", "11-14", "11-12"), ("8-12", "9-10", "9-10")]
)
def test_what_two_have_in_common(one: str, other: str, common: str | None) -> None:
    for a, b in ((one, other), (other, one)):
        assert interval(a).intersection(interval(b)) == (interval(common) if common else None)
        assert interval(a).overlaps(interval(b)) == (common is not None)


HOURS = st.tuples(st.integers(0, 30), st.integers(1, 12)).map(lambda at: interval(f"{at[0]}-{at[0] + at[1]}"))


@given(HOURS, st.lists(HOURS, max_size=6))
def test_every_moment_is_left_or_taken_and_never_both(whole: Interval, taken: list[Interval]) -> None:
    left = subtract_intervals(whole, taken)
    for hour in range(45):
        moment = interval(f"{hour}-{hour + 1}")
        is_left = any(moment.overlaps(part) for part in left)
        assert is_left == (moment.overlaps(whole) and not any(moment.overlaps(other) for other in taken))
    assert all(one.ends < other.starts for one, other in pairwise(left))
