"""Grade adverse events: sign gradings, record the end date and the SAE report."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import func, select

from pro.app_context import UnitOfWork
from pro.core.clinical.adverse_events import Term
from pro.errors import BadData, NotFound
from pro.features.accounts import signatures
from pro.features.accounts.signatures import PasswordProof, SignedShapes
from pro.features.adverse_events import seriousness
from pro.features.alerts import alert_service
from pro.features.participants.treatment_dates import local_date
from pro.models import ATTRIBUTIONS, NO_EVENT, AdverseEvent, Grading, Participant, StaffMember

TEXT_LENGTH = 4000
NAME_LENGTH = 200
DEATH = 5
# What the signature of a grading covers, by version (pro/features/accounts/signatures.py:SignedShapes).
SIGNED_SHAPES: SignedShapes = {
    1: (
        "participant",
        "source",
        "event",
        "terms",
        "ctcae_term",
        "other_term",
        "onset",
        "ctcae_grade",
        "from",
        "attribution",
        "serious",
        "not_serious",
        "awareness_time",
        "action_taken",
        "none_reason",
    )
}


@dataclass(frozen=True, slots=True)
class GradingDraft:
    """The content of a grading before it is signed.

    ``event_id``: a recorded event, which gets a new grade from the day ``from_on``. ``term``, ``other_term`` and
    ``onset_date`` describe a new event. ``not_serious``: why an event that looks serious is not. ``none_reason``: why
    there is no event, one of NO_EVENT; ``action`` then explains it.
    """

    term: str = ""
    other_term: str = ""
    onset_date: date | None = None
    grade: int | None = None
    attribution: tuple[str, ...] = ()
    serious: bool | None = None
    awareness_time: datetime | None = None
    action: str = ""
    event_id: int | None = None
    from_on: date | None = None
    none_reason: str = ""
    not_serious: str = ""


@dataclass(frozen=True, slots=True)
class GradingResult:
    """The result of signing a grading.

    ``done`` is False, and nothing was stored, if another person signed a grading of this participant since the page was
    shown; then ``name`` and ``at`` identify that grading. Or ``count`` open alerts of the case were not shown.
    """

    done: bool
    event_id: int | None = None
    name: str = ""
    at: datetime | None = None
    count: int = 0


def newest_grading_id(work: UnitOfWork, participant_id: int) -> int:
    """Return the id of a participant's newest grading, or 0 if there is none.

    A submitted page sends this id back, so that a grading signed meanwhile is detected.
    """
    query = select(func.max(Grading.id)).where(Grading.participant_id == participant_id)
    return work.session.scalar(query) or 0


def ongoing_events(work: UnitOfWork, participant_id: int) -> list[AdverseEvent]:
    """Return a participant's events without an end date, oldest first."""
    query = select(AdverseEvent).where(AdverseEvent.participant_id == participant_id, AdverseEvent.end_date.is_(None))
    return list(work.session.scalars(query.order_by(AdverseEvent.id)))


def grading_problems(
    work: UnitOfWork, participant: Participant, draft: GradingDraft, case_key: str = ""
) -> dict[str, str]:
    """Return a problem key for each invalid field of ``draft``; empty if the draft is valid.

    An event that looks serious and is graded as not serious needs a reason, ``not_serious``.
    """
    if draft.none_reason:
        fields = {"none_reason": "" if draft.none_reason in NO_EVENT else "unknown"}
        if draft.none_reason == "other" and not draft.action.strip():
            fields["action"] = "none_text"
    else:
        fields = _event_problems(work, participant, draft) | _grade_problems(work, draft)
        if not fields["serious"] and draft.serious is False:
            fields["not_serious"] = _not_serious_problem(work, participant, draft, case_key)
    if len(draft.action) > TEXT_LENGTH:
        fields["action"] = "action_too_long"
    return {name: why for name, why in fields.items() if why}


def sign_grading(
    work: UnitOfWork,
    confirmed: PasswordProof,
    participant: Participant,
    draft: GradingDraft,
    *,
    seen: int,
    case_key: str = "",
    shown: Collection[int] = (),
) -> GradingResult:
    """Store and sign a grading.

    ``seen``: the result of ``newest_grading_id`` when the page was shown. ``case_key``: source of the alerts that are
    graded. ``shown``: ids of the alerts on the page; nothing is signed while an open one of the case is missing. Raises
    BadData("judgement", fields=...) with the problems of ``grading_problems``.
    """
    work.lock(participant)
    wrong = grading_problems(work, participant, draft, case_key)
    if wrong:
        raise BadData("judgement", fields=wrong)
    if newest_grading_id(work, participant.id) != seen:
        return _conflicting_grading(work, participant, draft, case_key)
    unseen = alert_service.unseen_alerts(work, case_key, shown) if case_key else []
    if unseen:
        return GradingResult(False, count=len(unseen))
    event = None if draft.none_reason else _find_or_record_event(work, participant, draft, case_key)
    row = Grading(
        participant_id=participant.id,
        adverse_event_id=event.id if event else None,
        source=case_key,
        at=work.now,
        staff_id=confirmed.staff_id,
        **_grading_values(work, participant, draft, case_key),
    )
    work.session.add(row)
    work.session.flush()
    content = signed_content(row, event)
    signatures.sign(work, confirmed, "assessed", row, content, SIGNED_SHAPES, participant_id=participant.id)
    new = {
        "ctcae_grade": row.ctcae_grade,
        "serious": row.serious,
        "none_reason": row.none_reason,
        "adverse_event": row.adverse_event_id,
    }
    work.record("grading.signed", row, participant_id=participant.id, new=new, reason=row.not_serious)
    return GradingResult(True, row.adverse_event_id)


