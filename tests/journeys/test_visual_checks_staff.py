"""Check the staff pages with an action for one participant: axe, overflow, targets, hosts.

Lists, inbox and roster are checked in ``test_visual_checks``, dates and visit schedule in ``test_dates``.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize, expect
from sqlalchemy import select

from pro.app_context import AppContext, UnitOfWork
from pro.db import transaction
from pro.features.alerts import test_alerts
from pro.features.assessments import data_entry
from pro.features.forms import form_issuing
from pro.features.schedule import missed_forms
from pro.features.text_messages import incoming_messages
from pro.models import Assessment, Message, Participant
from tests.journeys.people import JourneyStaff
from tests.journeys.test_visual_checks import LANGUAGES, looked_at, sideways, strangers
from tests.support import factories
from tests.support.factories import PLAN, Study
from tests.support.live_system import Site

pytestmark = pytest.mark.journey
PAPER: Mapping[str, Any] = {"bleed": 0, "breath": 0, "chest": 0, "palp": 0, "faint": 0, "temp": 0, "swallow": 0}
PHONE, DESK = ViewportSize(width=390, height=900), ViewportSize(width=1280, height=900)
MESSAGES = "/staff/messages/"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class ToDo:
    """The ids of what is to be done for a participant."""

    person: int
    task: int
    paper: int
    own_paper: int
    stranger: int
    test_alert: int


def much_to_do(app_context: AppContext, study: Study) -> ToDo:
    """Build one entry of each action.

    A participant to call, paper forms of nurse and coordinator, an unknown text, a test alert.
    """
    worker, turn = os.environ.get("PYTEST_XDIST_WORKER", "main").upper(), next(_numbers)
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        work.actor = study.staff["coordinator"].actor
        person = factories.participant(work, f"JW{worker}-{turn:03}")
        task = missed_forms.make_call_task(work, person, "call", f"call:looks:{person.id}")
        form_issuing.send_form(work, person, "qlq_c30", by="link")
        for message in session.scalars(select(Message).where(Message.participant_id == person.id)):
            message.failed_at, message.failure = work.now, "phone_unknown"
        own_paper = typed(work, person)
        work.actor = study.staff["nurse"].actor
        paper = typed(work, person)
        stranger = incoming_messages.receive_message(
            work, provider_id=f"SM{person.id:032}", address=f"+86137001{person.id:05}", text="请问明天几点来"
        )
        test_alert = test_alerts.start_test_alert_now(work, PLAN)
        assert task is not None
        assert stranger is not None
        session.flush()
        return ToDo(person.id, task.id, paper.id, own_paper.id, stranger.id, test_alert.id)


def typed(work: UnitOfWork, person: Participant) -> Assessment:
    """Enter a paper form without symptoms now."""
    return data_entry.enter_form(
        work,
        person,
        "npc_checkin",
        mode="paper",
        answered_by="helped",
        answered_at=work.now,
        given=PAPER,
        language="zh_Hans",
    )


def press(page: Page, what: str) -> None:
    """Press a button and wait for the next page."""
    with page.expect_navigation():
        page.locator(what).first.click()


def doing(page: Page, url: str, todo: ToDo) -> Iterator[str]:
    """Yield the pages of every action, with and without errors.

    A call, an interview, a paper form, an unknown text, a link, a card, a test alert.
    """
    person = f"{url}/staff/participants/{todo.person}"
    page.goto(f"{url}/staff/?show=messages")
    expect(page.locator(f"form[action*='{MESSAGES}']").first).to_be_visible()
    yield "messages not sent"
    page.goto(f"{url}/staff/tasks/{todo.task}")
    yield "task"
    press(page, "#log button")
    yield "task with problems"
    page.locator("#log input[value=no_answer]").check()
    press(page, "#log button")
    yield "task after a call in vain"
    page.goto(f"{person}/enter/npc_checkin?mode=phone")
    yield "phone interview"
    press(page, "form.entry button[type=submit]")
    yield "phone interview with problems"
    page.goto(f"{person}/enter/qlq_c30?mode=paper")
    yield "paper of 30 questions"
    page.goto(f"{url}/staff/assessments/{todo.paper}/check")
    yield "check of paper"
    press(page, "form.entry button[type=submit]")
    yield "check of paper with problems"
    page.locator("input[name=compared]").check()
    press(page, "form.entry button[type=submit]")
    yield "paper checked"
    page.goto(f"{url}/staff/assessments/{todo.own_paper}/check")
    yield "own paper"
    page.goto(f"{url}/staff/inbox/unmatched/{todo.stranger}")
    yield "text of nobody we know"
    press(page, "button[value=assign]")
    yield "text of nobody we know, with problems"
    page.goto(f"{person}/card")
    yield "no card"
    page.fill("input[name=pin]", "12")
    press(page, "button[value=make]")
    yield "card with a problem"
    page.fill("input[name=pin]", "")
    press(page, "button[value=make]")
    yield "card made"
    page.goto(f"{person}/card")
    page.locator("summary").last.click()
    yield "card, about to be revoked"
    press(page, "button[value=revoke]")
    yield "card revoked"
    page.goto(f"{url}/staff/test-alerts/{todo.test_alert}")
    yield "test_alert"


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_on_which_something_is_done(
    live_site: Site, study: Study, nurse: Callable[..., JourneyStaff], language: str
) -> None:
    todo = much_to_do(live_site.app_context, study)
    at_desk = nurse("coordinator", viewport=PHONE)
    at_desk.opens(f"{live_site.url}/staff/sign-in?lang={language}")
    met = strangers(at_desk.page, live_site.url)
    wrong = []
    for name in doing(at_desk.page, live_site.url, todo):
        wrong += looked_at(at_desk.page, name, language)
        at_desk.page.set_viewport_size(DESK)
        wrong += [f"{name} on a desk: {what}" for what in [sideways(at_desk.page)] if what]
        at_desk.page.set_viewport_size(PHONE)
    with transaction(live_site.app_context.engine) as session:
        work = live_site.app_context.unit_of_work(session)
        work.actor = study.staff["nurse"].actor
        test_alerts.confirm_test_alert(work, todo.test_alert)
    at_desk.page.reload()
    wrong += looked_at(at_desk.page, "test alert confirmed", language)
    assert not wrong, "\n".join(wrong)
    assert not met


def test_the_focus_on_a_button_of_the_to_do_list_survives_a_refresh(
    live_site: Site, study: Study, nurse: Callable[..., JourneyStaff]
) -> None:
    much_to_do(live_site.app_context, study)
    page = nurse("coordinator", viewport=DESK).opens(f"{live_site.url}/staff/?show=messages&lang=en").page
    form = page.locator(f"form[action*='{MESSAGES}']").first
    action = form.get_attribute("action")
    form.locator("button").focus()
    # The browser fires this when a person comes back to the tab; the page then refreshes at once.
    with page.expect_response(lambda answer: answer.request.headers.get("x-refresh") == "1"):
        page.evaluate(
            "document.querySelector('.list').id = 'old'; document.dispatchEvent(new Event('visibilitychange'))"
        )
    expect(page.locator("#old")).to_have_count(0)
    expect(page.locator(f"form[action='{action}'] button")).to_be_focused()
