"""A study as data: its rules, how loud they are, whom they reach, its calendar, and the settings that pages show."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import time
from fnmatch import fnmatchcase

from pro.core.clinical.pre_dose import PreDoseSettings
from pro.core.clinical.stopping_rule import StoppingRule
from pro.core.questionnaire.instrument import Answers
from pro.core.rule_language.conditions import Condition
from pro.core.rule_language.level import Level


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One alert rule (docs/domain.md 3.5, 3.7), judged only with ``instrument``'s answers.

    ``suspects``: key of a suspected condition, or empty. ``basis``: L literature, C CTCAE-mapped, E expert default.
    ``hidden_by``: ids of rules that silence this one when they fire. ``advice``: which block the participant sees at
    once when an emergency rule fires. ``two_valued``: an unknown condition counts as false (the M rules).
    ``closes_itself``: its alert ends when it no longer holds. ``marks_ulcer``: a fired rule that D1 did not lower
    moves the ulcer status from none to suspected, from the next assessment on (docs/domain.md 3.4.5).
    """

    id: str
    instrument: str
    level: Level
    when: Condition
    suspects: str
    basis: tuple[str, ...]
    hidden_by: tuple[str, ...] = ()
    advice: str = ""
    two_valued: bool = False
    closes_itself: bool = False
    marks_ulcer: bool = False

    def is_hidden_by(self, fired: Collection[str]) -> bool:
        """True if one of the rules in ``fired`` (ids) silences this one."""
        return any(fnmatchcase(other, pattern) for pattern in self.hidden_by for other in fired)


@dataclass(frozen=True, slots=True)
class LevelLowering:
    """D1: a verdict of ``from_level`` drops to ``to_level`` where staff marked all that stands in it known and stable.

    Only for ``instrument``'s verdicts. ``never`` are the ids of rules that block it; a mark counts for ``days``, and
    whoever builds the case leaves older ones out.
    """

    id: str
    instrument: str
    from_level: Level
    to_level: Level
    never: tuple[str, ...]
    days: int


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """One rung of the ladder: ``minutes`` after the alert was raised, these roles are told by this channel.

    Or, where ``working_hours`` is not 0, after so many working hours of the study, at the latest at the local time
    ``next_day`` of the next calendar day (docs/domain.md 3.3).
    """

    level: Level
    minutes: int
    to: tuple[str, ...]
    channel: str
    working_hours: int = 0
    next_day: time | None = None

    @property
    def at_once(self) -> bool:
        """True if it is taken the moment the alert is raised, not while it waits."""
        return not self.minutes and not self.working_hours

    @property
    def name(self) -> str:
        """What this step is called beside the others of its level: "15m", "4h"."""
        return f"{self.working_hours}h" if self.working_hours else f"{self.minutes}m"


@dataclass(frozen=True, slots=True)
class StudySettings:
    """What a study's pages and messages say about itself. Numbers are written as they are dialled (E.164 or short)."""

    hotline: str
    hotline_shown: str
    emergency: str
    crisis_line: str
    crisis_line_shown: str
    administrator: str
    opens: str
    closes: str
    time_zone: str
    demonstration: bool


@dataclass(frozen=True, slots=True)
class AnchorPoint:
    """A day told by an anchor: ``days`` after its ``number`` (0: of an anchor that happens once)."""

    anchor: str
    number: int = 0
    days: int = 0


@dataclass(frozen=True, slots=True)
class Projection:
    """How an anchor's later numbers follow from the last one that is known: every ``every`` days (or working days).

    It stops after a recorded anchor of ``until``, and ``within_days`` days after the first one (0: never for age).
    """

    every: int
    working_days: bool = False
    until: tuple[str, ...] = ()
    within_days: int = 0


