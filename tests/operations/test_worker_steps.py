"""Test the worker's rounds: unfinished forms are evaluated; a failed job stops no other."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from pro.core.rule_language.level import Level
from pro.features.audit import audit_chain
from pro.features.operations import worker_health, worker_steps
from pro.messaging import outbox
from pro.messaging.sender_protocol import Letter, ProviderUnreachable
from pro.models import Alert, Assessment, AuditEntry, Heartbeat, Message, Seal
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic, broken_rule


class RecordingSender:
    """A sender that keeps what it was given."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    def send(self, letter: Letter) -> str:
        self.letters.append(letter)
        return f"reference-{len(self.letters)}"


def run_jobs(clinic: Clinic, sender: object = None, worker: str = "worker-1") -> int:
    sender = sender or RecordingSender()
    return worker_steps.run_jobs(clinic.app_context, {"email": sender, "sms": sender}, worker)  # type: ignore[dict-item]


def next_judgement(clinic: Clinic) -> object:
    return clinic.rows(Assessment)[0].evaluate_next_at


def beats(clinic: Clinic) -> dict[str, object]:
    return {row.name: row.at for row in clinic.rows(Heartbeat)}


# --- unfinished forms ------------------------------------------------------------------------------------------------


def test_heavy_bleeding_in_an_unfinished_form_is_an_emergency_after_ten_minutes(any_clinic, clock):
    phone = any_clinic.start()
    phone.save(bleed=3)
    clock.move(minutes=9, seconds=59)
    run_jobs(any_clinic)
    assert "M02" not in any_clinic.alerts()
    clock.move(seconds=1)
    run_jobs(any_clinic)
    found = any_clinic.alerts()["M02"]
    assert (found.level, found.advice, found.raised_at) == (3, "bleeding", clock.now)
    assert phone.form().advice == "bleeding"
    assert [mail.params["level"] for mail in any_clinic.mails()] == ["urgent"] * 2 + ["emergency"] * 2


def test_what_the_next_screen_may_answer_is_judged_after_half_an_hour_and_once(any_clinic, clock):
    any_clinic.start().save(bleed=1, bleed_now=0, odor=2)
    started = clock.now
    clock.move(minutes=10)
    run_jobs(any_clinic)
    assert {"M01", "M05"} & set(any_clinic.alerts()) == set()
    assert next_judgement(any_clinic) == started + timedelta(minutes=30)
    clock.move(minutes=20)
    run_jobs(any_clinic)
    assert any_clinic.alerts()["M01"].level == Level.WATCH
    assert next_judgement(any_clinic) is None
    raised = len(any_clinic.events("alert.raised"))
    for _ in range(3):
        clock.move(minutes=30)
        run_jobs(any_clinic)
    assert len(any_clinic.events("alert.raised")) == raised


def test_an_ulcer_screen_left_half_done_with_a_sign_is_urgent(clinic, clock):
    clinic.start().save(headache=2)
    clock.move(minutes=30)
    run_jobs(clinic)
    assert clinic.alerts()["M05"].level == Level.URGENT
    assert [mail.params["level"] for mail in clinic.mails()] == ["urgent"] * 2


def test_a_worker_that_was_away_makes_up_for_it(clinic, clock):
    clinic.start().save(bleed=3, odor=1)
    clock.move(hours=6)
    run_jobs(clinic)
    assert {"M01", "M02"} <= set(clinic.alerts())
    assert next_judgement(clinic) is None


def test_a_form_that_is_touched_again_is_judged_again(clinic, clock):
    phone = clinic.start()
    phone.save(bleed=0)
    clock.move(minutes=30)
    run_jobs(clinic)
    assert clinic.alerts()["M01"].closed_at is None
    phone.save(breath=0, chest=0, palp=0, faint=0, temp=0, swallow=0, neuro=0)
    assert clinic.alerts()["M01"].disposition == "closed_itself"
    phone.save(breath=None)
    clock.move(minutes=30)
    run_jobs(clinic)
    assert clinic.alerts()["M01"].closed_at is None


