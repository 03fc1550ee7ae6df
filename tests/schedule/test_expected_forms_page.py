"""Test the page of expected and received forms: status, and reason for a missing form."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.assessments import answer_service
from pro.features.schedule import enrolment
from pro.features.text_messages import reminders
from pro.models import MISSING_REASONS, AuditEntry, ExpectedForm, Participant
from pro.web import labels as web_labels
from tests.support import factories
from tests.support.factories import Clock, Study
from tests.support.staff_browser import StaffBrowser, signed_in_browser


@pytest.fixture
def path(seeded: Study) -> str:
    """Return the address of the English participant's visit schedule."""
    return f"/staff/participants/{seeded.english.id}/forms"


@pytest.fixture
def late_desk(app: Flask, app_context: AppContext, seeded: Study, clock: Clock) -> StaffBrowser:
    """Return the coordinator's browser seventeen days after consent, with two missed forms."""
    later(app_context, clock)
    return signed_in_browser(app, seeded.staff["coordinator"])


def later(app_context: AppContext, clock: Clock) -> None:
    """Move on by seventeen days and run the schedule job for every participant."""
    clock.move(days=17)
    with transaction(app_context.engine) as session:
        session.execute(update(Participant).values(next_due_at=clock.now))
    reminders.run_due_participants(app_context)


def missed(app_context: AppContext, participant_id: int) -> list[ExpectedForm]:
    """Return the forms that the worker marked as missed."""
    with transaction(app_context.engine) as session:
        query = select(ExpectedForm).where(
            ExpectedForm.participant_id == participant_id, ExpectedForm.missed_at.is_not(None)
        )
        return list(session.scalars(query.order_by(ExpectedForm.id)))


def counts(page: str) -> dict[str, int]:
    """Return the figures at the top."""
    return {name: int(count) for name, count in re.findall(r"<dt>([^<]+)</dt><dd[^>]*>(\d+)</dd>", page)}


def states(page: str) -> list[str]:
    """Return the labels of the statuses."""
    return re.findall(r'<b class="state">([^<]+)</b>', page)


def test_a_form_that_was_over_before_enrolment_has_its_reason_and_no_person_behind_it(
    app: Flask, app_context: AppContext, seeded: Study
) -> None:
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        consented = (work.now - timedelta(days=20)).date()
        late = enrolment.enrol(
            work,
            plan=factories.PLAN,
            participant_number="NPC-009",
            phone="",
            language="en",
            pin="2468",
            consented_on=consented,
            consent_version="1.0",
            health_data=True,
        )
        path = f"/staff/participants/{late.id}/forms"
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    assert desk.open(path).status_code == 200
    assert states(desk.page) == ["Missed", "Missed"]
    assert counts(desk.page)["No reason recorded"] == 0
    assert desk.page.count("the system, 09:00") == 2


def test_before_anything_came_the_forms_are_open_and_not_missed(app: Flask, seeded: Study, path: str) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(path)
    assert states(desk.page) == ["Open", "Open"]
    assert counts(desk.page)["Missed"] == 0
    assert counts(desk.page)["Awaiting completion"] == 2
    assert "due 9 Mar 20:00" in desk.page


def test_a_form_that_came_is_received_and_says_how(
    app: Flask, app_context: AppContext, seeded: Study, path: str
) -> None:
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        here = factories.open_form_session(work, seeded.english.qlq, language="en")
        answers: dict[str, Any] = {f"Q{number}": 2 for number in range(1, 31)}
        factories.save_answers(work, here, language="en", **answers)
        answer_service.submit_form(work, here, "en")
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(path)
    assert sorted(states(desk.page)) == ["Open", "Received"]
    assert "on a web page" in desk.page
    assert "answered by the participant" in desk.page
    figures = counts(desk.page)
    assert (figures["Received"], figures["Within the window"], figures["Out of window"]) == (1, 1, 0)