@dataclass(frozen=True, slots=True)
class AnchorKind:
    """A dated event of the treatment (docs/domain.md 6).

    ``most``: 0 if it happens once, else it is numbered from 1 to ``most``. ``plannable``: its date may be planned,
    otherwise only the past makes sense. ``after``: kinds whose first date it must not precede, as far as they are
    recorded. ``after_all``: kinds of which none that happened may be later. ``needs``: one of these must be recorded by
    its date. ``last``: nothing that happened can be later. ``defaults``: number -> the day it is taken to be while
    nobody recorded it. ``sets``: clinical facts that its latest record sets (``ulcer_status``: suspected).
    """

    id: str
    most: int = 0
    plannable: bool = False
    after: tuple[str, ...] = ()
    after_all: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    last: bool = False
    defaults: tuple[tuple[int, AnchorPoint], ...] = ()
    projection: Projection | None = None
    sets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exposure:
    """A fact that is true from the first of ``doses`` until ``days`` after the last, once ``last`` says it was the last
    (docs/domain.md 3.4.4).
    """

    fact: str
    doses: tuple[str, ...]
    last: str
    days: int


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time that begins on the day of any of ``starts`` and ends on the day of any of ``ends``."""

    id: str
    starts: tuple[str, ...]
    ends: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DailyTimes:
    """The participant's local times at which a window opens, its form is due, and it closes."""

    opens: time
    due: time
    closes: time


@dataclass(frozen=True, slots=True)
class VisitWindow:
    """One instrument of a visit: the days, counted from the visit's day, on which its window opens, is due and closes.

    ``mandatory``: no answer at all by the end of the window is a missed form (docs/domain.md 6, rule 4). ``numbers``:
    only
    at these numbers of the visit's anchor (empty: at all of the visit's).
    """

    instrument: str
    opens: int
    due: int
    closes: int
    mandatory: bool = True
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class VisitSeries:
    """A visit that recurs: ``first``, ``first + every``, ... ``last`` days after its anchor, without ``but_not``.

    Its day comes before ``until``, and not before the first anchor of kind ``since``.
    """

    first: int
    every: int
    last: int
    but_not: tuple[int, ...] = ()
    until: AnchorPoint | None = None
    since: str = ""


@dataclass(frozen=True, slots=True)
class AlternativeVisit:
    """Where a visit stands while its own anchor is not known yet: the same instruments around another anchor."""

    anchor: str
    windows: tuple[VisitWindow, ...]


@dataclass(frozen=True, slots=True)
class Visit:
    """One row of the study's calendar (docs/domain.md 6).

    ``anchor``: an anchor, or a period: then it begins anew at each of the period's starts and ends with it.
    ``numbers``: at these numbers of the anchor (empty: at all). ``series``: how it recurs. ``not_before``: its windows
    open on this anchor's day at the earliest. ``not_during``: it is not expected on days of these periods.
    ``outlives``: stops that do not end it. ``rank``: who is served first when two planned dates are equally near
    (lowest first: rule 1). ``reminders``: minutes after opening at which a message goes out (None: the plan's ladder).
    """

    id: str
    anchor: str
    windows: tuple[VisitWindow, ...]
    numbers: tuple[int, ...] = ()
    series: VisitSeries | None = None
    not_before: str = ""
    not_during: tuple[str, ...] = ()
    outlives: tuple[str, ...] = ()
    rank: int = 9
    reminders: tuple[int, ...] | None = None
    otherwise: AlternativeVisit | None = None


@dataclass(frozen=True, slots=True)
class ReminderRules:
    """When messages about open forms go out (docs/domain.md 6, rule 3).

    ``minutes`` after a window opened; never between ``quiet_from`` and ``quiet_until`` of the participant's day; at
    most ``per_day`` a day and person; one that could not go out for ``stale_minutes`` is dropped. ``by``: what a
    message carries, a "link", a "code" for the fixed address, or the first question itself ("sms").
    """

    minutes: tuple[int, ...]
    quiet_from: time
    quiet_until: time
    per_day: int
    stale_minutes: int
    by: str = "link"


@dataclass(frozen=True, slots=True)
class RiskPeriod:
    """The days in which one missed check-in is enough for a phone call: from ``start`` to ``end``, both included."""

    start: AnchorPoint
    end: AnchorPoint


@dataclass(frozen=True, slots=True)
class VisitSchedule:
    """Who is asked what and when, around what really happens to a participant (docs/domain.md 6).

    ``stops``: anchors after which nothing more is expected. ``apart``: instrument -> days that must lie between two
    answers; a younger answer serves the visit (rule 1). ``holidays``: the country (two letters) whose public holidays
    are no working days; empty for none. ``baseline``: the visit whose form later ones are compared with.
    ``exposures``: facts that follow from doses.
    """

    times: DailyTimes
    reminder_rules: ReminderRules
    anchors: Mapping[str, AnchorKind]
    periods: Mapping[str, Period]
    visits: tuple[Visit, ...]
    stops: tuple[str, ...] = ()
    apart: Mapping[str, int] = field(default_factory=dict)
    risk: RiskPeriod | None = None
    holidays: str = ""
    baseline: str = ""
    exposures: tuple[Exposure, ...] = ()

    def visit(self, visit_id: str) -> Visit:
        """The visit called ``visit_id``; KeyError if the calendar has none."""
        for visit in self.visits:
            if visit.id == visit_id:
                return visit
        raise KeyError(visit_id)

    def is_numbered(self, visit: Visit) -> bool:
        """True if ``visit`` may take place more than once, so that its name needs a number."""
        if visit.series is not None:
            return visit.series.first != visit.series.last
        return visit.anchor in self.periods or bool(self.anchors[visit.anchor].most and len(visit.numbers) != 1)


