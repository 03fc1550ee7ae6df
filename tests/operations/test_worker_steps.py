"""The worker's rounds: forgotten forms are judged, each step stands for itself, and its pulse says so."""

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
from pro.messaging.sender_protocol import Letter, Unreachable
from pro.models import Alert, Assessment, Event, Heartbeat, Message, Seal
from tests.support import form_browser
from tests.support.alert_ward import Ward, broken_rule


class Kept:
    """A sender that keeps what it was given."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    def send(self, letter: Letter) -> str:
        self.letters.append(letter)
        return f"reference-{len(self.letters)}"


def tick(ward: Ward, sender: object = None, worker: str = "worker-1") -> int:
    sender = sender or Kept()
    return worker_steps.tick(ward.house, {"email": sender, "sms": sender}, worker)  # type: ignore[dict-item]


def next_judgement(ward: Ward) -> object:
    return ward.rows(Assessment)[0].judge_next_at


def beats(ward: Ward) -> dict[str, object]:
    return {row.name: row.at for row in ward.rows(Heartbeat)}


# --- forgotten forms -------------------------------------------------------------------------------------------------


def test_heavy_bleeding_and_then_silence_is_an_emergency_after_ten_minutes(any_ward, clock):
    phone = any_ward.start()
    phone.save(bleed=3)
    clock.move(minutes=9, seconds=59)
    tick(any_ward)
    assert "M02" not in any_ward.alerts()
    clock.move(seconds=1)
    tick(any_ward)
    found = any_ward.alerts()["M02"]
    assert (found.level, found.advice, found.raised_at) == (3, "bleeding", clock.now)
    assert phone.form().advice == "bleeding"
    assert [mail.params["level"] for mail in any_ward.mails()] == ["urgent"] * 2 + ["emergency"] * 2


def test_what_the_next_screen_may_answer_is_judged_after_half_an_hour_and_once(any_ward, clock):
    any_ward.start().save(bleed=1, bleed_now=0, odor=2)
    started = clock.now
    clock.move(minutes=10)
    tick(any_ward)
    assert {"M01", "M05"} & set(any_ward.alerts()) == set()
    assert next_judgement(any_ward) == started + timedelta(minutes=30)
    clock.move(minutes=20)
    tick(any_ward)
    assert any_ward.alerts()["M01"].level == Level.WATCH
    assert next_judgement(any_ward) is None
    raised = len(any_ward.events("alert.raised"))
    for _ in range(3):
        clock.move(minutes=30)
        tick(any_ward)
    assert len(any_ward.events("alert.raised")) == raised


def test_an_ulcer_screen_left_half_done_with_a_sign_is_urgent(ward, clock):
    ward.start().save(headache=2)
    clock.move(minutes=30)
    tick(ward)
    assert ward.alerts()["M05"].level == Level.URGENT
    assert [mail.params["level"] for mail in ward.mails()] == ["urgent"] * 2


def test_a_worker_that_was_away_makes_up_for_it(ward, clock):
    ward.start().save(bleed=3, odor=1)
    clock.move(hours=6)
    tick(ward)
    assert {"M01", "M02"} <= set(ward.alerts())
    assert next_judgement(ward) is None


def test_a_form_that_is_touched_again_is_judged_again(ward, clock):
    phone = ward.start()
    phone.save(bleed=0)
    clock.move(minutes=30)
    tick(ward)
    assert ward.alerts()["M01"].resolved_at is None
    phone.save(breath=0, chest=0, palp=0, faint=0, temp=0, swallow=0, neuro=0)
    assert ward.alerts()["M01"].disposition == "closed_itself"
    phone.save(breath=None)
    clock.move(minutes=30)
    tick(ward)
    assert ward.alerts()["M01"].resolved_at is None


def test_a_form_that_was_sent_is_not_idle(ward, clock):
    ward.start().finish(bleed=None)
    raised = len(ward.events("alert.raised"))
    assert next_judgement(ward) is None
    clock.move(hours=1)
    tick(ward)
    assert len(ward.events("alert.raised")) == raised


def test_a_form_that_was_opened_and_never_answered_is_left_alone(ward, clock):
    ward.start()
    clock.move(hours=1)
    tick(ward)
    assert ward.alerts() == {}


def test_two_workers_at_once_raise_everything_once(any_ward, clock):
    phones = [any_ward.start(), *(any_ward.start(any_ward.send("qlq_c30")) for _ in range(1))]
    phones[0].save(bleed=3)
    phones[1].save(Q1=1)
    clock.move(minutes=30)
    form_browser.at_once(*(lambda: worker_steps.judge_idle(any_ward.house) for _ in range(4)))
    assert sorted(any_ward.alerts()) == ["M01", "M02", "M05", "U01"]
    assert len(any_ward.rows(Alert)) == len(any_ward.events("alert.raised")) == 4
    emergencies = [mail for mail in any_ward.mails() if mail.params["level"] == "emergency"]
    assert len(emergencies) == 2


def test_a_form_that_cannot_be_judged_at_all_keeps_no_other_from_it(any_ward, clock, caplog):
    """Its instrument is gone from the data files; the other form's silence after heavy bleeding is still heard."""
    lost = any_ward.start(any_ward.qlq)
    lost.save(Q1=1)
    clock.move(seconds=1)
    any_ward.start().save(bleed=3)
    clock.move(minutes=10)
    old = any_ward.house.catalogue
    kept = {name: found for name, found in old.instruments.items() if name != "qlq_c30"}
    poor = replace(any_ward, house=replace(any_ward.house, catalogue=replace(old, instruments=kept)))
    tick(poor)
    assert any_ward.alerts()["M02"].level == Level.EMERGENCY
    assert "judge_idle" not in beats(any_ward)
    assert "could not be judged: KeyError" in caplog.text


