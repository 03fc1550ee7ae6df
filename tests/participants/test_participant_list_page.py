"""Test the page of the list of participants."""

from __future__ import annotations

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.features.participants.pages import participant_list
from tests.support import factories, form_browser
from tests.support.factories import Study
from tests.support.staff_browser import signed_in_browser


@pytest.mark.parametrize("number", ["", "abc", "-1", "٣", "99999999999999999999", "2"])
def test_any_page_number_shows_a_page(
    app: Flask, app_context: AppContext, seeded: Study, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    monkeypatch.setattr(participant_list, "PAGE_SIZE", 1)
    desk = signed_in_browser(app, seeded.staff["statistician"])
    assert desk.open(f"/staff/participants?lang=en&page={number}").status_code == 200
    assert f"page {2 if number in ('2', '99999999999999999999') and len(number) < 10 else 1} of 2" in desk.page


def test_a_way_to_the_next_page_keeps_what_is_looked_for(
    app: Flask, app_context: AppContext, seeded: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(participant_list, "PAGE_SIZE", 2)
    with form_browser.unit_of_work(app_context) as work:
        for number in range(3):
            factories.participant(work, f"B-B-{number}", phone="")
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open("/staff/participants?lang=en&find=b-b")
    assert ("B-B-1" in desk.page, "B-B-2" in desk.page) == (True, False)
    assert 'value="b-b"' in desk.page
    assert "/staff/participants?find=b-b&page=2" in desk.page
    assert "find=b-b&lang=zh_Hans" in desk.page
    desk.open("/staff/participants?find=b-b&page=2")
    assert ("B-B-1" in desk.page, "B-B-2" in desk.page) == (False, True)
    desk.open("/staff/participants?find=nobody")
    assert "No participant number contains this" in desk.page


def test_a_short_list_has_neither(app: Flask, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open("/staff/participants?lang=en")
    assert 'name="find"' not in desk.page
    assert "page=" not in desk.page
