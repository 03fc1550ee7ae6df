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
from pro.models import Assessment, FormAccess, Participant, ParticipantCard

# What codes were made of before; they stay valid until they end.
ACCEPTED_LETTERS = frozenset(CODE_ALPHABET + "568BGS")
CODE_LENGTH = 8
CODE_TRIES = 10
SESSION_DAYS = 3
# A form for a visit stays answerable so long after its window: accepted, and flagged (docs/domain.md 6, rule 2).
GRACE_PERIOD = timedelta(days=7)
# Who gave the answers, from the participant alone to a proxy: a form keeps the last of these that was true.
ANSWERED_BY_VALUES = ("self", "helped", "proxy")


@dataclass(frozen=True, slots=True)
class FormSession:
    """A browser that may answer one assessment."""

    assessment: Assessment
    participant: Participant
    access: FormAccess


@dataclass(frozen=True, slots=True)
class CodeAttempt:
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
    _add_access(work, assessment, "link", token, _lifetime(work, assessment))
    return token


def new_code(work: UnitOfWork, assessment: Assessment) -> str:
    """A code of 8 characters, written with a dash in the middle; only its fingerprint is kept."""
    return new_codes(work, [assessment])[0]


def new_codes(work: UnitOfWork, assessments: Sequence[Assessment]) -> list[str]:
    """A code for each of ``assessments``, as ``new_code``."""
    fresh = draw_codes(work, len(assessments))
    for assessment, code in zip(assessments, fresh, strict=True):
        _add_access(work, assessment, "code", code, _lifetime(work, assessment))
    return [format_code(code) for code in fresh]


def draw_codes(work: UnitOfWork, number: int) -> list[str]:
    """``number`` codes, without a dash, that neither a form nor a card has: both are typed into one field."""
    codes: dict[str, str] = {}
    while len(codes) < number:
        drawn = ["".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH)) for _ in range(number)]
        prints = {fingerprint(work, "code", code): code for code in drawn}
        taken = set(work.session.scalars(select(FormAccess.fingerprint).where(FormAccess.fingerprint.in_(prints))))
        taken |= set(
            work.session.scalars(select(ParticipantCard.fingerprint).where(ParticipantCard.fingerprint.in_(prints)))
        )
        codes |= {mark: code for mark, code in prints.items() if mark not in taken}
    return list(codes.values())[:number]


def format_code(code: str) -> str:
    """A code as it is printed."""
    return f"{code[:4]}-{code[4:]}"


def normalize_code(typed: str) -> str:
    """What was typed, without width, case, spaces and dashes."""
    folded = unicodedata.normalize("NFKC", typed).upper()
    return "".join(letter for letter in folded if letter.isalnum())


def open_link(work: UnitOfWork, token: str) -> tuple[Assessment, Participant]:
    """The assessment behind a link. NotFound for a token that never was, CodeExpired for one that no longer works."""
    access = _find_access(work, "link", token)
    if access is None:
        raise NotFound("link")
    return _require_usable(work, access)


def begin_session(
    work: UnitOfWork, assessment: Assessment, *, identified_by: str, answered_by: str | None, device: str, language: str
) -> str:
    """A secret for this browser's cookie. With ``answered_by`` (one of VOICES) the assessment is opened as well."""
    # Two devices may press Start at once: the facts that the first one kept must stay. Held before anything is
    # written, because a new row's foreign key already holds it a little, and two such would wait for one another.
    work.lock(assessment)
    secret = secrets.token_urlsafe(16)
    access = _add_access(work, assessment, "session", secret, timedelta(days=SESSION_DAYS))
    if assessment.submitted_at is None:
        assessment.identified_by = assessment.identified_by or identified_by
        assessment.device = device
    if answered_by:
        _open_assessment(work, assessment, access, answered_by, language)
    return secret


def start_form(work: UnitOfWork, form_session: FormSession, answered_by: str, language: str) -> None:
    """Open the assessment from the start page that follows a typed code."""
    _open_assessment(work, form_session.assessment, form_session.access, answered_by, language)


def enter_code(work: UnitOfWork, typed: str, address: str, device: str, language: str) -> CodeAttempt:
    """Try a typed code. Ten failures from one address within 15 minutes close the door for 15 minutes."""
    allowed = attempt_limits.allowance(work, "code", address, CODE_TRIES)
    if allowed.until:
        return CodeAttempt(why="locked", tries_left=0, locked_until=allowed.until)
    code = normalize_code(typed)
    shape = _code_problem(code)
    if shape:
        return CodeAttempt(why=shape, length=len(code), tries_left=allowed.left)
    access = _find_access(work, "code", code)
    if access is None:
        attempt_limits.count_failure(work, "code", address)
        return CodeAttempt(why="unknown", length=len(code), tries_left=allowed.left - 1)
    try:
        assessment, _participant = _require_usable(work, access)
    except CodeExpired:
        return CodeAttempt(why="expired", length=len(code), tries_left=allowed.left)
    access.used_at = access.used_at or work.now
    secret = begin_session(work, assessment, identified_by="code", answered_by=None, device=device, language=language)
    return CodeAttempt(assessment=assessment, secret=secret, length=len(code), tries_left=allowed.left)


