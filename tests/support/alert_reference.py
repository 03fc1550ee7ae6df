"""Say what must be open and who must have been told, by docs/alerts.md alone.

It knows a handful of answers and texts and the level of each, from the tables below: more may be raised than it knows,
never less. What the program did comes in as plain values. Each check returns what is wrong, in sentences.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pro.core.rule_language.level import Level
from tests.support.alert_rows import ONE_MAIL_IN, AlertRow, MessageRow, highest_waiting

NONE, WATCH, URGENT, EMERGENCY = Level.NONE, Level.WATCH, Level.URGENT, Level.EMERGENCY
# What holds -> its level, and the combinations of answers that each make it hold.
RULES: Mapping[str, tuple[Level, Sequence[Mapping[str, Collection[int]]]]] = {
    "heavy bleeding": (EMERGENCY, ({"bleed": (4,)}, {"bleed": (3, 4), "bleed_now": (1,)})),
    "bleeding": (URGENT, ({"bleed": (2, 3, 4)}, {"bleed_now": (1,)})),
    "no breath": (EMERGENCY, ({"breath": (3,)},)),
    "short of breath": (URGENT, ({"breath": (2, 3)},)),
    "fainted": (EMERGENCY, ({"faint": (2,)},)),
    "nearly fainted": (URGENT, ({"faint": (1,)},)),
    "bad smell": (URGENT, ({"odor": (3,)},)),
    "smell with bleeding or headache": (
        URGENT,
        ({"odor": (2, 3), "headache": (2, 3, 4)}, {"odor": (2, 3), "bleed": (1, 2, 3, 4)}),
    ),
    "headache": (URGENT, ({"headache": (3, 4)},)),
}
# Holds once the form was sent or nothing came for 10 minutes.
SILENCE, SILENT_AFTER = "heavy bleeding, then silence", timedelta(minutes=10)
# Marked as known and stable by staff: alone it is lowered to watch (D1).
STABLE_RULE, STABLE_ANSWER = "short of breath", ("breath", 2)
NEVER_LOWERED = ("bleeding", "nearly fainted", "bad smell")
TEXTS: Mapping[str, Level] = {
    "大出血止不住": EMERGENCY,
    "我喘不过气": EMERGENCY,
    "鼻子流了一点血": URGENT,
    "嘴里有臭味": URGENT,
    "没有出血": WATCH,
    "谢谢": NONE,
}
# Level -> (minutes, places of the roster) of each step that is counted in minutes.
STEPS: Mapping[Level, Sequence[tuple[int, Sequence[str]]]] = {
    EMERGENCY: ((0, ("on_call", "investigator")), (15, ("on_call", "investigator")), (30, ("backup",)),
                (45, ("investigator",))),
    URGENT: ((0, ("on_call", "investigator")),),
}  # fmt: skip
STEPS_WITHOUT_PLAN = ((0, ("administrator", "investigator")),)
# The last step is taken by then at the latest: for urgent at noon of the next day.
LAST_STEP: Mapping[Level, timedelta] = {EMERGENCY: timedelta(minutes=45), URGENT: timedelta(hours=36)}
REPEAT: Mapping[Level, timedelta] = {EMERGENCY: timedelta(minutes=15), URGENT: timedelta(minutes=240)}
UNTOLD_AFTER = timedelta(minutes=2)
CLAIM_FREE_AFTER = timedelta(seconds=60)
NOT_JUDGED = "not judged"


@dataclass(slots=True)
class Sign:
    """An answer or text that a person must see: ``waiting`` until acknowledged, ``standing`` until closed."""

    case: str
    what: str
    level: Level
    at: datetime
    waiting: bool = True
    standing: bool = True

    @property
    def is_text(self) -> bool:
        """Return True for the sign of a text."""
        return self.what.startswith("text")


@dataclass(slots=True)
class Reference:
    """What was committed, shown and acknowledged.

    ``waiting_since``: when a loud case began to wait, and the newest message of before. ``marked``: cases whose form
    was opened with a stable symptom.
    """

    signs: list[Sign] = field(default_factory=list)
    judged: dict[str, dict[str, int]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    text_cases: dict[str, str] = field(default_factory=dict)
    waiting_since: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    marked: set[str] = field(default_factory=set)

    # --- what happens --------------------------------------------------------------------------------------------

    def form_judged(self, case: str, answers: Mapping[str, int], at: datetime, *, silent: bool = False) -> None:
        """Follow a form that was judged; ``silent``: it was sent, or nothing came for 10 minutes."""
        before, after = self.judged.get(case, {}), dict(answers)
        old, new = self._holding(case, before), self._holding(case, after)
        if silent and after.get("bleed", 0) >= 3 and "bleed_now" not in after:
            new[SILENCE] = EMERGENCY
        for what, level in new.items():
            known = [sign for sign in self.signs if (sign.case, sign.what) == (case, what)]
            louder = level > max((sign.level for sign in known), default=NONE)
            again = what not in old and what != SILENCE and not any(sign.waiting for sign in known)
            if louder or again or _is_worse(what, before, after):
                self.signs.append(Sign(case, what, level, at))
        self.judged[case] = after

    def form_not_judged(self, case: str, at: datetime, answered_at: datetime) -> None:
        """Follow a form that could not be judged: answers that came since the last time are told of anew."""
        known = [sign.at for sign in self.signs if sign.case == case and sign.what == NOT_JUDGED]
        if at == answered_at or not any(earlier >= answered_at for earlier in known):
            self.signs.append(Sign(case, NOT_JUDGED, URGENT, at))

    def form_text(self, case: str, words: str, at: datetime) -> None:
        """Follow a text in a form: each one that is committed is to be read, unless the same one waits already."""
        there = any(sign.case == case and sign.waiting and sign.what == f"text {words}" for sign in self.signs)
        if words != self.words.get(case, "") and not there and TEXTS.get(words, NONE) > NONE:
            self.signs.append(Sign(case, f"text {words}", TEXTS[words], at))
        self.words[case] = words

    def text_came(self, sender: str, number: int, words: str, at: datetime) -> str:
        """Follow a text by phone or chat; return its case. It joins the sender's case while that waits."""
        case = self.text_cases.get(sender, "")
        if TEXTS[words] is NONE:
            return case
        if not any(sign.case == case and sign.waiting for sign in self.signs):
            case = self.text_cases[sender] = f"inbound:{number}"
        self.signs.append(Sign(case, f"text {words}", TEXTS[words], at))
        return case

    def shown(self, case: str) -> list[Sign]:
        """Return what a page of the case shows now."""
        return [sign for sign in self.signs if sign.case == case and sign.standing]

    def unseen(self, case: str, page: Sequence[Sign]) -> list[Sign]:
        """Return what stands in the case and was not on the page."""
        return [sign for sign in self.shown(case) if not any(sign is seen for seen in page)]

    # --- what must be so -----------------------------------------------------------------------------------------

    def wrong_open(self, alerts: Sequence[AlertRow]) -> list[str]:
        """Check invariants 1 and 6: what stands is open, what was not acknowledged waits, each text by itself."""
        wrong = []
        for case in dict.fromkeys(sign.case for sign in self.signs):
            mine = [sign for sign in self.signs if sign.case == case and sign.standing]
            rows = [row for row in alerts if row.case == case]
            for name, signs, found in (
                ("open", mine, [row for row in rows if not row.closed]),
                ("waiting", [sign for sign in mine if sign.waiting], [row for row in rows if row.waits]),
            ):
                loudest = max(signs, key=lambda sign: sign.level, default=None)
                level = max((row.level for row in found), default=NONE)
                if loudest is not None and level < loudest.level:
                    wrong.append(f"{case} must be {name} as {loudest.level.word} ({loudest.what}), but is {level.word}")
            texts = sum(sign.is_text and sign.waiting for sign in mine)
            if texts > (there := sum(row.is_text and row.waits for row in rows)):
                wrong.append(f"{texts} texts of {case} were read by no person, but {there} wait")
        return wrong

    def wrong_telling(
        self,
        alerts: Sequence[AlertRow],
        messages: Sequence[MessageRow],
        now: datetime,
        health: Collection[str],
        newest_before: int,
    ) -> list[str]:
        """Check invariant 3, and what /health says. ``newest_before``: the newest message before this step."""
        wrong, not_notified = [], False
        loud = {row.case for row in alerts if row.waits and row.level >= URGENT}
        self.waiting_since = {
            case: _begins_anew(alerts, messages, case, self.waiting_since.get(case, (now, newest_before)))
            for case in loud
        }
        for case, (_at, newest) in self.waiting_since.items():
            level, since = highest_waiting(alerts, case)
            about = [one for one in messages if one.case == case and one.level >= level and one.id > newest]
            told = any(one.state == "told" for one in about)
            overdue = not told and now - since > UNTOLD_AFTER
            not_notified |= not told
            if "not_notified" not in health and (overdue or not any(one.state in ("told", "queued") for one in about)):
                wrong.append(
                    f"{case} waits as {level.word} since {since:%H:%M:%S}, told to no person, and /health is ok"
                )
        # A clock that was set back may make a case look as if it began later: then /health may say not_notified.
        ahead = any(at > now for at, _newest in self.waiting_since.values())
        if "not_notified" in health and not (
            not_notified or ahead or any(one.sender == "stranger" for one in messages)
        ):
            wrong.append("/health says not_notified, but every case was told")
        unjudged = [sign.case for sign in self.signs if sign.what == NOT_JUDGED and sign.waiting and sign.standing]
        if unjudged and "not_evaluated" not in health:
            wrong.append(f"{unjudged[0]} could not be judged, and /health is ok")
        return wrong

    def wrong_ladder(
        self,
        alerts: Sequence[AlertRow],
        messages: Sequence[MessageRow],
        now: datetime,
        late: Collection[str],
        without_plan: Collection[str],
    ) -> list[str]:
        """Check the steps and invariant 4 after a round of the worker with all data files in place.

        ``late``: cases that came up while not every message could be composed; their minute 0 is not asked for.
        """
        wrong = []
        for case, (first, newest_before) in self.waiting_since.items():
            level, since = highest_waiting(alerts, case)
            due: dict[str, datetime] = {}
            steps = STEPS_WITHOUT_PLAN if case in without_plan else STEPS[level]
            for minutes, places in steps:
                at = since + timedelta(minutes=minutes) if minutes else first
                if since + timedelta(minutes=minutes) <= now and (minutes or case not in late):
                    due |= dict.fromkeys(places, at)
            if now >= since + LAST_STEP[level] + REPEAT[level]:
                due |= {place: now - REPEAT[level] for _minutes, places in steps for place in places}
            for person, at in due.items():
                theirs = [one for one in messages if one.case == case and one.person == person]
                if not any(one.queued_at >= at and (at != first or one.id > newest_before) for one in theirs):
                    wrong.append(f"{person} was not written to about {case} ({level.word}) since {at:%d %H:%M:%S}")
        for row in alerts:
            if row.waits and row.level >= URGENT and row.case not in late:
                wrong += self._wrong_further(row, alerts, messages, now, row.case in without_plan)
        return wrong

    # --- within ----------------------------------------------------------------------------------------------------

    def _wrong_further(
        self,
        row: AlertRow,
        alerts: Sequence[AlertRow],
        messages: Sequence[MessageRow],
        now: datetime,
        is_without_plan: bool,
    ) -> list[str]:
        """Check that each person of minute 0, and of the steps reached by then, was told of one more alert of a case.

        A further emergency of a form is told at once, a further text of the case's level ten minutes after the last
        message to that person. A further urgent alert of a form, by a text in it as well, is found by the message about
        the first.
        """
        level, since = highest_waiting(alerts, row.case)
        is_grouped = row.case.startswith("inbound:")
        if row.level < level or not (is_grouped or row.level is EMERGENCY):
            return []
        steps = STEPS_WITHOUT_PLAN if is_without_plan else STEPS[level]
        reached = (places for minutes, places in steps if since + timedelta(minutes=minutes) <= row.raised_at)
        wrong = []
        for person in dict.fromkeys(itertools.chain(steps[0][1], *reached)):
            mine = [one for one in messages if (one.case, one.person) == (row.case, person) and one.level >= level]
            # A message that left after it was raised, or has not left yet, leads to it as well.
            told = any(one.state == "queued" or (one.sent_at or one.queued_at) >= row.raised_at for one in mine)
            paused = is_grouped and any(one.queued_at > now - ONE_MAIL_IN for one in mine)
            if not told and not paused:
                wrong.append(f"{person} was not told of a further {level.word} of {row.case}")
        return wrong

    def _holding(self, case: str, answers: Mapping[str, int]) -> dict[str, Level]:
        held = {what: level for what, (level, ways) in RULES.items() if _ways(ways, answers)}
        known = answers.get(STABLE_ANSWER[0], 9) <= STABLE_ANSWER[1] and case in self.marked
        if known and STABLE_RULE in held and not any(what in held for what in NEVER_LOWERED):
            held[STABLE_RULE] = WATCH if max(held.values()) is URGENT and len(held) == 1 else held[STABLE_RULE]
        return {what: level for what, level in held.items() if level > WATCH}


def _begins_anew(
    alerts: Sequence[AlertRow], messages: Sequence[MessageRow], case: str, began: tuple[datetime, int]
) -> tuple[datetime, int]:
    """Return when what waits in a case began to wait, and the newest message of before.

    That is later than the case itself if what came first was acknowledged: the rest must be told for itself. What a
    louder or newer alert covers was not acknowledged, and the message about it leads to the newer one.
    """
    at, newest = began
    level, _since = highest_waiting(alerts, case)
    open_rows = (row for row in alerts if row.case == case and not (row.acknowledged or row.closed))
    since = min(row.raised_at for row in open_rows if row.level >= level)
    if since <= at:
        return began
    return since, max([newest, *(one.id for one in messages if one.case == case and one.queued_at < since)])


def _ways(ways: Sequence[Mapping[str, Collection[int]]], answers: Mapping[str, int]) -> bool:
    return any(all(answers.get(item) in values for item, values in way.items()) for way in ways)


def _is_worse(what: str, before: Mapping[str, int], after: Mapping[str, int]) -> bool:
    items = {item for way in RULES[what][1] for item in way} if what in RULES else set()
    return any(item in before and item in after and after[item] > before[item] for item in items)
