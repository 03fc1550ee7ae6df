"""What staff of the demonstration do with alerts, missed forms and events: acknowledge, call, grade, close, explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial

from sqlalchemy import select

from pro.core.rule_language.level import Level
from pro.features.adverse_events import gradings
from pro.features.adverse_events.gradings import GradingDraft
from pro.features.alerts import alert_handling, alert_service
from pro.features.operations import demo_forms
from pro.features.operations.demo_courses import dice
from pro.features.operations.demo_timeline import Timeline
from pro.features.participants.treatment_dates import local_date
from pro.features.schedule import expected_forms, missed_forms
from pro.features.text_messages import delivery_receipts, failed_messages
from pro.messaging import outbox
from pro.models import AdverseEvent, Alert, Assessment, CallTask, ExpectedForm, Message, Participant

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
# Alerts younger than this are still open, as on any working day.
OPEN_FOR = 2 * DAY
# Receipts of the SMS provider are kept for so long.
RECEIPTS = 45 * DAY
# Rule "suspects" -> the term that the investigator records, what it is attributed to, and what was done.
TERMS = {
    "mucositis": ("mucositis_oral", "radiotherapy", "含漱液，软食，止痛。"),
    "dry_mouth": ("dry_mouth", "radiotherapy", "人工唾液，少量多次饮水。"),
    "pain": ("pain", "radiotherapy", "按阶梯止痛，三天后复诊。"),
    "fatigue": ("fatigue", "anti_pd1", "休息，复查甲状腺功能。"),
    "dysphagia": ("dysphagia", "radiotherapy", "流食，营养科会诊。"),
    "anorexia": ("anorexia", "radiotherapy", "营养补充剂。"),
    "weight_loss": ("weight_loss", "radiotherapy", "营养科会诊。"),
    "dermatitis_radiation": ("dermatitis_radiation", "radiotherapy", "保湿，避免摩擦。"),
    "nausea": ("nausea", "anti_pd1", "止吐药。"),
}
# Terms whose events end within weeks after radiotherapy.
PASSING_TERMS = ("mucositis_oral", "dermatitis_radiation", "pain", "nausea", "anorexia", "dysphagia")
PHONED = "电话联系：能进软食，无出血，已交代观察要点。"
REACHED = "电话联系上了，说忘了填，今天补上。"
WATCHED = "Discussed at the weekly visit."
REASONS = ("forgot", "forgot", "forgot", "too_ill", "too_ill", "technical", "refused", "administrative")
NOTES = {
    "forgot": "住院期间忘记填写。",
    "too_ill": "口腔疼痛，不愿作答。",
    "technical": "手机没有信号。",
    "refused": "本次不愿填写。",
    "administrative": "访视当天未发放。",
}


@dataclass(slots=True)
class Desk:
    """The staff at work. ``hands_off``: sources of alerts whose story is told elsewhere.

    ``silent``: ids of participants whose missed forms stay unexplained. ``unreachable``: participant
    and day on which text messages do not arrive. ``recorded``: participant and term -> recorded event.
    """

    timeline: Timeline
    hands_off: set[str] = field(default_factory=set)
    silent: set[int] = field(default_factory=set)
    unreachable: set[tuple[int, date]] = field(default_factory=set)
    recorded: dict[tuple[int, str], int] = field(default_factory=dict)

    def deliver(self) -> None:
        """Send what waits, and record the receipts of the last weeks."""
        work = self.timeline.work
        if not outbox.deliver_in_transaction(work, demo_forms.SENDERS) or self.timeline.ends - work.now > RECEIPTS:
            return
        query = select(Message).where(Message.channel == "sms", Message.sent_at == work.now)
        for message in work.session.scalars(query.order_by(Message.id)):
            lost = (message.participant_id, self.timeline.local_day(work.now)) in self.unreachable
            state, why = ("undelivered", "phone_unreachable") if lost else ("delivered", "")
            delivery_receipts.record_receipt(work, message.reference or "", state, why)

    def next_due_at(self, form: Assessment) -> None:
        """Send the notifications of a form's alerts, and have a urgent case handled."""
        alerts = alert_service.alerts_of(self.timeline.work, form)
        if any(alert.level >= Level.URGENT for alert in alerts):
            self.deliver()
            self.handle_urgent_case(alerts[0].source)

    def sweep(self) -> None:
        """Begin the day: handle open alerts, due calls and missed forms."""
        self._handle_open_alerts()
        self._make_due_calls()
        self._explain_missed_forms()

    def handle_urgent_case(self, source: str) -> None:
        """Have a urgent case acknowledged and phoned within the hour, and graded; it is closed later by ``sweep``."""
        now = self.timeline.work.now
        if source not in self.hands_off and now < self.timeline.ends - OPEN_FOR:
            self.timeline.add(now + 14 * MINUTE, partial(self.acknowledge, source))
            self.timeline.add(now + 25 * MINUTE, partial(self.phone, source))
            self.timeline.add(now + 170 * MINUTE, partial(self.grade, source))

    def _handle_open_alerts(self) -> None:
        work = self.timeline.work
        query = select(Alert.source).where(Alert.closed_at.is_(None), Alert.raised_at < self.timeline.ends - OPEN_FOR)
        found = sorted(set(work.session.scalars(query)) - self.hands_off)
        for number, source in enumerate(found):
            first = work.now + (70 + 3 * number) * MINUTE
            self.timeline.add(first, partial(self.acknowledge, source))
            self.timeline.add(first + 95 * MINUTE, partial(self.grade, source))
            self.timeline.add(first + 150 * MINUTE, partial(self.close, source))

    def acknowledge(self, source: str) -> None:
        """Have the nurse acknowledge every open alert of a case."""
        with self.timeline.acting("nurse") as work:
            waiting = [alert.id for alert in self._open(source) if alert.acknowledged_at is None]
            if waiting:
                alert_service.acknowledge(work, waiting)

    def phone(self, source: str) -> None:
        """Have the nurse phone the participant about a case."""
        alerts = self._open(source)
        if alerts:
            with self.timeline.acting("nurse") as work:
                missed_forms.log_call(
                    work,
                    at=work.now,
                    outcome="reached",
                    text=PHONED,
                    participant_id=alerts[0].participant_id,
                    source=source,
                )

    def grade(self, source: str) -> None:
        """Have the investigator grade a case: a new event, a known one, or none."""
        alerts = self._open(source)
        if not alerts or alert_handling.is_assessed(self.timeline.work, alerts):
            return
        with self.timeline.acting("investigator") as work:
            person = work.session.get_one(Participant, alerts[0].participant_id)
            draft = self._draft(person, alerts)
            shown = [alert.id for alert in alert_service.unseen_alerts(work, source, ())]
            seen = gradings.newest_grading_id(work, person.id)
            done = gradings.sign_grading(
                work, self.timeline.proof(), person, draft, seen=seen, case_key=source, shown=shown
            )
            if done.event_id is not None and draft.term:
                self.recorded[person.id, draft.term] = done.event_id

    def close(self, source: str) -> None:
        """Have the investigator close a graded case."""
        alerts = self._open(source)
        if not alerts or not alert_handling.is_assessed(self.timeline.work, alerts):
            return
        loud = any(alert.level >= Level.URGENT for alert in alerts)
        with self.timeline.acting("investigator" if loud else "nurse") as work:
            disposition, reason = ("outpatient", "") if loud else ("watching", WATCHED)
            alert_handling.close_alerts(work, source, [alert.id for alert in alerts], disposition, reason)

    def end_events(self, person: Participant) -> None:
        """End the events that radiotherapy caused and that are over."""
        with self.timeline.acting("investigator") as work:
            query = select(AdverseEvent).where(
                AdverseEvent.participant_id == person.id,
                AdverseEvent.end_date.is_(None),
                AdverseEvent.ctcae_term.in_(PASSING_TERMS),
            )
            for event in work.session.scalars(query.order_by(AdverseEvent.id)):
                gradings.end_event(work, event.id, local_date(work.now, person.time_zone))
                self.recorded.pop((person.id, event.ctcae_term), None)

    def _draft(self, person: Participant, alerts: Sequence[Alert]) -> GradingDraft:
        """Return what the investigator records of a case: the worst symptom that is not known yet."""
        on = local_date(alerts[0].raised_at, person.time_zone)
        loudest = sorted(alerts, key=lambda alert: (-alert.level, alert.id))
        for alert in loudest:
            if alert.suspects not in TERMS:
                continue
            term, cause, action = TERMS[alert.suspects]
            loud = alert.level >= Level.URGENT
            known = self.recorded.get((person.id, term))
            if known is None:
                return self._new_event(term, cause, action, on, loud)
            if loud:
                return GradingDraft(
                    event_id=known, from_on=on, grade=3, attribution=(cause,), serious=False, action=action
                )
        if any(alert.suspects in TERMS for alert in alerts):
            return GradingDraft(none_reason="known_event")
        return GradingDraft(none_reason="expected")

    def _new_event(self, term: str, cause: str, action: str, on: date, loud: bool) -> GradingDraft:
        return GradingDraft(
            term=term, onset_date=on, grade=3 if loud else 2, attribution=(cause,), serious=False, action=action
        )

    def _make_due_calls(self) -> None:
        work = self.timeline.work
        query = select(CallTask).where(
            CallTask.done_at.is_(None), CallTask.due_at <= work.now, CallTask.participant_id.not_in(self.silent)
        )
        for task in work.session.scalars(query.order_by(CallTask.id)):
            self.timeline.add(work.now + 50 * MINUTE, partial(self._call, task.id))

    def _call(self, number: int) -> None:
        with self.timeline.acting("nurse") as work:
            if work.session.get_one(CallTask, number).done_at is None:
                missed_forms.log_call(work, at=work.now, outcome="reached", text=REACHED, call_task_id=number)
                for message in failed_messages.list_failed_messages(work, "en").messages:
                    failed_messages.settle_message(work, message.id)

    def _explain_missed_forms(self) -> None:
        """Record why a form is missing, two days after it closed, since it may still come."""
        work = self.timeline.work
        query = select(ExpectedForm).where(
            ExpectedForm.missed_at < work.now - 2 * DAY,
            ExpectedForm.received_at.is_(None),
            ExpectedForm.mandatory,
            ExpectedForm.missing_reason == "",
            ExpectedForm.participant_id.not_in(self.silent),
        )
        with self.timeline.acting("coordinator"):
            for row in work.session.scalars(query.order_by(ExpectedForm.id)):
                reason = dice("reason", row.participant_id, row.visit, row.instrument).choice(REASONS)
                expected_forms.set_missing_reason(work, row.id, reason, NOTES[reason])

    def _open(self, source: str) -> list[Alert]:
        """Return the open alerts of a case that no other alert covers."""
        return alert_service.unseen_alerts(self.timeline.work, source, ())
