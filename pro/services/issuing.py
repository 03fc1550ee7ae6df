"""Forms are issued: which instrument, to whom, in which window, and how the person gets in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from pro.errors import NotAllowed, NotFound
from pro.messaging import compose, outbox
from pro.models import Assessment, Expected, Message, Participant
from pro.services import access, wording
from pro.work import Work


@dataclass(frozen=True, slots=True)
class Issued:
    """A form and the ways into it that were just made. Link and code are told once and kept nowhere in clear."""

    assessment: Assessment
    link: str | None
    code: str | None


def send_form(work: Work, participant: Participant, instrument: str, *, by: str) -> Issued:
    """Issue ``instrument`` now, or open ways into the one that is still open.

    ``by``: "link" or "code" send a text message; "here" sends nothing and returns both for a participant standing by.
    NotAllowed("withdrawn" | "wording_not_licensed" | "no_phone"), NotFound for an instrument that the plan has not.
    """
    _must_have(work, participant, instrument)
    if not participant.is_active:
        raise NotAllowed("withdrawn")
    if by != "here" and (participant.phone_sealed is None or participant.opted_out_at is not None):
        raise NotAllowed("no_phone" if participant.phone_sealed is None else "opted_out")
    if by != "here" and work.config.sms == "none":
        raise NotAllowed("no_sms")
    assessment = issue(work, participant, instrument)
    link = f"{work.config.base_url}/a/{access.new_link(work, assessment)}" if by != "code" else None
    code = access.new_code(work, assessment) if by != "link" else None
    if by != "here":
        _invite(work, participant, assessment, link, code)
    work.record("assessment.sent", assessment, participant_id=participant.id, new={"by": by})
    return Issued(assessment, link, code)


def issue(work: Work, participant: Participant, instrument: str, *, expected: Expected | None = None) -> Assessment:
    """The one open form of ``instrument``, or a new one; nothing is sent. ``expected``: what it is issued for.

    NotAllowed("wording_not_licensed"), NotFound for an instrument that the plan has not.
    """
    _must_have(work, participant, instrument)
    # Two people may press at once; there is still one open form of an instrument.
    work.lock(participant)
    pinned = wording.issuable(work, instrument)
    assessment = open_form(work, participant, instrument) or _issue(work, participant, instrument)
    if assessment.first_answer_at is None and assessment.wordings != pinned:
        # It may be answered at this moment; then it keeps the words that it is answered in.
        work.lock(assessment)
        if assessment.first_answer_at is None:
            assessment.wordings = pinned
    if expected is not None:
        assessment.visit = assessment.visit or expected.visit
        expected.assessment_id = expected.assessment_id or assessment.id
    return assessment


def open_form(work: Work, participant: Participant, instrument: str) -> Assessment | None:
    """The form of ``instrument`` that is open and not sent; None if there is none."""
    query = (
        select(Assessment)
        .where(
            Assessment.participant_id == participant.id,
            Assessment.instrument == instrument,
            Assessment.submitted_at.is_(None),
            Assessment.cancelled_at.is_(None),
            Assessment.closes_at > work.now,
        )
        .order_by(Assessment.id.desc())
        .limit(1)
    )
    return work.session.scalar(query)


def _must_have(work: Work, participant: Participant, instrument: str) -> None:
    if instrument not in work.catalogue.plans[participant.plan].instruments:
        raise NotFound("instrument")


def _issue(work: Work, participant: Participant, instrument: str) -> Assessment:
    assessment = Assessment(
        ref=secrets.token_urlsafe(9),
        participant_id=participant.id,
        instrument=instrument,
        instrument_version=work.catalogue.instruments[instrument].version,
        wordings={},
        issued_at=work.now,
        issued_by=work.actor.id,
        opens_at=work.now,
        due_at=work.now,
        closes_at=work.now + timedelta(days=work.config.link_days),
        context={},
    )
    work.session.add(assessment)
    work.session.flush()
    work.record("assessment.issued", assessment, participant_id=participant.id, new={"instrument": instrument})
    return assessment


def _just_invited(work: Work, assessment: Assessment, template: str) -> bool:
    """A second press within a minute is the same wish."""
    query = select(Message.id).where(
        Message.assessment_id == assessment.id,
        Message.template == template,
        Message.queued_at > work.now - timedelta(minutes=1),
    )
    return work.session.scalar(query.limit(1)) is not None


def _invite(work: Work, participant: Participant, assessment: Assessment, link: str | None, code: str | None) -> None:
    template = "invitation" if link else "invitation_code"
    if _just_invited(work, assessment, template):
        return
    params = {"link": link} if link else {"code": code, "address": work.config.base_url}
    rendered = compose.render(
        template, participant.language, params, work.house.catalogs, env_banner=not work.config.production
    )
    outbox.queue(
        work,
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
        not_after=work.now + timedelta(hours=12),
        repeat="prefer_silence",
    )
