"""Test the figures of a whole study against figures counted by hand, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, event, select

from pro.app_context import AppContext
from pro.core.figures import study_figures as figures_of
from pro.core.figures.study_figures import Figures, Quartiles, UlcerFigures
from pro.core.figures.symptom_shares import SymptomCell
from pro.db import transaction
from pro.features.reports import study_overview, study_symptoms
from pro.features.schedule import expected_forms, missed_forms
from pro.models import (
    Alert,
    Anchor,
    Assessment,
    CallTask,
    ClinicalFact,
    ExpectedForm,
    Participant,
    PhoneCall,
    Score,
    StudyFigures,
)
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import PLAN, Clock


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """Record the queries that run in the block."""
    ran: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("SELECT"):
            ran.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield ran
    event.remove(engine, "before_cursor_execute", note)


def people(app_context: AppContext, number: int) -> list[int]:
    """Enrol this many participants with expected forms; return their ids."""
    with form_browser.unit_of_work(app_context) as work:
        return [factories.participant(work, f"C-{n:03}", phone="").id for n in range(1, number + 1)]


def line(app_context: AppContext, person: int, **what: object) -> None:
    """Set the QLQ-C30 of the participant's baseline visit."""
    with transaction(app_context.engine) as session:
        query = select(ExpectedForm).where(ExpectedForm.participant_id == person, ExpectedForm.instrument == "qlq_c30")
        row = session.scalars(query.order_by(ExpectedForm.opens_at)).first()
        assert row is not None
        for name, value in what.items():
            setattr(row, name, value)


def scored(app_context: AppContext, person: int, *values: float | None) -> int:
    """Store a QLQ-C30 with these PF scores, one run after another."""
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        way = factories.form(work, session.get_one(Participant, person), "qlq_c30")
        for value in values:
            session.add(
                Score(
                    assessment_id=way.assessment_id,
                    scale="PF",
                    value=value,
                    raw=None,
                    used=5,
                    of=5,
                    algorithm="x",
                    at=work.now,
                )
            )
        session.get_one(Assessment, way.assessment_id).submitted_at = work.now
        return way.assessment_id


def figures(app_context: AppContext) -> Figures:
    """Count the figures now."""
    with transaction(app_context.engine) as session:
        return study_overview.count_figures(app_context.unit_of_work(session), app_context.catalogue.plans[PLAN])


def alert(app_context: AppContext, person: int, rule: str, level: int, raised: datetime, **what: object) -> None:
    """Store an alert that was raised at that time."""
    with transaction(app_context.engine) as session:
        number = len(session.scalars(select(Alert.id)).all())
        session.add(
            Alert(
                participant_id=person,
                source=what.pop("source", f"test:{number}"),
                rule=rule,
                level=level,
                suspects="",
                basis="E",
                plan_version="1",
                inputs={},
                unresolved=[],
                raised_at=raised,
                **what,
            )
        )


def test_compliance_and_scores_are_those_of_a_count_by_hand(any_clinic: Clinic, clock: Clock) -> None:
    app_context = any_clinic.app_context
    now = clock.move(days=30)
    clock.move(days=-30)
    on_time, late, begun, forgot, unsaid, again = people(app_context, 6)
    came = {"received_at": now, "nearest": True, "assessment_id": None}
    line(app_context, on_time, **came | {"assessment_id": scored(app_context, on_time, 20.0, 40.0)})
    line(app_context, late, **came | {"out_of_window": True, "assessment_id": scored(app_context, late, 100.0)})
    line(app_context, begun, **came | {"partial": True})
    line(app_context, forgot, missed_at=now, missing_reason="forgot")
    line(app_context, unsaid, missed_at=now)
    line(app_context, again, **came | {"assessment_id": scored(app_context, again, 60.0, None)})
    clock.move(days=30)
    found = figures(app_context)
    row = next(row for row in found.visits if (row.instrument, row.kind) == ("qlq_c30", "baseline"))
    # The clinic's own participant missed the form too, and gave no reason.
    assert (row.expected, row.received, row.in_window, row.late, row.missed, row.partial) == (7, 4, 3, 1, 3, 1)
    assert row.reasons == (("forgot", 1), ("", 2))
    assert row.compliance == 3 / 7
    (point,) = found.points
    # A newer run without a score replaces an older one; forms received out of window are counted separately.
    assert (point.scale, point.spread, point.missing) == ("PF", Quartiles(1, 40.0, 40.0, 40.0), 1)
    assert (found.enrolled, found.active) == (7, 7)


