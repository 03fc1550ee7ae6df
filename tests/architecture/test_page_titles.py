"""Every page of staff has a title, of the registry or of its template, and marks its own entry of the menu."""

from __future__ import annotations

import re

import pytest

from pro.features.accounts.staff_accounts import RIGHTS
from pro.models import ROLES
from pro.web.page_registry import PAGES, menu_pages
from tests.architecture.conftest import InstalledFullStudy
from tests.architecture.test_identities import LEADS_ON, addresses
from tests.support.staff_browser import signed_in_browser

# The participant of the fixture has an open task: calls to them are shown as the page of that task.
SHOWN_AS = {"staff.tasks.calls": "staff.tasks.one"}


@pytest.mark.parametrize("role", ROLES)
def test_a_page_has_its_title_and_its_place_in_the_menu(installed: InstalledFullStudy, role: str) -> None:
    desk = signed_in_browser(installed.app, installed.study.staff[role])
    sections = {page.section for page in menu_pages()} | {"me", ""}
    for page in PAGES.values():
        assert page.section in sections
        if page.right not in RIGHTS[role]:
            continue
        (path, *_others) = addresses(installed.full_study, page.rule)
        if path in LEADS_ON or desk.open(f"{path}?lang=en").status_code != 200:
            continue
        found = re.search("<title>(.*)</title>", desk.page)
        assert found is not None
        assert found[1].strip(), path
        if page.title:
            assert found[1].endswith(page.title), path
        section = PAGES[SHOWN_AS.get(page.endpoint, page.endpoint)].section
        marked = [entry for entry in menu_pages() if entry.section == section and entry.right in RIGHTS[role]]
        lit = re.findall(r'<a href="([^"]+)" aria-current=page', desk.page.partition("<nav")[2].partition("</nav>")[0])
        assert {*lit} == {addresses(installed.full_study, entry.rule)[0] for entry in marked}, path