def test_a_missed_form_gets_a_reason_with_who_and_when(
    late_desk: StaffBrowser, app_context: AppContext, seeded: Study, path: str
) -> None:
    rows = missed(app_context, seeded.english.id)
    assert len(rows) == 2
    late_desk.open(path)
    assert states(late_desk.page) == ["Missed", "Missed"]
    assert late_desk.page.count("Reason not recorded") == 2
    assert counts(late_desk.page)["No reason recorded"] == 2
    answer = late_desk.post(path, expected=rows[0].id, reason="too_ill", note=" in hospital <3> ")
    assert answer.location == f"{path}#line-{rows[0].id}"
    late_desk.open(path)
    assert "Reason saved." in late_desk.page
    assert "<b>Too ill</b>" in late_desk.page
    assert "in hospital <3>" in late_desk.page
    assert "Coordinator, 09:00" in late_desk.page
    assert counts(late_desk.page)["No reason recorded"] == 1
    with transaction(app_context.engine) as session:
        event = session.scalars(select(AuditEntry).where(AuditEntry.action == "expected_form.reason")).one()
        assert (event.new, event.actor_id) == ("too_ill", seeded.staff["coordinator"].id)


@pytest.mark.parametrize(
    ("reason", "note", "sentence"),
    [
        ("", "phoned twice", "Choose a reason."),
        ("bored", "phoned twice", "Choose one of the options shown."),
        ("forgot", "长" * 501, "The note is too long:"),
    ],
)
def test_a_reason_that_cannot_be_kept_stands_by_its_line_and_loses_nothing(
    reason: str, note: str, sentence: str, late_desk: StaffBrowser, app_context: AppContext, seeded: Study, path: str
) -> None:
    row = missed(app_context, seeded.english.id)[0]
    late_desk.open(path)
    assert late_desk.post(path, expected=row.id, reason=reason, note=note).status_code == 400
    assert late_desk.page.count(sentence) == 1
    assert '<details class="confirm" open>' in late_desk.page
    assert note in late_desk.page
    if reason == "forgot":
        assert '<option value="forgot" selected>' in late_desk.page
    assert missed(app_context, seeded.english.id)[0].missing_reason == ""


@pytest.mark.parametrize("which", ["", "x", "999999", "other", "open"])
def test_only_a_missed_line_of_this_participant_takes_a_reason(
    which: str, late_desk: StaffBrowser, app_context: AppContext, seeded: Study, path: str
) -> None:
    late_desk.open(path)
    number = str(missed(app_context, seeded.chinese.id)[0].id) if which == "other" else which
    assert late_desk.post(path, expected=number, reason="forgot").status_code == 400
    assert {row.missing_reason for row in missed(app_context, seeded.chinese.id)} == {""}


def test_the_to_do_list_counts_missed_forms_without_a_reason(
    late_desk: StaffBrowser, app_context: AppContext, seeded: Study, path: str
) -> None:
    late_desk.open("/staff/?show=missed")
    assert "2 missed forms have no reason recorded." in late_desk.page
    assert f'href="{path}"' in late_desk.page
    late_desk.open(path)
    for row in missed(app_context, seeded.english.id):
        late_desk.post(path, expected=row.id, reason="refused")
    late_desk.open("/staff/?show=missed")
    assert f'href="{path}"' not in late_desk.page
    assert "NPC-001" in late_desk.page


def test_the_participants_page_says_what_is_awaited_and_what_comes_next(
    app: Flask, seeded: Study, clock: Clock, app_context: AppContext
) -> None:
    page = f"/staff/participants/{seeded.english.id}"
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(page)
    assert re.search(r"<dt>Next visit</dt><dd><b>Before treatment</b><span[^>]*>[^<]*open, closes", desk.page)
    later(app_context, clock)
    late = signed_in_browser(app, seeded.staff["coordinator"])
    late.open(page)
    assert "<dt>Next visit</dt><dd>None expected" in late.page
    assert "2 missed forms have no reason recorded." in late.page
    for link in ("dates", "forms"):
        assert f'href="{page}/{link}"' in late.page


def test_every_state_and_reason_has_a_word(app_context: AppContext) -> None:
    assert set(web_labels.MISSING_REASONS) == set(MISSING_REASONS)
    states = {"not_open", "open", "due", "late", "received", "partial", "served_elsewhere", "missed", "expired"}
    assert set(web_labels.EXPECTED_FORM_STATES) == states
