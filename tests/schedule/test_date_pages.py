"""Test the treatment dates pages: record, plan, change and remove dates after a preview."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.participants import clinical_facts
from pro.features.participants.pages import participant_page
from pro.features.schedule import schedule_service
from pro.features.schedule.schedule_service import DateChange
from pro.models import Anchor, AuditEntry, Consent, ExpectedForm, Participant
from tests.support.factories import Clock, Study
from tests.support.staff_browser import StaffBrowser, signed_in_browser

TODAY = date(2026, 3, 2)
EXTENT = {"scope": "data", "told": "care goes on"}


@pytest.fixture
def desk(app: Flask, seeded: Study) -> StaffBrowser:
    """Return the coordinator's browser, signed in."""
    return signed_in_browser(app, seeded.staff["coordinator"])


@pytest.fixture
def path(seeded: Study) -> str:
    """Return the address of the participant's dates."""
    return f"/staff/participants/{seeded.english.id}/dates"


def recorded(app_context: AppContext, seeded: Study, *changes: DateChange) -> None:
    """Record ``changes`` as the coordinator, without a page."""
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session, seeded.staff["coordinator"].actor)
        person = participant_page.read_participant(work, seeded.english.id)
        schedule_service.set_anchors(work, person, changes, reason="so it is")


def standing(app_context: AppContext, seeded: Study) -> dict[tuple[str, int], tuple[date, bool]]:
    """Return (kind, number) -> (day, planned) of the current dates."""
    with transaction(app_context.engine) as session:
        query = select(Anchor).where(Anchor.participant_id == seeded.english.id, Anchor.superseded_at.is_(None))
        return {(row.kind, row.number): (row.on, row.planned) for row in session.scalars(query)}


def windows(app_context: AppContext, seeded: Study) -> dict[tuple[str, str], tuple[object, ...]]:
    """Return (visit, instrument) -> its window, of every expected form."""
    with transaction(app_context.engine) as session:
        query = select(ExpectedForm).where(ExpectedForm.participant_id == seeded.english.id)
        return {
            (row.visit, row.instrument): (row.opens_at, row.due_at, row.closes_at) for row in session.scalars(query)
        }


def hidden(page: str) -> dict[str, str]:
    """Return the hidden fields of the preview's form."""
    form = re.search(r'<form method="post" action="[^"]*/dates">(?:(?!</form>).)*value="confirm"', page, re.DOTALL)
    assert form is not None, page
    return dict(re.findall(r'<input type="hidden" name="(?!csrf)(\w+)" value="([^"]*)">', form[0]))


def looks_ahead(
    desk: StaffBrowser, path: str, kind: str, number: int | str, on: date | str, **more: str
) -> TestResponse:
    """Fill in the form and press “See what changes”."""
    desk.open(f"{path}?kind={kind}")
    return desk.post(path, do="preview", kind=kind, number=number, on=str(on), **more)


def confirms(desk: StaffBrowser, path: str, **changed: str) -> TestResponse:
    """Press “Confirm” on the preview."""
    return desk.post(path, do="confirm", **{**hidden(desk.page), **changed})


def in_radiotherapy(app_context: AppContext, seeded: Study, clock: Clock, given: int = 2) -> None:
    """Record radiotherapy from Monday 30 March, with ``given`` fractions.

    Induction began on 4 March.
    """
    clock.move(days=2)
    recorded(app_context, seeded, DateChange("induction_day1", 0, date(2026, 3, 4)))
    clock.move(days=26)
    recorded(app_context, seeded, DateChange("rt_fraction", 1, date(2026, 3, 30), planned=True))
    for number in range(1, given + 1):
        recorded(app_context, seeded, DateChange("rt_fraction", number, date(2026, 3, 29) + timedelta(days=number)))
        clock.move(days=1)


# --- preview and confirmation ----------------------------------------------------------------------------------------


