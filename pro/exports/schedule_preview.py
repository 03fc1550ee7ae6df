"""Preview of one participant's visit schedule: forms and messages (docs/domain.md 6)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from pro.core.schedule.expected_visits import ExpectedVisit, visit_status
from pro.core.schedule.form_matching import AnsweredForm, MatchedForm, match_forms
from pro.core.schedule.reminder_times import LimitedReminders, Reminder, plan_messages
from pro.core.study_plan import PlanWords, VisitSchedule


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One expected form with its messages.

    ``standing``: its status; empty if no time was given and no form was received. ``served``: the form received for it.
    """

    one: ExpectedVisit
    standing: str
    served: MatchedForm | None
    messages: tuple[Reminder, ...]


@dataclass(frozen=True, slots=True)
class SchedulePreview:
    """Every expected form in order of opening. ``left_out``: messages dropped by the limits."""

    rows: tuple[PreviewRow, ...]
    left_out: int


def preview_schedule(
    visit_schedule: VisitSchedule,
    expected: Sequence[ExpectedVisit],
    forms: Sequence[AnsweredForm],
    now: datetime | None = None,
) -> SchedulePreview:
    """Preview the schedule if no form is received except those in ``forms``.

    ``now``: give each form its status at this time, ignore forms received later, and list only messages that may still
    be sent then.
    """
    answered = [form for form in forms if now is None or form.at <= now]
    ledger = match_forms(expected, answered, visit_schedule.apart)
    served = {found.one.name: found for found in ledger.served}
    waiting = {one.name: one for one in ledger.waiting}
    planned = plan_messages(ledger.waiting, visit_schedule.reminder_rules)
    messages = _reminders_by_visit(planned, now)
    rows = []
    for one in expected:
        found = served.get(one.name)
        shown = waiting.get(one.name, one)
        standing = "" if now is None and found is None else _visit_status(shown, found, now)
        rows.append(PreviewRow(shown, standing, found, tuple(messages.get(one.name, ()))))
    return SchedulePreview(tuple(rows), len(planned.dropped))


def json_lines(found: SchedulePreview) -> Iterator[str]:
    """Write one JSON object a line and expected form; times are local, with their offset.

    Keys: visit, instrument, opens, due, closes, mandatory, basis, messages; where known, status, served_by and
    out_of_window.
    """
    for row in found.rows:
        one, zone = row.one, ZoneInfo(row.one.time_zone)
        line: dict[str, object] = {
            "visit": one.visit,
            "instrument": one.instrument,
            "opens": _iso(one.opens, zone),
            "due": _iso(one.due, zone),
            "closes": _iso(one.closes, zone),
            "mandatory": one.mandatory,
            "basis": one.basis,
            "messages": [
                {"step": m.step, "not_before": _iso(m.not_before, zone), "not_after": _iso(m.not_after, zone)}
                for m in row.messages
            ],
        }
        if row.standing:
            line["status"] = row.standing
        if row.served:
            line["served_by"] = row.served.form
            line["out_of_window"] = row.served.out_of_window
        yield json.dumps(line, ensure_ascii=False)


def text_lines(found: SchedulePreview, words: PlanWords) -> Iterator[str]:
    """Write the preview as text, with the names of visits in the language of ``words``."""
    width = max((len(row.one.instrument) for row in found.rows), default=0)
    for row in found.rows:
        one, zone = row.one, ZoneInfo(row.one.time_zone)
        marks = [] if one.mandatory else ["optional"]
        marks += [one.basis] if one.basis != "actual" else []
        marks += [row.standing] if row.standing else []
        if row.served:
            marks.append(f"served by form {row.served.form}")
        named = words.visit(one.kind, one.number)
        times = " | ".join(f"{when.astimezone(zone):%a %Y-%m-%d %H:%M}" for when in (one.opens, one.due, one.closes))
        marked = f"  [{', '.join(marks)}]" if marks else ""
        yield f"{times} | {one.instrument:{width}} | {named} ({one.visit}){marked}"
        for message in row.messages:
            goes, until = message.not_before.astimezone(zone), message.not_after.astimezone(zone)
            said = f"reminder {message.step}" if message.step else "form message"
            yield f"    message {goes:%a %Y-%m-%d %H:%M} to {until:%H:%M}: {said}"


def _reminders_by_visit(planned: LimitedReminders, now: datetime | None) -> dict[tuple[str, str], list[Reminder]]:
    found: dict[tuple[str, str], list[Reminder]] = {}
    for message in planned.sent:
        if now is None or not message.is_stale(now):
            found.setdefault(message.one.name, []).append(message)
    return found


def _visit_status(one: ExpectedVisit, found: MatchedForm | None, now: datetime | None) -> str:
    if found is not None:
        return "received_out_of_window" if found.out_of_window else "received"
    return visit_status(one, now).value if now is not None else ""


def _iso(when: datetime, zone: ZoneInfo) -> str:
    return when.astimezone(zone).isoformat(timespec="minutes")