def test_a_form_whose_failure_cannot_be_reported_holds_up_no_other(any_clinic, clock, monkeypatch, caplog):
    any_clinic.start().save(bleed=0)
    clock.move(seconds=1)
    other = any_clinic.another(factories.PLAN, "NPC-002")
    other.start().save(bleed=3)
    clock.move(minutes=10)
    broken = any_clinic.checkin.assessment_id

    def fails(real):
        def run(work, assessment_id):
            if assessment_id == broken:
                raise KeyError(assessment_id)
            return real(work, assessment_id)

        return run

    for name in ("_evaluate_form", "_report_evaluation"):
        monkeypatch.setattr(worker_steps, name, fails(getattr(worker_steps, name)))
    with pytest.raises(RuntimeError, match="1 idle forms"):
        worker_steps.evaluate_idle_forms(any_clinic.app_context)
    assert any_clinic.alerts()["M02"].assessment_id == other.checkin.assessment_id
    assert "failed evaluation not reported" in caplog.text
    # It stays overdue, and is tried again.
    assert any_clinic.rows(Assessment)[0].evaluate_next_at <= clock.now


def test_a_form_that_was_sent_is_not_idle(clinic, clock):
    clinic.start().finish(bleed=None)
    raised = len(clinic.events("alert.raised"))
    assert next_judgement(clinic) is None
    clock.move(hours=1)
    run_jobs(clinic)
    assert len(clinic.events("alert.raised")) == raised


def test_a_form_that_was_opened_and_never_answered_is_left_alone(clinic, clock):
    clinic.start()
    clock.move(hours=1)
    run_jobs(clinic)
    assert clinic.alerts() == {}


def test_two_workers_at_once_raise_everything_once(any_clinic, clock):
    phones = [any_clinic.start(), *(any_clinic.start(any_clinic.send("qlq_c30")) for _ in range(1))]
    phones[0].save(bleed=3)
    phones[1].save(Q1=1)
    clock.move(minutes=30)
    form_browser.run_concurrently(*(lambda: worker_steps.evaluate_idle_forms(any_clinic.app_context) for _ in range(4)))
    assert sorted(any_clinic.alerts()) == ["M01", "M02", "M05", "U01"]
    assert len(any_clinic.rows(Alert)) == len(any_clinic.events("alert.raised")) == 4
    emergencies = [mail for mail in any_clinic.mails() if mail.params["level"] == "emergency"]
    assert len(emergencies) == 2


def test_a_form_that_cannot_be_judged_at_all_keeps_no_other_from_it(any_clinic, clock, caplog):
    """Check a form whose instrument is missing: it is an alert, and another form still raises its own."""
    lost = any_clinic.start(any_clinic.qlq)
    lost.save(Q1=1)
    clock.move(seconds=1)
    any_clinic.start().save(bleed=3)
    clock.move(minutes=10)
    old = any_clinic.app_context.catalogue
    kept = {name: found for name, found in old.instruments.items() if name != "qlq_c30"}
    poor = replace(any_clinic, app_context=replace(any_clinic.app_context, catalogue=replace(old, instruments=kept)))
    run_jobs(poor)
    assert any_clinic.alerts()["M02"].level == Level.EMERGENCY
    assert any_clinic.alerts()["JUDGE"].assessment_id == any_clinic.qlq.assessment_id
    assert "evaluate_idle" in beats(any_clinic)
    assert "evaluation of a form failed assessment=" in caplog.text
    assert " error=KeyError" in caplog.text


def test_a_judgement_that_breaks_in_the_background_is_an_alert_too(clinic, clock):
    broken = clinic.with_rules(broken_rule())
    clinic.start().save(bleed=0)
    clock.move(minutes=10)
    run_jobs(broken)
    assert clinic.alerts()["JUDGE"].level == Level.URGENT
    clinic.acknowledge()
    clock.move(minutes=20)
    run_jobs(broken)
    assert clinic.alerts()["JUDGE"].acknowledged_at is not None
    assert len(clinic.mails()) == 2


