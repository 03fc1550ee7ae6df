"""Test the list of participants: pages, and search by participant number."""

from __future__ import annotations

import pytest

from pro.core.rule_language.level import Level
from pro.features.participants.pages import participant_list
from pro.features.participants.pages.participant_list import ParticipantListPage
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic


@pytest.fixture
def full(any_clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    """Return NPC-001 of the clinic and A-10 to A-14, two on a page."""
    monkeypatch.setattr(participant_list, "PAGE_SIZE", 2)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        for number in range(10, 15):
            factories.participant(work, f"A-{number}", phone="")
    return any_clinic


def listed(clinic: Clinic, find: str = "", page: int = 1) -> ParticipantListPage:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        return participant_list.list_participants(work, "en", find, page)


@pytest.mark.parametrize(
    ("find", "asked", "numbers", "found", "number", "pages"),
    [
        ("", 1, ["A-10", "A-11"], 6, 1, 3),
        ("", 3, ["A-14", "NPC-001"], 6, 3, 3),
        ("", 0, ["A-10", "A-11"], 6, 1, 3),
        ("", 999_999_999, ["A-14", "NPC-001"], 6, 3, 3),
        (" npc ", 1, ["NPC-001"], 1, 1, 1),
        ("14", 1, ["A-14"], 1, 1, 1),
        ("a-", 2, ["A-12", "A-13"], 5, 2, 3),
        ("_", 1, [], 0, 1, 1),
        ("%", 1, [], 0, 1, 1),
        ("'; --", 2, [], 0, 1, 1),
    ],
)
def test_pages_and_what_is_found(
    full: Clinic, find: str, asked: int, numbers: list[str], found: int, number: int, pages: int
) -> None:
    now = listed(full, find, asked)
    assert [row.participant_number for row in now.rows] == numbers
    assert (now.number, now.page, now.pages) == (found, number, pages)


def test_a_line_tells_of_its_own_participant(full: Clinic) -> None:
    full.start().save(bleed=4)
    rows = {row.participant_number: row for row in listed(full, page=3).rows}
    mine, other = rows["NPC-001"], rows["A-14"]
    assert (mine.open_level, other.open_level) == (Level.EMERGENCY, Level.NONE)
    assert (mine.last_answer_at, other.last_answer_at) == (full.app_context.clock(), None)
    assert ([form.instrument for form in mine.due], other.due) == (["npc_checkin", "qlq_c30"], [])
    assert mine.open_alert_id in {alert.id for alert in full.alerts().values()}
