"""Test the timeline and the pre-dose summary: drawings, tables, access, one page of A4."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pypdfium2
import pytest
from flask import Flask
from sqlalchemy import insert

from pro.app_context import AppContext
from pro.core.figures import plot_geometry
from pro.core.figures.timeline_span import TimelineSpan
from pro.features.accounts.staff_accounts import has_right
from pro.features.participants import clinical_facts
from pro.features.reports import answer_history, participant_timeline, score_trends
from pro.features.reports.pages import timeline_drawing
from pro.models import Alert, Participant
from tests.support import factories, form_browser, known_weeks
from tests.support.factories import Clock, Study
from tests.support.query_count import record_queries
from tests.support.staff_browser import StaffBrowser, signed_in_browser


@pytest.fixture
def path(seeded: Study) -> str:
    """Return the address of the Chinese participant's timeline."""
    return f"/staff/participants/{seeded.chinese.id}/timeline"


@pytest.fixture
def full_study(app_context: AppContext, seeded: Study) -> Study:
    """Return the study after five weeks."""
    known_weeks.record_five_weeks(app_context, seeded.staff["coordinator"].actor, seeded.chinese.id)
    return seeded


@pytest.fixture
def desk(app: Flask, full_study: Study) -> StaffBrowser:
    """Return the coordinator's browser, signed in, in English."""
    return signed_in_browser(app, full_study.staff["coordinator"])


def table(page: str, name: str) -> list[list[str]]:
    """Return the cells of the table of this class, without markup."""
    found = re.search(rf'<table class="{name}">.*?</table>', page, re.DOTALL)
    assert found is not None
    rows = re.findall(r"<tr>(.*?)</tr>", found[0], re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in row] for row in cells]


def test_the_drawing_holds_the_points_of_the_scores(
    desk: StaffBrowser, app_context: AppContext, full_study: Study, path: str
) -> None:
    desk.open(path)
    with form_browser.unit_of_work(app_context) as work:
        record = answer_history.read_history(work, work.session.get_one(Participant, full_study.chinese.id), "en")
        (scores,) = score_trends.read_score_trends(work, record, "en")
    for series in scores.series:
        drawn = plot_geometry.trend_plot(series.values, series.baseline, series.threshold, series.good)
        for points in drawn.lines:
            assert f'<polyline class="ln" points="{points}"/>' in desk.page
    # PF: 80, 80 and, after a missed form, 66.7: the line is interrupted at the gap.
    assert 'points="32.0,24.0 ' in desk.page
    assert "worse by 13" in desk.page
    assert "Physical functioning: baseline 80, last 67, missing 1 time. Threshold 83, clinically important" in re.sub(
        r"\s+", " ", desk.page
    ).replace(" , ", ", ").replace(" . ", ". ")


def test_the_table_of_scores_holds_every_number_and_how_many_items(desk: StaffBrowser, path: str) -> None:
    desk.open(path)
    head, *rows = table(desk.page, "all")
    assert head[:4] == ["Date", "Visit", "C30SUMMARY", "QL"]
    at = {scale: head.index(scale) for scale in ("C30SUMMARY", "PF", "SL")}
    newest, missed, skipped, baseline = rows
    assert [newest[at[scale]] for scale in at] == ["66.7 (13/13)", "66.7 (5/5)", "33.3 (1/1)"]
    assert missed[2:] == ["missed"]
    assert [skipped[at[scale]] for scale in at] == ["missing (12/13)", "80 (5/5)", "missing (0/1)"]
    assert baseline[0] == "2 Mar 2026"
    assert baseline[1].endswith("baseline")
    assert baseline[at["C30SUMMARY"]] == "78.4 (13/13)"


def test_the_heat_map_never_shows_what_is_missing_as_nothing(desk: StaffBrowser, path: str) -> None:
    desk.open(path)
    head, *rows = table(desk.page, "heat")
    assert head[1:] == ["baseline", "wk 1", "wk 2", "wk 4", "today"]
    odor = next(row for row in rows if row[0] == "Bad smell from nose or mouth")
    assert odor[1:] == ["0", "1", "skip", "miss", "2"]


