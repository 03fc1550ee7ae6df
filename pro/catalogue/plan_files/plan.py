"""Plan files (``pro/data/plans/*.yaml``): their shape, checks and conversion."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import time
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from pro.catalogue import name_patterns
from pro.catalogue.instrument_files.structure import value_domain
from pro.catalogue.plan_files.pre_dose import PreDoseSummaryFile, read_pre_dose
from pro.catalogue.plan_files.stopping_rule import StoppingRuleFile, read_stopping
from pro.catalogue.plan_files.test_alert import TestAlertFile, read_test_alert
from pro.catalogue.plan_files.visit_schedule import read_visit_schedule
from pro.catalogue.plan_files.visit_schedule_shape import Hour, VisitScheduleFile
from pro.catalogue.yaml_source import CatalogueError, FilePart, parse_file
from pro.core.questionnaire.instrument import Instrument
from pro.core.rule_language.conditions import Condition, RuleError, Vocabulary
from pro.core.rule_language.conditions import parse as parse_condition
from pro.core.rule_language.level import Level
from pro.core.study_plan import (
    PARTICIPANT_NUMBER,
    AlertRule,
    EscalationStep,
    LevelLowering,
    StudyPlan,
    StudySettings,
)
from pro.core.translatable_sentence import Sentence
from pro.core.triage.verdict import FACTS

AlertLevelName = Literal["watch", "urgent", "emergency"]
Number = Annotated[str, Field(pattern=name_patterns.NUMBER)]
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=name_patterns.NAME)]


class SettingsFile(FilePart):
    """What a study's pages and messages say about itself. Numbers as they are dialled: E.164, or a short number."""

    hotline: Number
    hotline_shown: Text
    emergency: Number
    crisis_line: Number
    crisis_line_shown: Text
    it_department: str = Field("", description="Email address of the IT department; may be empty")
    opens: Hour
    closes: Hour
    time_zone: Text
    demonstration: bool
    sender: dict[str, Annotated[str, Field(min_length=1, max_length=16)]] = Field(
        {},
        description="Language -> hospital or study with whose name text messages to participants begin. No illness. "
        "Without it, and with an example's name in production, they begin with “Your study team”",
    )


class RuleFile(FilePart):
    """One rule. ``when`` is a condition in the rule language."""

    id: str = Field(pattern=name_patterns.RULE)
    instrument: str = Field(
        "", description="The instrument whose answers it evaluates; empty = the plan's first instrument"
    )
    level: AlertLevelName
    when: Text
    suspects: str = Field("", description="Key of the suspected condition, named in the words files; may be empty")
    basis: tuple[Literal["L", "C", "E"], ...] = Field(min_length=1)
    hidden_by: tuple[str, ...] = Field((), description="Rules that suppress this one when they fire; * and [] match")
    advice: str = Field("", description="Which advice the participant sees at once; for emergency rules only")
    two_valued: bool = Field(False, description="Unknown counts as false; allows submitted, idle, fired and unknown")
    closes_itself: bool = False
    marks_ulcer: bool = False


class LoweringFile(FilePart):
    """The lowering of a verdict in which everything is known and stable."""

    id: str
    instrument: str
    from_level: AlertLevelName = Field(alias="from")
    to_level: AlertLevelName = Field(alias="to")
    days: int = Field(gt=0)
    never: tuple[str, ...]


class StepFile(FilePart):
    """One escalation step: by ``minutes``, or by ``working_hours`` and at the latest at ``next_day``."""

    level: AlertLevelName
    minutes: int | None = Field(None, ge=0, description="After the alert was raised")
    working_hours: int = Field(0, ge=0, le=24, description="Instead of minutes: hours between opens and closes")
    next_day: Hour | None = Field(None, description="With working_hours: at the latest then, on the next calendar day")
    to: tuple[Literal["on_call", "backup", "investigator", "coordinator"], ...] = Field(min_length=1)
    channel: Literal["email", "sms", "digest"]


class RepeatFile(FilePart):
    """How often an unacknowledged alert is repeated after the last step, day and night, until it is acknowledged."""

    emergency: int = Field(ge=5, le=60, description="Minutes between two repeats of an emergency alert")
    urgent: int = Field(ge=15, le=1440, description="Minutes between two repeats of an urgent alert")