def signed_content(row: Grading, event: AdverseEvent | None) -> dict[str, Any]:
    """Return the values of a grading; SIGNED_SHAPES says which of them a signature covers."""
    return {
        "participant": row.participant_id,
        "source": row.source,
        "event": row.adverse_event_id,
        "terms": event.terms if event else "",
        "ctcae_term": event.ctcae_term if event else "",
        "other_term": event.other_term if event else "",
        "onset": event.onset_date.isoformat() if event else None,
        "ctcae_grade": row.ctcae_grade,
        "from": row.from_on.isoformat() if row.from_on else None,
        "attribution": sorted(row.attribution),
        "serious": row.serious,
        "not_serious": row.not_serious,
        "awareness_time": row.awareness_time.astimezone(UTC).isoformat() if row.awareness_time else None,
        "action_taken": row.action_taken,
        "none_reason": row.none_reason,
    }


def end_event(work: UnitOfWork, event_id: int, on: date | None) -> bool:
    """Record the end date of an event. Return False if it was recorded before.

    Raises BadData("event", fields=...) for a missing date, a date in the future, or a date before onset or the last
    grading. Raises NotFound for an unknown event.
    """
    event = _get_event(work, event_id)
    work.lock(event)
    if event.end_date is not None:
        return False
    person = work.session.get_one(Participant, event.participant_id)
    last = work.session.scalar(select(func.max(Grading.from_on)).where(Grading.adverse_event_id == event.id))
    why = "date_needed" if on is None else ""
    if on is not None and on > local_date(work.now, person.time_zone):
        why = "day_in_future"
    elif on is not None and on < max(event.onset_date, last or event.onset_date):
        why = "end_before"
    if why or on is None:
        raise BadData("event", fields={"end_date": why})
    event.end_date = on
    work.record("adverse_event.ended", event, participant_id=event.participant_id, new={"on": on.isoformat()})
    return True


def record_sae_report(work: UnitOfWork, event_id: int) -> bool:
    """Record that a serious event was reported.

    Returns False if the report was recorded before, or the event is not serious. Raises NotFound for an unknown event.
    """
    event = _get_event(work, event_id)
    work.lock(event)
    query = select(Grading.id).where(Grading.adverse_event_id == event.id, Grading.serious.is_(True)).limit(1)
    if event.reported_at is not None or work.session.scalar(query) is None:
        return False
    event.reported_at, event.reported_by = work.now, work.actor.id
    work.record("adverse_event.reported", event, participant_id=event.participant_id)
    return True


def _get_event(work: UnitOfWork, event_id: int) -> AdverseEvent:
    event = work.session.get(AdverseEvent, event_id)
    if event is None:
        raise NotFound("adverse_event")
    return event


def _term_of(work: UnitOfWork, draft: GradingDraft) -> Term | None:
    """Return the CTCAE term of a draft, or None if it is unknown."""
    event = work.session.get(AdverseEvent, draft.event_id) if draft.event_id else None
    return work.catalogue.terms.terms.get(event.ctcae_term if event else draft.term)


def _event_problems(work: UnitOfWork, participant: Participant, draft: GradingDraft) -> dict[str, str]:
    """Return the problems of the term, the onset date, and the event that is graded again."""
    today = local_date(work.now, participant.time_zone)
    term = _term_of(work, draft)
    fields = {"term": "" if term else "term"}
    if draft.event_id:
        event = work.session.get(AdverseEvent, draft.event_id)
        mine = event is not None and event.participant_id == participant.id
        fields["event"] = "unknown" if not mine else "event_ended" if event and event.end_date else ""
        first = event.onset_date if event and mine else None
        fields["from_on"] = _day_problem(draft.from_on, today, first)
        return fields
    fields["onset_date"] = _day_problem(draft.onset_date, today, None)
    if term is not None and term.specify:
        fields["other_term"] = "" if draft.other_term.strip() else "other_term"
    if len(draft.other_term) > NAME_LENGTH:
        fields["other_term"] = "other_term_too_long"
    return fields


