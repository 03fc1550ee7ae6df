"""Ways in for a participant: link, code, and the browser session after Start. A GET never uses anything up."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.errors import CodeExpired, NotFound
from pro.features.accounts import attempt_limits
from pro.features.accounts.passwords import CODE_ALPHABET
from pro.features.participants import clinical_facts
from pro.models import Access, Assessment, Card, Participant

# What codes were made of before; they stay valid until they end.
ACCEPTED = frozenset(CODE_ALPHABET + "568BGS")
CODE_LENGTH = 8
CODE_TRIES = 10
SESSION_DAYS = 3
# A form for a visit stays answerable so long after its window: accepted, and flagged (clinical.md 6, rule 2).
GRACE = timedelta(days=7)
# Who gave the answers, from the participant alone to somebody else: a form keeps the last of these that was true.
VOICES = ("self", "helped", "proxy")


@dataclass(frozen=True, slots=True)
class FormSession:
    """A browser that may answer one assessment."""

    assessment: Assessment
    participant: Participant
    access: Access


@dataclass(frozen=True, slots=True)
class CodeTry:
    """What came of typing a code. Returned, not raised, because a failed try must be kept."""

    assessment: Assessment | None = None
    secret: str | None = None
    why: str = ""
    length: int = 0
    tries_left: int = CODE_TRIES
    locked_until: datetime | None = None


def new_link(work: UnitOfWork, assessment: Assessment) -> str:
    """A token for a link into ``assessment``; only its fingerprint is kept."""
    token = secrets.token_urlsafe(16)
    _add(work, assessment, "link", token, _life(work, assessment))
    return token


def new_code(work: UnitOfWork, assessment: Assessment) -> str:
    """A code of 8 characters, written with a dash in the middle; only its fingerprint is kept."""
    return new_codes(work, [assessment])[0]


def new_codes(work: UnitOfWork, assessments: Sequence[Assessment]) -> list[str]:
    """A code for each of ``assessments``, as ``new_code``."""
    fresh = draw_codes(work, len(assessments))
    for assessment, code in zip(assessments, fresh, strict=True):
        _add(work, assessment, "code", code, _life(work, assessment))
    return [dashed(code) for code in fresh]


def draw_codes(work: UnitOfWork, number: int) -> list[str]:
    """``number`` codes, without a dash, that neither a form nor a card has: both are typed into one field."""
    codes: dict[str, str] = {}
    while len(codes) < number:
        drawn = ["".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH)) for _ in range(number)]
        prints = {fingerprint(work, "code", code): code for code in drawn}
        taken = set(work.session.scalars(select(Access.fingerprint).where(Access.fingerprint.in_(prints))))
        taken |= set(work.session.scalars(select(Card.fingerprint).where(Card.fingerprint.in_(prints))))
        codes |= {mark: code for mark, code in prints.items() if mark not in taken}
    return list(codes.values())[:number]


def dashed(code: str) -> str:
    """A code as it is printed."""
    return f"{code[:4]}-{code[4:]}"


def plain_code(typed: str) -> str:
    """What was typed, without width, case, spaces and dashes."""
    folded = unicodedata.normalize("NFKC", typed).upper()
    return "".join(letter for letter in folded if letter.isalnum())


def open_link(work: UnitOfWork, token: str) -> tuple[Assessment, Participant]:
    """The assessment behind a link. NotFound for a token that never was, CodeExpired for one that no longer works."""
    access = _by_secret(work, "link", token)
    if access is None:
        raise NotFound("link")
    return _usable(work, access)


def begin(
    work: UnitOfWork, assessment: Assessment, *, identified_by: str, answered_by: str | None, device: str, language: str
) -> str:
    """A secret for this browser's cookie. With ``answered_by`` (one of VOICES) the assessment is opened as well."""
    # Two devices may press Start at once: the facts that the first one kept must stay. Held before anything is
    # written, because a new row's foreign key already holds it a little, and two such would wait for one another.
    work.lock(assessment)
    secret = secrets.token_urlsafe(16)
    access = _add(work, assessment, "session", secret, timedelta(days=SESSION_DAYS))
    if assessment.submitted_at is None:
        assessment.identified_by = assessment.identified_by or identified_by
        assessment.device = device
    if answered_by:
        _open(work, assessment, access, answered_by, language)
    return secret


def start(work: UnitOfWork, sitting: FormSession, answered_by: str, language: str) -> None:
    """Open the assessment from the start page that follows a typed code."""
    _open(work, sitting.assessment, sitting.access, answered_by, language)


def enter_code(work: UnitOfWork, typed: str, address: str, device: str, language: str) -> CodeTry:
    """Try a typed code. Ten failures from one address within 15 minutes close the door for 15 minutes."""
    allowed = attempt_limits.allowance(work, "code", address, CODE_TRIES)
    if allowed.until:
        return CodeTry(why="locked", tries_left=0, locked_until=allowed.until)
    code = plain_code(typed)
    shape = _shape(code)
    if shape:
        return CodeTry(why=shape, length=len(code), tries_left=allowed.left)
    access = _by_secret(work, "code", code)
    if access is None:
        attempt_limits.failed(work, "code", address)
        return CodeTry(why="unknown", length=len(code), tries_left=allowed.left - 1)
    try:
        assessment, _participant = _usable(work, access)
    except CodeExpired:
        return CodeTry(why="expired", length=len(code), tries_left=allowed.left)
    access.used_at = access.used_at or work.now
    secret = begin(work, assessment, identified_by="code", answered_by=None, device=device, language=language)
    return CodeTry(assessment=assessment, secret=secret, length=len(code), tries_left=allowed.left)


