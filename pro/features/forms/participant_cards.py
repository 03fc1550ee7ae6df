"""A participant's printed card: made, revoked, and the way in by its QR code or its short code with the PIN."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from pro.app_context import Actor, UnitOfWork
from pro.errors import CodeExpired, NotAllowed, NotFound
from pro.features.accounts import attempt_limits
from pro.features.accounts.passwords import hash_secret, is_secret_correct, read_pin
from pro.features.forms import form_access
from pro.models import Participant, ParticipantCard, StaffMember

# Wrong PINs in a row that lock a card; five tries do not guess four digits.
PIN_TRIES = 5
# Wrong PINs from one address in 15 minutes, whatever the cards. A ward may share one address.
ADDRESS_TRIES = 20
# How long a browser may choose among the forms after the right PIN.
PASS_LIFETIME = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class CardDraft:
    """What a card will hold: a code (without its dash) and the token of its link. Told once, kept nowhere in clear."""

    code: str
    token: str

    @property
    def shown(self) -> str:
        """The code as it is printed."""
        return form_access.format_code(self.code)


@dataclass(frozen=True, slots=True)
class CardRow:
    """A participant's newest card as staff see it. ``state``: made (not used yet), used, locked or revoked."""

    row: ParticipantCard
    state: str
    made_by: str
    revoked_by: str

    @property
    def is_usable(self) -> bool:
        """True while it opens forms."""
        return self.state in ("made", "used")


@dataclass(frozen=True, slots=True)
class LockedCard:
    """A card that five wrong PINs have locked: its owner cannot get in until staff make a new one."""

    participant_id: int
    study_number: str
    locked_at: datetime


@dataclass(frozen=True, slots=True)
class CardHolder:
    """A participant who gave a card and its PIN."""

    card: ParticipantCard
    participant: Participant


@dataclass(frozen=True, slots=True)
class PinAttempt:
    """What came of typing a PIN. Returned, not raised, because a failed try must be kept.

    ``why``: "" (nothing is wrong; once the PIN was right, ``guest`` is set), empty, pin_shape, wrong (``left``: more
    tries), locked, revoked, unknown (no such card), pause (too many tries from this address, until ``until``).
    """

    why: str = ""
    guest: CardHolder | None = None
    left: int = PIN_TRIES
    until: datetime | None = None


def draft_card(work: UnitOfWork) -> CardDraft:
    """What a new card will hold. Nothing is written: a card is drawn before it is made, because drawing is slow."""
    return CardDraft(form_access.draw_codes(work, 1)[0], secrets.token_urlsafe(16))


def card_link(work: UnitOfWork, draft: CardDraft) -> str:
    """The address in the card's QR code."""
    return f"{work.config.base_url}/c/{draft.token}"


def card_problem(participant: Participant, pin: str = "") -> str:
    """Why ``make_card`` would refuse: "" if it would not, withdrawn_card, no_pin, or pin_digits."""
    if not participant.is_active:
        return "withdrawn_card"
    if pin.strip():
        return "" if read_pin(pin) else "pin_digits"
    return "no_pin" if participant.pin_hash is None else ""


def make_card(
    work: UnitOfWork, participant: Participant, pin: str = "", drawn: CardDraft | None = None
) -> tuple[ParticipantCard, CardDraft]:
    """A new card, and what it holds; the former one stops working now.

    ``pin``: a new PIN as typed, "" leaves the one that is set. ``drawn``: what was printed already, else it is drawn
    now. NotAllowed with a ``why`` of ``why_not``.
    """
    refused = card_problem(participant, pin)
    if refused:
        raise NotAllowed(refused)
    # Two people may press at once; one card works afterwards.
    work.lock(participant)
    for former in _unrevoked_cards(work, participant.id):
        _mark_revoked(work, former)
    if pin.strip():
        participant.pin_hash = hash_secret(read_pin(pin))
        work.record("participant.pin_changed", participant, participant_id=participant.id)
    drawn = drawn or draft_card(work)
    card = ParticipantCard(
        participant_id=participant.id,
        fingerprint=form_access.fingerprint(work, "code", drawn.code),
        link_fingerprint=form_access.fingerprint(work, "card", drawn.token),
        made_at=work.now,
        made_by=work.actor.id,
        wrong_tries=0,
    )
    work.session.add(card)
    work.session.flush()
    work.record("card.made", card, participant_id=participant.id)
    return card, drawn


def revoke_card(work: UnitOfWork, participant: Participant) -> bool:
    """The card stops working now. False if none worked."""
    work.lock(participant)
    working = _unrevoked_cards(work, participant.id)
    for card in working:
        _mark_revoked(work, card)
    return bool(working)


def newest_card(work: UnitOfWork, participant_id: int) -> CardRow | None:
    """The card that was made last; None if there was none."""
    query = (
        select(ParticipantCard)
        .where(ParticipantCard.participant_id == participant_id)
        .order_by(ParticipantCard.id.desc())
        .limit(1)
    )
    card = work.session.scalar(query)
    if card is None:
        return None
    return CardRow(card, _card_state(card), _staff_name(work, card.made_by), _staff_name(work, card.revoked_by))


def list_locked_cards(work: UnitOfWork) -> list[LockedCard]:
    """Locked cards of people who are in their study, the one that waits longest first."""
    query = (
        select(Participant.id, Participant.study_number, ParticipantCard.locked_at)
        .join(ParticipantCard, ParticipantCard.participant_id == Participant.id)
        .where(
            ParticipantCard.locked_at.is_not(None),
            ParticipantCard.revoked_at.is_(None),
            Participant.withdrawn_at.is_(None),
            Participant.died_at.is_(None),
        )
        .order_by(ParticipantCard.locked_at, ParticipantCard.id)
    )
    return [LockedCard(number, study_number, at) for number, study_number, at in work.session.execute(query) if at]