# --- one round -------------------------------------------------------------------------------------------------------


def test_a_round_sends_what_waits_and_seals_what_happened(any_clinic):
    any_clinic.start().save(bleed=4)
    sender = RecordingSender()
    assert run_jobs(any_clinic, sender) > 2
    assert [letter.address for letter in sender.letters] == ["nurse@example.org", "investigator@example.org"]
    assert all(row.sent_at for row in any_clinic.rows(Message))
    assert len(any_clinic.events("message.sent")) == 2
    assert [row.audit_entry_id for row in any_clinic.rows(Seal)] == [event.id for event in any_clinic.rows(AuditEntry)]


def test_every_step_leaves_its_heartbeat(any_clinic, clock):
    run_jobs(any_clinic)
    assert beats(any_clinic) == dict.fromkeys(worker_health.LOOPS, clock.now)
    clock.move(seconds=5)
    run_jobs(any_clinic)
    assert beats(any_clinic) == dict.fromkeys(worker_health.LOOPS, clock.now)


@pytest.mark.parametrize(
    ("table", "silent", "bleed"),
    [("seal", "audit", 1), ("message", "outbox", 0), ("staff_member", "digests", 1), ("answer", "evaluate_idle", 0)],
)
def test_a_step_that_breaks_stops_no_other_and_leaves_no_heartbeat(clinic, clock, caplog, table, silent, bleed):
    clinic.start().save(bleed=bleed)
    clock.move(minutes=10)
    with clinic.app_context.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO gone"))
    sender = RecordingSender()
    run_jobs(clinic, sender)
    assert set(beats(clinic)) == set(worker_health.LOOPS) - {silent}
    assert f"worker job failed job={silent}" in caplog.text


def test_a_provider_that_is_away_breaks_no_round(clinic):
    class Away:
        def send(self, _letter: Letter) -> str:
            raise ProviderUnreachable("no_line")

    clinic.start().save(bleed=4)
    run_jobs(clinic, Away())
    assert set(beats(clinic)) == set(worker_health.LOOPS)
    assert [row.status for row in clinic.rows(Message)] == ["waiting", "waiting"]


def test_a_provider_that_hangs_holds_no_round_up(any_clinic, clock):
    """Check that a round ends after about a second and does its other jobs, with no free call."""
    any_clinic.start().save(bleed=4)
    any_clinic.start(any_clinic.send()).save(bleed=3)
    answers = threading.Event()

    class Hanging:
        at_once = 2

        def send(self, letter: Letter) -> str:
            assert answers.wait(60)
            return letter.message_id

    senders, lines = {"email": Hanging()}, outbox.ProviderCalls()
    try:
        for _ in range(3):
            clock.move(minutes=10)
            began = time.monotonic()
            worker_steps.run_jobs(any_clinic.app_context, senders, "worker-1", lines)
            assert time.monotonic() - began < 5
            assert beats(any_clinic) == dict.fromkeys(worker_health.LOOPS, clock.now)
        assert any_clinic.alerts()["M02"].level == Level.EMERGENCY
        assert all(row.sent_at is None for row in any_clinic.rows(Message))
    finally:
        answers.set()
    worker_steps.finish_deliveries(any_clinic.app_context, lines)
    # Their claims are older than a minute by the clock, but the calls are still those of this worker.
    assert len([row for row in any_clinic.rows(Message) if row.sent_at]) == 2


def test_a_round_seals_all_that_a_backlog_left(any_clinic):
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        for _ in range(audit_chain.BATCH_SIZE + 1):
            work.record("test", work.session.get_one(Assessment, any_clinic.checkin.assessment_id))
    run_jobs(any_clinic)
    assert len(any_clinic.rows(Seal)) == len(any_clinic.rows(AuditEntry)) > audit_chain.BATCH_SIZE


