"""Test the pages of the study overview and the rule simulator."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.features.reports import study_overview
from tests.architecture.test_routes import everything
from tests.reports.test_study_overview import counted, line, scored
from tests.support import form_browser
from tests.support.factories import PLAN, Clock, Study
from tests.support.staff_browser import StaffBrowser, signed_in_browser

PAGE, SIMULATOR = "/staff/study-overview", "/staff/simulator"
TEXT = (Path(__file__).resolve().parents[2] / "pro" / "data" / "plans" / f"{PLAN}.yaml").read_text(encoding="utf-8")
FAINT = 'advice: general, when: "faint == 2"'


def filled(app_context: AppContext, study: Study, clock: Clock) -> None:
    """Return a study with a received form, a missed form and an emergency, a month later."""
    line(
        app_context,
        study.chinese.id,
        received_at=clock.now,
        nearest=True,
        assessment_id=scored(app_context, study.chinese.id, 62.0),
    )
    line(app_context, study.english.id, missing_reason="forgot")
    form_browser.press_start(app_context, study.chinese.checkin).finish(faint=2)
    clock.move(days=30)
    study_overview.renew_due(app_context)


def sent(desk: StaffBrowser, text: str | bytes, **more: str) -> int:
    """Upload a file with ``text``; return the status of the response."""
    desk.open(SIMULATOR)
    content = text.encode() if isinstance(text, str) else text
    return desk.post(SIMULATOR, file=(io.BytesIO(content), "plan.yaml"), **more).status_code


@pytest.mark.parametrize("role", ["coordinator", "investigator", "nurse", "monitor", "statistician"])
def test_every_reader_sees_the_study_and_no_participant(
    app: Flask, app_context: AppContext, seeded: Study, clock: Clock, role: str
) -> None:
    filled(app_context, seeded, clock)
    desk = signed_in_browser(app, seeded.staff[role])
    assert desk.open(f"{PAGE}?lang=en").status_code == 200
    assert "2 enrolled" in desk.page
    row = re.search(r'Before treatment <span class="s">QLQ-C30</span></th>(.*?)</tr>', desk.page, re.DOTALL)
    figures = re.findall(r'<td role="cell" class="r"[^>]*>(?:<b>)?([\d%]+)', row[1] if row else "")
    assert figures == ["2", "1", "1", "0", "1", "50%"]
    assert "Forgot 1" in desk.page
    assert "NPC-0" not in desk.page
    assert 'style="' not in desk.page
    assert ("/staff/simulator" in desk.page) == (role in ("coordinator", "investigator"))


def test_before_anything_was_counted_the_page_says_what_to_do(app: Flask, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["monitor"])
    desk.open(f"{PAGE}?lang=en")
    assert "The figures are being calculated for the first time" in desk.page


def test_old_figures_say_so(app: Flask, app_context: AppContext, seeded: Study, clock: Clock) -> None:
    study_overview.renew_due(app_context)
    clock.move(minutes=45)
    desk = signed_in_browser(app, seeded.staff["monitor"])
    desk.open(f"{PAGE}?lang=en")
    assert "These figures are outdated" in desk.page


def test_the_page_asks_the_same_number_of_queries_whatever_it_shows(
    app: Flask, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    study_overview.renew_due(app_context)
    desk.open(PAGE)
    with counted(app.extensions["app_context"].engine) as before:
        desk.open(PAGE)
    filled(app_context, seeded, clock)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(PAGE)
    with counted(app.extensions["app_context"].engine) as after:
        desk.open(PAGE)
    assert len(before) == len(after) <= 4


def test_changed_rules_are_tried_and_what_would_be_lost_is_red(
    app: Flask, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    filled(app_context, seeded, clock)
    desk = signed_in_browser(app, seeded.staff["investigator"])
    desk.open(f"{SIMULATOR}?lang=en")
    before = everything(app_context)
    assert sent(desk, TEXT.replace(FAINT, FAINT.replace("2", "2 and chest == 3")), weeks="0") == 200
    assert '<p class="gap">1 form would no longer be rated an emergency.' in desk.page
    assert "NPC-001" in desk.page
    after = everything(app_context)
    assert {name for name in after if after[name] != before[name]} <= {"staff_session"}


def test_the_rules_in_use_change_nothing(app: Flask, app_context: AppContext, seeded: Study, clock: Clock) -> None:
    filled(app_context, seeded, clock)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(f"{SIMULATOR}?lang=en")
    assert sent(desk, TEXT, weeks="0") == 200
    assert "No changes" in desk.page
    assert sent(desk, TEXT, source="generated") == 200
    assert "No changes" in desk.page
    assert '<b class="big num">500</b>' in desk.page


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Choose a plan file first"),
        (b"\xff\xfe\x00\x01", "not a text file"),
        ("a: [", "not valid YAML"),
        (TEXT.replace("faint == 2", "feint == 2"), "rule E05"),
        ("<script>alert(1)</script>: 1", "Field required"),
    ],
)
def test_what_is_no_plan_gets_a_sentence(app: Flask, seeded: Study, text: str | bytes, sentence: str) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(f"{SIMULATOR}?lang=en")
    assert sent(desk, text, weeks="26") == 400
    assert sentence in desk.page
    assert '<option value="26" selected>' in desk.page


def test_a_nurse_may_not_try_rules(app: Flask, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["nurse"])
    assert desk.open(SIMULATOR).status_code == 403
