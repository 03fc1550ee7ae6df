"""Test cards: one is valid at a time, five wrong PINs lock it, a wrong code locks none."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from pro.errors import CodeExpired, NotAllowed, NotFound
from pro.features.forms import due_forms, form_access, participant_cards
from pro.features.forms.participant_cards import CardDraft, PinAttempt
from pro.features.schedule import enrolment, participation_end
from pro.features.to_do_list import to_do_list
from pro.models import AccessAttempt, ExpectedForm, Participant, ParticipantCard
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic

WRONG = "1357"


def person_of(clinic: Clinic, work) -> Participant:
    return work.session.get_one(Participant, clinic.participant_id)


def make_one(clinic: Clinic, pin: str = "") -> CardDraft:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        return participant_cards.make_card(work, person_of(clinic, work), pin)[1]


def enter(
    clinic: Clinic, drawn: CardDraft, pin: str = factories.PIN, *, by: str = "token", address: str = "10.0.0.1"
) -> PinAttempt:
    secret = {"token": drawn.token} if by == "token" else {"code": drawn.shown}
    with form_browser.unit_of_work(clinic.app_context) as work:
        return participant_cards.try_pin(work, pin, address, **secret)


def state(clinic: Clinic) -> str:
    with form_browser.unit_of_work(clinic.app_context) as work:
        row = participant_cards.newest_card(work, clinic.participant_id)
        return row.state if row else ""


def test_a_card_lets_its_owner_in_by_both_ways(any_clinic):
    drawn = make_one(any_clinic)
    assert state(any_clinic) == "made"
    for by in ("token", "code"):
        entry = enter(any_clinic, drawn, by=by)
        assert entry.guest is not None
        assert (entry.why, entry.guest.participant.id) == ("", any_clinic.participant_id)
    assert state(any_clinic) == "used"
    (made,) = any_clinic.events("participant_card.made")
    assert (made.participant_id, made.actor_id) == (any_clinic.participant_id, any_clinic.coordinator.id)
    assert {event.actor for event in any_clinic.events("participant_card.used")} == {"participant"}


def test_nothing_of_a_card_is_kept_in_clear(clinic):
    drawn = make_one(clinic)
    (card,) = clinic.rows(ParticipantCard)
    kept = " ".join(str(value) for value in vars(card).values())
    kept += " ".join(f"{event.old} {event.new}" for event in clinic.events("participant_card.made"))
    for secret in (drawn.code, drawn.shown, drawn.token, factories.PIN):
        assert secret not in kept


@pytest.mark.parametrize("typed", ["２４６８", " 2468 ", "2468\n"])
def test_a_pin_may_be_typed_at_any_width(clinic, typed):
    assert enter(clinic, make_one(clinic), typed).why == ""


@pytest.mark.parametrize(("typed", "why"), [("", "empty"), (" ", "empty"), ("246", "pin_shape"), ("abcd", "pin_shape")])
def test_what_is_no_pin_is_no_wrong_pin(clinic, typed, why):
    entry = enter(clinic, make_one(clinic), typed)
    assert (entry.why, entry.left, entry.guest) == (why, 5, None)
    assert clinic.rows(AccessAttempt) == []
    assert clinic.rows(ParticipantCard)[0].wrong_tries == 0


def test_five_wrong_pins_lock_the_card_even_for_the_right_one(any_clinic):
    drawn = make_one(any_clinic)
    tries = [enter(any_clinic, drawn, WRONG, by="code" if turn % 2 else "token") for turn in range(5)]
    assert [(entry.why, entry.left) for entry in tries] == [("wrong", left) for left in (4, 3, 2, 1)] + [("locked", 0)]
    assert state(any_clinic) == "locked"
    for by in ("token", "code"):
        assert enter(any_clinic, drawn, by=by).why == "locked"
    (locked,) = any_clinic.events("participant_card.locked")
    assert locked.participant_id == any_clinic.participant_id


def test_a_locked_card_is_on_the_to_do_list_of_roles_that_can_replace_it(clinic):
    drawn = make_one(clinic)
    for _turn in range(5):
        enter(clinic, drawn, WRONG)
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        [card] = to_do_list.read_to_do_list(work, "en").locked_cards
    assert (card.participant_id, card.participant_number) == (clinic.participant_id, "NPC-001")
    make_one(clinic)
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        assert to_do_list.read_to_do_list(work, "en").locked_cards == []


def test_the_right_pin_resets_the_count(clinic):
    drawn = make_one(clinic)
    for _round in range(3):
        for _turn in range(4):
            assert enter(clinic, drawn, WRONG).why == "wrong"
        assert enter(clinic, drawn).why == ""


def test_guesses_at_once_are_counted_one_by_one(any_clinic):
    drawn = make_one(any_clinic)
    found: list[str] = []

    def guess(turn: int) -> None:
        found.append(enter(any_clinic, drawn, WRONG, address=f"10.0.1.{turn}").why)

    form_browser.run_concurrently(*[lambda turn=turn: guess(turn) for turn in range(8)])
    assert sorted(found) == ["locked"] * 4 + ["wrong"] * 4
    (card,) = any_clinic.rows(ParticipantCard)
    assert card.wrong_tries == 5


def test_a_new_card_stops_the_former_and_unlocks(any_clinic):
    former = make_one(any_clinic)
    for _turn in range(5):
        enter(any_clinic, former, WRONG)
    newer = make_one(any_clinic)
    assert enter(any_clinic, former).why == "revoked"
    assert enter(any_clinic, former, by="code").why == "revoked"
    assert enter(any_clinic, newer).why == ""
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        assert participant_cards.card_state_by_link(work, former.token) == "revoked"
        assert participant_cards.card_state_by_link(work, newer.token) == "used"


def test_two_who_make_a_card_at_once_leave_one_that_works(any_clinic):
    made: list[CardDraft] = []
    form_browser.run_concurrently(*[lambda: made.append(make_one(any_clinic))] * 4)
    working = [card for card in any_clinic.rows(ParticipantCard) if card.revoked_at is None]
    assert (len(made), len(working)) == (4, 1)


def test_a_revoked_card_opens_nothing_and_says_who_ended_it(clinic):
    drawn = make_one(clinic)
    for expected in (True, False):
        with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
            assert participant_cards.revoke_card(work, person_of(clinic, work)) is expected
    assert enter(clinic, drawn).why == "revoked"
    with form_browser.unit_of_work(clinic.app_context) as work:
        row = participant_cards.newest_card(work, clinic.participant_id)
    assert row is not None
    assert (row.state, row.is_usable, row.revoked_by) == ("revoked", False, clinic.nurse.name)
    assert len(clinic.events("participant_card.revoked")) == 1


def test_wrong_codes_lock_no_card_and_refuse_no_correct_pin(clinic):
    drawn = make_one(clinic)
    for turn in range(15):
        with form_browser.unit_of_work(clinic.app_context) as work:
            tried = participant_cards.try_pin(work, WRONG, "10.9.9.9", code="3333-3333")
            assert (tried.why, tried.delay > 0) == ("unknown", turn >= 10)
    (card,) = clinic.rows(ParticipantCard)
    assert (card.wrong_tries, card.locked_at) == (0, None)
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert participant_cards.is_card_code(work, drawn.shown.lower())
        assert not participant_cards.is_card_code(work, "3333-3333")
    assert enter(clinic, drawn, by="code", address="10.9.9.9").why == ""


def test_wrong_pins_of_a_ward_lock_their_cards_and_no_other(clinic):
    for _card in range(4):
        drawn = make_one(clinic)
        tried = [enter(clinic, drawn, WRONG) for _turn in range(5)]
        assert tried[-1].why == "locked"
    assert tried[-1].delay > 0
    assert enter(clinic, make_one(clinic)).why == ""


def test_a_new_pin_comes_with_a_new_card_only(clinic):
    drawn = make_one(clinic, "９９８８")
    assert enter(clinic, drawn).why == "wrong"
    assert enter(clinic, drawn, "9988").why == ""
    assert len(clinic.events("participant.pin_changed")) == 1
    with form_browser.unit_of_work(clinic.app_context) as work, pytest.raises(NotAllowed) as refused:
        participant_cards.make_card(work, person_of(clinic, work), "99")
    assert refused.value.why == "pin_digits"
    assert enter(clinic, drawn, "9988").why == ""


def test_without_a_pin_there_is_no_card(clinic):
    with form_browser.unit_of_work(clinic.app_context) as work:
        person = person_of(clinic, work)
        person.pin_hash = None
        assert participant_cards.card_problem(person) == "no_pin"
        with pytest.raises(NotAllowed):
            participant_cards.make_card(work, person)
    assert enter(clinic, make_one(clinic, "4321"), "4321").why == ""


def test_after_withdrawal_no_card_is_made_and_the_old_one_says_so_after_the_pin(clinic):
    drawn = make_one(clinic)
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        enrolment.withdraw_participant(work, person_of(clinic, work), "asked to stop")
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert participant_cards.card_state_by_link(work, drawn.token) == "made"
        assert participant_cards.card_problem(person_of(clinic, work)) == "withdrawn_card"
        guest = participant_cards.try_pin(work, factories.PIN, "10.0.0.1", token=drawn.token).guest
        assert guest is not None
        with pytest.raises(CodeExpired) as ended:
            participant_cards.read_card_holder(work, participant_cards.make_pass(work, guest.card))
    assert ended.value.why == "withdrawn"


def test_a_pass_ends_with_its_time_or_its_card(clinic, clock):
    drawn = make_one(clinic)
    with form_browser.unit_of_work(clinic.app_context) as work:
        kept = participant_cards.make_pass(work, clinic.rows(ParticipantCard)[0])
        assert participant_cards.read_card_holder(work, kept).participant.id == clinic.participant_id
        for wrong in ("", "x", kept[:-4] + "AAAA", work.vault.seal("phone"), work.vault.seal("card x 1")):
            with pytest.raises(NotFound):
                participant_cards.read_card_holder(work, wrong)
    clock.move(minutes=31)
    with form_browser.unit_of_work(clinic.app_context) as work, pytest.raises(NotFound):
        participant_cards.read_card_holder(work, kept)
    clock.move(minutes=-31)
    make_one(clinic)
    with form_browser.unit_of_work(clinic.app_context) as work, pytest.raises(NotFound):
        participant_cards.read_card_holder(work, kept)
    assert enter(clinic, drawn).why == "revoked"


def test_an_unknown_link_is_no_card(clinic):
    make_one(clinic)
    with form_browser.unit_of_work(clinic.app_context) as work:
        with pytest.raises(NotFound):
            participant_cards.card_state_by_link(work, clinic.checkin.token)
        assert participant_cards.try_pin(work, factories.PIN, "10.0.0.1", token="nobody").why == "unknown"


# --- due forms -------------------------------------------------------------------------------------------------------


def waits(clinic: Clinic) -> due_forms.DueForms:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return due_forms.due_forms(work, person_of(clinic, work), "en")


def test_forms_that_were_issued_wait_until_they_are_sent(clinic):
    now = waits(clinic)
    assert sorted(form.instrument for form in now.forms) == ["npc_checkin", "qlq_c30"]
    assert (now.only_form, now.report) == ("", "npc_checkin")
    clinic.start().save(bleed=0)
    assert {form.instrument: form.begun for form in waits(clinic).forms} == {"npc_checkin": True, "qlq_c30": False}
    clinic.start(clinic.qlq).finish()
    assert waits(clinic).only_form == "npc_checkin"
    clinic.start().finish()
    assert waits(clinic).forms == ()


def test_a_visit_waits_before_anybody_was_written_to(any_clinic):
    other = any_clinic.app_context
    with form_browser.unit_of_work(other, any_clinic.coordinator.actor) as work:
        person = factories.participant(work, "NPC-050", phone="")
        participation_end.opt_out(work, person)
        found = due_forms.due_forms(work, person, "en")
        opened = set(
            work.session.scalars(
                select(ExpectedForm.instrument).where(
                    ExpectedForm.participant_id == person.id,
                    ExpectedForm.opens_at <= work.now,
                    ExpectedForm.closes_at > work.now,
                )
            )
        )
        assert opened
        assert {form.instrument for form in found.forms} == opened
        form, _secret = due_forms.open_due_form(
            work, person, "npc_checkin", identified_by="card", device="phone", language="en"
        )
        assert (form.identified_by, form.visit is not None) == ("card", True)


def test_something_may_be_told_at_any_time(any_clinic):
    any_clinic.start().finish()
    any_clinic.start(any_clinic.qlq).finish()
    drawn = make_one(any_clinic)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        guest = participant_cards.try_pin(work, factories.PIN, "10.0.0.1", token=drawn.token).guest
        assert guest is not None
        form, secret = due_forms.open_due_form(
            work, guest.participant, "npc_checkin", identified_by="card", device="phone", language="en"
        )
        assert (form.submitted_at, form.issued_by, form.identified_by) == (None, None, "card")
        work.session.flush()
        assert form_access.session_of(work, form.ref, secret).assessment.id == form.id
        with pytest.raises(NotFound):
            due_forms.open_due_form(
                work, guest.participant, "qlq_c30", identified_by="card", device="phone", language="en"
            )
