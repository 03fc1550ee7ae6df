"""Provide the staff and participant of the service tests, and readers of their database."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import select

from pro.app_context import AppContext
from pro.core.rule_language.conditions import ValueDomain, Vocabulary, parse
from pro.core.rule_language.level import Level
from pro.core.sms_gateway import SmsGateway
from pro.core.study_plan import AlertRule, StudyPlan
from pro.db import Base
from pro.features.alerts import alert_service
from pro.features.participants import clinical_facts
from pro.models import Alert, AuditEntry, Message, Participant
from tests.support import factories, form_browser
from tests.support.factories import Account, FormLinks
from tests.support.form_browser import FormBrowser

Row = TypeVar("Row", bound=Base)


@dataclass(frozen=True)
class Clinic:
    """A Chinese nurse on call, English-speaking colleagues, and a Chinese participant."""

    # No repr: it holds all data files, and a failing example would print megabytes of text.
    app_context: AppContext = field(repr=False)
    nurse: Account
    investigator: Account
    coordinator: Account
    participant_id: int
    checkin: FormLinks
    qlq: FormLinks

    def start(
        self, way: FormLinks | None = None, *, answered_by: str = "self", language: str = "zh_Hans"
    ) -> FormBrowser:
        """Press Start on the check-in, or on the form of ``way``."""
        return form_browser.press_start(
            self.app_context, way or self.checkin, answered_by=answered_by, language=language
        )

    def send(self, instrument: str = "npc_checkin") -> FormLinks:
        """Issue another form."""
        with form_browser.unit_of_work(self.app_context, self.coordinator.actor) as work:
            return factories.form(work, work.session.get_one(Participant, self.participant_id), instrument)

    def another(self, plan: str, participant_number: str) -> Clinic:
        """Return a clinic with the same staff and a participant of another plan."""
        with form_browser.unit_of_work(self.app_context, self.coordinator.actor) as work:
            person = factories.participant(work, participant_number, plan=plan, phone="")
            return replace(
                self,
                participant_id=person.id,
                checkin=factories.form(work, person),
                qlq=factories.form(work, person, "qlq_c30"),
            )

    def mark(self, name: str, value: Any, item: str = "", days: int | None = None) -> None:
        """Record a clinical fact as the nurse."""
        with form_browser.unit_of_work(self.app_context, self.nurse.actor) as work:
            clinical_facts.set_fact(work, self.participant_id, name, value, item=item, days=days)

    def with_rules(self, *rules: AlertRule) -> Clinic:
        """Return the same clinic with ``rules`` added to its plan."""
        return self.with_plan(lambda plan: replace(plan, rules=plan.rules + rules))

    def with_plan(self, change: Callable[[StudyPlan], StudyPlan]) -> Clinic:
        """Return the same clinic with a changed plan."""
        old = self.app_context.catalogue
        plans = MappingProxyType({name: change(plan) for name, plan in old.plans.items()})
        return replace(self, app_context=replace(self.app_context, catalogue=replace(old, plans=plans)))

    def with_message_rules(self, **what: Any) -> Clinic:
        """Return the same clinic with changed message rules."""

        def changed(plan: StudyPlan) -> StudyPlan:
            assert plan.visit_schedule is not None
            rules = replace(plan.visit_schedule.reminder_rules, **what)
            return replace(plan, visit_schedule=replace(plan.visit_schedule, reminder_rules=rules))

        return self.with_plan(changed)

    def with_gateway(self, **what: Any) -> Clinic:
        """Return the same clinic with the limits of an SMS gateway."""
        gateway = SmsGateway(**{"provider": "g", **what})
        return replace(
            self, app_context=replace(self.app_context, catalogue=replace(self.app_context.catalogue, gateway=gateway))
        )

    # --- readers of the database -------------------------------------------------------------------------------------

    def rows(self, model: type[Row]) -> list[Row]:
        """Return every row, oldest first."""
        with form_browser.unit_of_work(self.app_context) as work:
            return list(work.session.scalars(select(model).order_by(*model.__mapper__.primary_key)))

    def alerts(self) -> dict[str, Alert]:
        """Return rule -> alert, of the newest form that has it."""
        return {alert.rule: alert for alert in self.rows(Alert)}

    def mails(self, template: str = "alert") -> list[QueuedEmail]:
        """Return the queued emails, opened, oldest first."""
        seen = self.app_context.vault.open
        return [
            QueuedEmail(
                seen(row.address_sealed), row.subject, seen(row.body_sealed), json.loads(seen(row.params_sealed)), row
            )
            for row in self.rows(Message)
            if row.template == template
        ]

    def events(self, action: str) -> list[AuditEntry]:
        """Return the audit entries of one action."""
        return [event for event in self.rows(AuditEntry) if event.action == action]

    def acknowledge(self, *rules: str) -> None:
        """Acknowledge the alerts of ``rules``, or all alerts, as the nurse."""
        ids = [alert.id for alert in self.alerts().values() if not rules or alert.rule in rules]
        with form_browser.unit_of_work(self.app_context, self.nurse.actor) as work:
            alert_service.acknowledge(work, ids)


@dataclass(frozen=True)
class QueuedEmail:
    """A queued email, opened."""

    to: str
    subject: str
    body: str
    params: Mapping[str, Any]
    row: Message


def build_clinic(app_context: AppContext) -> Clinic:
    """Build and commit the clinic."""
    with form_browser.unit_of_work(app_context) as work:
        nurse = factories.account(work, "nurse", language="zh_Hans")
        investigator = factories.account(work, "investigator", language="en")
        coordinator = factories.account(work, "coordinator", language="en")
        factories.duty(work, nurse)
        work.actor = coordinator.actor
        person = factories.participant(work)
        return Clinic(
            app_context,
            nurse,
            investigator,
            coordinator,
            person.id,
            factories.form(work, person, "npc_checkin"),
            factories.form(work, person, "qlq_c30"),
        )


def broken_rule(source: str = "ulcer_status >= 1") -> AlertRule:
    """Return a rule whose evaluation raises: it was parsed with another plan's vocabulary."""
    vocabulary = Vocabulary(
        facts={"ulcer_status": ValueDomain("number")},
        items={"free_text": ValueDomain("number"), "weight": ValueDomain("number")},
    )
    return AlertRule("X01", "npc_checkin", Level.URGENT, parse(source, vocabulary), "", ("E",))
