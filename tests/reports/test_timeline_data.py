"""Test the data of the timeline and the pre-dose summary against known weeks."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from pro.app_context import UnitOfWork
from pro.core.figures.timeline_span import TimelineSpan
from pro.core.rule_language.level import Level
from pro.features.accounts import signatures
from pro.features.adverse_events import adverse_event_log, gradings
from pro.features.adverse_events.gradings import GradingDraft
from pro.features.alerts import alert_handling
from pro.features.reports import answer_history, participant_timeline, pre_dose_summary, score_trends
from pro.features.reports.answer_history import AnswerHistory
from pro.features.reports.pre_dose_summary import PreDoseSummary
from pro.features.reports.score_trends import ScoreSeries
from pro.models import Alert, Participant
from tests.support import factories, form_browser, known_weeks
from tests.support.alert_clinic import Clinic
from tests.support.known_weeks import CHECKIN, QLQ, QUIET
from tests.support.query_count import record_queries


def read(work: UnitOfWork, clinic: Clinic) -> AnswerHistory:
    """Read the participant's record, in English."""
    return answer_history.read_history(work, work.session.get_one(Participant, clinic.participant_id), "en")


@pytest.fixture
def full_study(any_clinic: Clinic) -> Clinic:
    """Return the study after five weeks."""
    known_weeks.record_five_weeks(any_clinic.app_context, any_clinic.coordinator.actor, any_clinic.participant_id)
    return any_clinic


def series(clinic: Clinic) -> dict[str, ScoreSeries]:
    """Return scale -> its series."""
    with form_browser.unit_of_work(clinic.app_context) as work:
        (scores,) = score_trends.read_score_trends(work, read(work, clinic), "en")
        return {one.scale: one for one in scores.series}


def card(clinic: Clinic) -> PreDoseSummary:
    """Return the pre-dose summary, in English."""
    with form_browser.unit_of_work(clinic.app_context) as work:
        found = pre_dose_summary.read_summary(work, work.session.get_one(Participant, clinic.participant_id), "en")
    assert found is not None
    return found


def said(found: PreDoseSummary, short: str) -> tuple[object, ...]:
    """Return (now, last, baseline, trend) of a symptom, as codes or states."""
    row = next(row for row in found.rows if row.short == short)
    cells = [cell.code if cell.state == "given" else cell.state for cell in (row.now, row.last, row.baseline)]
    return (*cells, row.trend)


def test_weeks_count_from_day_one_of_the_treatment(full_study: Clinic) -> None:
    with form_browser.unit_of_work(full_study.app_context) as work:
        record = read(work, full_study)
    assert str(record.origin) == "2026-03-05"
    assert [str(form.on) for form in record.of(CHECKIN)] == ["2026-03-02", "2026-03-11", "2026-03-18", "2026-04-04"]
    assert [form.baseline for form in record.of(CHECKIN)] == [True, False, False, False]
    assert record.baseline(QLQ) is record.of(QLQ)[0]


def test_scores_over_time_with_what_is_missing(full_study: Clinic) -> None:
    found = series(full_study)
    assert [round(value, 1) if value is not None else None for _on, value in found["PF"].values] == [
        80.0,
        80.0,
        None,
        66.7,
    ]
    assert [value is None for _on, value in found["SL"].values] == [False, True, True, False]
    summary = found["C30SUMMARY"]
    assert [round(value, 4) if value is not None else None for _on, value in summary.values] == [
        78.3761,
        None,  # question 11 was skipped
        None,  # day 22 was missed
        66.6667,
    ]
    physical = found["PF"].change
    assert physical is not None
    assert (round(physical.points, 1), physical.way, physical.size) == (-13.3, "worse", "medium")
    assert (found["PF"].threshold, found["PF"].important, found["QL"].important) == (83, True, None)
    assert found["FA"].change is not None
    assert (found["FA"].change.way, found["FA"].important) == ("better", False)


def test_symptoms_by_week(full_study: Clinic) -> None:
    with form_browser.unit_of_work(full_study.app_context) as work:
        heat = score_trends.read_heatmap(work, read(work, full_study), "en")
    (block,) = heat.blocks
    # Day 22 is in week 4; no form is due in week 3.
    assert [column.week for column in block.columns[:-1]] == [0, 1, 2, 4]
    assert [column.today for column in block.columns] == [False, False, False, False, True]
    odor = next(row for row in block.rows if row.item == "odor")
    cells = [cell.code if cell.state == "given" else cell.state for cell in odor.cells]
    assert cells == [0, 1, "skipped", "missed", 2]
    assert "Bleeding" in heat.quiet
    assert "Bad smell from nose or mouth" not in heat.quiet


