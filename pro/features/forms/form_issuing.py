"""Forms are issued: which instrument, to whom, in which window, and how the person gets in."""

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
from pro.features.participants import clinical_facts
from pro.messaging import message_rendering, outbox
from pro.models import Assessment, ExpectedForm, Message, Participant

# Our defaults: how late a text that staff sent may still go out.
MESSAGE_LIFETIME, NIGHT_MESSAGE_LIFETIME = timedelta(hours=12), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class IssuedForm:
    """A form and the ways into it that were just made. Link and code are told once and kept nowhere in clear."""

    assessment: Assessment
    link: str | None
    code: str | None


def send_form(work: UnitOfWork, participant: Participant, instrument: str, *, by: str) -> IssuedForm:
    """Issue ``instrument`` now, or open ways into the one that is still open.

    ``by``: "link" or "code" send a text message; "here" sends nothing and returns both for a participant standing by.
    NotAllowed("withdrawn" | "wording_not_licensed" | "no_phone" | "opted_out" | "no_sms" | "over_budget"; "not_taken":
    a way that the gateway does not take), NotFound for an instrument that the plan has not.
    """
    _require_instrument(work, participant, instrument)
    # Staff may be recording at this moment that this person has left or wants no messages.
    work.lock(participant)
    if not participant.is_active:
        raise NotAllowed("withdrawn")
    if by != "here" and (participant.phone_sealed is None or participant.opted_out_at is not None):
        raise NotAllowed("no_phone" if participant.phone_sealed is None else "opted_out")
    if by != "here" and work.config.sms == "none":
        raise NotAllowed("no_sms")
    if by not in sending_methods(work, participant.language):
        raise NotAllowed("not_taken")
    assessment = issue_form(work, participant, instrument)
    link = f"{work.config.base_url}/a/{form_access.new_link(work, assessment)}" if by != "code" else None
    code = form_access.new_code(work, assessment) if by != "link" else None
    message = _queue_form_message(work, participant, assessment, link, code) if by != "here" else None
    work.record("assessment.sent", assessment, participant_id=participant.id, new={"by": by})
    if message is not None and message.dropped_at:
        raise NotAllowed(message.failure)
    return IssuedForm(assessment, link, code)


def sending_methods(work: UnitOfWork, language: str) -> tuple[str, ...]:
    """The ways of ``send_form`` that may be offered to a participant of this language."""
    kinds = {"link": "invitation", "code": "invitation_code"}
    return (*(by for by, kind in kinds.items() if work.catalogue.gateway.accepts(kind, language)), "here")


def is_sent_by_link(work: UnitOfWork, participant: Participant, *kinds: str) -> bool:
    """Whether what the worker sends carries a link: the plan says so, and the gateway takes messages of ``kinds``, or
    of those about forms. Else it carries a code.
    """
    calendar = work.catalogue.plans[participant.plan].calendar
    takes, language = work.catalogue.gateway.accepts, participant.language
    taken = all(takes(kind, language) for kind in kinds or ("invitation", "reminder"))
    return taken and calendar is not None and calendar.reminder_rules.by == "link"


def issue_form(
    work: UnitOfWork, participant: Participant, instrument: str, *, expected: ExpectedForm | None = None
) -> Assessment:
    """The form of ``instrument`` that waits for this participant, or a new one; nothing is sent.

    It belongs to ``expected``, or to the visit whose window is open, if there is one.
    NotAllowed("wording_not_licensed"), NotFound for an instrument that the plan has not.
    """
    _require_instrument(work, participant, instrument)
    # Two people may press at once; there is still one open form of an instrument.
    work.lock(participant)
    pinned = licensed_wording.checksums_to_pin(work, instrument)
    row = expected or _open_visit(work, participant, instrument)
    assessment = open_form(work, participant, instrument)
    if assessment is None:
        assessment = new_form(work, participant.id, instrument, pinned, row)
        work.session.flush()
        work.record("assessment.issued", assessment, participant_id=participant.id, new={"instrument": instrument})
    elif assessment.first_answer_at is None and _needs_update(work, assessment, pinned, row):
        # It may be answered at this moment; then it keeps the words that it is answered in.
        work.lock(assessment)
        if assessment.first_answer_at is None:
            reuse_unanswered_form(work, assessment, pinned, row)
    if row is not None and row.served_at is None:
        row.assessment_id = assessment.id
    return assessment