class PlanFile(FilePart):
    """A whole plan file. ``named`` are sub-expressions over the first instrument's items, for its rules."""

    id: Name
    version: Text
    instruments: tuple[str, ...] = Field(min_length=1)
    submitted_only: tuple[str, ...] = ()
    languages: tuple[str, ...] = Field(min_length=1)
    settings: SettingsFile
    facts: tuple[str, ...] = ()
    idle_minutes: list[Annotated[int, Field(gt=0)]] = Field(min_length=1)
    previous_days: int = Field(gt=0)
    recent_hours: int = Field(gt=0)
    score_proxy: bool = Field(False, description="Score what a proxy answered; the answers are always kept")
    alert_limit: int = Field(0, ge=0, description="Loud alerts a week that staff can take; 0 = nobody said")
    named: dict[Name, Text] = {}
    rules: tuple[RuleFile, ...] = Field(min_length=1)
    lowering: LoweringFile | None = None
    lexicon: str = Field("", description="Lexicon by which free texts are screened; empty = a person reads each")
    text_advice: dict[str, str] = Field({}, description="Lexicon class -> advice shown at once; * = all others")
    escalation_steps: tuple[StepFile, ...] = Field(min_length=1)
    repeat_minutes: RepeatFile = Field(default_factory=lambda: RepeatFile(emergency=15, urgent=240))
    participant_number_pattern: Text = Field(
        PARTICIPANT_NUMBER, description="Regular expression of a whole participant number, in capitals and half width"
    )
    participant_trend: bool = Field(
        False, description="After sending a check-in, participants see their own answers to the last four check-ins"
    )
    visit_schedule: VisitScheduleFile | None = Field(None, description="Without it, every form is sent by hand")
    test_alert: TestAlertFile | None = Field(
        None, description="The weekly synthetic alert; without it, nothing proves the path"
    )
    pre_dose_summary: PreDoseSummaryFile | None = Field(None, description="The card to look at before the next dose")
    stopping_rule: StoppingRuleFile | None = Field(None, description="Without it, ulcers are listed but not counted")


def read_plan(path: Path, instruments: Mapping[str, Instrument], text: str | None = None) -> StudyPlan:
    """Read the plan in ``path``; with ``text``, read this text as if it were in ``path``.

    Raises CatalogueError that names the rule and column of anything unknown, repeated or contradictory.
    """
    file = parse_file(path, PlanFile, text)
    if file.id != path.stem:
        raise CatalogueError(
            path,
            "id",
            Sentence(
                "The file name is %(file)s but the id in it is “%(id)s”: they must be the same.",
                file=path.name,
                id=file.id,
            ),
        )
    _check_known(path, "instruments", file.instruments, instruments, Sentence("instrument"))
    _check_known(path, "submitted_only", file.submitted_only, file.instruments, Sentence("instrument of this plan"))
    _check_known(path, "facts", file.facts, FACTS, Sentence("fact"))
    vocabularies = {name: _vocabulary(path, file, instruments, name) for name in file.instruments}
    rules = _rules(path, file, vocabularies)
    plan = StudyPlan(
        id=file.id,
        version=file.version,
        instruments=file.instruments,
        submitted_only=file.submitted_only,
        languages=file.languages,
        settings=_settings(path, file.settings),
        rules=rules,
        lowering=_lowering(path, file),
        lexicon=file.lexicon,
        text_advice=MappingProxyType(file.text_advice),
        escalation_steps=_escalation_steps(path, file),
        repeat_minutes={Level.of(name): minutes for name, minutes in file.repeat_minutes.model_dump().items()},
        facts=file.facts,
        idle_minutes=tuple(sorted(file.idle_minutes)),
        previous_days=file.previous_days,
        recent_hours=file.recent_hours,
        score_proxy=file.score_proxy,
        alert_limit=file.alert_limit,
        participant_number_pattern=_number_pattern(path, file.participant_number_pattern),
        participant_trend=file.participant_trend,
        visit_schedule=read_visit_schedule(path, file.visit_schedule, file.instruments)
        if file.visit_schedule
        else None,
        pre_dose_summary=read_pre_dose(path, file.pre_dose_summary, file.instruments, instruments)
        if file.pre_dose_summary
        else None,
    )
    if file.stopping_rule:
        plan = replace(plan, stopping_rule=read_stopping(path, file.stopping_rule, plan.visit_schedule))
    return (
        replace(plan, test_alert_settings=read_test_alert(path, file.test_alert, plan, instruments))
        if file.test_alert
        else plan
    )


def _number_pattern(path: Path, pattern: str) -> str:
    """Return ``pattern``. Raises CatalogueError if it is not a regular expression."""
    try:
        re.compile(pattern)
    except re.error as error:
        sentence = Sentence("“%(pattern)s” is not a regular expression.", pattern=pattern)
        raise CatalogueError(path, "participant_number_pattern", sentence) from error
    return pattern


def _check_known(path: Path, where: str, names: Iterable[str], known: Iterable[str], what: Sentence) -> None:
    allowed = set(known)
    seen: set[str] = set()
    for name in names:
        if name not in allowed:
            sentence = Sentence(
                "“%(name)s” is not a known %(what)s; available: %(listed)s.",
                name=name,
                what=what,
                listed=tuple(sorted(allowed)),
            )
            raise CatalogueError(path, where, sentence)
        if name in seen:
            raise CatalogueError(path, where, Sentence("“%(name)s” appears twice.", name=name))
        seen.add(name)


