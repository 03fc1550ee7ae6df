"""Who was told of an alert and whether it arrived; and whether the alert is of an ulcer."""

from __future__ import annotations

import pytest

from pro.features.alerts import alert_messages, alert_page
from pro.features.alerts.alert_messages import AlertMessage
from pro.models import Message
from tests.support import form_browser
from tests.support.alert_ward import Ward


def told(ward: Ward, language: str = "en") -> list[AlertMessage]:
    with form_browser.working(ward.house) as work:
        return alert_messages.of_alerts(work, [alert.id for alert in ward.alerts().values()], language)


def happened(ward: Ward, role: str, **what: object) -> None:
    """The worker got so far with the message to this role."""
    with form_browser.working(ward.house) as work:
        for message in work.session.query(Message):
            if (message.staff_id == ward.nurse.id) == (role == "nurse"):
                for name, value in what.items():
                    setattr(message, name, value)


def test_every_message_has_a_role_and_a_state_and_none_an_address(any_ward):
    any_ward.start().save(bleed=4)
    assert {(one.role, one.status, one.tries) for one in told(any_ward)} == {
        ("nurse", "waiting", 0),
        ("investigator", "waiting", 0),
    }
    now = any_ward.house.clock.now
    happened(any_ward, "nurse", sent_at=now, delivered_at=now)
    happened(any_ward, "investigator", tries=3, failure="no_line")
    first, second = told(any_ward)
    assert (first.role, first.status, first.tries, first.is_open) == ("investigator", "waiting", 3, True)
    assert (second.role, second.status, second.is_open, second.at) == ("nurse", "delivered", False, now)
    assert first.reason
    assert told(any_ward, "zh_Hans")[0].reason != first.reason
    happened(any_ward, "investigator", failed_at=now, failure="address_refused")
    assert [one.status for one in told(any_ward)] == ["failed", "delivered"]
    assert "@" not in str(told(any_ward))


def test_what_was_not_needed_any_more_is_not_open(ward):
    ward.start().save(bleed=4)
    ward.acknowledge()
    assert {one.status for one in told(ward)} == {"dropped"}
    assert not any(one.is_open for one in told(ward))


@pytest.mark.parametrize(
    ("said", "rule", "status", "is_of_it"),
    [
        ({"odor": 3}, "UL2", "", True),
        ({"bleed": 4}, "E01", "", False),
        # A bleeding of somebody with an ulcer.
        ({"bleed": 4}, "E02", "confirmed", True),
    ],
)
def test_an_alert_of_an_ulcer_says_so(ward, said, rule, status, is_of_it):
    if status:
        ward.mark("ulcer_status", status)
        ward.start(ward.send()).save(**said)
    else:
        ward.start().save(**said)
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        assert alert_page.alert_page(work, ward.alerts()[rule].id, "en").about_ulcer is is_of_it
