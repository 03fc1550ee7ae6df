"""Test enrolment and end of participation: all errors together, no messages afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy.exc import IntegrityError

from pro.errors import BadData
from pro.features.accounts.passwords import is_secret_correct
from pro.features.forms import form_issuing
from pro.features.schedule import enrolment
from pro.models import Anchor, Message, Participant
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic


def enrol(clinic: Clinic, **changes: object) -> Participant:
    given = {
        "plan": factories.PLAN,
        "participant_number": "NPC-007",
        "phone": "13812345678",
        "language": "zh_Hans",
        "pin": "1357",
        "consented_on": date(2026, 3, 2),
        "consent_version": "1.0",
        "health_data": True,
    }
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        return enrolment.enrol(work, **(given | changes))  # type: ignore[arg-type]


def wrong(clinic: Clinic, **changes: object) -> object:
    with pytest.raises(BadData) as refused:
        enrol(clinic, **changes)
    return refused.value.details["fields"]


@pytest.mark.parametrize(
    ("typed", "e164"),
    [
        ("13812345678", "+8613812345678"),
        ("138 1234 5678", "+8613812345678"),
        ("138-1234-5678", "+8613812345678"),
        ("+86 138 1234 5678", "+8613812345678"),
        ("+8613812345678", "+8613812345678"),
        ("008613812345678", "+8613812345678"),
        ("00 86 138-1234-5678", "+8613812345678"),
        ("1３8１２３４５６７８", "+8613812345678"),
        ("＋８６ １３８ １２３４ ５６７８", "+8613812345678"),
        ("(+86)13812345678", "+8613812345678"),
        ("+852 5123 4567", "+85251234567"),
    ],
)
def test_a_phone_is_understood_as_people_write_it(clinic, typed, e164):
    person = enrol(clinic, phone=typed)
    assert clinic.app_context.vault.open(person.phone_sealed) == e164
    assert person.phone_fingerprint == clinic.app_context.vault.fingerprint(f"phone:{e164}")


@pytest.mark.parametrize(
    "typed",
    ["1381234567", "138123456789", "12345", "abc", "没有", "0", "+", "+86", "+999 13812345678", "1" * 40, "120"],
)
def test_what_is_no_phone_is_refused(clinic, typed):
    assert wrong(clinic, phone=typed) == {"phone": "phone_invalid"}


@pytest.mark.parametrize("typed", ["", "  ", "\u3000"])
def test_a_participant_without_a_phone_uses_a_card(clinic, typed):
    person = enrol(clinic, phone=typed)
    assert (person.phone_sealed, person.phone_fingerprint) == (None, None)


def test_the_phone_is_sealed_in_the_database(any_clinic):
    enrol(any_clinic)
    with any_clinic.app_context.engine.connect() as connection:
        rows = str(connection.exec_driver_sql("SELECT * FROM participant").all())
        rows += str(connection.exec_driver_sql("SELECT * FROM audit_entry").all())
    for part in ("13812345678", "12345678", "1357"):
        assert part not in rows


def test_two_participants_may_share_a_phone_once_it_is_confirmed(clinic):
    first = enrol(clinic)
    assert wrong(clinic, participant_number="NPC-008") == {"phone": "phone_shared"}
    second = enrol(clinic, participant_number="NPC-008", shared_phone=True)
    assert first.phone_fingerprint == second.phone_fingerprint


@pytest.mark.parametrize("typed", ["0791-88692748", "+86 791 8869 2748", "010-12345678"])
def test_a_landline_is_refused_as_a_mobile(clinic, typed):
    """Texts to a landline never arrived."""
    assert wrong(clinic, phone=typed) == {"phone": "phone_not_mobile"}


def test_a_phone_is_not_shared_with_a_participant_who_has_left(clinic):
    first = enrol(clinic)
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        enrolment.withdraw_participant(work, work.session.get_one(Participant, first.id), "moved")
    assert enrol(clinic, participant_number="NPC-008").phone_fingerprint == first.phone_fingerprint


def test_the_pattern_of_participant_numbers_is_that_of_the_plan(clinic):
    stricter = clinic.with_plan(lambda plan: replace(plan, participant_number_pattern="NC-[0-9]{3}"))
    assert wrong(stricter) == {"participant_number": "participant_number_shape"}
    assert enrol(stricter, participant_number="nc-007").participant_number == "NC-007"


@pytest.mark.parametrize("typed", ["npc-007", " NPC-007 ", "ＮＰＣ－００７"])
def test_a_participant_number_is_one_number_however_it_is_typed(clinic, typed):
    assert enrol(clinic, participant_number=typed).participant_number == "NPC-007"
    assert wrong(clinic, participant_number="NPC-007", shared_phone=True) == {"participant_number": "taken"}


@pytest.mark.parametrize("typed", ["13912345678", "139-1234-5678", "１３９１２３４５６７８", "11010519491231002x"])
def test_a_number_of_the_person_is_no_participant_number(clinic, typed):
    assert wrong(clinic, participant_number=typed) == {"participant_number": "participant_number_person"}
    assert enrol(clinic, participant_number="23912345678").participant_number == "23912345678"


@pytest.mark.parametrize("typed", ["", "-1", "A", "A" * 32, "NPC 007", "张三", "NPC_007", "NPC-007\n7"])
def test_what_is_no_participant_number_is_refused(clinic, typed):
    assert wrong(clinic, participant_number=typed) == {"participant_number": "participant_number_shape"}


def test_the_database_itself_keeps_numbers_unique(any_clinic):
    with pytest.raises(IntegrityError), form_browser.unit_of_work(any_clinic.app_context) as work:
        for _ in range(2):
            work.session.add(
                Participant(plan="p", participant_number="N", language="en", time_zone="UTC", enrolled_at=work.now)
            )
            work.session.flush()


@pytest.mark.parametrize("pin", ["", "123", "1234567", "12a4", "１２", "12 34", "一二三四", "-123"])
def test_what_is_no_pin_is_refused(clinic, pin):
    assert wrong(clinic, pin=pin) == {"pin": "pin_digits"}


@pytest.mark.parametrize("pin", ["2468", "002468", " 2468 ", "２４６８"])
def test_a_pin_is_kept_as_a_hash(clinic, pin):
    assert is_secret_correct(enrol(clinic, pin=pin).pin_hash, pin.strip().replace("２４６８", "2468"))


def test_consent_is_dated_by_the_day_where_the_study_is(clinic, clock):
    """Check by the study's time zone.

    At 01:00 in London it is already the same day in Nanchang; at 17:00 it is the next one.
    """
    assert wrong(clinic, consented_on=date(2026, 3, 3)) == {"consented_on": "in_future"}
    assert wrong(clinic, consented_on=date(26, 3, 1)) == {"consented_on": "consent_long_ago"}
    assert wrong(clinic, consented_on=None) == {"consented_on": "date_needed"}
    clock.move(hours=16)
    enrol(clinic, consented_on=date(2026, 3, 3))
    (anchor,) = [row for row in clinic.rows(Anchor) if row.on == date(2026, 3, 3)]
    assert (anchor.kind, anchor.planned, anchor.recorded_by) == ("consent", False, clinic.coordinator.id)


def test_everything_that_is_wrong_is_said_at_once(clinic):
    found = wrong(
        clinic, plan="x", participant_number="!", phone="y", language="fr", pin="z", consented_on=date(2030, 1, 1)
    )
    assert found == {
        "plan": "unknown",
        "participant_number": "participant_number_shape",
        "phone": "phone_invalid",
        "language": "unknown",
        "pin": "pin_digits",
        "consented_on": "in_future",
    }
    assert len(clinic.rows(Participant)) == 1


def test_enrolment_is_recorded_without_identity(clinic):
    person = enrol(clinic)
    event = clinic.events("participant.enrolled")[-1]
    assert (event.actor_id, event.participant_id) == (clinic.coordinator.id, person.id)
    assert event.new == {"participant_number": "NPC-007", "language": "zh_Hans", "consent": "2026-03-02"}
    assert (person.enrolled_by, person.time_zone) == (clinic.coordinator.id, "Asia/Shanghai")


# --- end of participation --------------------------------------------------------------------------------------------


def leave(clinic: Clinic, reason: str = "moved away") -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        enrolment.withdraw_participant(work, work.session.get_one(Participant, clinic.participant_id), reason)


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_leaving_needs_a_reason(clinic, reason):
    with pytest.raises(BadData) as refused:
        leave(clinic, reason)
    assert refused.value.details["fields"] == {"reason": "empty"}
    assert clinic.rows(Participant)[0].is_active


def test_leaving_is_recorded_once_with_its_first_reason(clinic, clock):
    leave(clinic)
    left_at = clock.now
    clock.move(days=1)
    leave(clinic, "again")
    assert clinic.rows(Participant)[0].withdrawn_at == left_at
    (event,) = clinic.events("participant.withdrawn")
    assert event.reason == "moved away"


def test_who_left_gets_no_message_that_still_waited(any_clinic):
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        person = work.session.get_one(Participant, any_clinic.participant_id)
        form_issuing.send_form(work, person, "npc_checkin", by="link")
    any_clinic.start().save(bleed=4)
    leave(any_clinic)
    rows = {row.template: row.status for row in any_clinic.rows(Message)}
    assert rows == {"form_message": "dropped", "alert": "waiting"}
