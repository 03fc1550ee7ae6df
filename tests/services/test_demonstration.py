"""The demonstration study: on the real machinery, and never in production."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from pro.errors import NotAllowed
from pro.models import Alert, Assessment, Message, Participant
from pro.services import access, demonstration, staffing, todo
from tests import browser


def test_the_study_is_filled_and_tells_its_story(any_house):
    with browser.working(any_house) as work:
        assert not demonstration.is_filled(work)
        demonstration.fill(work)
    with browser.working(any_house) as work:
        assert demonstration.is_filled(work)
        assert len(list(work.session.scalars(select(Participant)))) == 3
        rules = {alert.rule for alert in work.session.scalars(select(Alert))}
        assert "UL3" in rules
        board = todo.board(work)
        assert [case.study_number for case in board.unacknowledged] == ["NC-003"]
        assert not board.duty_gap
        assert {message.template for message in work.session.scalars(select(Message))} == {"alert"}
        sent = [form for form in work.session.scalars(select(Assessment)) if form.submitted_at]
        assert len(sent) == 2


def test_the_links_and_the_account_work(house):
    with browser.working(house) as work:
        demonstration.fill(work)
    with browser.working(house) as work:
        links = demonstration.links(work)
    with browser.working(house) as work:
        for link, language in ((links.chinese, "zh_Hans"), (links.english, "en")):
            form, person = access.open_link(work, link.rpartition("/")[2])
            assert (person.language, form.instrument, form.submitted_at) == (language, "npc_checkin", None)
        assert staffing.sign_in(work, links.email, links.password, "127.0.0.1").why == ""
        assert links.staff_url == f"{house.config.base_url}/staff/"


def test_there_is_always_a_form_to_show(house):
    with browser.working(house) as work:
        demonstration.fill(work)
        for form in work.session.scalars(select(Assessment)):
            form.submitted_at = form.submitted_at or work.now
    with browser.working(house) as work:
        assert demonstration.links(work).chinese


def test_never_in_production(house):
    production = replace(house, config=replace(house.config, production=True))
    with browser.working(production) as work:
        for act in (demonstration.fill, demonstration.links):
            with pytest.raises(NotAllowed):
                act(work)
        assert not demonstration.is_filled(work)
