"""Read everything that the page of an alert shows, as plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.questionnaire.answer_text import answer_text
from pro.core.questionnaire.instrument import Item, ItemWords, Value, Words
from pro.core.questionnaire.json_values import store_value
from pro.core.rule_language.level import Level
from pro.core.study_plan import Advice
from pro.errors import NotFound
from pro.features.accounts import privacy, staff_accounts
from pro.features.alerts import alert_background, alert_list, message_reading
from pro.features.alerts.alert_background import AlertBackground
from pro.features.alerts.alert_list import AlertCase
from pro.features.alerts.evaluation import FREE_TEXT
from pro.features.alerts.message_reading import IncomingText, RedFlag
from pro.features.forms import licensed_wording
from pro.features.forms.form_state import answer_rows, current_answers
from pro.features.participants import clinical_facts
from pro.features.schedule import call_tasks, missed_forms
from pro.features.schedule.call_tasks import MissedForm
from pro.messaging import message_rendering
from pro.models import (
    Alert,
    AlertNote,
    Answer,
    Assessment,
    AuditEntry,
    Grading,
    Message,
    Participant,
    PhoneCall,
    StaffMember,
)

# What happened to an alert that is shown with the person; all others with the rule.
ACTIONS_BY_STAFF = ("alert.acknowledged", "alert.taken_over", "alert.closed")
# Messages that may need action stand first.
STATUS_ORDER = ("failed", "waiting", "sent", "delivered", "dropped")


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One rule that fired, ``sentence`` and ``suspects`` in the reader's language.

    ``holds``: no answer was changed since; ``new``: it is unacknowledged. ``changed``: question and present answer of
    each answer that the rule looks at and that was changed since, in words.
    """

    alert_id: int
    rule: str
    level: Level
    sentence: str
    suspects: str
    basis: str
    lowered: bool
    superseded: bool
    holds: bool
    new: bool
    closed: bool
    changed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class WrittenText:
    """One text that was written into a form; ``replaced``: it was rewritten or removed since."""

    text: str
    at: datetime
    replaced: bool


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One question with the answer in words now, last time and at baseline; "" where there is none.

    ``heard`` and ``said``: question and answer as the participant read them, where that was another language.
    ``fired``: the rules that this answer fired, on the page of an alert, and ``level`` the highest of their levels.
    ``step``, ``previous_step``, ``baseline_step``: how many steps of the question's own scale of ``steps`` the answer
    stands above the mildest one; None for an answer without a rank, and where there is none. They are no grades.
    """

    item: str
    question: str
    now: str
    previous: str
    baseline: str
    skipped: bool
    optional: bool
    heard: str = ""
    said: str = ""
    fired: tuple[str, ...] = ()
    level: int = 0
    step: int | None = None
    previous_step: int | None = None
    baseline_step: int | None = None
    steps: int = 0

    @property
    def is_mildest_as_before(self) -> bool:
        """True for the mildest answer that is no milder than last time; never for one that is missing."""
        return bool(self.now) and self.step == 0 and not self.previous_step


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Everything about the alerts of one case.

    ``open_ids``: those that can be acknowledged; ``shown_ids``: all that are not closed, which actions carry.
    ``calls``: newest first, with the name of the staff member who logged each.

    ``missed``: the missed form that raised them; then ``call_task_id`` is the open call task, and ``last_answer_at``
    when the participant answered last. What the participant wrote, for those who may read answers: ``texts`` that
    came by themselves, ``form_texts`` in the form, and the red ``flags`` found in either. ``about_ulcer``: a finding is
    of an ulcer. ``first_aid``: what to say first on the phone while an emergency is open, by block of the plan's
    advice. ``previous_at``, ``baseline_at``: when the forms were answered that the answers are compared with, if known.
    """

    case: AlertCase
    findings: list[FindingRow]
    unresolved: list[tuple[str, str]]
    answers: list[AnswerRow]
    notes: list[tuple[datetime, str, str]]
    events: list[tuple[datetime, str, str]]
    calls: list[tuple[PhoneCall, str]]
    phone: str | None
    can_acknowledge: bool
    open_ids: list[int]
    shown_ids: list[int]
    submitted_at: datetime | None
    answered_by: str
    mode: str
    entered_by: str
    language_used: str
    plan_version: str
    unfinished: bool
    wording_status: str
    advice_at: datetime | None
    instrument_title: str
    participant: Participant
    missed: MissedForm | None
    call_task_id: int | None
    last_answer_at: datetime | None
    texts: list[IncomingText]
    form_texts: list[WrittenText]
    flags: tuple[RedFlag, ...]
    about_ulcer: bool
    first_aid: tuple[Advice, ...]
    previous_at: datetime | None
    baseline_at: datetime | None
    messages: list[AlertMessage]
    background: AlertBackground


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """One message. ``status``: one of ORDER; ``at``: since when; ``tries`` so far. ``role``: the receiver's, "" for the
    participant. ``reason``: why it failed or was dropped, a sentence in the reader's language, or "".
    """

    id: int
    channel: str
    template: str
    status: str
    at: datetime
    role: str
    name: str
    tries: int
    reason: str

    @property
    def is_open(self) -> bool:
        """True while the message is neither delivered nor dropped."""
        return self.status not in ("delivered", "dropped")


