"""Access of participants to forms: link, code, and the browser session after Start.

A GET request never uses up a link or code.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.errors import CodeExpired, NotFound
from pro.features.accounts import attempt_limits
from pro.features.accounts.passwords import CODE_ALPHABET
from pro.features.participants import clinical_facts
from pro.models import Assessment, FormAccess, Participant, ParticipantCard

# With the letters of earlier codes, which stay valid until they expire.
ACCEPTED_LETTERS = frozenset(CODE_ALPHABET + "568BGS")
CODE_LENGTH = 8
SESSION_DAYS = 3
# A form for a visit is accepted for 7 days after its window, and flagged (docs/domain.md 6, rule 2).
GRACE_PERIOD = timedelta(days=7)
# Who gave the answers, by increasing assistance: a form keeps the most assisted one.
ANSWERED_BY_VALUES = ("self", "helped", "proxy")


@dataclass(frozen=True, slots=True)
class FormSession:
    """A browser session that may answer one form."""

    assessment: Assessment
    participant: Participant
    access: FormAccess


@dataclass(frozen=True, slots=True)
class CodeAttempt:
    """Result of a typed code. Returned, not raised, so that a failed attempt is stored.

    ``why``: "" on success, "unknown", "expired", "empty", "wrong_letters", "too_short" or "too_long". ``length``:
    number of letters typed. ``delay``: seconds for which the answer is held back after many wrong codes.
    """

    assessment: Assessment | None = None
    secret: str | None = None
    why: str = ""
    length: int = 0
    delay: float = 0.0


def new_link(work: UnitOfWork, assessment: Assessment) -> str:
    """Return a token for a link to ``assessment``; only its fingerprint is stored."""
    token = secrets.token_urlsafe(16)
    _add_access(work, assessment, "link", token, _lifetime(work, assessment))
    return token


def new_code(work: UnitOfWork, assessment: Assessment) -> str:
    """Return a code of 8 characters with a dash in the middle; only its fingerprint is stored."""
    return new_codes(work, [assessment])[0]


def new_codes(work: UnitOfWork, assessments: Sequence[Assessment]) -> list[str]:
    """Return a code for each of ``assessments``, as ``new_code`` does."""
    fresh = draw_codes(work, len(assessments))
    for assessment, code in zip(assessments, fresh, strict=True):
        _add_access(work, assessment, "code", code, _lifetime(work, assessment))
    return [format_code(code) for code in fresh]


def draw_codes(work: UnitOfWork, number: int) -> list[str]:
    """Return ``number`` codes without dash that no form and no card has.

    Codes of forms and cards are typed into the same field, so they must differ.
    """
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
    """Return a code as it is printed, with a dash in the middle."""
    return f"{code[:4]}-{code[4:]}"


def normalize_code(typed: str) -> str:
    """Return a typed code in upper case and half width, without spaces and dashes."""
    folded = unicodedata.normalize("NFKC", typed).upper()
    return "".join(letter for letter in folded if letter.isalnum())


def open_link(work: UnitOfWork, token: str) -> tuple[Assessment, Participant]:
    """Return form and participant of a link.

    Raise NotFound("link") for an unknown token, CodeExpired("withdrawn" | "cancelled" | "expired").
    """
    access = _find_access(work, "link", token)
    if access is None:
        raise NotFound("link")
    return _require_usable(work, access)


def begin_session(
    work: UnitOfWork, assessment: Assessment, *, identified_by: str, answered_by: str | None, device: str, language: str
) -> str:
    """Return a secret for the browser's cookie; open the form if ``answered_by`` is given.

    ``identified_by``: how the participant was identified, as "link", "code" or "card". ``answered_by``: one of
    ANSWERED_BY_VALUES, or None until the start page asks for it.
    """
    # Two devices may press Start at the same time: the snapshot of the first must stay. The form is locked before any
    # write, because the foreign key of a new row takes a share lock on the form, and two of them would deadlock.
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
    """Open the form from the start page that follows a typed code."""
    _open_assessment(work, form_session.assessment, form_session.access, answered_by, language)


def enter_code(work: UnitOfWork, typed: str, visitor: str, device: str, language: str) -> CodeAttempt:
    """Try a typed code and start a session for its form.

    ``visitor``: for whom wrong codes are counted, a browser or a network. A correct code always opens its form.
    """
    code = normalize_code(typed)
    shape = _code_problem(code)
    if shape:
        return CodeAttempt(why=shape, length=len(code))
    access = _find_access(work, "code", code)
    if access is None:
        attempt_limits.count_failure(work, "code", visitor)
        return CodeAttempt(why="unknown", length=len(code), delay=attempt_limits.delay_after(work, "code", visitor))
    try:
        assessment, _participant = _require_usable(work, access)
    except CodeExpired:
        return CodeAttempt(why="expired", length=len(code))
    attempt_limits.reset_failures(work, "code", visitor)
    access.used_at = access.used_at or work.now
    secret = begin_session(work, assessment, identified_by="code", answered_by=None, device=device, language=language)
    return CodeAttempt(assessment=assessment, secret=secret, length=len(code))


def session_of(work: UnitOfWork, ref: str, secret: str, *, read_only: bool = False) -> FormSession:
    """Return the session of a browser's cookie for the form ``ref``.

    The form stays locked until the work ends, so that two devices answer one after the other; ``read_only`` does not
    lock it. Raise NotFound("no_session"), CodeExpired("withdrawn" | "cancelled" | "expired").
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
    """Return the session for answers by text message from the participant's own phone.

    The form is locked, and opened by the first message.
    """
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


