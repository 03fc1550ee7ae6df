"""The board through a filter: what is asked for and nothing else, and the counts are those of the lists."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from pro.core.rule_language.level import Level
from pro.features.dashboard import dashboard, dashboard_filter
from pro.features.dashboard.dashboard_filter import Narrow
from pro.features.schedule import overdue_forms
from pro.features.text_messages import incoming_texts
from pro.features.text_messages.failed_messages import Failed
from pro.models import Assessment, Message
from tests.support import factories, form_browser
from tests.support.alert_ward import Ward


def board(ward: Ward, narrow: Narrow, who: factories.Account | None = None) -> dashboard.Board:
    with form_browser.working(ward.house, (who or ward.nurse).actor) as work:
        return dashboard_filter.narrowed(work, dashboard.board(work, "en"), narrow, "en")


def numbers(found: dashboard.Board) -> tuple[list[str], list[str]]:
    return [case.study_number for case in found.unacknowledged], [case.study_number for case in found.in_hand]


@pytest.fixture
def busy(any_ward: Ward) -> Ward:
    """NPC-001: an emergency that the nurse took on; NPC-002: urgent, NPC-003: an emergency, nobody has them."""
    any_ward.start().save(bleed=4)
    any_ward.acknowledge()
    for number, answers in (("NPC-002", {"bleed": 2}), ("NPC-003", {"bleed": 4})):
        with form_browser.working(any_ward.house, any_ward.coordinator.actor) as work:
            way = factories.form(work, factories.participant(work, number, phone=""))
        any_ward.start(way).save(**answers)
    return any_ward


@pytest.mark.parametrize(
    ("narrow", "unacknowledged", "in_hand"),
    [
        (Narrow(), ["NPC-003", "NPC-002"], ["NPC-001"]),
        (Narrow(level=Level.EMERGENCY), ["NPC-003"], ["NPC-001"]),
        (Narrow(level=Level.URGENT), ["NPC-002"], []),
        (Narrow(level=Level.WATCH), [], []),
        (Narrow(owner="me"), [], ["NPC-001"]),
        (Narrow(owner="nobody"), ["NPC-003", "NPC-002"], []),
        (Narrow(owner="others"), [], []),
        (Narrow(level=Level.EMERGENCY, owner="nobody"), ["NPC-003"], []),
        (Narrow(study="npc_reirradiation"), ["NPC-003", "NPC-002"], ["NPC-001"]),
        (Narrow(study="another"), [], []),
    ],
)
def test_alerts_by_study_level_and_owner(busy, narrow, unacknowledged, in_hand):
    assert numbers(board(busy, narrow)) == (unacknowledged, in_hand)


def test_what_somebody_else_holds_is_mine_for_them_only(busy):
    assert numbers(board(busy, Narrow(owner="others"), busy.coordinator))[1] == ["NPC-001"]
    assert numbers(board(busy, Narrow(owner="me"), busy.coordinator))[1] == []


def test_rows_without_a_level_or_an_owner(busy):
    everything = board(busy, Narrow()).awaited.forms
    assert everything
    assert board(busy, Narrow(owner="nobody")).awaited.forms == everything
    assert board(busy, Narrow(owner="me")).awaited.forms == []
    assert board(busy, Narrow(level=Level.URGENT)).awaited.forms == []
    assert board(busy, Narrow(study="another")).awaited.forms == []


def test_a_mail_to_staff_that_failed_belongs_to_every_study(busy):
    with form_browser.working(busy.house) as work:
        first, *others = work.session.query(Message).order_by(Message.id)
        first.failed_at = busy.house.clock()
        first.alert_id = first.participant_id = None
        others[0].failed_at = busy.house.clock()
    assert board(busy, Narrow()).failed.number == 2
    assert [row.id for row in board(busy, Narrow(study="another")).failed.messages] == [first.id]
    assert board(busy, Narrow(study="another")).failed.number == 1
    assert board(busy, Narrow(study="npc_reirradiation")).failed.number == 2
    assert board(busy, Narrow(level=Level.URGENT)).failed == Failed([], 0)


@pytest.mark.parametrize(("hours", "today"), [(1, True), (15, True), (16, False), (39, False)])
def test_what_closes_today_closes_where_the_participant_lives(ward, clock, hours, today):
    """It is nine in the morning in Shanghai: midnight, the end of the day, is fifteen hours away."""
    with form_browser.working(ward.house) as work:
        for form in work.session.scalars(select(Assessment)):
            form.closes_at = clock.now + timedelta(hours=hours)
        assert {form.today for form in overdue_forms.due_forms(work, "en")} == {today}


@pytest.mark.parametrize("narrow", [Narrow(level=Level.WATCH), Narrow(level=Level.URGENT), Narrow(owner="me")])
def test_a_loud_text_of_an_unknown_number_is_never_left_out(any_ward, narrow):
    with form_browser.working(any_ward.house) as work:
        incoming_texts.receive(work, provider_id="SM1", address="+8613900139000", text="鼻子大出血，止不住")
    (loud,) = board(any_ward, narrow).texts.unmatched
    assert loud.text.level == Level.EMERGENCY