def test_a_judgement_that_breaks_in_the_background_is_an_alert_too(ward, clock):
    broken = ward.with_rules(broken_rule())
    ward.start().save(bleed=0)
    clock.move(minutes=10)
    tick(broken)
    assert ward.alerts()["JUDGE"].level == Level.URGENT
    ward.acknowledge()
    clock.move(minutes=20)
    tick(broken)
    assert ward.alerts()["JUDGE"].acknowledged_at is not None
    assert len(ward.mails()) == 2


# --- one round -------------------------------------------------------------------------------------------------------


def test_a_round_sends_what_waits_and_seals_what_happened(any_ward):
    any_ward.start().save(bleed=4)
    sender = Kept()
    assert tick(any_ward, sender) > 2
    assert [letter.address for letter in sender.letters] == ["nurse@example.org", "investigator@example.org"]
    assert all(row.sent_at for row in any_ward.rows(Message))
    assert len(any_ward.events("message.sent")) == 2
    assert [row.event_id for row in any_ward.rows(Seal)] == [event.id for event in any_ward.rows(Event)]


def test_every_step_leaves_its_heartbeat(any_ward, clock):
    tick(any_ward)
    assert beats(any_ward) == dict.fromkeys(worker_health.LOOPS, clock.now)
    clock.move(seconds=5)
    tick(any_ward)
    assert beats(any_ward) == dict.fromkeys(worker_health.LOOPS, clock.now)


@pytest.mark.parametrize(
    ("table", "silent", "bleed"),
    [("seal", "audit", 1), ("message", "outbox", 0), ("staff", "digests", 1), ("answer", "judge_idle", 0)],
)
def test_a_step_that_breaks_stops_no_other_and_leaves_no_heartbeat(ward, clock, caplog, table, silent, bleed):
    ward.start().save(bleed=bleed)
    clock.move(minutes=10)
    with ward.house.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO gone"))
    sender = Kept()
    tick(ward, sender)
    assert set(beats(ward)) == set(worker_health.LOOPS) - {silent}
    assert f"step {silent} of the round failed" in caplog.text


def test_a_provider_that_is_away_breaks_no_round(ward):
    class Away:
        def send(self, _letter: Letter) -> str:
            raise Unreachable("no_line")

    ward.start().save(bleed=4)
    tick(ward, Away())
    assert set(beats(ward)) == set(worker_health.LOOPS)
    assert [row.status for row in ward.rows(Message)] == ["waiting", "waiting"]


def test_a_provider_that_hangs_holds_no_round_up(any_ward, clock):
    """With every line taken a round ends after little more than its second, and all else in it is done."""
    any_ward.start().save(bleed=4)
    any_ward.start(any_ward.send()).save(bleed=3)
    answers = threading.Event()

    class Hanging:
        at_once = 2

        def send(self, letter: Letter) -> str:
            assert answers.wait(60)
            return letter.message_id

    senders, lines = {"email": Hanging()}, outbox.ProviderLines()
    try:
        for _ in range(3):
            clock.move(minutes=10)
            began = time.monotonic()
            worker_steps.tick(any_ward.house, senders, "worker-1", lines)
            assert time.monotonic() - began < 5
            assert beats(any_ward) == dict.fromkeys(worker_health.LOOPS, clock.now)
        assert any_ward.alerts()["M02"].level == Level.EMERGENCY
        assert all(row.sent_at is None for row in any_ward.rows(Message))
    finally:
        answers.set()
    worker_steps.finish(any_ward.house, lines)
    # Two rounds later their lease was over; they did go out, and that is what is kept.
    assert len([row for row in any_ward.rows(Message) if row.sent_at]) == 2


