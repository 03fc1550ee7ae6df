"""Test the demonstration study: made by the real services, and never in production."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from pro.errors import NotAllowed
from pro.features.accounts import staff_accounts
from pro.features.adverse_events import adverse_event_log
from pro.features.assessments import paper_forms
from pro.features.forms import form_access
from pro.features.operations import demo_study
from pro.features.schedule import expected_forms, schedule_service
from pro.features.text_messages import reminders
from pro.features.to_do_list import to_do_list
from pro.features.ulcers import ulcer_cases
from pro.models import Alert, Assessment, Message, Participant
from tests.support import form_browser


def test_the_study_is_filled_and_tells_its_story(any_app_context):
    with form_browser.unit_of_work(any_app_context) as work:
        assert not demo_study.is_filled(work)
        demo_study.fill_demo_study(work)
    with form_browser.unit_of_work(any_app_context) as work:
        assert demo_study.is_filled(work)
        assert len(list(work.session.scalars(select(Participant)))) == 5
        rules = {alert.rule for alert in work.session.scalars(select(Alert))}
        assert "UL3" in rules
        assert not any(rule.startswith("M") for rule in rules)
        to_do = to_do_list.read_to_do_list(work)
        assert [case.study_number for case in to_do.unacknowledged] == ["NC-003"]
        assert [case.study_number for case in to_do.in_progress] == ["NC-005"]
        assert [event.study_number for event in adverse_event_log.read_unreported_events(work, "en")] == ["NC-005"]
        assert to_do.corrections == 1
        (ulcer,) = [
            case for case in ulcer_cases.read_overview(work, work.catalogue.plans[demo_study.PLAN]).cases if case.grade
        ]
        assert (ulcer.study_number, ulcer.state, ulcer.grade) == ("NC-005", "confirmed", 3)
        assert {message.template for message in work.session.scalars(select(Message))} == {"alert"}


@pytest.mark.parametrize("day", [0, 5])
def test_on_whatever_day_it_is_started_the_calendar_is_at_work(app_context, clock, day):
    clock.move(days=day)
    with form_browser.unit_of_work(app_context) as work:
        demo_study.fill_demo_study(work)
    reminders.run_due_participants(app_context)
    with form_browser.unit_of_work(app_context) as work:
        to_do = to_do_list.read_to_do_list(work)
        assert all(gap.starts > to_do.now for gap in to_do.gaps)
        assert len(to_do.gaps) == 1
        assert [task.study_number for task in to_do.tasks] == ["NC-004"]
        assert {missed.study_number for missed in to_do.awaited.unexplained} == {"NC-004"}
        assert [paper.study_number for paper in paper_forms.unverified_paper_forms(work, "en")] == ["NC-001"]
        people = {person.study_number: person for person in work.session.scalars(select(Participant))}
        lines = {name: expected_forms.read_expected_forms(work, person, "en") for name, person in people.items()}
        said = {name: {line.status for line in found} for name, found in lines.items()}
        assert all("missed" not in said[name] and "received" in said[name] for name in ("NC-001", "NC-002", "NC-003"))
        assert "served_elsewhere" in said["NC-002"]
        assert len(schedule_service.read_days(work, people["NC-002"])["rt_fraction"]) == 28
        assert {line.expected.basis for line in lines["NC-002"]} == {"actual", "projected"}


def test_the_links_and_the_account_work(app_context):
    with form_browser.unit_of_work(app_context) as work:
        demo_study.fill_demo_study(work)
    with form_browser.unit_of_work(app_context) as work:
        links = demo_study.make_demo_links(work)
    with form_browser.unit_of_work(app_context) as work:
        for link, language in ((links.chinese, "zh_Hans"), (links.english, "en")):
            form, person = form_access.open_link(work, link.rpartition("/")[2])
            assert (person.language, form.instrument, form.submitted_at) == (language, "npc_checkin", None)
        assert staff_accounts.sign_in(work, links.email, links.password, "127.0.0.1").why == ""
        assert links.staff_url == f"{app_context.config.base_url}/staff/"


def test_there_is_always_a_form_to_show(app_context):
    with form_browser.unit_of_work(app_context) as work:
        demo_study.fill_demo_study(work)
        for form in work.session.scalars(select(Assessment)):
            form.submitted_at = form.submitted_at or work.now
    with form_browser.unit_of_work(app_context) as work:
        assert demo_study.make_demo_links(work).chinese


def test_never_in_production(app_context):
    production = replace(app_context, config=replace(app_context.config, production=True))
    with form_browser.unit_of_work(production) as work:
        for act in (demo_study.fill_demo_study, demo_study.make_demo_links):
            with pytest.raises(NotAllowed):
                act(work)
        assert not demo_study.is_filled(work)