def test_the_study_is_the_sum_of_its_participants(any_clinic: Clinic, clock: Clock) -> None:
    app_context = any_clinic.app_context
    first, second, third = people(app_context, 3)
    line(app_context, first, received_at=clock.now, nearest=True)
    line(app_context, second, received_at=clock.now, out_of_window=True)
    clock.move(days=40)
    line(app_context, third, missing_reason="too_ill")
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        each = [
            expected_forms.count_compliance(expected_forms.read_expected_forms(work, person, "en"))
            for person in session.scalars(select(Participant)).all()
        ]
    rows = figures(app_context).visits
    assert sum(row.expected for row in rows) == sum(one.expected for one in each)
    assert sum(row.in_window for row in rows) == sum(one.in_window for one in each)
    assert sum(row.late for row in rows) == sum(one.late for one in each)
    assert sum(row.missed for row in rows) == sum(one.missed for one in each)
    assert sum(dict(row.reasons).get("", 0) for row in rows) == sum(one.unexplained for one in each)


def test_waiting_and_weeks_are_those_of_a_count_by_hand(any_clinic: Clinic, clock: Clock) -> None:
    app_context, person = any_clinic.app_context, any_clinic.participant_id
    clock.move(days=70)
    now, minute = clock.now, timedelta(minutes=1)
    for took in (4, 6, 60):
        alert(
            app_context,
            person,
            "E01",
            3,
            now - timedelta(days=1),
            acknowledged_at=now - timedelta(days=1) + took * minute,
        )
    alert(app_context, person, "U09", 2, now - timedelta(days=8), acknowledged_at=now, closed_at=now)
    alert(app_context, person, "U09", 2, now - timedelta(days=8), superseded_at=now)
    alert(
        app_context,
        person,
        "M03",
        1,
        now - timedelta(days=8),
        closed_at=now,
        disposition=study_symptoms.CLOSED_AUTOMATICALLY,
    )
    alert(app_context, person, "U09", 2, now - timedelta(weeks=30))
    # Sunday, 23:59 in Shanghai, and a minute later.
    monday = datetime.combine(figures_of.last_mondays(now, "Asia/Shanghai")[-1], datetime.min.time()).astimezone()
    starts = figures_of.week_start(monday.date(), "Asia/Shanghai")
    alert(app_context, person, "W02", 1, starts - minute)
    alert(app_context, person, "W02", 1, starts)
    found = figures(app_context)
    emergency, urgent, watch = found.handling
    assert (emergency.level, emergency.acknowledged, emergency.waiting, emergency.open) == (
        3,
        Quartiles(3, 5, 6, 33),
        0,
        3,
    )
    assert (urgent.acknowledged, urgent.closed) == (Quartiles(1, 11520, 11520, 11520),) * 2
    assert (urgent.waiting, urgent.open) == (1, 1)
    assert (watch.acknowledged, watch.closed, watch.waiting) == (None, None, 2)
    rows = {row.rule: row.weeks[-3:] for row in found.rules}
    assert rows["W02"] == (0, 1, 1)
    assert sum(sum(row.weeks) for row in found.rules) == 7
    assert sum(found.loud) == 4
    assert sum(rows["U09"]) == 1


def call(app_context: AppContext, person: int, staff: int, source: str, at: datetime, outcome: str) -> None:
    """Store a phone call about the alerts of ``source``."""
    with transaction(app_context.engine) as session:
        session.add(
            PhoneCall(participant_id=person, staff_id=staff, at=at, outcome=outcome, logged_at=at, source=source)
        )


