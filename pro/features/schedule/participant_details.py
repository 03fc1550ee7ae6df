"""Correct a participant's details: phone, participant number, language; each with a reason and an audit entry."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.errors import BadData, NotAllowed
from pro.features.accounts.phone_numbers import mobile_problem, to_e164
from pro.features.forms import form_access
from pro.features.participants import record_freezes
from pro.messaging import outbox
from pro.models import Answer, Assessment, AuditEntry, Message, Participant

# Mobile or identity card number in the wrong field: all roles see participant numbers, so these are refused.
PERSONAL_NUMBER = re.compile(r"1[3-9][0-9]{9}|[0-9]{17}[0-9X]")
NUMBER_LENGTH = 32
REASON_LENGTH = 500


@dataclass(frozen=True, slots=True)
class ParticipantDetails:
    """The details that staff may correct. ``phone``: as typed, "" for none.

    ``shared_phone``: staff confirmed that another participant has the same phone.
    """

    participant_number: str
    phone: str
    language: str
    shared_phone: bool = False


def normalize_number(typed: str) -> str:
    """Return a typed participant number in half width and upper case."""
    return unicodedata.normalize("NFKC", typed).strip().upper()


def number_problem(work: UnitOfWork, plan_id: str, number: str, own_id: int | None = None) -> str:
    """Return why a participant number is refused, or "".

    One of "participant_number_shape" (by the pattern of the study plan), "participant_number_person", "taken".
    ``own_id``: the participant who has the number already.
    """
    plan = work.catalogue.plans.get(plan_id)
    if plan is None or len(number) > NUMBER_LENGTH or not re.fullmatch(plan.participant_number_pattern, number):
        return "participant_number_shape"
    if PERSONAL_NUMBER.fullmatch(number.replace("-", "")):
        return "participant_number_person"
    query = select(Participant.id).where(Participant.plan == plan_id, Participant.participant_number == number)
    return "taken" if work.session.scalar(query) not in (None, own_id) else ""


def phone_problem(work: UnitOfWork, typed: str, shared: bool, own_id: int | None = None) -> str:
    """Return why a participant's phone is refused, or "" (none is allowed).

    One of "phone_invalid", "phone_not_mobile", and "phone_shared" if another participant has it and ``shared`` does not
    say that this is right.
    """
    return mobile_problem(typed) or ("phone_shared" if not shared and phone_sharers(work, typed, own_id) else "")


def phone_sharers(work: UnitOfWork, typed: str, own_id: int | None = None) -> list[str]:
    """Return the numbers of the other active participants, of all studies, with this phone."""
    number = to_e164(typed)
    if not number:
        return []
    query = select(Participant).where(Participant.phone_fingerprint == fingerprint_of(work, number))
    people = work.session.scalars(query.order_by(Participant.participant_number))
    return [person.participant_number for person in people if person.is_active and person.id != own_id]


def fingerprint_of(work: UnitOfWork, number: str) -> str:
    """Return the fingerprint by which an incoming text finds the participant of ``number`` (E.164)."""
    return work.vault.fingerprint(f"phone:{number}")


def has_answered(work: UnitOfWork, participant: Participant) -> bool:
    """Return True once any answer of the participant is stored."""
    query = (
        select(Answer.id)
        .join(Assessment, Assessment.id == Answer.assessment_id)
        .where(Assessment.participant_id == participant.id)
    )
    return work.session.scalar(query.limit(1)) is not None


def details_digest(participant: Participant) -> str:
    """Return a digest of the details, so that a page corrects only what it showed."""
    shown = (participant.participant_number, participant.phone_fingerprint or "", participant.language)
    return hashlib.sha256("\n".join(shown).encode()).hexdigest()[:32]


def details_problems(
    work: UnitOfWork, participant: Participant, details: ParticipantDetails, reason: str
) -> dict[str, str]:
    """Return {field: problem} for a correction; empty if ``correct_details`` accepts it."""
    changed = _changed_fields(work, participant, details)
    fields = {
        "reason": "why_needed" if not reason.strip() else "too_long" if len(reason.strip()) > REASON_LENGTH else "",
    }
    # A number that stays is not checked: a stored landline must not stop the correction of a language.
    if "phone" in changed:
        fields["phone"] = phone_problem(work, details.phone, details.shared_phone, participant.id)
    if "participant_number" in changed:
        number = normalize_number(details.participant_number)
        answered = "number_has_answers" if has_answered(work, participant) else ""
        fields["participant_number"] = answered or number_problem(work, participant.plan, number, participant.id)
    if "language" in changed:
        plan = work.catalogue.plans.get(participant.plan)
        fields["language"] = "" if plan is not None and details.language in plan.languages else "unknown"
    if not changed:
        fields["phone"] = "nothing_to_correct"
    return {field: why for field, why in fields.items() if why}


def correct_details(
    work: UnitOfWork, participant: Participant, details: ParticipantDetails, reason: str, seen: str
) -> tuple[str, ...]:
    """Correct the details and return the names of the changed ones; on a second press, what the first one changed.

    The audit entry has the reason, old and new number and language, and that the phone changed, never the phone. With
    the phone, messages that wait for the old one are dropped, and all links, codes and sessions are revoked.
    Raises BadData("details", fields=...), NotAllowed("stale_details") if ``seen`` is not ``details_digest``, and
    RecordFrozen for another participant number of a frozen record.
    """
    work.lock(participant)
    if seen != details_digest(participant):
        if not _changed_fields(work, participant, details):
            return _last_corrected(work, participant)
        raise NotAllowed("stale_details")
    wrong = details_problems(work, participant, details, reason)
    if wrong:
        raise BadData("details", fields=wrong)
    changed = _changed_fields(work, participant, details)
    if "participant_number" in changed:
        record_freezes.require_unfrozen(work, participant.plan, participant.id)
    old, new = _audit_values(work, participant, details, changed)
    if "phone" in changed:
        _change_phone(work, participant, to_e164(details.phone) or "")
    if "participant_number" in changed:
        participant.participant_number = normalize_number(details.participant_number)
    if "language" in changed:
        participant.language = details.language
    work.record(
        "participant.corrected", participant, participant_id=participant.id, old=old, new=new, reason=reason.strip()
    )
    return tuple(changed)


def forget_phone(work: UnitOfWork, participant: Participant) -> None:
    """Remove the phone of a participant, with the messages that wait and the links and codes that were sent to it."""
    if participant.phone_sealed is not None:
        _change_phone(work, participant, "")


def _last_corrected(work: UnitOfWork, participant: Participant) -> tuple[str, ...]:
    """Return the names of the details that the newest correction changed."""
    query = select(AuditEntry.old).where(
        AuditEntry.action == "participant.corrected", AuditEntry.participant_id == participant.id
    )
    return tuple(work.session.scalar(query.order_by(AuditEntry.id.desc()).limit(1)) or ())


def _changed_fields(work: UnitOfWork, participant: Participant, details: ParticipantDetails) -> list[str]:
    number = to_e164(details.phone)  # None: not a number
    print_now = fingerprint_of(work, number) if number else None
    changed = {
        "participant_number": normalize_number(details.participant_number) != participant.participant_number,
        "phone": number is None or print_now != participant.phone_fingerprint,
        "language": details.language != participant.language,
    }
    return [name for name, differs in changed.items() if differs]


def _audit_values(
    work: UnitOfWork, participant: Participant, details: ParticipantDetails, changed: list[str]
) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """Return old and new values for the audit entry: of the phone only whether there is one."""
    before = {
        "participant_number": participant.participant_number,
        "phone": participant.phone_sealed is not None,
        "language": participant.language,
    }
    after = {
        "participant_number": normalize_number(details.participant_number),
        "phone": bool(to_e164(details.phone)),
        "language": details.language,
    }
    if "phone" in changed and phone_sharers(work, details.phone, participant.id):
        after["phone_shared"] = True
    return {name: before[name] for name in changed}, {
        name: value for name, value in after.items() if name in changed or name == "phone_shared"
    }


def _change_phone(work: UnitOfWork, participant: Participant, number: str) -> None:
    """Store ``number`` ("" for none). What was sent to the old one may be read by a stranger, so it opens nothing."""
    if participant.phone_sealed is not None:
        outbox.drop_messages(work, Message.participant_id == participant.id, "not_wanted")
        # Submitted forms as well: their links lead on to the next form.
        for assessment in work.session.scalars(select(Assessment).where(Assessment.participant_id == participant.id)):
            form_access.close_access(work, assessment)
    participant.phone_sealed = work.vault.seal(number) if number else None
    participant.phone_fingerprint = fingerprint_of(work, number) if number else None