def test_what_cannot_be_kept_at_the_end_does_not_break_the_end(clinic, caplog):
    clinic.start().save(bleed=4)
    lines = outbox.ProviderCalls()
    held = threading.Event()

    class Slow:
        def send(self, letter: Letter) -> str:
            assert held.wait(60)
            return letter.message_id

    worker_steps.deliver_outbox(clinic.app_context, {"email": Slow()}, "worker-1", lines)
    with clinic.app_context.engine.begin() as connection:
        connection.execute(text("ALTER TABLE message RENAME TO gone"))
    held.set()
    worker_steps.finish_deliveries(clinic.app_context, lines)
    assert "last provider results not stored" in caplog.text


def test_between_rounds_only_the_outbox_is_emptied(clinic):
    clinic.start().save(bleed=4)
    sender = RecordingSender()
    assert worker_steps.deliver_outbox(clinic.app_context, {"email": sender}, "worker-1") == 2
    assert beats(clinic) == {}
    with clinic.app_context.engine.begin() as connection:
        connection.execute(text("ALTER TABLE message RENAME TO gone"))
    assert worker_steps.deliver_outbox(clinic.app_context, {"email": sender}, "worker-1") == 0


def test_a_database_that_is_gone_does_not_end_the_worker(clinic, caplog):
    with clinic.app_context.engine.begin() as connection:
        for table in ("heartbeat", "message", "seal", "assessment"):
            connection.execute(text(f"ALTER TABLE {table} RENAME TO gone_{table}"))
    assert run_jobs(clinic) == 0
    assert "heartbeats not stored" in caplog.text


# --- the digest ------------------------------------------------------------------------------------------------------


def digests(clinic: Clinic) -> int:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return worker_steps.queue_digests(work)


def test_the_digest_leaves_once_a_day_when_the_study_opens(any_clinic, clock):
    """Check the time of the digest: it is 09:00 in Nanchang, and the study opens at 8."""
    any_clinic.start().save(bleed=1, bleed_now=0)
    clock.move(hours=22, minutes=59)
    assert digests(any_clinic) == 0
    clock.move(minutes=1)
    assert digests(any_clinic) == 1
    (mail,) = any_clinic.mails("daily_digest")
    assert mail.to == "coordinator@example.org"
    assert [row["participant_number"] for row in mail.params["rows"]] == ["NPC-001"]
    assert set(mail.params["rows"][0]) == {"participant_number", "link"}
    for _ in range(5):
        clock.move(hours=1)
        assert digests(any_clinic) == 0
    clock.move(hours=19)
    assert digests(any_clinic) == 1


def test_nothing_leaves_when_nothing_waits(clinic, clock):
    assert digests(clinic) == 0
    clinic.start().save(bleed=1)
    clinic.acknowledge()
    clock.move(days=1)
    assert digests(clinic) == 0
    assert clinic.mails("daily_digest") == []


def test_urgent_superseded_or_closed_alerts_are_not_in_the_digest(clinic, clock):
    phone = clinic.start()
    phone.save(breath=1)
    phone.save(breath=2)
    clock.move(days=1)
    assert set(clinic.alerts()) == {"W02", "U02"}
    assert digests(clinic) == 0


def test_two_studies_have_a_digest_each(clinic):
    """Check two studies with the same coordinator."""
    both = clinic.with_plan(lambda plan: plan)
    (plan,) = both.app_context.catalogue.plans.values()
    words = dict(both.app_context.catalogue.plan_words)
    words |= {("other", language): found for (_plan, language), found in words.items()}
    catalogue = replace(
        both.app_context.catalogue, plans={plan.id: plan, "other": replace(plan, id="other")}, plan_words=words
    )
    both = replace(both, app_context=replace(both.app_context, catalogue=catalogue))
    clinic.start().save(bleed=1)
    other = both.another("other", "OTH-001")
    other.start(other.checkin).save(bleed=1)
    assert digests(both) == 2
    assert sorted(mail.params["rows"][0]["participant_number"] for mail in clinic.mails("daily_digest")) == [
        "NPC-001",
        "OTH-001",
    ]