def test_a_planned_date_is_kept_only_after_its_preview_was_confirmed(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, path: str
) -> None:
    before = windows(app_context, seeded)
    assert looks_ahead(desk, path, "induction_day1", "", "2026-03-09", basis="planned").status_code == 200
    assert "preview of the changes" in desk.page
    assert "Induction, week 1" in desk.page
    assert windows(app_context, seeded) == before
    assert ("induction_day1", 0) not in standing(app_context, seeded)
    assert confirms(desk, path).location == path
    assert standing(app_context, seeded)["induction_day1", 0] == (date(2026, 3, 9), True)
    assert set(windows(app_context, seeded)) > set(before)
    desk.open(path)
    assert "Saved: Induction day 1." in desk.page
    assert re.search(r"Mon 9 Mar</span><span class=\"s\">planned</span>", desk.page)


def test_the_preview_lists_exactly_what_the_confirmation_moves(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, path: str, clock: Clock, app: Flask
) -> None:
    in_radiotherapy(app_context, seeded, clock)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    before = windows(app_context, seeded)
    looks_ahead(desk, path, "rt_fraction", 3, "2026-04-04", basis="planned")
    shown = len(re.findall(r'<tr class="moved">', desk.page))
    confirms(desk, path)
    after = windows(app_context, seeded)
    moved = {name for name in before if name in after and before[name] != after[name]}
    assert set(before) == set(after)
    assert shown == len(moved) > 20
    kinds = {name[0].split(".")[0] for name in moved}
    assert {"rt_week", "rt_end", "month_3", "follow_up"} <= kinds
    assert not kinds & {"baseline", "induction_week", "induction_day22", "before_rt"}


def test_going_back_loses_nothing_that_was_typed(desk: StaffBrowser, path: str) -> None:
    looks_ahead(desk, path, "induction_day1", "", "2026-03-09", basis="planned", reason="ward's plan <of> Monday")
    desk.post(path, do="edit", **hidden(desk.page))
    assert 'value="2026-03-09"' in desk.page
    assert 'value="planned" checked' in desk.page
    assert "ward's plan <of> Monday" in desk.page


def test_an_outdated_preview_is_shown_again(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, path: str, clock: Clock, app: Flask
) -> None:
    in_radiotherapy(app_context, seeded, clock)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    looks_ahead(desk, path, "rt_fraction", 4, "2026-04-09", basis="planned")
    seen = hidden(desk.page)["seen"]
    recorded(app_context, seeded, DateChange("rt_fraction", 3, date(2026, 4, 7), planned=True))
    assert confirms(desk, path).status_code == 409
    assert "The schedule changed after you opened this page. Nothing was saved." in desk.page
    assert ("rt_fraction", 4) not in standing(app_context, seeded)
    assert hidden(desk.page)["seen"] != seen
    assert confirms(desk, path).status_code == 303
    assert standing(app_context, seeded)["rt_fraction", 4] == (date(2026, 4, 9), True)


def test_a_change_is_one_event_with_who_and_why(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, path: str
) -> None:
    looks_ahead(desk, path, "consent", "", "2026-03-01", reason="misread the form")
    confirms(desk, path)
    with transaction(app_context.engine) as session:
        events = list(session.scalars(select(AuditEntry).where(AuditEntry.action == "anchors.set")))
    assert [(event.reason, event.actor_id) for event in events] == [
        ("misread the form", seeded.staff["coordinator"].id)
    ]
    desk.open(path)
    history = desk.page.partition("Change history")[2]
    assert "Mon 2 Mar" in history
    assert "Changed or removed: Coordinator" in history
    assert "Reason: misread the form" in history