def card_state_by_link(work: UnitOfWork, token: str) -> str:
    """The state of the card whose QR code holds ``token``. NotFound("link") for a token that never was."""
    card = _find_card(work, token=token)
    if card is None:
        raise NotFound("link")
    return _card_state(card)


def is_card_code(work: UnitOfWork, typed: str, address: str) -> bool:
    """True if ``typed`` is a card's code; False as well while ``address`` may try no codes, so that nothing is told."""
    if attempt_limits.allowance(work, "code", address, form_access.CODE_TRIES).until:
        return False
    return _find_card(work, code=typed) is not None


def try_pin(work: UnitOfWork, pin: str, address: str, *, token: str = "", code: str = "") -> PinAttempt:
    """Try a PIN for the card behind ``token`` (from its QR code) or ``code`` (as typed).

    Five wrong PINs lock the card; twenty from one address, for whatever cards, make a pause of 15 minutes. A wrong
    code never touches a card. Every answer about the PIN takes as long as every other.
    """
    limits = [("pin", ADDRESS_TRIES)] if token else [("pin", ADDRESS_TRIES), ("code", form_access.CODE_TRIES)]
    for kind, limit in limits:
        until = attempt_limits.allowance(work, kind, address, limit).until
        if until:
            return PinAttempt("pause", until=until)
    card = _find_card(work, token=token, code=code)
    if card is not None:
        # Guesses that come at once are counted one after the other.
        work.lock(card)
    secret = read_pin(pin)
    if card is None or _card_state(card) in ("locked", "revoked"):
        is_secret_correct(None, secret)
        if card is not None:
            return PinAttempt(_card_state(card))
        attempt_limits.count_failure(work, "pin" if token else "code", address)
        return PinAttempt("unknown")
    if not secret:
        return PinAttempt("pin_shape" if pin.strip() else "empty", left=PIN_TRIES - card.wrong_tries)
    participant = work.session.get_one(Participant, card.participant_id)
    if not is_secret_correct(participant.pin_hash, secret):
        return _count_wrong_pin(work, card, address)
    card.wrong_tries, card.used_at = 0, work.now
    work.actor = Actor("participant", participant.id, "participant")
    work.record("card.used", card, participant_id=participant.id)
    return PinAttempt(guest=CardHolder(card, participant))


def make_pass(work: UnitOfWork, card: ParticipantCard) -> str:
    """What the browser keeps after the right PIN, so that the person can choose a form. It says nothing to anybody."""
    return work.vault.seal(f"card {card.id} {work.now.timestamp():.0f}")


def read_card_holder(work: UnitOfWork, kept: str) -> CardHolder:
    """Whose browser kept this pass. NotFound("no_session") if it is none, too old, or the card stopped working;
    CodeExpired("withdrawn") for a participant who left.
    """
    try:
        kind, number, made = work.vault.open(kept).split(" ")
        age = work.now.timestamp() - int(made)
    except ValueError as error:
        raise NotFound("no_session") from error
    card = work.session.get(ParticipantCard, int(number)) if kind == "card" and number.isdigit() else None
    if card is None or age > PASS_LIFETIME.total_seconds() or _card_state(card) in ("locked", "revoked"):
        raise NotFound("no_session")
    participant = work.session.get_one(Participant, card.participant_id)
    if not participant.is_active:
        raise CodeExpired("withdrawn")
    return CardHolder(card, participant)


def _count_wrong_pin(work: UnitOfWork, card: ParticipantCard, address: str) -> PinAttempt:
    attempt_limits.count_failure(work, "pin", address)
    card.wrong_tries += 1
    if card.wrong_tries < PIN_TRIES:
        work.record("card.wrong_pin", card, participant_id=card.participant_id, new=card.wrong_tries)
        return PinAttempt("wrong", left=PIN_TRIES - card.wrong_tries)
    card.locked_at = work.now
    work.record("card.locked", card, participant_id=card.participant_id, new=card.wrong_tries)
    return PinAttempt("locked", left=0)


def _find_card(work: UnitOfWork, *, token: str = "", code: str = "") -> ParticipantCard | None:
    if token:
        query = select(ParticipantCard).where(
            ParticipantCard.link_fingerprint == form_access.fingerprint(work, "card", token)
        )
    else:
        query = select(ParticipantCard).where(
            ParticipantCard.fingerprint == form_access.fingerprint(work, "code", form_access.normalize_code(code))
        )
    return work.session.scalar(query)


def _unrevoked_cards(work: UnitOfWork, participant_id: int) -> list[ParticipantCard]:
    """Cards that are not revoked; a locked one among them."""
    query = select(ParticipantCard).where(
        ParticipantCard.participant_id == participant_id, ParticipantCard.revoked_at.is_(None)
    )
    return list(work.session.scalars(query))


def _mark_revoked(work: UnitOfWork, card: ParticipantCard) -> None:
    card.revoked_at, card.revoked_by = work.now, work.actor.id
    work.record("card.revoked", card, participant_id=card.participant_id)


def _card_state(card: ParticipantCard) -> str:
    if card.revoked_at is not None:
        return "revoked"
    if card.locked_at is not None:
        return "locked"
    return "used" if card.used_at is not None else "made"


def _staff_name(work: UnitOfWork, staff_id: int | None) -> str:
    staff = work.session.get(StaffMember, staff_id) if staff_id is not None else None
    return staff.name if staff else ""
