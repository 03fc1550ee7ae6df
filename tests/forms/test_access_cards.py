"""Cards: one works at a time, five wrong PINs lock it, and a wrong code touches none."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from pro.errors import CodeExpired, NotAllowed, NotFound
from pro.features.dashboard import dashboard
from pro.features.forms import access_cards, due_forms, form_access
from pro.features.forms.access_cards import CardDraft, PinAttempt
from pro.features.schedule import enrolment, participation_end
from pro.models import Attempt, Card, Expected, Participant
from tests.support import factories, form_browser
from tests.support.alert_ward import Ward

WRONG = "1357"


def person_of(ward: Ward, work) -> Participant:
    return work.session.get_one(Participant, ward.participant_id)


def make_one(ward: Ward, pin: str = "") -> CardDraft:
    with form_browser.working(ward.house, ward.coordinator.actor) as work:
        return access_cards.make_card(work, person_of(ward, work), pin)[1]


def enter(
    ward: Ward, drawn: CardDraft, pin: str = factories.PIN, *, by: str = "token", address: str = "10.0.0.1"
) -> PinAttempt:
    secret = {"token": drawn.token} if by == "token" else {"code": drawn.shown}
    with form_browser.working(ward.house) as work:
        return access_cards.enter(work, pin, address, **secret)


def state(ward: Ward) -> str:
    with form_browser.working(ward.house) as work:
        row = access_cards.newest_card(work, ward.participant_id)
        return row.state if row else ""


def test_a_card_lets_its_owner_in_by_both_ways(any_ward):
    drawn = make_one(any_ward)
    assert state(any_ward) == "made"
    for by in ("token", "code"):
        entry = enter(any_ward, drawn, by=by)
        assert entry.guest is not None
        assert (entry.why, entry.guest.participant.id) == ("", any_ward.participant_id)
    assert state(any_ward) == "used"
    (made,) = any_ward.events("card.made")
    assert (made.participant_id, made.actor_id) == (any_ward.participant_id, any_ward.coordinator.id)
    assert {event.actor for event in any_ward.events("card.used")} == {"participant"}


def test_nothing_of_a_card_is_kept_in_clear(ward):
    drawn = make_one(ward)
    (card,) = ward.rows(Card)
    kept = " ".join(str(value) for value in vars(card).values())
    kept += " ".join(f"{event.old} {event.new}" for event in ward.events("card.made"))
    for secret in (drawn.code, drawn.shown, drawn.token, factories.PIN):
        assert secret not in kept


@pytest.mark.parametrize("typed", ["２４６８", " 2468 ", "2468\n"])
def test_a_pin_may_be_typed_at_any_width(ward, typed):
    assert enter(ward, make_one(ward), typed).why == ""


@pytest.mark.parametrize(("typed", "why"), [("", "empty"), (" ", "empty"), ("246", "pin_shape"), ("abcd", "pin_shape")])
def test_what_is_no_pin_is_no_wrong_pin(ward, typed, why):
    entry = enter(ward, make_one(ward), typed)
    assert (entry.why, entry.left, entry.guest) == (why, 5, None)
    assert ward.rows(Attempt) == []
    assert ward.rows(Card)[0].wrong_tries == 0


def test_five_wrong_pins_lock_the_card_even_for_the_right_one(any_ward):
    drawn = make_one(any_ward)
    tries = [enter(any_ward, drawn, WRONG, by="code" if turn % 2 else "token") for turn in range(5)]
    assert [(entry.why, entry.left) for entry in tries] == [("wrong", left) for left in (4, 3, 2, 1)] + [("locked", 0)]
    assert state(any_ward) == "locked"
    for by in ("token", "code"):
        assert enter(any_ward, drawn, by=by).why == "locked"
    (locked,) = any_ward.events("card.locked")
    assert locked.participant_id == any_ward.participant_id


def test_a_locked_card_is_on_the_board_of_who_can_make_a_new_one(ward):
    drawn = make_one(ward)
    for _turn in range(5):
        enter(ward, drawn, WRONG)
    with form_browser.working(ward.house, ward.coordinator.actor) as work:
        [card] = dashboard.board(work, "en").locked_cards
    assert (card.participant_id, card.study_number) == (ward.participant_id, "NPC-001")
    make_one(ward)
    with form_browser.working(ward.house, ward.coordinator.actor) as work:
        assert dashboard.board(work, "en").locked_cards == []


def test_the_right_pin_begins_the_count_anew(ward):
    drawn = make_one(ward)
    for _round in range(3):
        for _turn in range(4):
            assert enter(ward, drawn, WRONG).why == "wrong"
        assert enter(ward, drawn).why == ""


def test_guesses_at_once_are_counted_one_by_one(any_ward):
    drawn = make_one(any_ward)
    found: list[str] = []

    def guess(turn: int) -> None:
        found.append(enter(any_ward, drawn, WRONG, address=f"10.0.1.{turn}").why)

    form_browser.at_once(*[lambda turn=turn: guess(turn) for turn in range(8)])
    assert sorted(found) == ["locked"] * 4 + ["wrong"] * 4
    (card,) = any_ward.rows(Card)
    assert card.wrong_tries == 5


def test_a_new_card_stops_the_former_and_unlocks(any_ward):
    former = make_one(any_ward)
    for _turn in range(5):
        enter(any_ward, former, WRONG)
    newer = make_one(any_ward)
    assert enter(any_ward, former).why == "revoked"
    assert enter(any_ward, former, by="code").why == "revoked"
    assert enter(any_ward, newer).why == ""
    with form_browser.working(any_ward.house) as work:
        assert access_cards.by_link(work, former.token) == "revoked"
        assert access_cards.by_link(work, newer.token) == "used"


def test_two_who_make_a_card_at_once_leave_one_that_works(any_ward):
    made: list[CardDraft] = []
    form_browser.at_once(*[lambda: made.append(make_one(any_ward))] * 4)
    working = [card for card in any_ward.rows(Card) if card.revoked_at is None]
    assert (len(made), len(working)) == (4, 1)


def test_a_revoked_card_opens_nothing_and_says_who_ended_it(ward):
    drawn = make_one(ward)
    for expected in (True, False):
        with form_browser.working(ward.house, ward.nurse.actor) as work:
            assert access_cards.revoke(work, person_of(ward, work)) is expected
    assert enter(ward, drawn).why == "revoked"
    with form_browser.working(ward.house) as work:
        row = access_cards.newest_card(work, ward.participant_id)
    assert row is not None
    assert (row.state, row.works, row.revoked_by) == ("revoked", False, ward.nurse.name)
    assert len(ward.events("card.revoked")) == 1


def test_wrong_codes_touch_no_card_and_close_the_door_of_their_address(ward):
    drawn = make_one(ward)
    for _turn in range(form_access.CODE_TRIES):
        with form_browser.working(ward.house) as work:
            assert access_cards.enter(work, WRONG, "10.9.9.9", code="3333-3333").why == "unknown"
    (card,) = ward.rows(Card)
    assert (card.wrong_tries, card.locked_at) == (0, None)
    assert enter(ward, drawn, by="code", address="10.9.9.9").why == "pause"
    with form_browser.working(ward.house) as work:
        # Whoever may try no more codes is not told either which of them are cards.
        assert not access_cards.is_code(work, drawn.shown, "10.9.9.9")
        assert access_cards.is_code(work, drawn.shown.lower(), "10.0.0.1")
        assert not access_cards.is_code(work, "3333-3333", "10.0.0.1")
    assert enter(ward, drawn, by="code").why == ""


def test_one_address_may_not_try_pins_on_card_after_card(ward, clock):
    for _card in range(4):
        drawn = make_one(ward)
        for _turn in range(5):
            enter(ward, drawn, WRONG)
    drawn = make_one(ward)
    paused = enter(ward, drawn)
    assert (paused.why, paused.until) == ("pause", clock.now + timedelta(minutes=15))
    assert enter(ward, drawn, address="10.0.0.2").why == ""
    clock.move(minutes=15)
    assert enter(ward, drawn).why == ""


def test_a_new_pin_comes_with_a_new_card_only(ward):
    drawn = make_one(ward, "９９８８")
    assert enter(ward, drawn).why == "wrong"
    assert enter(ward, drawn, "9988").why == ""
    assert len(ward.events("participant.pin_changed")) == 1
    with form_browser.working(ward.house) as work, pytest.raises(NotAllowed) as refused:
        access_cards.make_card(work, person_of(ward, work), "99")
    assert refused.value.why == "pin_digits"
    assert enter(ward, drawn, "9988").why == ""


def test_without_a_pin_there_is_no_card(ward):
    with form_browser.working(ward.house) as work:
        person = person_of(ward, work)
        person.pin_hash = None
        assert access_cards.why_not(person) == "no_pin"
        with pytest.raises(NotAllowed):
            access_cards.make_card(work, person)
    assert enter(ward, make_one(ward, "4321"), "4321").why == ""


def test_whoever_left_gets_no_card_and_the_old_one_says_so_after_the_pin(ward):
    drawn = make_one(ward)
    with form_browser.working(ward.house, ward.coordinator.actor) as work:
        enrolment.withdraw(work, person_of(ward, work), "asked to stop")
    with form_browser.working(ward.house) as work:
        assert access_cards.by_link(work, drawn.token) == "made"
        assert access_cards.why_not(person_of(ward, work)) == "withdrawn_card"
        guest = access_cards.enter(work, factories.PIN, "10.0.0.1", token=drawn.token).guest
        assert guest is not None
        with pytest.raises(CodeExpired) as ended:
            access_cards.holder(work, access_cards.make_pass(work, guest.card))
    assert ended.value.why == "withdrawn"


def test_a_pass_ends_with_its_time_or_its_card(ward, clock):
    drawn = make_one(ward)
    with form_browser.working(ward.house) as work:
        kept = access_cards.make_pass(work, ward.rows(Card)[0])
        assert access_cards.holder(work, kept).participant.id == ward.participant_id
        for wrong in ("", "x", kept[:-4] + "AAAA", work.vault.seal("phone"), work.vault.seal("card x 1")):
            with pytest.raises(NotFound):
                access_cards.holder(work, wrong)
    clock.move(minutes=31)
    with form_browser.working(ward.house) as work, pytest.raises(NotFound):
        access_cards.holder(work, kept)
    clock.move(minutes=-31)
    make_one(ward)
    with form_browser.working(ward.house) as work, pytest.raises(NotFound):
        access_cards.holder(work, kept)
    assert enter(ward, drawn).why == "revoked"


def test_an_unknown_link_is_no_card(ward):
    make_one(ward)
    with form_browser.working(ward.house) as work:
        with pytest.raises(NotFound):
            access_cards.by_link(work, ward.checkin.token)
        assert access_cards.enter(work, factories.PIN, "10.0.0.1", token="nobody").why == "unknown"


# --- what waits ------------------------------------------------------------------------------------------------------


def waits(ward: Ward) -> due_forms.Due:
    with form_browser.working(ward.house) as work:
        return due_forms.due_forms(work, person_of(ward, work), "en")


def test_forms_that_were_issued_wait_until_they_are_sent(ward):
    now = waits(ward)
    assert sorted(form.instrument for form in now.forms) == ["npc_checkin", "qlq_c30"]
    assert (now.only, now.report) == ("", "npc_checkin")
    ward.start().save(bleed=0)
    assert {form.instrument: form.begun for form in waits(ward).forms} == {"npc_checkin": True, "qlq_c30": False}
    ward.start(ward.qlq).finish()
    assert waits(ward).only == "npc_checkin"
    ward.start().finish()
    assert waits(ward).forms == ()


def test_a_visit_waits_before_anybody_was_written_to(any_ward):
    other = any_ward.house
    with form_browser.working(other, any_ward.coordinator.actor) as work:
        person = factories.participant(work, "NPC-050", phone="")
        participation_end.opt_out(work, person)
        found = due_forms.due_forms(work, person, "en")
        opened = set(
            work.session.scalars(
                select(Expected.instrument).where(
                    Expected.participant_id == person.id, Expected.opens_at <= work.now, Expected.closes_at > work.now
                )
            )
        )
        assert opened
        assert {form.instrument for form in found.forms} == opened
        form, _secret = due_forms.begin(work, person, "npc_checkin", device="phone", language="en")
        assert (form.identified_by, form.visit is not None) == ("card", True)


def test_something_may_be_told_at_any_time(any_ward):
    any_ward.start().finish()
    any_ward.start(any_ward.qlq).finish()
    drawn = make_one(any_ward)
    with form_browser.working(any_ward.house) as work:
        guest = access_cards.enter(work, factories.PIN, "10.0.0.1", token=drawn.token).guest
        assert guest is not None
        form, secret = due_forms.begin(work, guest.participant, "npc_checkin", device="phone", language="en")
        assert (form.submitted_at, form.issued_by, form.identified_by) == (None, None, "card")
        work.session.flush()
        assert form_access.sitting(work, form.ref, secret).assessment.id == form.id
        with pytest.raises(NotFound):
            due_forms.begin(work, guest.participant, "qlq_c30", device="phone", language="en")