# --- invalid dates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "field", "sentence"),
    [
        (("rt_fraction", 29, "2026-03-02", "planned"), "number", "only numbers 1 to 28 exist"),
        (("rt_fraction", 0, "2026-03-02", "planned"), "number", "only numbers 1 to 28 exist"),
        (("rt_fraction", "many", "2026-03-02", "planned"), "number", "Enter the number, for example 3"),
        (("pd1_dose", 1, "2026-03-09", "actual"), "on", "Mon 9 Mar is in the future"),
        (("pd1_dose", 1, "2026-02-01", "actual"), "on", "would be before Informed consent on Mon 2 Mar"),
        (("ulcer_suspected", 1, "2026-03-09", ""), "on", "after it has taken place"),
        (("ulcer_cleared", 1, "2026-03-02", ""), "on", "no date for “Ulcer suspected” is recorded up to that day"),
        (("induction_day1", "", "the ninth", "actual"), "on", "year, month and day"),
        (("induction_day1", "", "", "actual"), "on", "year, month and day"),
        (("induction_day1", "", "2026-03-02", ""), "basis-0", "Choose whether it has taken place or is planned"),
        (("death", "", "2026-03-02", ""), "reason", "how this became known"),
        (("consent", "", "2026-03-01", ""), "reason", "Enter the reason"),
        (("consent", "", "2026-03-02", ""), "on", "there is nothing to change"),
    ],
)
def test_what_cannot_be_stands_by_its_field_and_loses_nothing(
    typed: tuple[str, int | str, str, str],
    field: str,
    sentence: str,
    desk: StaffBrowser,
    app_context: AppContext,
    path: str,
    seeded: Study,
) -> None:
    kind, number, on, basis = typed
    before = standing(app_context, seeded)
    # Only a missing reason may be empty.
    reason = "" if field == "reason" else "as the ward says"
    assert looks_ahead(desk, path, kind, number, on, basis=basis, reason=reason).status_code == 400
    assert f'href="#{field}"' in desk.page
    assert desk.page.count(sentence) == 2, "in the summary and beside the field"
    assert reason in desk.page
    if on:
        assert f'value="{on}"' in desk.page
    if basis:
        assert f'value="{basis}" checked' in desk.page
    assert standing(app_context, seeded) == before


def test_radiotherapy_cannot_end_before_it_was_given(
    app_context: AppContext, seeded: Study, path: str, clock: Clock, app: Flask
) -> None:
    in_radiotherapy(app_context, seeded, clock)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    assert looks_ahead(desk, path, "rt_end", "", "2026-03-29", basis="actual").status_code == 400
    assert "End of radiotherapy on Sun 29 Mar would be before Radiotherapy fraction 2 on Tue 31 Mar" in desk.page


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"do": "unknown"},
        {"do": "preview"},
        {"do": "preview", "kind": "x"},
        {"do": "treated", "kind": "rt_fraction"},
    ],
)
def test_a_post_that_no_page_sends_is_refused(data: Mapping[str, str], desk: StaffBrowser, path: str) -> None:
    desk.open(path)
    assert desk.post(path, **data).status_code == 400


@pytest.mark.parametrize("query", ["?kind=x", "?kind=rt_fraction&number=x", "?kind=rt_fraction&number=99999999"])
def test_an_address_with_unknown_parameters_still_shows_the_page(query: str, desk: StaffBrowser, path: str) -> None:
    assert desk.open(path + query).status_code == 200


# --- removing dates --------------------------------------------------------------------------------------------------


def test_a_fact_is_taken_back_only_with_a_reason(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, path: str
) -> None:
    recorded(app_context, seeded, DateChange("induction_day1", 0, TODAY))
    desk.open(f"{path}?kind=induction_day1")
    assert desk.post(path, do="take_back", kind="induction_day1", number="").status_code == 400
    assert "Enter the reason" in desk.page
    assert (
        desk.post(path, do="take_back", kind="induction_day1", number="", reason="another person’s").status_code == 200
    )
    assert "<dd>removed</dd>" in desk.page
    confirms(desk, path)
    assert ("induction_day1", 0) not in standing(app_context, seeded)
    desk.open(path)
    assert "Reason: another person’s" in desk.page


# --- treated today ---------------------------------------------------------------------------------------------------


