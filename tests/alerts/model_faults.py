"""Take out each fix and show that the model of alerts finds the fault: ``make model-faults``.

Each fault is one change to one function, made for a run of the model on SQLite; the run stops at its first failure.
Prints a table: fault, found after how many examples and seconds, and what the model said.
"""

from __future__ import annotations

import itertools
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import select

from pro import db, i18n
from pro.catalogue import read_catalogue
from pro.features.alerts import alert_service, evaluation, text_screening
from pro.features.alerts.pages import alert_views
from pro.features.duty_roster import escalation, notifications, recipients, staff_messages
from pro.features.operations import worker_health, worker_steps
from pro.features.text_messages import unknown_senders
from pro.messaging import claims, outbox
from pro.models import Alert, Assessment
from tests.support.alert_machine import AlertMachine
from tests.support.alert_model_site import AlertSite, build_site
from tests.support.clinic_fixtures import app_context_on
from tests.support.factories import Clock
from tests.support.speedups import speed_up
from tests.support.stale_page_machine import StalePageMachine

ROOT = Path(__file__).parents[2]
EXAMPLES, STEPS = 200, 30
Patch = pytest.MonkeyPatch
Fault = tuple[Callable[[Patch], None], type[AlertMachine] | type[StalePageMachine]]


def text_keeps_its_alert(patch: Patch) -> None:
    """Point 1 and 3: a text of a form that is written anew has no alert of its own."""
    real = evaluation._screen_new_texts

    def first_text_only(*given: Any) -> Any:
        before = given[4]
        return () if any(alert.rule == evaluation.FREE_TEXT for alert in before) else real(*given)

    patch.setattr(evaluation, "_screen_new_texts", first_text_only)


def worse_answer_keeps_its_alert(patch: Patch) -> None:
    """Point 1: a rule that fires again or on a worse answer has no alert of its own."""
    patch.setattr(evaluation, "_renewed_findings", lambda *_given: set())


def lowered_by_the_system(patch: Patch) -> None:
    """Point 1: an answer that is taken back closes its alerts."""
    real = alert_service._close_or_cover

    def close_what_ceased(work: Any, plan: Any, found: Any, alerts: Any) -> None:
        for alert in alerts:
            if alert.rule not in found.verdict.fired and alert.rule != evaluation.FREE_TEXT and not alert.closed_at:
                alert.closed_at, alert.disposition = work.now, "no_action"
        real(work, plan, found, alerts)

    patch.setattr(alert_service, "_close_or_cover", close_what_ceased)


def acknowledges_whole_case(patch: Patch) -> None:
    """Point 2: Acknowledge takes whatever the case holds by then."""
    real = alert_service.acknowledge

    def acknowledge(work: Any, ids: Any) -> Any:
        alerts = list(work.session.scalars(select(Alert)))
        cases = {alert.source for alert in alerts if alert.id in ids}
        return real(work, [alert.id for alert in alerts if alert.source in cases])

    patch.setattr(alert_service, "acknowledge", acknowledge)


def acts_on_unseen(patch: Patch) -> None:
    """Point 2: take over, grade and mark as stable do not ask what was shown."""
    patch.setattr(alert_service, "unseen_alerts", lambda *_given: [])


def page_sends_what_is_there_now(patch: Patch) -> None:
    """Point 2: the page's posted ids are ignored for what is open at the time of the press."""
    patch.setattr(alert_views, "_shown_alert_ids", lambda page: list(page.shown_ids))


def message_undoes_alert(patch: Patch) -> None:
    """Point 4: a message that cannot be composed fails the transaction that raised the alert."""

    def strict(work: Any, person: Any, template: str, params: Any, key: str, **more: Any) -> bool:
        work.app_context.catalogs.translator(person.language)
        return (
            staff_messages.queue_staff_message(work, person, template, params, key, as_alert=True, **more) is not None
        )

    def notify(work: Any, plan: Any, raised: Any, before: Any = ()) -> None:
        case = notifications._build_case(work, list(raised), plan, [])
        duty = recipients.read_duty_state(work)
        for one in escalation.first_notices(work, case, duty):
            escalation.queue_notice(work, case, one)

    patch.setattr(staff_messages, "queue_alert_message", strict)
    patch.setattr(notifications, "notify_staff", notify)


