"""A study as data: its rules, how loud they are, whom they reach, and the settings that pages and messages show."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pro.core.conditions import Condition
from pro.core.level import Level


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert rule (clinical.md 3.5, 3.7), judged only with ``instrument``'s answers.

    ``suspects``: key of a suspected condition, or empty. ``basis``: L literature, C CTCAE-mapped, E expert default.
    ``hidden_by``: ids of rules that silence this one when they fire. ``advice``: which block the participant sees at
    once when an emergency rule fires. ``two_valued``: an unknown condition counts as false (the M rules).
    ``closes_itself``: its alert ends when it no longer holds. ``marks_ulcer``: a fired rule that D1 did not lower
    moves the ulcer status from none to suspected, from the next assessment on (clinical.md 3.4.5).
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
class Lowering:
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
class Step:
    """One rung of the ladder: ``minutes`` after the alert was raised, these roles are told by this channel."""

    level: Level
    minutes: int
    to: tuple[str, ...]
    channel: str


@dataclass(frozen=True, slots=True)
class Settings:
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
class Plan:
    """One study. ``instruments[0]`` is the check-in.

    ``submitted_only``: instruments that are judged only once they are submitted (clinical.md 3.7). ``facts``: the facts
    beside the answers that its rules use. ``idle_minutes``: after how many minutes untouched a form is judged again,
    one for each idle() of its rules, ascending. ``previous_days``, ``recent_hours``: how old the previous check-in, or
    one that silences a QLQ-C30 rule, may be.
    """

    id: str
    version: str
    instruments: tuple[str, ...]
    submitted_only: tuple[str, ...]
    languages: tuple[str, ...]
    settings: Settings
    rules: tuple[Rule, ...]
    lowering: Lowering | None
    ladder: tuple[Step, ...]
    facts: tuple[str, ...]
    idle_minutes: tuple[int, ...]
    previous_days: int
    recent_hours: int

    def rule(self, rule_id: str) -> Rule:
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

    ``suspects`` holds one name for each suspected condition, ``advice`` one block for each that a rule shows.
    """

    title: str
    form_title: str
    readers: str
    hours: str
    rules: Mapping[str, str]
    suspects: Mapping[str, str]
    advice: Mapping[str, Advice]
