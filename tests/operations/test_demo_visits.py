"""Read the visits, sent messages and figures of the demonstration from the tables alone, and compare the pages."""

from __future__ import annotations

import gzip
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from html import unescape
from statistics import median
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from app import create_app
from pro.app_context import AppContext
from pro.features.operations import demo_study
from pro.features.reports import study_overview
from tests.operations.test_demo_pages import sign_in
from tests.support.factories import Clock
from tests.support.staff_browser import StaffBrowser

ZONE = ZoneInfo("Asia/Shanghai")
LARGEST_PAGE = 30_000
TITLES = {"npc_checkin": "Symptom check-in", "qlq_c30": "QLQ-C30"}


@pytest.fixture
def tables(demo_context: AppContext) -> Iterator[sqlite3.Connection]:
    """Yield a connection to the tables, which knows nothing of the program's queries."""
    path = demo_context.config.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


@pytest.fixture
def demo_desk(demo_context: AppContext) -> StaffBrowser:
    """Return the coordinator of the demonstration at the desk, with the study's figures counted."""
    study_overview.renew_due(demo_context)
    app: Flask = create_app(demo_context.config, now=demo_context.clock)
    return sign_in(app, "coordinator")


def moment(text: str | None) -> datetime | None:
    """Return a stored time."""
    return datetime.fromisoformat(f"{text}+00:00") if text else None