def alert_page(work: UnitOfWork, alert_id: int, language: str) -> AlertPage:
    """Return the page of an alert, with the other alerts of its case. Raise NotFound.

    That an identity was shown is recorded.
    """
    alert = work.session.get(Alert, alert_id)
    case = alert_list.case_of(work, alert.source, language) if alert else None
    if alert is None or case is None:
        raise NotFound("alert")
    rows = list(work.session.scalars(select(Alert).where(Alert.source == alert.source).order_by(Alert.id)))
    participant = work.session.get_one(Participant, alert.participant_id)
    assessment = work.session.get(Assessment, alert.assessment_id) if alert.assessment_id else None
    own = _form_words(work, assessment, language) if assessment else None
    missed = call_tasks.missed_form(work, alert, participant, language)
    task = call_tasks.open_task(work, participant.id) if case.missed else None
    reads = staff_accounts.has_right(work.actor.role, "see_answers")
    calls = _calls_of_case(work, rows)
    came = message_reading.texts_of_alerts(work, rows) if reads else []
    return AlertPage(
        case=case,
        findings=sorted(
            (_finding(work, row, participant.plan, assessment, language) for row in rows), key=_worst_first
        ),
        unresolved=[
            (rule, alert_list.rule_sentence(work, participant.plan, rule, language))
            for rule in (assessment.unresolved if assessment else [])
        ],
        answers=_marked_answers(work, assessment, rows, language) if assessment else [],
        notes=_notes(work, alert.source),
        events=_events(work, rows, assessment, calls),
        calls=calls,
        phone=phone_of(work, participant),
        can_acknowledge=staff_accounts.has_right(work.actor.role, "acknowledge"),
        open_ids=[row.id for row in rows if row.acknowledged_at is None and row.closed_at is None],
        shown_ids=[row.id for row in rows if row.closed_at is None],
        submitted_at=assessment.submitted_at if assessment else None,
        answered_by=(assessment.answered_by or "") if assessment else "",
        mode=(assessment.completion_mode or "") if assessment else "",
        entered_by=staff_accounts.staff_names(work).get((assessment.entered_by if assessment else None) or 0, ""),
        language_used=(assessment.language or "") if assessment else "",
        plan_version=rows[-1].plan_version,
        unfinished=assessment is not None and assessment.submitted_at is None,
        wording_status=own.status if own else "",
        advice_at=min((row.advised_at for row in rows if row.advised_at), default=None),
        instrument_title=work.catalogue.staff_title(assessment.instrument, language) if assessment else "",
        participant=participant,
        missed=missed,
        call_task_id=task.id if task else None,
        last_answer_at=missed_forms.last_answer_at(work, participant.id) if case.missed else None,
        texts=came,
        form_texts=_form_texts(work, assessment) if reads and assessment else [],
        flags=_flags(rows, came) if reads else (),
        about_ulcer=any(row.suspects in (alert_list.ULCER, alert_list.SENTINEL_BLEED) for row in rows),
        first_aid=_first_aid(work, participant.plan, rows, language),
        previous_at=_compared_at(assessment, "previous_at"),
        baseline_at=_compared_at(assessment, "baseline_at"),
        messages=read_alert_messages(work, [row.id for row in rows], language),
        background=alert_background.read_background(work, participant, alert.source, language),
    )


