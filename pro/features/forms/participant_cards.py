"""Participant cards: make and revoke them, and give access by QR code or code, with PIN."""

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

# Wrong PINs in a row that lock a card; five tries are too few to guess four digits.
PIN_TRIES = 5
# Time for choosing a form after the correct PIN.
PASS_LIFETIME = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class CardDraft:
    """Code (without dash) and link token of a new card, stored only as fingerprints."""

    code: str
    token: str

    @property
    def shown(self) -> str:
        """Code as it is printed, with a dash."""
        return form_access.format_code(self.code)


@dataclass(frozen=True, slots=True)
class CardRow:
    """A participant's newest card as staff see it.

    ``state``: "made" (not used yet), "used", "locked" or "revoked".
    """

    row: ParticipantCard
    state: str
    made_by: str
    revoked_by: str

    @property
    def is_usable(self) -> bool:
        """True while the card gives access to forms."""
        return self.state in ("made", "used")


@dataclass(frozen=True, slots=True)
class LockedCard:
    """A locked card; its participant needs a new one. ``locked_at`` is in UTC."""

    participant_id: int
    participant_number: str
    locked_at: datetime


@dataclass(frozen=True, slots=True)
class CardHolder:
    """A participant identified by a card and its PIN."""

    card: ParticipantCard
    participant: Participant


@dataclass(frozen=True, slots=True)
class PinAttempt:
    """Result of a typed PIN. Returned, not raised, so that a failed attempt is stored.

    ``why``: "" (no problem; after a correct PIN ``guest`` is set), "empty", "pin_shape", "wrong" (``left``: tries
    left), "locked", "revoked" or "unknown" (no such card). ``delay``: seconds for which the answer is held back after
    many wrong attempts.
    """

    why: str = ""
    guest: CardHolder | None = None
    left: int = PIN_TRIES
    delay: float = 0.0


def draft_card(work: UnitOfWork) -> CardDraft:
    """Return code and token for a new card, without storing them.

    Separate from ``make_card``, because rendering the printed card is slow.
    """
    return CardDraft(form_access.draw_codes(work, 1)[0], secrets.token_urlsafe(16))


def card_link(work: UnitOfWork, draft: CardDraft) -> str:
    """Return the URL in the card's QR code."""
    return f"{work.config.base_url}/c/{draft.token}"


def card_problem(participant: Participant, pin: str = "") -> str:
    """Return why ``make_card`` would refuse: "withdrawn_card", "no_pin", "pin_digits", or ""."""
    if not participant.is_active:
        return "withdrawn_card"
    if pin.strip():
        return "" if read_pin(pin) else "pin_digits"
    return "no_pin" if participant.pin_hash is None else ""


def make_card(
    work: UnitOfWork, participant: Participant, pin: str = "", drawn: CardDraft | None = None
) -> tuple[ParticipantCard, CardDraft]:
    """Store a new card, revoke earlier ones, and return it with its draft.

    ``pin``: a new PIN as typed, "" keeps the current one. ``drawn``: the draft already printed, else a new one is
    drawn. Raise NotAllowed with the problem of ``card_problem``.
    """
    refused = card_problem(participant, pin)
    if refused:
        raise NotAllowed(refused)
    # Serializes simultaneous requests: at most one card is usable.
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
    work.record("participant_card.made", card, participant_id=participant.id)
    return card, drawn


def revoke_card(work: UnitOfWork, participant: Participant) -> bool:
    """Revoke the participant's card. Return False if there was none to revoke."""
    work.lock(participant)
    working = _unrevoked_cards(work, participant.id)
    for card in working:
        _mark_revoked(work, card)
    return bool(working)


def newest_card(work: UnitOfWork, participant_id: int) -> CardRow | None:
    """Return the participant's newest card, or None."""
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
    """Return the locked cards of active participants, longest locked first."""
    query = (
        select(Participant.id, Participant.participant_number, ParticipantCard.locked_at)
        .join(ParticipantCard, ParticipantCard.participant_id == Participant.id)
        .where(
            ParticipantCard.locked_at.is_not(None),
            ParticipantCard.revoked_at.is_(None),
            Participant.withdrawn_at.is_(None),
            Participant.died_at.is_(None),
        )
        .order_by(ParticipantCard.locked_at, ParticipantCard.id)
    )
    return [
        LockedCard(number, participant_number, at)
        for number, participant_number, at in work.session.execute(query)
        if at
    ]


