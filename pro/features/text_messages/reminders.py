"""Process due visit schedules: issue forms, queue reminders, detect missed forms.

A participant is processed only when ``next_due_at`` has come, so the cost of a run depends on what is due and not on
how many are enrolled.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from pro.app_context import AppContext, UnitOfWork
from pro.core.schedule import reminder_times
from pro.core.schedule.reminder_times import Reminder
from pro.core.study_plan import VisitSchedule
from pro.db import transaction
from pro.errors import NotAllowed
from pro.features.forms import form_access, form_issuing, licensed_wording
from pro.features.participants import death_reports
from pro.features.participants.treatment_dates import local_date
from pro.features.schedule import missed_forms, schedule_service
from pro.features.text_messages import text_answers
from pro.messaging import message_rendering, outbox
from pro.models import Assessment, ExpectedForm, Message, Participant

log = logging.getLogger(__name__)
BATCH_SIZE = 100
# Participants that one run processes at most, so that the jobs for alerts run in time.
MAX_PER_ROUND = 2000
# Today's messages depend on every visit window that overlaps with today.
LOOKAHEAD = timedelta(hours=26)
RETRY_AFTER = timedelta(seconds=1)
# A form without licensed wording cannot be issued; the wording may be loaded meanwhile.
UNLICENSED_RETRY = timedelta(hours=1)
FORM_MESSAGE_TEMPLATES = ("form_message", "form_message_code", "reminder", "reminder_code", "question")
TEMPLATES: dict[str, tuple[str, str]] = {
    "link": ("form_message", "reminder"),
    "code": ("form_message_code", "reminder_code"),
}
# How soon it is looked again whether the family was called after a report of a death.
DEATH_CHECK = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _DueParticipant:
    """One participant in a run, with the expected forms that are open or open within a day.

    ``later``: when the next window after these opens. ``is_reported_dead``: a text reported the participant's death,
    and the family has not been called yet: no form is issued and nothing is sent.
    """

    row: Participant
    visit_schedule: VisitSchedule
    lines: list[ExpectedForm]
    later: datetime | None
    is_reported_dead: bool = False


@dataclass(frozen=True, slots=True)
class _DueReminder:
    """A message that is due now."""

    person: _DueParticipant
    line: ExpectedForm
    form: Assessment
    reminder: Reminder


def run_due_participants(app_context: AppContext) -> int:
    """Process every participant who is due; return how many.

    A batch is one transaction, so a worker that stops leaves it complete or undone. After an error the participants of
    the batch are processed one by one. Raises RuntimeError at the end if any of them failed.
    """
    seen = 0
    broken: set[int] = set()
    while seen < MAX_PER_ROUND:
        try:
            with transaction(app_context.engine) as session:
                done = run_batch(app_context.unit_of_work(session), BATCH_SIZE, broken)
        except Exception as error:
            log.error("schedule batch failed error=%s", type(error).__name__)
            done = _retry_individually(app_context, broken)
        seen += done
        if done < BATCH_SIZE:
            break
    if broken:
        raise RuntimeError(f"{len(broken)} participants' schedules failed")
    return seen


def _retry_individually(app_context: AppContext, broken: set[int]) -> int:
    """Process a failed batch one participant at a time; leave out those that fail."""
    with transaction(app_context.engine) as session:
        ids = [row.id for row in _due_participants(app_context.unit_of_work(session), BATCH_SIZE, broken)]
    for participant_id in ids:
        try:
            with transaction(app_context.engine) as session:
                run_batch(app_context.unit_of_work(session), 1, broken, participant_id)
        except Exception as error:
            broken.add(participant_id)
            log.error("schedule processing failed participant=%s error=%s", participant_id, type(error).__name__)
    return len(ids)


def _due_participants(
    work: UnitOfWork, limit: int, without: Iterable[int], only: int | None = None
) -> list[Participant]:
    """Lock and return participants who are due."""
    query = select(Participant).where(Participant.next_due_at <= work.now, Participant.id.not_in(without))
    if only is not None:
        query = query.where(Participant.id == only)
    # Participants that another worker has locked are left to that worker.
    locked = query.order_by(Participant.next_due_at).limit(limit).with_for_update(skip_locked=True, key_share=True)
    return list(work.session.scalars(locked))


def run_batch(work: UnitOfWork, limit: int = BATCH_SIZE, without: Iterable[int] = (), only: int | None = None) -> int:
    """Process one batch of participants; return how many."""
    due = _due_participants(work, limit, without, only)
    people = _read_participants(work, due)
    known = {person.row.id for person in people}
    for row in due:
        if row.id not in known:
            row.next_due_at = None
    with work.session.no_autoflush:
        _issue_forms(work, people)
        work.session.flush()
        forms = _forms_by_id(work, people)
        sent_times = _recent_send_times(work, people)
        unlocked = _lock_forms(work, _ended_partial_ids(work, people, forms))
        due_reminders: list[_DueReminder] = []
        missed: list[tuple[Participant, list[ExpectedForm]]] = []
        for person in people:
            missed_lines = _close_windows(work, person, forms, unlocked)
            pending = _collect_reminders(work, person, forms, sent_times[person.row.id], due_reminders)
            person.row.next_due_at = _next_due_at(work, person, pending)
            if missed_lines:
                missed.append((person.row, missed_lines))
        # One flush for all rows is faster than one for each participant.
        work.session.flush()
        for participant, missed_lines in missed:
            missed_forms.record_missed(work, participant, missed_lines, locked=True)
        _queue_reminders(work, due_reminders)
    return len(due)


def _read_participants(work: UnitOfWork, due: Sequence[Participant]) -> list[_DueParticipant]:
    """Return the participants with a visit schedule, and their current expected forms.

    Participants without expected forms get them here.
    """
    ids = [row.id for row in due]
    lines, later = _current_lines(work, ids), _next_openings(work, ids)
    empty = [row for row in due if row.id not in lines and row.id not in later and row.is_active]
    if empty and (new := _unplanned_participants(work, empty)):
        for row in new:
            schedule_service.replan_participant(work, row)
        lines, later = _current_lines(work, ids), _next_openings(work, ids)
    deaths = death_reports.reported_deaths(work, ids)
    found = []
    for row in due:
        plan = work.catalogue.plans.get(row.plan)
        if plan is not None and plan.visit_schedule is not None:
            current = lines.get(row.id, [])
            found.append(_DueParticipant(row, plan.visit_schedule, current, later.get(row.id), row.id in deaths))
    return found


def _current_lines(work: UnitOfWork, ids: Sequence[int]) -> dict[int, list[ExpectedForm]]:
    """Lock and return the open and upcoming expected forms of each participant."""
    query = (
        select(ExpectedForm)
        .where(
            ExpectedForm.participant_id.in_(ids),
            ExpectedForm.opens_at <= work.now + LOOKAHEAD,
            ExpectedForm.received_at.is_(None),
            ExpectedForm.missed_at.is_(None),
        )
        # The same order as when an answer locks them, which prevents a deadlock.
        .order_by(ExpectedForm.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    found: dict[int, list[ExpectedForm]] = defaultdict(list)
    for line in sorted(work.session.scalars(query), key=lambda line: (line.opens_at, line.id)):
        found[line.participant_id].append(line)
    return dict(found)


def _next_openings(work: UnitOfWork, ids: Sequence[int]) -> dict[int, datetime]:
    """Return when the next window after the lookahead opens, for each participant."""
    query = (
        select(ExpectedForm.participant_id, func.min(ExpectedForm.opens_at))
        .where(ExpectedForm.participant_id.in_(ids), ExpectedForm.opens_at > work.now + LOOKAHEAD)
        .group_by(ExpectedForm.participant_id)
    )
    # Not dict(): a result has keys(), so dict() would take it for a mapping.
    return {row[0]: row[1] for row in work.session.execute(query)}


def _unplanned_participants(work: UnitOfWork, people: Sequence[Participant]) -> list[Participant]:
    """Return the participants without any expected form."""
    ids = [row.id for row in people]
    planned_ids = set(
        work.session.scalars(select(ExpectedForm.participant_id).where(ExpectedForm.participant_id.in_(ids)))
    )
    return [row for row in people if row.id not in planned_ids and row.plan in work.catalogue.plans]


def _issue_forms(work: UnitOfWork, people: Sequence[_DueParticipant]) -> None:
    """Issue a form for every open window: the unanswered one, or a new one."""
    opening = [
        (person.row, line)
        for person in people
        if person.row.is_active and not person.is_reported_dead
        for line in person.lines
        if line.assessment_id is None and line.opens_at <= work.now <= line.closes_at
    ]
    if not opening:
        return
    pins = {name: _licensed_wordings(work, name) for name in {line.instrument for _row, line in opening}}
    waiting = form_issuing.open_forms(work, sorted({row.id for row, _line in opening}))
    # A form that is locked by an answer is not changed.
    locked = _lock_forms(work, {form.id for form in waiting.values() if form.first_answer_at is None})
    unlocked = {number for number, form in locked.items() if form.first_answer_at is None}
    given: list[tuple[ExpectedForm, Assessment]] = []
    new: list[Assessment] = []
    for row, line in opening:
        pinned = pins[line.instrument]
        if pinned is None:
            continue
        form = waiting.get((row.id, line.instrument))
        if form is None:
            form = waiting[row.id, line.instrument] = form_issuing.new_form(work, row.id, line.instrument, pinned, line)
            new.append(form)
        elif form.id is None or form.id in unlocked:
            form_issuing.reuse_unanswered_form(work, form, pinned, line)
        given.append((line, form))
    work.session.flush()
    for form in new:
        work.record("assessment.issued", form, participant_id=form.participant_id, new={"visit": form.visit})
    for line, form in given:
        line.assessment_id = form.id


def _licensed_wordings(work: UnitOfWork, instrument: str) -> dict[str, str] | None:
    """Return the checksums of an instrument's wording, or None without a licence."""
    try:
        return licensed_wording.checksums_to_pin(work, instrument)
    except NotAllowed:
        log.error("form not issued instrument=%s reason=no_licensed_wording", instrument)
        return None


