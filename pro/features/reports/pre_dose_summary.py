"""The pre-dose summary: what may stop the next dose, and a participant's answers before it, on one page.

Answers are shown as they were chosen and never as a grade; grades are those that clinicians signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import or_, select

from pro.app_context import UnitOfWork
from pro.core.clinical.adverse_events import SEVERE_GRADE
from pro.core.clinical.pre_dose import PreDoseSettings
from pro.core.questionnaire.instrument import Item, ItemWords, Value
from pro.core.questionnaire.json_values import read_value
from pro.core.rule_language.level import Level
from pro.features.adverse_events import adverse_event_log
from pro.features.alerts import alert_list
from pro.features.participants import clinical_facts
from pro.features.reports import answer_history, score_trends
from pro.features.reports.answer_history import AnswerHistory, HistoryForm
from pro.features.reports.score_trends import ScoreTrends
from pro.features.ulcers import ulcer_cases
from pro.models import Alert, Participant

# The page has no room for more; it shows how many more there are.
MOST_ALERTS, MOST_MARKS, MOST_EVENTS = 5, 6, 4
# A closed alert stays on the summary for so long: what was closed this morning may still stop the dose.
RECENT = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class SummaryAnswer:
    """One answer; ``words``: the label of the option.

    ``state``: given, skipped, not_asked, or none (there is no form).
    """

    state: str
    code: int | None
    words: str


@dataclass(frozen=True, slots=True)
class SymptomRow:
    """One symptom with its answers.

    ``trend`` from the last form to the newest: worse, better or same; "" if an answer is missing.
    """

    short: str
    now: SummaryAnswer
    last: SummaryAnswer
    baseline: SummaryAnswer
    trend: str


@dataclass(frozen=True, slots=True)
class ReportedWeight:
    """One reported weight, in kilograms."""

    on: date
    kilograms: Decimal


@dataclass(frozen=True, slots=True)
class SummaryAlert:
    """The open or recent alerts of one source.

    ``sentence``: of the finding with the highest level; ``more``: number of further findings. ``closed_at``: None while
    one of them is open; then ``outcome`` is "".
    """

    level: Level
    sentence: str
    raised_at: datetime
    more: int
    closed_at: datetime | None
    outcome: str


@dataclass(frozen=True, slots=True)
class UlcerLine:
    """The ulcer status: none, suspected, confirmed or cleared.

    ``since``: when it was last changed, None if it never was. ``graded_only``: a clinician signed a grade of it, and it
    is not recorded as confirmed.
    """

    state: str
    since: datetime | None
    graded_only: bool

    @property
    def stops(self) -> bool:
        """True while an ulcer is suspected, confirmed, or graded but not yet confirmed or cleared."""
        return self.state in ("suspected", "confirmed") or self.graded_only


@dataclass(frozen=True, slots=True)
class SevereEvent:
    """An adverse event that a clinician graded 3 or higher at any time.

    ``worst``: its highest grade, with the day from which it held; ``now``: its newest grade. ``end_date``: None while
    it goes on.
    """

    term: str
    worst: int
    worst_on: date
    now: int
    onset_date: date
    end_date: date | None


@dataclass(frozen=True, slots=True)
class StableMark:
    """An answer that staff marked as known and stable; ``until``: when the mark expires."""

    short: str
    words: str
    until: datetime


@dataclass(frozen=True, slots=True)
class PreDoseSummary:
    """The content of the pre-dose summary.

    ``ulcer``, ``events``, ``alerts`` and ``stops``, the answers about bleeding and smell, are what may stop a dose.
    ``now``, ``last``, ``baseline``: the forms, None if there is none. ``days_old``: days since ``now`` was answered;
    ``old``: more than the study plan allows. ``weights``: the baseline's and up to three newest; ``loss``: percent lost
    from the first of them to the last (negative: gained).
    """

    participant_number: str
    made_on: date
    now: HistoryForm | None
    last: HistoryForm | None
    baseline: HistoryForm | None
    days_old: int
    old: bool
    ulcer: UlcerLine
    events: tuple[SevereEvent, ...]
    more_events: int
    stops: tuple[SymptomRow, ...]
    rows: tuple[SymptomRow, ...]
    weights: tuple[ReportedWeight, ...]
    loss: Decimal | None
    scores: ScoreTrends | None
    alerts: tuple[SummaryAlert, ...]
    more_alerts: int
    marks: tuple[StableMark, ...]
    more_marks: int


def read_summary(work: UnitOfWork, participant: Participant, language: str) -> PreDoseSummary | None:
    """Return the summary of ``participant``; None if the study plan has none.

    Runs a fixed number of queries.
    """
    rule = work.catalogue.shown_plan(participant.plan).pre_dose_summary
    if rule is None:
        return None
    record = answer_history.read_history(work, participant, language)
    forms = record.of(rule.instrument)
    now = forms[-1] if forms else None
    last = forms[-2] if len(forms) > 1 else None
    baseline = record.baseline(rule.instrument)
    alerts = _recent_alerts(work, record, language)
    events = _severe_events(work, participant, language)
    case = ulcer_cases.read_case(work, participant)
    marks = _stable_marks(work, record, rule, language)
    weights, loss = _weights(forms, baseline, rule.weight)
    scored = [
        found for found in score_trends.read_score_trends(work, record, language) if found.instrument == rule.scored
    ]
    days_old = (record.today - now.on).days if now else 0
    return PreDoseSummary(
        participant_number=participant.participant_number,
        made_on=record.today,
        now=now,
        last=last,
        baseline=baseline,
        days_old=days_old,
        old=now is None or days_old > rule.old_days,
        ulcer=UlcerLine(case.state, case.turns[0].at if case.turns else None, case.is_graded_only),
        events=events[:MOST_EVENTS],
        more_events=max(0, len(events) - MOST_EVENTS),
        stops=_symptom_rows(work, rule.instrument, rule.stops, (now, last, baseline), language),
        rows=_symptom_rows(work, rule.instrument, rule.items, (now, last, baseline), language),
        weights=weights,
        loss=loss,
        scores=scored[0] if scored else None,
        alerts=alerts[:MOST_ALERTS],
        more_alerts=max(0, len(alerts) - MOST_ALERTS),
        marks=marks[:MOST_MARKS],
        more_marks=max(0, len(marks) - MOST_MARKS),
    )


def _symptom_rows(
    work: UnitOfWork,
    instrument: str,
    names: tuple[str, ...],
    forms: tuple[HistoryForm | None, HistoryForm | None, HistoryForm | None],
    language: str,
) -> tuple[SymptomRow, ...]:
    """Return the row of each symptom, from the newest, the last and the baseline form."""
    items = work.catalogue.shown_instrument(instrument).items
    words = work.catalogue.words[instrument, language].items
    found = []
    for name in names:
        now, last, baseline = (_summary_answer(items[name], words[name], form) for form in forms)
        found.append(SymptomRow(words[name].short, now, last, baseline, _trend(items[name], last, now)))
    return tuple(found)


def _summary_answer(item: Item, words: ItemWords, form: HistoryForm | None) -> SummaryAnswer:
    """Return the answer to ``item`` in ``form``."""
    if form is None:
        return SummaryAnswer("none", None, "")
    value = form.answers.get(item.id)
    if isinstance(value, int):
        return SummaryAnswer("given", value, words.options.get(value, ""))
    return SummaryAnswer("skipped" if item.id in form.asked else "not_asked", None, "")


def _trend(item: Item, before: SummaryAnswer, after: SummaryAnswer) -> str:
    """Return the change by the order of severity; "" for an answer without a rank."""
    order = item.ordinal_codes
    if before.code not in order or after.code not in order or before.code is None or after.code is None:
        return ""
    step = order.index(after.code) - order.index(before.code)
    return "worse" if step > 0 else "better" if step < 0 else "same"


def _weights(
    forms: list[HistoryForm], baseline: HistoryForm | None, item: str
) -> tuple[tuple[ReportedWeight, ...], Decimal | None]:
    """Return the baseline's weight (else the first), the three newest, and the percent lost."""
    known = [(form, value) for form in forms if isinstance(value := _value(form.answers, item), Decimal)]
    first = next((index for index, (form, _value) in enumerate(known) if form is baseline), 0)
    known = known[first : first + 1] + known[first + 1 :][-3:]
    found = tuple(ReportedWeight(form.on, value) for form, value in known)
    if len(found) < 2:
        return found, None
    return found, (found[0].kilograms - found[-1].kilograms) / found[0].kilograms * 100


