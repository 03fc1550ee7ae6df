"""Who holds the alerts of one source, and how they end: never without a clinician's judgement and an outcome."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.errors import BadData, NotAllowed, NotFound
from pro.models import DISPOSITIONS, Alert, Closing, Grading, Handover, Staff

REASON_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the alerts of a source, and since when."""

    staff_id: int
    name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """``done``: whoever acts holds it from now on. Else nothing was changed, and ``holder`` has it."""

    done: bool
    holder: Holder


@dataclass(frozen=True, slots=True)
class Closed:
    """What came of closing. ``why``: "" it is closed; "first" somebody did before; "later" ``count`` new ones came.

    ``name`` ("" where they closed by themselves), ``at`` and ``disposition`` are of the closing that stands.
    """

    why: str
    name: str = ""
    at: datetime | None = None
    disposition: str = ""
    count: int = 0


def holders(work: UnitOfWork, alerts: Iterable[Alert]) -> dict[str, Holder]:
    """source -> who holds it: the last who acknowledged any of its ``alerts``, or took them over after that."""
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
    people = work.session.scalars(select(Staff).where(Staff.id.in_(ids))) if ids else ()
    names = {person.id: person.name for person in people}
    return {source: Holder(staff_id, names.get(staff_id, ""), at) for source, (at, staff_id) in last.items()}


def take_over(work: UnitOfWork, source: str, from_id: int) -> Taken:
    """Take the alerts of ``source`` over from ``from_id``, who held them on the page; from nobody else.

    NotAllowed("not_acknowledged") while nobody has taken them on: that is what acknowledging is for.
    """
    alerts = _locked(work, source)
    now = holders(work, alerts).get(source)
    if now is None or work.actor.id is None:
        raise NotAllowed("not_acknowledged")
    if work.actor.id == now.staff_id or now.staff_id != from_id:
        return Taken(False, now)
    row = Handover(
        source=source,
        participant_id=alerts[0].participant_id,
        from_id=from_id,
        staff_id=work.actor.id,
        at=work.now,
    )
    work.session.add(row)
    old, new = {"staff": from_id}, {"staff": work.actor.id}
    work.record("alert.taken_over", alerts[0], participant_id=row.participant_id, old=old, new=new)
    return Taken(True, Holder(work.actor.id, work.actor.name, work.now))


def is_judged(work: UnitOfWork, alerts: Collection[Alert]) -> bool:
    """True if a clinician judged the source of ``alerts`` after the last of them that still stands was raised."""
    standing = [alert for alert in alerts if alert.resolved_at is None and alert.superseded_at is None]
    if not standing:
        return False
    raised = max(alert.raised_at for alert in standing)
    query = select(Grading.id).where(Grading.source == standing[0].source, Grading.at >= raised).limit(1)
    return work.session.scalar(query) is not None


def close(work: UnitOfWork, source: str, shown: Collection[int], disposition: str, reason: str = "") -> Closed:
    """End the open alerts of ``source`` that were ``shown``; superseded ones end as such with them.

    Whatever came meanwhile, or whoever was first, is said and nothing is changed. BadData("closing", fields=...)
    without an outcome, without a judgement, while nobody has taken them on, or for no action without a reason.
    """
    reason = reason.strip()
    alerts = _locked(work, source)
    open_now = [alert for alert in alerts if alert.resolved_at is None]
    standing = [alert for alert in open_now if alert.superseded_at is None]
    if not standing or work.actor.id is None:
        return _first(work, source, alerts)
    later = [alert for alert in standing if alert.id not in shown]
    if later:
        return Closed("later", count=len(later))
    wrong = _wrong(work, standing, disposition, reason)
    if wrong:
        raise BadData("closing", fields=wrong)
    row = Closing(
        source=source,
        participant_id=alerts[0].participant_id,
        staff_id=work.actor.id,
        alerts=[alert.id for alert in standing],
        disposition=disposition,
        reason=reason,
        at=work.now,
    )
    work.session.add(row)
    for alert in open_now:
        alert.resolved_at, alert.resolved_by = work.now, work.actor.id
        alert.disposition = disposition if alert in standing else "superseded"
        new = {"rule": alert.rule, "disposition": alert.disposition}
        work.record("alert.closed", alert, participant_id=alert.participant_id, new=new, reason=reason)
    return Closed("", work.actor.name, work.now, disposition)


def closings(work: UnitOfWork, source: str) -> list[Closing]:
    """Every closing of a source, the oldest first: one that was opened again has several."""
    return list(work.session.scalars(select(Closing).where(Closing.source == source).order_by(Closing.id)))


def _wrong(work: UnitOfWork, standing: list[Alert], disposition: str, reason: str) -> dict[str, str]:
    fields = {}
    if disposition not in DISPOSITIONS:
        fields["disposition"] = "disposition"
    elif any(alert.acknowledged_at is None for alert in standing):
        fields["disposition"] = "acknowledge_first"
    elif not is_judged(work, standing):
        fields["disposition"] = "judge_first"
    if disposition == "no_action" and not reason:
        fields["reason"] = "closing_reason"
    elif len(reason) > REASON_LENGTH:
        fields["reason"] = "reason_too_long"
    return fields


def _first(work: UnitOfWork, source: str, alerts: list[Alert]) -> Closed:
    """What stands where there is nothing left to close."""
    last = max((alert.resolved_at for alert in alerts if alert.resolved_at), default=None)
    row = next(iter(reversed(closings(work, source))), None)
    if row is None or (last is not None and row.at < last):
        return Closed("first", at=last, disposition="closed_itself")
    person = work.session.get(Staff, row.staff_id)
    return Closed("first", person.name if person else "", row.at, row.disposition)


def _locked(work: UnitOfWork, source: str) -> list[Alert]:
    query = select(Alert).where(Alert.source == source).order_by(Alert.id).with_for_update()
    alerts = list(work.session.scalars(query.execution_options(populate_existing=True)))
    if not alerts:
        raise NotFound("alert")
    return alerts
