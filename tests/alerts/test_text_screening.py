"""Test the screening of stored texts: our own sentences, a death, and who gets the safety sentence."""

from __future__ import annotations

import pytest

from pro.core.rule_language.level import Level
from pro.features.alerts import text_screening
from tests.support import form_browser
from tests.support.alert_clinic import Clinic


@pytest.mark.parametrize("language", ["zh_Hans", "en"])
def test_a_quoted_question_of_ours_says_nothing(clinic: Clinic, language: str) -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        questions = [item.plain for item in work.catalogue.words["npc_checkin", language].items.values()]
        for question in questions:
            found = text_screening.screen_text(work, f"Liked “{question}”", None)
            assert (found.level <= Level.WATCH, found.hits) == (True, ()), question


def test_an_option_that_is_typed_is_the_report_itself(clinic: Clinic) -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        for text in ("流血不止", "Heavy bleeding that does not stop"):
            assert text_screening.screen_text(work, text, None).level is Level.EMERGENCY


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("救命", True),
        ("38度5", True),
        ("没有出血", False),
        ("有点累", False),
        ("我爸昨天走了", False),
        ("爸爸昨天凌晨大出血走了", False),
        ("如果大出血怎么办", True),
        ("邻居晕倒了", False),
    ],
)
def test_who_gets_the_safety_sentence(clinic: Clinic, text: str, needed: bool) -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert text_screening.needs_advice(text_screening.screen_text(work, text, None)) is needed
