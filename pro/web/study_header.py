"""What every page says about the study and about whose form it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pro.app_context import AppContext
from pro.core.study_plan import PlanWords, StudySettings


class ParticipantInfo(Protocol):
    """What a page needs to know of a participant."""

    @property
    def id(self) -> int: ...
    @property
    def plan(self) -> str: ...
    @property
    def study_number(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def time_zone(self) -> str: ...


@dataclass(frozen=True, slots=True)
class StudyHeader:
    """What every page says about the study: who reads, when, and whom to phone."""

    words: PlanWords
    settings: StudySettings


def read_study_header(app_context: AppContext, plan_id: str | None, language: str) -> StudyHeader:
    """The study called ``plan_id`` in ``language``; without one, the first that is installed."""
    plans, words = app_context.catalogue.plans, app_context.catalogue.plan_words
    plan = plans[plan_id] if plan_id else next(iter(plans.values()))
    spoken = language if (plan.id, language) in words else plan.languages[0]
    return StudyHeader(words[plan.id, spoken], plan.settings)