def _value(answers: Mapping[str, Value | None], item: str) -> Value | None:
    return answers.get(item) if item else None


def _severe_events(work: UnitOfWork, participant: Participant, language: str) -> tuple[SevereEvent, ...]:
    """Return the events of grade 3 or higher, those that go on first, then the newest."""
    found = []
    for span in adverse_event_log.timeline_spans(work, participant.id, language):
        worst_on, worst = max(span.grades, key=lambda step: step[1], default=(span.starts, 0))
        if worst >= SEVERE_GRADE:
            found.append(SevereEvent(span.text, worst, worst_on, span.grades[-1][1], span.starts, span.ends))
    found.sort(key=lambda event: (event.end_date is None, event.worst_on), reverse=True)
    return tuple(found)


def _recent_alerts(work: UnitOfWork, record: AnswerHistory, language: str) -> tuple[SummaryAlert, ...]:
    """Return the open and recent alerts by source: open ones first, then by level and time."""
    since = work.now - RECENT
    query = (
        select(Alert)
        .where(Alert.participant_id == record.participant.id, Alert.superseded_at.is_(None))
        .where(or_(Alert.closed_at.is_(None), Alert.closed_at >= since, Alert.raised_at >= since))
        .order_by(Alert.level.desc(), Alert.raised_at.desc(), Alert.id)
    )
    sources: dict[str, list[Alert]] = {}
    for alert in work.session.scalars(query):
        sources.setdefault(alert.source, []).append(alert)
    found = [_summary_alert(work, record, rows, language) for rows in sources.values()]
    return tuple(
        sorted(found, key=lambda alert: (alert.closed_at is not None, -alert.level, -alert.raised_at.timestamp()))
    )


