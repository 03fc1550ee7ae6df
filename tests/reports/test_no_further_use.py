"""Test that answers refused for further use are in no figures; safety data stay complete."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.features.participants import consent_records
from pro.features.reports import rule_simulator, study_overview
from pro.features.schedule import enrolment
from pro.features.ulcers import ulcer_cases
from pro.models import Participant
from tests.reports.test_study_overview import line, scored
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import PLAN, Account, Study
from tests.support.staff_browser import StaffBrowser, signed_in_browser

FILE = Path(__file__).resolve().parents[2] / "pro" / "data" / "plans" / f"{PLAN}.yaml"


def try_rules(desk: StaffBrowser) -> str:
    """Return the page after the plan's own file was simulated."""
    desk.open("/staff/simulator")
    return desk.post("/staff/simulator", file=(io.BytesIO(FILE.read_bytes()), "plan.yaml")).get_data(as_text=True)


def withdraws(app_context: AppContext, by: Account, person: int, scope: str) -> None:
    with form_browser.unit_of_work(app_context, by.actor) as work:
        enrolment.withdraw_consent(work, work.session.get_one(Participant, person), scope=scope, told="care goes on")


@pytest.mark.parametrize(("scope", "left_out", "values"), [("data", 1, []), ("questions", 0, [62.0])])
def test_scores_visits_and_simulations_leave_them_out(
    any_clinic: Clinic, scope: str, left_out: int, values: list[float]
):
    app_context, person = any_clinic.app_context, any_clinic.participant_id
    plan = app_context.catalogue.plans[PLAN]
    line(
        app_context,
        person,
        received_at=app_context.clock(),
        nearest=True,
        assessment_id=scored(app_context, person, 62.0),
    )
    any_clinic.start().finish(faint=2)
    withdraws(app_context, any_clinic.coordinator, person, scope)
    with form_browser.unit_of_work(app_context) as work:
        figures = study_overview.count_figures(work, plan)
    assert (figures.enrolled, figures.left_out) == (1, left_out)
    assert {point.spread.median for point in figures.points if point.spread} == set(values)
    assert bool(sum(row.received for row in figures.visits)) is bool(values)
    # An emergency stays an emergency.
    assert sum(figures.loud) > 0
    run = rule_simulator.replay_stored_forms(app_context, plan, plan)
    assert (run.left_out, run.difference.forms > 0) == (left_out, bool(values))


def test_an_ulcer_of_theirs_counts_on(clinic: Clinic):
    factories.sign_grading(clinic.app_context, clinic.investigator, clinic.participant_id)
    withdraws(clinic.app_context, clinic.coordinator, clinic.participant_id, "data")
    with form_browser.unit_of_work(clinic.app_context) as work:
        overview = ulcer_cases.read_overview(work, work.catalogue.plans[PLAN])
    assert overview.reading is not None
    assert overview.reading.unknown == 1


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "1 withdrawn participant who refused further use"), ("zh_Hans", "1名受试者已退出并要求不再使用其数据")],
)
def test_the_pages_and_the_command_say_how_many(
    app: Flask, app_context: AppContext, seeded: Study, language: str, sentence: str
) -> None:
    withdraws(app_context, seeded.staff["coordinator"], seeded.chinese.id, "data")
    study_overview.renew_due(app_context)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(f"/staff/study-overview?lang={language}")
    assert sentence in desk.page
    assert sentence in try_rules(desk)
    for more, shown in (([], "1 participants are left out"), (["--json"], '"left_out": 1')):
        done = app.test_cli_runner().invoke(args=["simulate", str(FILE), *more])
        assert shown in done.output
    assert json.loads(done.output)["forms"] == 0


@pytest.mark.parametrize(
    ("language", "offered"), [("en", "Record the extent of the withdrawal"), ("zh_Hans", "登记退出范围")]
)
def test_a_withdrawn_participant_can_refuse_further_use_on_the_consent_page(
    app: Flask, app_context: AppContext, seeded: Study, language: str, offered: str
) -> None:
    person = seeded.chinese.id
    with form_browser.unit_of_work(app_context, seeded.staff["coordinator"].actor) as work:
        enrolment.withdraw_participant(work, work.session.get_one(Participant, person), "told the nurse")
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    path = f"/staff/participants/{person}/consent"
    desk.open(f"{path}?lang={language}")
    assert offered in desk.page
    assert 'value="sign"' not in desk.page
    assert desk.post(path, do="withdraw", scope="data", told="care goes on").status_code == 303
    desk.open(path)
    assert offered not in desk.page
    with form_browser.unit_of_work(app_context) as work:
        assert consent_records.no_further_use(work, PLAN) == [person]
