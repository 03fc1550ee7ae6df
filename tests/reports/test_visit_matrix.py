"""Test the visit matrix: states, order, filters, and a study of 1,000 participants."""

from __future__ import annotations

import re
import time
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, insert, select, update

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.reports import study_overview, visit_matrix
from pro.features.reports.visit_matrix import MatrixFilter, MatrixRow, VisitMatrix
from pro.models import Anchor, ClinicalFact, ExpectedForm, Participant
from tests.support import form_browser
from tests.support.factories import PLAN, Clock, Study, participant
from tests.support.query_count import record_queries
from tests.support.staff_browser import StaffBrowser, signed_in_browser

PAGE = "/staff/visits"
DAY = timedelta(days=1)
LARGEST_PAGE = 30_000


def read(app_context: AppContext, **chosen: object) -> VisitMatrix:
    """Return one page of the matrix."""
    with form_browser.unit_of_work(app_context) as work:
        plan = app_context.catalogue.plans[PLAN]
        found = visit_matrix.read_matrix(work, plan, MatrixFilter(**chosen), None)  # type: ignore[arg-type]
        assert found is not None
        return found


def row_of(matrix: VisitMatrix, number: str) -> MatrixRow:
    """Return the row of a participant."""
    return next(row for row in matrix.rows if row.participant_number == number)


def states(matrix: VisitMatrix, number: str) -> dict[str, str]:
    """Return visit -> states of its forms, or of its empty cell, for one participant."""
    cells = zip(matrix.columns, row_of(matrix, number).cells, strict=True)
    return {
        f"{column.kind}.{column.number}": "+".join(mark.state for mark in cell.marks) or cell.state
        for column, cell in cells
    }


def put(app_context: AppContext, person: int, kind: str, number: int, opens: int, closes: int, **values: object) -> int:
    """Add an expected check-in whose window is these days from now; return its id."""
    now = app_context.clock()
    with transaction(app_context.engine) as session:
        row = ExpectedForm(
            participant_id=person,
            visit=f"{kind}.{number}" if number else kind,
            kind=kind,
            number=number,
            instrument="npc_checkin",
            opens_at=now + opens * DAY,
            due_at=now + closes * DAY,
            closes_at=now + closes * DAY,
            mandatory=values.pop("mandatory", True),
            basis="actual",
            rank=9,
            known_at=now,
            **values,
        )
        session.add(row)
        session.flush()
        return row.id


@pytest.fixture
def person(app_context: AppContext, seeded: Study) -> int:
    """Return a participant without any expected form."""
    with form_browser.unit_of_work(app_context, seeded.staff["coordinator"].actor) as work:
        number = participant(work, "NPC-050", phone="").id
    with transaction(app_context.engine) as session:
        for row in session.scalars(select(ExpectedForm).where(ExpectedForm.participant_id == number)):
            session.delete(row)
    return number


def test_every_state_has_its_cell(app_context: AppContext, person: int, clock: Clock) -> None:
    now = clock.now
    put(app_context, person, "baseline", 0, -40, -30, received_at=now, nearest=True)
    put(app_context, person, "induction_week", 1, -30, -28, received_at=now, out_of_window=True)
    put(app_context, person, "induction_week", 2, -28, -26, received_at=now, partial=True)
    put(app_context, person, "induction_week", 3, -26, -24, missed_at=now, missing_reason="forgot")
    gap = put(app_context, person, "before_rt", 0, -24, -20, missed_at=now)
    put(app_context, person, "rt_midweek", 18, -20, -19, missed_at=now, mandatory=False)
    today = put(app_context, person, "rt_week", 20, -1, 0)
    with transaction(app_context.engine) as session:
        session.get_one(ExpectedForm, today).closes_at = now + timedelta(hours=2)
    put(app_context, person, "rt_week", 25, -1, 3)
    put(app_context, person, "rt_end", 0, 5, 9)
    matrix = read(app_context)
    found = states(matrix, "NPC-050")
    assert found["baseline.0"] == "on_time"
    assert found["induction_week.1"] == "late"
    assert found["induction_week.2"] == "partial"
    assert found["induction_week.3"] == "missed"
    assert found["before_rt.0"] == "unexplained"
    assert found["rt_midweek.18"] == "optional"
    assert found["rt_week.20"] == "today"
    assert found["rt_week.25"] == "open"
    assert found["rt_end.0"] == "not_yet"
    # Between visits that the participant has, and after the last one.
    assert found["rt_week.5"] == found["rt_week.28"] == "not_asked"
    assert found["month_3.0"] == "not_yet"
    needing = [cell.needing.expected_form_id for cell in row_of(matrix, "NPC-050").cells if cell.needing]
    assert needing == [gap, today]
    assert [(one.expected_form_id, one.state) for one in matrix.to_do if one.participant_id == person] == [
        (today, "today"),
        (gap, "unexplained"),
    ]


