"""Study plan types: alert rules, escalation steps, visit schedule, settings, wording."""

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
    """One alert rule (docs/domain.md 3.5, 3.7), evaluated only with answers to ``instrument``.

    ``suspects``: key of a suspected condition, or empty. ``basis``: L literature, C CTCAE-mapped, E expert default.
    ``hidden_by``: ids of rules that hide this one when they fire. ``advice``: the block of emergency advice that the
    participant sees at once when an emergency rule fires. ``two_valued``: an unknown condition counts as false (the M
    rules). ``closes_itself``: its alert closes when the rule no longer fires. ``marks_ulcer``: when the rule fires and
    D1 did not lower it, the ulcer status changes from none to suspected, from the next assessment on (docs/domain.md
    3.4.5).
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
        """Return True if one of the rules in ``fired`` (ids) hides this one."""
        return any(fnmatchcase(other, pattern) for pattern in self.hidden_by for other in fired)


@dataclass(frozen=True, slots=True)
class LevelLowering:
    """D1: lower ``from_level`` to ``to_level`` if staff marked every item as known and stable.

    It applies only to evaluations of ``instrument`` (docs/domain.md 3.5, D1). ``never``: ids of rules that prevent it.
    ``days``: how long a mark counts; the code that builds the ClinicalContext leaves out older marks.
    """

    id: str
    instrument: str
    from_level: Level
    to_level: Level
    never: tuple[str, ...]
    days: int


# How often an unacknowledged alert is repeated where a plan does not say, or is no longer installed.
DEFAULT_REPEAT_MINUTES: Mapping[Level, int] = {Level.EMERGENCY: 15, Level.URGENT: 240}


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """One escalation step: notify ``to`` by ``channel``, ``minutes`` after the alert.

    Where ``working_hours`` is not 0, the step is due after that many working hours of the study, at the latest at the
    local time ``next_day`` of the next calendar day (docs/domain.md 3.3). Both count from the time at which the alert
    was raised.
    """

    level: Level
    minutes: int
    to: tuple[str, ...]
    channel: str
    working_hours: int = 0
    next_day: time | None = None

    @property
    def at_once(self) -> bool:
        """True if the step is taken when the alert is raised, not while it is unacknowledged."""
        return not self.minutes and not self.working_hours

    @property
    def name(self) -> str:
        """The name of the step among the steps of its level: "15m", "4h"."""
        return f"{self.working_hours}h" if self.working_hours else f"{self.minutes}m"


# Participant numbers of a study plan that gives no pattern of its own.
PARTICIPANT_NUMBER = "[A-Z0-9][A-Z0-9-]{1,30}"


@dataclass(frozen=True, slots=True)
class StudySettings:
    """Settings that pages and messages show; phone numbers as dialled (E.164 or short).

    ``sender``: language -> name of the hospital or study with which text messages begin.
    """

    hotline: str
    hotline_shown: str
    emergency: str
    crisis_line: str
    crisis_line_shown: str
    it_department: str
    opens: str
    closes: str
    time_zone: str
    demonstration: bool
    sender: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AnchorPoint:
    """A day relative to an anchor: ``days`` after its ``number`` (0: the anchor occurs once)."""

    anchor: str
    number: int = 0
    days: int = 0


@dataclass(frozen=True, slots=True)
class Projection:
    """How later numbers of an anchor follow from the last known one: every ``every`` days.

    With ``working_days``, ``every`` counts working days. The projection stops after a recorded anchor of a kind in
    ``until``, and ``within_days`` days after the first one (0: no limit of days).
    """

    every: int
    working_days: bool = False
    until: tuple[str, ...] = ()
    within_days: int = 0


@dataclass(frozen=True, slots=True)
class AnchorKind:
    """A kind of anchor: a dated event of the treatment (docs/domain.md 6).

    ``most``: 0 if it occurs once, else it is numbered from 1 to ``most``. ``plannable``: its date may be planned;
    otherwise only past dates are accepted. ``after``: kinds whose first recorded date it must not precede.
    ``after_all``: kinds that must not have taken place later than it. ``needs``: one of these must be recorded by its
    date. ``last``: no event of any kind may take place later. ``defaults``: number -> the day that is assumed while
    none is recorded. ``sets``: clinical facts that its latest record sets (``ulcer_status``: suspected).
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
    """A fact that is true from the first of ``doses`` until ``days`` after the last one.

    The end counts only once the anchor ``last`` is recorded, which states that the dose was the last (docs/domain.md
    3.4.4).
    """

    fact: str
    doses: tuple[str, ...]
    last: str
    days: int


@dataclass(frozen=True, slots=True)
class Period:
    """A period: from the day of any of ``starts`` to the day of any of ``ends``."""

    id: str
    starts: tuple[str, ...]
    ends: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DailyTimes:
    """Local times of the participant at which a window opens, its form is due, and it closes."""

    opens: time
    due: time
    closes: time


