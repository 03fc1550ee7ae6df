"""Reminder times: when each message about an open form may be sent.

Source: docs/domain.md 6, rule 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from pro.core.schedule.expected_visits import ExpectedVisit, local_hour_in_utc
from pro.core.study_plan import ReminderRules

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reminder:
    """One message about one form; ``step`` 0 is the form message, later steps are reminders.

    It may be sent from ``not_before`` to ``not_after`` (both UTC, both included), an interval without quiet hours.
    After that it is stale and is dropped, never sent late.
    """

    one: ExpectedVisit
    step: int
    not_before: datetime
    not_after: datetime

    @property
    def day(self) -> date:
        """The participant's local date on which the message is sent."""
        return self.not_before.astimezone(ZoneInfo(self.one.time_zone)).date()

    def is_due(self, now: datetime) -> bool:
        """Return True while the message may be sent."""
        return self.not_before <= now <= self.not_after

    def is_stale(self, now: datetime) -> bool:
        """Return True once the message is too late to send."""
        return now > self.not_after


@dataclass(frozen=True, slots=True)
class LimitedReminders:
    """``sent``: messages to send; ``dropped``: messages not to send, each with a reason.

    - another_form: a message about the same instrument is sent that day for another visit
    - together: the message of another form is sent at that time, and its last page leads to this form
    - enough: the maximum of messages for that day is reached
    """

    sent: tuple[Reminder, ...]
    dropped: tuple[tuple[Reminder, str], ...]


def is_quiet(now: datetime, rules: ReminderRules, zone: ZoneInfo) -> bool:
    """Return True if ``now`` lies in the quiet hours of ``zone``."""
    local = now.astimezone(zone).time()
    if rules.quiet_from <= rules.quiet_until:
        return rules.quiet_from <= local < rules.quiet_until
    return local >= rules.quiet_from or local < rules.quiet_until


def next_quiet_start(when: datetime, rules: ReminderRules, zone: ZoneInfo) -> datetime:
    """Return the first time (UTC) after ``when`` at which quiet hours begin."""
    day = when.astimezone(zone).date()
    today = local_hour_in_utc(day, rules.quiet_from, zone)
    return today if today > when else local_hour_in_utc(day + ONE_DAY, rules.quiet_from, zone)


def form_reminders(one: ExpectedVisit, rules: ReminderRules, since: datetime | None = None) -> tuple[Reminder, ...]:
    """Return the messages of one form, counted from its opening or from ``since`` if later.

    ``since``: when the form became known. A step in quiet hours is moved to their end. Steps after the window are left
    out, and so are steps that would be sent no later than the step before; so at any time at most one message of a form
    is due, also after an outage.
    """
    zone = ZoneInfo(one.time_zone)
    start = max(one.opens, since) if since is not None else one.opens
    steps: list[tuple[int, datetime]] = []
    for step, minutes in enumerate(rules.minutes if one.reminders is None else one.reminders):
        goes = after_quiet_hours(start + timedelta(minutes=minutes), rules, zone)
        if goes < one.closes and (not steps or goes > steps[-1][1]):
            steps.append((step, goes))
    ends = [*(goes - timedelta(seconds=1) for _, goes in steps[1:]), one.closes]
    found = []
    for (step, goes), end in zip(steps, ends, strict=False):
        quiet = next_quiet_start(goes, rules, zone) - timedelta(seconds=1)
        not_after = min(end, quiet, goes + timedelta(minutes=rules.stale_minutes))
        found.append(Reminder(one, step, goes, max(goes, not_after)))
    return tuple(found)


def limit_reminders(
    planned: Iterable[Reminder],
    rules: ReminderRules,
    already: Mapping[date, int] | None = None,
    done: Mapping[tuple[str, str], int] | None = None,
) -> LimitedReminders:
    """Choose the messages that one participant receives.

    Messages of one day about one instrument are about one visit (the one that closes first: its answer serves the
    others), one at a time, and at most ``per_day`` of them.

    ``already``: local date -> number of messages sent that day. ``done``: name -> number of steps already handled.
    Handled steps are not chosen again and do not hold back other forms' messages, because after a re-planning they have
    times at which no message is sent.
    """
    handled = done or {}
    chosen: list[Reminder] = []
    dropped: list[tuple[Reminder, str]] = []
    visits: dict[tuple[date, str], str] = {}
    everything = sorted(planned, key=lambda reminder: (reminder.one.closes, reminder.one.rank, reminder.not_before))
    for reminder in everything:
        if visits.setdefault((reminder.day, reminder.one.instrument), reminder.one.visit) == reminder.one.visit:
            if reminder.step >= handled.get(reminder.one.name, 0):
                chosen.append(reminder)
        else:
            dropped.append((reminder, "another_form"))
    used = dict(already or {})
    sent: list[Reminder] = []
    moments: set[datetime] = set()
    for reminder in sorted(chosen, key=lambda r: (r.day, not r.one.mandatory, r.not_before, r.one.closes)):
        if reminder.not_before in moments:
            dropped.append((reminder, "together"))
        elif used.get(reminder.day, 0) < rules.per_day:
            used[reminder.day] = used.get(reminder.day, 0) + 1
            moments.add(reminder.not_before)
            sent.append(reminder)
        else:
            dropped.append((reminder, "enough"))
    return LimitedReminders(_sort_reminders(sent), tuple(sorted(dropped, key=lambda pair: pair[0].not_before)))


def plan_messages(
    waiting: Sequence[ExpectedVisit],
    rules: ReminderRules,
    known_since: Mapping[tuple[str, str], datetime] | None = None,
    already: Mapping[date, int] | None = None,
    done: Mapping[tuple[str, str], int] | None = None,
) -> LimitedReminders:
    """Return the messages to one participant that are due while no waiting form is answered.

    ``known_since``: name -> when the form became known, if later than its opening. ``already`` and ``done``: as in
    ``limit_reminders``. Called with all waiting forms and everything already sent, it returns the same choice each time
    the worker runs: send what ``is_due``, record what ``is_stale``.
    """
    since = known_since or {}
    planned = [reminder for one in waiting for reminder in form_reminders(one, rules, since.get(one.name))]
    return limit_reminders(planned, rules, already, done)


def _sort_reminders(found: Iterable[Reminder]) -> tuple[Reminder, ...]:
    """Return ``found`` in order of sending."""
    return tuple(sorted(found, key=lambda r: (r.not_before, r.one.closes, r.one.visit, r.one.instrument)))


def after_quiet_hours(when: datetime, rules: ReminderRules, zone: ZoneInfo) -> datetime:
    """Return ``when``, or the end of the quiet hours that contain it."""
    if not is_quiet(when, rules, zone):
        return when
    local = when.astimezone(zone)
    later = rules.quiet_from > rules.quiet_until and local.time() >= rules.quiet_from
    return max(when, local_hour_in_utc(local.date() + ONE_DAY * later, rules.quiet_until, zone))