def test_the_timeline_and_its_table_tell_the_same(desk: StaffBrowser, path: str) -> None:
    desk.open(path)
    days = dict(table(desk.page, "facts-by-day")[1:])
    assert days["5 Mar 2026"] == "Anti-PD-1 dose, no. 1; Induction day 1"
    for words in ("Anti-PD-1 dose, no. 1", "Induction day 1", "Informed consent"):
        assert f"<title>{words}</title>" in desk.page
    drawn = desk.page.count('<path class="ba" d="M') - 1  # one stands in the legend
    assert drawn == 3
    assert desk.page.count('class="base"') >= 1


def test_events_that_last_are_a_lane_of_their_own(app: Flask, app_context: AppContext, full_study: Study) -> None:
    with form_browser.unit_of_work(app_context) as work:
        record = answer_history.read_history(work, work.session.get_one(Participant, full_study.chinese.id), "en")
        spans = [
            TimelineSpan(record.origin, record.today, "Mucositis oral, grade 2"),
            TimelineSpan(record.today, None, "Fatigue"),
        ]
        found = participant_timeline.read_timeline(work, record, "en", spans)
        without = participant_timeline.read_timeline(work, record, "en")
    with app.test_request_context("/staff/?lang=en"):
        drawing, plain = timeline_drawing.draw_timeline(found), timeline_drawing.draw_timeline(without)
    # They overlap, so each has its own row; only the first of them is labelled.
    (first,), (second,) = (row.shapes for row in drawing.rows[-2:])
    assert [row.title for row in drawing.rows[len(plain.rows) :]] == ["Adverse events", ""]
    assert (first.x, first.label) == (drawing.axis.x(record.origin), "Mucositis oral, grade 2")
    assert first.x + first.width >= drawing.now
    assert (second.x, second.label, second.words) == (drawing.now, "", ("Fatigue",))
    days = dict(drawing.days)
    assert "Mucositis oral, grade 2: begins" in days[record.origin]
    assert "Mucositis oral, grade 2: ends" in days[record.today]


@pytest.mark.parametrize(
    ("language", "began", "later", "title"),
    [
        ("en", "Mucositis oral, grade 2: begins", "Mucositis oral, grade 3", "Adverse events and their grades"),
        ("zh_Hans", "口腔黏膜炎，2级：开始", "口腔黏膜炎，3级", "不良事件及分级"),
    ],
)
def test_an_events_grades_over_time_are_drawn_and_stand_in_both_tables(
    app: Flask,
    app_context: AppContext,
    full_study: Study,
    path: str,
    clock: Clock,
    language: str,
    began: str,
    later: str,
    title: str,
) -> None:
    doctor, person = full_study.staff["investigator"], full_study.chinese.id
    today = clock.now.date()
    grades = ((14, 2), (4, 3))
    event_id = None
    for days, grade in grades:
        said: dict[str, Any] = {"term": "mucositis_oral"} if event_id is None else {"event_id": event_id}
        day = today - timedelta(days=days)
        event_id = factories.sign_grading(app_context, doctor, person, from_on=day, grade=grade, **said).event_id
    desk = signed_in_browser(app, full_study.staff["coordinator"])
    desk.open(f"{path}?lang={language}")
    assert re.search(rf'<rect class="bl" [^>]*><title>{later.replace("3", "2")}<', desk.page)
    assert re.search(rf'<rect class="bl deep" [^>]*><title>{later}<', desk.page)
    cells = [words for _day, words in table(desk.page, "facts-by-day")[1:]]
    assert any(began in words for words in cells)
    assert any(later in words.split("；" if language == "zh_Hans" else "; ") for words in cells)
    assert title in desk.page
    (line,) = table(desk.page, "graded")[1:]
    assert re.findall(r"\b[23]\b(?= from|\s*自)", line[1]) == ["2", "3"]
    assert f'href="/staff/adverse-events/{event_id}"' in desk.page


