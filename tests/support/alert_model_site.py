"""Run a small study for random histories: its people, its data files, its providers, and one worker.

Everything that may go wrong is a switch of the site; what people do is in ``alert_model_actions``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

import pytest

from pro.app_context import AppContext, UnitOfWork
from pro.catalogue import _absent_plan_words
from pro.catalogue.language_fallback import WordsByLanguage
from pro.features.accounts import account_admin
from pro.features.alerts import evaluation
from pro.features.operations import worker_steps
from pro.features.participants import clinical_facts
from pro.features.text_messages import delivery_receipts
from pro.i18n import Catalogs
from pro.messaging import outbox
from pro.messaging.sender_protocol import Letter, ProviderRefused, ProviderUnreachable
from pro.models import Assessment, Participant
from tests.support import factories, form_browser
from tests.support.factories import PLAN, Account, Clock, FormLinks
from tests.support.form_browser import FormBrowser

PLACES = ("on_call", "backup", "investigator", "coordinator", "administrator")
PARTICIPANTS = {"Wang": "zh_Hans", "Anna": "en"}
STAFF_PHONES = {"on_call": "+8618694075701", "investigator": "+8618694075702"}
ANOTHER_PLAN = "another_study"
STRANGER = "+8618694075713"
MODES = ("accepts", "refuses", "is_busy", "hangs", "answers_oddly", "lies")
SHORT_WAIT = 0.02
# A call that hangs is let go after this many seconds of real time, should a test forget it.
LONGEST_HANG = 60


@dataclass(frozen=True, slots=True)
class SeededSite:
    """What the template database holds: staff by place, and the first form of each participant, opened."""

    staff: Mapping[str, Account]
    ids: Mapping[str, int]
    forms: Mapping[str, tuple[FormLinks, str]]


def build_site(app_context: AppContext) -> SeededSite:
    """Build and commit the study: a nurse on call, a nurse as backup, one of each other role, two participants.

    Wang's breath is marked as known and stable.
    """
    with form_browser.unit_of_work(app_context) as work:
        staff = {
            "on_call": factories.account(work, "nurse", language="zh_Hans"),
            "backup": factories.account(work, "nurse", email="backup@example.org", name="Backup"),
            **{role: factories.account(work, role) for role in PLACES[2:]},
        }
        for place in ("on_call", "backup"):
            factories.duty(work, staff[place], place, days=365)
        work.actor = staff["administrator"].actor
        for place, phone in STAFF_PHONES.items():
            account_admin.set_phone(work, staff[place].id, phone)
        work.actor = staff["coordinator"].actor
        links, ids = {}, {}
        for number, (name, language) in enumerate(PARTICIPANTS.items()):
            person = factories.participant(work, f"NPC-00{number + 1}", language=language)
            ids[name] = person.id
        clinical_facts.set_fact(work, ids["Wang"], "stable_symptoms", 2, item="breath", days=14)
        for name in PARTICIPANTS:
            links[name] = factories.form(work, work.session.get_one(Participant, ids[name]))
    opened = {
        name: form_browser.press_start(app_context, links[name], language=language).secret
        for name, language in PARTICIPANTS.items()
    }
    return SeededSite(staff, ids, {name: (links[name], opened[name]) for name in PARTICIPANTS})


@dataclass
class ModelProvider:
    """A provider of email or text messages whose behaviour differs by address.

    ``accepted``: the letters that it took. A call in which the worker died never returns to anyone.
    """

    channel: str
    modes: dict[str, str] = field(default_factory=dict)
    accepted: list[Letter] = field(default_factory=list)
    lies: list[str] = field(default_factory=list)
    dying: bool = False
    closed: bool = False
    hanging: int = 0
    let_go: threading.Event = field(default_factory=threading.Event)
    at_once: int = 30

    def send(self, letter: Letter) -> str:
        """Take the letter, refuse it, hang or lie, as this address does."""
        mode = "hangs" if self.dying else self.modes.get(letter.address, "accepts")
        if mode == "hangs":
            self._hang()
            raise ProviderUnreachable("timeout", maybe_sent=True)
        if mode == "refuses":
            raise ProviderRefused("relaying_denied")
        if mode == "is_busy":
            raise ProviderUnreachable("busy")
        if mode == "answers_oddly":
            raise ProviderUnreachable("odd_answer", maybe_sent=True)
        self.accepted.append(letter)
        reference = f"{self.channel}{len(self.accepted)}"
        if mode == "lies":
            self.lies.append(reference)
        return reference

    def _hang(self) -> None:
        let_go = self.let_go
        self.hanging += 1
        let_go.wait(0 if self.closed else LONGEST_HANG)
        self.hanging -= 1

    def release(self) -> None:
        """End every call that hangs."""
        self.let_go.set()
        self.let_go = threading.Event()


@dataclass
class AlertSite:
    """The study at work. Switch its faults on and off; ``app_context`` is as they leave it."""

    whole: AppContext = field(repr=False)
    seeded: SeededSite = field(repr=False)
    clock: Clock
    closed: Callable[[], None] = field(repr=False)
    plan_gone: bool = False
    lost_languages: dict[str, str] = field(default_factory=dict)
    foreign_folder: bool = False
    mail: ModelProvider = field(default_factory=lambda: ModelProvider("email"))
    texts: ModelProvider = field(default_factory=lambda: ModelProvider("sms"))
    calls: outbox.ProviderCalls = field(init=False, repr=False)
    workers: int = 0
    # What the monotonic clock of the machine says: it goes on with the time that passes, and never back.
    seconds: float = 0
    patch: pytest.MonkeyPatch = field(default_factory=pytest.MonkeyPatch, repr=False)
    broken_judging: bool = False
    phones: dict[str, FormBrowser] = field(init=False)
    app_context: AppContext = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Open the form of each participant."""
        self.start_worker()
        self.refresh()
        self.phones = {
            name: FormBrowser(self.app_context, way, secret, PARTICIPANTS[name])
            for name, (way, secret) in self.seeded.forms.items()
        }

    def close(self) -> None:
        """End every call and the database's connections."""
        for provider in (self.mail, self.texts):
            provider.closed = True
            provider.release()
        self.calls.stop_renewing()
        self.calls.close()
        self.patch.undo()
        self.whole.engine.dispose()
        self.closed()

    # --- data files --------------------------------------------------------------------------------------------------

    @property
    def is_whole(self) -> bool:
        """Return True while every data file is there."""
        return not (self.plan_gone or self.lost_languages or self.foreign_folder or self.broken_judging)

    def refresh(self) -> None:
        """Read the data files anew, as a restart does: what is missing falls back as the catalogue does it."""
        catalogue, catalogs = self.whole.catalogue, self.whole.catalogs
        lost = {language for language, where in self.lost_languages.items() if where == "interface"}
        catalogs = Catalogs({name: words for name, words in catalogs.by_language.items() if name not in lost})
        plans = dict(catalogue.plans)
        if self.plan_gone:
            # The plan of another study is still there, as a system without any plan does not start.
            plans = {ANOTHER_PLAN: replace(plans[PLAN], id=ANOTHER_PLAN)}
        said = {
            (plan, language): catalogue.plan_words[PLAN, language]
            for plan in plans
            for _plan, language in catalogue.plan_words
            if self.lost_languages.get(language) != "plan"
        }
        self.app_context = replace(
            self.whole,
            catalogue=replace(
                catalogue,
                plans=MappingProxyType(plans),
                plan_words=WordsByLanguage(said, partial(_absent_plan_words, said, tuple(plans))),
                languages=("ar", *catalogue.languages) if self.foreign_folder else catalogue.languages,
            ),
            catalogs=catalogs,
        )
        if hasattr(self, "phones"):
            self.phones = {name: replace(phone, app_context=self.app_context) for name, phone in self.phones.items()}

    def break_judging(self, broken: bool) -> None:
        """Let every judging of a form raise an error, or mend it."""
        if broken and not self.broken_judging:
            self.patch.setattr(evaluation, "evaluate_rules", _fail)
        elif self.broken_judging and not broken:
            self.patch.undo()
        self.broken_judging = broken

    # --- providers and worker ----------------------------------------------------------------------------------------

    @property
    def providers(self) -> Mapping[str, ModelProvider]:
        """Return the provider of each channel."""
        return {"email": self.mail, "sms": self.texts}

    def address(self, place: str, channel: str) -> str:
        """Return a staff member's email address or phone."""
        return self.seeded.staff[place].email if channel == "email" else STAFF_PHONES.get(place, "")

    def mode(self, place: str, channel: str) -> str:
        """Return what the provider does with messages to a member of staff."""
        return self.providers[channel].modes.get(self.address(place, channel), "accepts")

    def set_mode(self, place: str, channel: str, mode: str) -> None:
        """Change what the provider does with messages to a member of staff."""
        self.providers[channel].modes[self.address(place, channel)] = mode
        if mode != "hangs":
            for one in self.providers.values():
                one.release()
            self.wait_until_let_go()

    def pass_time(self, **delta: float) -> None:
        """Let time pass on both clocks."""
        before = self.clock.now
        self.seconds += (self.clock.move(**delta) - before).total_seconds()

    def start_worker(self) -> None:
        """Start a worker, which keeps its calls to the providers and its own account of time."""
        self.workers += 1
        self.calls = outbox.ProviderCalls(outbox.ClaimTimes(wait=SHORT_WAIT), lambda: self.seconds)

    def run_worker(self) -> None:
        """Run every job of the worker once, and deliver what it queued."""
        worker_steps.run_jobs(self.app_context, self.providers, f"worker:{self.workers}", self.calls)
        self.deliver()

    def deliver(self) -> None:
        """Deliver until nothing is due but what hangs, however busy the machine is."""
        worker = f"worker:{self.workers}"
        for _round in range(50):
            self.wait_for_calls()
            if not worker_steps.deliver_outbox(self.app_context, self.providers, worker, self.calls):
                self.wait_for_calls()
                if not self.calls.ended():
                    break

    def wait_for_calls(self) -> None:
        """Wait until every call has ended or hangs."""
        for _moment in range(5000):
            if sum(not call.future.done() for call in self.calls._calls) <= self.hanging:
                break
            time.sleep(0.001)

    def wait_until_let_go(self) -> None:
        """Wait until no call hangs."""
        for _moment in range(5000):
            if not self.hanging:
                break
            time.sleep(0.001)

    @property
    def hanging(self) -> int:
        """Return how many calls hang. Those of a worker that died were let go."""
        return sum(one.hanging for one in self.providers.values())

    def kill_worker(self) -> None:
        """Let the worker claim what is due, call the provider and die; another worker starts and looks around."""
        for one in self.providers.values():
            one.dying = True
        worker_steps.deliver_outbox(self.app_context, self.providers, f"worker:{self.workers}", self.calls)
        self.wait_for_calls()
        self.calls.stop_renewing()
        for one in self.providers.values():
            one.dying = False
            one.release()
        self.wait_until_let_go()
        self.start_worker()
        worker_steps.deliver_outbox(self.app_context, self.providers, f"worker:{self.workers}", self.calls)

    def send_receipts(self) -> None:
        """Report every text message that the provider only said to have accepted as not delivered."""
        lies, self.texts.lies = self.texts.lies, []
        with form_browser.unit_of_work(self.app_context) as work:
            for reference in lies:
                delivery_receipts.record_receipt(work, reference, "undelivered", "phone_unreachable")

    # --- many forms that cannot be judged ----------------------------------------------------------------------------

    def abandon_forms_of_removed_plan(self, number: int = 52) -> None:
        """Leave ``number`` forms idle whose plan was removed long ago."""
        with form_browser.unit_of_work(self.whole) as work:
            _abandon_forms(work, number)


def _abandon_forms(work: UnitOfWork, number: int) -> None:
    person = factories.participant(work, "OLD-001", phone="", language="en")
    person.plan = "removed"
    form = work.session.get_one(Assessment, _any_form_id(work))
    same = {
        column.key: getattr(form, column.key)
        for column in Assessment.__mapper__.column_attrs
        if column.key not in ("id", "ref", "participant_id", "evaluate_next_at", "submitted_at")
    }
    for place in range(number):
        row = Assessment(**same, ref=f"old{place}", participant_id=person.id, evaluate_next_at=work.now)
        row.last_answer_at = row.first_answer_at = work.now
        work.session.add(row)


def _any_form_id(work: UnitOfWork) -> int:
    found = work.session.query(Assessment.id).order_by(Assessment.id).first()
    assert found is not None
    return int(found[0])


def _fail(*_arguments: object, **_named: object) -> None:
    raise RuntimeError("judging is broken on purpose")
