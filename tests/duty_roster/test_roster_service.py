"""Test the duty roster as staff edit it: who may be on call where, refusals, roster gaps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pro.core.rule_language.level import Level
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.duty_roster import recipients, roster_service
from pro.models import Absence, Shift, StaffMember
from tests.support import factories, form_browser
from tests.support.factories import PLAN

# The clinic's clock stands at Monday, 2 March 2026, 09:00; its nurse is on call for 60 days.


def local(text: str) -> datetime:
    """Return a local time; "5T08:00" is the 5th of March."""
    day, _t, hour = text.partition("T")
    return datetime.fromisoformat(f"2026-03-{int(day):02}T{hour}")


def put(clinic, who, starts, ends, place="backup", plan=PLAN) -> int:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        duty = roster_service.add_shift(
            work, plan, who and who.id, place, starts and local(starts), ends and local(ends), both_places=True
        )
        work.session.flush()
        return duty.id


def away(clinic, who, starts, ends):
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        absence, met = roster_service.add_absence(work, who.id, local(starts), local(ends))
        work.session.flush()
        return absence.id, [duty.id for duty in met]


def hand_over(clinic, shift_id, who, starts, ends) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        roster_service.hand_over_shift(work, shift_id, who.id, local(starts), local(ends), both_places=True)


def cancel(clinic, shift_id, who=None) -> None:
    with form_browser.unit_of_work(clinic.app_context, (who or clinic.coordinator).actor) as work:
        roster_service.cancel_shift(work, shift_id)


def standing(clinic, place="backup") -> list[tuple[str, str, str]]:
    """Return (name, from, to) of the current shifts, in local time."""
    with form_browser.unit_of_work(clinic.app_context) as work:
        rows = work.session.query(Shift).filter_by(kind=place, cancelled_at=None).order_by(Shift.starts_at)
        names = {person.id: person.name for person in work.session.query(StaffMember)}
        return [(names[row.staff_id], shown(row.starts_at), shown(row.ends_at)) for row in rows]


def shown(at: datetime | None) -> str:
    return (at + timedelta(hours=8)).strftime("%-dT%H:%M") if at else "open"


def gaps(clinic, days=7) -> list[tuple[str, str, tuple[str, ...]]]:
    with form_browser.unit_of_work(clinic.app_context) as work:
        found = roster_service.list_gaps(work, work.catalogue.plans[PLAN], days)
        return [(shown(gap.starts), shown(gap.ends), gap.names) for gap in found]


def recipient_names(clinic, level=Level.EMERGENCY) -> list[str]:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return [
            person.name for person in recipients.recipients_at_step(work, work.catalogue.plans[PLAN], level, minutes=0)
        ]


# --- adding shifts ---------------------------------------------------------------------------------------------------


def test_local_times_of_the_study_become_an_interval(any_clinic):
    put(any_clinic, any_clinic.coordinator, "2T20:00", "3T08:00")
    row = any_clinic.rows(Shift)[-1]
    assert (row.starts_at, row.ends_at) == (
        datetime(2026, 3, 2, 12, tzinfo=UTC),
        datetime(2026, 3, 3, 0, tzinfo=UTC),
    )
    (event,) = any_clinic.events("shift.put")
    assert event.actor_id == any_clinic.coordinator.id
    assert event.new == {
        "shift": "backup",
        "staff": any_clinic.coordinator.id,
        "starts": "2026-03-02T12:00:00+00:00",
        "ends": "2026-03-03T00:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("starts", "ends", "fields"),
    [
        ("3T08:00", "2T20:00", {"ends": "ends_first"}),
        ("3T08:00", "3T08:00", {"ends": "ends_first"}),
        ("1T08:00", "2T09:00", {"ends": "past"}),
        (None, None, {"starts": "day_and_time_needed", "ends": "day_and_time_needed"}),
        ("3T08:00", None, {"ends": "day_and_time_needed"}),
    ],
)
def test_times_that_cannot_be(clinic, starts, ends, fields):
    with pytest.raises(BadData) as refused:
        put(clinic, clinic.coordinator, starts, ends)
    assert refused.value.details["fields"] == fields
    assert standing(clinic) == []


@pytest.mark.parametrize(
    ("starts", "ends", "fields"),
    [
        ("2026-03-03T00:00", "2026-04-03T00:00", None),
        ("2026-03-03T00:00", "2026-04-03T00:01", {"ends": "stretch_too_long"}),
        ("2027-03-04T00:00", "2027-03-05T00:00", {"starts": "too_far"}),
        ("0001-01-01T00:00", "2026-03-05T00:00", {"starts": "too_far"}),
        ("2026-03-03T00:00", "9999-12-31T23:59", {"ends": "too_far"}),
    ],
)
def test_a_shift_lasts_at_most_31_days_and_begins_within_a_year(clinic, starts, ends, fields):
    with form_browser.unit_of_work(clinic.app_context) as work:
        typed = (work, PLAN, clinic.nurse.id, "backup", datetime.fromisoformat(starts), datetime.fromisoformat(ends))
        if fields is None:
            assert roster_service.add_shift(*typed, both_places=True)
        else:
            with pytest.raises(BadData) as refused:
                roster_service.add_shift(*typed)
            assert refused.value.details["fields"] == fields


def test_everything_that_is_wrong_is_said_at_once(clinic):
    with pytest.raises(BadData) as refused:
        put(clinic, None, "3T08:00", None, place="anywhere", plan="no_such_study")
    assert refused.value.details["fields"] == {"person": "person_missing", "place": "unknown", "plan": "no_plan"}


@pytest.mark.parametrize("role", ["monitor", "statistician", "administrator"])
def test_who_may_not_act_on_alerts_cannot_be_on_duty(clinic, role):
    with form_browser.unit_of_work(clinic.app_context) as work:
        person = factories.account(work, role)
    with pytest.raises(BadData) as refused:
        put(clinic, person, "3T08:00", "4T08:00")
    assert refused.value.details["fields"] == {"person": "cannot_act"}
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert role.capitalize() not in [one.name for one in roster_service.eligible_staff(work)]


def test_a_closed_or_unknown_account_cannot_be_on_duty(clinic, clock):
    with form_browser.unit_of_work(clinic.app_context) as work:
        work.session.get_one(StaffMember, clinic.nurse.id).disabled_at = clock.now
    for who in (clinic.nurse, replace(clinic.nurse, id=4711)):
        with pytest.raises(BadData) as refused:
            put(clinic, who, "3T08:00", "4T08:00")
        assert refused.value.details["fields"] == {"person": "no_account"}


@pytest.mark.parametrize(("starts", "ends"), [("3T12:00", "3T13:00"), ("2T20:00", "3T08:01"), ("3T19:59", "4T08:00")])
def test_one_place_is_held_by_one_person_and_the_refusal_says_by_whom(any_clinic, starts, ends):
    put(any_clinic, any_clinic.coordinator, "3T08:00", "3T20:00")
    with pytest.raises(BadData) as refused:
        put(any_clinic, any_clinic.investigator, starts, ends)
    assert refused.value.details["fields"] == {"starts": "overlaps"}
    whose = refused.value.details["whose"]
    assert isinstance(whose, roster_service.RosterConflict)
    assert (whose.name, shown(whose.interval.starts), shown(whose.interval.ends)) == (
        "Coordinator",
        "3T08:00",
        "3T20:00",
    )
    put(any_clinic, any_clinic.investigator, "3T20:00", "4T08:00")
    put(any_clinic, any_clinic.investigator, "2T20:00", "3T08:00")


def test_a_shift_of_a_deactivated_account_blocks_no_other(clinic, clock):
    put(clinic, clinic.coordinator, "3T08:00", "3T20:00")
    with form_browser.unit_of_work(clinic.app_context) as work:
        work.session.get_one(StaffMember, clinic.coordinator.id).disabled_at = clock.now
    put(clinic, clinic.investigator, "3T08:00", "3T20:00")


def test_of_two_concurrent_shifts_only_one_is_added(any_clinic):
    refused = []

    def attempt(who):
        try:
            put(any_clinic, who, "3T08:00", "3T20:00")
        except BadData as bad:
            refused.append(bad.details["fields"])

    form_browser.run_concurrently(
        *[lambda who=who: attempt(who) for who in (any_clinic.coordinator, any_clinic.investigator)] * 2
    )
    assert refused == [{"starts": "overlaps"}] * 3
    assert len(standing(any_clinic)) == 1


def test_a_local_time_that_a_clock_change_leaves_out_is_moved_on():
    for typed, meant in (
        ("2026-03-29T02:30", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        ("2026-10-25T02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
    ):
        assert roster_service.to_utc(datetime.fromisoformat(typed), "Europe/Berlin") == meant


# --- cancelling and handing over -------------------------------------------------------------------------------------


def test_taken_back_before_it_began_nothing_is_left_but_the_row(any_clinic, clock):
    duty = put(any_clinic, any_clinic.coordinator, "3T08:00", "3T20:00")
    cancel(any_clinic, duty)
    assert standing(any_clinic) == []
    assert any_clinic.rows(Shift)[-1].cancelled_at == clock.now
    (event,) = any_clinic.events("shift.cancelled")
    assert (event.subject_id, event.reason, event.old["shift"]) == (duty, "taken back", "backup")


def test_what_has_passed_stays_with_who_held_it(any_clinic, clock):
    duty = put(any_clinic, any_clinic.coordinator, "2T08:00", "3T20:00")
    clock.move(hours=3, seconds=42)
    cancel(any_clinic, duty)
    assert standing(any_clinic) == [("Coordinator", "2T08:00", "2T12:00")]
    put(any_clinic, any_clinic.investigator, "2T12:00", "3T20:00")


def test_what_is_over_or_gone_or_unknown_cannot_be_taken_back(clinic, clock):
    duty = put(clinic, clinic.coordinator, "3T08:00", "3T20:00")
    cancel(clinic, duty, clinic.investigator)
    with pytest.raises(NotAllowed) as refused:
        cancel(clinic, duty)
    assert (refused.value.why, refused.value.details) == ("changed", {"name": "Investigator", "at": clock.now})
    over = put(clinic, clinic.coordinator, "3T08:00", "3T20:00")
    clock.move(days=2)
    with pytest.raises(NotAllowed, match="past"):
        cancel(clinic, over)
    with pytest.raises(NotFound):
        cancel(clinic, 4711)


@pytest.mark.parametrize(
    ("starts", "ends", "expected"),
    [
        ("3T08:00", "5T08:00", [("Investigator", "3T08:00", "5T08:00")]),
        ("3T08:00", "4T08:00", [("Investigator", "3T08:00", "4T08:00"), ("Coordinator", "4T08:00", "5T08:00")]),
        ("4T08:00", "5T08:00", [("Coordinator", "3T08:00", "4T08:00"), ("Investigator", "4T08:00", "5T08:00")]),
        (
            "3T20:00",
            "4T08:00",
            [
                ("Coordinator", "3T08:00", "3T20:00"),
                ("Investigator", "3T20:00", "4T08:00"),
                ("Coordinator", "4T08:00", "5T08:00"),
            ],
        ),
    ],
)
def test_a_part_is_handed_over_and_the_rest_stays(any_clinic, starts, ends, expected):
    duty = put(any_clinic, any_clinic.coordinator, "3T08:00", "5T08:00")
    hand_over(any_clinic, duty, any_clinic.investigator, starts, ends)
    assert standing(any_clinic) == expected
    assert [event.reason for event in any_clinic.events("shift.cancelled")] == ["handed over"]
    assert len(any_clinic.events("shift.put")) == 1 + len(expected)


def test_what_has_passed_is_not_handed_over(clinic, clock):
    duty = put(clinic, clinic.coordinator, "2T08:00", "3T08:00")
    clock.move(hours=3, seconds=5)
    hand_over(clinic, duty, clinic.investigator, "2T08:00", "3T08:00")
    assert standing(clinic) == [("Coordinator", "2T08:00", "2T12:00"), ("Investigator", "2T12:00", "3T08:00")]


def test_what_cannot_be_handed_over(clinic):
    duty = put(clinic, clinic.coordinator, "3T08:00", "5T08:00")
    away(clinic, clinic.nurse, "3T00:00", "4T00:00")
    for who, starts, ends, fields in (
        (clinic.coordinator, "3T08:00", "4T08:00", {"person": "same"}),
        (clinic.investigator, "3T07:00", "4T08:00", {"starts": "outside"}),
        (clinic.investigator, "4T08:00", "5T08:01", {"starts": "outside"}),
        (clinic.investigator, "4T08:00", "3T08:00", {"ends": "ends_first"}),
        (clinic.nurse, "3T08:00", "4T08:00", {"person": "absent"}),
    ):
        with pytest.raises(BadData) as refused:
            hand_over(clinic, duty, who, starts, ends)
        assert refused.value.details["fields"] == fields
    assert standing(clinic) == [("Coordinator", "3T08:00", "5T08:00")]


def test_two_who_hand_the_same_over_leave_one_holder(any_clinic):
    duty = put(any_clinic, any_clinic.coordinator, "3T08:00", "5T08:00")
    refused = []

    def attempt(who):
        try:
            hand_over(any_clinic, duty, who, "3T08:00", "5T08:00")
        except NotAllowed as gone:
            refused.append(gone.why)

    form_browser.run_concurrently(
        *[lambda who=who: attempt(who) for who in (any_clinic.nurse, any_clinic.investigator)]
    )
    assert refused == ["changed"]
    assert len(standing(any_clinic)) == 1


# --- absences --------------------------------------------------------------------------------------------------------


def test_an_absence_over_ones_own_duty_is_taken_and_named(any_clinic):
    _absence, met = away(any_clinic, any_clinic.nurse, "4T00:00", "5T00:00")
    assert met == [any_clinic.rows(Shift)[0].id]
    (event,) = any_clinic.events("absence.put")
    assert event.new["staff"] == any_clinic.nurse.id
    assert gaps(any_clinic) == [("4T00:00", "5T00:00", ("Investigator",))]


def test_a_shift_during_an_absence_is_refused(clinic):
    away(clinic, clinic.coordinator, "4T00:00", "5T00:00")
    with pytest.raises(BadData) as refused:
        put(clinic, clinic.coordinator, "4T20:00", "6T00:00")
    assert refused.value.details["fields"] == {"person": "absent"}
    whose = refused.value.details["whose"]
    assert isinstance(whose, roster_service.RosterConflict)
    assert (whose.name, shown(whose.interval.starts)) == ("Coordinator", "4T00:00")
    put(clinic, clinic.coordinator, "5T00:00", "6T00:00")


def test_another_person_can_be_added_where_the_holder_is_absent(clinic):
    away(clinic, clinic.nurse, "4T00:00", "5T00:00")
    put(clinic, clinic.coordinator, "4T00:00", "5T00:00", place="on_call")
    assert gaps(clinic) == []
    with pytest.raises(BadData):
        put(clinic, clinic.investigator, "4T12:00", "5T00:00", place="on_call")


def test_the_same_absence_twice_and_one_that_cannot_be(clinic):
    away(clinic, clinic.nurse, "4T00:00", "5T00:00")
    for starts, ends, fields in (
        ("4T12:00", "6T00:00", {"starts": "away_already"}),
        ("6T12:00", "6T00:00", {"ends": "ends_first"}),
        ("1T12:00", "2T08:00", {"ends": "past"}),
    ):
        with pytest.raises(BadData) as refused:
            away(clinic, clinic.nurse, starts, ends)
        assert refused.value.details["fields"] == fields


def test_an_absence_taken_back_counts_no_more_but_for_what_has_passed(any_clinic, clock):
    absence, _met = away(any_clinic, any_clinic.nurse, "2T08:00", "5T00:00")
    assert recipient_names(any_clinic) == ["Investigator"]
    clock.move(hours=3)
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.coordinator.actor) as work:
        roster_service.cancel_absence(work, absence)
    assert recipient_names(any_clinic) == ["Nurse", "Investigator"]
    left = [row for row in any_clinic.rows(Absence) if row.cancelled_at is None]
    assert [(shown(row.starts_at), shown(row.ends_at)) for row in left] == [("2T08:00", "2T12:00")]
    assert len(any_clinic.events("absence.cancelled")) == 1
    with form_browser.unit_of_work(any_clinic.app_context) as work, pytest.raises(NotAllowed, match="changed"):
        roster_service.cancel_absence(work, absence)


# --- recipients ------------------------------------------------------------------------------------------------------


def test_a_cancelled_shift_makes_no_recipient(any_clinic):
    cancel(any_clinic, any_clinic.rows(Shift)[0].id)
    assert recipient_names(any_clinic) == ["Investigator"]


def test_an_investigator_who_is_away_is_passed_over_while_another_is_there(clinic):
    with form_browser.unit_of_work(clinic.app_context) as work:
        factories.account(work, "investigator", email="second@example.org", name="Second")
    away(clinic, clinic.investigator, "2T08:00", "5T00:00")
    assert recipient_names(clinic) == ["Nurse", "Second"]


def test_present_staff_stand_in_for_absent_staff(clinic):
    away(clinic, clinic.investigator, "2T08:00", "5T00:00")
    away(clinic, clinic.nurse, "2T08:00", "5T00:00")
    assert recipient_names(clinic) == ["Investigator", "Nurse", "Coordinator"]
    assert recipient_names(clinic, Level.WATCH) == ["Coordinator"]


def test_there_is_a_recipient_even_if_all_are_absent(clinic):
    for who in (clinic.nurse, clinic.investigator, clinic.coordinator):
        away(clinic, who, "2T08:00", "5T00:00")
    assert "Investigator" in recipient_names(clinic)
    assert gaps(clinic) == [("2T09:00", "5T00:00", ("Investigator", "Nurse", "Coordinator"))]