def test_a_participant_who_left_is_not_asked_any_more(app_context: AppContext, person: int, clock: Clock) -> None:
    put(app_context, person, "baseline", 0, -40, -30, received_at=clock.now, nearest=True)
    with transaction(app_context.engine) as session:
        session.get_one(Participant, person).withdrawn_at = clock.now
    matrix = read(app_context)
    found = states(matrix, "NPC-050")
    assert found.pop("baseline.0") == "on_time"
    assert set(found.values()) == {"not_asked"}
    assert row_of(matrix, "NPC-050").group == "left"
    assert matrix.phases["left"] == 1


def test_the_phase_is_the_last_one_that_took_place(app_context: AppContext, person: int, clock: Clock) -> None:
    def record(kind: str, number: int, days: int, *, planned: bool = False) -> None:
        with transaction(app_context.engine) as session:
            on = (clock.now + days * DAY).date()
            session.add(
                Anchor(participant_id=person, kind=kind, number=number, on=on, planned=planned, recorded_at=clock.now)
            )

    def phase() -> tuple[str, str, int]:
        row = row_of(read(app_context), "NPC-050")
        assert row.phase is not None
        return row.group, row.phase.name, row.phase.number

    with transaction(app_context.engine) as session:
        for row in session.scalars(select(Anchor).where(Anchor.participant_id == person)):
            row.superseded_at = clock.now
    assert phase() == ("before", "", 0)
    record("induction_day1", 0, -30)
    record("rt_fraction", 1, 3, planned=True)
    assert phase() == ("induction", "induction", 0)
    record("rt_fraction", 2, -3)
    record("rt_fraction", 12, -1)
    assert phase() == ("radiotherapy", "radiotherapy", 12)
    with transaction(app_context.engine) as session:
        session.add(ClinicalFact(participant_id=person, name="ulcer_status", value="suspected", recorded_at=clock.now))
    assert phase() == ("ulcer", "radiotherapy", 12)
    assert [row.participant_number for row in read(app_context, phase="ulcer").rows] == ["NPC-050"]
    with transaction(app_context.engine) as session:
        session.add(ClinicalFact(participant_id=person, name="ulcer_status", value="none", recorded_at=clock.now))
    assert phase() == ("radiotherapy", "radiotherapy", 12)


FRACTIONS = [("induction_day1", 0, -100), *(("rt_fraction", n, n - 60) for n in range(1, 29))]
EARLY = [("induction_day1", 0, -100), ("early_stop", 0, -70)]


@pytest.mark.parametrize(
    ("dates", "group", "words"),
    [
        (FRACTIONS, "after_radiotherapy", "After radiotherapy, day 32"),
        (FRACTIONS[:11], "radiotherapy", "Radiotherapy, fraction 10 of 28"),
        ([*EARLY, *FRACTIONS[1:11]], "radiotherapy", "Radiotherapy, fraction 10 of 28"),
        ([*FRACTIONS[:11], ("last_dose", 0, -90)], "radiotherapy", "Radiotherapy, fraction 10 of 28"),
        (EARLY, "discontinued", "Early discontinuation of treatment, day 70"),
    ],
)
def test_the_matrix_says_the_phase_of_all_other_pages(
    app: Flask,
    app_context: AppContext,
    seeded: Study,
    person: int,
    clock: Clock,
    dates: list[tuple[str, int, int]],
    group: str,
    words: str,
) -> None:
    with transaction(app_context.engine) as session:
        for row in session.scalars(select(Anchor).where(Anchor.participant_id == person)):
            row.superseded_at = clock.now
        for kind, number, days in dates:
            on = (clock.now + days * DAY).date()
            session.add(Anchor(participant_id=person, kind=kind, number=number, on=on, recorded_at=clock.now))
    matrix = read(app_context)
    assert row_of(matrix, "NPC-050").group == group
    assert matrix.phases[group] == 1
    assert sum(matrix.phases.values()) == matrix.people
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    for address in (f"{PAGE}?lang=en&phase={group}", "/staff/participants?lang=en&find=NPC-050"):
        assert desk.open(address).status_code == 200
        assert words in desk.page
        assert "NPC-050" in desk.page


