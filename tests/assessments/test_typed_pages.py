"""Test a number and a text on a page of their own."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.core.questionnaire.instrument import Page
from tests.support.factories import Study
from tests.support.participant_browser import ParticipantBrowser, stored_answers


@pytest.fixture
def phone(app: Flask, app_context: AppContext, seeded: Study) -> ParticipantBrowser:
    """Return a phone on a check-in that asks first for the weight, then for a text, each on its own page."""
    whole = app_context.catalogue.instruments["npc_checkin"]
    weight = replace(whole.items["weight"], optional=False)
    changed = replace(
        whole,
        items={**whole.items, "weight": weight},
        pages=(Page("weight", ("weight",)), Page("free_text", ("free_text",)), whole.pages[0]),
    )
    catalogue = replace(
        app_context.catalogue, instruments={**app_context.catalogue.instruments, "npc_checkin": changed}
    )
    app.extensions["app_context"] = replace(app.extensions["app_context"], catalogue=catalogue)
    browser = ParticipantBrowser(app)
    browser.start(seeded.english.checkin)
    return browser


def test_a_number_alone_has_its_box_and_can_be_skipped(
    phone: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    assert 'id="f-weight" name="weight" inputmode="decimal"' in phone.page
    assert 'name="do" value="skip"' in phone.page
    assert "You can leave" not in phone.page
    answer = phone.press(do="next", weight="")
    assert answer.status_code == 422
    assert "Please fill this in, or skip it." in phone.page
    assert phone.press(do="next", weight="abc").status_code == 422
    assert phone.press(do="next", weight="62.5").status_code == 303
    assert Decimal(stored_answers(app_context, seeded.english.checkin)["weight"]) == Decimal("62.5")
    assert phone.shown == "free_text"


def test_skip_leaves_out_only_what_is_empty(phone: ParticipantBrowser, seeded: Study, app_context: AppContext) -> None:
    assert phone.press(do="skip", weight="abc").status_code == 422
    assert 'value="abc"' in phone.page
    assert phone.press(do="skip", weight="62.5").status_code == 303
    assert stored_answers(app_context, seeded.english.checkin) == {"weight": "62.5"}


def test_skip_keeps_the_text_beside_an_empty_number(
    phone: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    context = phone.app.extensions["app_context"]
    whole = context.catalogue.instruments["npc_checkin"]
    changed = replace(whole, pages=(Page("both", ("weight", "free_text")), whole.pages[0]))
    catalogue = replace(context.catalogue, instruments={**context.catalogue.instruments, "npc_checkin": changed})
    phone.app.extensions["app_context"] = replace(context, catalogue=catalogue)
    phone.open(phone.at)
    assert phone.press(do="skip", weight="", free_text="the nose smells foul").status_code == 303
    stored = stored_answers(app_context, seeded.english.checkin)
    assert stored["free_text"] == "the nose smells foul"
    assert stored.get("weight") is None


def test_a_number_that_must_not_be_empty_is_skipped_by_its_button(
    phone: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    assert phone.press(do="skip", weight="").status_code == 303
    assert stored_answers(app_context, seeded.english.checkin) == {"weight": None}


def test_a_text_alone_has_its_box_and_may_stay_empty(
    phone: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    phone.press(do="skip", weight="")
    assert '<textarea class="field" id="f-free_text" name="free_text"' in phone.page
    assert "You can leave this empty." in phone.page
    assert 'value="skip"' not in phone.page
    assert phone.press(do="next", free_text="hello").status_code == 303
    assert stored_answers(app_context, seeded.english.checkin)["free_text"] == "hello"
    assert phone.shown == "bleed"
