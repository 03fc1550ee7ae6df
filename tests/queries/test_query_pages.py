"""Test the pages of queries: who may do what, what is shown where, and how many statements a page needs."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import func, select

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.queries import query_service
from pro.models import Assessment, AuditEntry, Query, QueryStep
from tests.support import factories, form_browser
from tests.support.factories import Study
from tests.support.query_count import record_queries
from tests.support.staff_browser import StaffBrowser, signed_in_browser

ASKED = "Does this fit the call of that day?"


@pytest.fixture
def form_id(app_context: AppContext, seeded: Study) -> int:
    """Return the id of a received check-in of the Chinese participant."""
    way = seeded.chinese.checkin
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        factories.save_answers(work, factories.open_form_session(work, way), bleed=2, bleed_now=0, free_text="王秀兰")
        session.get_one(Assessment, way.assessment_id).submitted_at = work.now
    return way.assessment_id


def asks(app: Flask, study: Study, form_id: int, item: str = "bleed", text: str = ASKED) -> StaffBrowser:
    """Ask a query on the form's page; return the monitor's browser on the query."""
    desk = signed_in_browser(app, study.staff["monitor"])
    desk.open(f"/staff/assessments/{form_id}/queries?lang=en")
    answer = desk.press(item=item, text=text)
    assert answer.status_code == 303
    desk.open(answer.location)
    return desk


def query_path(desk: StaffBrowser) -> str:
    found = re.search(r'action="(/staff/queries/\d+)"', desk.page)
    assert found is not None
    return found[1]


def test_monitor_and_coordinator_go_through_a_query(app: Flask, seeded: Study, form_id: int) -> None:
    monitor = asks(app, seeded, form_id)
    path = query_path(monitor)
    assert ASKED in monitor.page
    assert "The query is open" in monitor.page
    coordinator = signed_in_browser(app, seeded.staff["coordinator"])
    coordinator.open("/staff/?lang=en")
    later = coordinator.page.partition("When there is time")[2]
    assert f'href="{path}"' in later
    coordinator.open(path)
    assert "Current answer" in coordinator.page
    assert coordinator.press(do="answer", text="").status_code == 400
    assert "Enter a text." in coordinator.page
    assert coordinator.press(do="answer", text="Yes, see the call log.").location == path
    monitor.open(path)
    assert "Yes, see the call log." in monitor.page
    assert monitor.press(do="ask_again", text="Which call?").location == path
    coordinator.open(path)
    coordinator.press(do="answer", text="The one at nine.")
    monitor.open(path)
    assert monitor.press(do="close").location == path
    monitor.open(path)
    assert "The query is closed." in monitor.page
    assert "<textarea" not in monitor.page


def test_it_stands_on_the_form_the_participant_the_list_and_in_the_audit_trail(
    app: Flask, seeded: Study, form_id: int
) -> None:
    monitor = asks(app, seeded, form_id)
    path = query_path(monitor)
    for page in (
        f"/staff/assessments/{form_id}/corrections",
        f"/staff/assessments/{form_id}/queries",
        "/staff/queries",
    ):
        monitor.open(page)
        assert f'href="{path}"' in monitor.page, page
    monitor.open(f"/staff/participants/{seeded.chinese.id}/forms?form={form_id}")
    assert f'href="/staff/assessments/{form_id}/queries"' in monitor.page
    assert "Queries: 1 not closed" in monitor.page
    monitor.open(f"/staff/audit?participant={seeded.chinese.id}&kind=answers")
    assert "Query asked" in monitor.page
    assert ASKED in monitor.page
    with transaction(app.extensions["app_context"].engine) as session:
        ref = session.get_one(Assessment, form_id).ref
    monitor.open(f"/staff/audit?form={ref}&kind=answers")
    assert ASKED in monitor.page


@pytest.mark.parametrize("role", ["coordinator", "investigator", "nurse", "statistician", "administrator"])
def test_only_a_monitor_asks_and_closes(app: Flask, seeded: Study, form_id: int, role: str) -> None:
    path = query_path(asks(app, seeded, form_id))
    desk = signed_in_browser(app, seeded.staff[role])
    desk.open("/staff/me")
    assert desk.post(f"/staff/assessments/{form_id}/queries", item="bleed", text=ASKED).status_code == 403
    desk.open("/staff/me")
    for wish in ("close", "ask_again"):
        assert desk.post(path, do=wish, text="x", seen="1").status_code == 403
        desk.open("/staff/me")
    may = role in ("coordinator", "investigator")
    # Nothing was read on this page, so the answer is refused (409), never as that of a role that may not.
    assert desk.post(path, do="answer", text="x").status_code == (409 if may else 403)
    desk.open(path)
    assert ('value="answer"' in desk.page) is may
    assert 'value="close"' not in desk.page


def test_a_monitor_answers_nothing(app: Flask, seeded: Study, form_id: int) -> None:
    monitor = asks(app, seeded, form_id)
    path = query_path(monitor)
    assert 'value="answer"' not in monitor.page
    assert monitor.post(path, do="answer", text="x", seen="1").status_code == 403
    monitor.open(path)
    assert monitor.post(path, do="delete", text="x", seen="1").status_code == 400


def test_the_second_of_two_colleagues_keeps_the_text_and_sees_what_the_first_wrote(
    app: Flask, seeded: Study, form_id: int
) -> None:
    path = query_path(asks(app, seeded, form_id))
    first, second = (signed_in_browser(app, seeded.staff[role]) for role in ("coordinator", "investigator"))
    first.open(path)
    second.open(f"{path}?lang=en")
    first.press(do="answer", text="From the first.")
    assert second.press(do="answer", text="From the second.").status_code == 409
    assert "A colleague was first" in second.page
    assert "From the first." in second.page
    with transaction(app.extensions["app_context"].engine) as session:
        assert "From the second." not in [row.text for row in session.scalars(select(QueryStep))]


def test_free_text_of_an_answer_is_not_repeated_to_roles_that_see_no_identity(
    app: Flask, seeded: Study, form_id: int
) -> None:
    monitor = asks(app, seeded, form_id, item="free_text")
    assert "王秀兰" not in monitor.page
    assert "hidden from your role" in monitor.page
    coordinator = signed_in_browser(app, seeded.staff["coordinator"])
    coordinator.open(query_path(monitor))
    assert "王秀兰" in coordinator.page


def test_a_button_that_is_pressed_twice_asks_once(
    app: Flask, app_context: AppContext, seeded: Study, form_id: int
) -> None:
    path = f"/staff/assessments/{form_id}/queries"
    monitor = signed_in_browser(app, seeded.staff["monitor"])
    monitor.open(path)
    first, second = (monitor.post(path, item="bleed", text=text) for text in (ASKED, f"  {ASKED} "))
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.location == second.location
    with transaction(app_context.engine) as session:
        assert len(session.scalars(select(Query)).all()) == len(session.scalars(select(QueryStep)).all()) == 1
        asked = select(AuditEntry).where(AuditEntry.action == "query.asked")
        assert len(session.scalars(asked).all()) == 1
    # Another text, another answer, and the same question after the first was closed are queries of their own.
    monitor.open(path)
    monitor.post(path, item="bleed", text="Which day was it?")
    monitor.post(path, item="", text=ASKED)
    with transaction(app_context.engine) as session:
        session.scalars(select(Query).order_by(Query.id).limit(1)).one().state = "closed"
    monitor.post(path, item="bleed", text=ASKED)
    with transaction(app_context.engine) as session:
        assert len(session.scalars(select(Query)).all()) == 4


def test_a_form_that_was_not_received_has_no_queries(app: Flask, seeded: Study) -> None:
    monitor = signed_in_browser(app, seeded.staff["monitor"])
    waiting = seeded.english.checkin.assessment_id
    assert monitor.open(f"/staff/assessments/{waiting}/queries").status_code == 404
    monitor.open("/staff/me")
    assert monitor.post(f"/staff/assessments/{waiting}/queries", item="", text=ASKED).status_code == 404
    monitor.open("/staff/queries?lang=en")
    assert "No queries yet" in monitor.page


def many(app_context: AppContext, study: Study, form_id: int, number: int) -> None:
    """Ask ``number`` queries; each has its own text, because the same one is not asked twice."""
    with form_browser.unit_of_work(app_context, study.staff["monitor"].actor) as work:
        form = work.session.get_one(Assessment, form_id)
        known = work.session.scalar(select(func.count()).select_from(Query)) or 0
        for one in range(known, known + number):
            query_service.ask_query(work, form, "bleed", f"{ASKED} ({one})" if one else ASKED)


def statements(desk: StaffBrowser, path: str) -> int:
    desk.open(path)
    with record_queries(desk.app.extensions["app_context"].engine) as asked:
        assert desk.open(path).status_code == 200
    return len(asked)


def test_the_list_has_pages_of_fifty_and_needs_as_many_statements_for_many(
    app: Flask, app_context: AppContext, seeded: Study, form_id: int
) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    paths = ("/staff/queries", f"/staff/assessments/{form_id}/queries", "/staff/")
    many(app_context, seeded, form_id, 2)
    few = [statements(desk, path) for path in paths]
    many(app_context, seeded, form_id, 60)
    assert [statements(desk, path) for path in paths] == few
    desk.open("/staff/queries?lang=en")
    assert desk.page.count('href="/staff/queries/') == query_service.PAGE_SIZE
    assert "Page 1 of 2" in desk.page
    desk.open("/staff/queries?page=2")
    assert desk.page.count('href="/staff/queries/') == 12
    desk.open("/staff/queries?show=closed")
    assert "No query is in this state" in desk.page
    for page in ("0", "-1", "x", "999"):
        assert desk.open(f"/staff/queries?page={page}").status_code == 200
    desk.open("/staff/?lang=en")
    assert "57 more queries wait." in desk.page


def test_a_step_never_changes(app_context: AppContext, seeded: Study, form_id: int) -> None:
    many(app_context, seeded, form_id, 1)
    with (
        pytest.raises(Exception, match="never changed or deleted"),
        transaction(app_context.engine) as session,
    ):
        session.scalars(select(QueryStep)).one().text = "something else"
    with transaction(app_context.engine) as session:
        assert session.scalars(select(QueryStep)).one().text == ASKED
        assert session.scalars(select(Query)).one().state == "open"
