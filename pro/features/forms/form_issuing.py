"""Issue forms: instrument, participant, visit window, and access by link or code."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import and_, or_, select

from pro.app_context import UnitOfWork
from pro.core.schedule import reminder_times
from pro.errors import NotAllowed, NotFound
from pro.features.forms import form_access, licensed_wording
from pro.features.participants import clinical_facts, death_reports
from pro.messaging import message_rendering, outbox
from pro.models import Assessment, ExpectedForm, Message, Participant

# Own defaults: how long a text message sent by staff may wait in the outbox.
MESSAGE_LIFETIME, NIGHT_MESSAGE_LIFETIME = timedelta(hours=12), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class IssuedForm:
    """A form with its new link and code, which are stored only as fingerprints.

    ``goes_at``: when the quiet hours end that its text message waits for, None if it does not wait.
    """

    assessment: Assessment
    link: str | None
    code: str | None
    goes_at: datetime | None = None


def send_form(
    work: UnitOfWork, participant: Participant, instrument: str, *, by: str, in_quiet_hours: bool = True
) -> IssuedForm:
    """Issue ``instrument`` now, or give access to the form that is still open.

    ``by``: "link" or "code" send a text message; "here" sends none and returns both for a participant who is present.
    ``in_quiet_hours``: True for staff who send one form at night and mean now, False to let the text message wait until
    the quiet hours end. A form that got the same message within the last minute (a button pressed twice), or for which
    one waits until then, gets no second one, and nothing is recorded.

    Raise NotAllowed("withdrawn" | "wording_not_licensed" | "no_phone" | "opted_out" | "death_reported" | "no_sms" |
    "over_budget" | "not_taken" | "plan_gone" | "closes_in_quiet_hours"), NotFound("instrument") if the study plan lacks
    the instrument. "not_taken": the SMS gateway does not accept this kind of message. "death_reported": a text reported
    the participant's death, and the family was not called yet.
    """
    _require_instrument(work, participant, instrument)
    # A withdrawal or opt-out may be recorded at the same time.
    work.lock(participant)
    if not participant.is_active:
        raise NotAllowed("withdrawn")
    if by != "here" and (participant.phone_sealed is None or participant.opted_out_at is not None):
        raise NotAllowed("no_phone" if participant.phone_sealed is None else "opted_out")
    if by != "here" and death_reports.reported_deaths(work, [participant.id]):
        raise NotAllowed("death_reported")
    if by != "here" and work.config.sms == "none":
        raise NotAllowed("no_sms")
    if by not in sending_methods(work, participant.language):
        raise NotAllowed("not_taken")
    assessment = issue_form(work, participant, instrument)
    goes_at = None if in_quiet_hours else _quiet_hours_end(work, participant)
    if goes_at is not None and assessment.closes_at <= goes_at:
        raise NotAllowed("closes_in_quiet_hours")
    if by != "here" and _has_text(work, assessment, by, goes_at):
        return IssuedForm(assessment, None, None, goes_at)
    link = f"{work.config.base_url}/a/{form_access.new_link(work, assessment)}" if by != "code" else None
    code = form_access.new_code(work, assessment) if by != "link" else None
    message = _queue_form_message(work, participant, assessment, link, code, goes_at) if by != "here" else None
    work.record("assessment.sent", assessment, participant_id=participant.id, new={"by": by})
    if message is not None and message.dropped_at:
        raise NotAllowed(message.failure)
    return IssuedForm(assessment, link, code, goes_at)


def sending_methods(work: UnitOfWork, language: str) -> tuple[str, ...]:
    """Return the values of ``by`` that ``send_form`` accepts for participants of ``language``."""
    kinds = {"link": "form_message", "code": "form_message_code"}
    return (*(by for by, kind in kinds.items() if work.catalogue.gateway.accepts(kind, language)), "here")


def is_sent_by_link(work: UnitOfWork, participant: Participant, *kinds: str) -> bool:
    """Return True if messages of the worker carry a link, False if they carry a code.

    A link needs a study plan that asks for it and a gateway that accepts the messages ``kinds`` (by default those about
    forms).
    """
    visit_schedule = work.catalogue.shown_plan(participant.plan).visit_schedule
    takes, language = work.catalogue.gateway.accepts, participant.language
    taken = all(takes(kind, language) for kind in kinds or ("form_message", "reminder"))
    return taken and visit_schedule is not None and visit_schedule.reminder_rules.by == "link"


def issue_form(
    work: UnitOfWork, participant: Participant, instrument: str, *, expected: ExpectedForm | None = None
) -> Assessment:
    """Return the participant's open form of ``instrument``, or issue one; send nothing.

    It belongs to ``expected``, else to the visit whose window is open, if there is one. Raise
    NotAllowed("wording_not_licensed" | "plan_gone"), NotFound("instrument") if the study plan lacks the instrument.
    """
    _require_instrument(work, participant, instrument)
    # Serializes simultaneous requests: an instrument has at most one open form.
    work.lock(participant)
    pinned = licensed_wording.checksums_to_pin(work, instrument)
    row = expected or _open_visit(work, participant, instrument)
    assessment = open_form(work, participant, instrument)
    if assessment is None:
        assessment = new_form(work, participant.id, instrument, pinned, row)
        work.session.flush()
        work.record("assessment.issued", assessment, participant_id=participant.id, new={"instrument": instrument})
    elif assessment.first_answer_at is None and _needs_update(work, assessment, pinned, row):
        # An answer may arrive at the same time; then the form keeps the wording that was shown.
        work.lock(assessment)
        if assessment.first_answer_at is None:
            reuse_unanswered_form(work, assessment, pinned, row)
    if row is not None and row.received_at is None:
        row.assessment_id = assessment.id
    return assessment


def open_form(work: UnitOfWork, participant: Participant, instrument: str) -> Assessment | None:
    """Return the participant's open form of ``instrument``, or None."""
    return open_forms(work, [participant.id], instrument).get((participant.id, instrument))