def _condition(path: Path, where: str, source: str, vocabulary: Vocabulary) -> Condition:
    try:
        return parse_condition(source, vocabulary)
    except RuleError as problem:
        place = Sentence("%(place)s, column %(column)s", place=where, column=problem.column)
        raise CatalogueError(path, place, Sentence("%(message)s.", message=problem.sentence)) from problem


def _vocabulary(path: Path, file: PlanFile, instruments: Mapping[str, Instrument], name: str) -> Vocabulary:
    """Return the vocabulary for conditions of the rules of instrument ``name``."""
    instrument = instruments[name]
    items = {item.id: value_domain(item) for item in instrument.items.values()}
    facts = {fact: FACTS[fact] for fact in file.facts}
    for fact in facts.keys() & items.keys():
        sentence = Sentence("“%(fact)s” is also an item of %(name)s; one name cannot mean both.", fact=fact, name=name)
        raise CatalogueError(path, "facts", sentence)
    summary = {instrument.summary.id} if instrument.summary else set()
    every_item = frozenset(item for used in file.instruments for item in instruments[used].items)
    named: dict[str, Condition] = {}
    if name == file.instruments[0]:
        for word, source in file.named.items():
            if word in items or word in facts or word in ("x", "score", "submitted"):
                raise CatalogueError(
                    path, f"named.{word}", Sentence("This name already has another meaning; choose another name.")
                )
            known = Vocabulary(items=items, facts=facts, named=dict(named))
            named[word] = _condition(path, f"named.{word}", source, known)
    return Vocabulary(
        items=items,
        facts=facts,
        scores=frozenset(instrument.scales) | summary,
        named=named,
        groups=instrument.groups,
        recents=every_item,
        rules=tuple(rule.id for rule in file.rules if (rule.instrument or file.instruments[0]) == name),
    )


def _rules(path: Path, file: PlanFile, vocabularies: Mapping[str, Vocabulary]) -> tuple[AlertRule, ...]:
    rules: dict[str, AlertRule] = {}
    wrong: list[CatalogueError] = []
    for entry in file.rules:
        where = Sentence("rule %(rule)s", rule=entry.id)
        try:
            if entry.id in rules:
                raise CatalogueError(path, where, Sentence("Two rules have this id; each needs its own."))
            instrument = entry.instrument or file.instruments[0]
            _check_known(path, where, [instrument], vocabularies, Sentence("instrument of this plan"))
            _check_marks(path, where, entry)
            rules[entry.id] = _rule(path, where, entry, instrument, vocabularies[instrument])
        except CatalogueError as error:
            wrong.append(error)
    if wrong:
        raise CatalogueError.joined(wrong)
    for rule in rules.values():
        _check_hiding(path, rule, rules)
    _check_order(path, rules)
    return tuple(rules.values())


def _rule(path: Path, where: str, entry: RuleFile, instrument: str, words: Vocabulary) -> AlertRule:
    others = tuple(rule for rule in words.rules if rule != entry.id)
    vocabulary = replace(words, rules=others, form_rules=entry.two_valued)
    return AlertRule(
        id=entry.id,
        instrument=instrument,
        level=Level.of(entry.level),
        when=_condition(path, where, entry.when, vocabulary),
        suspects=entry.suspects,
        basis=entry.basis,
        hidden_by=entry.hidden_by,
        advice=entry.advice,
        two_valued=entry.two_valued,
        closes_itself=entry.closes_itself,
        marks_ulcer=entry.marks_ulcer,
    )


def _check_marks(path: Path, where: str, entry: RuleFile) -> None:
    if len(set(entry.basis)) != len(entry.basis):
        raise CatalogueError(path, where, Sentence("A letter appears twice in basis."))
    if entry.level == "emergency" and not entry.advice:
        raise CatalogueError(path, where, Sentence("An emergency rule must name the advice shown to the participant."))
    if entry.level != "emergency" and entry.advice:
        raise CatalogueError(path, where, Sentence("Only emergency rules may show advice."))


def _check_hiding(path: Path, rule: AlertRule, rules: Mapping[str, AlertRule]) -> None:
    for pattern in rule.hidden_by:
        hiding = [other for other in rules.values() if fnmatchcase(other.id, pattern)]
        if not hiding:
            raise CatalogueError(
                path,
                Sentence("rule %(rule)s", rule=rule.id),
                Sentence("hidden_by: no rule matches “%(pattern)s”.", pattern=pattern),
            )
        for other in hiding:
            if other.level <= rule.level or other.instrument != rule.instrument:
                sentence = Sentence(
                    "It cannot be suppressed by %(rule)s: only a rule of a higher level in the same "
                    "instrument can suppress it.",
                    rule=other.id,
                )
                raise CatalogueError(path, Sentence("rule %(rule)s", rule=rule.id), sentence)


