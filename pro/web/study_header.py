"""Study data and participant data that every page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pro.app_context import AppContext
from pro.core.study_plan import PlanWords, StudySettings


class ParticipantInfo(Protocol):
    """The attributes of a participant that pages read."""

    @property
    def id(self) -> int: ...
    @property
    def plan(self) -> str: ...
    @property
    def participant_number(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def time_zone(self) -> str: ...


@dataclass(frozen=True, slots=True)
class StudyHeader:
    """Words and settings of a study for every page: study team, working hours, phone numbers."""

    words: PlanWords
    settings: StudySettings


def read_study_header(app_context: AppContext, plan_id: str | None, language: str) -> StudyHeader:
    """Return the header of the study ``plan_id`` in ``language``.

    None or "" as ``plan_id`` means the first installed study. A study that is no longer installed has the emergency
    number and the crisis line of the first one, and neither hotline, hours nor first aid (``catalogue.absent_words``).
    """
    catalogue = app_context.catalogue
    plan = catalogue.shown_plan(plan_id) if plan_id else next(iter(catalogue.plans.values()))
    return StudyHeader(catalogue.plan_words[plan.id, language], plan.settings)