def test_what_was_taken_back_counts_no_more(clinic: Clinic) -> None:
    here = clinic.start()
    here.save(bleed=0, breath=1)
    here.save(bleed=1, bleed_now=0)
    here.save(bleed=0)
    with form_browser.unit_of_work(clinic.app_context) as work:
        (form,) = read(work, clinic).forms
    assert "bleed_now" not in form.answers
    assert form.answers["breath"] == 1
    assert not form.sent


def test_lanes_hold_what_happened_and_nothing_planned(full_study: Clinic) -> None:
    with form_browser.unit_of_work(full_study.app_context) as work:
        record = read(work, full_study)
        found = participant_timeline.read_timeline(work, record, "en")
        spans = [TimelineSpan(record.origin, None, "Mucositis oral, grade 2")]
        with_spans = participant_timeline.read_timeline(work, record, "en", spans)
    lanes = {lane.id: lane.entries for lane in found.lanes}
    assert [(thing.kind, str(thing.on), thing.number) for thing in lanes["treatment"]] == [("dose", "2026-03-05", 1)]
    assert [thing.title for thing in lanes["dates"]] == ["Informed consent", "Induction day 1"]
    kinds = [thing.kind for thing in lanes[CHECKIN]]
    assert (kinds.count("received"), kinds[0], kinds[-1]) == (4, "received", "received")
    assert "missed" in kinds
    assert max(thing.level for thing in lanes["alerts"]) >= Level.WATCH
    assert found.spans == ()
    assert found.days[-1] == record.today
    assert len(with_spans.days) == len(found.days) + 2


def test_an_events_grades_over_time_are_a_span(any_clinic: Clinic) -> None:
    doctor, person = any_clinic.investigator, any_clinic.participant_id
    today = any_clinic.app_context.clock().date()
    first = factories.sign_grading(
        any_clinic.app_context, doctor, person, term="epistaxis", grade=1, from_on=today - timedelta(days=9)
    )
    steps = ((5, 3), (5, 2), (3, 2), (1, 4))
    for days, grade in steps:
        day = today - timedelta(days=days)
        factories.sign_grading(
            any_clinic.app_context, doctor, person, event_id=first.event_id, grade=grade, from_on=day
        )
    factories.sign_grading(any_clinic.app_context, doctor, person, none_reason="no_symptom", term="", grade=None)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        (span,) = adverse_event_log.timeline_spans(work, person, "en")
        assert adverse_event_log.timeline_spans(work, person + 1, "en") == []
    assert (span.text, span.starts, span.ends) == ("Epistaxis", today - timedelta(days=9), None)
    # The second grading of the same day corrected the first; the same grade again is no change.
    assert [((today - on).days, grade) for on, grade in span.grades] == [(9, 1), (5, 2), (1, 4)]


def test_the_sheet_says_now_last_and_baseline(full_study: Clinic) -> None:
    clock_moves = {"cough": 2, "breath": 1, "rash": 1, "blister": 1, "weak": 1}
    full_study.app_context.clock.move(days=2)  # type: ignore[attr-defined]
    ticked = ("cough", "rash", "weak")
    answers = {**QUIET, "odor": 0, "other7": ticked, **clock_moves, "weight": Decimal("57.0"), "temp": None}
    known_weeks.enter_form(
        full_study.app_context, full_study.coordinator.actor, full_study.participant_id, CHECKIN, answers
    )
    found = card(full_study)
    assert said(found, "Cough") == (2, 0, 0, "worse")
    assert said(found, "Highest temperature") == ("skipped", 0, 0, "")
    assert said(found, "Chest pain or tightness") == (0, 0, 0, "same")
    assert (found.old, found.days_old, len(found.rows)) == (False, 0, 19)
    assert [weight.kilograms for weight in found.weights] == [Decimal("57.0")]
    assert found.loss is None
    assert found.alerts[0].level == max(alert.level for alert in found.alerts)


def haemorrhage(clinic: Clinic) -> None:
    """A haemorrhage of grade 4: answered, acknowledged, graded as serious and closed as admitted."""
    clinic.start().save(bleed=3, bleed_now=1)
    clinic.acknowledge()
    alerts = clinic.rows(Alert)
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        proof = signatures.confirm_password(work, factories.PASSWORD)
        assert isinstance(proof, signatures.PasswordProof)
        said = GradingDraft(
            term="pharyngeal_hemorrhage",
            onset_date=work.now.date(),
            grade=4,
            attribution=("radiotherapy",),
            serious=True,
            awareness_time=work.now,
            action="packed",
        )
        shown = factories.shown_alerts(work, alerts[0].source)
        gradings.sign_grading(work, proof, person, said, seen=0, case_key=alerts[0].source, shown=shown)
    clinic.app_context.clock.move(minutes=3)  # type: ignore[attr-defined]
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        alert_handling.close_alerts(work, alerts[0].source, [alert.id for alert in alerts], "admitted")
    clinic.app_context.clock.move(minutes=3)  # type: ignore[attr-defined]


