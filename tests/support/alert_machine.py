"""Write random histories of alerts and compare the program with the reference after every step (docs/alerts.md 5).

The rules are named as what happens, so the history of a failure reads as a story.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, precondition, rule

from pro.core.rule_language.level import Level
from tests.support import alert_model_actions as actions
from tests.support import alert_reference as reference
from tests.support import alert_rows
from tests.support.alert_model_actions import Observed, PageSeen
from tests.support.alert_model_site import MODES, PARTICIPANTS, PLACES, AlertSite
from tests.support.alert_reference import Reference, Sign

NAMES = st.sampled_from(sorted(PARTICIPANTS))
STAFF = st.sampled_from(PLACES[:3])
ANSWERS = st.sampled_from(
    [
        (item, value)
        for item, values in {
            "bleed": (0, 2, 3, 4),
            "bleed_now": (0, 1),
            "breath": (0, 2, 3),
            "faint": (0, 1),
            "odor": (2, 3),
            "headache": (3,),
        }.items()
        for value in values
    ]
)
EMERGENCIES = st.sampled_from([("bleed", 4), ("breath", 3), ("faint", 2)])
WORDS = st.sampled_from(sorted(reference.TEXTS))
MINUTES = st.sampled_from([0, 1, 3, 10, 16, 31, 46, 61, 250, 1500])
# What may go wrong in one history; without limits nearly every history would have everything broken.
WEATHER = st.sampled_from(
    ["fair", "fair", "fair", "providers", "providers", "plan", "languages", "program", "abandoned", "clock", "storm"]
)
SETTLING_ROUNDS, SECONDS_BETWEEN_ROUNDS = 6, 5


def in_weather(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Allow a rule in one kind of weather, and in a storm."""
    return precondition(lambda self: self.weather in (name, "storm"))