def _day_problem(on: date | None, today: date, first: date | None) -> str:
    """Return why ``on`` is not valid, or "" if it is.

    ``first``: the earliest day allowed.
    """
    if on is None:
        return "date_needed"
    if on > today:
        return "day_in_future"
    return "before_onset" if first is not None and on < first else ""


def _grade_problems(work: UnitOfWork, draft: GradingDraft) -> dict[str, str]:
    """Return the problems of grade, attribution, seriousness, action and awareness time."""
    term = _term_of(work, draft)
    fields = {
        "grade": "" if draft.grade else "grade",
        "attribution": "" if draft.attribution and set(draft.attribution) <= set(ATTRIBUTIONS) else "attribution",
        "serious": "serious" if draft.serious is None else "",
    }
    if draft.grade and term and draft.grade not in term.grades:
        fields["grade"] = "grade_not_of_term"
    if draft.grade == DEATH and draft.serious is False:
        fields["serious"] = "death_is_serious"
    if draft.serious:
        fields["action"] = "" if draft.action.strip() else "action"
        fields["awareness_time"] = "awareness_time" if draft.awareness_time is None else ""
        if draft.awareness_time is not None and draft.awareness_time > work.now:
            fields["awareness_time"] = "known_in_future"
    return fields


def _not_serious_problem(work: UnitOfWork, participant: Participant, draft: GradingDraft, case_key: str) -> str:
    """Return why "not serious" cannot be signed yet, or ""."""
    if len(draft.not_serious) > TEXT_LENGTH:
        return "action_too_long"
    signs = seriousness.signs_of_seriousness(work, participant, draft.grade, case_key)
    return "looks_serious" if signs and not draft.not_serious.strip() else ""


def _find_or_record_event(
    work: UnitOfWork, participant: Participant, draft: GradingDraft, case_key: str
) -> AdverseEvent:
    """Return the event that a draft grades; record a new one if the draft names none."""
    if draft.event_id:
        return _get_event(work, draft.event_id)
    if draft.onset_date is None or work.actor.id is None:
        raise BadData("judgement", fields={"onset_date": "date_needed"})
    event = AdverseEvent(
        participant_id=participant.id,
        terms=work.catalogue.terms.id,
        ctcae_term=draft.term,
        other_term=draft.other_term.strip() if work.catalogue.terms.terms[draft.term].specify else "",
        onset_date=draft.onset_date,
        source=case_key,
        made_at=work.now,
        made_by=work.actor.id,
    )
    work.session.add(event)
    new = {"ctcae_term": event.ctcae_term, "onset": draft.onset_date.isoformat(), "source": case_key}
    work.record("adverse_event.recorded", event, participant_id=participant.id, new=new)
    return event


def _grading_values(work: UnitOfWork, participant: Participant, draft: GradingDraft, case_key: str) -> dict[str, Any]:
    """Return the columns of a grading that come from ``draft``.

    A reason why the event is not serious is kept only where something says that it is.
    """
    asked = draft.serious is False and seriousness.signs_of_seriousness(work, participant, draft.grade, case_key)
    if draft.none_reason:
        return {"attribution": [], "none_reason": draft.none_reason, "action_taken": draft.action.strip()}
    return {
        "ctcae_grade": draft.grade,
        "from_on": draft.from_on if draft.event_id else draft.onset_date,
        "attribution": [one for one in ATTRIBUTIONS if one in draft.attribution],
        "serious": bool(draft.serious),
        "awareness_time": draft.awareness_time if draft.serious else None,
        "not_serious": draft.not_serious.strip() if asked else "",
        "action_taken": draft.action.strip(),
    }


def _conflicting_grading(
    work: UnitOfWork, participant: Participant, draft: GradingDraft, case_key: str
) -> GradingResult:
    """Return the result for a page that was shown before the newest grading was signed.

    If that grading is the same one by the same person (the button was pressed twice), the result is ``done``.
    """
    row = work.session.scalars(
        select(Grading).where(Grading.participant_id == participant.id).order_by(Grading.id.desc()).limit(1)
    ).first()
    if row is None:
        return GradingResult(False)
    event = work.session.get(AdverseEvent, row.adverse_event_id) if row.adverse_event_id else None
    term = event.ctcae_term if event else ""
    typed = _grading_values(work, participant, draft, case_key)
    same = all(getattr(row, name) == value for name, value in typed.items())
    mine = row.staff_id == work.actor.id and row.source == case_key
    if mine and same and bool(draft.none_reason) == (event is None) and (draft.event_id or draft.term == term):
        return GradingResult(True, row.adverse_event_id)
    person = work.session.get(StaffMember, row.staff_id)
    return GradingResult(False, name=person.name if person else "", at=row.at)