def test_response_times_are_those_of_a_count_by_hand(any_clinic: Clinic, clock: Clock) -> None:
    app_context, staff = any_clinic.app_context, any_clinic.nurse.id
    clock.move(days=30)
    # A call counts for every alert of its participant.
    persons = people(app_context, 5)
    now, hour = clock.now, timedelta(hours=1)
    for number, (level, ago, taken) in enumerate([(3, 50, 0.25), (3, 40, 1), (2, 60, 1), (2, 30, None), (2, 1, None)]):
        person, raised = persons[number], now - ago * hour
        alert(app_context, person, "U09", level, raised, acknowledged_at=raised + taken * hour if taken else None)
        # A call that was not answered is no contact, and one before the alert is about something else.
        call(app_context, person, staff, f"test:{number}", raised + hour, "no_answer")
        call(app_context, person, staff, f"test:{number}", raised - hour, "reached")
    call(app_context, persons[2], staff, "test:2", now - 60 * hour + 2 * hour, "reached_relative")
    call(app_context, persons[2], staff, "test:2", now - 60 * hour + 9 * hour, "reached")
    # Another rule of the same form is the same case.
    with transaction(app_context.engine) as session:
        row = Alert(
            participant_id=persons[2],
            source="test:2",
            rule="U10",
            level=2,
            suspects="",
            basis="E",
            plan_version="1",
            inputs={},
            unresolved=[],
            raised_at=now - 60 * hour,
        )
        session.add(row)
    emergency, acknowledged, called = figures(app_context).responses
    assert (emergency.level, emergency.step, emergency.limit, emergency.dots) == (3, "acknowledge", 30, (15, 60))
    assert (emergency.n, emergency.median, emergency.in_time, emergency.due) == (2, 37.5, 1, 2)
    assert (acknowledged.level, acknowledged.step, acknowledged.limit, acknowledged.dots) == (
        2,
        "acknowledge",
        0,
        (60,),
    )
    assert (acknowledged.n, acknowledged.in_time, acknowledged.due) == (1, 1, 2)
    assert (called.step, called.limit, called.dots, called.median) == ("contact", 1440, (120,), 120.0)
    # One was called in time, one was not called within its 24 hours, one still may be.
    assert (called.n, called.in_time, called.due) == (1, 1, 2)


def response(app_context: AppContext, step: str) -> tuple[int, float | None, int, int]:
    """Return responses, their median, and how many of the due ones were in time, for urgent alerts."""
    found = [row for row in figures(app_context).responses if (row.level, row.step) == (2, step)]
    return next(((row.n, row.median, row.in_time, row.due) for row in found), (0, None, 0, 0))


@pytest.mark.parametrize("place", ["task", "button"])
def test_a_call_counts_wherever_it_was_logged(any_clinic: Clinic, clock: Clock, place: str) -> None:
    app_context, person = any_clinic.app_context, any_clinic.participant_id
    raised = clock.move(days=30).replace(second=40)
    alert(app_context, person, "U09", 2, raised)
    if place == "task":
        with transaction(app_context.engine) as session:
            session.add(
                CallTask(dedupe_key="x", participant_id=person, kind="call_missed", made_at=clock.now, due_at=clock.now)
            )
    clock.move(hours=5)
    with form_browser.unit_of_work(app_context, any_clinic.nurse.actor) as work:
        task = work.session.scalar(select(CallTask.id))
        # The time of a call is typed without seconds: at 40 seconds past the minute the alert was there.
        missed_forms.log_call(
            work,
            at=raised.replace(second=0, microsecond=0),
            outcome="reached",
            call_task_id=task,
            participant_id=person,
        )
    assert response(app_context, "contact") == (1, 0.0, 1, 1)


def test_a_call_about_something_else_is_no_response(any_clinic: Clinic, clock: Clock) -> None:
    app_context, staff = any_clinic.app_context, any_clinic.nurse.id
    clock.move(days=30)
    first, second, third = people(app_context, 3)
    raised = clock.now - timedelta(days=20)
    closed = raised + timedelta(hours=30)
    for person in (first, second, third):
        alert(app_context, person, "U09", 2, raised, acknowledged_at=raised, closed_at=closed, disposition="watching")
    # Weeks after it was closed; the second from the page of the alert itself.
    call(app_context, first, staff, "", clock.now, "reached")
    call(app_context, second, staff, "test:1", clock.now, "reached")
    call(app_context, third, staff, "", raised + timedelta(hours=29), "reached")
    # The participant of another alert.
    call(app_context, any_clinic.participant_id, staff, "", raised + timedelta(hours=1), "reached")
    assert response(app_context, "contact") == (2, (29 * 60 + 20 * 24 * 60) / 2, 0, 3)