def not_judged_is_silent(patch: Patch) -> None:
    """Point 5: a form that cannot be judged raises nothing."""
    patch.setattr(alert_service, "_raise_unjudged", lambda *_given, **_named: [])


def unjudged_is_healthy(patch: Patch) -> None:
    """Point 5: /health does not ask for forms that could not be judged."""
    patch.setattr(worker_health, "_has_forms_not_evaluated", lambda _work: False)


def broken_forms_come_first(patch: Patch) -> None:
    """Point 5: forms that cannot be judged are tried again at once, before all others."""

    real = worker_steps._evaluate_form

    def evaluate_form(work: Any, assessment_id: int) -> int:
        assessment = work.session.get_one(Assessment, assessment_id)
        if alert_service.plan_of(work, assessment) is None:
            raise KeyError(assessment_id)
        return real(work, assessment_id)

    patch.setattr(worker_steps, "_evaluate_form", evaluate_form)
    patch.setattr(worker_steps, "_report_evaluation", lambda _work, assessment_id: 0)


def never_repeated(patch: Patch) -> None:
    """Point 6: nothing is sent after the last step."""
    patch.setattr(escalation._CaseRound, "_repeats", lambda _self: iter(()))


def second_emergency_is_silent(patch: Patch) -> None:
    """Point 6: a second emergency in a case is not told."""
    real = notifications._build_case

    def first_only(*given: Any, **named: Any) -> Any:
        case = real(*given, **named)
        return replace(case, newest_at=case.since)

    patch.setattr(notifications, "_build_case", first_only)
    patch.setattr(
        notifications,
        "_is_covered",
        lambda _work, first, earlier: first.level <= max((one.level for one in earlier), default=0),
    )


def one_waiting_message_covers_all(patch: Patch) -> None:
    """Point 6: a message to one person that has not left yet counts as told to everybody."""

    def has_newest(self: Any, _person: Any) -> bool:
        since, loud = self.case.newest_at, [one for one in self.case.notices if one.level >= self.case.level]
        recent = [one for one in loud if one.queued_at >= self.case.since and one.state != "dropped"]
        paused = any(one.queued_at > self.work.now - escalation.GROUP_PAUSE for one in recent)
        refused = any(one.state == "refused" and one.queued_at >= since for one in loud)
        return refused or any(one.covers(since) for one in loud) or (self.case.is_grouped and paused)

    patch.setattr(escalation._CaseRound, "_has_newest", has_newest)


def refused_counts_as_told(patch: Patch) -> None:
    """Point 7: a message that was refused for good is followed by nothing, and /health is ok."""
    patch.setattr(escalation._CaseRound, "_after_refusals", lambda _self: iter(()))
    patch.setattr(notifications, "untold_sources", lambda _work: [])


def refused_goes_to_nobody_else(patch: Patch) -> None:
    """Point 7: a message that was refused for good is followed by nothing."""
    patch.setattr(escalation._CaseRound, "_after_refusals", lambda _self: iter(()))


def untold_is_healthy(patch: Patch) -> None:
    """Point 7: /health does not ask whether a person was told."""
    patch.setattr(notifications, "untold_sources", lambda _work: [])


def dead_claims_last(patch: Patch) -> None:
    """Point 8: a message claimed by a worker that died lies for ten minutes."""
    patch.setattr(outbox, "ClaimTimes", partial(claims.ClaimTimes, lease=600.0))


def each_text_is_told(patch: Patch) -> None:
    """Point 9: every text of one participant is a case of its own."""
    patch.setattr(text_screening, "_waiting_text_case", lambda _work, _participant_id: ("", []))


def strangers_are_not_grouped(patch: Patch) -> None:
    """Point 9: every text of an unknown number is told at once."""
    real = unknown_senders._quarantine_case
    patch.setattr(
        unknown_senders, "_quarantine_case", lambda work, rows, sent: replace(real(work, rows, sent), is_grouped=False)
    )