def _button(desk: StaffBrowser) -> dict[str, str]:
    found = re.search(r'<form method="post"(?:(?!</form>).)*value="treated"', desk.page, re.DOTALL)
    assert found is not None, "no button for today"
    return dict(re.findall(r'name="(kind|number|on)" value="([^"]*)"', found[0]))


def test_one_press_records_todays_fraction_and_a_second_changes_nothing(
    app_context: AppContext, seeded: Study, path: str, clock: Clock, app: Flask
) -> None:
    in_radiotherapy(app_context, seeded, clock)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    before = windows(app_context, seeded)
    desk.open(path)
    assert ">Fraction 3 given</button>" in desk.page
    assert "Next: fraction 3 of 28" in desk.page
    pressed = _button(desk)
    assert desk.post(path, do="treated", **pressed).status_code == 303
    assert standing(app_context, seeded)["rt_fraction", 3] == (date(2026, 4, 1), False)
    assert windows(app_context, seeded) == before
    desk.open(path)
    assert "Recorded for today: Radiotherapy fraction 3." in desk.page
    assert "Today is done" in desk.page
    assert "Radiotherapy fraction 3 is already recorded for today." in desk.page
    assert 'value="treated"' not in desk.page
    assert desk.post(path, do="treated", **pressed).status_code == 303
    desk.open(path)
    assert "Coordinator already recorded" in desk.page


def test_a_day_that_was_lost_shows_what_moves_before_it_is_saved(
    app_context: AppContext, seeded: Study, path: str, clock: Clock, app: Flask
) -> None:
    in_radiotherapy(app_context, seeded, clock)
    clock.move(days=1)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(path)
    assert desk.post(path, do="treated", **_button(desk)).status_code == 200
    assert "Radiotherapy, fraction 5" in desk.page
    assert ("rt_fraction", 3) not in standing(app_context, seeded)
    assert confirms(desk, path).status_code == 303
    assert standing(app_context, seeded)["rt_fraction", 3] == (date(2026, 4, 2), False)


def test_a_fraction_recorded_for_another_day_is_not_moved(
    app_context: AppContext, seeded: Study, path: str, clock: Clock, app: Flask
) -> None:
    in_radiotherapy(app_context, seeded, clock)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(path)
    pressed = _button(desk)
    recorded(app_context, seeded, DateChange("rt_fraction", 3, date(2026, 3, 31)))
    desk.post(path, do="treated", **pressed)
    assert standing(app_context, seeded)["rt_fraction", 3] == (date(2026, 3, 31), False)
    desk.open(path)
    assert "Coordinator has just recorded Radiotherapy fraction 3 for another date" in desk.page


def test_there_is_nothing_to_press_before_treatment_and_after_its_end(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, path: str, clock: Clock, app: Flask
) -> None:
    desk.open(path)
    assert 'value="treated"' not in desk.page
    in_radiotherapy(app_context, seeded, clock)
    recorded(app_context, seeded, DateChange("rt_end", 0, date(2026, 4, 1)))
    late = signed_in_browser(app, seeded.staff["coordinator"])
    late.open(path)
    assert "End of radiotherapy" in late.page
    assert 'value="treated"' not in late.page


# --- outside the clinical facts --------------------------------------------------------------------------------------


def test_what_is_expected_is_never_shown_as_a_fact(
    app_context: AppContext, seeded: Study, path: str, clock: Clock, app: Flask
) -> None:
    in_radiotherapy(app_context, seeded, clock)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(path)
    # 28 fractions in weeks: two given, today's, and what is expected, each said in words.
    said = re.findall(r'<b>(\d+)[^<]*</b><span class="s">[^<]+</span><span class="vh">, (\w+)</span>', desk.page)
    assert [number for number, _state in said] == [str(number) for number in range(1, 29)]
    assert [state for _number, state in said] == ["given"] * 2 + ["today"] + ["expected"] * 25
    later = re.findall(r'<tr role="row" class=later>.*?</tr>', desk.page, re.DOTALL)
    assert len(later) >= 3
    assert all("projected, not recorded yet" in row and "not yet" in row for row in later)


