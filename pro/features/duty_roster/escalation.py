"""Decide whom to notify of a waiting case now: first messages, escalation steps, repeats, and what was refused.

Source: docs/alerts.md 3. A case is the waiting urgent and emergency alerts of one source, or the unread urgent texts of
one unknown number. Nothing is remembered between two runs: what is due follows from the case, its messages and the
clock, so a run that was lost, or ran twice, changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.core.study_plan import DEFAULT_REPEAT_MINUTES, EscalationStep, StudyPlan
from pro.core.triage import escalation_steps
from pro.core.triage.escalation_steps import DueStep, WorkingHours
from pro.features.duty_roster import staff_messages
from pro.features.duty_roster.recipients import STAND_INS, DutyState
from pro.features.duty_roster.staff_messages import MessageSubject
from pro.features.participants.treatment_dates import clock_time
from pro.models import Message, StaffMember

# A message that waits for longer than this counts as not received: the other channel and the next person are tried.
LATE_AFTER: Mapping[Level, timedelta] = {Level.EMERGENCY: timedelta(minutes=2), Level.URGENT: timedelta(minutes=15)}
# Further texts of one sender are announced together, at the earliest this long after the last message.
GROUP_PAUSE = timedelta(minutes=10)
# A case of which no message was accepted for this long is reported as not_notified.
TOLD_WITHIN = timedelta(minutes=2)

NoticeState = Literal["told", "waiting", "refused", "dropped"]


@dataclass(frozen=True, slots=True)
class StaffNotice:
    """One message about a case. ``state`` "told": a provider accepted it, and has not reported a failure since.

    A message leads to the case, so it announces what was raised until it was sent: ``told_at``. ``is_taken``: the alert
    that it names was acknowledged or closed; before such a message leaves, what still waits needs a message of its own.
    """

    staff_id: int
    channel: str
    level: Level
    queued_at: datetime
    state: NoticeState
    told_at: datetime | None = None
    is_taken: bool = False

    @property
    def is_on_its_way(self) -> bool:
        """Return True if the message has not left yet and names an alert that waits."""
        return self.state == "waiting" and not self.is_taken

    def covers(self, at: datetime) -> bool:
        """Return True if the message announces, or will announce, what was raised ``at``."""
        return self.is_on_its_way or self.tells_of(at)

    def tells_of(self, at: datetime) -> bool:
        """Return True if the message was accepted after ``at``: queued since, or it left later."""
        return self.told_at is not None and (self.told_at > at or self.queued_at >= at)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCase:
    """A case that waits for a person.

    ``key``: names it in the keys of its messages. ``since``: when its first alert of ``level`` was raised; the steps
    count from then. ``newest_at``: the newest alert that must be announced at once. ``more``: number of texts beside
    the first. ``is_grouped``: further texts are announced together. ``templates``: of the first message, of the later
    ones, and of one about further texts. ``plans``: whose steps apply; none if the plan is no longer installed.
    """

    key: str
    level: Level
    since: datetime
    newest_at: datetime
    plans: Sequence[StudyPlan]
    templates: tuple[str, str, str]
    params: Mapping[str, Any]
    notices: Sequence[StaffNotice]
    is_grouped: bool = False
    more: int = 0
    alert_id: int | None = None
    assessment_id: int | None = None

    @property
    def notify_from(self) -> datetime:
        """Return when the cause of the notification was raised.

        Further texts are announced together, a further emergency by itself.
        """
        return self.since if self.is_grouped else self.newest_at


@dataclass(frozen=True, slots=True)
class DueNotice:
    """A message that is due: to whom, by which channel, with which template, under which unique key."""

    person: StaffMember
    channel: str
    template: str
    key: str


def is_notified(case: WaitingCase) -> bool:
    """Return True if a message at the level of the case was accepted since what it must say was raised."""
    return any(one.level >= case.level and one.tells_of(case.notify_from) for one in case.notices)


def is_untold(case: WaitingCase, now: datetime) -> bool:
    """Return True if no person was notified of the case, and its messages were refused or TOLD_WITHIN has passed."""
    if case.since > now + TOLD_WITHIN:
        # The clock was set back: no step of this case is due for a long time.
        return True
    if is_notified(case):
        return False
    reached = any(one.told_at is not None and one.told_at >= case.since for one in case.notices)
    # Further alerts do not restart the time while no person was notified of the first.
    since = case.newest_at if reached and not case.is_grouped else case.since
    # A message that has not left yet leads to what was raised meanwhile as well.
    is_on_its_way = any(one.is_on_its_way and one.level >= case.level for one in case.notices)
    return now - since > TOLD_WITHIN or not is_on_its_way


def notice_of(message: Message, level: int, *, is_taken: bool = False) -> StaffNotice:
    """Return what ``message``, about an alert of ``level``, has come to; ``is_taken``: as in ``StaffNotice``."""
    state: NoticeState = "waiting"
    if message.failed_at is not None:
        state = "refused"
    elif message.sent_at is not None:
        state = "told"
    elif message.dropped_at is not None:
        # Dropped because the case was acknowledged; any other reason means that it never leaves.
        state = "dropped" if message.failure == "taken_on" else "refused"
    told_at = message.sent_at if state == "told" else None
    return StaffNotice(
        message.staff_id or 0, message.channel, Level(level), message.queued_at, state, told_at, is_taken
    )


def queue_due_notices(work: UnitOfWork, case: WaitingCase, duty: DutyState) -> int:
    """Queue what is due about ``case`` and is not queued yet; return the number of messages."""
    due = {one.key: one for one in _CaseRound(work, case, duty).due()}
    known = set(work.session.scalars(select(Message.dedupe_key).where(Message.dedupe_key.in_(due)))) if due else set()
    return sum(queue_notice(work, case, one) for key, one in due.items() if key not in known)


def queue_notice(work: UnitOfWork, case: WaitingCase, due: DueNotice) -> bool:
    """Queue one message about ``case``; return False if that failed."""
    params = dict(case.params)
    if due.channel == "sms":
        zone = case.plans[0].settings.time_zone if case.plans else "UTC"
        at = clock_time(work.now, zone)
        params = {"at": at, "level": case.level.word, "address": f"{work.config.base_url}/staff/"}
    elif due.template == case.templates[2]:
        params["count"] = case.more
    about = MessageSubject(case.alert_id, case.assessment_id, case.key)
    return staff_messages.queue_alert_message(work, due.person, due.template, params, due.key, about)


def first_notices(work: UnitOfWork, case: WaitingCase, duty: DutyState) -> list[DueNotice]:
    """Return the messages that leave at once: to the steps of minute 0, and to those that the case has reached.

    A person whose message about the case has not left yet gets no other: it leads to the newest alert as well.
    """
    return list(_CaseRound(work, case, duty).first())


@dataclass
class _CaseRound:
    """One look at one case: the steps that are due, their recipients, and what became of earlier messages."""

    work: UnitOfWork
    case: WaitingCase
    duty: DutyState
    hours: dict[str, WorkingHours] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for plan in self.case.plans:
            days = self.work.catalogue.working_days(plan.id)
            self.hours[plan.id] = escalation_steps.working_hours(plan.settings, days)
        # The time is part of the keys: what is raised again is announced again.
        self.stem = f"{self.case.key}:{self.case.since:%y%m%dT%H%M%S%f}:{self.case.level.word}"

    def due(self) -> Iterator[DueNotice]:
        """Yield every message that is due now; a step that was queued before is yielded again, under the same key."""
        later = [*self._later_steps(), *self._repeats()]
        # A person who has no message about the case yet gets one: that of the step, if one is due.
        by_step = {one.person.id for one in later} - {one.staff_id for one in self._current_notices()}
        yield from (one for one in self.first() if one.person.id not in by_step)
        yield from self._after_refusals()
        yield from later

    def first(self) -> Iterator[DueNotice]:
        """Yield what is newest to each recipient of minute 0, and of the steps reached by then, who lacks it."""
        people = self._first_people()
        template = self.case.templates[2 if self.case.is_grouped and self.case.more and self.case.notices else 0]
        for person in people:
            if self._has_newest(person):
                continue
            key = f"first:{self.stem}:{self.case.newest_at:%y%m%dT%H%M%S%f}:{self.case.alert_id or 0}:{person.id}"
            yield DueNotice(person, "email", template, key)

    def _first_people(self) -> Sequence[StaffMember]:
        """Return the recipients of minute 0, and of the steps that the case had reached when the newest was raised."""
        if not self.case.plans:
            return self.duty.recipients_without_plan(self.work.now)
        people: dict[int, StaffMember] = {}
        for plan in self.case.plans:
            steps = [step for step in plan.escalation_steps if step.level is self.case.level and step.at_once]
            # A later step has a message of its own.
            steps += [due.step for due in self._due_steps(plan) if due.at <= self.case.newest_at]
            people |= {person.id: person for person in self.duty.recipients_of(plan.id, steps, self.work.now)}
        return list(people.values())

    def _has_newest(self, person: StaffMember) -> bool:
        """Return True if a message to ``person`` leads to the newest alert, or was refused, or is too recent.

        A refused message was an attempt: this person is notified in another way. What others were sent does not count.
        """
        case = self.case
        theirs = [one for one in case.notices if one.staff_id == person.id and one.level >= case.level]
        if any(one.covers(case.newest_at) for one in theirs):
            return True
        if any(one.state == "refused" and one.queued_at >= case.newest_at for one in theirs):
            return True
        # Messages about texts that were dealt with do not hold this one back.
        recent = [one for one in theirs if one.queued_at >= case.since and one.state != "dropped"]
        return case.is_grouped and any(one.queued_at > self.work.now - GROUP_PAUSE for one in recent)

    def _due_steps(self, plan: StudyPlan) -> tuple[DueStep, ...]:
        return escalation_steps.due_steps(
            plan.escalation_steps, self.case.level, self.case.since, self.work.now, self.hours[plan.id]
        )

    def _later_steps(self) -> Iterator[DueNotice]:
        """Yield the due steps after minute 0, of several for one person only the newest."""
        newest: dict[int, DueNotice] = {}
        for plan in self.case.plans:
            if self._repeat_number(plan):
                continue  # a repeat goes to everyone of all steps, also to those of a step that was missed
            for due in self._due_steps(plan):
                for person in self.duty.recipients_of(plan.id, [due.step], self.work.now):
                    wanted = due.step.channel if due.step.channel == "sms" else "email"
                    channel = wanted if wanted in staff_messages.channels_of(self.work, person) else "email"
                    newest[person.id] = self._notice(person, channel, f"step:{self.stem}:{due.step.name}:{person.id}")
        yield from newest.values()

    def _after_refusals(self) -> Iterator[DueNotice]:
        """Yield messages for those who were not reached: by the other channel, and to the next people."""
        missed = self._missed_people()
        if not missed:
            return
        since = self.case.notify_from
        tried = [one for one in self._current_notices() if one.queued_at >= since or one.covers(since)]
        used = {(one.staff_id, one.channel) for one in tried}
        stem = f"{self.stem}:{since:%y%m%dT%H%M%S%f}"
        for person in self.duty.staff:
            if person.id in missed:
                for channel in staff_messages.channels_of(self.work, person):
                    if (person.id, channel) not in used:
                        yield self._notice(person, channel, f"other:{stem}:{channel}:{person.id}")
        for person in self._next_people({one.staff_id for one in tried}):
            yield self._notice(person, "email", f"next:{stem}:{person.id}")

    def _next_people(self, addressed: Collection[int]) -> list[StaffMember]:
        """Return the recipients of the first later step that reaches a person not yet ``addressed``, else stand-ins."""
        now = self.work.now
        for plan in self.case.plans:
            for step in self._steps_in_order(plan):
                new = [one for one in self.duty.recipients_of(plan.id, [step], now) if one.id not in addressed]
                if new:
                    return new
        if is_notified(self.case):
            return []
        people = (person for role in STAND_INS for person in self.duty.staff_with_role(role, now))
        return [person for person in people if person.id not in addressed]

    def _missed_people(self) -> set[int]:
        """Return the people with a message that was refused, or waits for too long, and none accepted since."""
        late = self.work.now - LATE_AFTER[self.case.level]
        current = self._current_notices()
        lost: dict[int, datetime] = {}
        for one in current:
            if one.state == "refused" or (one.state == "waiting" and one.queued_at < late):
                lost[one.staff_id] = max(one.queued_at, lost.get(one.staff_id, one.queued_at))
        return {
            person
            for person, at in lost.items()
            if not any(one.staff_id == person and one.told_at is not None and one.told_at >= at for one in current)
        }

    def _current_notices(self) -> list[StaffNotice]:
        return [one for one in self.case.notices if one.level >= self.case.level and one.queued_at >= self.case.since]

    def _steps_in_order(self, plan: StudyPlan) -> list[EscalationStep]:
        first = [step for step in plan.escalation_steps if step.level is self.case.level and step.at_once]
        later = escalation_steps.timed_steps(
            plan.escalation_steps, self.case.level, self.case.since, self.hours[plan.id]
        )
        return [*first, *(due.step for due in later)]

    def _repeats(self) -> Iterator[DueNotice]:
        """Yield the repeat that is due after the last step: everyone of all steps, by every channel."""
        for plan in self.case.plans:
            number = self._repeat_number(plan)
            if number:
                people = self.duty.recipients_of(plan.id, self._steps_in_order(plan), self.work.now)
                yield from self._repeat(people, number)
        if not self.case.plans:
            pause = timedelta(minutes=DEFAULT_REPEAT_MINUTES[self.case.level])
            number = (self.work.now - self.case.since) // pause
            if number > 0:
                yield from self._repeat(self.duty.recipients_without_plan(self.work.now), number)

    def _repeat_number(self, plan: StudyPlan) -> int:
        """Return the number of the repeat that is due by ``plan``, 0 before the first."""
        pause = plan.repeat_minutes.get(self.case.level, DEFAULT_REPEAT_MINUTES[self.case.level])
        hours = self.hours[plan.id]
        return escalation_steps.due_repeat(
            plan.escalation_steps, self.case.level, self.case.since, self.work.now, hours, pause
        )

    def _repeat(self, people: Sequence[StaffMember], number: int) -> Iterator[DueNotice]:
        for person in people:
            for channel in staff_messages.channels_of(self.work, person):
                yield self._notice(person, channel, f"repeat:{self.stem}:{number}:{channel}:{person.id}")

    def _notice(self, person: StaffMember, channel: str, key: str) -> DueNotice:
        return DueNotice(person, channel, "alert_sms" if channel == "sms" else self.case.templates[1], key)