FAULTS: Mapping[str, Fault] = {
    "1, 3 a rewritten text is no new one": (text_keeps_its_alert, AlertMachine),
    "1 a worse answer or one that is back is no new alert": (worse_answer_keeps_its_alert, AlertMachine),
    "1 an answer taken back ends its alert": (lowered_by_the_system, AlertMachine),
    "2 an old page acknowledges what is new": (acknowledges_whole_case, AlertMachine),
    "2 take over and grading of what was not shown": (acts_on_unseen, AlertMachine),
    "2 the page's ids are not those that it showed": (page_sends_what_is_there_now, StalePageMachine),
    "4 a message that cannot be composed undoes the alert": (message_undoes_alert, AlertMachine),
    "5 what cannot be judged is silent": (not_judged_is_silent, AlertMachine),
    "5 /health is ok with forms not judged": (unjudged_is_healthy, AlertMachine),
    "5 broken forms starve the others": (broken_forms_come_first, AlertMachine),
    "6 nothing after the last step": (never_repeated, AlertMachine),
    "6 a second emergency is not told": (second_emergency_is_silent, AlertMachine),
    "6 a second emergency is not told to each person": (one_waiting_message_covers_all, AlertMachine),
    "7 refused counts as told": (refused_counts_as_told, AlertMachine),
    "7 refused, and nobody else is told": (refused_goes_to_nobody_else, AlertMachine),
    "7 /health is ok while no person was told": (untold_is_healthy, AlertMachine),
    "8 a dead worker's message waits ten minutes": (dead_claims_last, AlertMachine),
    "9 each text of a participant is told": (each_text_is_told, AlertMachine),
    "9 each text of a stranger is told": (strangers_are_not_grouped, AlertMachine),
}


@contextmanager
def site_maker() -> Iterator[Callable[[], AlertSite]]:
    """Yield what makes a site on SQLite from a template."""
    catalogue = read_catalogue(ROOT / "pro/data/instruments", ROOT / "translations", [ROOT / "pro/data/plans"])
    catalogs = i18n.read_catalogs(ROOT / "translations")
    with tempfile.TemporaryDirectory() as name, speed_up(catalogue, catalogs, ROOT):
        folder, copies = Path(name), itertools.count()
        template = folder / "template.sqlite3"
        engine = db.make_engine(f"sqlite:///{template}")
        db.upgrade(engine)
        engine.dispose()
        app_context = app_context_on(f"sqlite:///{template}", catalogue, catalogs, folder, Clock())
        seeded = build_site(app_context)
        app_context.engine.dispose()

        def make() -> AlertSite:
            file = folder / f"site{next(copies)}.sqlite3"
            shutil.copy(template, file)
            clock = Clock()
            return AlertSite(
                app_context_on(f"sqlite:///{file}", catalogue, catalogs, folder, clock), seeded, clock, file.unlink
            )

        yield make


def look_for(make: Callable[[], AlertSite], fault: Fault, number: int) -> tuple[int, float, str]:
    """Run the model with a fix taken out: (examples, seconds, what the model said or "" for nothing)."""
    take_out, machine = fault
    examples = itertools.count()

    class Machine(machine):  # type: ignore[misc, valid-type]
        """The machine, counting its histories."""

        def __init__(self) -> None:
            next(examples)
            super().__init__()

    def counted() -> AlertSite:
        return make()

    Machine.new_site = staticmethod(counted)
    limits = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )
    began, said = time.process_time(), ""
    with pytest.MonkeyPatch.context() as patch:
        take_out(patch)
        seed(number)(Machine)
        try:
            run_state_machine_as_test(Machine, settings=limits)
        except Exception as failure:
            said = str(failure).strip().splitlines()[0] if str(failure).strip() else type(failure).__name__
            said = said if isinstance(failure, AssertionError) else f"{type(failure).__name__}: {said}"
    return next(examples), time.process_time() - began, said


def main(wanted: Sequence[str]) -> int:
    """Look for every fault, or for those whose names begin with one of ``wanted``; return how many were not found."""
    logging.disable(logging.CRITICAL)
    missed = 0
    with site_maker() as make:
        for number, (name, fault) in enumerate(FAULTS.items()):
            if wanted and not name.startswith(tuple(wanted)):
                continue
            examples, seconds, said = look_for(make, fault, number)
            missed += not said
            print(f"| {name} | {examples} | {seconds:.0f} s | {said[:110] or 'NOT FOUND'} |", flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
