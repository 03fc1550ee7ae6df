"""Test the to-do list's page: a filter is shown, and so is what it hides."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from pro.app_context import Actor, AppContext
from pro.db import transaction
from pro.features.schedule import missed_forms
from pro.models import Message
from tests.support import factories, form_browser
from tests.support.factories import Clock, Study
from tests.support.staff_browser import report_bleeding, signed_in_browser

LEFT_OUT = "1 unacknowledged alert is hidden by the filter"


def test_a_filtered_to_do_list_counts_what_it_shows_and_says_what_it_hides(
    app: Flask, app_context: AppContext, seeded: Study
) -> None:
    form_browser.press_start(app_context, seeded.english.checkin).save(bleed=4)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open("/staff/?lang=en")
    assert "<title>(1) To do</title>" in desk.page
    assert LEFT_OUT not in desk.page
    desk.open("/staff/?level=urgent&owner=nobody")
    assert LEFT_OUT in desk.page
    assert "No unacknowledged alerts" not in desk.page
    assert "Nothing to do here" not in desk.page
    assert "Nothing matches the filter" in desk.page
    # The title and the sound depend on all open entries, not on the filter.
    assert "<title>(1) To do</title>" in desk.page
    assert 'data-loud="1"' in desk.page
    # A filter stays when another list or the other language is chosen.
    assert "/staff/?level=urgent&owner=nobody&mine=1" in desk.page
    assert "level=urgent&owner=nobody&lang=zh_Hans" in desk.page
    desk.open("/staff/?level=emergency")
    assert LEFT_OUT not in desk.page
    assert seeded.english.participant_number in desk.page


def test_a_filter_that_is_none_shows_everything(app: Flask, app_context: AppContext, seeded: Study) -> None:
    form_browser.press_start(app_context, seeded.english.checkin).save(bleed=4)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open("/staff/?lang=en")
    for query in ("level=99", "owner=%3Cb%3E", "study=none", "show=nothing"):
        assert desk.open(f"/staff/?{query}").status_code == 200
        assert LEFT_OUT not in desk.page
        assert seeded.english.participant_number in desk.page


def test_a_failed_message_is_handled_once(app: Flask, app_context: AppContext, seeded: Study) -> None:
    report_bleeding(app_context, seeded.english.checkin)
    with transaction(app_context.engine) as session:
        mails = session.query(Message).order_by(Message.id).all()
        for message in mails:
            message.failed_at, message.failure = app_context.clock(), "address_refused"
        number, first = len(mails), mails[0].id
    desk = signed_in_browser(app, seeded.staff["nurse"])
    desk.open("/staff/?lang=en")
    assert desk.page.count("Mark as resolved<span") == number
    answer = desk.post(f"/staff/messages/{first}")
    assert (answer.status_code, answer.location) == (303, "/staff/")
    desk.open("/staff/")
    assert "The message has been removed from the list." in desk.page
    assert desk.page.count("Mark as resolved<span") == number - 1
    again = desk.post(f"/staff/messages/{first}?show=messages&level=urgent&next=/elsewhere")
    assert again.location == "/staff/?show=messages&level=urgent"
    desk.open("/staff/")
    assert "Nurse already resolved this message" in desk.page
    monitor = signed_in_browser(app, seeded.staff["monitor"])
    monitor.open("/staff/?lang=en")
    assert "Mark as resolved<span" not in monitor.page


@pytest.mark.parametrize(("outcome", "reached"), [("reached", "Participant reached"), ("no_answer", "")])
def test_a_participant_who_was_reached_since_needs_no_call(
    app: Flask, app_context: AppContext, seeded: Study, clock: Clock, outcome: str, reached: str
) -> None:
    with transaction(app_context.engine) as session:
        factories.save_answers(
            app_context.unit_of_work(session),
            factories.open_form_session(app_context.unit_of_work(session), seeded.english.checkin),
            odor=3,
        )
    clock.move(minutes=20)
    desk = signed_in_browser(app, seeded.staff["nurse"])
    desk.open("/staff/alerts/1?lang=en")
    assert "Contact by" in desk.page
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        work.actor = Actor("staff", seeded.staff["nurse"].id, "nurse", "")
        missed_forms.log_call(work, at=work.now, outcome=outcome, text="", participant_id=seeded.english.id)
    clock.move(days=2)
    desk = signed_in_browser(app, seeded.staff["nurse"])
    for path in ("/staff/?lang=en", "/staff/alerts/1?lang=en"):
        desk.open(path)
        words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", desk.page))
        late = re.search(r"Contact overdue since|Contact by", words)
        assert bool(late) is not bool(reached)
        assert not reached or (re.search(r"Called|Phone call\b", words) and reached in words)