def _first_aid(work: UnitOfWork, plan_id: str, alerts: Sequence[Alert], language: str) -> tuple[Advice, ...]:
    """Return the advice of the emergencies that are open; "bleeding" first, because first aid helps at once."""
    words = work.catalogue.plan_words.get((plan_id, language))
    blocks = {row.advice for row in alerts if row.advice and row.closed_at is None and row.level >= Level.EMERGENCY}
    return tuple(words.advice[block] for block in sorted(blocks) if block in words.advice) if words else ()


def _compared_at(assessment: Assessment | None, name: str) -> datetime | None:
    at = assessment.context.get(name) if assessment else None
    return datetime.fromisoformat(at) if isinstance(at, str) else None


def phone_of(work: UnitOfWork, participant: Participant) -> str | None:
    """Return the phone number in E.164 if the reader may see it, and record that it was seen."""
    if participant.phone_sealed is None or not staff_accounts.has_right(work.actor.role, "see_identity"):
        return None
    work.record("participant.phone_seen", participant, participant_id=participant.id)
    return work.vault.open(participant.phone_sealed)


def answer_table(
    work: UnitOfWork, assessment: Assessment, language: str, rows: Mapping[str, Answer] | None = None
) -> list[AnswerRow]:
    """Return the items with an answer now, last time or at baseline, in words and in the instrument's order.

    ``rows``: the newest of each item, if they were read already.
    """
    instrument = work.catalogue.shown_instrument(assessment.instrument)
    words = _form_words(work, assessment, language)
    spoken = assessment.language if assessment.language not in (None, language) else ""
    theirs = _form_words(work, assessment, spoken) if spoken else None
    now = current_answers(instrument, answer_rows(work, assessment.id) if rows is None else rows)
    previous = clinical_facts.earlier_values(work, instrument.id, assessment.context.get("previous", {}))
    baseline = clinical_facts.earlier_values(work, instrument.id, assessment.context.get("baseline", {}))
    found = []
    for name, item in instrument.items.items():
        if item.kind == "list" or not any(name in answers for answers in (now, previous, baseline)):
            continue
        said = words.items[name]
        found.append(
            AnswerRow(
                item=name,
                question=said.plain,
                now=shown_answer(work, item, said, now.get(name), language),
                previous=shown_answer(work, item, said, previous.get(name), language),
                baseline=shown_answer(work, item, said, baseline.get(name), language),
                skipped=name in now and now[name] is None,
                optional=item.optional,
                heard=theirs.items[name].plain if theirs else "",
                said=answer_text(item, theirs.items[name], now.get(name)) if theirs and item.kind == "choice" else "",
                step=instrument.steps_above_mildest(name, now.get(name)),
                previous_step=instrument.steps_above_mildest(name, previous.get(name)),
                baseline_step=instrument.steps_above_mildest(name, baseline.get(name)),
                steps=max(0, len(item.ordinal_codes) - 1),
            )
        )
    return found


