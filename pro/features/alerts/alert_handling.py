"""Owner and closure of the alerts of one source: closed only with a clinician's assessment and an outcome."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from pro.app_context import UnitOfWork
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.alerts import alert_service
from pro.models import DISPOSITIONS, AdverseEvent, Alert, AlertClosure, Grading, Handover, StaffMember

REASON_LENGTH = 500


@dataclass(frozen=True, slots=True)
class AlertOwner:
    """The owner of the alerts of a source, and since when."""

    staff_id: int
    name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class TakeOverResult:
    """The result of a takeover. ``done``: the acting person is the owner now; else ``holder`` is, as before.

    ``count``: number of open alerts that the page did not show, which must be read first.
    """

    done: bool
    holder: AlertOwner
    count: int = 0


@dataclass(frozen=True, slots=True)
class ClosureResult:
    """The result of closing. ``why``: "" closed; "first" closed by another person; "later" ``count`` new alerts.

    ``name`` ("" where they closed by themselves), ``at`` and ``disposition`` are of the closing that stands.
    """

    why: str
    name: str = ""
    at: datetime | None = None
    disposition: str = ""
    count: int = 0


def alert_owners(work: UnitOfWork, alerts: Iterable[Alert]) -> dict[str, AlertOwner]:
    """Return source -> owner: who acknowledged one of its ``alerts`` last, or took them over after that."""
    last: dict[str, tuple[datetime, int]] = {}
    for alert in alerts:
        if alert.acknowledged_at and alert.acknowledged_by:
            one = (alert.acknowledged_at, alert.acknowledged_by)
            last[alert.source] = max(last.get(alert.source, one), one)
    query = select(Handover).where(Handover.source.in_(list(last))).order_by(Handover.id)
    for row in work.session.scalars(query) if last else ():
        if row.at >= last[row.source][0]:
            last[row.source] = (row.at, row.staff_id)
    ids = {staff_id for _at, staff_id in last.values()}
    people = work.session.scalars(select(StaffMember).where(StaffMember.id.in_(ids))) if ids else ()
    names = {person.id: person.name for person in people}
    return {source: AlertOwner(staff_id, names.get(staff_id, ""), at) for source, (at, staff_id) in last.items()}


def take_over_alerts(work: UnitOfWork, case_key: str, from_id: int, shown: Collection[int]) -> TakeOverResult:
    """Take the alerts of a case over from ``from_id``, who was the owner on the page; from no other.

    ``shown``: ids of the alerts on the page; nothing is taken over while an open one is missing among them.
    NotAllowed("not_acknowledged") while they are unacknowledged: that is what acknowledging is for.
    """
    alerts = _lock_alerts(work, case_key)
    now = alert_owners(work, alerts).get(case_key)
    if now is None or work.actor.id is None:
        raise NotAllowed("not_acknowledged")
    if work.actor.id == now.staff_id or now.staff_id != from_id:
        return TakeOverResult(False, now)
    unseen = alert_service.unseen_alerts(work, case_key, shown)
    if unseen:
        return TakeOverResult(False, now, len(unseen))
    row = Handover(
        source=case_key,
        participant_id=alerts[0].participant_id,
        from_id=from_id,
        staff_id=work.actor.id,
        at=work.now,
    )
    work.session.add(row)
    old, new = {"staff": from_id}, {"staff": work.actor.id}
    work.record("alert.taken_over", alerts[0], participant_id=row.participant_id, old=old, new=new)
    return TakeOverResult(True, AlertOwner(work.actor.id, work.actor.name, work.now))


def is_assessed(work: UnitOfWork, alerts: Collection[Alert]) -> bool:
    """Return True if a clinician assessed the source after the last of its open ``alerts`` was raised."""
    standing = [alert for alert in alerts if alert.closed_at is None and alert.superseded_at is None]
    if not standing:
        return False
    raised = max(alert.raised_at for alert in standing)
    query = select(Grading.id).where(Grading.source == standing[0].source, Grading.at >= raised).limit(1)
    return work.session.scalar(query) is not None


def is_case_assessed(work: UnitOfWork, case_key: str) -> bool:
    """Return True if a clinician assessed every finding of an open case."""
    return is_assessed(work, list(work.session.scalars(select(Alert).where(Alert.source == case_key))))


def is_graded_serious(work: UnitOfWork, alerts: Collection[Alert]) -> bool:
    """Return True if a serious event was graded from ``alerts``, or the participant has an ongoing one."""
    case_keys = {alert.source for alert in alerts}
    people = {alert.participant_id for alert in alerts}
    query = (
        select(Grading.id)
        .join(AdverseEvent, AdverseEvent.id == Grading.adverse_event_id)
        .where(Grading.serious, Grading.participant_id.in_(people))
        .where(or_(Grading.source.in_(case_keys), AdverseEvent.end_date.is_(None)))
    )
    return work.session.scalar(query.limit(1)) is not None


def close_alerts(
    work: UnitOfWork,
    case_key: str,
    shown: Collection[int],
    disposition: str,
    reason: str = "",
    *,
    not_serious: str = "",
) -> ClosureResult:
    """End the open alerts of ``source`` that were ``shown``; superseded ones end as such with them.

    New alerts or an earlier closure are returned, and nothing is changed. BadData("closing", fields=...)
    without an outcome, without an assessment, while unacknowledged, or for no action without a reason. "Admitted" needs
    a serious event, or ``not_serious``: why this admission is none.
    """
    reason = reason.strip()
    alerts = _lock_alerts(work, case_key)
    open_now = [alert for alert in alerts if alert.closed_at is None]
    standing = [alert for alert in open_now if alert.superseded_at is None]
    if not standing or work.actor.id is None:
        return _earlier_closure(work, case_key, alerts)
    later = [alert for alert in standing if alert.id not in shown]
    if later:
        return ClosureResult("later", count=len(later))
    asked = disposition == "admitted" and not is_graded_serious(work, standing)
    not_serious = not_serious.strip() if asked else ""
    wrong = _closure_problems(work, standing, disposition, reason)
    if not wrong and asked and not 0 < len(not_serious) <= REASON_LENGTH:
        wrong = {"not_serious": "reason_too_long" if not_serious else "admission_is_serious"}
    if wrong:
        raise BadData("closing", fields=wrong)
    row = AlertClosure(
        source=case_key,
        participant_id=alerts[0].participant_id,
        staff_id=work.actor.id,
        alerts=[alert.id for alert in standing],
        disposition=disposition,
        reason=reason,
        not_serious=not_serious,
        at=work.now,
    )
    work.session.add(row)
    for alert in open_now:
        alert.closed_at, alert.closed_by = work.now, work.actor.id
        alert.disposition = disposition if alert in standing else "superseded"
        new = {"rule": alert.rule, "disposition": alert.disposition}
        work.record("alert.closed", alert, participant_id=alert.participant_id, new=new, reason=reason)
    return ClosureResult("", work.actor.name, work.now, disposition)


def closures_of(work: UnitOfWork, case_key: str) -> list[AlertClosure]:
    """Return the closures of a source, the oldest first; a reopened source has several."""
    return list(
        work.session.scalars(select(AlertClosure).where(AlertClosure.source == case_key).order_by(AlertClosure.id))
    )


def _closure_problems(work: UnitOfWork, standing: list[Alert], disposition: str, reason: str) -> dict[str, str]:
    fields = {}
    if disposition not in DISPOSITIONS:
        fields["disposition"] = "disposition"
    elif any(alert.acknowledged_at is None for alert in standing):
        fields["disposition"] = "acknowledge_first"
    elif not is_assessed(work, standing):
        fields["disposition"] = "judge_first"
    if disposition == "no_action" and not reason:
        fields["reason"] = "closing_reason"
    elif len(reason) > REASON_LENGTH:
        fields["reason"] = "reason_too_long"
    return fields


def _earlier_closure(work: UnitOfWork, case_key: str, alerts: list[Alert]) -> ClosureResult:
    """Return the earlier closure, where no alert is left to close."""
    last = max((alert.closed_at for alert in alerts if alert.closed_at), default=None)
    row = next(iter(reversed(closures_of(work, case_key))), None)
    if row is None or (last is not None and row.at < last):
        return ClosureResult("first", at=last, disposition="closed_itself")
    person = work.session.get(StaffMember, row.staff_id)
    return ClosureResult("first", person.name if person else "", row.at, row.disposition)


def _lock_alerts(work: UnitOfWork, case_key: str) -> list[Alert]:
    query = select(Alert).where(Alert.source == case_key).order_by(Alert.id).with_for_update()
    alerts = list(work.session.scalars(query.execution_options(populate_existing=True)))
    if not alerts:
        raise NotFound("alert")
    return alerts