def test_minutes_after_a_haemorrhage_the_sheet_begins_with_it(any_clinic: Clinic) -> None:
    """It said "Open alerts: none" and had no row for bleeding."""
    haemorrhage(any_clinic)
    found = card(any_clinic)
    assert [(row.short, row.now.code) for row in found.stops][:2] == [("Bleeding", 3), ("Bleeding right now", 1)]
    (alert,) = found.alerts
    assert (alert.level, alert.outcome, alert.closed_at) == (
        Level.EMERGENCY,
        "admitted",
        any_clinic.app_context.clock() - timedelta(minutes=3),
    )
    (event,) = found.events
    assert (event.term, event.worst, event.now, event.end_date) == ("Pharyngeal hemorrhage", 4, 4, None)
    any_clinic.app_context.clock.move(days=15)  # type: ignore[attr-defined]
    later = card(any_clinic)
    assert (later.alerts, [event.worst for event in later.events]) == ((), [4])


def test_an_event_that_was_severe_and_is_mild_now_stays_with_its_dates(clinic: Clinic) -> None:
    today = clinic.app_context.clock().date()
    first = factories.sign_grading(
        clinic.app_context, clinic.investigator, clinic.participant_id, grade=4, from_on=today - timedelta(days=5)
    )
    factories.sign_grading(
        clinic.app_context, clinic.investigator, clinic.participant_id, event_id=first.event_id, grade=3, from_on=today
    )
    factories.sign_grading(
        clinic.app_context, clinic.investigator, clinic.participant_id, term="epistaxis", grade=2, from_on=today
    )
    (event,) = card(clinic).events
    assert (event.worst, event.worst_on, event.now) == (4, today - timedelta(days=5), 3)


def test_a_suspected_ulcer_and_an_open_alert_stand_on_the_sheet(clinic: Clinic) -> None:
    clinic.start().save(odor=3)
    found = card(clinic)
    assert (found.ulcer.state, found.ulcer.stops) == ("suspected", True)
    assert found.ulcer.since == clinic.app_context.clock()
    assert [alert.closed_at for alert in found.alerts] == [None]
    assert next(row for row in found.stops if row.short == "Bad smell from nose or mouth").now.code == 3


def test_a_sheet_without_news_says_so(full_study: Clinic) -> None:
    full_study.app_context.clock.move(days=10)  # type: ignore[attr-defined]
    found = card(full_study)
    assert (found.old, found.days_old) == (True, 10)


def test_weight_is_compared_with_the_baselines(clinic: Clinic) -> None:
    for kilograms in ("60.0", "59.0", "58.0", "57.0", "54.0"):
        clinic.app_context.clock.move(days=7)  # type: ignore[attr-defined]
        answers = {**QUIET, "odor": 0, "weight": Decimal(kilograms)}
        known_weeks.enter_form(clinic.app_context, clinic.coordinator.actor, clinic.participant_id, CHECKIN, answers)
    found = card(clinic)
    assert [str(weight.kilograms) for weight in found.weights] == ["60.0", "58.0", "57.0", "54.0"]
    assert found.loss == 10


def test_marks_of_known_and_stable_stand_on_it_until_they_run_out(clinic: Clinic) -> None:
    clinic.mark("known_stable", 2, "cough", days=14)
    (mark,) = card(clinic).marks
    assert (mark.short, mark.until) == ("Cough", clinic.app_context.clock() + timedelta(days=14))
    clinic.app_context.clock.move(days=15)  # type: ignore[attr-defined]
    assert card(clinic).marks == ()


def test_a_participant_who_never_answered_has_an_empty_sheet(clinic: Clinic) -> None:
    found = card(clinic)
    assert (found.now, found.last, found.baseline, found.old) == (None, None, None, True)
    assert {row.now.state for row in found.rows} == {"none"}
    assert (found.weights, found.alerts, found.marks) == ((), (), ())


def test_a_plan_without_a_sheet_has_none(clinic: Clinic) -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        plan = work.catalogue.plans[person.plan]
        assert plan.pre_dose_summary is not None
        assert plan.pre_dose_summary.items[-3:] == ("weak", "jaundice", "thirst")


def test_reading_asks_as_often_however_much_there_is(clinic: Clinic) -> None:
    def asked() -> int:
        with form_browser.unit_of_work(clinic.app_context) as work, record_queries(clinic.app_context.engine) as found:
            record = read(work, clinic)
            participant_timeline.read_timeline(work, record, "en")
            score_trends.read_heatmap(work, record, "en")
            score_trends.read_score_trends(work, record, "en")
        return len(found)

    before = asked()
    known_weeks.record_five_weeks(clinic.app_context, clinic.coordinator.actor, clinic.participant_id)
    assert asked() == before <= 9
