"""A browser in which Start was pressed, without any page: each act is one transaction, as on the web."""

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
from pro.features.assessments.answer_service import Outcome, Saved
from pro.features.forms import form_access, form_state
from pro.features.forms.form_access import FormSession
from pro.features.forms.form_state import FormState
from tests.support.factories import Way


@contextmanager
def working(house: AppContext, actor: Actor = SYSTEM) -> Iterator[UnitOfWork]:
    """A unit of work that is committed at the end of the block."""
    with transaction(house.engine) as session:
        yield house.work(session, actor)


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser in which Start was pressed. Each act is a transaction of its own."""

    house: AppContext
    way: Way
    secret: str
    language: str

    @contextmanager
    def sits(self) -> Iterator[tuple[UnitOfWork, FormSession]]:
        """The work and the sitting of one request."""
        with working(self.house) as work:
            here = form_access.sitting(work, self.way.ref, self.secret)
            work.actor = Actor("participant", here.participant.id, "participant")
            yield work, here

    def page(self, page_id: str, given: Mapping[str, Value | None], language: str = "") -> Saved:
        """Post one page."""
        with self.sits() as (work, here):
            return answer_service.save(work, here, page_id, given, language or self.language)

    def save(self, **values: Value | None) -> Saved:
        """Post each item's own page, in the order given; what came of the last."""
        saved = None
        for item, value in values.items():
            with self.sits() as (work, here):
                page = work.catalogue.instruments[here.assessment.instrument].page_of(item)
                saved = answer_service.save(work, here, page.id, {item: value}, self.language)
        assert saved is not None, "nothing to save"
        return saved

    def form(self) -> FormState:
        """The form as the next page would show it."""
        with self.sits() as (work, here):
            return form_state.read_form(work, here, self.language)

    def finish(self, **said: Value | None) -> None:
        """Answer every open page: what ``said`` names, else "none" (code 0, no tick, an empty field); then send."""
        self.finish_until("", **said)
        self.submit()

    def finish_until(self, page_id: str, **said: Value | None) -> None:
        """The same, but stop before ``page_id`` or, if it never comes, before sending."""
        now = self.form()
        while (page := now.page(now.next_position())) is not None and page.id != page_id:
            now = self.page(page.id, {name: said.get(name, least(now, name)) for name in page.items}).form

    def submit(self) -> None:
        """Press Send."""
        with self.sits() as (work, here):
            answer_service.submit(work, here, self.language)

    def advised(self) -> None:
        """Press on past the advice."""
        with self.sits() as (work, here):
            answer_service.advised(work, here)

    def outcome(self) -> Outcome:
        """The last page."""
        with self.sits() as (work, here):
            return answer_service.outcome(work, here)


def least(now: FormState, name: str) -> Value | None:
    """The quietest answer to an item."""
    item = now.instrument.items[name]
    return {"choice": min(item.codes, default=None), "list": ()}.get(item.kind)


def press_start(house: AppContext, way: Way, *, answered_by: str = "self", language: str = "zh_Hans") -> Browser:
    """A new browser that opens the link of ``way`` and presses Start."""
    with working(house) as work:
        assessment, _person = form_access.open_link(work, way.token)
        secret = form_access.begin(
            work, assessment, identified_by="link", answered_by=answered_by, device="phone", language=language
        )
    return Browser(house, way, secret, language)


def at_once(*calls: Callable[[], object]) -> None:
    """Run all calls in threads that start together; the first failure is raised."""
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
def hasty_threads() -> Iterator[None]:
    """Threads that take turns at every step meet each other everywhere."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