def test_an_alert_that_closed_itself_without_a_response_is_not_late(any_clinic: Clinic, clock: Clock) -> None:
    app_context, staff = any_clinic.app_context, any_clinic.nurse.id
    clock.move(days=30)
    silent, called, acknowledged, again = people(app_context, 4)
    raised, hour = clock.now - timedelta(days=20), timedelta(hours=1)
    itself = {"closed_at": raised + 30 * hour, "disposition": study_symptoms.CLOSED_AUTOMATICALLY}
    for level in (2, 3):
        alert(app_context, silent, "U09", level, raised, **itself)
    assert figures(app_context).responses == ()
    alert(app_context, called, "U09", 2, raised, **itself)
    call(app_context, called, staff, "", raised + 2 * hour, "reached")
    # After the answer had closed the alert.
    call(app_context, silent, staff, "", raised + 40 * hour, "reached")
    alert(app_context, acknowledged, "U09", 2, raised, acknowledged_at=raised + hour, **itself)
    assert response(app_context, "acknowledge") == (1, 60.0, 1, 1)
    assert response(app_context, "contact") == (1, 120.0, 1, 1)
    # The rule fired again in the same case: this alert waits for staff.
    alert(app_context, again, "U09", 2, raised, source="test:again", **itself)
    alert(app_context, again, "U09", 2, raised + 48 * hour, source="test:again", occurrence=2)
    assert response(app_context, "acknowledge") == (1, 60.0, 1, 2)
    assert response(app_context, "contact") == (1, 120.0, 1, 2)


def test_ulcers_are_counted_by_participant(any_clinic: Clinic, clock: Clock) -> None:
    app_context = any_clinic.app_context
    confirmed, suspected, cleared, again = people(app_context, 4)
    with transaction(app_context.engine) as session:
        for person, status in (
            (confirmed, "suspected"),
            (confirmed, "confirmed"),
            (confirmed, "none"),
            (suspected, "suspected"),
            (cleared, "suspected"),
            (cleared, "none"),
            (again, "suspected"),
            (again, "confirmed"),
            (again, "suspected"),
        ):
            session.add(ClinicalFact(participant_id=person, name="ulcer_status", value=status, recorded_at=clock.now))
            session.flush()
        for person in (confirmed, suspected):
            session.add(
                Anchor(participant_id=person, kind="induction_day1", on=clock.now.date(), recorded_at=clock.now)
            )
        session.add(
            Anchor(
                participant_id=cleared, kind="induction_day1", on=clock.now.date(), planned=True, recorded_at=clock.now
            )
        )
    assert figures(app_context).ulcers == UlcerFigures(confirmed=2, suspected=1, treated=2)


def test_symptoms_are_counted_by_their_newest_answers(any_clinic: Clinic, clock: Clock) -> None:
    app_context = any_clinic.app_context
    numbers = people(app_context, 3)
    for person, sores in zip(numbers, (3, 2, 1), strict=True):
        with transaction(app_context.engine) as session:
            work = app_context.unit_of_work(session)
            way = factories.form(work, session.get_one(Participant, person), "npc_checkin")
            form_session = factories.open_form_session(work, way)
            factories.save_answers(work, form_session, bleed=0, sores=4)
            # The answer that stands is the newest one.
            factories.save_answers(work, form_session, sores=sores, swallow=None)
    found = figures(app_context)
    (period,) = found.periods
    assert (period.phase, period.first, period.n) == ("", 0, 3)
    rows = {row.item: row.cells[0] for row in found.symptoms}
    assert rows["sores"] == SymptomCell(2, 3)
    assert rows["bleed"] == SymptomCell(0, 3)
    # Skipped by all: there is no answer, and that is no zero.
    assert rows["swallow"] == SymptomCell(0, 0)
    assert rows["swallow"].share is None