def next_form(work: UnitOfWork, participant: Participant, answered: Assessment) -> Assessment | None:
    """Return the open form of ``participant`` that closes first and is not ``answered``, or None.

    A form whose instrument is no longer installed cannot be shown, so it is passed over.
    """
    query = (
        select(Assessment)
        .where(
            Assessment.participant_id == participant.id,
            Assessment.id != answered.id,
            Assessment.instrument.in_(work.catalogue.instruments),
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
    """Return the more assisted one of two ANSWERED_BY_VALUES."""
    return max(before or now, now, key=ANSWERED_BY_VALUES.index)


def close_access(work: UnitOfWork, assessment: Assessment) -> None:
    """Revoke all links, codes and sessions of ``assessment``."""
    query = select(FormAccess).where(FormAccess.assessment_id == assessment.id, FormAccess.revoked_at.is_(None))
    for access in work.session.scalars(query):
        access.revoked_at = work.now


def _lifetime(work: UnitOfWork, assessment: Assessment) -> timedelta:
    """Return how long a link or code is valid.

    The setting ``link_days``; for a visit at least until GRACE_PERIOD after its window.
    """
    days = timedelta(days=work.config.link_days)
    return max(days, assessment.closes_at + GRACE_PERIOD - work.now) if assessment.visit else days


def _open_assessment(
    work: UnitOfWork, assessment: Assessment, access: FormAccess, answered_by: str, language: str, *, mode: str = "web"
) -> None:
    """Store who answers, and open the form with its snapshot if it was not opened before."""
    access.answered_by = answered_by
    if assessment.submitted_at is not None:
        return
    assessment.answered_by = most_assisted(assessment.answered_by, answered_by)
    assessment.language = language
    if assessment.opened_at is None:
        assessment.opened_at = work.now
        assessment.completion_mode = mode
        assessment.context = clinical_facts.context_snapshot(work, assessment)
        work.record("assessment.opened", assessment, participant_id=assessment.participant_id, new=answered_by)


def _code_problem(code: str) -> str:
    """Return "empty", "wrong_letters", "too_short", "too_long", or "" for a valid shape."""
    if not code:
        return "empty"
    if set(code) - ACCEPTED_LETTERS:
        return "wrong_letters"
    if len(code) != CODE_LENGTH:
        return "too_short" if len(code) < CODE_LENGTH else "too_long"
    return ""


def fingerprint(work: UnitOfWork, kind: str, secret: str) -> str:
    """Return the stored form of a secret; ``kind``: "link", "code", "session" or "card"."""
    return work.vault.fingerprint(f"{kind}:{secret}")


def _find_access(work: UnitOfWork, kind: str, secret: str) -> FormAccess | None:
    """Return the access row of a secret, or None."""
    query = select(FormAccess).where(FormAccess.fingerprint == fingerprint(work, kind, secret))
    return work.session.scalar(query)


def _add_access(work: UnitOfWork, assessment: Assessment, kind: str, secret: str, life: timedelta) -> FormAccess:
    """Store and return an access row that is valid for ``life``."""
    access = FormAccess(
        assessment_id=assessment.id,
        kind=kind,
        fingerprint=fingerprint(work, kind, secret),
        # The start page asks who answers.
        answered_by="",
        made_at=work.now,
        expires_at=work.now + life,
    )
    work.session.add(access)
    return access


def _require_usable(work: UnitOfWork, access: FormAccess) -> tuple[Assessment, Participant]:
    """Return form and participant of an access row. Raise CodeExpired as ``_require_valid``."""
    query = (
        select(Assessment, Participant)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(Assessment.id == access.assessment_id)
    )
    assessment, participant = work.session.execute(query).one()
    _require_valid(work, access, assessment, participant)
    return assessment, participant


def _require_valid(work: UnitOfWork, access: FormAccess, assessment: Assessment, participant: Participant) -> None:
    """Raise CodeExpired("withdrawn" | "cancelled" | "expired") for access that has ended."""
    if not participant.is_active:
        raise CodeExpired("withdrawn")
    if assessment.cancelled_at or access.revoked_at:
        raise CodeExpired("cancelled")
    if access.expires_at <= work.now:
        raise CodeExpired("expired")
