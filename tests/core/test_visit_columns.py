"""Test the columns of the visit matrix against the table of visits in docs/domain.md 6."""

from __future__ import annotations

from collections.abc import Collection

from pro.catalogue import Catalogue
from pro.core.schedule import visit_columns
from pro.core.schedule.visit_columns import COURSE, LATER, VisitKey, list_columns, shown_columns
from pro.core.study_plan import VisitSchedule
from tests.support.factories import PLAN


def schedule(catalogue: Catalogue) -> VisitSchedule:
    """Return the visit schedule of the built-in plan."""
    calendar = catalogue.plans[PLAN].visit_schedule
    assert calendar is not None
    return calendar


def named(calendar: VisitSchedule, part: str, opened: Collection[VisitKey] = ()) -> dict[str, list[str]]:
    """Return group -> visits with their numbers, in order."""
    found: dict[str, list[str]] = {}
    for column in shown_columns(list_columns(calendar), part, opened):
        found.setdefault(column.group, []).append(f"{column.kind}.{column.number}")
    return found


def test_the_course_has_every_planned_visit_in_the_order_of_the_treatment(catalogue: Catalogue) -> None:
    assert named(schedule(catalogue), COURSE) == {
        "": ["baseline.0"],
        "induction": ["induction_week.1", "induction_week.2", "induction_week.3", "induction_day22.0"],
        "radiotherapy": [
            "before_rt.0",
            *("rt_week.5", "rt_week.10", "rt_week.15", "rt_midweek.18", "rt_week.20", "rt_midweek.23"),
            *("decision_50gy.0", "rt_week.25", "rt_week.28"),
        ],
        "after_radiotherapy": [
            *("rt_end.0", "after_rt_week.1", "after_rt_week.2", "after_rt_week.3", "after_rt_week.4", "month_1.0"),
            *("after_rt_week.5", "after_rt_week.6", "after_rt_week.7", "after_rt_week.8"),
            *("after_rt_fortnight.1", "after_rt_fortnight.2", "month_3.0", "follow_up.1"),
        ],
    }


def test_a_visit_that_not_everybody_has_is_a_column_once_it_was_opened(catalogue: Catalogue) -> None:
    calendar = schedule(catalogue)
    assert named(calendar, LATER) == {}
    assert named(calendar, "ulcer") == {}
    opened = {("induction_week", 4), ("maintenance", 1), ("ulcer_daily", 2), ("withdrawal", 0)}
    assert named(calendar, COURSE, opened)["induction"][-1] == "induction_week.4"
    assert named(calendar, LATER, opened) == {"after_radiotherapy": ["withdrawal.0"], "maintenance": ["maintenance.1"]}
    assert named(calendar, "ulcer", opened) == {"ulcer": ["ulcer_daily.2"]}


def test_every_visit_that_the_schedule_can_expect_has_one_column(catalogue: Catalogue) -> None:
    calendar = schedule(catalogue)
    columns = list_columns(calendar)
    assert len({column.key for column in columns}) == len(columns)
    assert {column.kind for column in columns} == {visit.id for visit in calendar.visits}
    # Weeks that another visit takes are no column.
    assert ("maintenance_week", 2) not in {column.key for column in columns}


def test_heads_are_short_and_unlike_one_another_within_a_group(catalogue: Catalogue) -> None:
    calendar = schedule(catalogue)
    for language in ("en", "zh_Hans"):
        words = catalogue.plan_words[PLAN, language]
        heads = [
            (column.group, words.column(column.kind, column.number, column.days))
            for column in list_columns(calendar)
            if column.part == COURSE
        ]
        assert len(set(heads)) == len(heads)
        assert max(len(head) for _group, head in heads) <= 5
        assert "10" in [head for group, head in heads if group == "after_radiotherapy"]
        assert words.column("follow_up", 1, 182).startswith("6")


def test_a_visit_without_a_short_name_is_named_by_its_number_or_its_name(catalogue: Catalogue) -> None:
    words = catalogue.plan_words[PLAN, "en"]
    assert words.column("rt_week", 15) == "15"
    assert words.column("gone", 0) == "gone 0"


def test_groups_follow_the_phases_of_the_plan(catalogue: Catalogue) -> None:
    groups = visit_columns.visit_groups(schedule(catalogue))
    assert groups["baseline"] == ""
    assert groups["induction_day22"] == "induction"
    assert groups["maintenance_week"] == "maintenance"
    assert groups["safety"] == "after_treatment"
    assert groups["ulcer_daily"] == "ulcer"