def test_todays_fraction_is_undone(app_context: AppContext, seeded: Study, path: str, clock: Clock, app: Flask) -> None:
    in_radiotherapy(app_context, seeded, clock)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    before = windows(app_context, seeded)
    desk.open(path)
    desk.post(path, do="treated", **_button(desk))
    desk.open(path)
    assert ">Undo</button>" in desk.page
    undo = {"do": "undo", "kind": "rt_fraction", "number": "3"}
    assert desk.post(path, **undo).status_code == 303
    assert ("rt_fraction", 3) not in standing(app_context, seeded)
    assert windows(app_context, seeded) == before
    desk.open(path)
    assert "Undone: Radiotherapy fraction 3 is no longer recorded for today." in desk.page
    assert ">Fraction 3 given</button>" in desk.page
    assert "Reason: undone on the day it was recorded" in desk.page, "the history keeps it"
    # A second press changes nothing, and no other day can be undone so.
    for number in ("3", "2", "29", "x"):
        assert desk.post(path, **undo | {"number": number}).status_code == 303
    assert ("rt_fraction", 2) in standing(app_context, seeded)
    with transaction(app_context.engine) as session:
        found = session.scalars(select(AuditEntry).where(AuditEntry.reason == "treatment_undone"))
        assert len(list(found)) == 1


def test_undo_restores_the_planned_date_that_the_record_replaced(
    app_context: AppContext, seeded: Study, path: str, clock: Clock, app: Flask
) -> None:
    in_radiotherapy(app_context, seeded, clock)
    friday = clock.now.date() + timedelta(days=3)
    recorded(app_context, seeded, DateChange("rt_fraction", 3, friday, planned=True))
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    planned = windows(app_context, seeded)
    desk.open(path)
    if desk.post(path, do="treated", **_button(desk)).status_code == 200:
        confirms(desk, path)
    assert standing(app_context, seeded)["rt_fraction", 3] == (clock.now.date(), False)
    desk.open(path)
    if desk.post(path, do="undo", kind="rt_fraction", number="3").status_code == 200:
        confirms(desk, path)
    assert standing(app_context, seeded)["rt_fraction", 3] == (friday, True)
    assert windows(app_context, seeded) == planned


def test_the_date_that_was_typed_is_the_one_that_the_next_page_has(
    app_context: AppContext, seeded: Study, path: str, clock: Clock, app: Flask
) -> None:
    in_radiotherapy(app_context, seeded, clock)
    friday = clock.now.date() + timedelta(days=3)
    recorded(app_context, seeded, DateChange("rt_fraction", 3, friday, planned=True))
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    typed = friday + timedelta(days=3)
    desk.open(f"{path}?kind=rt_fraction&number=3&on={typed}&lang=en")
    form = desk.page.partition('name="on"')[2][:200] + desk.page.partition('name="on"')[0][-200:]
    assert str(typed) in form
    assert str(friday) not in form
    assert not re.search(r'name="basis"[^>]* checked', desk.page), "what the other day is must be said"


def test_a_fraction_of_an_earlier_day_has_no_undo(
    app_context: AppContext, seeded: Study, path: str, clock: Clock, app: Flask
) -> None:
    in_radiotherapy(app_context, seeded, clock)
    clock.move(days=1)
    recorded(app_context, seeded, DateChange("rt_fraction", 3, date(2026, 4, 1)))
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(path)
    assert 'value="undo"' not in desk.page
    assert desk.post(path, do="undo", kind="rt_fraction", number="3").status_code == 303
    assert ("rt_fraction", 3) in standing(app_context, seeded)


