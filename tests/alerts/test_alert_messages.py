"""Who was told of an alert and whether it arrived; and whether the alert is of an ulcer."""

from __future__ import annotations

import pytest

from pro.features.alerts import alert_page
from pro.features.alerts.alert_page import AlertMessage
from pro.models import Message
from tests.support import form_browser
from tests.support.alert_clinic import Clinic


def told(clinic: Clinic, language: str = "en") -> list[AlertMessage]:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return alert_page.read_alert_messages(work, [alert.id for alert in clinic.alerts().values()], language)


def happened(clinic: Clinic, role: str, **what: object) -> None:
    """The worker got so far with the message to this role."""
    with form_browser.unit_of_work(clinic.app_context) as work:
        for message in work.session.query(Message):
            if (message.staff_id == clinic.nurse.id) == (role == "nurse"):
                for name, value in what.items():
                    setattr(message, name, value)


def test_every_message_has_a_role_and_a_state_and_none_an_address(any_clinic):
    any_clinic.start().save(bleed=4)
    assert {(one.role, one.status, one.tries) for one in told(any_clinic)} == {
        ("nurse", "waiting", 0),
        ("investigator", "waiting", 0),
    }
    now = any_clinic.app_context.clock.now
    happened(any_clinic, "nurse", sent_at=now, delivered_at=now)
    happened(any_clinic, "investigator", tries=3, failure="no_line")
    first, second = told(any_clinic)
    assert (first.role, first.status, first.tries, first.is_open) == ("investigator", "waiting", 3, True)
    assert (second.role, second.status, second.is_open, second.at) == ("nurse", "delivered", False, now)
    assert first.reason
    assert told(any_clinic, "zh_Hans")[0].reason != first.reason
    happened(any_clinic, "investigator", failed_at=now, failure="address_refused")
    assert [one.status for one in told(any_clinic)] == ["failed", "delivered"]
    assert "@" not in str(told(any_clinic))


def test_what_was_not_needed_any_more_is_not_open(clinic):
    clinic.start().save(bleed=4)
    clinic.acknowledge()
    assert {one.status for one in told(clinic)} == {"dropped"}
    assert not any(one.is_open for one in told(clinic))


@pytest.mark.parametrize(
    ("said", "rule", "status", "is_of_it"),
    [
        ({"odor": 3}, "UL2", "", True),
        ({"bleed": 4}, "E01", "", False),
        # A bleeding of a participant with an ulcer.
        ({"bleed": 4}, "E02", "confirmed", True),
    ],
)
def test_an_alert_of_an_ulcer_says_so(clinic, said, rule, status, is_of_it):
    if status:
        clinic.mark("ulcer_status", status)
        clinic.start(clinic.send()).save(**said)
    else:
        clinic.start().save(**said)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        assert alert_page.alert_page(work, clinic.alerts()[rule].id, "en").about_ulcer is is_of_it