def step(**what: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make a rule after which the program is compared with the reference."""

    def decorate(does: Callable[..., Any]) -> Any:
        @wraps(does)
        def run(self: AlertMachine, **chosen: Any) -> Any:
            self.story.append(f"{self.now:%d %H:%M:%S} {does.__name__}({_words(chosen)})")
            result = does(self, **chosen)
            self.compare()
            return result

        return rule(**what)(run)

    return decorate


def _words(chosen: dict[str, Any]) -> str:
    """Return the arguments of a step; of a page, whose and of which case."""
    shown = {name: f"{value[0].by}'s of {value[0].case}" if name == "page" else value for name, value in chosen.items()}
    return ", ".join(f"{name}={value}" for name, value in shown.items())


@dataclass(slots=True)
class FormFollowed:
    """A form as the participant knows it. ``judged_idle``: the worker judged it since the last answer."""

    answers: dict[str, int] = field(default_factory=dict)
    text: str = ""
    sent: bool = False
    last_at: datetime | None = None
    judged_idle: bool = False


class AlertMachine(RuleBasedStateMachine):
    """Random histories of one site; a subclass says how to make it."""

    new_site: Callable[[], AlertSite]
    pages = Bundle("pages")

    def __init__(self) -> None:
        super().__init__()
        self.site = type(self).new_site()
        self.reference = Reference()
        self.story: list[str] = []
        self.forms: defaultdict[str, FormFollowed] = defaultdict(FormFollowed)
        self.unread: dict[int, Level] = {}
        self.read_at: defaultdict[str, list[datetime]] = defaultdict(list)
        self.late: set[str] = set()
        self.before: Observed = actions.observe(self.site)
        self.may_acknowledge: Sequence[int] = ()
        self.may_close: Sequence[int] = ()
        self.latest = self.now
        self.weather, self.many_abandoned = "fair", False
        self.wrong: list[str] = []
        # What was observed at the end of a round of the worker, to save a second look.
        self.fresh: Observed | None = None
        self.reference.marked.add(actions.form_of(self.site, "Wang"))

    @property
    def now(self) -> datetime:
        """Return the time of the site."""
        return self.site.clock.now

    def teardown(self) -> None:
        """Close the site."""
        self.site.close()

    @initialize(of=WEATHER)
    def weather_is(self, of: str) -> None:
        """Choose what may go wrong."""
        self.weather = of

    # --- participants ------------------------------------------------------------------------------------------------

    @step(name=NAMES, answer=ANSWERS)
    def participant_answers(self, name: str, answer: tuple[str, int]) -> None:
        """Answer a question, also a second time."""
        self.answers(name, *answer)

    @step(name=NAMES, item=st.sampled_from(["bleed", "breath", "faint", "odor"]))
    def participant_takes_back(self, name: str, item: str) -> None:
        """Delete an answer."""
        form = self.form(name)
        if item in form.answers and actions.participant_takes_back(self.site, name, item):
            del form.answers[item]
            if item == "bleed":
                form.answers.pop("bleed_now", None)
            self.answered(name)

    @step(name=NAMES, words=WORDS)
    def participant_writes_in_form(self, name: str, words: str) -> None:
        """Write into the text field, or rewrite what stands there."""
        form = self.form(name)
        if actions.participant_answers(self.site, name, "free_text", words) and form.text != words:
            form.text = words
            self.answered(name)

    @step(name=NAMES)
    def participant_sends_form(self, name: str) -> None:
        """Submit the form; the next answer begins another one."""
        form = self.form(name)
        if form.answers and not form.sent and actions.participant_sends_form(self.site, name):
            form.sent = True
            self.judge(actions.form_of(self.site, name), silent=True)

    @precondition(lambda self: any(form.sent for form in self.forms.values()))
    @step(name=NAMES)
    def participant_gets_form(self, name: str) -> None:
        """Get another form once the last was sent."""
        if self.form(name).sent and actions.participant_gets_form(self.site, name) and name == "Wang":
            self.reference.marked.add(actions.form_of(self.site, name))

    @step(name=NAMES)
    def participant_confirms_advice(self, name: str) -> None:
        """Press the button below the emergency advice."""
        actions.participant_confirms_advice(self.site, name)

    @step(name=NAMES, words=WORDS)
    def participant_texts(self, name: str, words: str) -> None:
        """Send a text message."""
        number = actions.participant_texts(self.site, name, words)
        self.reference.text_came(name, number, words, self.now)

    @step(name=NAMES, words=st.sampled_from(["我喘不过气", "嘴里有臭味"]))
    def participant_chats(self, name: str, words: str) -> None:
        """Type a red flag into the chat instead of an answer."""
        number = actions.participant_chats(self.site, name, words)
        if number:
            self.reference.text_came(name, number, words, self.now)
        form = self.form(name)
        stored = actions.stored_answers(self.site, name)
        if {item: stored[item] for item in stored if item in form.answers} != form.answers:
            form.answers = stored
            self.answered(name)

    @step(name=NAMES)
    def participant_leaves(self, name: str) -> None:
        """Withdraw consent."""
        actions.participant_leaves(self.site, name)

    @step(words=WORDS, number=st.sampled_from([1, 1, 4]))
    def stranger_texts(self, words: str, number: int) -> None:
        """Get texts from a number of no participant."""
        for _time in range(number):
            row = actions.stranger_texts(self.site, words)
            self.unread[row] = reference.TEXTS[words]

    # --- staff -------------------------------------------------------------------------------------------------------

    @step(name=NAMES, answer=ANSWERS)
    def paper_form_is_entered(self, name: str, answer: tuple[str, int]) -> None:
        """Type a form that was filled on paper."""
        item, value = answer
        given = {item: value, **({"bleed": 3} if item == "bleed_now" else {})}
        case = actions.paper_is_entered(self.site, name, given)
        if case:
            form = self.forms[case]
            form.answers, form.sent = {**actions.QUIET, **given}, True
            if name == "Wang":
                self.reference.marked.add(case)
            self.judge(case, silent=True)

    @precondition(lambda self: any(form.sent for form in self.forms.values()))
    @step(answer=ANSWERS, which=st.integers(0, 5))
    def answer_is_corrected(self, answer: tuple[str, int], which: int) -> None:
        """Correct an answer of a form that was sent."""
        sent = [case for case, form in self.forms.items() if form.sent]
        case, (item, value) = sent[which % len(sent)], answer
        if actions.answer_is_corrected(self.site, case, item, value):
            self.forms[case].answers[item] = value
            if item == "bleed" and not value:
                self.forms[case].answers.pop("bleed_now", None)
            self.judge(case, silent=True)

    @step(by=STAFF)
    def staff_reads_to_do_list(self, by: str) -> None:
        """Open the to-do list: all that waits is on it."""
        cases, texts = actions.staff_reads_to_do_list(self.site, by)
        waiting = {row.case for row in self.before.alerts if row.waits and row.level >= Level.URGENT}
        self.wrong += [f"{case} waits and is not on the to-do list" for case in waiting - cases]
        self.wrong += [f"text {row} of a stranger was read by no person" for row in self.unread.keys() - texts]

    @precondition(lambda self: self.open_cases())
    @step(target=pages, by=STAFF, which=st.integers(0, 5))
    def staff_opens_page(self, by: str, which: int) -> object:
        """Open the page of a case and leave it open."""
        cases = self.open_cases()
        case = cases[which % len(cases)]
        page = actions.staff_opens_page(self.site, by, case)
        if page is None:
            return multiple()
        open_now = {row.id for row in self.before.alerts if row.case == case and not row.closed}
        if not open_now <= set(page.ids):
            self.wrong.append(f"the page of {case} does not show alerts {sorted(open_now - set(page.ids))}")
        return page, self.reference.shown(case)

    @step(page=pages)
    def staff_acknowledges(self, page: tuple[PageSeen, list[Sign]]) -> None:
        """Press Acknowledge on a page that may be old."""
        self.acknowledges(*page)

    @step(by=STAFF, name=NAMES, first=ANSWERS, second=ANSWERS)
    def participant_goes_on_while_page_is_open(
        self, by: str, name: str, first: tuple[str, int], second: tuple[str, int]
    ) -> None:
        """Answer, let the page be opened, answer again, and let the open page be acknowledged."""
        self.answers(name, *first)
        case = actions.form_of(self.site, name)
        page, signs = actions.staff_opens_page(self.site, by, case), self.reference.shown(case)
        self.answers(name, *second)
        if page is not None:
            self.acknowledges(page, signs)

    @step(page=pages)
    def staff_takes_over(self, page: tuple[PageSeen, list[Sign]]) -> None:
        """Press Take over on a page that may be old."""
        if actions.staff_takes_over(self.site, page[0]):
            self.refuse_unseen(page[0], "taken over")

    @step(page=pages)
    def staff_grades_and_closes(self, page: tuple[PageSeen, list[Sign]]) -> None:
        """Sign the grading and close on a page that may be old."""
        seen, signs = page
        if actions.staff_grades(self.site, seen):
            self.refuse_unseen(seen, "graded")
        self.site.pass_time(seconds=1)
        if actions.staff_closes(self.site, seen):
            self.refuse_unseen(seen, "closed")
            self.may_close = seen.ids
            for sign in signs:
                sign.standing = False

    @precondition(lambda self: self.unread)
    @step(by=STAFF)
    def staff_reads_stranger(self, by: str) -> None:
        """Read the oldest text of a stranger and dismiss it."""
        number = min(self.unread)
        if actions.staff_dismisses(self.site, by, number):
            del self.unread[number]
            self.read_at["stranger"].append(self.now)

    # --- the system --------------------------------------------------------------------------------------------------

    @step(minutes=MINUTES)
    def worker_runs_after(self, minutes: int) -> None:
        """Let time pass and the worker run every job once."""
        self.site.pass_time(minutes=minutes)
        self.round_of_worker()

    @step()
    def worker_runs_for_a_while(self) -> None:
        """Let the worker run until what was refused has been told to another."""
        for _round in range(SETTLING_ROUNDS):
            self.site.pass_time(seconds=SECONDS_BETWEEN_ROUNDS)
            self.round_of_worker()
        modes = {mode for one in self.site.providers.values() for mode in one.modes.values()}
        reachable = any(self.site.mode(place, "email") == "accepts" for place in PLACES)
        if self.site.is_whole and reachable and modes <= {"accepts", "refuses"}:
            seen = self.fresh or actions.observe(self.site)
            for case, (_at, newest) in self.reference.waiting_since.items():
                states = {one.state for one in seen.messages if one.case == case and one.id > newest}
                if not states & {"told", "queued"} and case not in self.late:
                    self.wrong.append(f"{case} was refused, and nobody else was told")

    @in_weather("providers")
    @step()
    def worker_dies_in_call(self) -> None:
        """Kill the worker while it calls the provider."""
        self.site.kill_worker()

    @in_weather("providers")
    @step(
        place=st.sampled_from(PLACES), channel=st.sampled_from(["email", "email", "sms"]), mode=st.sampled_from(MODES)
    )
    def provider_begins_to(self, place: str, channel: str, mode: str) -> None:
        """Change what the provider does with the messages to one address."""
        self.site.set_mode(place, channel, mode)

    @in_weather("providers")
    @step(channel=st.sampled_from(["email", "sms"]), mode=st.sampled_from(MODES))
    def provider_begins_to_all(self, channel: str, mode: str) -> None:
        """Change what the provider does with every message."""
        for place in PLACES:
            self.site.set_mode(place, channel, mode)

    @in_weather("providers")
    @step(name=NAMES, place=st.sampled_from(["on_call", "investigator"]), first=EMERGENCIES, second=EMERGENCIES)
    def participant_goes_on_while_one_mail_waits(
        self, name: str, place: str, first: tuple[str, int], second: tuple[str, int]
    ) -> None:
        """Answer with an emergency of which one person's mail cannot leave, then with another one."""
        self.site.set_mode(place, "email", "is_busy")
        for item, value in (first, second):
            actions.participant_confirms_advice(self.site, name)
            self.answers(name, item, value)
            self.compare()
            self.site.pass_time(minutes=1)
            self.round_of_worker()
            self.compare()

    @in_weather("providers")
    @step()
    def receipts_come(self) -> None:
        """Hear of the text messages that did not arrive."""
        self.site.send_receipts()

    @step(minutes=MINUTES)
    def time_passes(self, minutes: int) -> None:
        """Wait."""
        self.site.pass_time(minutes=minutes)

    @in_weather("clock")
    @step()
    def clock_jumps_back(self) -> None:
        """Set the clock back by a minute and a half."""
        self.site.clock.move(seconds=-90)

    @in_weather("plan")
    @step()
    def plan_goes(self) -> None:
        """Remove the plan file."""
        self.site.plan_gone = True
        self.site.refresh()

    @in_weather("languages")
    @step(language=st.sampled_from(["zh_Hans", "en"]), where=st.sampled_from(["interface", "plan"]))
    def language_goes(self, language: str, where: str) -> None:
        """Remove the folder of a language of the interface or the plan."""
        if len(self.site.lost_languages) == 0:
            self.site.lost_languages[language] = where
            self.site.refresh()

    @in_weather("languages")
    @step()
    def folder_of_another_language_comes(self) -> None:
        """Add a folder of a language that has no words for the plan."""
        self.site.foreign_folder = True
        self.site.refresh()

    @in_weather("program")
    @step()
    def judging_breaks(self) -> None:
        """Let the program fail whenever it judges a form."""
        self.site.break_judging(True)

    @precondition(lambda self: self.weather in ("abandoned", "storm") and not self.many_abandoned)
    @step()
    def many_forms_are_abandoned(self) -> None:
        """Leave many idle forms of a plan that is gone."""
        self.many_abandoned = True
        self.site.abandon_forms_of_removed_plan()

    @precondition(lambda self: not self.site.is_whole)
    @step()
    def files_are_put_right(self) -> None:
        """Bring every file and program back."""
        self.site.plan_gone = self.site.foreign_folder = False
        self.site.lost_languages.clear()
        self.site.break_judging(False)
        self.site.refresh()

    # --- after every step --------------------------------------------------------------------------------------------

    def compare(self) -> None:
        """Compare with the reference; what was wrong within the step counts as well."""
        seen, self.latest = self.fresh or actions.observe(self.site), max(self.latest, self.now)
        newest = max((one.id for one in self.before.messages), default=0)
        wrong = self.wrong + alert_rows.wrong_changes(
            self.before.alerts, seen.alerts, self.may_acknowledge, self.may_close
        )
        wrong += self.reference.wrong_open(seen.alerts)
        wrong += self.reference.wrong_telling(seen.alerts, seen.messages, self.now, seen.health, newest)
        wrong += alert_rows.wrong_flood(seen.messages, self.read_at)
        if not self.site.is_whole:
            self.late |= set(self.reference.waiting_since)
        self.late &= set(self.reference.waiting_since)
        self.before, self.may_acknowledge, self.may_close, self.wrong = seen, (), (), []
        self.fresh = None
        self.complain(wrong)

    def complain(self, wrong: Sequence[str]) -> None:
        """Fail with what is wrong."""
        assert not wrong, "\n".join([*wrong, "after:", *self.story])

    # --- within ------------------------------------------------------------------------------------------------------

    def form(self, name: str) -> FormFollowed:
        """Return the form that the participant has now."""
        return self.forms[actions.form_of(self.site, name)]

    def answers(self, name: str, item: str, value: int) -> None:
        """Answer a question and follow what came of it."""
        form = self.form(name)
        if actions.participant_answers(self.site, name, item, value) and form.answers.get(item) != value:
            form.answers[item] = value
            if not form.answers.get("bleed", 1):
                form.answers.pop("bleed_now", None)
            self.answered(name)

    def acknowledges(self, page: PageSeen, signs: Sequence[Sign]) -> None:
        """Acknowledge a page and follow what came of it."""
        if actions.staff_acknowledges(self.site, page):
            self.may_acknowledge = page.ids
            for sign in signs:
                sign.waiting = False
            self.read_at[self.sender_of(page.case)].append(self.now)

    def answered(self, name: str) -> None:
        """Note that an answer or text was committed, which is judged at once."""
        case = actions.form_of(self.site, name)
        self.forms[case].last_at, self.forms[case].judged_idle = self.now, False
        self.judge(case)

    def judge(self, case: str, *, silent: bool = False) -> None:
        """Follow the judging of a form."""
        form = self.forms[case]
        if self.site.plan_gone or self.site.broken_judging:
            self.reference.form_not_judged(case, self.now, form.last_at or self.now)
            return
        self.reference.form_judged(case, form.answers, self.now, silent=silent)
        self.reference.form_text(case, form.text, self.now)

    def round_of_worker(self) -> None:
        """Run the worker, and follow the forms that lie idle."""
        self.site.run_worker()
        for case, form in self.forms.items():
            idle = form.last_at is not None and self.now - form.last_at >= reference.SILENT_AFTER
            if idle and not form.sent and not form.judged_idle:
                self.judge(case, silent=True)
                form.judged_idle = not (self.site.plan_gone or self.site.broken_judging)
        self.fresh = seen = actions.observe(self.site)
        newest = max((one.id for one in self.before.messages), default=0)
        self.reference.wrong_telling(seen.alerts, seen.messages, self.now, seen.health, newest)
        if self.site.is_whole and self.now >= self.latest:
            cases = {row.case for row in seen.alerts if row.case.startswith("assessment:")}
            abandoned = cases - self.forms.keys() if self.many_abandoned else set()
            self.wrong += self.reference.wrong_ladder(seen.alerts, seen.messages, self.now, self.late, abandoned)
            self.wrong += self.unsent(seen)

    def unsent(self, seen: Observed) -> list[str]:
        """Return the messages that lie although nothing hinders them: their claim is free, their address accepts."""
        free = self.now - reference.CLAIM_FREE_AFTER
        return [
            f"message {one.id} to {one.person} lies claimed by a worker that died"
            for one in seen.messages
            if one.state == "queued"
            and one.due_at <= self.now
            and self.site.mode(one.person, one.channel) == "accepts"
            and (one.claimed_at is None or one.claimed_at < free)
        ]

    def refuse_unseen(self, page: PageSeen, act: str) -> None:
        """Note as wrong that a case was acted on while an open alert had not been shown."""
        open_now = {
            row.id for row in self.before.alerts if row.case == page.case and not (row.closed or row.superseded)
        }
        if not open_now <= set(page.ids):
            self.wrong.append(f"{page.case} was {act} without alerts {sorted(open_now - set(page.ids))} being shown")

    def open_cases(self) -> list[str]:
        """Return the cases in which a sign stands."""
        return list(dict.fromkeys(sign.case for sign in self.reference.signs if sign.standing))

    def sender_of(self, case: str) -> str:
        """Return who wrote the texts of a case, as messages name the sender; "" for a form."""
        return next((one.sender for one in self.before.messages if one.case == case), "")