def session_of(work: UnitOfWork, ref: str, secret: str, *, read_only: bool = False) -> FormSession:
    """The sitting behind a browser's cookie for the assessment ``ref``. NotFound, or CodeExpired when its time is over.

    The assessment is held until the work ends, so that two devices answer one after the other; ``only_look`` does not.
    """
    query = (
        select(FormAccess, Assessment, Participant)
        .join(Assessment, Assessment.id == FormAccess.assessment_id)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(FormAccess.fingerprint == fingerprint(work, "session", secret), Assessment.ref == ref)
    )
    if not read_only:
        query = query.with_for_update(of=Assessment, key_share=True).execution_options(populate_existing=True)
    row = work.session.execute(query).one_or_none()
    if row is None:
        raise NotFound("no_session")
    access, assessment, participant = row
    _require_valid(work, access, assessment, participant)
    return FormSession(assessment, participant, access)


def session_by_text(work: UnitOfWork, assessment: Assessment, participant: Participant, language: str) -> FormSession:
    """The session of answers by text message from the participant's own phone; the form is locked, and opened by it."""
    work.lock(assessment)
    query = (
        select(FormAccess)
        .where(FormAccess.assessment_id == assessment.id, FormAccess.kind == "text")
        .order_by(FormAccess.id)
    )
    access = work.session.scalar(query.limit(1))
    if access is None:
        access = _add_access(work, assessment, "text", secrets.token_urlsafe(16), _lifetime(work, assessment))
    if assessment.submitted_at is None:
        assessment.identified_by = assessment.identified_by or "phone"
        assessment.device = assessment.device or "phone"
        _open_assessment(work, assessment, access, access.answered_by or "self", language, mode="sms")
    return FormSession(assessment, participant, access)


def next_form(work: UnitOfWork, form_session: FormSession) -> Assessment | None:
    """Another form of this participant that waits now, the one that closes first."""
    query = (
        select(Assessment)
        .where(
            Assessment.participant_id == form_session.participant.id,
            Assessment.id != form_session.assessment.id,
            Assessment.submitted_at.is_(None),
            Assessment.cancelled_at.is_(None),
            Assessment.opens_at <= work.now,
            Assessment.closes_at >= work.now,
        )
        .order_by(Assessment.closes_at, Assessment.id)
        .limit(1)
    )
    return work.session.scalar(query)


def most_assisted(before: str | None, now: str) -> str:
    """Of two of VOICES the one that is further from the participant's own."""
    return max(before or now, now, key=ANSWERED_BY_VALUES.index)


def close_access(work: UnitOfWork, assessment: Assessment) -> None:
    """Close every way into ``assessment``."""
    query = select(FormAccess).where(FormAccess.assessment_id == assessment.id, FormAccess.revoked_at.is_(None))
    for access in work.session.scalars(query):
        access.revoked_at = work.now


def _lifetime(work: UnitOfWork, assessment: Assessment) -> timedelta:
    """How long a link or code works: for a visit until its window is over, and a while longer (late, and flagged)."""
    days = timedelta(days=work.config.link_days)
    return max(days, assessment.closes_at + GRACE_PERIOD - work.now) if assessment.visit else days


def _open_assessment(
    work: UnitOfWork, assessment: Assessment, access: FormAccess, answered_by: str, language: str, *, mode: str = "web"
) -> None:
    access.answered_by = answered_by
    if assessment.submitted_at is not None:
        return
    assessment.answered_by = most_assisted(assessment.answered_by, answered_by)
    assessment.language = language
    if assessment.opened_at is None:
        assessment.opened_at = work.now
        assessment.mode = mode
        assessment.context = clinical_facts.context_snapshot(work, assessment)
        work.record("assessment.opened", assessment, participant_id=assessment.participant_id, new=answered_by)


def _code_problem(code: str) -> str:
    if not code:
        return "empty"
    if set(code) - ACCEPTED_LETTERS:
        return "wrong_letters"
    if len(code) != CODE_LENGTH:
        return "too_short" if len(code) < CODE_LENGTH else "too_long"
    return ""


def fingerprint(work: UnitOfWork, kind: str, secret: str) -> str:
    """How a secret of ``kind`` (link, code, session, card) is kept."""
    return work.vault.fingerprint(f"{kind}:{secret}")


def _find_access(work: UnitOfWork, kind: str, secret: str) -> FormAccess | None:
    query = select(FormAccess).where(FormAccess.fingerprint == fingerprint(work, kind, secret))
    return work.session.scalar(query)


def _add_access(work: UnitOfWork, assessment: Assessment, kind: str, secret: str, life: timedelta) -> FormAccess:
    access = FormAccess(
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


def _require_usable(work: UnitOfWork, access: FormAccess) -> tuple[Assessment, Participant]:
    query = (
        select(Assessment, Participant)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(Assessment.id == access.assessment_id)
    )
    assessment, participant = work.session.execute(query).one()
    _require_valid(work, access, assessment, participant)
    return assessment, participant


def _require_valid(work: UnitOfWork, access: FormAccess, assessment: Assessment, participant: Participant) -> None:
    if not participant.is_active:
        raise CodeExpired("withdrawn")
    if assessment.cancelled_at or access.revoked_at:
        raise CodeExpired("cancelled")
    if access.expires_at <= work.now:
        raise CodeExpired("expired")