def text_of(html: str) -> str:
    """Return the words of a piece of a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def matrix_of(page: str) -> tuple[list[str], dict[str, list[str]], list[str]]:
    """Return the names of the columns, participant -> words of the cells, and the last row of a page."""
    table = page.partition('<table class="mx">')[2].partition("</table>")[0]
    heads = re.findall(r'<span class="vh">([^<]+)</span></th>', table.partition("</thead>")[0].rpartition("<tr>")[2])
    rows = {}
    for row in re.findall(r"<tr>(.*?)</tr>", table.partition("<tbody>")[2].partition("</tbody>")[0], re.DOTALL):
        cells = re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)
        rows[re.findall(r"<u>([^<]+)</u>", row)[0]] = [text_of(cell) for cell in cells]
    foot = re.findall(r"<td[^>]*>(.*?)</td>", table.partition("<tfoot>")[2], re.DOTALL)
    return heads, rows, [text_of(cell) for cell in foot]


def state_of(row: sqlite3.Row, now: datetime) -> str:
    """Return the state of one expected form in words, by the rules of docs/domain.md 6."""
    opens, closes = moment(row["opens_at"]), moment(row["closes_at"])
    assert opens is not None
    assert closes is not None
    if row["received_at"]:
        if row["out_of_window"]:
            return "received out of window"
        return "partially completed, not submitted" if row["partial"] else "received in the window"
    if now < opens:
        return "not open yet"
    if now <= closes:
        today = now.astimezone(ZONE).date()
        return "closes today" if (closes - timedelta(seconds=1)).astimezone(ZONE).date() == today else "open"
    if not row["mandatory"]:
        return "optional, not answered"
    return "missed, reason recorded" if row["missing_reason"] else "missed, no reason recorded"


def test_every_cell_of_the_matrix_is_what_the_expected_forms_say(
    demo_desk: StaffBrowser, demo_context: AppContext, tables: sqlite3.Connection, clock: Clock
) -> None:
    words = demo_context.catalogue.plan_words[demo_study.PLAN, "en"]
    wanted: dict[tuple[str, str], list[str]] = defaultdict(list)
    query = (
        "SELECT expected_form.*, participant.participant_number FROM expected_form JOIN participant "
        "ON participant.id = expected_form.participant_id ORDER BY instrument, opens_at, expected_form.id"
    )
    for row in tables.execute(query):
        visit = words.visit(row["kind"], row["number"])
        wanted[row["participant_number"], visit].append(f"{TITLES[row['instrument']]} {state_of(row, clock.now)}")
    seen = Counter[str]()
    for part, people in (("course", 23), ("later", 23), ("ulcer", 1)):
        assert demo_desk.open(f"/staff/visits?lang=en&part={part}").status_code == 200
        heads, rows, _foot = matrix_of(demo_desk.page)
        # Only a participant with an ulcer has forms during one.
        assert len(rows) == people
        for number, cells in rows.items():
            for visit, cell in zip(heads, cells, strict=True):
                if (number, visit) in wanted:
                    assert cell.endswith(", ".join(wanted[number, visit])), (number, visit)
                    seen.update(wanted[number, visit])
                else:
                    assert cell in ("not open yet", "not asked any more"), (number, visit, cell)
    # Whatever a participant was ever asked to fill in has its cell.
    due = Counter(one for states in wanted.values() for one in states if not one.endswith("not open yet"))
    assert {one: number for one, number in seen.items() if one in due} == dict(due)
    assert len(due) >= 8


def test_only_cells_that_need_an_action_are_links_and_the_list_names_them(
    demo_desk: StaffBrowser, tables: sqlite3.Connection
) -> None:
    unexplained = {
        row["id"]
        for row in tables.execute(
            "SELECT id FROM expected_form WHERE missed_at IS NOT NULL AND received_at IS NULL AND mandatory "
            "AND missing_reason = ''"
        )
    }
    demo_desk.open("/staff/visits?lang=en")
    table = demo_desk.page.partition('<table class="mx">')[2].partition("</table>")[0]
    assert unexplained
    cells = [cell for cell in re.findall(r"<td[^>]*>.*?</td>", table, re.DOTALL) if "<a " in cell]
    assert cells
    assert all("missed, no reason recorded" in cell or "closes today" in cell for cell in cells)
    linked = {int(number) for number in re.findall(r"#line-(\d+)", "".join(cells))}
    # Two forms of one visit share a cell, so its link leads to the first of them.
    assert linked <= unexplained | {number for number in linked if f"line-{number}" not in unexplained}
    people = len(re.findall(r"<li><span><b>NC-", demo_desk.page))
    assert f"Needs action: {people}" in demo_desk.page


def test_the_last_row_is_the_compliance_of_each_visit(
    demo_desk: StaffBrowser, demo_context: AppContext, tables: sqlite3.Connection, clock: Clock
) -> None:
    words = demo_context.catalogue.plan_words[demo_study.PLAN, "en"]
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in tables.execute("SELECT * FROM expected_form"):
        closes = moment(row["closes_at"])
        assert closes is not None
        if not row["received_at"] and not (row["mandatory"] and closes < clock.now):
            continue
        found = sums[words.visit(row["kind"], row["number"])]
        found[0] += bool(row["received_at"]) and not row["out_of_window"]
        found[1] += 1
    demo_desk.open("/staff/visits?lang=en")
    heads, _rows, foot = matrix_of(demo_desk.page)
    compared = 0
    for visit, shown in zip(heads, foot, strict=True):
        received, expected = sums.get(visit, (0, 0))
        wanted = f"{100 * received / expected:.0f} (n = {expected})" if expected else "– none due yet"
        assert shown == wanted, visit
        compared += bool(expected)
    assert compared > 20
    total = [sum(part) for part in zip(*sums.values(), strict=True)]
    assert f"{total[0]} of {total[1]} forms received in their window" in demo_desk.page


def test_a_phase_holds_the_participants_of_its_chip(demo_desk: StaffBrowser) -> None:
    demo_desk.open("/staff/visits?lang=en")
    chips = re.findall(r'href="(/staff/visits\?phase=[^"]+)"[^>]*>[^<]+<b>(\d+)</b>', demo_desk.page)
    assert sum(int(number) for _address, number in chips) == 23
    assert len(chips) >= 5
    for address, number in chips:
        demo_desk.open(address.replace("&amp;", "&"))
        assert len(matrix_of(demo_desk.page)[1]) == int(number)


@pytest.mark.parametrize(
    "path",
    [
        "/staff/visits",
        "/staff/visits?part=later",
        "/staff/visits/forms?show=open",
        "/staff/messages",
        "/staff/study-overview",
    ],
)
def test_the_pages_are_small(demo_desk: StaffBrowser, path: str) -> None:
    for language in ("en", "zh_Hans"):
        address = f"{path}{'&' if '?' in path else '?'}lang={language}"
        answer = demo_desk.client.get(address, headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(answer.data) <= LARGEST_PAGE, (path, language, len(answer.data))
        assert b"style=" not in gzip.decompress(answer.data)


def test_sent_messages_are_all_there_and_none_shows_its_words(
    demo_desk: StaffBrowser, demo_context: AppContext, tables: sqlite3.Connection, clock: Clock
) -> None:
    since = (clock.now - timedelta(days=30)).strftime("%Y-%m-%d %H:%M:%S")
    rows = list(tables.execute("SELECT * FROM message WHERE queued_at >= ? ORDER BY id DESC", (since,)))
    demo_desk.open("/staff/messages?lang=en&days=30")
    assert f"All, 30 days<b>{len(rows)}</b>" in demo_desk.page
    failed = [row for row in rows if row["failed_at"]]
    unconfirmed = [
        row
        for row in rows
        if row["channel"] == "sms" and row["sent_at"] and not row["delivered_at"] and not row["failed_at"]
    ]
    for name, found in (("failed", failed), ("unconfirmed", unconfirmed)):
        demo_desk.open(f"/staff/messages?lang=en&days=30&show={name}")
        assert demo_desk.page.count('role="rowheader"') == min(50, len(found))
    pages, shown = -(-len(rows) // 50), 0
    for page in range(1, pages + 1):
        demo_desk.open(f"/staff/messages?lang=en&days=30&page={page}")
        shown += demo_desk.page.count('role="rowheader"')
        for row in rows:
            body = demo_context.vault.open(row["body_sealed"])
            assert body not in demo_desk.page
            assert demo_context.vault.open(row["address_sealed"]) not in demo_desk.page
    assert shown == len(rows)


def test_the_heat_map_is_the_share_of_worst_answers(
    demo_desk: StaffBrowser, demo_context: AppContext, tables: sqlite3.Connection
) -> None:
    starts: dict[int, dict[str, str]] = defaultdict(dict)
    dates = (
        'SELECT participant_id, kind, min("on") AS first FROM anchor '
        "WHERE superseded_at IS NULL AND NOT planned GROUP BY 1, 2"
    )
    for row in tables.execute(dates):
        starts[row["participant_id"]][row["kind"]] = row["first"]
    answers = (
        "SELECT a.item, a.value, f.participant_id, coalesce(f.answered_at, f.submitted_at, f.last_answer_at) AS at "
        "FROM answer a JOIN assessment f ON f.id = a.assessment_id "
        "WHERE f.instrument = 'npc_checkin' AND a.state = 'given' "
        "AND a.id = (SELECT max(id) FROM answer WHERE assessment_id = a.assessment_id AND item = a.item)"
    )
    worst: dict[tuple[str, int], dict[int, int]] = defaultdict(dict)
    for row in tables.execute(answers):
        if row["item"] not in ("sores", "dry_mouth", "fatigue", "swallow"):
            continue
        at = moment(row["at"])
        assert at is not None
        known = starts[row["participant_id"]]
        end = min((known[kind] for kind in ("rt_end", "early_stop") if kind in known), default="")
        on = at.astimezone(ZONE).date()
        if "rt_fraction" not in known or str(on) < known["rt_fraction"] or (end and str(on) > end):
            continue
        week = (on - datetime.fromisoformat(known["rt_fraction"]).date()).days // 7 + 1
        found = worst[row["item"], week]
        found[row["participant_id"]] = max(found.get(row["participant_id"], 0), int(row["value"]))
    demo_desk.open("/staff/study-overview?lang=en")
    table = demo_desk.page.partition('<table class="heat">')[2].partition("</table>")[0]
    heads = [text_of(head) for head in re.findall(r"<th scope=\"col\">(.*?)</th>", table, re.DOTALL)]
    short = demo_context.catalogue.words["npc_checkin", "en"].items
    compared = 0
    for item in ("sores", "dry_mouth", "fatigue", "swallow"):
        row = table.partition(f'<th scope="row">{short[item].short}</th>')[2].partition("</tr>")[0]
        cells = [text_of(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)]
        # The first cell is the one before treatment, whose head spans two rows.
        by_head = dict(zip(heads, cells[1:], strict=True))
        for week in range(1, 7):
            values = list(worst[item, week].values())
            shown = (
                f"{100 * sum(value >= 2 for value in values) / len(values):.0f}"
                if len(values) > 2
                else "– fewer than 3 answers"
            )
            assert by_head[f"Radiotherapy {week}"] == shown, (item, week)
            compared += len(values) > 2
    assert compared >= 20


def test_the_medians_are_those_of_the_scores(
    demo_desk: StaffBrowser, demo_context: AppContext, tables: sqlite3.Connection
) -> None:
    query = (
        "SELECT e.kind, e.number, s.value FROM expected_form e JOIN score s ON s.assessment_id = e.assessment_id "
        "WHERE s.scale = 'FA' AND e.received_at IS NOT NULL AND NOT e.out_of_window AND s.value IS NOT NULL "
        "AND s.id = (SELECT max(id) FROM score WHERE assessment_id = s.assessment_id AND scale = s.scale)"
    )
    values: dict[str, list[float]] = defaultdict(list)
    words = demo_context.catalogue.plan_words[demo_study.PLAN, "en"]
    for row in tables.execute(query):
        values[words.visit(row["kind"], row["number"])].append(row["value"])
    demo_desk.open("/staff/study-overview?lang=en")
    label = re.search(r'aria-label="Fatigue: ([^"]+)"', demo_desk.page)
    assert label is not None
    shown = re.findall(r"(?:^|, )(.+?) (\d+ \(n = \d+\)|–)(?=,|$)", label[1])
    assert len(shown) >= 6
    for visit, figures in shown:
        found = values[visit]
        assert figures == (f"{median(found):.0f} (n = {len(found)})" if len(found) > 2 else "–"), visit
