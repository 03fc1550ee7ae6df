"""Test the page of the list of participants."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.features.participants.pages import participant_list
from pro.models import Anchor
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


def test_a_short_list_has_no_pages(app: Flask, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open("/staff/participants?lang=en")
    assert "page=" not in desk.page


def test_filters_stay_in_every_address(app: Flask, app_context: AppContext, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["monitor"])
    desk.open("/staff/participants?lang=en&spoken=en&state=active&sort=-number")
    assert ("NPC-002" in desk.page.partition("<tbody")[2], "NPC-001" in desk.page.partition("<tbody")[2]) == (
        True,
        False,
    )
    assert '<details class="fold" open>' in desk.page
    assert 'aria-sort="descending"' in desk.page
    assert "/staff/participants?spoken=en&state=active&sort=phase" in desk.page
    assert "spoken=en&sort=-number" in desk.page, "the other language keeps them"
    desk.open("/staff/participants?lang=en&phase=died")
    assert "No participant matches the filter." in desk.page


def test_who_ended_treatment_before_radiotherapy_is_found_by_the_phase(
    app: Flask, app_context: AppContext, seeded: Study
) -> None:
    today = app_context.clock().date()
    with form_browser.unit_of_work(app_context, seeded.staff["coordinator"].actor) as work:
        person = factories.participant(work, "NPC-060", phone="")
        for kind, days in (("induction_day1", 30), ("early_stop", 4)):
            on = today - timedelta(days=days)
            work.session.add(Anchor(participant_id=person.id, kind=kind, on=on, recorded_at=work.now))
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open("/staff/participants?lang=en&phase=discontinued")
    assert '<option value="discontinued" selected>Early discontinuation of treatment</option>' in desk.page
    rows = desk.page.partition("<tbody")[2]
    assert ("NPC-060" in rows, "NPC-001" in rows) == (True, False)


@pytest.mark.parametrize("address", ["phase=x", "alert=x", "spoken=x", "way=x", "state=x", "sort=x", "sort=--number"])
def test_an_unknown_filter_is_ignored(app: Flask, seeded: Study, address: str) -> None:
    desk = signed_in_browser(app, seeded.staff["nurse"])
    assert desk.open(f"/staff/participants?lang=en&{address}").status_code == 200
    assert "2 participants" in desk.page


def test_the_search_of_every_page_leads_to_the_record(app: Flask, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open("/staff/roster?lang=en")
    assert 'id="seek"' in desk.page
    answer = desk.open("/staff/participants?find=npc-002&go=1")
    assert (answer.status_code, answer.location) == (303, f"/staff/participants/{seeded.english.id}")
    assert desk.open("/staff/participants?find=npc-00&go=1").status_code == 200
    assert desk.open("/staff/participants?find=npc-001").status_code == 200, "the list itself only narrows"
    other = signed_in_browser(app, seeded.staff["administrator"])
    other.open("/staff/roster?lang=en")
    assert 'id="seek"' not in other.page