def open_forms(
    work: UnitOfWork, participants: Sequence[int], instrument: str | None = None
) -> dict[tuple[int, str], Assessment]:
    """Return (participant id, instrument) -> open form.

    Open are forms before their closing time, and forms of visits without an answer.
    """
    unanswered = and_(Assessment.visit.is_not(None), Assessment.first_answer_at.is_(None))
    query = (
        select(Assessment)
        .where(
            Assessment.participant_id.in_(participants),
            Assessment.submitted_at.is_(None),
            Assessment.cancelled_at.is_(None),
            or_(Assessment.closes_at > work.now, unanswered),
        )
        .order_by(Assessment.id)
    )
    if instrument is not None:
        query = query.where(Assessment.instrument == instrument)
    return {(row.participant_id, row.instrument): row for row in work.session.scalars(query)}


def _require_instrument(work: UnitOfWork, participant: Participant, instrument: str) -> None:
    """Raise NotAllowed("plan_gone") without study plan, NotFound("instrument") if it lacks the instrument."""
    if work.catalogue.plan_or_none(participant.plan) is None:
        raise NotAllowed("plan_gone")
    if instrument not in work.catalogue.shown_plan(participant.plan).instruments:
        raise NotFound("instrument")


def new_form(
    work: UnitOfWork, participant_id: int, instrument: str, pinned: Mapping[str, str], row: ExpectedForm | None
) -> Assessment:
    """Add a new form for the visit ``row``, or for now (None), and return it unflushed.

    ``pinned``: language -> checksum of the wording.
    """
    assessment = Assessment(
        ref=secrets.token_urlsafe(9),
        participant_id=participant_id,
        instrument=instrument,
        instrument_version=work.catalogue.shown_instrument(instrument).version,
        wordings=dict(pinned),
        visit=row.visit if row else None,
        issued_at=work.now,
        # None if the participant opened the form with the card.
        issued_by=work.actor.id if work.actor.kind == "staff" else None,
        opens_at=row.opens_at if row else work.now,
        due_at=row.due_at if row else work.now,
        closes_at=row.closes_at if row else work.now + timedelta(days=work.config.link_days),
        context={},
    )
    work.session.add(assessment)
    return assessment


def reuse_unanswered_form(
    work: UnitOfWork, assessment: Assessment, pinned: Mapping[str, str], row: ExpectedForm | None
) -> None:
    """Let an unanswered form serve the visit ``row`` too, with the current wording.

    An instrument has at most one open form, so all links lead to the same one. The caller has locked ``assessment``.
    """
    assessment.wordings = dict(pinned)
    assessment.instrument_version = work.catalogue.shown_instrument(assessment.instrument).version
    if row is None:
        if assessment.closes_at < work.now:
            assessment.visit = None
            assessment.closes_at = work.now + timedelta(days=work.config.link_days)
        return
    if assessment.visit is None or assessment.closes_at < work.now:
        assessment.visit, assessment.opens_at, assessment.due_at = row.visit, row.opens_at, row.due_at
        assessment.closes_at = row.closes_at
        if assessment.opened_at is not None:
            assessment.context = clinical_facts.context_snapshot(work, assessment)
        work.record("assessment.issued_again", assessment, participant_id=assessment.participant_id, new=row.visit)
    assessment.closes_at = max(assessment.closes_at, row.closes_at)


def _needs_update(
    work: UnitOfWork, assessment: Assessment, pinned: Mapping[str, str], row: ExpectedForm | None
) -> bool:
    """Return True if ``reuse_unanswered_form`` would change the form; only then it is locked."""
    if assessment.wordings != pinned or assessment.closes_at < work.now:
        return True
    return row is not None and (assessment.visit is None or assessment.closes_at < row.closes_at)