@dataclass(frozen=True, slots=True)
class WeeklyTestAlertSettings:
    """When the weekly synthetic alert is raised, and from which answers: the proof that an emergency gets through.

    ``weekday``: 0 is Monday, 4 Friday. ``at``: the study's local time. Somebody must confirm it ``confirm_minutes``
    after it began at the latest. ``answers`` to ``instrument`` that the rules call an emergency.
    """

    weekday: int
    at: time
    confirm_minutes: int
    instrument: str
    answers: Answers


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """One study. ``instruments[0]`` is the check-in.

    ``submitted_only``: instruments that are judged only once they are submitted (docs/domain.md 3.7). ``facts``: the
    facts
    beside the answers that its rules use. ``idle_minutes``: after how many minutes untouched a form is judged again,
    one for each idle() of its rules, ascending. ``previous_days``, ``recent_hours``: how old the previous check-in, or
    one that silences a QLQ-C30 rule, may be. ``calendar``: None for a study whose forms are all sent by hand.
    ``lexicon``: by which free texts are screened; ``text_advice``: its class -> the advice that an emergency shows
    ("*": all others). ``drilling``: None for a study without a weekly synthetic alert. ``score_proxy``: score what
    somebody answered for the participant. ``pre_dose_summary``: None for a study without a card to look at before a
    dose.
    ``stopping``: None for a study without a rule about ulcers. ``alerts_per_week``: how many urgent and emergency
    alerts staff can take (0: nobody said).
    """

    id: str
    version: str
    instruments: tuple[str, ...]
    submitted_only: tuple[str, ...]
    languages: tuple[str, ...]
    settings: StudySettings
    rules: tuple[AlertRule, ...]
    lowering: LevelLowering | None
    ladder: tuple[EscalationStep, ...]
    facts: tuple[str, ...]
    idle_minutes: tuple[int, ...]
    previous_days: int
    recent_hours: int
    calendar: VisitSchedule | None = None
    lexicon: str = ""
    text_advice: Mapping[str, str] = field(default_factory=dict)
    test_alert_settings: WeeklyTestAlertSettings | None = None
    stopping: StoppingRule | None = None
    score_proxy: bool = False
    pre_dose: PreDoseSettings | None = None
    alerts_per_week: int = 0

    def advice_on_text(self, class_id: str) -> str:
        """The advice block for a red flag of this class in a free text; "" for a plan without one."""
        return self.text_advice.get(class_id, self.text_advice.get("*", ""))

    def rule(self, rule_id: str) -> AlertRule:
        """The rule called ``rule_id``; KeyError if the plan has none."""
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise KeyError(rule_id)


@dataclass(frozen=True, slots=True)
class Advice:
    """What a participant sees at once in an emergency: a heading for the first aid and its steps (may be empty)."""

    title: str
    steps: tuple[str, ...]
    crisis: bool = False


@dataclass(frozen=True, slots=True)
class PlanWords:
    """A plan's words in one language: names, who reads the answers, rule sentences for staff, advice for participants.

    ``suspects`` holds one name for each suspected condition, ``advice`` one block for each that a rule shows;
    ``visits`` and ``anchors`` name what stands in the calendar, {number} in a visit's name is its fraction or turn.
    ``stopping``: what the protocol says of each state of an ulcer and each step of the stopping rule.
    """

    title: str
    form_title: str
    readers: str
    hours: str
    rules: Mapping[str, str]
    suspects: Mapping[str, str]
    advice: Mapping[str, Advice]
    visits: Mapping[str, str]
    anchors: Mapping[str, str]
    stopping: Mapping[str, str] = field(default_factory=dict)

    def visit(self, kind: str, number: int) -> str:
        """The name of the visit ``kind``, at its ``number``."""
        return self.visits[kind].replace("{number}", str(number))
