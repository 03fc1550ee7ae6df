"""Facts about a participant beside the answers, and their snapshot when a form is opened.

Source: docs/domain.md 3.4.10.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, func, select

from pro.app_context import UnitOfWork
from pro.core.questionnaire.instrument import Value
from pro.core.questionnaire.json_values import read_value
from pro.core.schedule.anchors import is_exposed
from pro.core.triage.verdict import ClinicalContext
from pro.features.participants import treatment_dates
from pro.models import Alert, Answer, Assessment, ClinicalFact, ExpectedForm, Participant, Score

# Prefix of the source of an alert about a missed form; the id of the expected form follows.
MISSED_FORM_PREFIX = "missed:"
# Time of the answers: for forms entered by staff the recorded time, else the time of submission.
ANSWERED_AT = func.coalesce(Assessment.answered_at, Assessment.submitted_at)


def set_fact(
    work: UnitOfWork,
    participant_id: int,
    name: str,
    value: Any,
    *,
    item: str = "",
    days: int | None = None,
    reason: str = "",
) -> ClinicalFact:
    """Store a clinical fact and return it.

    The fact holds until a newer one is stored, or for ``days`` days; 0 cancels an older one. ``item``: the item that
    the fact is about, "" for facts of the participant.
    """
    old = _current_facts(work, participant_id).get((name, item))
    fact = ClinicalFact(
        participant_id=participant_id,
        name=name,
        item=item,
        value=value,
        recorded_at=work.now,
        recorded_by=work.actor.id if work.actor.kind == "staff" else None,
        expires_at=None if days is None else work.now + timedelta(days=days),
        reason=reason,
    )
    work.session.add(fact)
    key = f"{name}:{item}" if item else name
    work.record(
        "clinical_fact.set", fact, participant_id=participant_id, old={key: old}, new={key: value}, reason=reason
    )
    return fact


def current_fact(work: UnitOfWork, participant_id: int, name: str) -> Any:
    """Return the value of a fact that holds now, or None if none is recorded."""
    return _current_facts(work, participant_id).get((name, ""))


def suspect_ulcer(work: UnitOfWork, participant_id: int, rule: str) -> None:
    """Set the ulcer status to "suspected" if it is "none", because ``rule`` fired.

    The status counts from the next form on, until staff clear it (docs/domain.md 3.4.5).
    """
    if _current_facts(work, participant_id).get(("ulcer_status", ""), "none") == "none":
        set_fact(work, participant_id, "ulcer_status", "suspected", reason=rule)


def context_snapshot(work: UnitOfWork, assessment: Assessment) -> dict[str, Any]:
    """Return what the evaluation of ``assessment`` needs beside its answers, JSON-able.

    It is stored with the form, so that evaluating the same answers twice gives the same result (docs/domain.md 3.4.5).
    """
    facts = _current_facts(work, assessment.participant_id)
    baseline = _baseline(work, assessment)
    previous = _last_submitted(work, assessment)
    weight = facts.get(("baseline_weight", "")) or (_answer_values(work, baseline).get("weight") if baseline else None)
    return {
        "pd1_exposed": _exposed(work, assessment.participant_id, "pd1_exposed", facts.get(("pd1_exposed", ""))),
        "ulcer_status": facts.get(("ulcer_status", ""), "none"),
        "known_stable": stable_symptoms(work, assessment.participant_id),
        "baseline_weight": str(weight) if weight is not None else None,
        "open_alert": _open_alert(work, assessment.participant_id),
        "selfharm_enabled": bool(facts.get(("selfharm_enabled", ""), False)),
        "baseline": _answer_values(work, baseline) if baseline else {},
        "previous": _answer_values(work, previous) if previous else {},
        "baseline_scores": _scores(work, baseline) if baseline else {},
        "baseline_at": _answered_at(baseline),
        "previous_at": _answered_at(previous),
    }


def context_from_snapshot(stored: Mapping[str, Any], now: datetime) -> ClinicalContext:
    """Return a stored snapshot as the context that the evaluation takes.

    Marks of "known and stable" that ended before ``now`` (UTC) are left out.
    """
    weight = stored.get("baseline_weight")
    marks = stored.get("known_stable", {})
    stable = {item: mark["value"] for item, mark in marks.items() if datetime.fromisoformat(mark["until"]) > now}
    return ClinicalContext(
        pd1_exposed=stored.get("pd1_exposed"),
        ulcer_status=stored.get("ulcer_status", "none"),
        known_stable=stable,
        baseline_weight=Decimal(weight) if weight is not None else None,
        open_alert=stored.get("open_alert", 0),
        selfharm_enabled=stored.get("selfharm_enabled", False),
    )


def missed_forms_context(work: UnitOfWork, participant_id: int, missed: int) -> ClinicalContext:
    """Return the current context for evaluating ``missed`` check-ins missed in a row.

    Open alerts about missed forms are left out of ``open_alert``: otherwise the first of them would raise the level of
    the next.
    """
    query = select(func.max(Alert.level)).where(
        Alert.participant_id == participant_id,
        Alert.closed_at.is_(None),
        Alert.superseded_at.is_(None),
        Alert.source.not_like(f"{MISSED_FORM_PREFIX}%"),
    )
    return ClinicalContext(
        missed_consecutive=missed,
        ulcer_status=_current_facts(work, participant_id).get(("ulcer_status", ""), "none"),
        open_alert=work.session.scalar(query) or 0,
    )


def current_form_facts(work: UnitOfWork, participant_id: int, instrument: str) -> dict[str, object]:
    """Return the facts that select the items of a form of ``instrument`` opened now."""
    return form_facts(context_snapshot(work, Assessment(participant_id=participant_id, instrument=instrument)))


def form_facts(stored: Mapping[str, Any]) -> dict[str, object]:
    """Return the facts that select the items of a form, from its snapshot.

    Unknown exposure to anti-PD-1 counts as exposure (docs/domain.md 3.4.4).
    """
    return {"pd1": stored.get("pd1_exposed") is not False, "selfharm_enabled": stored.get("selfharm_enabled", False)}


def hours_since_answers(work: UnitOfWork, assessment: Assessment, hours: int) -> dict[str, float]:
    """Return item -> hours between its current answer in another form and this form.

    Only answers of the ``hours`` hours before this form count. Answers entered by staff count from the recorded time of
    the answers.
    """
    given_at = func.coalesce(Assessment.answered_at, Answer.at)
    moment = assessment.answered_at or work.now
    newest = (
        select(func.max(Answer.id))
        .join(Assessment, Assessment.id == Answer.assessment_id)
        .where(Assessment.participant_id == assessment.participant_id, Assessment.id != assessment.id)
        .group_by(Answer.assessment_id, Answer.item)
    )
    # Only current answers count, not those that were skipped or withdrawn afterwards.
    query = (
        select(Answer.item, func.max(given_at))
        .join(Assessment, Assessment.id == Answer.assessment_id)
        .where(Answer.id.in_(newest), Answer.state == "given")
        .where(given_at > moment - timedelta(hours=hours), given_at <= moment)
        .group_by(Answer.item)
    )
    return {item: (moment - at).total_seconds() / 3600 for item, at in work.session.execute(query)}


def _current_facts(work: UnitOfWork, participant_id: int) -> dict[tuple[str, str], Any]:
    """Return (name, item) -> value of the facts that hold now."""
    query = select(ClinicalFact).where(ClinicalFact.participant_id == participant_id).order_by(ClinicalFact.id)
    found: dict[tuple[str, str], Any] = {}
    for fact in work.session.scalars(query):
        if fact.expires_at is None or fact.expires_at > work.now:
            found[fact.name, fact.item] = fact.value
        else:
            found.pop((fact.name, fact.item), None)
    return found


def stable_symptoms(work: UnitOfWork, participant_id: int) -> dict[str, dict[str, Any]]:
    """Return item -> marked value and end (ISO 8601) of its newest mark "known and stable".

    A mark holds for the days of the study plan (14 days, docs/domain.md 3.4.10), or less if staff chose an earlier end.
    """
    query = select(ClinicalFact).where(
        ClinicalFact.participant_id == participant_id, ClinicalFact.name == "known_stable"
    )
    participant = work.session.get_one(Participant, participant_id)
    lowering = work.catalogue.shown_plan(participant.plan).lowering
    newest = {mark.item: mark for mark in work.session.scalars(query.order_by(ClinicalFact.id))}
    found = {}
    for item, mark in newest.items():
        until = mark.recorded_at + timedelta(days=lowering.days if lowering else 0)
        until = min(until, mark.expires_at or until)
        if until > work.now:
            found[item] = {"value": mark.value, "until": until.isoformat()}
    return found


def _other_submitted_forms(assessment: Assessment) -> Select[Assessment]:
    """Return the query of the participant's other submitted forms of the same instrument.

    For a form entered by staff only forms answered before it are returned.
    """
    query = select(Assessment).where(
        Assessment.participant_id == assessment.participant_id,
        Assessment.instrument == assessment.instrument,
        Assessment.submitted_at.is_not(None),
        Assessment.id != assessment.id,
    )
    if assessment.answered_at is not None:  # entered by staff: compared with earlier answers only
        query = query.where(assessment.answered_at > ANSWERED_AT)
    return query


def _baseline(work: UnitOfWork, assessment: Assessment) -> Assessment | None:
    """Return the form of the plan's baseline visit, else the first submitted form.

    Source: docs/domain.md 3.4.9.
    """
    participant = work.session.get_one(Participant, assessment.participant_id)
    visit_schedule = work.catalogue.shown_plan(participant.plan).visit_schedule
    sent = _other_submitted_forms(assessment)
    if visit_schedule is not None and visit_schedule.baseline:
        of_visit = sent.join(ExpectedForm, ExpectedForm.assessment_id == Assessment.id).where(
            ExpectedForm.kind == visit_schedule.baseline, ExpectedForm.received_at.is_not(None)
        )
        found = work.session.scalar(of_visit.order_by(ANSWERED_AT.desc(), Assessment.id.desc()).limit(1))
        if found is not None:
            return found
    return work.session.scalar(sent.order_by(ANSWERED_AT, Assessment.id).limit(1))


def _exposed(work: UnitOfWork, participant_id: int, name: str, noted: bool | None) -> bool | None:
    """Return whether the participant was exposed by the recorded doses or by ``noted``.

    ``noted``: the fact recorded by staff. None if both are unknown (docs/domain.md 3.4.4).
    """
    participant = work.session.get_one(Participant, participant_id)
    visit_schedule = work.catalogue.shown_plan(participant.plan).visit_schedule
    rule = next((one for one in visit_schedule.exposures if one.fact == name), None) if visit_schedule else None
    if visit_schedule is None or rule is None:
        return noted
    today = treatment_dates.local_date(work.now, participant.time_zone)
    by_dates = is_exposed(rule, treatment_dates.resolve_days(work, participant, visit_schedule), today)
    return noted if by_dates is None else (by_dates or noted is True)


def _last_submitted(work: UnitOfWork, assessment: Assessment) -> Assessment | None:
    """Return the newest earlier form within the plan's ``previous_days`` days.

    21 days, docs/domain.md 3.4.9.
    """
    participant = work.session.get_one(Participant, assessment.participant_id)
    moment = assessment.answered_at or work.now
    since = moment - timedelta(days=work.catalogue.shown_plan(participant.plan).previous_days)
    query = _other_submitted_forms(assessment).where(since < ANSWERED_AT)
    return work.session.scalar(query.order_by(ANSWERED_AT.desc(), Assessment.id.desc()).limit(1))


def _answer_values(work: UnitOfWork, assessment: Assessment) -> dict[str, Any]:
    """Return item -> stored value of the answers given in an earlier form.

    Numbers are stored as text. Skipped and withdrawn answers are left out.
    """
    query = select(Answer).where(Answer.assessment_id == assessment.id).order_by(Answer.id)
    rows = {row.item: row for row in work.session.scalars(query)}
    return {item: row.value for item, row in rows.items() if row.state == "given" and isinstance(row.value, int | str)}


def earlier_values(work: UnitOfWork, instrument: str, stored: Mapping[str, Any]) -> dict[str, Value | None]:
    """Return stored baseline or previous answers as the values that the evaluation takes."""
    items = work.catalogue.shown_instrument(instrument).items
    return {name: read_value(items[name], value) for name, value in stored.items() if name in items}


def _answered_at(assessment: Assessment | None) -> str | None:
    """Return when an earlier form was answered, as ISO 8601 text; None if there is no earlier form."""
    at = (assessment.answered_at or assessment.submitted_at) if assessment else None
    return at.isoformat() if at else None


def _scores(work: UnitOfWork, assessment: Assessment) -> dict[str, float]:
    """Return scale -> newest score of a form, without missing scores."""
    query = select(Score).where(Score.assessment_id == assessment.id).order_by(Score.id)
    newest = {score.scale: score.value for score in work.session.scalars(query)}
    return {scale: value for scale, value in newest.items() if value is not None}


def _open_alert(work: UnitOfWork, participant_id: int) -> int:
    """Return the highest level of the participant's open alerts, 0 if there are none."""
    query = select(func.max(Alert.level)).where(Alert.participant_id == participant_id, Alert.closed_at.is_(None))
    return work.session.scalar(query) or 0