def _open_visit(work: UnitOfWork, participant: Participant, instrument: str) -> ExpectedForm | None:
    """Return the expected form whose window is open, the one that closes first, or None."""
    query = (
        select(ExpectedForm)
        .where(
            ExpectedForm.participant_id == participant.id,
            ExpectedForm.instrument == instrument,
            ExpectedForm.opens_at <= work.now,
            ExpectedForm.closes_at >= work.now,
            ExpectedForm.received_at.is_(None),
        )
        .order_by(ExpectedForm.closes_at, ExpectedForm.rank)
        .limit(1)
    )
    return work.session.scalar(query)


def _has_text(work: UnitOfWork, assessment: Assessment, by: str, goes_at: datetime | None) -> bool:
    """Return True if the form has its text message already. ``goes_at``: as in ``IssuedForm``."""
    if goes_at is not None and _is_waiting_for(work, assessment, goes_at):
        return True
    return _was_just_sent(work, assessment, "form_message" if by == "link" else "form_message_code")


def _was_just_sent(work: UnitOfWork, assessment: Assessment, template: str) -> bool:
    """Return True if the same message was queued within the last minute.

    A second request within a minute counts as the same one.
    """
    query = select(Message.id).where(
        Message.assessment_id == assessment.id,
        Message.template == template,
        Message.queued_at > work.now - timedelta(minutes=1),
        Message.dropped_at.is_(None),
    )
    return work.session.scalar(query.limit(1)) is not None


def _quiet_hours_end(work: UnitOfWork, participant: Participant) -> datetime | None:
    """Return when the quiet hours of this moment end (UTC), None outside quiet hours."""
    visit_schedule = work.catalogue.shown_plan(participant.plan).visit_schedule
    zone = ZoneInfo(participant.time_zone)
    if visit_schedule is None or not reminder_times.is_quiet(work.now, visit_schedule.reminder_rules, zone):
        return None
    return reminder_times.after_quiet_hours(work.now, visit_schedule.reminder_rules, zone)


def _is_waiting_for(work: UnitOfWork, assessment: Assessment, goes_at: datetime) -> bool:
    """Return True if a text message about the form already waits for the end of the quiet hours."""
    query = select(Message.id).where(
        outbox.is_unfinished(),
        Message.assessment_id == assessment.id,
        Message.template.in_(("form_message", "form_message_code")),
        Message.next_try_at >= goes_at,
    )
    return work.session.scalar(query.limit(1)) is not None


def _message_deadline(
    work: UnitOfWork, participant: Participant, assessment: Assessment, goes_at: datetime | None
) -> datetime:
    """Return until when a text message sent by staff may go out, in UTC. ``goes_at``: as in ``IssuedForm``.

    A queued message must not arrive in the quiet hours of the night.
    """
    visit_schedule = work.catalogue.shown_plan(participant.plan).visit_schedule
    if visit_schedule is None:
        return work.now + MESSAGE_LIFETIME
    rules, zone = visit_schedule.reminder_rules, ZoneInfo(participant.time_zone)
    if goes_at is None and reminder_times.is_quiet(work.now, rules, zone):
        # Staff who send at night mean now: the message may go out in quiet hours, but not wait.
        return work.now + NIGHT_MESSAGE_LIFETIME
    start = goes_at or work.now
    until = min(start + MESSAGE_LIFETIME, reminder_times.next_quiet_start(start, rules, zone) - timedelta(seconds=1))
    # A message that waited must not lead to a form that is closed.
    return min(until, assessment.closes_at) if goes_at else until


def _queue_form_message(
    work: UnitOfWork,
    participant: Participant,
    assessment: Assessment,
    link: str | None,
    code: str | None,
    goes_at: datetime | None = None,
) -> Message | None:
    """Queue the text message with link or code; None if it is queued already. ``goes_at``: not before this time."""
    template = "form_message" if link else "form_message_code"
    params = {"link": link} if link else {"code": code, "address": work.config.base_url}
    rendered = message_rendering.render_message(
        template,
        participant.language,
        params,
        work.app_context.catalogs,
        env_banner=not work.config.production,
        two_way=work.config.sms_two_way,
        sender=message_rendering.sender_name(work, participant.plan, participant.language),
    )
    return outbox.queue(
        work,
        outbox.MessageDraft(
            dedupe_key=f"invite:{assessment.id}:{template}:{work.now:%Y%m%d%H%M%S}",
            channel="sms",
            template=template,
            params=params,
            language=participant.language,
            address=work.vault.open(participant.phone_sealed or ""),
            subject="",
            body=rendered.text,
            participant_id=participant.id,
            assessment_id=assessment.id,
            not_before=goes_at,
            not_after=_message_deadline(work, participant, assessment, goes_at),
            repeat="prefer_silence",
        ),
    )