def test_nothing_is_styled_by_attribute_and_nothing_is_fetched(desk: StaffBrowser, path: str) -> None:
    answer = desk.open(path)
    assert not re.search(r"\sstyle=", desk.page)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"(src|href)=\"https?:", desk.page)


@pytest.mark.parametrize("role", ["monitor", "statistician", "nurse", "investigator"])
def test_roles_with_access_to_answers_see_it_without_identities(
    app: Flask, full_study: Study, path: str, role: str
) -> None:
    desk = signed_in_browser(app, full_study.staff[role])
    assert desk.open(path).status_code == 200
    # The header has the phone, for those who call and for no other role.
    assert (full_study.chinese.phone in desk.page) == has_right(role, "see_identity")
    assert ("138 0013" in desk.page) == has_right(role, "see_identity")


def test_the_administrator_sees_neither(app: Flask, full_study: Study, path: str) -> None:
    desk = signed_in_browser(app, full_study.staff["administrator"])
    assert desk.open(path).status_code == 403
    assert desk.open(path.replace("timeline", "pre-dose.pdf")).status_code == 403


def test_a_participant_without_anything_has_a_page_that_says_so(app: Flask, seeded: Study, path: str) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    assert desk.open(path).status_code == 200
    assert "No check-in has been answered or missed yet." in desk.page
    assert desk.open(path.replace(str(seeded.chinese.id), "999")).status_code == 404


def test_the_page_asks_as_often_however_long_the_course_is(
    app: Flask, app_context: AppContext, seeded: Study, clock: Clock, path: str
) -> None:
    def asked() -> int:
        desk = signed_in_browser(app, seeded.staff["coordinator"])
        with record_queries(app_context.engine) as found:
            desk.open(path)
        return len(found)

    before = asked()
    known_weeks.record_five_weeks(app_context, seeded.staff["coordinator"].actor, seeded.chinese.id)
    assert asked() == before <= 16


def longest(app_context: AppContext, study: Study) -> None:
    """Return the largest possible summary: longest answers, marks, alerts, weights."""
    actor = study.staff["coordinator"].actor
    instrument = app_context.catalogue.instruments["npc_checkin"]
    words = app_context.catalogue.words["npc_checkin", "en"].items
    plan = next(iter(app_context.catalogue.plans.values()))
    assert plan.pre_dose_summary is not None
    said: dict[str, Any] = {}
    for name, item in instrument.items.items():
        if item.kind == "choice" and name != "selfharm":
            said[name] = max((code for code in item.codes if code), key=lambda code: len(words[name].options[code]))
    said = {"bleed": 1, **said, "other7": instrument.items["other7"].lists}
    clock = app_context.clock
    assert isinstance(clock, Clock)
    for kilograms in (80, 70, 60, 50):
        clock.move(days=8)
        known_weeks.enter_form(app_context, actor, study.chinese.id, "npc_checkin", {**said, "weight": kilograms})
    clock.move(days=9)
    with form_browser.unit_of_work(app_context, actor) as work:
        for name in plan.pre_dose_summary.items:
            clinical_facts.set_fact(work, study.chinese.id, "known_stable", said[name], item=name)
        rules = sorted(plan.rules, key=lambda rule: len(app_context.catalogue.plan_words[plan.id, "en"].rules[rule.id]))
        clinical_facts.suspect_ulcer(work, study.chinese.id, "UL1")
        for number, rule in enumerate(rules[-12:]):
            row = {"participant_id": study.chinese.id, "source": f"text:{number}", "rule": rule.id, "level": 3}
            row |= {"suspects": "", "basis": "E", "plan_version": "1", "inputs": {}, "unresolved": []}
            work.session.execute(insert(Alert).values(**row, raised_at=work.now))

    for term in (
        "alt_increased",
        "glossopharyngeal_nerve",
        "toxic_epidermal_necrolysis",
        "pharyngeal_hemorrhage",
        "colitis",
    ):
        factories.sign_grading(app_context, study.staff["investigator"], study.chinese.id, term=term, grade=4)


