"""Whoever wants no further use of their data is in no figure of answers and no trial of rules; safety stays whole."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.features.participants import consent_ledger
from pro.features.reports import cohort_report, rule_simulation
from pro.features.schedule import enrolment
from pro.features.ulcers import ulcer_board
from pro.models import Participant
from tests.reports.test_cohort_report import line, scored
from tests.support import factories, form_browser
from tests.support.alert_ward import Ward
from tests.support.factories import PLAN, Account, Study
from tests.support.staff_browser import Desk, at_desk

FILE = Path(__file__).resolve().parents[2] / "pro" / "data" / "plans" / f"{PLAN}.yaml"


def try_rules(desk: Desk) -> str:
    """The page after the plan's own file was tried."""
    desk.open("/staff/simulator")
    return desk.post("/staff/simulator", file=(io.BytesIO(FILE.read_bytes()), "plan.yaml")).get_data(as_text=True)


def withdraws(house: AppContext, by: Account, person: int, scope: str) -> None:
    with form_browser.working(house, by.actor) as work:
        enrolment.withdraw_consent(work, work.session.get_one(Participant, person), scope=scope, told="care goes on")


@pytest.mark.parametrize(("scope", "left_out", "values"), [("data", 1, []), ("questions", 0, [62.0])])
def test_scores_visits_and_simulations_leave_them_out(any_ward: Ward, scope: str, left_out: int, values: list[float]):
    house, person = any_ward.house, any_ward.participant_id
    plan = house.catalogue.plans[PLAN]
    line(house, person, served_at=house.clock(), nearest=True, assessment_id=scored(house, person, 62.0))
    any_ward.start().finish(faint=2)
    withdraws(house, any_ward.coordinator, person, scope)
    with form_browser.working(house) as work:
        figures = cohort_report.count(work, plan)
    assert (figures.enrolled, figures.left_out) == (1, left_out)
    assert {point.spread.median for point in figures.points if point.spread} == set(values)
    assert bool(sum(row.received for row in figures.visits)) is bool(values)
    # What was an emergency stays one.
    assert sum(figures.loud) > 0
    run = rule_simulation.replay(house, plan, plan)
    assert (run.left_out, run.difference.forms > 0) == (left_out, bool(values))


def test_an_ulcer_of_theirs_counts_on(ward: Ward):
    factories.judged(ward.house, ward.investigator, ward.participant_id)
    withdraws(ward.house, ward.coordinator, ward.participant_id, "data")
    with form_browser.working(ward.house) as work:
        board = ulcer_board.board(work, work.catalogue.plans[PLAN])
    assert board.reading is not None
    assert board.reading.unknown == 1


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "1 participant is left out who withdrew"), ("zh_Hans", "有1名参与者已退出并要求不再使用其数据")],
)
def test_the_pages_and_the_command_say_how_many(
    app: Flask, house: AppContext, seeded: Study, language: str, sentence: str
) -> None:
    withdraws(house, seeded.staff["coordinator"], seeded.chinese.id, "data")
    cohort_report.renew_due(house)
    desk = at_desk(app, seeded.staff["coordinator"])
    desk.open(f"/staff/cohort?lang={language}")
    assert sentence in desk.page
    assert sentence in try_rules(desk)
    for more, shown in (([], "1 participants are left out"), (["--json"], '"left_out": 1')):
        done = app.test_cli_runner().invoke(args=["simulate", str(FILE), *more])
        assert shown in done.output
    assert json.loads(done.output)["forms"] == 0


@pytest.mark.parametrize(("language", "offered"), [("en", "Record how far it goes"), ("zh_Hans", "登记退出范围")])
def test_whoever_left_by_a_date_can_ask_for_it_on_the_page_of_consent(
    app: Flask, house: AppContext, seeded: Study, language: str, offered: str
) -> None:
    person = seeded.chinese.id
    with form_browser.working(house, seeded.staff["coordinator"].actor) as work:
        enrolment.withdraw(work, work.session.get_one(Participant, person), "told the nurse")
    desk = at_desk(app, seeded.staff["coordinator"])
    path = f"/staff/participants/{person}/consent"
    desk.open(f"{path}?lang={language}")
    assert offered in desk.page
    assert 'value="sign"' not in desk.page
    assert desk.post(path, do="withdraw", scope="data", told="care goes on").status_code == 303
    desk.open(path)
    assert offered not in desk.page
    with form_browser.working(house) as work:
        assert consent_ledger.no_further_use(work, PLAN) == [person]
