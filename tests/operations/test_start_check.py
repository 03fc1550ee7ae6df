"""Test what prevents a start in production: plan placeholders, demonstration accounts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pro.app_context import AppContext
from pro.catalogue import Catalogue
from pro.core.study_plan import StudyPlan, StudySettings
from pro.features.operations import start_check


@pytest.fixture
def ready(catalogue: Catalogue) -> StudyPlan:
    """Return the study's plan with real phone numbers."""
    plan = catalogue.plans["npc_reirradiation"]
    settings = replace(
        plan.settings, demonstration=False, hotline="+8679186543210", hotline_shown="0791-8654 3210 (ward 12)"
    )
    assert plan.stopping_rule is not None
    return replace(plan, settings=settings, stopping_rule=replace(plan.stopping_rule, demonstration=False))


def problems(plan: StudyPlan, **settings: object) -> list[str]:
    """Return the problems found with ``settings`` changed."""
    changed: StudySettings = replace(plan.settings, **settings)  # type: ignore[arg-type]
    return start_check.find_plan_problems(replace(plan, settings=changed))


def test_a_plan_with_numbers_of_its_own_starts(ready: StudyPlan) -> None:
    assert start_check.find_plan_problems(ready) == []
    abroad = {"hotline": "+442079460000", "hotline_shown": "020 7946 0000", "emergency": "999"}
    assert problems(ready, **abroad, crisis_line="+448001111", crisis_line_shown="0800 1111") == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"demonstration": True}, "settings.demonstration"),
        # Setting `demonstration: false` alone lets no placeholder number through.
        ({"hotline": "+8679100000000", "hotline_shown": "0791-0000 0000"}, "settings.hotline is"),
        ({"hotline": "+8679112345678", "hotline_shown": "0791-1234 5678"}, "settings.hotline is"),
        ({"hotline": "+1", "hotline_shown": "1"}, "settings.hotline is"),
        ({"hotline_shown": "0791-8654 3211"}, "settings.hotline_shown"),
        ({"crisis_line": "00000", "crisis_line_shown": "00000"}, "settings.crisis_line is"),
        ({"crisis_line_shown": "12355"}, "settings.crisis_line_shown"),
        ({"emergency": "000"}, "settings.emergency"),
        ({"emergency": "+8679186543210"}, "settings.emergency"),
        ({"it_department": "it@example.org"}, "settings.it_department"),
    ],
)
def test_a_placeholder_is_refused_by_name(ready: StudyPlan, changes: dict[str, object], named: str) -> None:
    (problem,) = problems(ready, **changes)
    assert problem.startswith(f"Plan npc_reirradiation: {named}")
    assert problem.endswith(".")


def test_numbers_that_the_investigator_has_not_confirmed_are_refused(ready: StudyPlan) -> None:
    assert ready.stopping_rule is not None
    (problem,) = start_check.find_plan_problems(
        replace(ready, stopping_rule=replace(ready.stopping_rule, demonstration=True))
    )
    assert "stopping_rule.demonstration" in problem


def test_a_database_with_the_demonstration_in_it_is_refused(app_context: AppContext, demo_context: AppContext) -> None:
    assert not [one for one in start_check.find_database_problems(app_context) if "demonstration" in one]
    assert [one for one in start_check.find_database_problems(demo_context) if "demonstration study" in one]
