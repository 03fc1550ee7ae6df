"""Test the simulator's page with invalid plan files, in the reader's language."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.features.reports import rule_simulator
from tests.support import form_browser
from tests.support.factories import PLAN, Study
from tests.support.staff_browser import StaffBrowser, signed_in_browser

SIMULATOR = "/staff/simulator"
TEXT = (Path(__file__).resolve().parents[2] / "pro" / "data" / "plans" / f"{PLAN}.yaml").read_text(encoding="utf-8")
FAINT = '"faint == 2"'
FILE = f"{PLAN}.yaml"
DETAIL = re.compile(r'<p class="kept">(.*?)</p>', re.DOTALL)


def changed(old: str, new: str) -> str:
    """Return the study's plan file with one text replaced."""
    assert old in TEXT
    return TEXT.replace(old, new, 1)


@pytest.fixture
def desk(app: Flask, seeded: Study) -> StaffBrowser:
    return signed_in_browser(app, seeded.staff["investigator"])


def said(desk: StaffBrowser, language: str, text: str) -> str:
    """Return the errors of ``text`` that the page in ``language`` shows, as HTML."""
    desk.open(f"{SIMULATOR}?lang={language}")
    token = re.search(r'name="csrf_token" value="([^"]+)"', desk.page)
    assert token
    sent = {"csrf_token": token[1], "file": (io.BytesIO(text.encode()), "plan.yaml")}
    answer = desk.client.post(SIMULATOR, data=sent)
    assert answer.status_code == 400
    # Not the browser's own page: there, escaped text looks like markup.
    found = DETAIL.search(answer.get_data(as_text=True))
    assert found
    return found[1]


def line(what: str) -> int:
    """Return the first line of the plan file that contains ``what``."""
    return TEXT[: TEXT.index(what)].count("\n") + 1


