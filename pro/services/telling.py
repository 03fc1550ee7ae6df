"""Who is told what: one mail a person about new alerts, and the day's digest of the quiet ones."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from pro.core.level import Level
from pro.core.plan import Plan
from pro.messaging import compose, outbox
from pro.models import Alert, Assessment, Message, Participant, Staff
from pro.services import duties
from pro.work import Work

log = logging.getLogger(__name__)


def tell(work: Work, assessment: Assessment, plan: Plan, raised: Sequence[Alert], before: Sequence[Alert]) -> None:
    """One mail a person for what was ``raised``, unless a mail about this form that is as loud still waits."""
    first = max(raised, key=lambda alert: (alert.level, -alert.id))
    if _is_told(work, assessment, first, [alert for alert in before if alert not in raised]):
        return
    participant = work.session.get_one(Participant, assessment.participant_id)
    level = Level(first.level)
    # Counted, so that an alert that is raised again is told again.
    sent = select(func.count()).where(Message.assessment_id == assessment.id, Message.template == "alert")
    times = work.session.scalar(sent)
    people = duties.to_tell(work, plan, level, minutes=0)
    if not people:
        log.error("an alert of level %s has nobody to go to: there is no open account", level.word)
    params = {
        "study_number": participant.study_number,
        "level": level.word,
        "link": f"{work.config.base_url}/staff/alerts/{first.id}",
    }
    for person in people:
        key = f"alert:{first.id}:{level.word}:{times}:email:{person.id}"
        _mail(work, person, "alert", params, key, alert_id=first.id, assessment_id=assessment.id)


def digest(work: Work, plan: Plan, local_now: datetime) -> int:
    """Queue the day's digest of open WATCH alerts, one mail a person; the number of mails queued.

    ``local_now``: now in the study's zone; the date makes the key, so any number of calls a day sends one.
    """
    rows = _quiet(work, plan)
    if not rows:
        return 0
    keys = {
        f"digest:{plan.id}:{local_now.date().isoformat()}:email:{person.id}": person
        for person in duties.to_tell(work, plan, Level.WATCH, minutes=0)
    }
    done = set(work.session.scalars(select(Message.dedupe_key).where(Message.dedupe_key.in_(keys))))
    new = [_mail(work, person, "alert_digest", {"rows": rows}, key) for key, person in keys.items() if key not in done]
    return sum(message is not None for message in new)


def _is_told(work: Work, assessment: Assessment, first: Alert, others: Sequence[Alert]) -> bool:
    """True if an alert of this form that is as loud waits to be taken on, and its mail got or may get through."""
    waiting = [alert.level for alert in others if alert.acknowledged_at is None and alert.resolved_at is None]
    if first.level > max(waiting, default=0):
        return False
    query = (
        select(Message.id)
        .join(Alert, Alert.id == Message.alert_id)
        .where(
            Message.assessment_id == assessment.id,
            Message.failed_at.is_(None),
            Message.dropped_at.is_(None),
            Alert.level >= first.level,
        )
    )
    return work.session.scalar(query.limit(1)) is not None


def _quiet(work: Work, plan: Plan) -> list[dict[str, str]]:
    """The study numbers with an open WATCH alert that nobody took on, each with the link to the newest one."""
    query = (
        select(Alert, Participant.study_number)
        .join(Participant, Participant.id == Alert.participant_id)
        .where(
            Participant.plan == plan.id,
            Alert.level == int(Level.WATCH),
            Alert.acknowledged_at.is_(None),
            Alert.resolved_at.is_(None),
            Alert.superseded_at.is_(None),
        )
        .order_by(Alert.id)
    )
    newest = {number: alert.id for alert, number in work.session.execute(query)}
    return [
        {"study_number": number, "link": f"{work.config.base_url}/staff/alerts/{alert_id}"}
        for number, alert_id in sorted(newest.items(), key=lambda pair: pair[1])
    ]


def _mail(
    work: Work,
    person: Staff,
    template: str,
    params: Mapping[str, Any],
    key: str,
    *,
    alert_id: int | None = None,
    assessment_id: int | None = None,
) -> Message | None:
    # An account in a language that the system no longer speaks gets its mail all the same.
    language = person.language if person.language in work.catalogue.languages else work.catalogue.languages[0]
    rendered = compose.render(template, language, params, work.house.catalogs, not work.config.production)
    return outbox.queue(
        work,
        dedupe_key=key,
        channel="email",
        template=template,
        params=dict(params),
        language=language,
        address=person.email,
        subject=rendered.subject,
        body=rendered.text,
        staff_id=person.id,
        alert_id=alert_id,
        assessment_id=assessment_id,
        repeat="prefer_duplicate" if alert_id else "prefer_silence",
    )
