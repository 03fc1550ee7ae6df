"""Read the courses of the demonstration and generate their answers. Pure: no database, no clock.

The files in ``pro/data/demonstration`` were made for this project: ``courses.csv`` (who, and where in the treatment
today), ``symptoms.csv`` (share of answers of at least 2 by period, and weight as a share of the first), ``scores.csv``
(mean of each QLQ-C30 scale by period).
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

from pro.core.questionnaire.instrument import Instrument, Value

FOLDER = Path(__file__).parents[2] / "data" / "demonstration"
SEED = "demonstration 1"
CHECKIN, QLQ = "npc_checkin", "qlq_c30"
DAY = timedelta(days=1)
FRACTIONS = 28
CHECKIN_ITEMS = "bleed breath chest palp faint temp swallow neuro nosebleed7 odor discharge headache new_cn sores"
QUIET_ANSWERS: dict[str, Value] = dict.fromkeys(CHECKIN_ITEMS.split(), 0)
ULCER_SIGNS: dict[str, Value] = {"odor": 2, "headache": 2, "headache_int": 2}
# Symptoms that the list page offers.
LISTED = ("pain", "dry_mouth", "skin", "nausea", "appetite", "fatigue")
# Items that ask how far a symptom gets in the way.
INTERFERENCE = {"sores": "sores_int", "pain": "pain_int", "headache": "headache_int"}
# A symptom is mild while its share exceeds the participant's own threshold by less than this.
MILD_SPAN = 0.3
# Share of a participant's own level, the rest is the day.
OWN_SHARE = 0.75
# A smoker's cough or a blocked nose: mild symptoms that come and go in every period.
PASSING = {"headache": 0.18, "discharge": 0.14, "odor": 0.05, "nosebleed7": 0.03}
PASSING_PERIODS = ("w3", "w4", "w5", "w6", "p2", "p4", "p8")
# An answer of 4 to one of these raises an urgent alert, which the stories have their own of.
CAPPED = frozenset({"Q8", "Q9", "Q15", "Q17", "Q19"})
SPREAD = 16.0
# Severity from which the dry mouth becomes severe.
HARD = 0.6
NOTES_OF_PERIOD = {
    "w2": "嘴里有点干，多喝水好一些。",
    "w4": "吃饭时嘴里疼，改吃粥了。",
    "p4": "胃口比上周好一点了。",
    "m3": "已经开始上半天班了。",
}


@dataclass(frozen=True, slots=True)
class Course:
    """One participant. ``days`` counts by ``phase``: days of induction, fractions given, days since the last one.

    ``lead_in``: days from induction to radiotherapy; ``consent_lead``: days from consent to induction. ``weight`` in
    kg before treatment; ``severity``: 0 to 1, how much the treatment takes out of the participant.
    """

    number: str
    language: str
    phase: str
    days: int
    lead_in: int
    consent_lead: int
    weight: float
    severity: float
    story: str


@dataclass(frozen=True, slots=True)
class CourseDates:
    """The days of a course. ``fractions``: those given before today; ``planned_start``: fraction 1 that is planned."""

    consent: date
    induction: date
    fractions: tuple[date, ...]
    planned_start: date

    @property
    def last_fraction(self) -> date | None:
        """The day of the last fraction, None while radiotherapy goes on."""
        return self.fractions[-1] if len(self.fractions) == FRACTIONS else None

    def period(self, on: date) -> str:
        """Return the column of the data files for a day."""
        if on < self.induction:
            return "base"
        last = self.last_fraction
        if last is not None and on > last:
            after = (on - last).days
            ends = ((17, "p2"), (35, "p4"), (70, "p8"), (140, "m3"))
            return next((name for days, name in ends if after <= days), "m6")
        given = sum(day <= on for day in self.fractions)
        return f"w{min(6, (given - 1) // 5 + 1)}" if given else "ind"


def read_courses() -> list[Course]:
    """Return the courses in the order of the file."""
    return [
        Course(
            row["number"],
            row["language"],
            row["phase"],
            int(row["days"]),
            int(row["lead_in"]),
            int(row["consent_lead"]),
            float(row["weight"]),
            float(row["severity"]),
            row["story"],
        )
        for row in _rows("courses.csv")
    ]


def dates_of(course: Course, today: date, working_days: Sequence[date]) -> CourseDates:
    """Return the days of a course as seen from ``today``. ``working_days``: sorted, of a year around today."""
    past = [day for day in working_days if day < today]
    if course.phase in ("induction", "before"):
        induction = today - course.days * DAY * (1 if course.phase == "induction" else -1)
        start = next(day for day in working_days if day >= induction + course.lead_in * DAY)
        return CourseDates(induction - course.consent_lead * DAY, induction, (), start)
    if course.phase == "radiotherapy":
        fractions = past[-course.days :]
    else:
        fractions = [day for day in past if day <= today - course.days * DAY][-FRACTIONS:]
    induction = fractions[0] - course.lead_in * DAY
    return CourseDates(induction - course.consent_lead * DAY, induction, tuple(fractions), fractions[0])


def dice(*names: object) -> random.Random:
    """Return random numbers that depend on the names only, so that every filling draws the same."""
    # No secrecy is needed here.
    return random.Random(":".join(map(str, (SEED, *names))))  # noqa: S311  # nosec B311


def checkin_answers(course: Course, dates: CourseDates, on: date) -> dict[str, Value | None]:
    """Return the answers to a check-in of the day ``on``."""
    period, today = dates.period(on), dice(course.number, "checkin", on - dates.induction)
    shares = {item: share[period] for item, share in _table("symptoms.csv").items() if item != "weight"}
    levels = {item: _level(course, item, share, today) for item, share in shares.items()}
    _apply_story(course, dates, on, levels)
    answers: dict[str, Value | None] = dict(QUIET_ANSWERS)
    answers |= {item: levels[item] for item in ("sores", "swallow")}
    answers |= _passing_symptoms(period, today)
    ticked = tuple(item for item in LISTED if levels[item])
    answers["other7"] = ticked
    answers |= {item: levels[item] for item in ticked}
    for item, asked in INTERFERENCE.items():
        if answers.get(item):
            answers[asked] = max(0, min(levels.get(item, 1), 2) - (today.random() < 0.4))
    if answers.get("discharge"):
        answers["tissue"] = 0
    answers["weight"] = _weight(course, period, today)
    note = NOTES_OF_PERIOD.get(period, "")
    answers["free_text"] = note if note and course.language == "zh_Hans" and today.random() < 0.12 else None
    return answers


def qlq_answers(course: Course, dates: CourseDates, on: date, shape: Instrument) -> dict[str, Value | None]:
    """Return the answers to a QLQ-C30 of the day ``on``, spread around the means of its period."""
    period, today = dates.period(on), dice(course.number, "qlq", on - dates.induction)
    answers: dict[str, Value | None] = {}
    for scale, means in _table("scores.csv").items():
        found = shape.scales[scale]
        own = dice(course.number, scale).gauss(0, 1)
        worse = SPREAD * (0.7 * own + 0.5 * today.gauss(0, 1)) + 18 * (course.severity - 0.5)
        burden = means[period] + worse if found.direction == "symptom" else 100 - means[period] + worse
        for item in found.items:
            step = max(0.0, min(100.0, burden)) / 100 * found.range
            whole = int(step) + (today.random() < step % 1)
            steps = min(whole, found.range - (item in CAPPED))
            answers[item] = 7 - steps if found.direction == "global" else 1 + steps
    if dice(course.number, "skipped", on - dates.induction).random() < 0.05:
        answers["Q28"] = None
    return answers


def _level(course: Course, item: str, share: float, today: random.Random) -> int:
    """Return 0 to 2: the more severe the course, the sooner a symptom begins."""
    own = (dice(course.number, item).random() + (1 - course.severity)) / 2
    threshold = OWN_SHARE * own + (1 - OWN_SHARE) * today.random()
    if threshold < share:
        return 2
    return int(share > 0 and threshold < share + MILD_SPAN)


def _apply_story(course: Course, dates: CourseDates, on: date, levels: dict[str, int]) -> None:
    """Raise single symptoms to severe: mucositis or pain by the story, a dry mouth in a hard course."""
    if course.story == "mucositis" and dates.period(on) == "w6":
        levels["sores"] = 3
    if course.severity >= HARD and levels["dry_mouth"] == 2 and dates.period(on) in ("w5", "w6", "p2"):
        levels["dry_mouth"] = 3
    if course.story == "pain" and dates.period(on) == "w5":
        levels["pain"] = 3


def _passing_symptoms(period: str, today: random.Random) -> dict[str, Value | None]:
    """Return mild symptoms of nose and head, at most one of them: together they would suggest an ulcer."""
    drawn = {item: today.random() for item in PASSING}
    found = [item for item, chance in PASSING.items() if drawn[item] < chance]
    if period not in PASSING_PERIODS or not found:
        return {}
    return {found[0]: 1}


def _weight(course: Course, period: str, today: random.Random) -> Decimal:
    lost = (1 - _table("symptoms.csv")["weight"][period]) * (0.25 + 0.8 * course.severity)
    return Decimal(f"{course.weight * (1 - lost) + today.gauss(0, 0.25):.1f}")


@cache
def _table(name: str) -> Mapping[str, Mapping[str, float]]:
    """Return a data file as row -> column -> number."""
    found = {}
    for row in _rows(name):
        head, *columns = row
        found[row[head]] = {column: float(row[column]) for column in columns}
    return found


def _rows(name: str) -> Iterable[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