def test_a_part_of_the_schedule_without_forms_shows_the_course(
    app: Flask, app_context: AppContext, seeded: Study, person: int
) -> None:
    matrix = read(app_context, part="ulcer")
    assert matrix.chosen.part == "course"
    assert matrix.people == read(app_context).people == len(matrix.rows)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(f"{PAGE}?lang=en&part=ulcer")
    assert "No participants enrolled yet." not in desk.page
    assert "NPC-050" in desk.page
    # Planned, and not open yet: there is no column for it.
    put(app_context, person, "ulcer_daily", 2, 1, 1)
    assert read(app_context, part="ulcer").chosen.part == "course"
    put(app_context, person, "ulcer_daily", 1, -1, 1)
    matrix = read(app_context, part="ulcer")
    assert [row.participant_number for row in matrix.rows] == ["NPC-050"]
    assert {column.part for column in matrix.columns} == {"ulcer"}
    # Another filter without a match leaves the part as it was chosen.
    matrix = read(app_context, part="ulcer", find="zzz")
    assert (matrix.chosen.part, matrix.people, matrix.number) == ("ulcer", 1, 0)


def test_the_filter_stands_in_the_address_and_in_words(app: Flask, app_context: AppContext, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(f"{PAGE}?lang=en&find=npc-001&form=qlq_c30")
    assert re.findall(r"<u>([^<]+)</u>", desk.page) == ["NPC-001"]
    assert '<details class="fold" open>' in desk.page
    assert "Filter: npc-001, QLQ-C30, Treatment, up to month 6" in desk.page
    # The other language keeps the filter.
    assert re.search(r'href="/staff/visits\?[^"]*find=npc-001[^"]*lang=zh_Hans', desk.page)
    table = desk.page.partition('<table class="mx">')[2]
    assert "Symptom check-in" not in table
    desk.open(f"{PAGE}?lang=en&find=zzz")
    assert "No participant matches the filter." in desk.page
    assert desk.open(f"{PAGE}?lang=en&phase=x&part=x&state=x&order=x&page=x&form=x&plan=x").status_code == 200


@pytest.mark.parametrize("role", ["coordinator", "monitor", "statistician"])
def test_the_page_without_stored_figures_has_no_percentages(app: Flask, seeded: Study, role: str) -> None:
    desk = signed_in_browser(app, seeded.staff[role])
    assert desk.open(f"{PAGE}?lang=en").status_code == 200
    foot = desk.page.partition("<tfoot>")[2].partition("</tfoot>")[0]
    assert "none due yet" in foot
    assert not re.search(r">\d+<", foot)


@pytest.fixture
def large_study(app_context: AppContext, seeded: Study, clock: Clock) -> int:
    """Copy one participant with a full course until the study has 1,000; return the number of expected forms."""
    with form_browser.unit_of_work(app_context, seeded.staff["coordinator"].actor) as work:
        model = participant(work, "M-0001", phone="").id
    with transaction(app_context.engine) as session:
        for row in session.scalars(select(ExpectedForm).where(ExpectedForm.participant_id == model)):
            session.delete(row)
    from pro.core.schedule.visit_columns import list_columns

    calendar = app_context.catalogue.plans[PLAN].visit_schedule
    assert calendar is not None
    columns = [column for column in list_columns(calendar) if column.part == "course" and column.fixed]
    now = clock.now
    with transaction(app_context.engine) as session:
        person = session.get_one(Participant, model)
        shared = {
            column.key: getattr(person, column.key)
            for column in Participant.__mapper__.column_attrs
            if column.key not in ("id", "participant_number", "next_due_at")
        }
        people = [{**shared, "participant_number": f"M-{n:04}"} for n in range(2, 1001)]
        session.execute(insert(Participant), people)
        ids = list(session.scalars(select(Participant.id).where(Participant.participant_number.like("M-%"))))
        forms = []
        for place, number in enumerate(ids):
            for step, column in enumerate(columns):
                opens = now + (step * 7 - 140 - place % 50) * DAY
                over = opens + 4 * DAY < now
                missed = over and (place + step) % 9 == 0
                forms.append(
                    {
                        "participant_id": number,
                        "visit": f"{column.kind}.{column.number}",
                        "kind": column.kind,
                        "number": column.number,
                        "instrument": ("npc_checkin", "qlq_c30")[step % 5 == 0],
                        "opens_at": opens,
                        "due_at": opens + 4 * DAY,
                        "closes_at": opens + 4 * DAY,
                        "mandatory": True,
                        "basis": "actual",
                        "rank": 9,
                        "known_at": opens,
                        "received_at": opens if over and not missed else None,
                        "nearest": over and not missed,
                        "out_of_window": step % 7 == 0,
                        "missed_at": now if missed else None,
                        "missing_reason": "forgot" if missed and place % 20 else "",
                    }
                )
        session.execute(insert(ExpectedForm), forms)
        return len(forms)


def test_a_thousand_participants_are_small_fast_and_cost_as_many_statements_as_two(
    app: Flask, app_context: AppContext, seeded: Study, large_study: int
) -> None:
    assert large_study > 25_000
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    study_overview.renew_due(app_context)
    desk.open(f"{PAGE}?lang=en")
    sizes, times, asked = [], [], []
    for address in (PAGE, f"{PAGE}?page=20", f"{PAGE}?order=number", f"{PAGE}?find=NPC-00", f"{PAGE}?state=needs"):
        with record_queries(desk.app.extensions["app_context"].engine) as statements:
            began = time.process_time()
            answer = desk.client.get(address, headers={"Accept-Encoding": "gzip"})
            times.append(time.process_time() - began)
        assert answer.status_code == 200
        sizes.append(len(answer.data))
        asked.append(len(statements))
    assert max(sizes) <= LARGEST_PAGE, sizes
    # CPU time, as other programs share the machine.
    assert max(times) < 1.5, times
    assert len(set(asked)) == 1, asked
    assert asked[0] <= 12


def test_at_a_thousand_the_urgent_come_first_and_every_page_has_fifty(
    app_context: AppContext, seeded: Study, large_study: int
) -> None:
    first = read(app_context)
    assert (first.people, first.number, first.pages, len(first.rows)) == (1002, 1002, 21, 50)
    assert first.chosen.order == "urgent"
    order = list(dict.fromkeys(one.participant_id for one in first.to_do))
    assert [row.id for row in first.rows] == order[:50]
    by_number = read(app_context, order="number")
    assert [row.participant_number for row in by_number.rows[:2]] == ["M-0001", "M-0002"]
    seen = [row.id for page in range(1, 22) for row in read(app_context, page=page).rows]
    assert len(seen) == len(set(seen)) == 1002
    needing = read(app_context, state="needs")
    assert needing.number == len(order) == first.state_counts["needs"]
    with transaction(app_context.engine) as session:
        counted = session.scalar(
            select(func.count(ExpectedForm.participant_id.distinct())).where(
                ExpectedForm.missed_at.is_not(None),
                ExpectedForm.missing_reason == "",
                ExpectedForm.received_at.is_(None),
            )
        )
    assert read(app_context, state="unexplained").number == counted == first.state_counts["unexplained"]


def test_the_pages_of_a_large_study_link_to_one_another_and_keep_the_filter(
    app: Flask, app_context: AppContext, seeded: Study, large_study: int
) -> None:
    desk: StaffBrowser = signed_in_browser(app, seeded.staff["nurse"])
    desk.open(f"{PAGE}?lang=en&find=M-&order=number&page=2")
    assert "51 to 100 of 1000" in desk.page
    pager = desk.page.partition('<nav class="pager"')[2].partition("</nav>")[0]
    links = re.findall(r'href="([^"]+)"', pager)
    assert all("find=M-" in link and "order=number" in link for link in links)
    assert [re.search(r"page=(\d+)", link)[1] for link in links] == ["1", "1", "3", "20", "3"]  # type: ignore[index]
    with transaction(app_context.engine) as session:
        session.execute(
            update(Participant).where(Participant.participant_number == "M-0001").values(participant_number="A-0001")
        )
    desk.open(f"{PAGE}?lang=en&find=A-0001")
    assert '<nav class="pager"' not in desk.page
