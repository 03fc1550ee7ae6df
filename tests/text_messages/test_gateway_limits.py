"""Test the services behind a limited SMS gateway: nothing is offered that it would refuse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from pro.core.sms_gateway import ApprovedText
from pro.errors import BadData, NotAllowed
from pro.features.forms import form_issuing
from pro.features.operations import worker_steps
from pro.features.text_messages import staff_replies
from pro.messaging import outbox
from pro.models import Message, Participant, StaffMember
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.calendar_participant import enrol
from tests.support.factories import Clock
from tests.support.scripted_sender import ScriptedSender
from tests.support.texting_phone import TextingPhone, with_two_way_texts

CODES = tuple(
    ApprovedText(kind, "zh_Hans", f"T-{kind}", "x")
    for kind in ("form_message_code", "reminder_code", "staff_soon", "safety")
)


def person_of(work: Any, clinic: Clinic) -> Participant:
    person = work.session.get_one(Participant, clinic.participant_id)
    assert isinstance(person, Participant)
    return person


def reply(clinic: Clinic, kind: str = "staff_call", text: str = "") -> Message | None:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        return staff_replies.send_reply(work, person_of(work, clinic), kind, text)


def send(clinic: Clinic, by: str) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        form_issuing.send_form(work, person_of(work, clinic), "npc_checkin", by=by)


def kept(act: Callable[[], object]) -> str:
    """Return why ``act`` was refused, while its text was kept, as on the web."""
    with pytest.raises(NotAllowed) as refusal:
        act()
    return refusal.value.why


# --- staff replies ---------------------------------------------------------------------------------------------------


def test_only_approved_replies_are_offered(clinic: Clinic) -> None:
    clinic = with_two_way_texts(clinic.with_gateway(templates_only=True, templates=CODES))
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        person = person_of(work, clinic)
        assert list(staff_replies.fixed_texts(work, person)) == ["staff_soon"]
        assert not staff_replies.may_send_free_text(work, person)
        assert staff_replies.reply_refusal(work, person) == ""
        person.language = "en"
        assert staff_replies.reply_refusal(work, person) == "reply_not_taken"
    for kind, fields in (("staff_call", {"kind": "unknown"}), (staff_replies.FREE, {"text": "reply_fixed_only"})):
        with form_browser.unit_of_work(clinic.app_context) as work:
            person_of(work, clinic).language = "zh_Hans"
        with pytest.raises(BadData) as refusal:
            reply(clinic, kind, "hello")
        assert refusal.value.details["fields"] == fields
    assert reply(clinic, "staff_soon") is not None


def test_own_words_hold_no_link_where_the_gateway_takes_none(clinic: Clinic) -> None:
    clinic = with_two_way_texts(clinic.with_gateway(links=False))
    with pytest.raises(BadData) as refusal:
        reply(clinic, staff_replies.FREE, "请看 www.example.cn")
    assert refusal.value.details["fields"] == {"text": "reply_no_links"}
    assert reply(clinic, staff_replies.FREE, "明天八点来。") is not None


@pytest.mark.parametrize(("limits", "why"), [({"per_day": 2}, "over_budget"), ({"identical_per_day": 2}, "identical")])
def test_staff_hear_that_a_number_has_had_enough(
    any_clinic: Clinic, clock: Clock, limits: dict[str, int], why: str
) -> None:
    clinic = any_clinic.with_gateway(**limits)
    for _time in range(2):
        assert reply(clinic) is not None
        clock.move(minutes=2)
    # On the web the refusal is shown and the text is kept; here it is rolled back.
    assert kept(lambda: reply(clinic)) == f"reply_{why}"
    assert len(clinic.rows(Message)) == 2
    clock.move(hours=24)
    assert reply(clinic) is not None


def test_two_at_once_do_not_exceed_the_daily_limit(any_clinic: Clinic) -> None:
    clinic = any_clinic.with_gateway(per_day=1)
    refusals: list[str] = []

    def press(kind: str) -> None:
        try:
            reply(clinic, kind)
        except NotAllowed as refusal:
            refusals.append(refusal.why)

    form_browser.run_concurrently(lambda: press("staff_call"), lambda: press("staff_soon"))
    assert refusals == ["reply_over_budget"]
    assert [row.status for row in clinic.rows(Message)] == ["waiting"]


# --- forms -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "ways"),
    [
        ({}, ("link", "code", "here")),
        ({"links": False}, ("code", "here")),
        ({"templates_only": True, "templates": CODES}, ("code", "here")),
        ({"templates_only": True, "templates": CODES[2:]}, ("here",)),
    ],
)
def test_the_ways_into_a_form_that_can_be_sent(clinic: Clinic, what: dict[str, Any], ways: tuple[str, ...]) -> None:
    clinic = clinic.with_gateway(**what)
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert form_issuing.sending_methods(work, "zh_Hans") == ways
    for by in {"link", "code", "here"} - set(ways):
        assert kept(lambda by=by: send(clinic, by)) == "not_taken"  # type: ignore[misc]
    assert clinic.rows(Message) == []
    for by in ways:
        send(clinic, by)


def test_a_form_over_the_daily_limit_is_refused_and_may_be_sent_the_next_day(any_clinic: Clinic, clock: Clock) -> None:
    clinic = any_clinic.with_gateway(per_day=1)
    reply(clinic)
    assert kept(lambda: send(clinic, "code")) == "over_budget"
    clock.move(hours=15)
    send(clinic, "code")
    assert [row.template for row in clinic.rows(Message)] == ["staff_call", "form_message_code"]


@pytest.mark.parametrize("what", [{"links": False}, {"templates_only": True, "templates": CODES}])
def test_the_worker_sends_codes_where_links_are_not_taken(clinic: Clinic, what: dict[str, Any]) -> None:
    person = enrol(clinic.with_gateway(**what).with_message_rules(by="link"))
    person.live("2026-03-03 12:00")
    assert [row.template for row in person.messages()] == ["form_message_code", "reminder_code"]


def test_a_reminder_over_the_daily_limit_is_dropped_for_staff_to_see(any_clinic: Clinic) -> None:
    clinic = any_clinic.with_gateway(per_day=1)
    person = enrol(clinic)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        staff_replies.send_reply(work, person.row(work), "staff_call")
    person.live("2026-03-03 12:00")
    assert [(row.template, row.status, row.failure) for row in person.messages()] == [
        ("staff_call", "waiting", ""),
        ("form_message_code", "dropped", "over_budget"),
        ("reminder_code", "waiting", ""),
    ]
    assert [event.reason for event in clinic.events("message.dropped")] == ["over_budget"]


# --- messages without limit ------------------------------------------------------------------------------------------


def test_the_safety_sentence_goes_whatever_was_sent_and_never_in_the_same_words(
    any_clinic: Clinic, clock: Clock
) -> None:
    clinic = any_clinic.with_gateway(per_day=1, identical_per_day=2)
    reply(clinic)
    texter = TextingPhone(clinic.app_context)
    for _time in range(4):
        texter.write("我大出血了")
        clock.move(minutes=61)
    safety = [text for kind, text in zip(texter.kinds, texter.got, strict=True) if kind == "safety"]
    assert len(safety) == len(set(safety)) == 4


def test_every_alert_by_text_goes_and_reads_differently(clinic: Clinic, clock: Clock) -> None:
    clinic = clinic.with_gateway(per_day=1, identical_per_day=2)
    with form_browser.unit_of_work(clinic.app_context) as work:
        factories.duty(work, clinic.coordinator, "backup")
        work.session.get_one(StaffMember, clinic.investigator.id).phone_sealed = clinic.app_context.vault.seal(
            "+8613700137000"
        )
        ways = [factories.form(work, factories.participant(work, f"NPC-10{number}", phone="")) for number in range(4)]
    for way in ways:
        clinic.start(way).save(bleed=4)
        clock.move(minutes=5)
    sender = ScriptedSender()
    for _round in range(9):
        outbox.deliver(clinic.app_context, {"email": sender, "sms": sender}, "w")
        clock.move(minutes=5)
        worker_steps.escalate_alerts(clinic.app_context)
    texts = clinic.mails("alert_sms")
    assert {mail.row.status for mail in texts} <= {"sent", "waiting"}
    # The last step of each, and the first repeats; the gateway takes the same words twice a day.
    assert max(Counter(mail.body for mail in texts).values()) <= 2
    assert len(texts) == 6


def test_where_the_text_about_an_alert_is_not_approved_a_mail_goes(clinic: Clinic, clock: Clock) -> None:
    clinic = clinic.with_gateway(templates_only=True, templates=CODES)
    with form_browser.unit_of_work(clinic.app_context) as work:
        work.session.get_one(StaffMember, clinic.investigator.id).phone_sealed = clinic.app_context.vault.seal(
            "+8613700137000"
        )
    clinic.start().save(bleed=4)
    clock.move(minutes=46)
    worker_steps.escalate_alerts(clinic.app_context)
    assert clinic.mails("alert_sms") == []
    assert clinic.investigator.email in {mail.to for mail in clinic.mails("alert_escalation")}


def test_stop_is_answered_whatever_was_sent(clinic: Clinic) -> None:
    clinic = clinic.with_gateway(per_day=1)
    reply(clinic)
    texter = TextingPhone(clinic.app_context)
    texter.write("退订")
    assert texter.kinds[-1] == "stopped"