def _summary_alert(work: UnitOfWork, record: AnswerHistory, rows: list[Alert], language: str) -> SummaryAlert:
    """Return the alerts of one source as one line; open ones stand for it while there are any."""
    shown = [alert for alert in rows if alert.closed_at is None] or rows
    first = shown[0]
    is_open = first.closed_at is None
    return SummaryAlert(
        Level(first.level),
        alert_list.rule_sentence(work, record.participant.plan, first.rule, language, first.level),
        first.raised_at,
        len(rows) - 1,
        None if is_open else max(alert.closed_at for alert in shown if alert.closed_at),
        "" if is_open else first.disposition,
    )


def _stable_marks(
    work: UnitOfWork, record: AnswerHistory, rule: PreDoseSettings, language: str
) -> tuple[StableMark, ...]:
    """Return the answers that are marked as known and stable."""
    items = work.catalogue.shown_instrument(rule.instrument).items
    words = work.catalogue.words[rule.instrument, language].items
    found = []
    for name, mark in clinical_facts.stable_symptoms(work, record.participant.id).items():
        if name in items:
            value = read_value(items[name], mark["value"])
            said = words[name].options.get(value, "") if isinstance(value, int) else ""
            found.append(StableMark(words[name].short, said or str(value), datetime.fromisoformat(mark["until"])))
    return tuple(found)
