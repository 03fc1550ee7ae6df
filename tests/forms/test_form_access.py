"""Test links and access codes: stored hashed, guessing limited, usable on several devices."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

import pytest
from sqlalchemy import inspect, select, text

from pro.errors import CodeExpired, NotFound
from pro.features.accounts import attempt_limits, passwords
from pro.features.forms import form_access
from pro.features.operations import worker_health
from pro.features.schedule import enrolment
from pro.models import AccessAttempt, Answer, Assessment, AuditEntry, FormAccess, Participant
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Clock, FormLinks


def try_code(clinic: Clinic, typed: str, address: str = "10.0.0.1") -> form_access.CodeAttempt:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return form_access.enter_code(work, typed, address, "phone", "zh_Hans")


def dump(clinic: Clinic) -> str:
    """Return everything in the database, as text."""
    with clinic.app_context.engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        return "\n".join(str(row) for name in tables for row in connection.execute(text(f'SELECT * FROM "{name}"')))


def change_one(secret: str, place: int) -> str:
    return secret[:place] + ("A" if secret[place] != "A" else "B") + secret[place + 1 :]


# --- links -----------------------------------------------------------------------------------------------------------


def test_a_link_may_be_opened_any_number_of_times_and_nothing_changes(any_clinic):
    before = dump(any_clinic)
    for _ in range(20):
        with form_browser.unit_of_work(any_clinic.app_context) as work:
            assessment, person = form_access.open_link(work, any_clinic.checkin.token)
            assert (assessment.ref, person.id) == (any_clinic.checkin.ref, any_clinic.participant_id)
    assert dump(any_clinic) == before


@pytest.mark.parametrize("place", [0, 10, -1])
def test_one_character_changed_is_no_link(clinic, place):
    token = clinic.checkin.token
    with form_browser.unit_of_work(clinic.app_context) as work, pytest.raises(NotFound):
        form_access.open_link(work, change_one(token, place % len(token)))


@pytest.mark.parametrize("token", ["", " ", "x" * 500, "' OR 1=1 --", "\u2028", "钥匙"])
def test_no_other_text_is_a_link(clinic, token):
    with form_browser.unit_of_work(clinic.app_context) as work, pytest.raises(NotFound):
        form_access.open_link(work, token)


def test_a_code_is_not_a_link_and_a_link_is_not_a_session(clinic):
    with form_browser.unit_of_work(clinic.app_context) as work:
        for wrong in (clinic.checkin.code, form_access.normalize_code(clinic.checkin.code)):
            with pytest.raises(NotFound):
                form_access.open_link(work, wrong)
        with pytest.raises(NotFound):
            form_access.session_of(work, clinic.checkin.ref, clinic.checkin.token)


def ends_at(clinic: Clinic, clock: Clock, way: FormLinks, end: datetime) -> None:
    """Accept the link until ``end``."""
    clock.now = end - timedelta(seconds=1)
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert form_access.open_link(work, way.token)
    clock.move(seconds=1)
    with form_browser.unit_of_work(clinic.app_context) as work, pytest.raises(CodeExpired) as refused:
        form_access.open_link(work, way.token)
    assert refused.value.why == "expired"


def test_a_link_that_was_sent_by_hand_ends_on_time(clinic, clock):
    clinic.start().finish()
    ends_at(clinic, clock, clinic.send(), clock.now + timedelta(days=clinic.app_context.config.link_days))


def test_a_link_for_a_visit_ends_a_week_after_its_window(clinic, clock):
    with form_browser.unit_of_work(clinic.app_context) as work:
        closes_at = work.session.get_one(Assessment, clinic.checkin.assessment_id).closes_at
    assert closes_at > clock.now + timedelta(days=14)
    ends_at(clinic, clock, clinic.checkin, closes_at + timedelta(days=7))


def withdraw(clinic: Clinic) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        enrolment.withdraw_participant(work, work.session.get_one(Participant, clinic.participant_id), "asked to stop")


def cancel(clinic: Clinic) -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        for assessment in work.session.scalars(select(Assessment)):
            assessment.cancelled_at = work.now


def revoke(clinic: Clinic) -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        for assessment in work.session.scalars(select(Assessment)):
            form_access.close_access(work, assessment)


@pytest.mark.parametrize(("end", "why"), [(withdraw, "withdrawn"), (cancel, "cancelled"), (revoke, "cancelled")])
def test_an_ended_form_is_closed_to_every_link_and_code(clinic, end, why):
    phone = clinic.start()
    end(clinic)
    with form_browser.unit_of_work(clinic.app_context) as work, pytest.raises(CodeExpired) as refused:
        form_access.open_link(work, clinic.checkin.token)
    assert refused.value.why == why
    with pytest.raises(CodeExpired), phone.open_session():
        pass
    assert try_code(clinic, clinic.checkin.code).why == "expired"


def test_a_link_to_a_form_that_was_sent_still_says_so(clinic):
    clinic.start().finish()
    with form_browser.unit_of_work(clinic.app_context) as work:
        assessment, _person = form_access.open_link(work, clinic.checkin.token)
        assert assessment.submitted_at == work.now


# --- codes -----------------------------------------------------------------------------------------------------------


def wide(code: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) for letter in code)


@pytest.mark.parametrize(
    "typed",
    [
        lambda code: code,
        lambda code: code.lower(),
        lambda code: code.replace("-", ""),
        lambda code: f"  {code[:2]} {code[2:]}  ",
        lambda code: "-".join(code.replace("-", "")),
        lambda code: code.replace("-", "—"),
        lambda code: code.replace("-", "－"),
        lambda code: code.replace("-", "\u3000"),
        wide,
        lambda code: wide(code.lower()),
        lambda code: f"\u200b{code}\n",
    ],
)
def test_a_code_may_be_typed_as_people_type(clinic, typed):
    found = try_code(clinic, typed(clinic.checkin.code))
    assert found.why == ""
    assert found.assessment is not None
    assert found.assessment.ref == clinic.checkin.ref


@pytest.mark.parametrize(
    ("typed", "why", "length"),
    [
        ("", "empty", 0),
        (" -- ", "empty", 0),
        ("ABCD", "too_short", 4),
        ("ABCD-EFGH-J", "too_long", 9),
        ("ABCD-EFG0", "wrong_letters", 8),  # Zero and O: neither is ever printed.
        ("ABCD-EFGO", "wrong_letters", 8),
        ("ABCD-EFGI", "wrong_letters", 8),
        ("ABCD-EFG1", "wrong_letters", 8),
        ("ABCD-EFGL", "wrong_letters", 8),
        ("ABCD-EFGU", "wrong_letters", 8),
        ("ABCD-EFGV", "wrong_letters", 8),
        ("ABCD-EFG2", "wrong_letters", 8),
        ("ABCD-EFGZ", "wrong_letters", 8),
        ("АBCD-EFGH", "wrong_letters", 8),  # The first letter is Cyrillic.
        ("验证码", "wrong_letters", 3),
    ],
)
def test_what_cannot_be_a_code_says_why_and_is_no_try(clinic, typed, why, length):
    found = try_code(clinic, typed)
    assert (found.why, found.length, found.assessment, found.secret) == (why, length, None, None)
    assert clinic.rows(AccessAttempt) == []


def test_codes_are_made_of_unambiguous_letters():
    assert not set(passwords.CODE_ALPHABET) & set("0O1ILUV2Z8B5S6G")
    assert len(set(passwords.CODE_ALPHABET)) == len(passwords.CODE_ALPHABET) == 21


def test_many_wrong_codes_slow_their_browser_down_and_never_refuse_a_correct_one(any_clinic, clock):
    delays = [try_code(any_clinic, "3333-3333").delay for _ in range(24)]
    assert delays[:10] == [0.0] * 10
    assert delays[10:13] == [0.25, 0.5, 0.75]
    assert delays[-1] == attempt_limits.LONGEST_DELAY
    assert try_code(any_clinic, "3333-3333", "10.0.0.2").delay == 0.0
    assert try_code(any_clinic, any_clinic.checkin.code).why == ""
    # A correct code starts the count again.
    assert try_code(any_clinic, "3333-3333").delay == 0.0


def test_the_count_ends_after_a_quarter_of_an_hour(clinic, clock):
    for _ in range(12):
        try_code(clinic, "3333-3333")
    clock.move(minutes=15)
    assert try_code(clinic, "3333-3333").delay == 0.0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_ipv6_is_counted_by_its_64(address, network):
    assert attempt_limits.network_of(address) == network


def test_very_many_wrong_codes_raise_an_alarm_until_they_stop(clinic, clock):
    def guesses() -> int:
        with form_browser.unit_of_work(clinic.app_context) as work:
            assert ("codes" in worker_health.find_troubles(work)) == bool(attempt_limits.count_guesses(work))
            return attempt_limits.count_guesses(work)

    for number in range(attempt_limits.CEILING - 1):
        try_code(clinic, "3333-3333", f"browser:{number}")
    assert guesses() == 0
    try_code(clinic, "3333-3333", "browser:another")
    assert guesses() == attempt_limits.CEILING
    assert try_code(clinic, clinic.checkin.code).why == ""
    clock.move(minutes=16)
    assert guesses() == 0


def test_a_code_works_again_on_another_device_and_marks_its_first_use(clinic, clock):
    first = try_code(clinic, clinic.checkin.code)
    used = clock.now
    clock.move(hours=2)
    second = try_code(clinic, clinic.checkin.code)
    assert first.secret != second.secret
    (code,) = [row for row in clinic.rows(FormAccess) if row.kind == "code" and row.used_at]
    assert code.used_at == used


def test_the_code_way_in_opens_nothing_until_start_is_pressed(clinic):
    found = try_code(clinic, clinic.checkin.code)
    assert found.secret is not None
    with form_browser.unit_of_work(clinic.app_context) as work:
        here = form_access.session_of(work, clinic.checkin.ref, found.secret)
        assert here.assessment.opened_at is None
        form_access.start_form(work, here, "helped", "en")
    (opened,) = clinic.events("assessment.opened")
    assert opened.new == "helped"
    form = clinic.rows(Assessment)[0]
    assert (form.answered_by, form.language, form.identified_by, form.completion_mode) == (
        "helped",
        "en",
        "code",
        "web",
    )


# --- sessions --------------------------------------------------------------------------------------------------------


def test_the_session_of_another_form_is_refused(clinic):
    with form_browser.unit_of_work(clinic.app_context) as work:
        with pytest.raises(NotFound):
            form_access.session_of(work, clinic.qlq.ref, clinic.start().secret)
        for secret in ("", "x"):
            with pytest.raises(NotFound):
                form_access.session_of(work, clinic.checkin.ref, secret)


def test_a_session_ends_after_three_days_and_the_link_makes_a_new_one(clinic, clock):
    phone = clinic.start()
    phone.save(bleed=1)
    clock.move(days=3)
    with pytest.raises(CodeExpired), phone.open_session():
        pass
    assert clinic.start().form().answers == {"bleed": 1}


def test_start_on_two_devices_makes_one_answer_set(any_clinic, clock):
    phone = any_clinic.start()
    phone.save(bleed=1, bleed_now=0)
    clock.move(minutes=5)
    tablet = any_clinic.start(answered_by="helped")
    tablet.save(breath=0)
    phone.save(chest=0)
    assert phone.form().answers == tablet.form().answers == {"bleed": 1, "bleed_now": 0, "breath": 0, "chest": 0}
    assert {row.assessment_id for row in any_clinic.rows(Answer)} == {any_clinic.checkin.assessment_id}
    assert {row.item: row.answered_by for row in any_clinic.rows(Answer)} == {
        "bleed": "self",
        "bleed_now": "self",
        "breath": "helped",
        "chest": "self",
    }
    assert len(any_clinic.events("assessment.opened")) == 1


def test_start_on_two_devices_at_the_same_moment_opens_once(any_clinic):
    form_browser.run_concurrently(any_clinic.start, any_clinic.start, any_clinic.start)
    assert len(any_clinic.events("assessment.opened")) == 1


def test_opening_again_after_sending_changes_nothing_about_the_form(clinic):
    clinic.start().finish()
    before = clinic.rows(Assessment)[0]
    try_code(clinic, clinic.checkin.code)
    form_browser.press_start(clinic.app_context, clinic.checkin, answered_by="helped", language="en")
    with form_browser.unit_of_work(clinic.app_context) as work:
        assessment, _person = form_access.open_link(work, clinic.checkin.token)
        form_access.begin_session(
            work, assessment, identified_by="link", answered_by=None, device="computer", language="en"
        )
    after = clinic.rows(Assessment)[0]
    for name in ("answered_by", "language", "device", "identified_by", "completion_mode", "opened_at", "context"):
        assert getattr(after, name) == getattr(before, name), name


def test_only_fingerprints_are_in_the_database(any_clinic):
    phone = any_clinic.start()
    found = try_code(any_clinic, any_clinic.qlq.code)
    everything = dump(any_clinic)
    secrets = [phone.secret, found.secret, any_clinic.checkin.token, any_clinic.qlq.token, factories.PIN]
    for way in (any_clinic.checkin, any_clinic.qlq):
        secrets += [way.code, way.code.replace("-", "")]
    shown = [secret for secret in secrets if secret and f"'{secret}'" in everything]
    assert shown == []
    for secret in secrets[:4] + secrets[5:]:
        assert secret not in everything


def test_an_attempt_keeps_no_address(clinic):
    try_code(clinic, "3333-3333", "203.0.113.9")
    assert "203.0.113.9" not in dump(clinic)


def test_the_start_is_recorded_as_an_event_without_secrets(clinic):
    clinic.start()
    assert [event.new for event in clinic.rows(AuditEntry) if event.action == "assessment.opened"] == ["self"]


def test_the_next_form_is_none_that_cannot_be_shown(clinic):
    """Found: the link of a submitted form led to a form whose instrument was gone, which is a dead end."""
    with form_browser.unit_of_work(clinic.app_context) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        checkin = work.session.get_one(Assessment, clinic.checkin.assessment_id)
        other = form_access.next_form(work, person, checkin)
        assert other is not None
        assert other.instrument == "qlq_c30"
    old = clinic.app_context.catalogue
    left = {name: one for name, one in old.instruments.items() if name != "qlq_c30"}
    changed = replace(clinic.app_context, catalogue=replace(old, instruments=MappingProxyType(left)))
    with form_browser.unit_of_work(changed) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        checkin = work.session.get_one(Assessment, clinic.checkin.assessment_id)
        assert form_access.next_form(work, person, checkin) is None
