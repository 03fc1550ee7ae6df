"""Every right lets in who has it and keeps out who has not: by its routes, or by the act among several of a page."""

from __future__ import annotations

import pytest

from pro.features.accounts.staff_accounts import RIGHTS, has_right
from pro.models import ROLES
from tests.architecture.conftest import InstalledFullStudy
from tests.architecture.test_routes import GUARDS
from tests.support.staff_browser import signed_in_browser

ALERT, EVENT = "/staff/alerts/{alert_id}", "/staff/adverse-events/{event_id}"
# right -> what is posted to use it, by rights that have no route of their own. A form that is not filled in is refused
# as such (400), never as somebody's who may not (403).
ACTS = {
    "acknowledge": (ALERT, {"do": "acknowledge", "alert": "{alert_id}"}),
    "note": (ALERT, {"do": "note", "text": ""}),
    "take_over": (ALERT, {"do": "take_over", "holder": "{staff_id}"}),
    "close_alert": (ALERT, {"do": "close", "alert": "{alert_id}"}),
    "report_event": (EVENT, {"do": "report"}),
    "confirm_test_alert": ("/staff/test-alerts/{test_alert_id}", {}),
    "answer_query": ("/staff/queries/{query_id}", {"do": "answer", "text": ""}),
    "export_audit": ("/staff/audit", {"do": "export"}),
}
# The same of rights that have routes too.
MORE_ACTS = {
    "log_call": (ALERT, {"do": "call"}),
    "ask_query": ("/staff/queries/{query_id}", {"do": "ask_again", "text": ""}),
    "mark_stable": (ALERT, {"do": "stable", "alert": "{alert_id}"}),
    "assess": (EVENT, {"do": "end"}),
    "decide": ("/staff/ulcers/1", {"do": "decide"}),
}
# What it shows is looked at page by page in test_identities.py.
SHOWN = {"see_identity"}


def test_no_right_is_without_a_route_or_an_act_that_is_tried() -> None:
    assert set.union(*map(set, RIGHTS.values())) == ({*GUARDS.values()} & {*_all()}) | set(ACTS) | SHOWN
    assert not set(ACTS) & set(GUARDS.values())


def _all() -> set[str]:
    return set.union(*map(set, RIGHTS.values()))


@pytest.mark.parametrize("role", ROLES)
def test_an_act_is_refused_to_whoever_lacks_its_right(installed: InstalledFullStudy, role: str) -> None:
    desk = signed_in_browser(installed.app, installed.study.staff[role])
    for right, (path, data) in {**ACTS, **MORE_ACTS}.items():
        desk.open("/staff/me")
        given = {name: text.format(**installed.full_study.ids) for name, text in data.items()}
        status = desk.post(path.format(**installed.full_study.ids), **given).status_code
        assert (status == 403) is not has_right(role, right), (right, status)
        assert status in (200, 303, 400, 403, 409), (right, status)