@dataclass(frozen=True, slots=True)
class VisitWindow:
    """The window of one instrument at a visit, in days counted from the day of the visit.

    ``opens``, ``due``, ``closes``: days after the visit's day (negative: before it). ``mandatory``: no answer at all by
    the end of the window is a missed form (docs/domain.md 6, rule 4). ``numbers``: only at these numbers of the visit's
    anchor (empty: at all numbers of the visit).
    """

    instrument: str
    opens: int
    due: int
    closes: int
    mandatory: bool = True
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class VisitSeries:
    """A recurring visit: ``first``, ``first + every``, … ``last`` days after its anchor.

    ``but_not``: days that are left out. The day of the visit lies before ``until``, and not before the first anchor of
    kind ``since``.
    """

    first: int
    every: int
    last: int
    but_not: tuple[int, ...] = ()
    until: AnchorPoint | None = None
    since: str = ""


@dataclass(frozen=True, slots=True)
class AlternativeVisit:
    """The same instruments around another anchor, while the visit's own anchor is unknown."""

    anchor: str
    windows: tuple[VisitWindow, ...]


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit of the visit schedule (docs/domain.md 6).

    ``anchor``: an anchor, or a period; a visit of a period starts again at each start of the period and ends with it.
    ``numbers``: at these numbers of the anchor (empty: at all). ``series``: how it recurs. ``not_before``: its windows
    open on this anchor's day at the earliest. ``not_during``: it is not expected on days of these periods.
    ``outlives``: stops that do not end it. ``rank``: which visit a form is assigned to when two planned dates are
    equally near (lowest first: rule 1). ``reminders``: minutes after opening at which a message is sent (None: as in
    the plan's reminder rules).
    """

    id: str
    anchor: str
    windows: tuple[VisitWindow, ...]
    numbers: tuple[int, ...] = ()
    series: VisitSeries | None = None
    not_before: str = ""
    not_during: tuple[str, ...] = ()
    continues_after: tuple[str, ...] = ()
    rank: int = 9
    reminders: tuple[int, ...] | None = None
    alternative: AlternativeVisit | None = None


@dataclass(frozen=True, slots=True)
class ReminderRules:
    """When messages about open forms are sent (docs/domain.md 6, rule 3).

    ``minutes``: after a window opened. No message is sent between ``quiet_from`` and ``quiet_until``, local times of
    the participant. ``per_day``: maximum of messages to one participant in a day. ``stale_minutes``: a message that
    could not be sent for so long is dropped. ``by``: what a message carries, a "link", a "code" for the fixed address,
    or the first question itself ("sms").
    """

    minutes: tuple[int, ...]
    quiet_from: time
    quiet_until: time
    per_day: int
    stale_minutes: int
    by: str = "link"


@dataclass(frozen=True, slots=True)
class RiskPeriod:
    """Days, ``start`` to ``end`` inclusive, on which one missed check-in needs a call task."""

    start: AnchorPoint
    end: AnchorPoint


@dataclass(frozen=True, slots=True)
class VisitSchedule:
    """The visit schedule: forms that are expected around anchors (docs/domain.md 6).

    ``stops``: anchors after which no form is expected. ``apart``: instrument -> minimum of days between two answers; a
    more recent answer serves the visit (rule 1). ``holidays``: country (two letters) whose public holidays are not
    working days; empty for none. ``baseline``: the visit whose form later forms are compared with. ``exposures``: facts
    that follow from doses. ``phases``: phases of the treatment in order, each with the anchors that begin it.
    """

    times: DailyTimes
    reminder_rules: ReminderRules
    anchors: Mapping[str, AnchorKind]
    periods: Mapping[str, Period]
    visits: tuple[Visit, ...]
    participation_end: tuple[str, ...] = ()
    apart: Mapping[str, int] = field(default_factory=dict)
    risk: RiskPeriod | None = None
    holidays: str = ""
    baseline: str = ""
    exposures: tuple[Exposure, ...] = ()
    phases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def visit(self, visit_id: str) -> Visit:
        """Return the visit with the id ``visit_id``; raise KeyError if the schedule has none."""
        for visit in self.visits:
            if visit.id == visit_id:
                return visit
        raise KeyError(visit_id)

    def is_numbered(self, visit: Visit) -> bool:
        """Return True if ``visit`` may take place more than once, so that its name needs a number."""
        if visit.series is not None:
            return visit.series.first != visit.series.last
        return visit.anchor in self.periods or bool(self.anchors[visit.anchor].most and len(visit.numbers) != 1)


@dataclass(frozen=True, slots=True)
class WeeklyTestAlertSettings:
    """The weekly test alert: when it is raised, and from which answers.

    It shows that an emergency alert reaches the staff on call. ``weekday``: 0 is Monday, 4 Friday. ``at``: local time
    of the study. ``confirm_minutes``: a staff member must confirm it within this time after it began. ``answers``:
    answers to ``instrument`` that the rules evaluate as an emergency.
    """

    weekday: int
    at: time
    confirm_minutes: int
    instrument: str
    answers: Answers


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """One study plan. ``instruments[0]`` is the check-in; there are none only if the plan is no longer installed.

    ``submitted_only``: instruments that are evaluated only once they are submitted (docs/domain.md 3.7). ``facts``: the
    facts beside the answers that the rules use. ``idle_minutes``: minutes without a change after which a form is
    evaluated again, one for each idle() in the rules, ascending. ``previous_days``, ``recent_hours``: maximum age of
    the previous check-in, and of a check-in answer that suppresses a QLQ-C30 rule. ``visit_schedule``: the visit
    schedule; None for a study whose forms are all issued by hand. ``lexicon``: by which free text is screened.
    ``text_advice``: class of the lexicon -> the advice that an emergency shows ("*": every other class).
    ``test_alert_settings``: None for a study without a weekly test alert. ``score_proxy``: also score proxy-reported
    answers. ``pre_dose_summary``: None for a study without a pre-dose summary. ``stopping_rule``: None for a study
    without a stopping rule for ulcers. ``alert_limit``: planned maximum of urgent and emergency alerts in a week (0:
    not set). ``repeat_minutes``: level -> how often an unacknowledged alert is repeated after the last step of
    ``escalation_steps`` (docs/alerts.md 3). ``participant_number_pattern``: regular expression that a participant
    number matches as a whole. ``participant_trend``: after sending a check-in, participants see their own answers to
    the last ones.
    """

    id: str
    version: str
    instruments: tuple[str, ...]
    submitted_only: tuple[str, ...]
    languages: tuple[str, ...]
    settings: StudySettings
    rules: tuple[AlertRule, ...]
    lowering: LevelLowering | None
    escalation_steps: tuple[EscalationStep, ...]
    facts: tuple[str, ...]
    idle_minutes: tuple[int, ...]
    previous_days: int
    recent_hours: int
    visit_schedule: VisitSchedule | None = None
    lexicon: str = ""
    text_advice: Mapping[str, str] = field(default_factory=dict)
    test_alert_settings: WeeklyTestAlertSettings | None = None
    stopping_rule: StoppingRule | None = None
    score_proxy: bool = False
    pre_dose_summary: PreDoseSettings | None = None
    alert_limit: int = 0
    repeat_minutes: Mapping[Level, int] = field(default_factory=lambda: DEFAULT_REPEAT_MINUTES)
    participant_number_pattern: str = PARTICIPANT_NUMBER
    participant_trend: bool = False

    @property
    def checkin(self) -> str:
        """The instrument of the check-in; "" if the plan is no longer installed."""
        return self.instruments[0] if self.instruments else ""

    def advice_on_text(self, class_id: str) -> str:
        """Return the advice for a red flag of this class in free text; "" if the plan has none."""
        return self.text_advice.get(class_id, self.text_advice.get("*", ""))

    def rule(self, rule_id: str) -> AlertRule:
        """Return the rule with the id ``rule_id``; raise KeyError if the plan has none."""
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise KeyError(rule_id)


@dataclass(frozen=True, slots=True)
class Advice:
    """Emergency advice shown at once: a heading for first aid and its steps (may be empty)."""

    title: str
    steps: tuple[str, ...]
    crisis: bool = False


@dataclass(frozen=True, slots=True)
class PlanWords:
    """A study plan's wording in one language.

    Names, study team and hours, rule sentences for staff, advice for participants. ``suspects`` has a name for each
    suspected condition, ``advice`` a block for each one that a rule shows; ``visits`` and ``anchors`` name the entries
    of the visit schedule; {number} in the name of a visit is the fraction or occurrence. ``stopping_rule``: texts of
    the protocol for each state of an ulcer and each step of the stopping rule. ``phases`` names the phases of the
    treatment. ``columns``: short names of visits, as heads of narrow columns. ``language``: the language of these
    words.
    """

    title: str
    form_title: str
    study_team: str
    hours: str
    rules: Mapping[str, str]
    suspects: Mapping[str, str]
    advice: Mapping[str, Advice]
    visits: Mapping[str, str]
    anchors: Mapping[str, str]
    stopping_rule: Mapping[str, str] = field(default_factory=dict)
    phases: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    language: str = ""

    def visit(self, kind: str, number: int) -> str:
        """Return the name of the visit ``kind``, at its ``number``; a visit that the plan no longer has by its id."""
        return self.visits[kind].replace("{number}", str(number)) if kind in self.visits else f"{kind} {number}"

    def column(self, kind: str, number: int, days: int = 0) -> str:
        """Return the short name of a visit; without one its number, or its name if it has no number.

        ``days``: from its anchor. {week} and {month} in a short name are whole weeks and months of these days.
        """
        short = self.columns[kind] if kind in self.columns else "{number}" if number else self.visit(kind, number)
        for place, value in (("{number}", number), ("{week}", days // 7), ("{month}", round(days / 30.4))):
            short = short.replace(place, str(value))
        return short
