"""Test that the stored visit schedule follows the plan after any dates and answers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pro.catalogue import Catalogue
from pro.core.schedule.expected_visits import list_expected_visits
from pro.errors import BadData
from pro.features.participants import treatment_dates
from pro.features.schedule import schedule_service
from pro.i18n import Catalogs
from pro.models import ExpectedForm
from tests.core.example_schedule import CALENDAR, SHANGHAI
from tests.support import form_browser
from tests.support.alert_clinic import Clinic, build_clinic
from tests.support.calendar_participant import CHECKIN, QLQ, CalendarParticipant, change, enrol
from tests.support.clinic_fixtures import app_context_on
from tests.support.factories import Clock

CONSENT = date(2026, 3, 2)
KINDS = [
    ("induction_day1", 0),
    ("pd1_dose", 2),
    ("rt_fraction", 1),
    ("rt_fraction", 4),
    ("rt_fraction", 16),
    ("cr_decision", 0),
    ("rt_end", 0),
    ("maintenance_cycle", 1),
    ("ulcer_suspected", 1),
    ("ulcer_confirmed", 1),
    ("ulcer_cleared", 1),
    ("progression", 0),
    ("last_dose", 0),
    ("withdrawal", 0),
]
TYPED = st.tuples(st.just("set"), st.sampled_from(KINDS), st.integers(0, 75), st.booleans())
TAKEN_BACK = st.tuples(st.just("back"), st.sampled_from(KINDS))
PASSES = st.tuples(st.just("pass"), st.integers(1, 24 * 12))
DONE = st.tuples(st.sampled_from(["answer", "begin", "open"]), st.sampled_from([CHECKIN, QLQ]))
STEPS = st.lists(st.one_of(TYPED, TYPED, TAKEN_BACK, PASSES, PASSES, DONE), min_size=3, max_size=14)
Frozen = dict[tuple[str, str], tuple[object, ...]]


@pytest.fixture(scope="module")
def fresh(
    sqlite_template: Path, catalogue: Catalogue, catalogs: Catalogs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], CalendarParticipant]]:
    """Return a function that enrols a new participant in a database of its own."""
    folder = tmp_path_factory.mktemp("properties")
    shutil.copy(sqlite_template, folder / "template.sqlite3")
    clock = Clock()
    app_context = app_context_on(f"sqlite:///{folder / 'template.sqlite3'}", catalogue, catalogs, folder, clock)
    clinic: Clinic = build_clinic(app_context)
    app_context.engine.dispose()

    start = clock.now
    numbers = iter(range(10000))

    def make() -> CalendarParticipant:
        clock.now = start
        return enrol(clinic, f"P-{next(numbers)}")

    yield make
    app_context.engine.dispose()


def place(row: ExpectedForm) -> tuple[object, ...]:
    return row.opens_at, row.due_at, row.closes_at, row.mandatory


def fixed(person: CalendarParticipant, now: datetime) -> Frozen:
    """Return the expected forms that may not move: answered, opened, or past once known."""
    forms = {form.id: form for form in person.forms()}
    found = {}
    for name, row in person.lines().items():
        form = forms.get(row.assessment_id or 0)
        opened = form is not None and form.opened_at is not None
        past = row.closes_at < now and not (row.missed_at is not None and row.closes_at < row.known_at)
        if opened or row.received_at is not None or past:
            found[name] = place(row)
    return found


def act(person: CalendarParticipant, step: tuple[object, ...]) -> None:
    what = step[0]
    if what == "pass":
        person.live(person.clinic.app_context.clock() + timedelta(hours=int(str(step[1]))))
    elif what in ("answer", "begin", "open"):
        mine = [form for form in person.forms() if form.instrument == step[1] and not form.submitted_at]
        with form_browser.unit_of_work(person.clinic.app_context) as work:
            active = person.row(work).is_active
        if not mine or mine[-1].cancelled_at or not active or mine[-1].closes_at < person.clinic.app_context.clock():
            return
        if mine[-1].first_answer_at and what != "answer":
            return
        {"answer": person.answer, "begin": person.begin, "open": person.start}[str(what)](str(step[1]))
    else:
        kind, number = cast(tuple[str, int], step[1])
        on = CONSENT + timedelta(days=int(str(step[2]))) if what == "set" else None
        planned = bool(step[3]) if what == "set" else False
        edited(person, kind, number, on, planned)


def edited(person: CalendarParticipant, kind: str, number: int, on: date | None, planned: bool) -> None:
    now = person.clinic.app_context.clock()
    before = fixed(person, now)
    one = change(kind, on, number, planned)
    shown = person.preview(one)
    try:
        person.set(one, reason="drawn", seen=shown.digest)
    except BadData:
        assert shown.problems
        return
    after = person.lines()
    assert {name: place(after[name]) for name in before} == before
    assert set(after) == {found.name for found in shown.diff.result}
    # A second run changes nothing.
    assert person.preview(one).diff.is_empty


def complete(person: CalendarParticipant) -> None:
    """Check that all visits that the plan expects are stored, at their time unless fixed."""
    with form_browser.unit_of_work(person.clinic.app_context) as work:
        row = person.row(work)
        anchors = treatment_dates.dated_anchors(schedule_service.ordered_anchors(work, row))
        working = work.catalogue.working_days(row.plan)
    wanted = {one.name: one for one in list_expected_visits(CALENDAR, anchors, SHANGHAI, working)}
    lines, stays = person.lines(), fixed(person, person.clinic.app_context.clock())
    assert set(wanted) <= set(lines)
    assert set(lines) - set(wanted) <= set(stays)
    for name, one in wanted.items():
        row_ = lines[name]
        if name not in stays and name[1] == CHECKIN:
            assert place(row_) == (one.opens, one.due, one.closes, one.mandatory)
        elif name not in stays:
            assert one.opens <= row_.opens_at <= row_.due_at
            assert (row_.due_at, row_.closes_at) == (one.due, one.closes)


def nothing_twice(person: CalendarParticipant) -> None:
    keys = [row.dedupe_key for row in person.messages()]
    assert len(keys) == len(set(keys))
    waiting = [form for form in person.forms() if not form.submitted_at and not form.cancelled_at]
    waiting = [form for form in waiting if form.first_answer_at is None]
    assert len({form.instrument for form in waiting}) == len(waiting)
    due = person.next_due_at()
    assert due is None or due > person.clinic.app_context.clock()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
def test_no_visit_is_lost_or_doubled_and_what_is_done_stays(fresh, steps):
    person = fresh()
    person.look()
    for step in steps:
        act(person, step)
        complete(person)
        person.look()
        nothing_twice(person)


def text_rows(person: CalendarParticipant) -> list[tuple[object, ...]]:
    rows = person.messages()
    return [(row.dedupe_key.split(":", 2)[2], row.next_try_at, row.not_after, row.failure) for row in rows]


def every_five_minutes(person: CalendarParticipant, hours: int) -> None:
    clock = person.clinic.app_context.clock
    for _ in range(hours * 12):
        person.when(clock() + timedelta(minutes=5)).look()


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(st.tuples(st.integers(1, 30), st.one_of(TYPED, DONE)), min_size=2, max_size=5))
def test_looking_when_due_is_as_good_as_looking_all_the_time(fresh, steps):
    lazy = fresh()
    lazy.look()
    for hours, step in steps:
        lazy.live(lazy.clinic.app_context.clock() + timedelta(hours=hours))
        act(lazy, step)
        lazy.look()
    seen, statuses = text_rows(lazy), lazy.statuses()
    eager = fresh()
    eager.look()
    for hours, step in steps:
        every_five_minutes(eager, hours)
        act(eager, step)
        eager.look()
    assert text_rows(eager) == seen
    assert eager.statuses() == statuses