COURSES: dict[str, tuple[list[tuple[str, int, int]], dict[int, str]]] = {
    # (kind, number, day from the first fraction on), and day -> period of a check-in answered on it.
    "28 fractions, no end recorded": (
        [("induction_day1", 0, -28), *(("rt_fraction", n, (n - 1) // 5 * 7 + (n - 1) % 5) for n in range(1, 29))],
        {-29: " 0", -1: "induction 4", 0: "radiotherapy 1", 37: "radiotherapy 6", 38: "after_radiotherapy 1"}
        | {60: "after_radiotherapy 3", 120: "after_radiotherapy 9"},
    ),
    "ended early, then treated": (
        [("induction_day1", 0, -28), ("early_stop", 0, -4), ("rt_fraction", 1, 0), ("rt_fraction", 2, 1)],
        {-5: "induction 4", -1: "induction 4", 1: "radiotherapy 1", 9: "radiotherapy 2"},
    ),
    "ended early, never treated": (
        [("induction_day1", 0, -28), ("early_stop", 0, -4)],
        {-5: "induction 4", -1: "", 9: ""},
    ),
}


@pytest.mark.parametrize("name", COURSES)
def test_symptoms_stand_in_the_phase_in_which_they_were_answered(any_clinic: Clinic, clock: Clock, name: str) -> None:
    app_context = any_clinic.app_context
    dates, expected = COURSES[name]
    clock.move(days=200)
    begins = clock.now - timedelta(days=150)
    (person,) = people(app_context, 1)
    with transaction(app_context.engine) as session:
        for kind, number, days in dates:
            on = (begins + timedelta(days=days)).date()
            session.add(Anchor(participant_id=person, kind=kind, number=number, on=on, recorded_at=clock.now))
        work = app_context.unit_of_work(session)
        way = factories.form(work, session.get_one(Participant, person), "npc_checkin")
        factories.save_answers(work, factories.open_form_session(work, way), sores=3)
    found = {}
    for days in expected:
        with transaction(app_context.engine) as session:
            session.get_one(Assessment, way.assessment_id).answered_at = begins + timedelta(days=days)
        found[days] = " ".join(f"{one.phase} {one.first}" for one in figures(app_context).periods)
    assert found == expected


def test_as_many_queries_for_thirty_as_for_three(any_clinic: Clinic, clock: Clock) -> None:
    clock.move(days=30)
    numbers = []
    for names in (range(3), range(30)):
        with form_browser.unit_of_work(any_clinic.app_context) as work:
            for n in names:
                factories.participant(work, f"Q{len(names)}-{n:02}", phone="")
        with counted(any_clinic.app_context.engine) as ran:
            figures(any_clinic.app_context)
        numbers.append(len(ran))
    assert numbers == [16, 16]


def test_figures_are_kept_and_read_as_they_were_and_renewed_when_due(any_clinic: Clinic, clock: Clock) -> None:
    app_context, person = any_clinic.app_context, any_clinic.participant_id
    alert(app_context, person, "E01", 3, clock.now, acknowledged_at=clock.now)
    line(app_context, person, received_at=clock.now, assessment_id=scored(app_context, person, 20.0))
    assert study_overview.renew_due(app_context) == 1
    assert study_overview.renew_due(app_context) == 0
    with transaction(app_context.engine) as session, counted(app_context.engine) as ran:
        kept = study_overview.latest_figures(app_context.unit_of_work(session), PLAN)
    assert kept is not None
    assert len(ran) == 1
    assert (kept.figures, kept.at, kept.late) == (figures(app_context), clock.now, False)
    clock.move(minutes=2)
    assert study_overview.renew_due(app_context) == 1
    clock.move(hours=5)
    with transaction(app_context.engine) as session:
        kept = study_overview.latest_figures(app_context.unit_of_work(session), PLAN)
    assert kept is not None
    assert kept.late


def test_costly_figures_are_renewed_seldom(clinic: Clinic, clock: Clock) -> None:
    study_overview.renew_due(clinic.app_context)
    with transaction(clinic.app_context.engine) as session:
        session.get_one(StudyFigures, PLAN).computing_seconds = 20.0
    clock.move(minutes=30)
    assert study_overview.renew_due(clinic.app_context) == 0
    clock.move(minutes=4)
    assert study_overview.renew_due(clinic.app_context) == 1


@pytest.mark.parametrize("stored", [{}, {"enrolled": 1}])
def test_figures_of_another_version_are_none(clinic: Clinic, clock: Clock, stored: dict[str, int]) -> None:
    with transaction(clinic.app_context.engine) as session:
        session.add(StudyFigures(plan=PLAN, at=clock.now, computing_seconds=0.1, figures=stored))
    with transaction(clinic.app_context.engine) as session:
        assert study_overview.latest_figures(clinic.app_context.unit_of_work(session), PLAN) is None