def _lock_forms(work: UnitOfWork, numbers: set[int]) -> dict[int, Assessment]:
    """Lock and read again the forms of ``numbers`` that no other transaction has locked."""
    if not numbers:
        return {}
    query = (
        select(Assessment)
        .where(Assessment.id.in_(numbers))
        .order_by(Assessment.id)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    return {form.id: form for form in work.session.scalars(query)}


def _forms_by_id(work: UnitOfWork, people: Sequence[_DueParticipant]) -> dict[int, Assessment]:
    numbers = {line.assessment_id for person in people for line in person.lines if line.assessment_id}
    if not numbers:
        return {}
    return {form.id: form for form in work.session.scalars(select(Assessment).where(Assessment.id.in_(numbers)))}


def _ended_partial_ids(
    work: UnitOfWork, people: Sequence[_DueParticipant], forms: Mapping[int, Assessment]
) -> set[int]:
    """Return the ids of partially completed forms whose window is closed."""
    numbers = {line.assessment_id or 0 for person in people for line in person.lines if line.closes_at < work.now}
    return {number for number in numbers & forms.keys() if forms[number].first_answer_at is not None}


def _close_windows(
    work: UnitOfWork, person: _DueParticipant, forms: Mapping[int, Assessment], unlocked: Mapping[int, Assessment]
) -> list[ExpectedForm]:
    """Close windows that are over; return the missed mandatory forms.

    A form that was started counts as partially completed, any other as missed (docs/domain.md 6, rule 4). ``unlocked``:
    started forms that no answer has locked; the others are left for the next run.
    """
    missed_lines = []
    for line in person.lines:
        if line.received_at is not None or work.now <= line.closes_at:
            continue
        form = forms.get(line.assessment_id or 0)
        if form is not None and form.first_answer_at is not None:
            if form.id not in unlocked:
                continue
            schedule_service.record_served_visits(work, form)
        if line.received_at is None:
            line.missed_at = work.now
            if line.mandatory and person.row.is_active:
                missed_lines.append(line)
    return missed_lines


def _collect_reminders(
    work: UnitOfWork,
    person: _DueParticipant,
    forms: Mapping[int, Assessment],
    sent: Sequence[datetime],
    due_reminders: list[_DueReminder],
) -> list[datetime]:
    """Add due messages to ``due_reminders`` and record those that are dropped.

    Returns when the next messages are due.
    """
    row = person.row
    if person.is_reported_dead:
        return [work.now + DEATH_CHECK]
    if not row.is_active or row.opted_out_at or row.phone_sealed is None or work.config.sms == "none":
        return []
    rules = person.visit_schedule.reminder_rules
    open_lines = {
        (line.visit, line.instrument): line
        for line in person.lines
        if line.received_at is None
        and line.missed_at is None
        # A form that could not be issued gets no message and does not use up the day's limit.
        and (line.assessment_id is not None or line.opens_at > work.now)
    }
    waiting = [
        schedule_service.with_reminders(person.visit_schedule, line, row.time_zone) for line in open_lines.values()
    ]
    since = {name: line.known_at for name, line in open_lines.items()}
    done = {name: line.steps for name, line in open_lines.items()}
    sent_per_day = Counter(local_date(at, row.time_zone) for at in sent)
    chosen = reminder_times.plan_messages(waiting, rules, since, sent_per_day, done)
    coming: list[datetime] = []
    for reminder, why in [*((one, "") for one in chosen.sent), *chosen.dropped]:
        line = open_lines[reminder.one.name]
        if reminder.step < line.steps:
            continue
        if reminder.not_before > work.now:
            coming.append(reminder.not_before)
            continue
        if not why and not reminder.is_due(work.now):
            why = "stale"
        if why:
            work.record("reminder.dropped", line, participant_id=row.id, new={"step": reminder.step}, reason=why)
        else:
            due_reminders.append(_DueReminder(person, line, forms[line.assessment_id or 0], reminder))
        line.steps = reminder.step + 1
    return coming


def _recent_send_times(work: UnitOfWork, people: Sequence[_DueParticipant]) -> dict[int, list[datetime]]:
    """Return when messages about forms were queued in the last 26 hours, by participant.

    Dropped messages are left out.
    """
    query = select(Message.participant_id, Message.queued_at).where(
        Message.participant_id.in_([person.row.id for person in people]),
        Message.staff_id.is_(None),
        # Replies to texts do not count as messages about a form.
        Message.template.in_(FORM_MESSAGE_TEMPLATES),
        Message.dropped_at.is_(None),
        Message.queued_at > work.now - LOOKAHEAD,
    )
    found: dict[int, list[datetime]] = defaultdict(list)
    for participant_id, at in work.session.execute(query):
        if participant_id is not None:
            found[participant_id].append(at)
    return found


def _queue_reminders(work: UnitOfWork, due_reminders: Sequence[_DueReminder]) -> None:
    """Queue all messages of a batch at once, each with a new link or access code."""
    first = {
        id(due_reminder): question
        for due_reminder in due_reminders
        if due_reminder.person.visit_schedule.reminder_rules.by == "sms"
        and (question := text_answers.first_question(work, due_reminder.person.row, due_reminder.form))
    }
    by_code = [
        one for one in due_reminders if id(one) not in first and not form_issuing.is_sent_by_link(work, one.person.row)
    ]
    codes = dict(
        zip(map(id, by_code), form_access.new_codes(work, [due_reminder.form for due_reminder in by_code]), strict=True)
    )
    drafts = []
    for due_reminder in due_reminders:
        step = min(due_reminder.reminder.step, 1)
        if id(due_reminder) in first:
            template, params = first[id(due_reminder)]
        elif id(due_reminder) in codes:
            template, params = (
                TEMPLATES["code"][step],
                {"code": codes[id(due_reminder)], "address": work.config.base_url},
            )
        else:
            link = f"{work.config.base_url}/a/{form_access.new_link(work, due_reminder.form)}"
            template, params = TEMPLATES["link"][step], {"link": link}
        drafts.append(_draft_message(work, due_reminder, template, params))
    outbox.queue_all(work, drafts)


def _draft_message(
    work: UnitOfWork, due_reminder: _DueReminder, template: str, params: Mapping[str, str]
) -> outbox.MessageDraft:
    """Return the draft of one message with its rendered text."""
    row, line, reminder = due_reminder.person.row, due_reminder.line, due_reminder.reminder
    banner, two_way = not work.config.production, work.config.sms_two_way
    sender = message_rendering.sender_name(work, row.plan, row.language)
    rendered = message_rendering.render_message(
        template, row.language, params, work.app_context.catalogs, banner, two_way=two_way, sender=sender
    )
    return outbox.MessageDraft(
        # By visit, not by row: a visit that is removed and planned again for its day is not announced twice.
        dedupe_key=f"remind:{row.id}:{line.visit}:{line.instrument}:{line.opens_at:%Y%m%d}:{reminder.step}",
        channel="sms",
        template=template,
        params=params,
        language=row.language,
        address=work.vault.open(row.phone_sealed or ""),
        body=rendered.text,
        participant_id=row.id,
        assessment_id=due_reminder.form.id,
        not_before=reminder.not_before,
        not_after=reminder.not_after,
        repeat="prefer_silence",
    )


def _next_due_at(work: UnitOfWork, person: _DueParticipant, coming: Sequence[datetime]) -> datetime | None:
    """Return when the participant must be processed again, or None."""
    moments = [*coming, *([person.later] if person.later else [])]
    for line in person.lines:
        if line.received_at is not None or line.missed_at is not None:
            continue
        if line.opens_at > work.now:
            moments.append(line.opens_at)
            continue
        # A form that an answer has locked is processed again soon.
        moments.append(max(line.closes_at + timedelta(seconds=1), work.now + RETRY_AFTER))
        if line.assessment_id is None and person.row.is_active:
            moments.append(work.now + UNLICENSED_RETRY)
    return min(moments, default=None)