@pytest.mark.parametrize(("language", "title"), [("en", "Pre-dose summary"), ("zh_Hans", "给药前摘要")])
def test_the_longest_sheet_is_one_page_of_a4(
    app: Flask, app_context: AppContext, full_study: Study, path: str, language: str, title: str
) -> None:
    longest(app_context, full_study)
    desk = signed_in_browser(app, full_study.staff["coordinator"])
    answer = desk.client.get(f"{path.replace('timeline', 'pre-dose.pdf')}?lang={language}")
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.headers["Cache-Control"] == "no-store"
    document = pypdfium2.PdfDocument(io.BytesIO(answer.data))
    assert len(document) == 1
    page = document[0]
    assert [round(side / 72 * 25.4) for side in page.get_size()] == [210, 297]
    text = page.get_textpage().get_text_range()
    for words in (
        title,
        full_study.chinese.participant_number,
        *(["→", "Signature", "SUSPECTED"] if language == "en" else ["不变", "签名", "疑似"]),
    ):
        assert words in text, words
    assert full_study.chinese.phone.removeprefix("+86") not in text
    # The footer with the signature line is drawn; the margin is not.
    image = page.render(scale=1).to_pil().convert("L")
    drawn = image.point(lambda value: 255 if value < 128 else 0).getbbox()
    assert drawn is not None
    assert drawn[3] < image.size[1] - 20


def test_that_it_was_drawn_is_recorded(app: Flask, app_context: AppContext, full_study: Study, path: str) -> None:
    desk = signed_in_browser(app, full_study.staff["monitor"])
    assert desk.open(path).status_code == 200
    answer = desk.client.get(path.replace("timeline", "pre-dose.pdf"))
    assert answer.status_code == 200
    with form_browser.unit_of_work(app_context) as work:
        actions = [
            row[0] for row in work.session.connection().exec_driver_sql("select action from audit_entry order by id")
        ]
    assert actions[-2:] == ["participant.seen", "participant.pre_dose_drawn"]


def test_a_study_without_a_sheet_offers_none(app: Flask, app_context: AppContext, full_study: Study, path: str) -> None:
    plans = {name: replace(plan, pre_dose_summary=None) for name, plan in app_context.catalogue.plans.items()}
    app.extensions["app_context"] = replace(
        app_context, catalogue=replace(app_context.catalogue, plans=MappingProxyType(plans))
    )
    desk = signed_in_browser(app, full_study.staff["coordinator"])
    desk.open(path)
    assert "pre-dose.pdf" not in desk.page
    assert desk.open(path.replace("timeline", "pre-dose.pdf")).status_code == 404


@pytest.mark.parametrize(
    ("language", "words"), [("en", "The summary could not be created"), ("zh_Hans", "摘要未能生成")]
)
def test_a_sheet_that_cannot_be_drawn_is_said_on_the_course_itself(
    app: Flask,
    full_study: Study,
    path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    words: str,
) -> None:
    """Check a renderer that starts but whose library does not load."""
    (tmp_path / "weasyprint.py").write_text("raise OSError(\"cannot load library 'libpango-1.0-0'\")")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    desk = signed_in_browser(app, full_study.staff["coordinator"])
    answer = desk.open(f"{path.replace('timeline', 'pre-dose.pdf')}?lang={language}")
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert words in desk.page
    assert "libpango" not in desk.page
    # The page is the timeline, with everything that the summary would show.
    assert full_study.chinese.participant_number in desk.page
    assert "<svg" in desk.page
    with app.extensions["app_context"].engine.connect() as connection:
        actions = {row[0] for row in connection.exec_driver_sql("select action from audit_entry")}
    assert "participant.pre_dose_drawn" not in actions