def test_a_round_seals_all_that_a_backlog_left(any_ward):
    with form_browser.working(any_ward.house) as work:
        for _ in range(audit_chain.BATCH + 1):
            work.record("test", work.session.get_one(Assessment, any_ward.checkin.assessment_id))
    tick(any_ward)
    assert len(any_ward.rows(Seal)) == len(any_ward.rows(Event)) > audit_chain.BATCH


def test_what_cannot_be_kept_at_the_end_does_not_break_the_end(ward, caplog):
    ward.start().save(bleed=4)
    lines = outbox.ProviderLines()
    held = threading.Event()

    class Slow:
        def send(self, letter: Letter) -> str:
            assert held.wait(60)
            return letter.message_id

    worker_steps.send(ward.house, {"email": Slow()}, "worker-1", lines)
    with ward.house.engine.begin() as connection:
        connection.execute(text("ALTER TABLE message RENAME TO gone"))
    held.set()
    worker_steps.finish(ward.house, lines)
    assert "what providers answered last could not be kept" in caplog.text


def test_between_rounds_only_the_outbox_is_emptied(ward):
    ward.start().save(bleed=4)
    sender = Kept()
    assert worker_steps.send(ward.house, {"email": sender}, "worker-1") == 2
    assert beats(ward) == {}
    with ward.house.engine.begin() as connection:
        connection.execute(text("ALTER TABLE message RENAME TO gone"))
    assert worker_steps.send(ward.house, {"email": sender}, "worker-1") == 0


def test_a_database_that_is_gone_does_not_end_the_worker(ward, caplog):
    with ward.house.engine.begin() as connection:
        for table in ("heartbeat", "message", "seal", "assessment"):
            connection.execute(text(f"ALTER TABLE {table} RENAME TO gone_{table}"))
    assert tick(ward) == 0
    assert "heartbeats of a round could not be written" in caplog.text


# --- the digest ------------------------------------------------------------------------------------------------------


def digests(ward: Ward) -> int:
    with form_browser.working(ward.house) as work:
        return worker_steps.digests(work)


def test_the_digest_leaves_once_a_day_when_the_study_opens(any_ward, clock):
    """The clock starts at 09:00 in Nanchang; the study opens at 8."""
    any_ward.start().save(bleed=1, bleed_now=0)
    clock.move(hours=22, minutes=59)
    assert digests(any_ward) == 0
    clock.move(minutes=1)
    assert digests(any_ward) == 1
    (mail,) = any_ward.mails("alert_digest")
    assert mail.to == "coordinator@example.org"
    assert [row["study_number"] for row in mail.params["rows"]] == ["NPC-001"]
    assert set(mail.params["rows"][0]) == {"study_number", "link"}
    for _ in range(5):
        clock.move(hours=1)
        assert digests(any_ward) == 0
    clock.move(hours=19)
    assert digests(any_ward) == 1


def test_nothing_leaves_when_nothing_waits(ward, clock):
    assert digests(ward) == 0
    ward.start().save(bleed=1)
    ward.acknowledge()
    clock.move(days=1)
    assert digests(ward) == 0
    assert ward.mails("alert_digest") == []


def test_what_is_loud_superseded_or_closed_is_not_in_the_digest(ward, clock):
    phone = ward.start()
    phone.save(breath=1)
    phone.save(breath=2)
    clock.move(days=1)
    assert set(ward.alerts()) == {"W02", "U02"}
    assert digests(ward) == 0


def test_two_studies_have_a_digest_each(ward):
    """The same coordinator reads both."""
    both = ward.with_plan(lambda plan: plan)
    (plan,) = both.house.catalogue.plans.values()
    words = dict(both.house.catalogue.plan_words)
    words |= {("other", language): found for (_plan, language), found in words.items()}
    catalogue = replace(
        both.house.catalogue, plans={plan.id: plan, "other": replace(plan, id="other")}, plan_words=words
    )
    both = replace(both, house=replace(both.house, catalogue=catalogue))
    ward.start().save(bleed=1)
    other = both.another("other", "OTH-001")
    other.start(other.checkin).save(bleed=1)
    assert digests(both) == 2
    assert sorted(mail.params["rows"][0]["study_number"] for mail in ward.mails("alert_digest")) == [
        "NPC-001",
        "OTH-001",
    ]