def _marked_answers(work: UnitOfWork, assessment: Assessment, alerts: list[Alert], language: str) -> list[AnswerRow]:
    """Return the answers of a form with the rules that fired on each; answers of the highest level first."""
    fired = alert_background.deciding_items(work, alerts)
    levels: dict[str, int] = {}
    for alert in alerts:
        levels[alert.rule] = max(levels.get(alert.rule, 0), alert.level)
    found = []
    for row in answer_table(work, assessment, language):
        rules = fired.get(row.item, ())
        found.append(replace(row, fired=rules, level=max((levels[rule] for rule in rules), default=0)))
    return sorted(found, key=lambda row: (not row.fired, -row.level))


def shown_answer(work: UnitOfWork, item: Item, words: ItemWords, value: Value | None, language: str) -> str:
    """Return the answer as the reader may see it: a text can hold a name."""
    said = answer_text(item, words, value)
    return privacy.visible_text(work, said, language) if item.kind == "text" else said


def read_alert_messages(work: UnitOfWork, alert_ids: Sequence[int], language: str) -> list[AlertMessage]:
    """Return all messages about these alerts: failed first, then queued, then the newest."""
    translator = work.app_context.catalogs.translator(language)
    query = (
        select(Message, StaffMember)
        .outerjoin(StaffMember, StaffMember.id == Message.staff_id)
        .where(Message.alert_id.in_(alert_ids))
        .order_by(Message.id.desc())
    )
    found = [
        AlertMessage(
            id=message.id,
            channel=message.channel,
            template=message.template,
            status=message.status,
            at=getattr(message, f"{message.status}_at", None) or message.queued_at,
            role=person.role if person else "",
            name=person.name if person else "",
            tries=message.tries,
            reason=message_rendering.failure_sentence(message.failure, translator),
        )
        for message, person in work.session.execute(query)
    ]
    return sorted(found, key=lambda one: STATUS_ORDER.index(one.status))


def _form_texts(work: UnitOfWork, assessment: Assessment) -> list[WrittenText]:
    """Return every text that was written into the form, also what was rewritten since, newest first."""
    instrument = work.catalogue.shown_instrument(assessment.instrument)
    names = [name for name, item in instrument.items.items() if item.kind == "text"]
    query = select(Answer).where(Answer.assessment_id == assessment.id, Answer.item.in_(names))
    rows = list(work.session.scalars(query.order_by(Answer.id))) if names else []
    newest = {row.item: row.id for row in rows}
    return [
        WrittenText(str(row.value), assessment.answered_at or row.at, newest[row.item] != row.id)
        for row in reversed(rows)
        if row.state == "given" and str(row.value or "").strip()
    ]


def _changed_since(
    work: UnitOfWork, alert: Alert, assessment: Assessment | None, language: str
) -> tuple[tuple[str, str], ...]:
    """Return question and present answer of each answer that ``alert`` rests on and that was changed since."""
    saw = alert.inputs.get("saw")
    instrument = work.catalogue.instruments.get(assessment.instrument) if assessment else None
    if assessment is None or instrument is None or not isinstance(saw, dict):
        return ()
    now = current_answers(instrument, answer_rows(work, assessment.id))
    words = _form_words(work, assessment, language)
    found = []
    for name, then in saw.items():
        item = instrument.items.get(name)
        if item is None or then is None or item.kind == "list":
            continue
        value = now.get(name)
        if store_value(value) != then and not (name not in now and then == 0):
            said = shown_answer(work, item, words.items[name], value, language)
            found.append((words.items[name].plain, said))
    return tuple(found)


def _flags(alerts: Sequence[Alert], came: Sequence[IncomingText]) -> tuple[RedFlag, ...]:
    """Return each red flag once, with its words where they were stored."""
    found = dict.fromkeys(flag for text in came for flag in text.flags)
    named = {(flag.class_id, flag.status) for flag in found}
    for alert in alerts:
        saw = alert.inputs.get("saw", []) if alert.rule == FREE_TEXT else []
        kept = message_reading.red_flags_of(saw) if isinstance(saw, list) else ()
        found |= dict.fromkeys(flag for flag in kept if (flag.class_id, flag.status) not in named)
    return tuple(found)


