"""Test the life of an alert (docs/alerts.md): never quieter by itself, and told until a person acts on what it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import DatabaseError

from pro.core.rule_language.level import Level
from pro.errors import NotAllowed
from pro.features.alerts import alert_handling, alert_service, stable_symptoms
from pro.features.duty_roster import notifications, staff_messages
from pro.features.operations import worker_health, worker_steps
from pro.features.schedule import missed_forms
from pro.features.text_messages import unknown_senders
from pro.features.to_do_list import to_do_list
from pro.messaging import outbox
from pro.models import Alert, Answer, Assessment, IncomingMessage, Message, StaffMember
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.scripted_sender import ScriptedSender
from tests.support.stored_texts import STRANGER
from tests.support.texting_phone import TextingPhone

NURSE, INVESTIGATOR, BACKUP = "nurse@example.org", "investigator@example.org", "coordinator@example.org"
FLOOD = "大出血止不住"


def deliver(clinic: Clinic, sender: ScriptedSender | None = None) -> ScriptedSender:
    sender = sender or ScriptedSender()
    outbox.deliver(clinic.app_context, {"email": sender, "sms": sender}, "w")
    return sender


def work_round(clinic: Clinic, sender: ScriptedSender) -> None:
    """Escalate, send, and escalate again, as the worker does within seconds."""
    for _ in range(2):
        worker_steps.escalate_alerts(clinic.app_context)
        deliver(clinic, sender)


def troubles(clinic: Clinic) -> set[str]:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return set(worker_health.find_troubles(work)) - set(worker_health.LOOPS)


def level_of_case(clinic: Clinic) -> int:
    """Return the highest level of an open alert."""
    return max((alert.level for alert in clinic.rows(Alert) if alert.closed_at is None), default=0)


def acknowledge(clinic: Clinic, *alerts: Alert) -> alert_service.AcknowledgementResult:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        return alert_service.acknowledge(work, [alert.id for alert in alerts])


# --- 1 never quieter -------------------------------------------------------------------------------------------------


def test_an_emergency_in_words_that_is_rewritten_stays_an_emergency_and_is_told_on(any_clinic, clock):
    phone = any_clinic.start()
    phone.finish_until("last")
    phone.page("last", {"free_text": FLOOD})
    deliver(any_clinic)
    phone.advised()
    phone.page("last", {"free_text": "谢谢"})
    assert level_of_case(any_clinic) == Level.EMERGENCY
    clock.move(minutes=15)
    worker_steps.escalate_alerts(any_clinic.app_context)
    assert [mail.to for mail in any_clinic.mails("alert_escalation")] == [NURSE, INVESTIGATOR]


@pytest.mark.parametrize("said", [{"bleed": 0}, {"bleed": 1}, {"bleed": None}], ids=["none", "less", "skipped"])
def test_an_urgent_answer_that_is_changed_keeps_its_level(any_clinic, said):
    phone = any_clinic.start()
    phone.save(bleed=3)
    phone.save(**said)
    phone.finish()
    assert level_of_case(any_clinic) == Level.URGENT


def test_a_mark_of_known_and_stable_makes_no_raised_alert_quieter(any_clinic):
    phone = any_clinic.start()
    phone.save(chest=1)
    any_clinic.mark("known_stable", 1, "chest", days=14)
    phone.finish(chest=1)
    assert (any_clinic.alerts()["U03"].level, level_of_case(any_clinic)) == (Level.URGENT, Level.URGENT)


@pytest.mark.parametrize(
    "change",
    [
        "level = 1",
        "rule = 'W01'",
        "source = 'x'",
        "raised_at = '2020-01-01'",
        "inputs = '{}'",
        "suspects = ''",
        "basis = 'x'",
        "lowered = TRUE",
        "plan_version = '0'",
        """unresolved = '["x"]'""",
        "advice = ''",
    ],
)
def test_the_database_refuses_to_change_what_an_alert_says(any_clinic, change):
    any_clinic.start().save(bleed=4)
    with pytest.raises(DatabaseError, match="never changed"), any_clinic.app_context.engine.begin() as connection:
        connection.execute(text(f"UPDATE alert SET {change}"))
    with pytest.raises(DatabaseError, match="never"), any_clinic.app_context.engine.begin() as connection:
        connection.execute(text("DELETE FROM alert"))


# --- 2 you act on what you saw ---------------------------------------------------------------------------------------


def test_an_old_page_acknowledges_what_it_showed_and_nothing_louder(any_clinic):
    phone = any_clinic.start()
    phone.finish_until("last")
    phone.page("last", {"free_text": "下周三我想换时间"})
    page = any_clinic.rows(Alert)
    assert [alert.level for alert in page] == [Level.WATCH]
    phone.page("last", {"free_text": FLOOD})
    acknowledge(any_clinic, *page)
    watch, emergency = any_clinic.rows(Alert)
    assert (watch.acknowledged_at is not None, emergency.acknowledged_at) == (True, None)
    assert {message.status for message in any_clinic.rows(Message)} == {"waiting"}


def test_take_over_close_and_mark_need_a_page_that_shows_every_open_alert(any_clinic, clock):
    phone = any_clinic.start()
    phone.save(chest=1)
    page = any_clinic.rows(Alert)
    acknowledge(any_clinic, *page)
    clock.move(minutes=1)
    phone.save(faint=2)
    key, shown = page[0].source, [alert.id for alert in page]
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.investigator.actor) as work:
        taken = alert_handling.take_over_alerts(work, key, any_clinic.nurse.id, shown)
        assert (taken.done, taken.count) == (False, 1)
        assert alert_handling.close_alerts(work, key, shown, "watching").why == "later"
        with pytest.raises(NotAllowed) as refused:
            stable_symptoms.mark_stable(work, key, ["chest"], "since May", "en", shown)
        assert (refused.value.why, refused.value.details["count"]) == ("later", 1)


def test_acknowledging_drops_no_message_of_a_louder_text_that_comes_at_this_moment(postgresql_clinic, monkeypatch):
    """Another transaction commits it while the messages to drop are looked for; SQLite has one writer at a time."""
    phone = TextingPhone(postgresql_clinic.app_context)
    phone.write("流鼻血", deliver=False)
    drop = outbox.drop_messages

    def late(*given):
        phone.write(FLOOD, deliver=False)
        return drop(*given)

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "drop_messages", late)
        acknowledge(postgresql_clinic, *postgresql_clinic.rows(Alert))
    first, second = postgresql_clinic.rows(Alert)
    assert (first.acknowledged_at is not None, second.acknowledged_at) == (True, None)
    told = [message for message in postgresql_clinic.rows(Message) if message.alert_id == second.id]
    assert [message.status for message in told] == ["waiting", "waiting"]


def test_dismissing_drops_no_message_of_a_strangers_text_that_comes_at_this_moment(postgresql_clinic, monkeypatch):
    stranger = TextingPhone(postgresql_clinic.app_context, number=STRANGER)
    row = stranger.write("流鼻血", deliver=False)
    drop = outbox.drop_messages

    def late(*given):
        stranger.write(FLOOD, deliver=False)
        return drop(*given)

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "drop_messages", late)
        with form_browser.unit_of_work(postgresql_clinic.app_context, postgresql_clinic.coordinator.actor) as work:
            unknown_senders.dismiss_text(work, row.id, "another matter")
    told = (one for one in postgresql_clinic.rows(Message) if one.template.startswith("unknown_sender"))
    assert [one.status for one in told] == ["dropped", "dropped", "waiting", "waiting"]


# --- 3 every text is read --------------------------------------------------------------------------------------------


def test_a_rewritten_text_is_a_new_one_to_read(any_clinic):
    phone = any_clinic.start()
    phone.finish_until("last")
    phone.page("last", {"free_text": "下周三我想换时间"})
    acknowledge(any_clinic, *any_clinic.rows(Alert))
    phone.page("last", {"free_text": "还有，我的药快吃完了"})
    _first, second = any_clinic.rows(Alert)
    assert (second.rule, second.occurrence, second.acknowledged_at) == ("TEXT", 2, None)
    phone.page("last", {"free_text": "还有，我的药快吃完了"})
    phone.submit()
    assert len(any_clinic.rows(Alert)) == 2


def test_a_new_text_in_a_form_that_is_in_hand_waits_to_be_read(any_clinic):
    """Found: it stayed below "In hand", and was in no list of texts to read."""
    phone = any_clinic.start()
    phone.finish_until("last", bleed=2)
    acknowledge(any_clinic, *any_clinic.rows(Alert))
    phone.page("last", {"free_text": "下周三我想换时间"})
    assert any_clinic.rows(Alert)[-1].level == Level.WATCH
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        board = to_do_list.read_to_do_list(work)
    assert [(case.level, case.rules[0]) for case in board.unacknowledged] == [(Level.URGENT, "TEXT")]
    assert board.in_progress == []
    acknowledge(any_clinic, *any_clinic.rows(Alert))
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        board = to_do_list.read_to_do_list(work)
    assert (len(board.unacknowledged), len(board.in_progress)) == (0, 1)


# --- 4 telling cannot undo raising -----------------------------------------------------------------------------------


def test_a_colleague_whose_language_is_gone_costs_no_alert(any_clinic):
    """The language is a folder of the installation, but no language of the interface."""
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        work.session.get_one(StaffMember, any_clinic.nurse.id).language = "ar"
    catalogue = replace(any_clinic.app_context.catalogue, languages=("ar", *any_clinic.app_context.catalogue.languages))
    odd = replace(any_clinic, app_context=replace(any_clinic.app_context, catalogue=catalogue))
    phone = odd.start()
    assert phone.save(bleed=4).level is Level.EMERGENCY
    assert phone.form().advice == "bleeding"
    assert [mail.to for mail in any_clinic.mails()] == [NURSE, INVESTIGATOR]


def test_a_message_that_cannot_be_composed_costs_the_others_nothing(any_clinic, monkeypatch):
    whole = staff_messages.queue_staff_message

    def broken(work, person, *rest, **more):
        if person.email == NURSE:
            raise KeyError("words")
        return whole(work, person, *rest, **more)

    monkeypatch.setattr(staff_messages, "queue_staff_message", broken)
    any_clinic.start().save(bleed=4)
    assert any_clinic.alerts()["E01"].level == Level.EMERGENCY
    assert [mail.to for mail in any_clinic.mails()] == [INVESTIGATOR]


# --- 5 what cannot be judged is loud ---------------------------------------------------------------------------------


def without_plan(clinic: Clinic) -> Clinic:
    catalogue = replace(clinic.app_context.catalogue, plans=MappingProxyType({}))
    return replace(clinic, app_context=replace(clinic.app_context, catalogue=catalogue))


def test_forms_of_a_removed_plan_are_loud_and_starve_no_other(any_clinic, clock):
    """60 idle forms of a removed plan, then heavy bleeding and silence."""
    old = any_clinic.app_context.catalogue.plans[factories.PLAN]
    two = any_clinic.with_plan(lambda plan: plan)
    catalogue = replace(
        two.app_context.catalogue, plans=MappingProxyType({factories.PLAN: old, "gone": replace(old, id="gone")})
    )
    both = replace(two, app_context=replace(two.app_context, catalogue=catalogue))
    other = both.another("gone", "GONE-1")
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        for number in range(60):
            work.session.add(
                Assessment(
                    ref=f"gone-{number}",
                    participant_id=other.participant_id,
                    instrument="npc_checkin",
                    instrument_version="1",
                    context={},
                    wordings={},
                    opens_at=work.now,
                    due_at=work.now,
                    closes_at=work.now + timedelta(days=1),
                    issued_at=work.now,
                    opened_at=work.now,
                    first_answer_at=work.now,
                    last_answer_at=work.now,
                    evaluate_next_at=work.now,
                )
            )
    clock.move(seconds=1)
    any_clinic.start().save(bleed=3)
    clock.move(minutes=10)
    worker_steps.evaluate_idle_forms(any_clinic.app_context)
    worker_steps.evaluate_idle_forms(any_clinic.app_context)
    assert any_clinic.alerts()["M02"].level == Level.EMERGENCY
    unjudged = [alert for alert in any_clinic.rows(Alert) if alert.rule == alert_service.EVALUATION_FAILED]
    assert len(unjudged) == 60
    assert "not_evaluated" in troubles(any_clinic)
    acknowledge(any_clinic, *unjudged)
    assert "not_evaluated" not in troubles(any_clinic)


def test_without_its_plan_a_form_is_kept_and_people_are_told_by_role(any_clinic):
    phone = any_clinic.start()
    phone.save(bleed=0)
    gone = without_plan(any_clinic)
    with form_browser.unit_of_work(gone.app_context) as work:
        form = work.session.get_one(Assessment, any_clinic.checkin.assessment_id)
        alerts = alert_service.evaluate_form(work, form, {"bleed": 4}, submitted=False, idle=0, earlier={"bleed": 0})
        assert [(alert.rule, alert.level) for alert in alerts] == [("JUDGE", Level.URGENT)]
    assert [mail.to for mail in any_clinic.mails()] == [INVESTIGATOR]
    assert "not_evaluated" in troubles(any_clinic)


def test_a_call_task_that_cannot_be_made_costs_no_alert_and_no_answer(any_clinic, monkeypatch):
    """A fault of the database within it must not take the answers along, nor pass for a fault of the judging."""
    phone = any_clinic.start()
    phone.finish_until("last")

    def broken(work, *_given):
        work.session.execute(text("SELECT no_such_column FROM call_task"))

    monkeypatch.setattr(missed_forms, "report_death", broken)
    phone.page("last", {"free_text": "我爸爸昨天晚上去世了"})
    assert [alert.rule for alert in any_clinic.rows(Alert)] == ["TEXT"]
    assert [row.item for row in any_clinic.rows(Answer)].count("free_text") == 1
    assert "not_evaluated" not in troubles(any_clinic)


@pytest.mark.parametrize("known", [True, False])
def test_a_call_task_that_cannot_be_made_costs_no_text(any_clinic, monkeypatch, known):
    def broken(work, *_given):
        work.session.execute(text("SELECT no_such_column FROM call_task"))

    monkeypatch.setattr(missed_forms, "report_death", broken)
    phone = TextingPhone(any_clinic.app_context) if known else TextingPhone(any_clinic.app_context, number=STRANGER)
    row = phone.write("我爸爸昨天晚上去世了", deliver=False)
    if not known:
        with form_browser.unit_of_work(any_clinic.app_context, any_clinic.coordinator.actor) as work:
            unknown_senders.assign_text(work, row.id, any_clinic.participant_id, "asked on the phone")
    assert len(any_clinic.rows(IncomingMessage)) == 1
    assert [alert.rule for alert in any_clinic.rows(Alert)] == ["TEXT"]


# --- 6 told again ----------------------------------------------------------------------------------------------------


def test_after_the_last_step_it_is_repeated_day_and_night_until_a_person_acknowledges(any_clinic, clock):
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        factories.duty(work, any_clinic.coordinator, "backup")
    any_clinic.start().save(bleed=4)
    sender = deliver(any_clinic)
    for _ in range(45):
        clock.move(minutes=1)
        work_round(any_clinic, sender)
    sender.accepted.clear()
    for _ in range(60):
        clock.move(minutes=1)
        work_round(any_clinic, sender)
    assert sorted(sender.addresses()) == sorted([NURSE, INVESTIGATOR, BACKUP] * 4)
    any_clinic.acknowledge()
    sender.accepted.clear()
    clock.move(hours=5)
    work_round(any_clinic, sender)
    assert sender.accepted == []


def test_an_emergency_after_the_top_of_the_steps_is_told_at_once_to_everyone_reached(any_clinic, clock):
    phone = any_clinic.start()
    phone.save(bleed=4)
    sender = deliver(any_clinic)
    for _ in range(50):
        clock.move(minutes=1)
        work_round(any_clinic, sender)
    sender.accepted.clear()
    phone.advised()
    phone.save(breath=3)
    deliver(any_clinic, sender)
    assert sorted(sender.addresses()) == [INVESTIGATOR, NURSE]


@pytest.mark.parametrize("mended", [None, INVESTIGATOR], ids=["hangs", "leaves later"])
def test_a_further_emergency_is_told_to_each_person_whose_message_has_left(any_clinic, clock, mended):
    """The message to one person waits; the other was told of the first emergency, so must be told of the second."""
    phone = any_clinic.start()
    phone.save(bleed=4)
    sender = ScriptedSender(unreachable={INVESTIGATOR})
    deliver(any_clinic, sender)
    clock.move(minutes=16)
    work_round(any_clinic, sender)
    before = len(any_clinic.rows(Message))
    sender.accepted.clear()
    clock.move(minutes=1)
    phone.advised()
    phone.save(breath=3)
    deliver(any_clinic, sender)
    assert sender.addresses() == [NURSE]
    # The message that has not left leads to both.
    assert len(any_clinic.rows(Message)) == before + 1
    if mended:
        sender.unreachable.discard(mended)
        clock.move(minutes=10)
        deliver(any_clinic, sender)
        assert INVESTIGATOR in sender.addresses()
    work_round(any_clinic, sender)
    assert [mail.to for mail in any_clinic.mails()] == [NURSE, INVESTIGATOR, NURSE]


def test_what_waits_after_an_acknowledgement_is_told_for_itself(any_clinic, clock):
    """No message has left yet; an old page acknowledges the first emergency alone."""
    phone = any_clinic.start()
    phone.save(bleed=4)
    page = any_clinic.rows(Alert)
    clock.move(minutes=1)
    phone.advised()
    phone.save(breath=3)
    assert [mail.to for mail in any_clinic.mails()] == [NURSE, INVESTIGATOR]
    acknowledge(any_clinic, *page)
    worker_steps.escalate_alerts(any_clinic.app_context)
    assert [mail.to for mail in any_clinic.mails()] == [NURSE, INVESTIGATOR] * 2


def test_what_could_not_be_told_at_once_is_told_to_each_person_by_the_worker(any_clinic, clock, monkeypatch):
    phone = any_clinic.start()
    phone.save(bleed=4)
    sender = ScriptedSender(unreachable={INVESTIGATOR})
    deliver(any_clinic, sender)
    clock.move(minutes=1)
    phone.advised()
    with monkeypatch.context() as patch:
        patch.setattr(notifications, "notify_staff", lambda *_given: None)
        phone.save(breath=3)
    sender.accepted.clear()
    work_round(any_clinic, sender)
    assert sender.addresses() == [NURSE]


def test_who_comes_on_call_while_a_case_waits_is_told_at_once(any_clinic, clock):
    any_clinic.start().save(bleed=4)
    sender = deliver(any_clinic)
    clock.move(minutes=5)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        factories.duty(work, factories.account(work, "nurse", email="night@example.org"))
    sender.accepted.clear()
    work_round(any_clinic, sender)
    assert sender.addresses() == ["night@example.org"]


def test_a_further_text_is_told_to_each_person_ten_minutes_after_their_last_message(any_clinic, clock):
    phone = TextingPhone(any_clinic.app_context)
    phone.write(FLOOD, deliver=False)
    sender = ScriptedSender(unreachable={INVESTIGATOR})
    deliver(any_clinic, sender)
    clock.move(minutes=1)
    phone.write("又流了很多血，止不住", deliver=False)
    clock.move(minutes=9, seconds=30)
    sender.accepted.clear()
    work_round(any_clinic, sender)
    assert sender.addresses().count(NURSE) == 1


def test_a_further_emergency_that_is_refused_goes_by_the_other_channel(any_clinic, clock):
    phone = with_backup(any_clinic, "+8613700137000").start()
    phone.save(bleed=4)
    sender = deliver(any_clinic)
    clock.move(minutes=1)
    phone.advised()
    phone.save(breath=3)
    sender = ScriptedSender(refused={NURSE})
    deliver(any_clinic, sender)
    work_round(any_clinic, sender)
    assert "+8613700137000" in sender.addresses()
    assert BACKUP in sender.addresses()


# --- 7 refused is not told -------------------------------------------------------------------------------------------


def with_backup(clinic: Clinic, phone: str = "") -> Clinic:
    with form_browser.unit_of_work(clinic.app_context) as work:
        factories.duty(work, clinic.coordinator, "backup")
        if phone:
            nurse = work.session.get_one(StaffMember, clinic.nurse.id)
            nurse.phone_sealed = clinic.app_context.vault.seal(phone)
    return clinic


def test_a_refused_mail_goes_by_the_other_channel_and_to_the_next_person_at_once(any_clinic):
    with_backup(any_clinic, "+8613700137000").start().save(bleed=4)
    sender = ScriptedSender(refused={NURSE, INVESTIGATOR})
    deliver(any_clinic, sender)
    assert "not_notified" in troubles(any_clinic)
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.coordinator.actor) as work:
        assert [case.participant_number for case in to_do_list.read_to_do_list(work).not_notified] == ["NPC-001"]
    work_round(any_clinic, sender)
    assert set(sender.addresses()) == {"+8613700137000", BACKUP}
    assert "not_notified" not in troubles(any_clinic)


def test_where_all_are_refused_it_stays_untold_and_everybody_is_tried(any_clinic, clock):
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        factories.account(work, "administrator", email="admin@example.org")
    with_backup(any_clinic).start().save(bleed=4)
    sender = ScriptedSender(refused={NURSE, INVESTIGATOR, BACKUP})
    deliver(any_clinic, sender)
    work_round(any_clinic, sender)
    work_round(any_clinic, sender)
    assert sender.addresses() == ["admin@example.org"]
    assert "not_notified" not in troubles(any_clinic)


def test_an_emergency_whose_mail_hangs_is_told_to_the_next_person_after_two_minutes(any_clinic, clock):
    with_backup(any_clinic).start().save(bleed=4)
    sender = ScriptedSender(unreachable={NURSE, INVESTIGATOR})
    work_round(any_clinic, sender)
    assert sender.accepted == []
    clock.move(minutes=2, seconds=1)
    assert "not_notified" in troubles(any_clinic)
    work_round(any_clinic, sender)
    assert sender.addresses() == [BACKUP]
    assert "not_notified" not in troubles(any_clinic)


# --- 9 nobody is flooded ---------------------------------------------------------------------------------------------


def test_thirty_texts_of_one_unknown_number_make_few_mails_and_all_are_kept(any_clinic, clock):
    stranger = TextingPhone(any_clinic.app_context, number=STRANGER)
    for number in range(30):
        stranger.write(f"{FLOOD} {number}", deliver=False)
        deliver(any_clinic)
        clock.move(seconds=10)
    assert len(any_clinic.rows(IncomingMessage)) == 30
    assert [mail.to for mail in any_clinic.mails("unknown_sender")] == [NURSE, INVESTIGATOR]
    clock.move(minutes=5)
    worker_steps.run_jobs(any_clinic.app_context, {"email": ScriptedSender(), "sms": ScriptedSender()}, "w")
    first, second = any_clinic.mails("unknown_sender_more")
    assert {first.to, second.to} == {NURSE, INVESTIGATOR}
    assert first.params["count"] == 29
    assert len([row for row in any_clinic.rows(Message) if row.channel == "sms"]) == 1


def test_thirty_texts_of_one_participant_are_one_case(any_clinic, clock):
    phone = TextingPhone(any_clinic.app_context)
    for number in range(30):
        phone.write(f"{FLOOD} {number}", deliver=False)
        deliver(any_clinic)
        clock.move(seconds=10)
    alerts = any_clinic.rows(Alert)
    assert (len(alerts), len({alert.source for alert in alerts})) == (30, 1)
    assert [mail.to for mail in any_clinic.mails()] == [NURSE, INVESTIGATOR]
    clock.move(minutes=6)
    worker_steps.escalate_alerts(any_clinic.app_context)
    assert [mail.params["count"] for mail in any_clinic.mails("alert_more")] == [29, 29]


def test_a_louder_text_is_told_at_once(any_clinic, clock):
    stranger = TextingPhone(any_clinic.app_context, number=STRANGER)
    stranger.write("流鼻血", deliver=False)
    before = len([row for row in any_clinic.rows(Message) if row.channel == "email"])
    clock.move(seconds=10)
    stranger.write(FLOOD, deliver=False)
    assert len([row for row in any_clinic.rows(Message) if row.channel == "email"]) == before + 2


# --- 10 the same switches every time ---------------------------------------------------------------------------------


def test_a_proxys_scores_raise_nothing_when_they_are_judged_again(any_clinic, clock):
    any_clinic.start(any_clinic.qlq).finish(**{f"Q{number}": 1 for number in range(1, 29)}, Q29=7, Q30=7)
    clock.move(days=21)
    way = any_clinic.send("qlq_c30")
    proxy = any_clinic.start(way, answered_by="proxy")
    proxy.finish(**{f"Q{number}": 3 for number in range(1, 29)}, Q29=3, Q30=3)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        work.session.execute(
            update(Assessment).where(Assessment.id == way.assessment_id).values(evaluate_next_at=work.now)
        )
    worker_steps.evaluate_idle_forms(any_clinic.app_context)
    assert not {"QD1", "QD2"} & set(any_clinic.alerts())
    assert any_clinic.rows(Answer)
