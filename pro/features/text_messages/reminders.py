"""The worker's look at the calendar: windows open, forms are issued, people reminded, silence noticed.

A participant is looked at when ``look_at`` says so, and never else: a round costs what is due, not who is enrolled.
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
from pro.core.study_plan import Calendar
from pro.db import transaction
from pro.errors import NotAllowed
from pro.features.forms import form_access, form_issuing, licensed_wording
from pro.features.participants.treatment_dates import local_date
from pro.features.schedule import missed_forms, schedule_rows, schedule_service
from pro.features.text_messages import text_answers
from pro.messaging import message_templates, outbox
from pro.models import Assessment, Expected, Message, Participant

log = logging.getLogger(__name__)
BATCH = 100
# What a round does at most, so that the alerts' steps come round in time.
LONGEST = 2000
# Today's messages depend on every window that touches today.
AHEAD = timedelta(hours=26)
AGAIN = timedelta(seconds=1)
# A form without licensed words cannot be issued; somebody may load them meanwhile.
UNLICENSED = timedelta(hours=1)
ASKING = ("invitation", "invitation_code", "reminder", "reminder_code", "question")
TEMPLATES: dict[str, tuple[str, str]] = {
    "link": ("invitation", "reminder"),
    "code": ("invitation_code", "reminder_code"),
}


@dataclass(frozen=True, slots=True)
class _Person:
    """One participant in a round, with the lines of the ledger that are open or will be within a day."""

    row: Participant
    calendar: Calendar
    lines: list[Expected]
    later: datetime | None


@dataclass(frozen=True, slots=True)
class _Call:
    """A message that goes out now."""

    person: _Person
    line: Expected
    form: Assessment
    reminder: Reminder


def run_due(house: AppContext) -> int:
    """Do what is due in everybody's calendar; how many people were looked at.

    A batch is one transaction, so a worker that dies leaves everything or nothing. If one breaks, its people are looked
    at one by one; RuntimeError at the end if any of them broke.
    """
    seen = 0
    broken: set[int] = set()
    while seen < LONGEST:
        try:
            with transaction(house.engine) as session:
                done = _batch(house.work(session), BATCH, broken)
        except Exception as error:
            log.error("a batch of the calendar broke: %s", type(error).__name__)
            done = _one_by_one(house, broken)
        seen += done
        if done < BATCH:
            break
    if broken:
        raise RuntimeError(f"{len(broken)} participants' calendars could not be looked at")
    return seen


def _one_by_one(house: AppContext, broken: set[int]) -> int:
    """The same batch, a person at a time; who breaks is left out of this round."""
    with transaction(house.engine) as session:
        ids = [row.id for row in _due(house.work(session), BATCH, broken)]
    for participant_id in ids:
        try:
            with transaction(house.engine) as session:
                _batch(house.work(session), 1, broken, participant_id)
        except Exception as error:
            broken.add(participant_id)
            log.error("the calendar of participant %s broke: %s", participant_id, type(error).__name__)
    return len(ids)


def _due(work: UnitOfWork, limit: int, without: Iterable[int], only: int | None = None) -> list[Participant]:
    query = select(Participant).where(Participant.look_at <= work.now, Participant.id.not_in(without))
    if only is not None:
        query = query.where(Participant.id == only)
    # Another worker's people are left to it.
    held = query.order_by(Participant.look_at).limit(limit).with_for_update(skip_locked=True, key_share=True)
    return list(work.session.scalars(held))


def _batch(work: UnitOfWork, limit: int, without: Iterable[int], only: int | None = None) -> int:
    due = _due(work, limit, without, only)
    people = _read(work, due)
    known = {person.row.id for person in people}
    for row in due:
        if row.id not in known:
            row.look_at = None
    with work.session.no_autoflush:
        _issue(work, people)
        work.session.flush()
        forms = _forms(work, people)
        already = _sent_today(work, people)
        free = _hold(work, _begun_and_over(work, people, forms))
        calls: list[_Call] = []
        silences: list[tuple[Participant, list[Expected]]] = []
        for person in people:
            silent = _close(work, person, forms, free)
            pending = _remind(work, person, forms, already[person.row.id], calls)
            person.row.look_at = _next(work, person, pending)
            if silent:
                silences.append((person.row, silent))
        # At once for all of them: each would otherwise be written on its own.
        work.session.flush()
        for participant, silent in silences:
            missed_forms.record_missed(work, participant, silent, held=True)
        _queue(work, calls)
    return len(due)


def _read(work: UnitOfWork, due: Sequence[Participant]) -> list[_Person]:
    """The people with a calendar, and what of it is open or near; who has no plan yet gets one."""
    ids = [row.id for row in due]
    lines, later = _lines(work, ids), _later(work, ids)
    empty = [row for row in due if row.id not in lines and row.id not in later and row.is_active]
    if empty and (new := _never_planned(work, empty)):
        for row in new:
            schedule_service.plan_anew(work, row)
        lines, later = _lines(work, ids), _later(work, ids)
    found = []
    for row in due:
        plan = work.catalogue.plans.get(row.plan)
        if plan is not None and plan.calendar is not None:
            found.append(_Person(row, plan.calendar, lines.get(row.id, []), later.get(row.id)))
    return found


def _lines(work: UnitOfWork, ids: Sequence[int]) -> dict[int, list[Expected]]:
    query = (
        select(Expected)
        .where(
            Expected.participant_id.in_(ids),
            Expected.opens_at <= work.now + AHEAD,
            Expected.served_at.is_(None),
            Expected.missed_at.is_(None),
        )
        # In the order in which whoever answers takes them: else the two could wait for one another.
        .order_by(Expected.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    found: dict[int, list[Expected]] = defaultdict(list)
    for line in sorted(work.session.scalars(query), key=lambda line: (line.opens_at, line.id)):
        found[line.participant_id].append(line)
    return dict(found)


def _later(work: UnitOfWork, ids: Sequence[int]) -> dict[int, datetime]:
    query = (
        select(Expected.participant_id, func.min(Expected.opens_at))
        .where(Expected.participant_id.in_(ids), Expected.opens_at > work.now + AHEAD)
        .group_by(Expected.participant_id)
    )
    # Not dict(): a result has keys(), so that it would be taken for a mapping.
    return {row[0]: row[1] for row in work.session.execute(query)}


def _never_planned(work: UnitOfWork, people: Sequence[Participant]) -> list[Participant]:
    ids = [row.id for row in people]
    planned_ids = set(work.session.scalars(select(Expected.participant_id).where(Expected.participant_id.in_(ids))))
    return [row for row in people if row.id not in planned_ids and row.plan in work.catalogue.plans]


def _issue(work: UnitOfWork, people: Sequence[_Person]) -> None:
    """A form for every window that has opened: the one that still waits, or a new one."""
    opening = [
        (person.row, line)
        for person in people
        if person.row.is_active
        for line in person.lines
        if line.assessment_id is None and line.opens_at <= work.now <= line.closes_at
    ]
    if not opening:
        return
    pins = {name: _pinned(work, name) for name in {line.instrument for _row, line in opening}}
    waiting = form_issuing.open_forms(work, sorted({row.id for row, _line in opening}))
    # A form that somebody is answering at this moment is not touched.
    held = _hold(work, {form.id for form in waiting.values() if form.first_answer_at is None})
    free = {number for number, form in held.items() if form.first_answer_at is None}
    given: list[tuple[Expected, Assessment]] = []
    new: list[Assessment] = []
    for row, line in opening:
        pinned = pins[line.instrument]
        if pinned is None:
            continue
        form = waiting.get((row.id, line.instrument))
        if form is None:
            form = waiting[row.id, line.instrument] = form_issuing.new_form(work, row.id, line.instrument, pinned, line)
            new.append(form)
        elif form.id is None or form.id in free:
            form_issuing.go_on(work, form, pinned, line)
        given.append((line, form))
    work.session.flush()
    for form in new:
        work.record("assessment.issued", form, participant_id=form.participant_id, new={"visit": form.visit})
    for line, form in given:
        line.assessment_id = form.id


def _pinned(work: UnitOfWork, instrument: str) -> dict[str, str] | None:
    try:
        return licensed_wording.issuable(work, instrument)
    except NotAllowed:
        log.error("%s cannot be issued: it has no licensed wording", instrument)
        return None


def _hold(work: UnitOfWork, numbers: set[int]) -> dict[int, Assessment]:
    """The forms of ``numbers`` that nobody else holds, read anew."""
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


def _forms(work: UnitOfWork, people: Sequence[_Person]) -> dict[int, Assessment]:
    numbers = {line.assessment_id for person in people for line in person.lines if line.assessment_id}
    if not numbers:
        return {}
    return {form.id: form for form in work.session.scalars(select(Assessment).where(Assessment.id.in_(numbers)))}


def _begun_and_over(work: UnitOfWork, people: Sequence[_Person], forms: Mapping[int, Assessment]) -> set[int]:
    numbers = {line.assessment_id or 0 for person in people for line in person.lines if line.closes_at < work.now}
    return {number for number in numbers & forms.keys() if forms[number].first_answer_at is not None}


def _close(
    work: UnitOfWork, person: _Person, forms: Mapping[int, Assessment], free: Mapping[int, Assessment]
) -> list[Expected]:
    """Windows that are over: a form that was begun counts as partial, nothing at all as missed (rule 4).

    ``free``: forms that were begun and that nobody answers at this moment; the others are left for the next look.
    """
    silent = []
    for line in person.lines:
        if line.served_at is not None or work.now <= line.closes_at:
            continue
        form = forms.get(line.assessment_id or 0)
        if form is not None and form.first_answer_at is not None:
            if form.id not in free:
                continue
            schedule_rows.settle(work, form)
        if line.served_at is None:
            line.missed_at = work.now
            if line.mandatory and person.row.is_active:
                silent.append(line)
    return silent


def _remind(
    work: UnitOfWork, person: _Person, forms: Mapping[int, Assessment], sent: Sequence[datetime], calls: list[_Call]
) -> list[datetime]:
    """Add the messages that are due to ``calls`` and note those that are not sent; when the next ones are."""
    row = person.row
    if not row.is_active or row.opted_out_at or row.phone_sealed is None or work.config.sms == "none":
        return []
    rules = person.calendar.reminding
    open_lines = {
        (line.visit, line.instrument): line
        for line in person.lines
        if line.served_at is None
        and line.missed_at is None
        # What could not be issued is not told of, and takes no other form's message.
        and (line.assessment_id is not None or line.opens_at > work.now)
    }
    waiting = [schedule_rows.with_ladder(person.calendar, line, row.time_zone) for line in open_lines.values()]
    since = {name: line.known_at for name, line in open_lines.items()}
    done = {name: line.steps for name, line in open_lines.items()}
    already = Counter(local_date(at, row.time_zone) for at in sent)
    chosen = reminder_times.plan_messages(waiting, rules, since, already, done)
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
            calls.append(_Call(person, line, forms[line.assessment_id or 0], reminder))
        line.steps = reminder.step + 1
    return coming


def _sent_today(work: UnitOfWork, people: Sequence[_Person]) -> dict[int, list[datetime]]:
    """When messages about forms were queued for each of ``people`` within a day and two hours; not those dropped."""
    query = select(Message.participant_id, Message.queued_at).where(
        Message.participant_id.in_([person.row.id for person in people]),
        Message.staff_id.is_(None),
        # What somebody gets who writes to us is no message about a form.
        Message.template.in_(ASKING),
        Message.dropped_at.is_(None),
        Message.queued_at > work.now - AHEAD,
    )
    found: dict[int, list[datetime]] = defaultdict(list)
    for participant_id, at in work.session.execute(query):
        if participant_id is not None:
            found[participant_id].append(at)
    return found


def _queue(work: UnitOfWork, calls: Sequence[_Call]) -> None:
    """Put all of a batch's messages into the outbox at once, each with a new link or code."""
    first = {
        id(call): question
        for call in calls
        if call.person.calendar.reminding.by == "sms"
        and (question := text_answers.first_question(work, call.person.row, call.form))
    }
    by_code = [one for one in calls if id(one) not in first and not form_issuing.by_link(work, one.person.row)]
    codes = dict(zip(map(id, by_code), form_access.new_codes(work, [call.form for call in by_code]), strict=True))
    drafts = []
    for call in calls:
        step = min(call.reminder.step, 1)
        if id(call) in first:
            template, params = first[id(call)]
        elif id(call) in codes:
            template, params = TEMPLATES["code"][step], {"code": codes[id(call)], "address": work.config.base_url}
        else:
            link = f"{work.config.base_url}/a/{form_access.new_link(work, call.form)}"
            template, params = TEMPLATES["link"][step], {"link": link}
        drafts.append(_draft(work, call, template, params))
    outbox.queue_all(work, drafts)