def _form_words(work: UnitOfWork, assessment: Assessment, language: str) -> Words:
    return licensed_wording.pinned_words(work, assessment.instrument, assessment.wordings, language)


def _worst_first(finding: FindingRow) -> tuple[bool, bool, int, int]:
    return (finding.superseded, not finding.holds, -finding.level, finding.alert_id)


def _finding(work: UnitOfWork, alert: Alert, plan_id: str, assessment: Assessment | None, language: str) -> FindingRow:
    words = work.catalogue.plan_words.get((plan_id, language))
    return FindingRow(
        alert_id=alert.id,
        rule=alert.rule,
        level=Level(alert.level),
        sentence=alert_list.rule_sentence(work, plan_id, alert.rule, language, alert.level),
        suspects=words.suspects.get(alert.suspects, "") if words else "",
        basis=alert.basis,
        lowered=alert.lowered,
        superseded=alert.superseded_at is not None,
        holds=alert_list.finding_holds(alert, assessment),
        new=alert.acknowledged_at is None and alert.closed_at is None,
        closed=alert.closed_at is not None,
        changed=_changed_since(work, alert, assessment, language)
        if staff_accounts.has_right(work.actor.role, "see_answers")
        else (),
    )


def _notes(work: UnitOfWork, case_key: str) -> list[tuple[datetime, str, str]]:
    names = staff_accounts.staff_names(work)
    query = select(AlertNote).where(AlertNote.source == case_key).order_by(AlertNote.id)
    return [(row.at, names.get(row.staff_id, ""), row.text) for row in work.session.scalars(query)]


def _calls_of_case(work: UnitOfWork, alerts: Sequence[Alert]) -> list[tuple[PhoneCall, str]]:
    """Return the calls about ``alerts``, all of one case, and who logged them, newest first.

    These are the calls logged on its page, and every other call to the participant while an alert of it was open: calls
    from a call task or from the participant's page name no alert.
    """
    since = alert_list.minute_of(min(alert.raised_at for alert in alerts))
    standing = [alert.closed_at for alert in alerts if alert.superseded_at is None] or [alerts[-1].closed_at]
    closed = [at for at in standing if at is not None]
    until = max(closed) if len(closed) == len(standing) else work.now
    return [
        (call, name)
        for call, name in call_tasks.list_calls(work, alerts[0].participant_id)
        if call.source == alerts[0].source or since <= call.at <= until
    ]


def _events(
    work: UnitOfWork,
    alerts: Sequence[Alert],
    assessment: Assessment | None,
    calls: Sequence[tuple[PhoneCall, str]],
) -> list[tuple[datetime, str, str]]:
    """Return the history, newest first: (time, key of the action, person or rule)."""
    names = staff_accounts.staff_names(work)
    found: list[tuple[datetime, str, str]] = []
    ids = [alert.id for alert in alerts]
    query = select(AuditEntry).where(AuditEntry.subject == "alert", AuditEntry.subject_id.in_(ids))
    rules = {alert.id: alert.rule for alert in alerts}
    for event in work.session.scalars(query):
        detail = (
            names.get(event.actor_id or 0, "")
            if event.action in ACTIONS_BY_STAFF
            else rules.get(event.subject_id or 0, "")
        )
        found.append((event.at, event.action, detail))
    for message in work.session.scalars(select(Message).where(Message.alert_id.in_(ids))):
        at = message.sent_at or message.failed_at or message.queued_at
        found.append((at, f"message.{message.status}", names.get(message.staff_id or 0, "")))
    source = alerts[0].source
    for grading in work.session.scalars(select(Grading).where(Grading.source == source)):
        found.append((grading.at, "grading.signed", names.get(grading.staff_id, "")))
    found.extend((call.at, "call.made", name) for call, name in calls)
    if assessment and assessment.submitted_at:
        found.append((assessment.submitted_at, "assessment.submitted", ""))
    return sorted(found, key=lambda row: row[0], reverse=True)
