"""Drive a form session without pages: each method runs in one transaction, as on the web."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pro.app_context import SYSTEM, Actor, AppContext, UnitOfWork
from pro.core.questionnaire.instrument import Value
from pro.db import transaction
from pro.features.assessments import answer_service
from pro.features.assessments.answer_service import SaveResult, SubmissionOutcome
from pro.features.forms import form_access, form_state
from pro.features.forms.form_access import FormSession
from pro.features.forms.form_state import FormState
from tests.support.factories import FormLinks


@contextmanager
def unit_of_work(app_context: AppContext, actor: Actor = SYSTEM) -> Iterator[UnitOfWork]:
    """Yield a unit of work that is committed at the end of the block."""
    with transaction(app_context.engine) as session:
        yield app_context.unit_of_work(session, actor)


@dataclass(frozen=True, slots=True)
class FormBrowser:
    """A form session in which Start was pressed. Each method runs in its own transaction."""

    app_context: AppContext
    way: FormLinks
    secret: str
    language: str

    @contextmanager
    def open_session(self) -> Iterator[tuple[UnitOfWork, FormSession]]:
        """Yield the unit of work and the form session of one request."""
        with unit_of_work(self.app_context) as work:
            here = form_access.session_of(work, self.way.ref, self.secret)
            work.actor = Actor("participant", here.participant.id, "participant")
            yield work, here

    def page(self, page_id: str, given: Mapping[str, Value | None], language: str = "") -> SaveResult:
        """Post one page."""
        with self.open_session() as (work, here):
            return answer_service.save_answers(work, here, page_id, given, language or self.language)

    def save(self, **values: Value | None) -> SaveResult:
        """Post each item's own page, in the order given; return the result of the last."""
        saved = None
        for item, value in values.items():
            with self.open_session() as (work, here):
                page = work.catalogue.instruments[here.assessment.instrument].page_of(item)
                saved = answer_service.save_answers(work, here, page.id, {item: value}, self.language)
        assert saved is not None, "nothing to save"
        return saved

    def form(self) -> FormState:
        """Return the form as the next page would show it."""
        with self.open_session() as (work, here):
            return form_state.read_form(work, here, self.language)

    def finish(self, **said: Value | None) -> None:
        """Answer every open page and submit.

        Items not in ``said`` get the answer "none": code 0, nothing ticked, an empty field.
        """
        self.finish_until("", **said)
        self.submit()

    def finish_until(self, page_id: str, **said: Value | None) -> None:
        """Answer as ``finish`` does, but stop before ``page_id`` or before submitting."""
        now = self.form()
        while (page := now.page(now.next_position())) is not None and page.id != page_id:
            now = self.page(page.id, {name: said.get(name, quietest_answer(now, name)) for name in page.items}).form

    def submit(self) -> None:
        """Submit the form."""
        with self.open_session() as (work, here):
            answer_service.submit_form(work, here, self.language)

    def advised(self) -> None:
        """Confirm the emergency advice."""
        with self.open_session() as (work, here):
            answer_service.acknowledge_advice(work, here)

    def outcome(self) -> SubmissionOutcome:
        """Return the last page."""
        with self.open_session() as (work, here):
            return answer_service.submission_outcome(work, here)


def quietest_answer(now: FormState, name: str) -> Value | None:
    """Return the answer to an item that means no symptom."""
    item = now.instrument.items[name]
    return {"choice": min(item.codes, default=None), "list": ()}.get(item.kind)


def press_start(
    app_context: AppContext, way: FormLinks, *, answered_by: str = "self", language: str = "zh_Hans"
) -> FormBrowser:
    """Open the link of ``way`` in a new browser and press Start."""
    with unit_of_work(app_context) as work:
        assessment, _person = form_access.open_link(work, way.token)
        secret = form_access.begin_session(
            work, assessment, identified_by="link", answered_by=answered_by, device="phone", language=language
        )
    return FormBrowser(app_context, way, secret, language)


def run_concurrently(*calls: Callable[[], object]) -> None:
    """Run all calls in threads that start together; raise the first failure."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        try:
            start.wait(10)
            call()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]


@contextmanager
def frequent_thread_switches() -> Iterator[None]:
    """Switch threads as often as possible, so that races between them show."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
