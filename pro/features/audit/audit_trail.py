"""Read the audit trail: who changed what, when, from what to what, and why.

Pages and filters the entries, and exports them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from pro.app_context import UnitOfWork
from pro.core.questionnaire import answer_text
from pro.core.questionnaire.instrument import Item, Words
from pro.core.questionnaire.json_values import read_value
from pro.errors import BadData, NotAllowed
from pro.features.accounts import privacy, staff_accounts
from pro.features.duty_roster import roster_service
from pro.features.forms import form_state
from pro.models import Alert, Assessment, AuditEntry, DataCorrection, Participant, Query, Seal, StaffMember

PAGE_SIZE = 50
# More rows must be exported in parts; the page says so.
MAX_EXPORTED = 20_000
# Actors that are not staff.
OTHER_ACTORS = ("participant", "system")
# Key of the value of an entry that records one value without a key.
BARE_VALUE_KEYS: Mapping[str, str] = {
    "anchors.set": "anchors",
    "assessment.issued_again": "visit",
    "assessment.opened": "answered_by",
    "assessment.renewed": "items",
    "assessment.scored": "algorithm",
    "assessment.shortened": "pages",
    "assessment.submitted": "answers",
    "participant_card.locked": "tries",
    "participant_card.wrong_pin": "tries",
    "expected_form.reason": "missing",
    "participant.language": "language",
}
# Entries about answers: ``old`` is {item: value}, ``new`` is {item: [state, value]}.
ANSWER_ACTIONS = frozenset({"answers.saved", "assessment.checked", "answers.corrected", "data_correction.requested"})
# Keys with free text: the page shows that there is text, not the text. What a page showed at a signature may hold free
# text too, so it is hidden; the signature's digest stands for it.
FREE_TEXT_KEYS = frozenset({"information"})
HIDDEN_KEYS = frozenset({"seen"})


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Criteria that select audit entries.

    ``ref``: reference of a form. ``who``: the id of an account, or one of OTHER_ACTORS. ``since`` and ``until``: local
    days, both included. ``actions``: only these, () for all; ``without``: actions that are left out.
    """

    participant_id: int | None = None
    ref: str = ""
    who: str = ""
    since: date | None = None
    until: date | None = None
    actions: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditFact:
    """One value that an audit entry records.

    ``key``: a machine key, or the text of the question for an answer (``is_item``). ``old`` and ``new``: None if there
    was or is no value; an answer in words, else the recorded value. Free text is not repeated, because it may hold a
    name.
    """

    key: str
    old: Any
    new: Any
    is_item: bool = False


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One audit entry as staff read it.

    ``name``: the staff member, "" for other actors. ``ref``, ``title``, ``form_id``: the form that the entry is about.
    ``withheld``: the content is hidden from a role that may not see answers. ``digest``: the seal, "" while unsealed.
    """

    id: int
    at: datetime
    actor: str
    name: str
    role: str
    action: str
    participant_id: int | None
    participant_number: str
    plan: str
    ref: str
    title: str
    facts: tuple[AuditFact, ...]
    reason: str
    withheld: bool
    digest: str = ""
    form_id: int | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """One page of the audit trail, newest entry first.

    ``before``: the next page holds entries with smaller ids; None on the last page.
    """

    lines: list[AuditLine]
    before: int | None


def audit_page(work: UnitOfWork, pick: AuditFilter, language: str, before: int | None = None) -> AuditPage:
    """Return the 50 newest entries that match ``pick``, with ids smaller than ``before``."""
    query = filter_query(work, pick)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    events = list(work.session.scalars(query.order_by(AuditEntry.id.desc()).limit(PAGE_SIZE + 1)))
    shown = events[:PAGE_SIZE]
    return AuditPage(_audit_lines(work, shown, language), shown[-1].id if len(events) > PAGE_SIZE else None)


def page_of_entries(work: UnitOfWork, ids: Sequence[int], language: str) -> AuditPage:
    """Return the page with the entries ``ids``, newest first; one more than a page means that another follows."""
    query = select(AuditEntry).where(AuditEntry.id.in_(ids[:PAGE_SIZE])).order_by(AuditEntry.id.desc())
    shown = list(work.session.scalars(query))
    return AuditPage(_audit_lines(work, shown, language), shown[-1].id if len(ids) > PAGE_SIZE else None)


def answers_of_forms(
    work: UnitOfWork, entries: Mapping[int, Sequence[AuditEntry]], language: str
) -> Mapping[int, tuple[AuditFact, ...]]:
    """Return form id -> the answers that its ``entries`` saved, in words; none for a role that may not see answers."""
    if not staff_accounts.has_right(work.actor.role, "see_answers"):
        return dict.fromkeys(entries, ())
    forms = work.session.scalars(select(Assessment).where(Assessment.id.in_(entries)))
    found = {}
    for form in forms:
        words = form_state.form_words(work, form, language)
        saved = [entry for entry in entries[form.id] if entry.action in ANSWER_ACTIONS]
        found[form.id] = tuple(fact for entry in saved for fact in _answer_facts(work, entry, form, words))
    return found


def export_lines(work: UnitOfWork, pick: AuditFilter, language: str) -> list[AuditLine]:
    """Return every entry that matches ``pick``, oldest first, with its seal.

    The export is recorded in the audit trail after them. Raises NotAllowed("too_many") for more than MAX_EXPORTED rows,
    so that no row is left out unnoticed.
    """
    events = list(work.session.scalars(filter_query(work, pick).order_by(AuditEntry.id).limit(MAX_EXPORTED + 1)))
    if len(events) > MAX_EXPORTED:
        raise NotAllowed("too_many")
    seals: dict[int, str] = {}
    for part in _batches([event.id for event in events]):
        query = select(Seal.audit_entry_id, Seal.digest).where(Seal.audit_entry_id.in_(part))
        seals |= {row.audit_entry_id: row.digest for row in work.session.execute(query)}
    lines = _audit_lines(work, events, language, seals)
    said = {
        "rows": len(lines),
        "staff_member": pick.who,
        "form": pick.ref,
        "since": pick.since.isoformat() if pick.since else "",
        "until": pick.until.isoformat() if pick.until else "",
        "actions": len(pick.actions),
    }
    staff = work.session.get_one(StaffMember, work.actor.id)
    new = {key: value for key, value in said.items() if value != ""}
    work.record("audit.exported", staff, participant_id=pick.participant_id, new=new)
    return lines


def make_filter(
    work: UnitOfWork, *, number: str, ref: str, who: str, since: date | None, until: date | None, actions: Sequence[str]
) -> AuditFilter:
    """Return the filter for the values that a page submitted.

    If two studies use the same participant number, the participant with the smaller id is meant. Raises BadData("pick",
    fields=...) for an unknown participant or form, or days in the wrong order.
    """
    wrong = {}
    person = None
    if number:
        found = func.upper(Participant.participant_number) == number.upper()
        person = work.session.scalar(select(Participant.id).where(found).order_by(Participant.id).limit(1))
        if person is None:
            wrong["number"] = "no_participant"
    if ref and work.session.scalar(select(Assessment.id).where(Assessment.ref == ref)) is None:
        wrong["ref"] = "no_form"
    if since is not None and until is not None and until < since:
        wrong["until"] = "days_swapped"
    if wrong:
        raise BadData("pick", fields=wrong)
    return AuditFilter(person, ref, who, since, until, tuple(actions))


def participant_number(work: UnitOfWork, participant_id: int | None) -> str:
    """Return the number of a participant, or "" if there is none."""
    person = work.session.get(Participant, participant_id) if participant_id is not None else None
    return person.participant_number if person else ""


def staff_list(work: UnitOfWork) -> list[tuple[str, str, str]]:
    """Return (id, name, role) of every account, deactivated ones included, by name."""
    rows = work.session.scalars(select(StaffMember).order_by(StaffMember.name, StaffMember.id))
    return [(str(row.id), row.name, row.role) for row in rows]


def filter_query(work: UnitOfWork, pick: AuditFilter) -> Select[AuditEntry]:
    """Select the entries that match ``pick``; days are local days of the first study plan."""
    wanted: list[ColumnElement[bool]] = []
    if pick.participant_id is not None:
        wanted.append(AuditEntry.participant_id == pick.participant_id)
    if pick.ref:
        wanted.append(_about_form(pick.ref))
    if pick.who in OTHER_ACTORS:
        wanted.append(AuditEntry.actor == pick.who)
    elif pick.who.isascii() and pick.who.isdigit() and len(pick.who) < 10:
        wanted.append(and_(AuditEntry.actor == "staff", AuditEntry.actor_id == int(pick.who)))
    zone = next(iter(work.catalogue.plans.values())).settings.time_zone
    if pick.since:
        wanted.append(AuditEntry.at >= _midnight(pick.since, zone))
    if pick.until:
        wanted.append(AuditEntry.at < _midnight(pick.until, zone) + timedelta(days=1))
    if pick.actions:
        wanted.append(AuditEntry.action.in_(pick.actions))
    if pick.without:
        wanted.append(AuditEntry.action.not_in(pick.without))
    return select(AuditEntry).where(*wanted)


def _midnight(day: date, zone: str) -> datetime:
    return roster_service.to_utc(datetime.combine(day, time()), zone)


def _about_form(ref: str) -> ColumnElement[bool]:
    """Select entries about a form, its alerts, its correction requests, and its queries."""
    form = select(Assessment.id).where(Assessment.ref == ref)
    alerts = select(Alert.id).where(Alert.assessment_id.in_(form))
    requests = select(DataCorrection.id).where(DataCorrection.assessment_id.in_(form))
    queries = select(Query.id).where(Query.assessment_id.in_(form))
    return or_(
        and_(AuditEntry.subject == "assessment", AuditEntry.subject_id.in_(form)),
        and_(AuditEntry.subject == "data_correction", AuditEntry.subject_id.in_(requests)),
        and_(AuditEntry.subject == "alert", AuditEntry.subject_id.in_(alerts)),
        and_(AuditEntry.subject == "query", AuditEntry.subject_id.in_(queries)),
    )


def _batches(ids: Sequence[int], size: int = 500) -> list[Sequence[int]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def _audit_lines(
    work: UnitOfWork, events: Sequence[AuditEntry], language: str, seals: Mapping[int, str] | None = None
) -> list[AuditLine]:
    """Build the lines of ``events``; content is withheld from roles that may not see answers."""
    names = staff_accounts.staff_names(work)
    about = {event.participant_id for event in events if event.participant_id is not None}
    numbers: dict[int, tuple[str, str]] = {}
    for part in _batches(sorted(about)):
        query = select(Participant.id, Participant.participant_number, Participant.plan).where(Participant.id.in_(part))
        numbers.update({person: (number, plan) for person, number, plan in work.session.execute(query)})
    forms = _forms_of_events(work, events)
    may_see_answers = staff_accounts.has_right(work.actor.role, "see_answers")
    words: dict[int, Words] = {}
    found = []
    for event in events:
        form = forms.get((event.subject, event.subject_id or 0))
        if form is not None and form.id not in words:
            words[form.id] = form_state.form_words(work, form, language)
        withheld = event.participant_id is not None and not may_see_answers
        number, plan = numbers.get(event.participant_id or 0, ("", ""))
        facts = () if withheld else _facts(work, event, form, words, names)
        found.append(
            AuditLine(
                id=event.id,
                at=event.at,
                actor=event.actor,
                name=names.get(event.actor_id or 0, "") if event.actor == "staff" else "",
                role=event.role,
                action=event.action,
                participant_id=event.participant_id,
                participant_number=number,
                plan=plan,
                ref=form.ref if form else "",
                title=work.catalogue.staff_title(form.instrument, language) if form else "",
                facts=facts,
                reason="" if withheld else privacy.visible_reason(work, event.reason),
                withheld=withheld and (event.old, event.new, event.reason) != (None, None, ""),
                digest=(seals or {}).get(event.id, ""),
                form_id=form.id if form else None,
            )
        )
    return found


def _forms_of_events(work: UnitOfWork, events: Sequence[AuditEntry]) -> dict[tuple[str, int], Assessment]:
    """Return the form of each (subject, id): the subject, or that of its alert, request or query."""
    found: dict[tuple[str, int], Assessment] = {}
    ids = {event.subject_id for event in events if event.subject == "assessment" and event.subject_id}
    for part in _batches(sorted(ids)):
        rows = work.session.scalars(select(Assessment).where(Assessment.id.in_(part)))
        found.update({("assessment", row.id): row for row in rows})
    for table in (Alert, DataCorrection, Query):
        kind = table.__tablename__
        about = {event.subject_id for event in events if event.subject == kind and event.subject_id}
        for part in _batches(sorted(about)):
            query = select(table.id, Assessment).join(Assessment, Assessment.id == table.assessment_id)
            query = query.where(table.id.in_(part))
            found.update({(kind, number): row for number, row in work.session.execute(query)})
    return found


def _facts(
    work: UnitOfWork,
    event: AuditEntry,
    form: Assessment | None,
    words: Mapping[int, Words],
    names: Mapping[int, str],
) -> tuple[AuditFact, ...]:
    """Return the values that an entry records, hidden keys left out."""
    if event.action in ANSWER_ACTIONS and form is not None:
        return _answer_facts(work, event, form, words[form.id])
    bare = BARE_VALUE_KEYS.get(event.action, "")
    old, new = _values_by_key(event.old, bare), _values_by_key(event.new, bare)
    keys = [key for key in dict.fromkeys([*old, *new]) if key not in HIDDEN_KEYS]
    return tuple(AuditFact(key, _shown_value(key, old, names), _shown_value(key, new, names)) for key in keys)


def _shown_value(key: str, said: Mapping[str, Any], names: Mapping[int, str]) -> Any:
    value = said.get(key)
    if key == "staff" and isinstance(value, int):
        return names.get(value, value)
    return "free_text" if key in FREE_TEXT_KEYS and said.get(key) else said.get(key)


def _values_by_key(said: Any, bare: str) -> Mapping[str, Any]:
    if said is None:
        return {}
    return said if isinstance(said, dict) else {bare: said}


def _answer_facts(work: UnitOfWork, event: AuditEntry, form: Assessment, words: Words) -> tuple[AuditFact, ...]:
    """Return the changed answers of an entry, with questions and answers in words."""
    items = work.catalogue.shown_instrument(form.instrument).items
    old, new = event.old or {}, event.new or {}
    found = []
    for name in dict.fromkeys([*old, *new]):
        item = items.get(name)
        if item is None:
            found.append(AuditFact(name, old.get(name), new.get(name)))
            continue
        state, value = new.get(name, ["given", None])
        after = _answer_in_words(item, words, value) if state == "given" else state
        before = _answer_in_words(item, words, old[name]) if old.get(name) is not None else None
        found.append(
            AuditFact(
                words.items[name].plain if item.kind != "list" else words.items[name].short, before, after, is_item=True
            )
        )
    return tuple(found)


def _answer_in_words(item: Item, words: Words, stored: Any) -> str:
    """Return a stored answer in words; "free_text" in place of free text."""
    if item.kind == "text":
        return "free_text"
    try:
        value = read_value(item, stored)
    except (TypeError, ValueError, ArithmeticError):
        return str(stored)
    if isinstance(value, tuple):
        return ", ".join(words.items[name].short for name in value if name in words.items) or "none_of_these"
    return answer_text.answer_text(item, words.items[item.id], value)
