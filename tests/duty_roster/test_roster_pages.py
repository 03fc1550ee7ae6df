"""Test the duty roster's pages: adding, handing over and cancelling shifts, and refusals."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from pro.app_context import AppContext
from pro.db import transaction
from pro.models import Absence, Shift, StaffMember
from tests.support import factories
from tests.support.factories import Clock, Study
from tests.support.staff_browser import StaffBrowser, signed_in_browser

# The clock stands at Monday, 2 March 2026, 09:00; the seeded nurse is on call for 60 days.
ROSTER = "/staff/roster"
SHANGHAI = timedelta(hours=8)
FREE = {"starts": "2026-03-03T08:00", "ends": "2026-03-04T08:00"}


@pytest.fixture
def desk(app: Flask, seeded: Study) -> StaffBrowser:
    """Return the coordinator's browser on the roster, in English."""
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(f"{ROSTER}?lang=en")
    return desk


def standing(app_context: AppContext, place: str = "backup") -> list[tuple[str, str, str]]:
    """Return (name, from, to) of the current shifts, in local time."""
    with transaction(app_context.engine) as session:
        query = (
            select(Shift, StaffMember.name)
            .join(StaffMember, StaffMember.id == Shift.staff_id)
            .order_by(Shift.starts_at)
        )
        rows = session.execute(query.where(Shift.kind == place, Shift.cancelled_at.is_(None)))
        return [
            (name, f"{duty.starts_at + SHANGHAI:%d %H:%M}", f"{duty.ends_at + SHANGHAI:%d %H:%M}")
            for duty, name in rows
        ]


def put(desk: StaffBrowser, who: factories.Account, place: str = "backup", **times: str) -> int:
    """Submit the form; return the status of the response."""
    data = {"plan": factories.PLAN, "place": place, "person": who.id, **(times or FREE)}
    return desk.post(ROSTER, do="duty", **data).status_code


def ids(app_context: AppContext) -> list[int]:
    with transaction(app_context.engine) as session:
        return list(session.scalars(select(Shift.id).where(Shift.cancelled_at.is_(None)).order_by(Shift.id)))


def test_four_weeks_are_shown_with_who_is_on_call(desk: StaffBrowser) -> None:
    assert len(re.findall(r"<h3>", desk.page)) == 28
    for shown in ("Mon 2 Mar", "Sun 29 Mar", "The next 7 days are fully covered."):
        assert shown in desk.page
    assert "Mon 30 Mar" not in desk.page
    assert desk.page.count(">Nurse</a>") == 28


def test_a_shift_is_added(desk: StaffBrowser, app_context: AppContext, seeded: Study) -> None:
    assert put(desk, seeded.staff["investigator"]) == 303
    assert standing(app_context) == [("Investigator", "03 08:00", "04 08:00")]
    desk.open(ROSTER)
    assert "Shift added." in desk.page
    assert "08:00–24:00" in desk.page
    assert "00:00–08:00" in desk.page


def test_a_refusal_names_the_conflicting_shift_and_keeps_what_was_typed(desk: StaffBrowser, seeded: Study) -> None:
    assert put(desk, seeded.staff["investigator"], "on_call") == 400
    assert "Nurse is already on this shift from 08:00 to 1 May 09:00." in desk.page
    assert 'value="2026-03-03T08:00"' in desk.page
    assert f'<option selected value="{seeded.staff["investigator"].id}">' in desk.page
    assert re.search(r'value="on_call" checked', desk.page)
    assert '<details class="confirm" open>' in desk.page


def test_a_name_in_a_refusal_is_only_a_name(desk: StaffBrowser, app_context: AppContext, seeded: Study) -> None:
    with transaction(app_context.engine) as session:
        session.get_one(StaffMember, seeded.staff["nurse"].id).name = "<b>100 %(x)s %"
    put(desk, seeded.staff["investigator"], "on_call")
    raw = desk.client.post(
        ROSTER,
        data={
            "csrf_token": re.findall(r'csrf_token" value="([^"]+)"', desk.page)[0],
            "do": "duty",
            "plan": factories.PLAN,
            "place": "on_call",
            "person": seeded.staff["investigator"].id,
            **FREE,
        },
    ).get_data(as_text=True)
    assert "&lt;b&gt;100 %(x)s % is already on this shift" in raw
    assert "<b>100" not in raw


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ({"starts": "2026-03-04T08:00", "ends": "2026-03-03T08:00"}, "The end time is not after the start time."),
        ({"starts": "2026-03-01T08:00", "ends": "2026-03-02T08:00"}, "This time is in the past."),
        ({"starts": "2026-03-03T08:00", "ends": "2026-05-03T08:00"}, "Too long: a shift at most 31 days"),
        ({"starts": "2062-03-03T08:00", "ends": "2062-03-04T08:00"}, "This is more than a year ahead"),
        ({"starts": "0001-01-01T00:00", "ends": "9999-12-31T23:59"}, "This is more than a year ahead"),
        ({"starts": "tomorrow", "ends": "2026-03-04T08:00"}, "Enter the date and time."),
        ({"starts": "", "ends": ""}, "Enter the date and time."),
    ],
)
def test_times_that_cannot_be_are_refused_in_a_sentence(
    times: dict[str, str], words: str, desk: StaffBrowser, app_context: AppContext, seeded: Study
) -> None:
    assert put(desk, seeded.staff["investigator"], **times) == 400
    assert words in desk.page
    assert "Not a valid" not in desk.page
    assert standing(app_context) == []


