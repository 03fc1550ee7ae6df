"""“Known and stable”: what staff mark, so that answers no worse are lowered for 14 days (docs/domain.md 3.5, D1)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from sqlalchemy import func, select

from pro.app_context import UnitOfWork
from pro.core.questionnaire.answer_text import answer_text
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.accounts import staff_accounts
from pro.features.alerts import alert_list, alert_service
from pro.features.forms.form_state import answer_rows, current_answers
from pro.features.participants import clinical_facts
from pro.models import Alert, Assessment, ClinicalFact, Participant

FACT_NAME = "known_stable"
REASON_LENGTH = 500


@dataclass(frozen=True, slots=True)
class StableItem:
    """An answer that can be marked, or is: in the reader's words. ``until`` and ``name`` (who marked) of a mark."""

    item: str
    value: int
    question: str
    answer: str
    until: datetime | None = None
    name: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StableOffer:
    """The symptoms that can be marked on an alert's page, for ``days``.

    ``never``: sentences of the rules that are never lowered.
    """

    items: list[StableItem]
    never: list[str]
    days: int


def stable_offer(work: UnitOfWork, case_key: str, language: str) -> StableOffer | None:
    """Return the symptoms of ``source`` that can be marked; None without any."""
    query = select(Alert).where(Alert.source == case_key, Alert.superseded_at.is_(None)).order_by(Alert.id)
    alerts = list(work.session.scalars(query))
    form = work.session.get(Assessment, alerts[0].assessment_id) if alerts and alerts[0].assessment_id else None
    if form is None:
        return None
    person = work.session.get_one(Participant, form.participant_id)
    plan = work.catalogue.shown_plan(person.plan)
    lowering = plan.lowering
    if lowering is None or lowering.instrument != form.instrument:
        return None
    instrument = work.catalogue.shown_instrument(form.instrument)
    now = current_answers(instrument, answer_rows(work, form.id))
    rules = {rule.id: rule for rule in plan.rules}
    names: dict[str, None] = {}
    never = []
    for alert in alerts:
        rule = rules.get(alert.rule)
        if rule is None or rule.level != lowering.from_level or not alert_list.finding_holds(alert, form):
            continue
        if any(fnmatchcase(rule.id, pattern) for pattern in lowering.never):
            never.append(alert_list.rule_sentence(work, plan.id, rule.id, language))
            continue
        names |= dict.fromkeys(name for name in instrument.items if name in rule.when.names)
    found = []
    for name in names:
        value = now.get(name)
        if isinstance(value, int) and value > 0 and instrument.items[name].kind == "choice":
            found.append(_stable_item(work, form.instrument, name, value, language))
    return StableOffer(found, never, lowering.days) if found else None


def mark_stable(
    work: UnitOfWork, case_key: str, items: Collection[str], reason: str, language: str, shown: Collection[int]
) -> int:
    """Mark ``items`` of the form of a case as known and stable with today's values; return how many.

    ``shown``: ids of the alerts on the page. Raises BadData("stable", fields=...), NotAllowed("later", count) while an
    open alert of the case was not shown, and NotAllowed("marked_already", name, at) if one of the items was marked
    since the alerts were raised.
    """
    offered = stable_offer(work, case_key, language)
    if offered is None:
        raise NotFound("alert")
    reason = reason.strip()
    chosen = [one for one in offered.items if one.item in items]
    fields = {}
    if not chosen:
        fields["items"] = "stable_items"
    if not reason or len(reason) > REASON_LENGTH:
        fields["reason"] = "reason_too_long" if reason else "stable_reason"
    if fields:
        raise BadData("stable", fields=fields)
    participant_id = work.session.scalars(select(Alert.participant_id).where(Alert.source == case_key).limit(1)).one()
    work.lock(work.session.get_one(Participant, participant_id))
    unseen = alert_service.unseen_alerts(work, case_key, shown)
    if unseen:
        raise NotAllowed("later", count=len(unseen))
    _refuse_second_mark(work, participant_id, case_key, {one.item: one.value for one in chosen})
    for one in chosen:
        clinical_facts.set_fact(
            work, participant_id, FACT_NAME, one.value, item=one.item, days=offered.days, reason=reason
        )
    return len(chosen)


def _refuse_second_mark(work: UnitOfWork, participant_id: int, case_key: str, chosen: Mapping[str, int]) -> None:
    raised = select(func.max(Alert.raised_at)).where(Alert.source == case_key)
    query = select(ClinicalFact).where(
        ClinicalFact.participant_id == participant_id,
        ClinicalFact.name == FACT_NAME,
        ClinicalFact.item.in_(chosen),
        ClinicalFact.recorded_at >= raised.scalar_subquery(),
    )
    newest = {row.item: row for row in work.session.scalars(query.order_by(ClinicalFact.id))}
    for item, row in newest.items():
        if row.value == chosen[item] and row.expires_at is not None and row.expires_at > work.now:
            name = staff_accounts.staff_names(work).get(row.recorded_by or 0, "")
            raise NotAllowed("marked_already", name=name, at=row.recorded_at)


def stable_marks(work: UnitOfWork, participant: Participant, language: str) -> list[StableItem]:
    """Return the marks of a participant that count now."""
    plan = work.catalogue.plans.get(participant.plan)
    if plan is None or plan.lowering is None:
        return []
    query = select(ClinicalFact).where(ClinicalFact.participant_id == participant.id, ClinicalFact.name == FACT_NAME)
    newest = {row.item: row for row in work.session.scalars(query.order_by(ClinicalFact.id))}
    names = staff_accounts.staff_names(work)
    instrument = work.catalogue.shown_instrument(plan.lowering.instrument)
    found = []
    for name in instrument.items:
        row = newest.get(name)
        if row is not None and row.expires_at is not None and row.expires_at > work.now:
            who = names.get(row.recorded_by or 0, "")
            found.append(_stable_item(work, instrument.id, name, row.value, language, row.expires_at, who, row.reason))
    return found


def revoke_mark(work: UnitOfWork, participant: Participant, item: str) -> bool:
    """Take a mark back: from now on the item counts as ever. False if no mark of it counted any more."""
    for one in stable_marks(work, participant, "en"):
        if one.item == item:
            clinical_facts.set_fact(work, participant.id, FACT_NAME, one.value, item=item, days=0, reason="revoked")
            return True
    return False


def _stable_item(
    work: UnitOfWork,
    instrument: str,
    name: str,
    value: int,
    language: str,
    until: datetime | None = None,
    who: str = "",
    reason: str = "",
) -> StableItem:
    item, said = (
        work.catalogue.shown_instrument(instrument).items[name],
        work.catalogue.words[instrument, language].items[name],
    )
    return StableItem(name, value, said.plain, answer_text(item, said, value), until, who, reason)
