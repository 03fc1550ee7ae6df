"""What every staff page has: a menu of the role's own pages, few in a line, and every word in the page's language."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from pro.features.accounts.staff_accounts import RIGHTS, has_right
from pro.pages.menu import IN_DESKTOP_BAR, MAX_IN_BAR, ON_PHONE, build_menu
from pro.web.page_registry import menu_pages
from tests.support.factories import Study
from tests.support.staff_browser import signed_in_browser

# The menu of a person with every right, in its order.
WHOLE_MENU = [
    ("see_to_do_list", "staff.to_do_list", "to_do_list", "To do"),
    ("see_inbox", "staff.inbox.everything", "inbox", "Text messages"),
    ("see_participants", "staff.participants.everyone", "participants", "Participants"),
    ("see_dates", "staff.visits.show", "visits", "Visits"),
    ("see_study_overview", "staff.study_overview.show", "study_overview", "Study overview"),
    ("see_adverse_events", "staff.adverse_events.everything", "adverse_events", "Adverse events"),
    ("see_ulcers", "staff.ulcers.everything", "ulcers", "Ulcers and stopping rule"),
    ("see_inbox", "staff.sent.show", "sent", "Sent messages"),
    ("see_roster", "staff.roster.show", "roster", "Duty roster"),
    ("see_answers", "staff.corrections.everything", "corrections", "Data corrections"),
    ("see_answers", "staff.queries.everything", "queries", "Queries"),
    ("see_audit", "staff.audit.show", "audit", "Audit trail"),
    ("manage_staff", "staff.accounts.everyone", "accounts", "Accounts"),
]
# A role -> what folds on a desk, by the ``section`` of its pages.
FOLDED = {
    "coordinator": ["adverse_events", "ulcers", "sent", "roster", "corrections", "queries", "audit"],
    "investigator": ["adverse_events", "ulcers", "sent", "roster", "corrections", "queries", "audit"],
    "nurse": ["adverse_events", "ulcers", "sent", "roster", "corrections", "queries"],
    "monitor": ["adverse_events", "ulcers", "sent", "roster", "corrections", "queries", "audit"],
    "statistician": ["corrections", "queries"],
    "administrator": [],
}


def test_the_menu_is_what_the_pages_declare(app: Flask) -> None:
    assert [(page.right, page.endpoint, page.section, page.title) for page in menu_pages()] == WHOLE_MENU


@pytest.mark.parametrize("role", RIGHTS)
def test_a_menu_holds_each_page_of_the_role_once_and_fits_a_line(app: Flask, role: str) -> None:
    found = build_menu(lambda right: has_right(role, right))
    assert [*found.bar, *found.more] == [entry for entry in menu_pages() if has_right(role, entry.right)]
    assert [entry.section for entry in found.more] == FOLDED[role]
    assert len(found.bar) <= (IN_DESKTOP_BAR if found.more else MAX_IN_BAR)
    # A phone has room for two entries beside "More".
    assert 0 < len(found.bar) - len(found.folded) <= len(ON_PHONE)
    assert set(found.folded) <= set(found.bar)


@pytest.mark.parametrize("role", RIGHTS)
def test_every_entry_leads_to_a_page_that_the_role_may_open(app: Flask, seeded: Study, role: str) -> None:
    desk = signed_in_browser(app, seeded.staff[role])
    desk.open("/staff/me")
    bar = desk.page.partition("<nav")[2].partition("</nav>")[0]
    addresses = set(re.findall(r'href="([^"]+)"', bar))
    # A phone folds the account into the same menu.
    assert "/staff/me" in addresses
    addresses.remove("/staff/me")
    assert len(addresses) == len([entry for entry in menu_pages() if has_right(role, entry.right)])
    for address in addresses:
        assert desk.open(address).status_code == 200, address
        current = re.findall(r'href="([^"]+)" aria-current=page', desk.page.partition("<nav")[2].partition("</nav>")[0])
        assert set(current) == {address}


@pytest.mark.parametrize(
    ("role", "page", "says", "not_says"),
    [
        ("administrator", "/staff/accounts/{nurse}?lang=zh_Hans", ">研究者</option>", ">investigator</option>"),
        (
            "investigator",
            "/staff/participants/{person}/adverse-events/new?lang=zh_Hans",
            ">请选择</option>",
            ">Please choose<",
        ),
    ],
)
def test_what_a_list_offers_is_in_the_pages_language(
    app: Flask, seeded: Study, role: str, page: str, says: str, not_says: str
) -> None:
    desk = signed_in_browser(app, seeded.staff[role])
    assert desk.open(page.format(nurse=seeded.staff["nurse"].id, person=seeded.chinese.id)).status_code == 200
    assert says in desk.page
    assert not_says not in desk.page
