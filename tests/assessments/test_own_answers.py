"""Test the trend of a participant's own answers on the last page: what it shows, when, and to whom."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select

from pro.app_context import AppContext
from pro.core.questionnaire.instrument import Value
from pro.features.assessments import own_answers
from pro.models import AuditEntry, Participant
from tests.support import factories
from tests.support.factories import Clock, FormLinks, Study
from tests.support.form_browser import press_start, unit_of_work
from tests.support.participant_browser import ParticipantBrowser

HEADING = "您最近几次的回答"
# Dry mouth and sores, which raise no urgent alert.
MILD: Mapping[str, Value | None] = {"sores": 1, "other7": ("dry_mouth",), "dry_mouth": 1}
WORSE: Mapping[str, Value | None] = {"sores": 1, "other7": ("dry_mouth", "fatigue"), "dry_mouth": 2, "fatigue": 1}
Issue = Callable[[], FormLinks]


@pytest.fixture
def issue(app_context: AppContext, seeded: Study) -> Issue:
    """Return a function that issues a further check-in to the Chinese participant."""

    def new() -> FormLinks:
        with unit_of_work(app_context) as work:
            return factories.form(work, work.session.get_one(Participant, seeded.chinese.id))

    return new


@pytest.fixture
def phone(app: Flask) -> ParticipantBrowser:
    """Return a phone."""
    return ParticipantBrowser(app)


def send(phone: ParticipantBrowser, way: FormLinks, answers: Mapping[str, Value | None], by: str = "self") -> None:
    """Press Start in ``phone``, answer the check-in and send it."""
    phone.start(way, by)
    continue_and_send(phone, answers)


def continue_and_send(phone: ParticipantBrowser, answers: Mapping[str, Value | None]) -> None:
    """Answer what is left of the check-in and send it."""
    for _turn in range(60):
        value = answers.get(phone.shown, 0)
        if 'value="send"' in phone.page:
            phone.press(do="send")
            return
        if 'class="sos' in phone.page:
            phone.press(do="understood")
        elif phone.shown == "other7":
            ticked = list(value) if isinstance(value, tuple) else []
            phone.press(has=ticked, do="some" if ticked else "none")
        elif phone.shown == "last":
            phone.press(weight="", free_text="", do="next")
        elif value is None:
            phone.press(do="skip")
        else:
            phone.tap(value)
    raise AssertionError("the form has no end")


def send_elsewhere(
    app_context: AppContext, way: FormLinks, answers: Mapping[str, Value | None], answered_by: str = "self"
) -> None:
    """Answer and send the check-in from another phone."""
    press_start(app_context, way, answered_by=answered_by).finish(**answers)


def cells(page: str) -> dict[str, list[str]]:
    """Return question -> its answers from left to right, as the trend on ``page`` shows them."""
    rows = re.findall(r'<th scope="rowgroup"[^>]*>(.*?)</th></tr>\s*<tr>(.*?)</tr>', page, re.DOTALL)
    return {
        name: [
            re.sub(r"<b>.*?</b>|<svg.*?</svg>|<[^>]+>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)
        ]
        for name, row in rows
    }


def test_the_first_check_in_shows_no_trend(phone: ParticipantBrowser, seeded: Study) -> None:
    send(phone, seeded.chinese.checkin, MILD)
    assert phone.heading == "已收到，谢谢您"
    assert HEADING not in phone.page


def test_the_second_check_in_shows_own_words_of_both(
    phone: ParticipantBrowser, seeded: Study, app_context: AppContext, clock: Clock, issue: Issue
) -> None:
    send_elsewhere(app_context, seeded.chinese.checkin, MILD)
    clock.move(days=7)
    send(phone, issue(), WORSE)
    assert HEADING in phone.page
    shown = cells(phone.page)
    short = app_context.catalogue.words["npc_checkin", "zh_Hans"].items
    assert list(shown) == [short[name].short for name in ("sores", "dry_mouth", "fatigue")]
    assert shown["口干"] == ["轻", "中"]
    assert re.findall(r'<th scope="col">(.*?)</th>', phone.page) == ["3月2日", "这一次"]
    assert "其他问题，您每次都选了第一项。" in phone.page
    # Nothing judges: no level, no score, no better or worse.
    part = phone.page[
        phone.page.index('class="past"') : phone.page.index("</section>", phone.page.index('class="past"'))
    ]
    assert not re.search(r"好转|加重|改善|变差|级|分数|正常", part)
    phone.open(f"{phone.at}?lang=en")
    assert "Your recent answers" in phone.page
    assert cells(phone.page)["Dry mouth"] == ["Mild", "Moderate"]


def test_at_most_four_check_ins_and_five_questions(
    phone: ParticipantBrowser, seeded: Study, app_context: AppContext, clock: Clock, issue: Issue
) -> None:
    ticked = ("hearing", "dry_mouth", "trismus", "nausea", "appetite", "fatigue", "cough")
    many: dict[str, Value | None] = {"other7": ticked, **dict.fromkeys(ticked, 1), "cough": 2}
    send_elsewhere(app_context, seeded.chinese.checkin, {"other7": ("itch",), "itch": 1})
    for _week in range(3):
        clock.move(days=7)
        send_elsewhere(app_context, issue(), {})
    clock.move(days=7)
    send(phone, issue(), many)
    shown = cells(phone.page)
    assert len(shown) == 5
    assert {len(row) for row in shown.values()} == {4}
    assert "皮肤瘙痒" not in shown
    short = app_context.catalogue.words["npc_checkin", "zh_Hans"].items
    assert short["cough"].short in shown
    assert list(shown) == [item.short for item in short.values() if item.short in shown]
    assert "其他问题，您每次都选了第一项。" not in phone.page


def test_a_skipped_question_is_no_answer_and_never_the_first(
    phone: ParticipantBrowser, seeded: Study, app_context: AppContext, clock: Clock, issue: Issue
) -> None:
    send_elsewhere(app_context, seeded.chinese.checkin, MILD)
    clock.move(days=7)
    send(phone, issue(), {"sores": None, "other7": ("dry_mouth",), "dry_mouth": 1})
    words = app_context.catalogue.words["npc_checkin", "zh_Hans"].items["sores"]
    assert cells(phone.page)[words.short] == [words.options[1], "–没有回答"]
    assert phone.page.count("<path d=") == 3


def test_a_skipped_question_elsewhere_is_not_called_the_first(
    phone: ParticipantBrowser, seeded: Study, app_context: AppContext, clock: Clock, issue: Issue
) -> None:
    send_elsewhere(app_context, seeded.chinese.checkin, MILD)
    clock.move(days=7)
    send(phone, issue(), {**MILD, "breath": None})
    assert HEADING in phone.page
    assert "其他问题，您每次都选了第一项。" not in phone.page


def test_nothing_but_first_answers_shows_no_trend(
    phone: ParticipantBrowser, seeded: Study, app_context: AppContext, clock: Clock, issue: Issue
) -> None:
    send_elsewhere(app_context, seeded.chinese.checkin, {})
    clock.move(days=7)
    send(phone, issue(), {})
    assert phone.heading == "已收到，谢谢您"
    assert HEADING not in phone.page


@pytest.mark.parametrize(
    "urgent", [{"breath": 3}, {"breath": 2}, {"bleed": 4, "bleed_now": 1}], ids=["emergency", "urgent", "bleeding"]
)
def test_the_page_about_urgent_answers_shows_no_trend(
    phone: ParticipantBrowser,
    seeded: Study,
    app_context: AppContext,
    clock: Clock,
    issue: Issue,
    urgent: Mapping[str, Value | None],
) -> None:
    send_elsewhere(app_context, seeded.chinese.checkin, MILD)
    clock.move(days=7)
    send(phone, issue(), {**MILD, **urgent})
    assert phone.heading != "已收到，谢谢您"
    assert HEADING not in phone.page


def test_the_qlq_c30_has_no_trend(
    phone: ParticipantBrowser, seeded: Study, app_context: AppContext, clock: Clock, issue: Issue
) -> None:
    send_elsewhere(app_context, seeded.chinese.checkin, MILD)
    clock.move(days=1)
    send_elsewhere(app_context, issue(), MILD)
    phone.start(seeded.chinese.qlq)
    while 'value="send"' not in phone.page:
        phone.press(do="skip")
    phone.press(do="send")
    assert "收到" in phone.heading
    assert HEADING not in phone.page


def test_hidden_once_is_hidden_for_good_on_every_phone(
    phone: ParticipantBrowser, app: Flask, seeded: Study, app_context: AppContext, clock: Clock, issue: Issue
) -> None:
    send_elsewhere(app_context, seeded.chinese.checkin, MILD)
    clock.move(days=7)
    send(phone, issue(), MILD)
    last = phone.at
    # The second tap of a double tap is recorded once.
    for _tap in range(2):
        assert phone.post(f"{last}/trend").headers["Location"] == last
    phone.open(last)
    assert HEADING not in phone.page
    assert phone.heading == "已收到，谢谢您"
    clock.move(days=7)
    other = ParticipantBrowser(app)
    send(other, issue(), MILD)
    assert HEADING not in other.page
    with unit_of_work(app_context) as work:
        found = work.session.scalars(select(AuditEntry).where(AuditEntry.action == "participant.trend_hidden")).all()
        assert [(row.actor, row.participant_id) for row in found] == [("participant", seeded.chinese.id)]


def test_a_plan_without_the_key_shows_no_trend(
    phone: ParticipantBrowser, app: Flask, seeded: Study, app_context: AppContext, clock: Clock, issue: Issue
) -> None:
    send_elsewhere(app_context, seeded.chinese.checkin, MILD)
    clock.move(days=7)
    installed = app.extensions["app_context"]
    plans = {name: replace(plan, participant_trend=False) for name, plan in installed.catalogue.plans.items()}
    app.extensions["app_context"] = replace(installed, catalogue=replace(installed.catalogue, plans=plans))
    send(phone, issue(), MILD)
    assert phone.heading == "已收到，谢谢您"
    assert HEADING not in phone.page


# --- who may see it ------------------------------------------------------------------------------------------------


def test_a_link_or_code_opened_after_sending_shows_no_answers(
    phone: ParticipantBrowser, app: Flask, seeded: Study, app_context: AppContext, clock: Clock, issue: Issue
) -> None:
    send_elsewhere(app_context, seeded.chinese.checkin, MILD)
    clock.move(days=7)
    way = issue()
    send(phone, way, WORSE)
    assert HEADING in phone.page
    finder = ParticipantBrowser(app)
    finder.open("/")
    finder.press(code=way.code, do="next")
    assert finder.at == f"/f/{way.ref}"
    assert finder.heading == "已收到，谢谢您"
    assert HEADING not in finder.page
    finder.open(way.path)
    assert HEADING not in finder.page


def test_a_session_that_began_after_sending_reads_no_answers_even_if_start_was_pressed(
    seeded: Study, app_context: AppContext, clock: Clock
) -> None:
    way = seeded.chinese.checkin
    early = press_start(app_context, way)
    early.finish(**MILD)
    clock.move(minutes=1)
    late = press_start(app_context, way)
    for browser, may_read in ((early, True), (late, False)):
        with browser.open_session() as (work, form_session):
            assert own_answers.was_sent_by_session(work, form_session) is may_read


def test_half_an_hour_after_sending_the_answers_are_gone(
    phone: ParticipantBrowser, seeded: Study, app_context: AppContext, clock: Clock, issue: Issue
) -> None:
    send_elsewhere(app_context, seeded.chinese.checkin, MILD)
    clock.move(days=7)
    send(phone, issue(), MILD)
    clock.move(minutes=29)
    phone.open(phone.at)
    assert HEADING in phone.page
    clock.move(minutes=2)
    phone.open(phone.at)
    assert phone.heading == "已收到，谢谢您"
    assert HEADING not in phone.page


def test_a_proxy_neither_sees_the_trend_nor_is_part_of_it(
    phone: ParticipantBrowser, app: Flask, seeded: Study, app_context: AppContext, clock: Clock, issue: Issue
) -> None:
    send_elsewhere(app_context, seeded.chinese.checkin, MILD)
    clock.move(days=7)
    send_elsewhere(app_context, issue(), WORSE, answered_by="proxy")
    clock.move(days=7)
    send(phone, issue(), MILD)
    assert cells(phone.page)["口干"] == ["轻", "轻"]
    clock.move(days=7)
    proxy = ParticipantBrowser(app)
    send(proxy, issue(), MILD, by="proxy")
    assert proxy.heading == "已收到，谢谢您"
    assert HEADING not in proxy.page


def test_another_participant_s_answers_are_never_in_it(
    phone: ParticipantBrowser, seeded: Study, app_context: AppContext, clock: Clock
) -> None:
    send_elsewhere(app_context, seeded.english.checkin, MILD)
    clock.move(days=7)
    send(phone, seeded.chinese.checkin, MILD)
    assert HEADING not in phone.page


def test_without_a_session_nothing_is_hidden(app: Flask, seeded: Study, app_context: AppContext) -> None:
    stranger = ParticipantBrowser(app)
    assert stranger.post(f"/f/{seeded.chinese.checkin.ref}/trend").status_code == 403
    with unit_of_work(app_context) as work:
        assert work.session.get_one(Participant, seeded.chinese.id).trend_hidden_at is None
