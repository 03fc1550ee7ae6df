"""The people of the services' tests, and what lies in their database afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import select

from pro.app_context import AppContext
from pro.core.rule_language.conditions import Domain, Vocabulary, parse
from pro.core.rule_language.level import Level
from pro.core.sms_gateway import Gateway
from pro.core.study_plan import Plan, Rule
from pro.db import Base
from pro.features.alerts import alert_service
from pro.features.participants import clinical_facts
from pro.models import Alert, Event, Message, Participant
from tests.support import factories, form_browser
from tests.support.factories import Account, Way
from tests.support.form_browser import Browser

Row = TypeVar("Row", bound=Base)


@dataclass(frozen=True)
class Ward:
    """A Chinese nurse on duty, an English-speaking investigator, a coordinator, a Chinese participant."""

    # Every data file hangs on it: a failing example would be shown with megabytes of words.
    house: AppContext = field(repr=False)
    nurse: Account
    investigator: Account
    coordinator: Account
    participant_id: int
    checkin: Way
    qlq: Way

    def start(self, way: Way | None = None, *, answered_by: str = "self", language: str = "zh_Hans") -> Browser:
        """Press Start on the check-in, or on ``way``."""
        return form_browser.press_start(self.house, way or self.checkin, answered_by=answered_by, language=language)

    def send(self, instrument: str = "npc_checkin") -> Way:
        """Another form."""
        with form_browser.working(self.house, self.coordinator.actor) as work:
            return factories.form(work, work.session.get_one(Participant, self.participant_id), instrument)

    def another(self, plan: str, study_number: str) -> Ward:
        """The same people with a participant of another plan."""
        with form_browser.working(self.house, self.coordinator.actor) as work:
            person = factories.participant(work, study_number, plan=plan, phone="")
            return replace(
                self,
                participant_id=person.id,
                checkin=factories.form(work, person),
                qlq=factories.form(work, person, "qlq_c30"),
            )

    def mark(self, name: str, value: Any, item: str = "", days: int | None = None) -> None:
        """Staff note a clinical fact."""
        with form_browser.working(self.house, self.nurse.actor) as work:
            clinical_facts.set_fact(work, self.participant_id, name, value, item=item, days=days)

    def with_rules(self, *rules: Rule) -> Ward:
        """The same ward after its plan got ``rules`` on top."""
        return self.with_plan(lambda plan: replace(plan, rules=plan.rules + rules))

    def with_plan(self, change: Callable[[Plan], Plan]) -> Ward:
        """The same ward under a changed plan."""
        old = self.house.catalogue
        plans = MappingProxyType({name: change(plan) for name, plan in old.plans.items()})
        return replace(self, house=replace(self.house, catalogue=replace(old, plans=plans)))

    def with_reminding(self, **what: Any) -> Ward:
        """The same ward under other rules about messages."""

        def changed(plan: Plan) -> Plan:
            assert plan.calendar is not None
            rules = replace(plan.calendar.reminding, **what)
            return replace(plan, calendar=replace(plan.calendar, reminding=rules))

        return self.with_plan(changed)

    def with_gateway(self, **what: Any) -> Ward:
        """The same ward behind an SMS gateway that takes less."""
        gateway = Gateway(**{"provider": "g", **what})
        return replace(self, house=replace(self.house, catalogue=replace(self.house.catalogue, gateway=gateway)))

    # --- what lies in the database -----------------------------------------------------------------------------------

    def rows(self, model: type[Row]) -> list[Row]:
        """Every row, oldest first."""
        with form_browser.working(self.house) as work:
            return list(work.session.scalars(select(model).order_by(*model.__mapper__.primary_key)))

    def alerts(self) -> dict[str, Alert]:
        """rule -> alert, of the newest form that has it."""
        return {alert.rule: alert for alert in self.rows(Alert)}

    def mails(self, template: str = "alert") -> list[Mail]:
        """Queued mails, opened, oldest first."""
        seen = self.house.vault.open
        return [
            Mail(seen(row.address_sealed), row.subject, seen(row.body_sealed), json.loads(seen(row.params_sealed)), row)
            for row in self.rows(Message)
            if row.template == template
        ]

    def events(self, action: str) -> list[Event]:
        """Audit events of one kind."""
        return [event for event in self.rows(Event) if event.action == action]

    def acknowledge(self, *rules: str) -> None:
        """The nurse takes on the alerts of ``rules``, or all."""
        ids = [alert.id for alert in self.alerts().values() if not rules or alert.rule in rules]
        with form_browser.working(self.house, self.nurse.actor) as work:
            alert_service.acknowledge(work, ids)


@dataclass(frozen=True)
class Mail:
    """One queued mail, opened."""

    to: str
    subject: str
    body: str
    params: Mapping[str, Any]
    row: Message


def build(house: AppContext) -> Ward:
    """The ward, committed."""
    with form_browser.working(house) as work:
        nurse = factories.account(work, "nurse", language="zh_Hans")
        investigator = factories.account(work, "investigator", language="en")
        coordinator = factories.account(work, "coordinator", language="en")
        factories.duty(work, nurse)
        work.actor = coordinator.actor
        person = factories.participant(work)
        return Ward(
            house,
            nurse,
            investigator,
            coordinator,
            person.id,
            factories.form(work, person, "npc_checkin"),
            factories.form(work, person, "qlq_c30"),
        )


def broken_rule(source: str = "ulcer_status >= 1") -> Rule:
    """A rule that was checked against a vocabulary that is not the plan's, so that judging it raises."""
    vocabulary = Vocabulary(
        facts={"ulcer_status": Domain("number")}, items={"free_text": Domain("number"), "weight": Domain("number")}
    )
    return Rule("X01", "npc_checkin", Level.URGENT, parse(source, vocabulary), "", ("E",))