def _check_order(path: Path, rules: Mapping[str, AlertRule]) -> None:
    """Check that no rule refers to the outcome of a rule that itself refers to outcomes.

    Rules that refer to outcomes are evaluated after all others, in one pass.
    """
    asking = [rule for rule in rules.values() if rule.when.about_rules]
    for rule in asking:
        for other in asking:
            if other.id != rule.id and other.id in rule.when.outcomes:
                sentence = Sentence(
                    "It uses the outcome of %(rule)s, which itself uses other rules’ outcomes.", rule=other.id
                )
                raise CatalogueError(path, Sentence("rule %(rule)s", rule=rule.id), sentence)


def _settings(path: Path, file: SettingsFile) -> StudySettings:
    try:
        ZoneInfo(file.time_zone)
    except (KeyError, ValueError, OSError) as problem:
        sentence = Sentence("“%(zone)s” is not a time zone; use the form Asia/Shanghai.", zone=file.time_zone)
        raise CatalogueError(path, "settings.time_zone", sentence) from problem
    if file.opens.rjust(5, "0") >= file.closes.rjust(5, "0"):
        sentence = Sentence(
            "The closing time %(closes)s is not after the opening time %(opens)s.", closes=file.closes, opens=file.opens
        )
        raise CatalogueError(path, "settings.closes", sentence)
    return StudySettings(**file.model_dump())


def _lowering(path: Path, file: PlanFile) -> LevelLowering | None:
    entry = file.lowering
    if entry is None:
        return None
    where = Sentence("lowering %(lowering)s", lowering=entry.id)
    _check_known(path, where, [entry.instrument], file.instruments, Sentence("instrument of this plan"))
    if any(rule.id == entry.id for rule in file.rules):
        raise CatalogueError(path, where, Sentence("Another rule has the same id; every rule needs its own."))
    for pattern in entry.never:
        if not any(fnmatchcase(rule.id, pattern) for rule in file.rules):
            raise CatalogueError(path, where, Sentence("never: no rule matches “%(pattern)s”.", pattern=pattern))
    from_level, to_level = Level.of(entry.from_level), Level.of(entry.to_level)
    if from_level is Level.EMERGENCY or to_level >= from_level:
        raise CatalogueError(path, where, Sentence("It must lower to a lower level, and never lower an emergency."))
    return LevelLowering(entry.id, entry.instrument, from_level, to_level, entry.never, entry.days)


def _escalation_steps(path: Path, file: PlanFile) -> tuple[EscalationStep, ...]:
    steps = tuple(_escalation_step(path, step) for step in file.escalation_steps)
    for level in (Level.WATCH, Level.URGENT, Level.EMERGENCY):
        minutes = [step.minutes for step in steps if step.level is level and not step.working_hours]
        if 0 not in minutes:
            raise CatalogueError(
                path,
                "escalation_steps",
                Sentence("Level %(level)s notifies nobody at minute 0; add a step.", level=level.word),
            )
        if minutes != sorted(minutes):
            raise CatalogueError(
                path,
                "escalation_steps",
                Sentence("The steps of level %(level)s must be in order of time.", level=level.word),
            )
        if level > Level.WATCH and all(
            step.channel == "digest" for step in steps if step.level is level and step.at_once
        ):
            raise CatalogueError(
                path,
                "escalation_steps",
                Sentence("Level %(level)s is too urgent for the daily digest.", level=level.word),
            )
        names = [step.name for step in steps if step.level is level]
        if len(set(names)) < len(names):
            raise CatalogueError(
                path,
                "escalation_steps",
                Sentence("Two steps of level %(level)s are at the same time; merge them.", level=level.word),
            )
    return steps


def _escalation_step(path: Path, entry: StepFile) -> EscalationStep:
    if (entry.minutes is None) != bool(entry.working_hours):
        raise CatalogueError(
            path, "escalation_steps", Sentence("A step uses either minutes or working_hours: write one of them.")
        )
    if entry.next_day and not entry.working_hours:
        raise CatalogueError(path, "escalation_steps", Sentence("next_day can be used only with working_hours."))
    if entry.channel == "digest" and (entry.minutes or entry.working_hours):
        raise CatalogueError(
            path, "escalation_steps", Sentence("The digest has its own time; it can only be used at minute 0.")
        )
    latest = time.fromisoformat(entry.next_day.rjust(5, "0")) if entry.next_day else None
    return EscalationStep(
        Level.of(entry.level), entry.minutes or 0, entry.to, entry.channel, entry.working_hours, latest
    )