def open_form(work: UnitOfWork, participant: Participant, instrument: str) -> Assessment | None:
    """The form of ``instrument`` that waits for this participant; None if there is none."""
    return open_forms(work, [participant.id], instrument).get((participant.id, instrument))


def open_forms(
    work: UnitOfWork, participants: Sequence[int], instrument: str | None = None
) -> dict[tuple[int, str], Assessment]:
    """(participant id, instrument) -> the form that still waits: not begun, or begun and its time not over."""
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
    if instrument not in work.catalogue.plans[participant.plan].instruments:
        raise NotFound("instrument")


def new_form(
    work: UnitOfWork, participant_id: int, instrument: str, pinned: Mapping[str, str], row: ExpectedForm | None
) -> Assessment:
    """A new form for the visit ``row``, or for now; not written yet."""
    assessment = Assessment(
        ref=secrets.token_urlsafe(9),
        participant_id=participant_id,
        instrument=instrument,
        instrument_version=work.catalogue.instruments[instrument].version,
        wordings=dict(pinned),
        visit=row.visit if row else None,
        issued_at=work.now,
        # A participant who comes by card may issue a form to themselves.
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
    """An unanswered form serves the next visit as well: one form of an instrument, wherever a link leads.

    The caller holds ``assessment``.
    """
    assessment.wordings = dict(pinned)
    assessment.instrument_version = work.catalogue.instruments[assessment.instrument].version
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
    """True if ``go_on`` would change anything; only then is the form held."""
    if assessment.wordings != pinned or assessment.closes_at < work.now:
        return True
    return row is not None and (assessment.visit is None or assessment.closes_at < row.closes_at)


def _open_visit(work: UnitOfWork, participant: Participant, instrument: str) -> ExpectedForm | None:
    """The visit whose window is open now, the one that closes first."""
    query = (
        select(ExpectedForm)
        .where(
            ExpectedForm.participant_id == participant.id,
            ExpectedForm.instrument == instrument,
            ExpectedForm.opens_at <= work.now,
            ExpectedForm.closes_at >= work.now,
            ExpectedForm.served_at.is_(None),
        )
        .order_by(ExpectedForm.closes_at, ExpectedForm.rank)
        .limit(1)
    )
    return work.session.scalar(query)


def _was_just_sent(work: UnitOfWork, assessment: Assessment, template: str) -> bool:
    """A second press within a minute is the same wish."""
    query = select(Message.id).where(
        Message.assessment_id == assessment.id,
        Message.template == template,
        Message.queued_at > work.now - timedelta(minutes=1),
        Message.dropped_at.is_(None),
    )
    return work.session.scalar(query.limit(1)) is not None


def _message_deadline(work: UnitOfWork, participant: Participant) -> datetime:
    """How long a text that staff send now is of use. None waits in a queue and arrives in the night."""
    calendar = work.catalogue.plans[participant.plan].calendar
    if calendar is None:
        return work.now + MESSAGE_LIFETIME
    zone = ZoneInfo(participant.time_zone)
    if reminder_times.is_quiet(work.now, calendar.reminder_rules, zone):
        # Send pressed at night means now.
        return work.now + NIGHT_MESSAGE_LIFETIME
    return min(
        work.now + MESSAGE_LIFETIME,
        reminder_times.next_quiet_start(work.now, calendar.reminder_rules, zone) - timedelta(seconds=1),
    )


def _queue_form_message(
    work: UnitOfWork, participant: Participant, assessment: Assessment, link: str | None, code: str | None
) -> Message | None:
    template = "invitation" if link else "invitation_code"
    if _was_just_sent(work, assessment, template):
        return None
    params = {"link": link} if link else {"code": code, "address": work.config.base_url}
    rendered = message_rendering.render_message(
        template,
        participant.language,
        params,
        work.app_context.catalogs,
        env_banner=not work.config.production,
        two_way=work.config.sms_two_way,
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
            not_after=_message_deadline(work, participant),
            repeat="prefer_silence",
        ),
    )