def test_not_given_today_needs_a_reason_and_shows_what_moves(
    app_context: AppContext, seeded: Study, path: str, clock: Clock, app: Flask
) -> None:
    in_radiotherapy(app_context, seeded, clock)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    before = windows(app_context, seeded)
    desk.open(path)
    asked = {"do": "not_given", "kind": "rt_fraction", "number": "3"}
    for why in ("", "bored"):
        assert desk.post(path, **asked, why_not=why).status_code == 400
        assert "Choose why." in desk.page
    assert desk.post(path, **asked, why_not="not_given_machine").status_code == 200
    assert "not given: the machine was not available" in desk.page
    assert windows(app_context, seeded) == before
    assert confirms(desk, path).status_code == 303
    # Wednesday 1 April; the next working day is Thursday.
    assert standing(app_context, seeded)["rt_fraction", 3] == (date(2026, 4, 2), True)
    assert windows(app_context, seeded) != before
    desk.open(path)
    assert 'value="treated"' in desk.page
    # "Back to editing" shows the reason in words.
    assert desk.post(path, **asked, why_not="not_given_ill").status_code in (200, 303)
    if 'value="confirm"' in desk.page:
        desk.post(path, do="edit", **hidden(desk.page))
        assert "not given: too ill" in desk.page
    for number in ("0", "29", "2"):
        assert desk.post(path, **asked | {"number": number}, why_not="not_given_ill").status_code == 303


def test_every_date_stands_in_one_table_by_phase_and_rare_ones_only_after_they_happened(
    app_context: AppContext, seeded: Study, path: str, clock: Clock, app: Flask
) -> None:
    in_radiotherapy(app_context, seeded, clock)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(path)
    rows = re.findall(
        r'<th scope="row" role="rowheader">([^<]+)</th>\s*<td role="cell" data-l="Phase">([^<]+)</td>', desk.page
    )
    assert rows[:5] == [
        ("Informed consent", "Before treatment"),
        ("Induction day 1", "Induction"),
        # The next dose, projected from the first day; of those that have passed without a record the first.
        ("Anti-PD-1 dose 1", "Induction"),
        ("Radiotherapy fraction", "Radiotherapy"),
        ("Response assessment at 50 Gy", "Radiotherapy"),
    ]
    assert ("End of radiotherapy", "Radiotherapy") in rows
    assert not any(title.startswith(("Ulcer", "Death", "Withdrawal", "Recurrence")) for title, _phase in rows)
    offered = re.findall(r'<option value="(\w+)">', desk.page.partition('id="else-kind"')[2].partition("</select>")[0])
    assert {"ulcer_suspected", "progression", "withdrawal", "death", "rt_fraction"} <= set(offered)
    recorded(app_context, seeded, DateChange("ulcer_suspected", 1, date(2026, 4, 1)))
    desk.open(path)
    assert "Ulcer suspected 1</th>" in desk.page
    assert "the investigator decides whether radiotherapy continues." in desk.page
    assert len(re.findall(r"<div><dt><b", desk.page.partition('id="next"')[2].partition("</section>")[0])) <= 5


# --- daily ulcer forms, and the end of participation ------------------------------------------------------------------


def test_an_ulcer_starts_its_daily_forms_and_sets_the_fact(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, path: str
) -> None:
    looks_ahead(desk, path, "ulcer_suspected", 1, TODAY)
    assert desk.page.count("Ulcer, day ") == 14
    confirms(desk, path)
    assert {f"ulcer_daily.ulcer_suspected.1.{day}" for day in range(1, 15)} <= {
        name for name, _ in windows(app_context, seeded)
    }
    with transaction(app_context.engine) as session:
        assert (
            clinical_facts.current_fact(app_context.unit_of_work(session), seeded.english.id, "ulcer_status")
            == "suspected"
        )


def test_what_answers_made_us_suspect_is_cleared_with_a_reason(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, path: str
) -> None:
    with transaction(app_context.engine) as session:
        clinical_facts.suspect_ulcer(app_context.unit_of_work(session), seeded.english.id, "UL1")
    desk.open(path)
    assert "An ulcer is suspected from the answers" in desk.page
    assert desk.post(path, do="clear", why=" ").status_code == 400
    assert "Enter the findings." in desk.page
    assert desk.post(path, do="clear", why="endoscopy was clean").status_code == 303
    desk.open(path)
    assert "An ulcer is suspected from the answers" not in desk.page
    with transaction(app_context.engine) as session:
        assert (
            clinical_facts.current_fact(app_context.unit_of_work(session), seeded.english.id, "ulcer_status") == "none"
        )


