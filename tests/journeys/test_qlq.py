"""Test the QLQ-C30 in English with skips: stored and displayed scores equal the reference."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from pro.db import transaction
from pro.models import Assessment, Participant, Score
from tests.journeys.people import JourneyParticipant, JourneyStaff
from tests.journeys.test_checkin import number_on
from tests.support.factories import Study
from tests.support.live_system import Site

pytestmark = pytest.mark.journey
REFERENCE = Path(__file__).parents[1] / "data" / "qlqc30_reference_200.csv"
SCALES = ["QL", "PF", "RF", "EF", "CF", "SF", "FA", "NV", "PA", "DY", "SL", "AP", "CO", "DI", "FI", "C30SUMMARY"]


def a_form_with_gaps() -> dict[str, str]:
    """Return the first reference form with several missing answers and mixed scores."""
    with REFERENCE.open(newline="") as file:
        for row in csv.DictReader(file):
            missing = sum(not row[f"Q{n}"] for n in range(1, 31))
            if 4 <= missing <= 12 and any(row[scale] for scale in SCALES):
                return row
    raise AssertionError("the reference has no such form")


def test_scores_equal_the_reference_although_questions_were_skipped(
    live_site: Site,
    study: Study,
    new_participant: Callable[..., JourneyParticipant],
    nurse: Callable[..., JourneyStaff],
) -> None:
    row = a_form_with_gaps()
    codes = {f"Q{n}": int(row[f"Q{n}"]) if row[f"Q{n}"] else None for n in range(1, 31)}
    me = new_participant("en", "qlq_c30").opens_the_link()
    number = number_on(me)
    me.starts().answers_the_rest(codes).sends()
    with transaction(live_site.app_context.engine) as session:
        person = session.scalars(select(Participant).where(Participant.participant_number == number)).one()
        form = session.scalars(select(Assessment).where(Assessment.participant_id == person.id)).one()
        scores = {score.scale: score for score in session.scalars(select(Score).where(Score.assessment_id == form.id))}
    assert set(scores) == set(SCALES)
    for scale in SCALES:
        expected = float(row[scale]) if row[scale] else None
        assert scores[scale].value == (None if expected is None else pytest.approx(expected, abs=1e-6)), scale
    at_desk = nurse("coordinator").opens(f"{live_site.url}/staff/participants/{person.id}/forms?form={form.id}")
    at_desk.page.locator("article summary").first.click()
    expect(at_desk.page.locator("main")).to_contain_text("Demonstration", ignore_case=True)
    shown = next(scale for scale in SCALES if row[scale])
    expect(at_desk.page.locator("main")).to_contain_text(f"{float(row[shown]):.0f}")