def card_state_by_link(work: UnitOfWork, token: str) -> str:
    """Return the state of the card whose QR code holds ``token``.

    Raise NotFound("link") for an unknown token.
    """
    card = _find_card(work, token=token)
    if card is None:
        raise NotFound("link")
    return _card_state(card)


def is_card_code(work: UnitOfWork, typed: str) -> bool:
    """Return True if ``typed`` is the code of a card."""
    return _find_card(work, code=typed) is not None


def try_pin(work: UnitOfWork, pin: str, visitor: str, *, token: str = "", code: str = "") -> PinAttempt:
    """Try a PIN for the card of ``token`` (from its QR code) or ``code`` (as typed).

    PIN_TRIES wrong PINs lock the card. ``visitor``: a browser or a network, whose answers become slower after many
    wrong attempts; a correct PIN always opens. A wrong code never changes a card. Unknown, locked and revoked cards
    take as long as wrong PINs.
    """
    card = _find_card(work, token=token, code=code)
    if card is not None:
        # Serializes simultaneous guesses, so that each is counted.
        work.lock(card)
    secret = read_pin(pin)
    if card is None or _card_state(card) in ("locked", "revoked"):
        is_secret_correct(None, secret)
        if card is not None:
            return PinAttempt(_card_state(card))
        kind = "pin" if token else "code"
        attempt_limits.count_failure(work, kind, visitor)
        return PinAttempt("unknown", delay=attempt_limits.delay_after(work, kind, visitor))
    if not secret:
        return PinAttempt("pin_shape" if pin.strip() else "empty", left=PIN_TRIES - card.wrong_tries)
    participant = work.session.get_one(Participant, card.participant_id)
    if not is_secret_correct(participant.pin_hash, secret):
        return _count_wrong_pin(work, card, visitor)
    card.wrong_tries, card.used_at = 0, work.now
    work.actor = Actor("participant", participant.id, "participant")
    work.record("participant_card.used", card, participant_id=participant.id)
    return PinAttempt(guest=CardHolder(card, participant))


def make_pass(work: UnitOfWork, card: ParticipantCard) -> str:
    """Return an encrypted pass that the browser keeps while the participant chooses a form."""
    return work.vault.seal(f"card {card.id} {work.now.timestamp():.0f}")


def read_card_holder(work: UnitOfWork, kept: str) -> CardHolder:
    """Return card and participant of a pass.

    Raise NotFound("no_session") if the pass is invalid or expired or the card no longer usable,
    CodeExpired("withdrawn") after the end of participation.
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


def _count_wrong_pin(work: UnitOfWork, card: ParticipantCard, visitor: str) -> PinAttempt:
    """Count a wrong PIN and lock the card at PIN_TRIES."""
    attempt_limits.count_failure(work, "pin", visitor)
    delay = attempt_limits.delay_after(work, "pin", visitor)
    card.wrong_tries += 1
    if card.wrong_tries < PIN_TRIES:
        work.record("participant_card.wrong_pin", card, participant_id=card.participant_id, new=card.wrong_tries)
        return PinAttempt("wrong", left=PIN_TRIES - card.wrong_tries, delay=delay)
    card.locked_at = work.now
    work.record("participant_card.locked", card, participant_id=card.participant_id, new=card.wrong_tries)
    return PinAttempt("locked", left=0, delay=delay)


def _find_card(work: UnitOfWork, *, token: str = "", code: str = "") -> ParticipantCard | None:
    """Return the card of a link ``token``, else of a typed ``code``, or None."""
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
    """Return the participant's cards that are not revoked, locked ones included."""
    query = select(ParticipantCard).where(
        ParticipantCard.participant_id == participant_id, ParticipantCard.revoked_at.is_(None)
    )
    return list(work.session.scalars(query))


def _mark_revoked(work: UnitOfWork, card: ParticipantCard) -> None:
    """Mark a card as revoked by the actor."""
    card.revoked_at, card.revoked_by = work.now, work.actor.id
    work.record("participant_card.revoked", card, participant_id=card.participant_id)


def _card_state(card: ParticipantCard) -> str:
    """Return the state of a card, as in ``CardRow``."""
    if card.revoked_at is not None:
        return "revoked"
    if card.locked_at is not None:
        return "locked"
    return "used" if card.used_at is not None else "made"


def _staff_name(work: UnitOfWork, staff_id: int | None) -> str:
    """Return the name of a staff member; "" for None."""
    staff = work.session.get(StaffMember, staff_id) if staff_id is not None else None
    return staff.name if staff else ""