BROKEN = [
    # YAML syntax.
    ("a: [", "line 2, column 1: This is not valid YAML: did not find expected node content.",
     "第2行第1个字符：YAML格式有误：这里缺少内容，或括号不配对。"),
    ("a:\n\tb: 1", "line 2, column 1: This is not valid YAML: found character that cannot start any token.",
     "第2行第1个字符：YAML格式有误：此处不能以该字符开头；请用空格缩进（不用Tab），特殊符号请加引号。"),
    (TEXT + "\nversion: 2\n", "This is not valid YAML: 'version' appears twice.", "YAML格式有误：'version'重复。"),
    ("a: &x 1\nb: *x", "line 2, column 4: This is not valid YAML: an alias, or more than 40 levels of nesting.",
     "第2行第4个字符：YAML格式有误：使用了别名（*），或嵌套超过40层。"),
    # The structure of the file.
    ("no plan", "Input should be a valid dictionary or instance of PlanFile.",
     "须写成“id: E01”的形式，每行一项（PlanFile）。"),
    (changed("previous_days: 21\n", ""), "previous_days: Field required.", "previous_days：缺少该项。"),
    (changed("facts:", "colour: red\nfacts:"), f"colour (line {line('facts: [')}): Extra inputs are not permitted.",
     f"colour（第{line('facts: [')}行）：此处不允许有该项，请核对名称和位置。"),
    (changed("previous_days: 21", "previous_days: 0"),
     f"previous_days (line {line('previous_days')}): Input should be greater than 0.",
     f"previous_days（第{line('previous_days')}行）：必须大于0。"),
    (changed("previous_days: 21", "previous_days: soon"),
     "Input should be a valid integer, unable to parse string as an integer.",
     "须为整数，不能含文字或小数。"),
    (changed('opens: "8:00"', 'opens: "8 Uhr"'),
     "String should match pattern '^(?:[0-9]|1[0-9]|2[0-3]):[0-5][0-9]$' (a time of day, for example 8:00",
     "格式不符，应匹配“^(?:[0-9]|1[0-9]|2[0-3]):[0-5][0-9]$”（时刻，例如8:00或17:30）。"),
    (changed("id: E01, level: emergency", "id: E01, level: red"),
     f"rules.0.level (line {line('id: E01')}): Input should be 'watch', 'urgent' or 'emergency'.",
     f"rules.0.level（第{line('id: E01')}行）：只能是'watch'、'urgent'或'emergency'。"),
    (changed("previous_days: 21\nrecent_hours: 48", ""), "Field required. (1 more like this.)",
     "缺少该项。（另有1处类似问题。）"),
    (changed("  hotline_shown: 0791-0000 0000\n", ""),
     f"settings.hotline_shown (line {line('settings:')}): Field required.",
     f"settings.hotline_shown（第{line('settings:')}行）：缺少该项。"),
    (changed("number: 28", "number: -1"), "Input should be greater than or equal to 0.", "不能小于0。"),
    # Rules and their conditions.
    (changed(FAINT, '"feint == 2"'),
     "rule E05, column 1: “feint” is not a known item, fact or sub-expression; did you mean “faint”?.",
     "规则E05，条件的第1个字符：没有名为“feint”的题目、事实或子条件（是否想写“faint”？）。"),
    (changed(FAINT, '"faint == 7"'), "rule E05, column 10: faint has no code 7; its codes are 0, 1, 2.",
     "规则E05，条件的第10个字符：faint没有编码7；可用编码：0、1、2。"),
    (changed(FAINT, '"faint == 2，or chest == 3"'), "this is not a condition (invalid character '，' (U+FF0C)).",
     "条件里不能用字符'，' (U+FF0C)；符号请用英文半角。"),
    (changed(FAINT, '"faint = 2"'), "this is not a condition (invalid syntax).", "条件写法不对（语法有误，请检查"),
    (changed(FAINT, '"rise(faint) >= 9"'), "the rise of faint ranges from -2 to 2; 9 is not possible.",
     "faint的升高值的范围是-2到2，不能是9。"),
    (changed(FAINT, '"idle(3)"'), "idle() is allowed only in M rules.", "idle()只能用在M类规则中。"),
    (changed("advice: general, when: " + FAINT, "when: " + FAINT),
     "rule E05: An emergency rule must name the advice shown to the participant.",
     "规则E05：危急（emergency）规则须用advice指明向受试者显示的急救提示。"),
    (changed("id: npc_reirradiation", "id: other"), "id: The file name is npc_reirradiation.yaml but the id",
     "id：文件名是npc_reirradiation.yaml，里面的id却是“other”，两者要一致。"),
    (changed("facts: [pd1,", "facts: [pd1, tea,"), "facts: “tea” is not a known fact;",
     "facts：没有“tea”这个事实（facts），可以写的有："),
    # Other sections.
    (changed("holidays: CN", "holidays: QQ"), "visit_schedule.holidays: No holidays are known for “QQ”;",
     "visit_schedule.holidays：没有“QQ”的节假日，请写国家代码，例如CN。"),
    (changed("reminders_hours: [0, 4]", "reminders_hours: [0, 24]"),
     "visit ulcer_daily: The reminder after 24 hours would be sent after npc_checkin has closed.",
     "访视ulcer_daily：24小时后的提醒发出时，npc_checkin已截止。"),
    (changed("ulcers: 3, of_first: 10", "ulcers: 11, of_first: 10"),
     "stopping_rule.steps pause_study: This condition cannot be reached: 11 of the first 10, out of 23 in total.",
     "stopping_rule.steps的pause_study：该条件不可能达到：前10例中11例，而总数为23例。"),
    (changed("{bleed: 4, bleed_now: 1}", "{bleed: 7}"),
     "test_alert.answers.bleed: 7 is not a possible answer to bleed.",
     "test_alert.answers.bleed：bleed没有编码为7的选项。"),
    ("x" * (rule_simulator.MAX_FILE_LENGTH + 1), "a plan file has at most 200000.",
     "这个文件有200001个字符，方案文件最多200000个。"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "english", "chinese"), BROKEN)
def test_what_does_not_fit_is_said_in_the_readers_language(
    desk: StaffBrowser, text: str, english: str, chinese: str
) -> None:
    in_english, in_chinese = (said(desk, language, text) for language in ("en", "zh_Hans"))
    assert english in html.unescape(in_english)
    assert chinese in html.unescape(in_chinese)
    assert "<span" not in in_english + in_chinese