@pytest.mark.parametrize(
    ("person", "words"), [("", "Choose a person."), ("x", "Choose a person."), ("999", "This account is deactivated")]
)
def test_no_person_and_an_unknown_person_are_refused(person: str, words: str, desk: StaffBrowser) -> None:
    assert desk.post(ROSTER, do="duty", plan=factories.PLAN, place="backup", person=person, **FREE).status_code == 400
    assert words in desk.page


def test_a_role_that_cannot_act_is_not_offered_and_refused(desk: StaffBrowser, seeded: Study) -> None:
    monitor = seeded.staff["monitor"]
    assert ">Monitor</option>" not in desk.page
    assert put(desk, monitor) == 400
    assert "This person’s role may not handle alerts" in desk.page


@pytest.mark.parametrize("data", [{}, {"do": "delete"}, {"do": "back"}, {"do": "back", "absence": "x"}])
def test_a_post_that_no_page_sends_is_refused(data: dict[str, str], desk: StaffBrowser) -> None:
    assert desk.post(ROSTER, **data).status_code == 400


def test_a_part_is_handed_over(desk: StaffBrowser, app_context: AppContext, seeded: Study) -> None:
    put(desk, seeded.staff["investigator"])
    page = f"{ROSTER}/shifts/{ids(app_context)[-1]}"
    desk.open(page)
    assert "Investigator: Backup" in desk.page
    assert 'value="2026-03-03T08:00"' in desk.page
    nurse = seeded.staff["nurse"]
    times = {"starts": "2026-03-03T20:00", "ends": "2026-03-04T09:00"}
    assert desk.post(page, do="hand_over", person=nurse.id, **times).status_code == 400
    assert "The shift is from tomorrow 08:00 to 4 Mar 08:00." in desk.page
    assert 'value="2026-03-03T20:00"' in desk.page
    said = {"do": "hand_over", "person": nurse.id, "both_places": "y", **times, "ends": "2026-03-04T08:00"}
    assert desk.post(page, **said).status_code == 303
    assert standing(app_context) == [("Investigator", "03 08:00", "03 20:00"), ("Nurse", "03 20:00", "04 08:00")]


def test_a_cancelled_shift_leaves_a_red_gap_here_and_on_the_to_do_list(
    desk: StaffBrowser, app_context: AppContext
) -> None:
    page = f"{ROSTER}/shifts/{ids(app_context)[0]}"
    desk.open(page)
    assert desk.post(page, do="back").status_code == 303
    for path in (ROSTER, "/staff/"):
        desk.open(path)
        assert re.search(r'class="[^"]*\bgap">\s*Nobody is on call now or later.', desk.page)
        assert "In the meantime alerts go to Investigator." in desk.page
    assert f'href="{ROSTER}"' in desk.page


def test_a_gaps_link_fills_the_form(desk: StaffBrowser, app_context: AppContext, seeded: Study) -> None:
    absent = {"absence-person": seeded.staff["nurse"].id}
    times = {"absence-starts": "2026-03-05T00:00", "absence-ends": "2026-03-06T00:00"}
    assert desk.post(ROSTER, do="absence", **absent, **times).status_code == 303
    desk.open("/staff/")
    assert "They no longer count" in desk.page
    assert "Nobody is on call from 5 Mar 00:00 to 6 Mar 00:00." in desk.page
    desk.open(ROSTER)
    link = re.search(r'href="(/staff/roster\?[^"]+)#put"', desk.page)
    assert link is not None
    desk.open(link[1])
    assert 'value="2026-03-05T00:00"' in desk.page
    assert re.search(r'value="on_call" checked', desk.page)
    assert put(desk, seeded.staff["coordinator"], "on_call", starts="2026-03-05T00:00", ends="2026-03-06T00:00") == 303
    desk.open(ROSTER)
    assert "The next 7 days are fully covered." in desk.page


