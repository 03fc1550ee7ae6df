"""Words for what the data files no longer have: records outlive the plan, instrument or edition that made them.

A name without words is shown as it is stored, so that the gap is seen and no page fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from pro.core.questionnaire.instrument import Instrument, ItemsByName, ItemWords, Licence, Words
from pro.core.study_plan import Advice, PlanWords, StudyPlan


class NamesAsWords(dict[str, str]):
    """Words by name; a name without words stands for itself. ``get`` and ``in`` work as in any dict."""

    def __missing__(self, name: str) -> str:
        """Return ``name``."""
        return name


class AdviceBlocks(dict[str, Advice]):
    """Advice by block; a block that the plan no longer has is the emergency call alone, without first aid."""

    def __missing__(self, name: str) -> Advice:
        """Return advice without steps."""
        return Advice("", ())


def absent_plan(like: StudyPlan, plan_id: str) -> StudyPlan:
    """Return a stand-in for a plan that is no longer installed, for pages only.

    Emergency number, crisis line and time zone are those of the installed plan ``like``. It has no instruments, so no
    form is issued, no telephone number of another study, and no rules and no version: nothing can be evaluated by it.
    """
    settings = replace(like.settings, hotline="", hotline_shown="", it_department="", sender={})
    return StudyPlan(
        id=plan_id,
        version="",
        instruments=(),
        submitted_only=(),
        languages=like.languages,
        settings=settings,
        rules=(),
        lowering=None,
        escalation_steps=(),
        facts=(),
        idle_minutes=(),
        previous_days=like.previous_days,
        recent_hours=like.recent_hours,
    )


def absent_plan_words(like: PlanWords, plan_id: str) -> PlanWords:
    """Return words for a plan that is no longer installed.

    The form's title is that of ``like``. Who reads the answers, hours and first aid of another study are not shown;
    which emergencies name the crisis line is kept.
    """
    names = MappingProxyType(NamesAsWords())
    return PlanWords(
        title=plan_id,
        form_title=like.form_title,
        study_team="",
        hours="",
        rules=names,
        suspects=names,
        advice=MappingProxyType(
            AdviceBlocks({block: Advice("", (), advice.crisis) for block, advice in like.advice.items()})
        ),
        visits=names,
        anchors=names,
        stopping_rule=names,
        language=like.language,
    )


def absent_instrument(instrument_id: str) -> Instrument:
    """Return a stand-in for an instrument that is no longer installed: no items, no pages."""
    return Instrument(id=instrument_id, version="", items={}, pages=(), channels=())


def absent_words(instrument_id: str, language: str) -> Words:
    """Return words for an instrument that is no longer installed: its id as title."""
    names: Mapping[str, ItemWords] = MappingProxyType(ItemsByName())
    return Words(
        instrument=instrument_id,
        instrument_version="",
        language=language,
        version="",
        status="absent",
        licence=Licence("own"),
        title=instrument_id,
        minutes=0,
        recall_periods=MappingProxyType(NamesAsWords()),
        items=names,
    )