def _draft(work: UnitOfWork, call: _Call, template: str, params: Mapping[str, str]) -> outbox.MessageDraft:
    row, line, reminder = call.person.row, call.line, call.reminder
    banner, two_way = not work.config.production, work.config.sms_two_way
    rendered = message_templates.render(template, row.language, params, work.house.catalogs, banner, two_way=two_way)
    return outbox.MessageDraft(
        # By name, not by row: a visit that was dropped and comes back on its day is not announced again.
        dedupe_key=f"remind:{row.id}:{line.visit}:{line.instrument}:{line.opens_at:%Y%m%d}:{reminder.step}",
        channel="sms",
        template=template,
        params=params,
        language=row.language,
        address=work.vault.open(row.phone_sealed or ""),
        body=rendered.text,
        participant_id=row.id,
        assessment_id=call.form.id,
        not_before=reminder.not_before,
        not_after=reminder.not_after,
        repeat="prefer_silence",
    )


def _next(work: UnitOfWork, person: _Person, coming: Sequence[datetime]) -> datetime | None:
    """When this person must be looked at again."""
    moments = [*coming, *([person.later] if person.later else [])]
    for line in person.lines:
        if line.served_at is not None or line.missed_at is not None:
            continue
        if line.opens_at > work.now:
            moments.append(line.opens_at)
            continue
        # What could not be settled now because somebody is answering it comes again soon.
        moments.append(max(line.closes_at + timedelta(seconds=1), work.now + AGAIN))
        if line.assessment_id is None and person.row.is_active:
            moments.append(work.now + UNLICENSED)
    return min(moments, default=None)