@pytest.mark.parametrize(("kind", "left"), [("withdrawal", "withdrawn_at"), ("death", "died_at")])
def test_an_end_says_what_it_does_and_does_it_at_once(
    kind: str, left: str, desk: StaffBrowser, app_context: AppContext, seeded: Study, path: str
) -> None:
    more = EXTENT if kind == "withdrawal" else {}
    looks_ahead(desk, path, kind, "", TODAY, reason="told by phone", **more)
    assert "Takes effect as soon as you confirm" in desk.page
    confirms(desk, path)
    with transaction(app_context.engine) as session:
        assert getattr(session.get_one(Participant, seeded.english.id), left) is not None
    desk.open(path)
    assert f"Saved: {kind.capitalize()}" in desk.page


def test_a_withdrawal_asks_its_extent_here_as_on_the_page_of_the_consent(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, path: str
) -> None:
    """A withdrawal by its date asked nothing, and its extent stayed unknown."""
    desk.open(f"{path}?kind=withdrawal")
    assert "What does the participant want to end?" in desk.page
    assert looks_ahead(desk, path, "withdrawal", "", TODAY, reason="told by phone").status_code == 400
    assert "Choose what the participant wants to end." in desk.page
    assert "Enter what the participant was told." in desk.page
    looks_ahead(desk, path, "withdrawal", "", TODAY, reason="told by phone", **EXTENT)
    assert confirms(desk, path, scope="").status_code == 400
    looks_ahead(desk, path, "withdrawal", "", TODAY, reason="told by phone", **EXTENT)
    assert confirms(desk, path).status_code == 303
    with transaction(app_context.engine) as session:
        query = select(Consent).where(Consent.participant_id == seeded.english.id)
        (consent,) = session.scalars(query)
        assert (consent.scope, consent.information) == ("data", "care goes on")
        person = session.get_one(Participant, seeded.english.id)
        assert consent.withdrawn_at == person.withdrawn_at is not None


def test_a_stale_preview_of_a_withdrawal_stores_nothing(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, path: str
) -> None:
    looks_ahead(desk, path, "withdrawal", "", TODAY, reason="told by phone", **EXTENT)
    assert confirms(desk, path, seen="0" * 32).status_code == 409
    with transaction(app_context.engine) as session:
        assert session.get_one(Participant, seeded.english.id).withdrawn_at is None
        query = select(Consent).where(Consent.participant_id == seeded.english.id, Consent.withdrawn_at.is_not(None))
        assert list(session.scalars(query)) == []


def test_the_first_fraction_is_offered_near_its_planned_day_only(
    desk: StaffBrowser, app: Flask, app_context: AppContext, seeded: Study, path: str, clock: Clock
) -> None:
    """The button "Treated today: fraction 1" stood there weeks before the radiotherapy was planned."""
    recorded(app_context, seeded, DateChange("induction_day1", 0, TODAY))
    recorded(app_context, seeded, DateChange("rt_fraction", 1, TODAY + timedelta(days=28), planned=True))
    desk.open(path)
    assert 'value="treated"' not in desk.page
    clock.move(days=25)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(path)
    assert ">Fraction 1 given</button>" in desk.page


@pytest.mark.parametrize("role", ["monitor", "statistician"])
def test_who_only_reads_sees_dates_and_nothing_to_press(role: str, app: Flask, seeded: Study, path: str) -> None:
    desk = signed_in_browser(app, seeded.staff[role])
    desk.open(path)
    assert "Mon 2 Mar" in desk.page
    assert 'name="do"' not in desk.page
    assert ">Record" not in desk.page