def test_what_only_a_parser_says_is_marked_as_english(desk: StaffBrowser) -> None:
    shown = html.unescape(said(desk, "zh_Hans", 'a: "\\xZZ"'))
    assert shown == (
        f'{FILE}：第1行第7个字符：YAML格式有误：<span lang="en">did not find expected hexdecimal number</span>。'
    )


def test_nothing_in_the_file_becomes_markup(desk: StaffBrowser) -> None:
    for language in ("en", "zh_Hans"):
        shown = said(desk, language, changed("facts: [pd1,", "facts: [pd1, <b>tea</b>,"))
        assert "<b>" not in shown
        assert "&lt;b&gt;tea" in shown
        assert "%(x)s" in said(desk, language, changed("facts: [pd1,", "facts: [pd1, '%(x)s',"))


def test_the_file_of_the_rules_in_use_is_there_to_be_changed(desk: StaffBrowser) -> None:
    desk.open(f"{SIMULATOR}?lang=en")
    (path,) = re.findall(r'href="([^"]+plan\.yaml[^"]*)"', desk.page)
    answer = desk.open(path)
    assert answer.get_data(as_text=True) == TEXT
    assert FILE in answer.headers["Content-Disposition"]


def run(desk: StaffBrowser, text: str) -> str:
    """Run the stored forms by the plan file ``text``; return the page in English."""
    desk.open(f"{SIMULATOR}?lang=en")
    token = re.search(r'name="csrf_token" value="([^"]+)"', desk.page)
    assert token
    sent = {"csrf_token": token[1], "weeks": "0", "file": (io.BytesIO(text.encode()), "plan.yaml")}
    answer = desk.client.post(SIMULATOR, data=sent)
    assert answer.status_code == 200
    return html.unescape(answer.get_data(as_text=True))


@pytest.fixture
def answered(app_context: AppContext, seeded: Study) -> Study:
    form_browser.press_start(app_context, seeded.chinese.checkin).finish(sores=3, sores_int=3)
    form_browser.press_start(app_context, seeded.english.checkin, language="en").finish(faint=2, bleed=4)
    return seeded


def part(page: str, name: str) -> str:
    """Return one list of forms."""
    return page.partition(f'id="{name}"')[2].partition("</section>")[0]


def test_the_page_shows_only_the_changed_verdicts_and_says_first_that_no_emergency_was_lost(
    answered: Study, desk: StaffBrowser
) -> None:
    page = run(desk, changed("sores >= 3 or sores_int >= 3", "sores >= 4 and sores_int >= 4"))
    safe = "No emergency rule and no ulcer rule fires less often or at a lower level."
    assert safe in page
    assert page.index(safe) < page.index('<ul class="counts">')
    assert "NPC-001" in part(page, "changed")
    assert "NPC-002" not in part(page, "changed")
    assert "U09 no longer fires" in part(page, "changed")
    assert {"NPC-001", "NPC-002"} <= set(re.findall(r"NPC-\d+", part(page, "all")))
    assert 'class="card forms other" id="all"' in page, "hidden until its address is chosen"
    assert 'class="card forms" id="changed"' in page
    for name in ("changed", "lower", "all"):
        assert f'href="#{name}"' in page
    assert 'href="#higher"' not in page, "no chip for nothing"


def test_a_quieter_emergency_rule_is_never_called_safe(answered: Study, desk: StaffBrowser) -> None:
    page = run(desk, changed(FAINT, '"faint == 2 and chest == 3"'))
    assert "No emergency rule and no ulcer rule" not in page
    assert "Emergency or ulcer rules that fire less often or at a lower level: E05." in page
    assert "keeps its emergency" in page


def test_without_a_form_nothing_is_called_safe(desk: StaffBrowser) -> None:
    page = run(desk, TEXT)
    assert "No form was answered in this period" in page
    assert "No emergency rule and no ulcer rule" not in page
    assert '<ul class="counts">' not in page
