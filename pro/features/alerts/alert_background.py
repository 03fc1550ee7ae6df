"""The background of an alert: where the treatment stands, earlier alerts, and who can be asked now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.questionnaire.instrument import Instrument
from pro.core.rule_language.level import Level
from pro.core.schedule.anchors import ACTUAL
from pro.core.schedule.treatment_phase import TreatmentPhase
from pro.core.study_plan import StudyPlan
from pro.features.accounts import staff_accounts
from pro.features.alerts import alert_list, stable_symptoms
from pro.features.alerts.stable_symptoms import StableItem
from pro.features.duty_roster import recipients
from pro.features.duty_roster.recipients import DutyState
from pro.features.participants import treatment_dates, treatment_phases
from pro.models import Alert, ClinicalFact, Participant, StaffMember

# The page has no room for more; it says how many more there are.
MOST_EARLIER = 5
# Earlier alerts of this long are counted on the page.
RECENT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class RecordedTreatment:
    """The newest dose or fraction: ``number`` of at most ``most``, given ``days_ago`` days before today."""

    title: str
    number: int
    most: int
    on: date
    days_ago: int


@dataclass(frozen=True, slots=True)
class EarlierCase:
    """An earlier case of the participant.

    ``outcome``: how its alerts were closed; "" while one of them is open.
    """

    alert_id: int
    level: Level
    sentence: str
    raised_at: datetime
    outcome: str


@dataclass(frozen=True, slots=True)
class Colleague:
    """A staff member to contact.

    ``phone``: in E.164, "" if none is known or the reader may not see it. ``is_reader``: the reader of the page.
    """

    staff_id: int
    name: str
    role: str
    phone: str
    is_reader: bool


@dataclass(frozen=True, slots=True)
class DutyNow:
    """The person on call or on backup now, until when, and the next one.

    ``until`` is None while no end is on the roster; ``then`` is empty where the roster has a gap after it.
    """

    place: str
    people: tuple[Colleague, ...]
    until: datetime | None
    then: tuple[Colleague, ...]


@dataclass(frozen=True, slots=True)
class AlertBackground:
    """What a decision about an alert needs beside the answers.

    ``phase``: phase of the treatment, None if it is not known. ``doses``:
    the newest dose and fraction that were given. ``more_earlier``: number of earlier cases that are not listed;
    ``recent_earlier``: number of those that were raised in the last 30 days. ``ulcer_status`` ("none", "suspected",
    "confirmed", "cleared") holds since ``ulcer_since``; None if it was never recorded. ``stable``: the symptoms that
    are marked as known and stable now.
    """

    phase: TreatmentPhase | None
    doses: tuple[RecordedTreatment, ...]
    earlier: tuple[EarlierCase, ...]
    more_earlier: int
    recent_earlier: int
    ulcer_status: str
    ulcer_since: datetime | None
    stable: tuple[StableItem, ...]
    on_call: DutyNow
    backup: DutyNow
    investigators: tuple[Colleague, ...]


def read_background(work: UnitOfWork, participant: Participant, case_key: str, language: str) -> AlertBackground:
    """Return the background of the alerts of ``case_key``. Without its plan, phase and doses stay empty."""
    plan = work.catalogue.plans.get(participant.plan)
    duty = recipients.read_duty_state(work)
    earlier = list_cases(work, participant, language, but=case_key)
    ulcer = _ulcer_fact(work, participant)
    return AlertBackground(
        phase=treatment_phases.read_phase(work, participant),
        doses=_newest_doses(work, plan, participant, language) if plan else (),
        earlier=earlier[:MOST_EARLIER],
        more_earlier=max(0, len(earlier) - MOST_EARLIER),
        recent_earlier=sum(case.raised_at > work.now - RECENT for case in earlier),
        ulcer_status=str(ulcer.value) if ulcer else "none",
        ulcer_since=ulcer.recorded_at if ulcer else None,
        stable=tuple(stable_symptoms.stable_marks(work, participant, language)),
        on_call=duty_now(work, duty, participant.plan, "on_call"),
        backup=duty_now(work, duty, participant.plan, "backup"),
        investigators=investigators_now(work, duty),
    )


def duty_now(work: UnitOfWork, duty: DutyState, plan_id: str, place: str) -> DutyNow:
    """Return who holds ``place`` of the roster now, until when, and who comes after that."""
    people = duty.on_duty(plan_id, place, work.now)
    until = duty.on_duty_until(plan_id, place, work.now) if people else None
    after = duty.on_duty(plan_id, place, until) if until else []
    return DutyNow(
        place, tuple(_colleague(work, one) for one in people), until, tuple(_colleague(work, one) for one in after)
    )


def investigators_now(work: UnitOfWork, duty: DutyState) -> tuple[Colleague, ...]:
    """Return the investigators who are not absent."""
    return tuple(_colleague(work, one) for one in duty.staff_with_role("investigator", work.now))


def deciding_items(work: UnitOfWork, alerts: list[Alert]) -> dict[str, tuple[str, ...]]:
    """Return item -> the rules of ``alerts`` that its answer fired, highest level first.

    Of what a rule looked at, the answers count that are not the mildest; if all are, each of them.
    """
    found: dict[str, list[str]] = {}
    for alert in sorted(alerts, key=lambda one: (-one.level, one.id)):
        saw = alert.inputs.get("saw")
        instrument = work.catalogue.instruments.get(str(alert.inputs.get("instrument", "")))
        if instrument is None or not isinstance(saw, dict) or alert.superseded_at is not None:
            continue
        for name in _deciding_names(instrument, saw):
            found.setdefault(name, []).append(alert.rule)
    return {name: tuple(rules) for name, rules in found.items()}


def _deciding_names(instrument: Instrument, saw: dict[str, object]) -> list[str]:
    answers = {name: saw[name] for name in saw if name in instrument.items and saw[name] is not None}
    scales = (name.removeprefix("score.") for name in saw if name.startswith("score."))
    scored = [item for scale in scales if scale in instrument.scales for item in instrument.scales[scale].items]
    mildest = {name: instrument.mildest_code(name) for name in answers}
    raised = [name for name, value in answers.items() if value not in (mildest[name], str(mildest[name]))]
    return [*(raised or answers), *scored]


def _newest_doses(
    work: UnitOfWork, plan: StudyPlan, participant: Participant, language: str
) -> tuple[RecordedTreatment, ...]:
    """Return the newest dose of each exposure of the plan, and the newest of what is given daily.

    A dose that the plan takes for given on a recorded day (the first one on the day induction began) counts.
    """
    words = work.catalogue.plan_words.get((plan.id, language))
    if plan.visit_schedule is None or words is None:
        return ()
    kinds = plan.visit_schedule.anchors
    daily = tuple(name for name, kind in kinds.items() if kind.projection and kind.projection.working_days)
    today = treatment_dates.local_date(work.now, participant.time_zone)
    days = treatment_dates.resolve_days(work, participant, plan.visit_schedule)
    found = []
    for group in (*(exposure.doses for exposure in plan.visit_schedule.exposures), daily):
        given = [
            (day.on, number, name)
            for name in group
            for number, day in days[name].items()
            if day.basis == ACTUAL and day.on <= today
        ]
        if given:
            on, number, name = max(given)
            found.append(RecordedTreatment(words.anchors[name], number, kinds[name].most, on, (today - on).days))
    return tuple(found)


def list_cases(work: UnitOfWork, participant: Participant, language: str, *, but: str = "") -> tuple[EarlierCase, ...]:
    """Return the participant's cases without that of the source ``but``, the newest first."""
    query = (
        select(Alert)
        .where(Alert.participant_id == participant.id, Alert.source != but, Alert.superseded_at.is_(None))
        .order_by(Alert.level.desc(), Alert.raised_at.desc(), Alert.id)
    )
    cases: dict[str, list[Alert]] = {}
    for alert in work.session.scalars(query):
        cases.setdefault(alert.source, []).append(alert)
    found = []
    for rows in cases.values():
        first = rows[0]
        is_open = any(row.closed_at is None for row in rows)
        sentence = alert_list.rule_sentence(work, participant.plan, first.rule, language, first.level)
        outcome = "" if is_open else first.disposition
        found.append(EarlierCase(first.id, Level(first.level), sentence, first.raised_at, outcome))
    return tuple(sorted(found, key=lambda case: case.raised_at, reverse=True))


def _ulcer_fact(work: UnitOfWork, participant: Participant) -> ClinicalFact | None:
    """Return the newest record of the ulcer status."""
    query = select(ClinicalFact).where(
        ClinicalFact.participant_id == participant.id, ClinicalFact.name == "ulcer_status", ClinicalFact.item == ""
    )
    return work.session.scalar(query.order_by(ClinicalFact.id.desc()).limit(1))


def _colleague(work: UnitOfWork, person: StaffMember) -> Colleague:
    """Return a staff member; the phone only for readers who act on alerts, never for the monitor."""
    sealed = person.phone_sealed if staff_accounts.has_right(work.actor.role, "see_identity") else None
    phone = work.vault.open(sealed) if sealed else ""
    return Colleague(person.id, person.name, person.role, phone, person.id == work.actor.id)