def sitting(work: UnitOfWork, ref: str, secret: str, *, only_look: bool = False) -> FormSession:
    """The sitting behind a browser's cookie for the assessment ``ref``. NotFound, or CodeExpired when its time is over.

    The assessment is held until the work ends, so that two devices answer one after the other; ``only_look`` does not.
    """
    query = (
        select(Access, Assessment, Participant)
        .join(Assessment, Assessment.id == Access.assessment_id)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(Access.fingerprint == fingerprint(work, "session", secret), Assessment.ref == ref)
    )
    if not only_look:
        query = query.with_for_update(of=Assessment, key_share=True).execution_options(populate_existing=True)
    row = work.session.execute(query).one_or_none()
    if row is None:
        raise NotFound("no_session")
    access, assessment, participant = row
    _check(work, access, assessment, participant)
    return FormSession(assessment, participant, access)


def by_text(work: UnitOfWork, assessment: Assessment, participant: Participant, language: str) -> FormSession:
    """Whoever answers by text message from the participant's own phone; the form is held, and opened by it."""
    work.lock(assessment)
    query = select(Access).where(Access.assessment_id == assessment.id, Access.kind == "text").order_by(Access.id)
    access = work.session.scalar(query.limit(1))
    if access is None:
        access = _add(work, assessment, "text", secrets.token_urlsafe(16), _life(work, assessment))
    if assessment.submitted_at is None:
        assessment.identified_by = assessment.identified_by or "phone"
        assessment.device = assessment.device or "phone"
        _open(work, assessment, access, access.answered_by or "self", language, mode="sms")
    return FormSession(assessment, participant, access)


def next_form(work: UnitOfWork, sitting: FormSession) -> Assessment | None:
    """Another form of this participant that waits now, the one that closes first."""
    query = (
        select(Assessment)
        .where(
            Assessment.participant_id == sitting.participant.id,
            Assessment.id != sitting.assessment.id,
            Assessment.submitted_at.is_(None),
            Assessment.cancelled_at.is_(None),
            Assessment.opens_at <= work.now,
            Assessment.closes_at >= work.now,
        )
        .order_by(Assessment.closes_at, Assessment.id)
        .limit(1)
    )
    return work.session.scalar(query)


def furthest(before: str | None, now: str) -> str:
    """Of two of VOICES the one that is further from the participant's own."""
    return max(before or now, now, key=VOICES.index)


def revoke(work: UnitOfWork, assessment: Assessment) -> None:
    """Close every way into ``assessment``."""
    query = select(Access).where(Access.assessment_id == assessment.id, Access.revoked_at.is_(None))
    for access in work.session.scalars(query):
        access.revoked_at = work.now


def _life(work: UnitOfWork, assessment: Assessment) -> timedelta:
    """How long a link or code works: for a visit until its window is over, and a while longer (late, and flagged)."""
    days = timedelta(days=work.config.link_days)
    return max(days, assessment.closes_at + GRACE - work.now) if assessment.visit else days


def _open(
    work: UnitOfWork, assessment: Assessment, access: Access, answered_by: str, language: str, *, mode: str = "web"
) -> None:
    access.answered_by = answered_by
    if assessment.submitted_at is not None:
        return
    assessment.answered_by = furthest(assessment.answered_by, answered_by)
    assessment.language = language
    if assessment.opened_at is None:
        assessment.opened_at = work.now
        assessment.mode = mode
        assessment.context = clinical_facts.snapshot(work, assessment)
        work.record("assessment.opened", assessment, participant_id=assessment.participant_id, new=answered_by)


def _shape(code: str) -> str:
    if not code:
        return "empty"
    if set(code) - ACCEPTED:
        return "wrong_letters"
    if len(code) != CODE_LENGTH:
        return "too_short" if len(code) < CODE_LENGTH else "too_long"
    return ""


def fingerprint(work: UnitOfWork, kind: str, secret: str) -> str:
    """How a secret of ``kind`` (link, code, session, card) is kept."""
    return work.vault.fingerprint(f"{kind}:{secret}")


def _by_secret(work: UnitOfWork, kind: str, secret: str) -> Access | None:
    query = select(Access).where(Access.fingerprint == fingerprint(work, kind, secret))
    return work.session.scalar(query)


def _add(work: UnitOfWork, assessment: Assessment, kind: str, secret: str, life: timedelta) -> Access:
    access = Access(
        assessment_id=assessment.id,
        kind=kind,
        fingerprint=fingerprint(work, kind, secret),
        # Who answers is said on the start page.
        answered_by="",
        made_at=work.now,
        expires_at=work.now + life,
    )
    work.session.add(access)
    return access


def _usable(work: UnitOfWork, access: Access) -> tuple[Assessment, Participant]:
    query = (
        select(Assessment, Participant)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(Assessment.id == access.assessment_id)
    )
    assessment, participant = work.session.execute(query).one()
    _check(work, access, assessment, participant)
    return assessment, participant


def _check(work: UnitOfWork, access: Access, assessment: Assessment, participant: Participant) -> None:
    if not participant.is_active:
        raise CodeExpired("withdrawn")
    if assessment.cancelled_at or access.revoked_at:
        raise CodeExpired("cancelled")
    if access.expires_at <= work.now:
        raise CodeExpired("expired")
