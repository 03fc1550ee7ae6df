"""Test the reporting clock of a serious adverse event on its pages, in both languages."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask

from pro.app_context import AppContext
from tests.support import factories
from tests.support.factories import Clock, Study
from tests.support.staff_browser import StaffBrowser, signed_in_browser


@pytest.fixture
def number(app_context: AppContext, seeded: Study) -> int:
    """Record a serious event that became known five hours ago; return its id."""
    known = app_context.clock() - timedelta(hours=5)
    said = {"serious": True, "awareness_time": known, "action": "admitted"}
    event_id = factories.sign_grading(app_context, seeded.staff["investigator"], seeded.chinese.id, **said).event_id
    assert event_id is not None
    return event_id


def counts(desk: StaffBrowser) -> dict[str, int]:
    """Return the counts of the filters: list -> number; "" is all."""
    found = re.findall(r'href="/staff/(?:\?show=(\w+))?"[^>]*>[^<]+<b>(\d+)</b>', desk.page)
    return {show: int(many) for show, many in found}


@pytest.mark.parametrize(
    ("language", "term", "by", "late"),
    [
        ("en", "Pharyngeal necrosis, grade 3", "Report by", "Report overdue since"),
        ("zh_Hans", "咽部坏死，3级", "请在", "应在"),
    ],
)
def test_it_is_on_the_to_do_list_until_it_has_been_reported(
    app: Flask, clock: Clock, seeded: Study, number: int, language: str, term: str, by: str, late: str
) -> None:
    desk = signed_in_browser(app, seeded.staff["investigator"])
    desk.open(f"/staff/?lang={language}")
    # It is the only entry, and a list of one kind needs no filter by kind.
    assert counts(desk) == {"": 1}
    assert desk.page.count(f'href="/staff/adverse-events/{number}"') == 1
    desk.open("/staff/?show=serious")
    assert counts(desk)["serious"] == 1
    (line,) = re.findall(r'<ul class="list han">\s*<li .*?</ul>', desk.page, re.DOTALL)
    assert term in line
    assert by in line
    assert late not in line
    assert f'href="/staff/adverse-events/{number}"' in line
    clock.move(hours=20)
    desk = signed_in_browser(app, seeded.staff["investigator"])
    desk.open(f"/staff/?show=serious&lang={language}")
    assert late in desk.page
    desk.open(f"/staff/adverse-events/{number}")
    assert desk.post(f"/staff/adverse-events/{number}", do="report").status_code == 303
    desk.open("/staff/")
    assert "serious" not in counts(desk)
    assert term not in desk.page


def test_the_events_own_page_has_the_clock(app: Flask, seeded: Study, number: int) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(f"/staff/adverse-events/{number}?lang=en")
    assert re.search(r"report by [^<]*19", re.sub(r"</?strong>|</?b>", "", desk.page))


@pytest.mark.parametrize("role", ["coordinator", "nurse", "monitor"])
def test_roles_with_access_to_the_to_do_list_and_events_see_it(
    app: Flask, seeded: Study, number: int, role: str
) -> None:
    desk = signed_in_browser(app, seeded.staff[role])
    desk.open("/staff/")
    (link,) = re.findall(r'href="(/staff/adverse-events/\d+)"', desk.page)
    assert desk.open(link).status_code == 200