@pytest.mark.parametrize(
    "asked", ["starts=x&ends=y", "starts=0001-01-01T00:00", "plan=nothing&starts=2026-03-05T00:00"]
)
def test_an_address_that_no_link_has_does_no_harm(asked: str, desk: StaffBrowser) -> None:
    assert desk.open(f"{ROSTER}?{asked}").status_code == 200


def test_an_absence_is_refused_and_taken_back(desk: StaffBrowser, app_context: AppContext, seeded: Study) -> None:
    person = seeded.staff["coordinator"].id
    data = {"absence-person": person, "absence-starts": "2026-03-05T00:00", "absence-ends": "2026-03-06T00:00"}
    assert desk.post(ROSTER, do="absence", **data).status_code == 303
    assert desk.post(ROSTER, do="absence", **data).status_code == 400
    assert "Coordinator already has an absence from 5 Mar 00:00 to 6 Mar 00:00." in desk.page
    number = re.search(r'name="absence" value="([0-9]+)"', desk.page)
    assert number is not None
    assert desk.post(ROSTER, do="back", absence=number[1]).status_code == 303
    desk.open(ROSTER)
    assert "No absences recorded." in desk.page
    with transaction(app_context.engine) as session:
        assert session.scalars(select(Absence)).one().cancelled_at is not None


def test_the_second_of_two_sees_what_the_first_did(
    desk: StaffBrowser, app: Flask, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    put(desk, seeded.staff["investigator"])
    page = f"{ROSTER}/shifts/{ids(app_context)[-1]}"
    second = signed_in_browser(app, seeded.staff["administrator"])
    second.open(f"{page}?lang=en")
    desk.open(page)
    clock.move(minutes=2)
    assert desk.post(page, do="back").status_code == 303
    for data in ({"do": "back"}, {"do": "hand_over", "person": seeded.staff["nurse"].id, **FREE}):
        assert second.post(page, **data).status_code == 303
        second.open(ROSTER)
        assert "Nothing was changed: Coordinator already changed this at 09:02." in second.page
    assert standing(app_context) == []
    assert second.open(page).status_code == 303


def test_the_nurse_reads_and_changes_nothing(app: Flask, app_context: AppContext, seeded: Study) -> None:
    nurse = signed_in_browser(app, seeded.staff["nurse"])
    nurse.open(f"{ROSTER}?lang=en")
    assert "Nurse" in nurse.page
    assert "<select" not in nurse.page
    assert f"{ROSTER}/shifts" not in nurse.page
    assert nurse.post(ROSTER, do="duty").status_code == 403


def test_the_administrator_lands_on_the_roster(app: Flask, seeded: Study) -> None:
    desk = StaffBrowser(app)
    assert desk.sign_in(seeded.staff["administrator"]).location == ROSTER
    desk.open(f"{ROSTER}?lang=en")
    assert "Add a shift" in desk.page
    assert 'href="/staff/"' not in desk.page


def test_the_way_back_to_the_roster_is_named(app: Flask, seeded: Study) -> None:
    desk = StaffBrowser(app)
    desk.open(f"/staff/sign-in?next={ROSTER}&lang=en")
    assert "the duty roster" in desk.page


def test_nobody_is_on_call_and_backup_at_once_without_a_word(
    desk: StaffBrowser, app_context: AppContext, seeded: Study
) -> None:
    """The nurse on call was put down as her own backup, and both steps of an alert reached one phone."""
    assert put(desk, seeded.staff["nurse"]) == 400
    assert "Nurse already has the other shift from 08:00 to 1 May 09:00" in desk.page
    assert 'name="both_places"' in desk.page
    assert standing(app_context) == []
    data = {"plan": factories.PLAN, "place": "backup", "person": seeded.staff["nurse"].id, **FREE}
    assert desk.post(ROSTER, do="duty", both_places="y", **data).status_code == 303
    assert [name for name, _from, _to in standing(app_context)] == ["Nurse"]


def test_a_duty_is_not_handed_to_who_holds_the_other_place_without_a_word(
    desk: StaffBrowser, app_context: AppContext, seeded: Study
) -> None:
    put(desk, seeded.staff["investigator"])
    path = f"{ROSTER}/shifts/{ids(app_context)[-1]}"
    said = {"do": "hand_over", "person": seeded.staff["nurse"].id, **FREE}
    assert desk.post(path, **said).status_code == 400
    assert "already has the other shift from" in desk.page
    assert desk.post(path, **said, both_places="y").status_code == 303
