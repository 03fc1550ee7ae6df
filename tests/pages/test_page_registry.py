"""Pages are declared once: what a sign-in calls an address, which page an address shows, each only once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from pro.web import page_registry
from pro.web.page_registry import PAGES, StaffPage

# An address -> the words of "After signing in you go to".
WAYS_BACK = {
    "/staff/": "To do",
    "/staff/alerts/7": "the alert you opened",
    "/staff/alerts/7/assess": "the alert you opened",
    "/staff/participants": "the list of participants",
    "/staff/participants/7": "the participant’s page",
    "/staff/participants/7/stable": "the participant’s page",
    "/staff/participants/new": "the participant’s page",
    "/staff/roster/shifts/7?lang=en": "the duty roster",
    "/staff/test-alerts/7": "the weekly test alert",
    "/staff/tasks/7": "the call task you opened",
    "/staff/inbox?show=unread": "the text messages you opened",
    "/staff/inbox/unmatched/7": "the text messages you opened",
    "/staff/adverse-events/discordance": "the adverse events",
    "/staff/audit": "the audit trail",
    "/staff/me/password": "my account",
    "/staff/accounts/7": "the list of accounts",
    "/staff/ulcers/7": "the list of ulcers",
    "/staff/study-overview": "the study overview",
    "/staff/simulator/plan.yaml": "the rule simulator",
    "/staff/corrections": "To do",
    "/staff/nothing": "To do",
}


@pytest.mark.parametrize(("path", "words"), WAYS_BACK.items())
def test_a_sign_in_names_where_it_leads(app: Flask, path: str, words: str) -> None:
    found = page_registry.way_back(path)
    assert found is not None
    assert found.way_back == words


@pytest.mark.parametrize(
    ("endpoint", "path", "page"),
    [
        ("staff.participants.send", "/staff/participants/7/send", "staff.participants.one"),
        ("staff.tasks.settle", "/staff/messages/7", "staff.sent.show"),
        ("staff.participants.new", "/staff/participants/new", "staff.participants.new"),
        ("staff.accounts.invite", "/staff/accounts/new", "staff.accounts.new"),
        ("staff.adverse_events.change", "/staff/adverse-events/7", "staff.adverse_events.one"),
    ],
)
def test_a_form_is_answered_by_the_page_above_its_address(app: Flask, endpoint: str, path: str, page: str) -> None:
    found = page_registry.page_at(endpoint, path)
    assert found is not None
    assert found.endpoint == page


def test_a_page_is_declared_once(app: Flask) -> None:
    board = PAGES["staff.to_do_list"]
    other = StaffPage("staff.other", "/staff/other", "see_to_do_list")
    for page, why in (
        (board, "declared twice"),
        (replace(other, menu=board.menu, section="other"), "place 10 of the menu"),
        # Both entries of the menu would be marked on either page.
        (replace(other, menu=board.menu + 1, section=board.section), "give section="),
    ):
        with pytest.raises(ValueError, match=why):
            page_registry.add(page)
    assert "staff.other" not in PAGES
