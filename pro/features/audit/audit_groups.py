"""Groups of audit entries: changes and decisions, forms answered, messages, looking and signing in.

Every entry belongs to one group: what is in none of the three named ones is a change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select

from pro.app_context import UnitOfWork
from pro.features.audit import audit_trail
from pro.features.audit.audit_trail import AuditFact, AuditFilter, AuditLine, AuditPage
from pro.models import AuditEntry

CHANGES, FORMS, MESSAGES, LOOKING, ALL = "changes", "forms", "messages", "looking", "all"
GROUPS = (CHANGES, FORMS, MESSAGES, LOOKING, ALL)
# The received form is a change of its own; these entries are what led to it, and unfold below it.
FORM_ACTIONS = (
    "answers.saved",
    "assessment.cancelled",
    "assessment.issued",
    "assessment.issued_again",
    "assessment.not_scored",
    "assessment.opened",
    "assessment.renewed",
    "assessment.scored",
    "assessment.sent",
    "assessment.shortened",
)
NAMED_GROUPS: Mapping[str, tuple[str, ...]] = {
    FORMS: FORM_ACTIONS,
    MESSAGES: (
        "message.delivered",
        "message.dropped",
        "message.failed",
        "message.sent",
        "message.settled",
        "message.written",
        "receipt.early",
        "reminder.dropped",
        "text.received",
    ),
    LOOKING: (
        "participant_card.used",
        "participant_card.wrong_pin",
        "incoming_message.read",
        "incoming_message.seen",
        "participant.phone_seen",
        "participant.pre_dose_drawn",
        "participant.seen",
        "staff.code_failed",
        "staff.password_correct",
        "staff.sign_in_failed",
        "staff.signed_in",
        "staff.signed_out",
        "staff.signing_failed",
    ),
}
RECEIVED, ANSWERED = "assessment.submitted", "answers.saved"


@dataclass(frozen=True, slots=True)
class FoldedForm:
    """What unfolds below one answered form: its answers, and its entries from ``first`` to ``last``."""

    entries: int
    first: datetime
    last: datetime
    answers: tuple[AuditFact, ...]


@dataclass(frozen=True, slots=True)
class GroupedPage:
    """One page of one group.

    ``counts``: group -> entries. ``folded``: id of a line -> what unfolds below it. ``number``: rows of the whole
    selection, of which ``start`` to ``end`` are shown. ``hidden``: entries that the selection leaves out.
    """

    page: AuditPage
    counts: Mapping[str, int]
    folded: Mapping[int, FoldedForm]
    number: int
    start: int
    hidden: int

    @property
    def end(self) -> int:
        """Position of the last row that is shown."""
        return self.start + len(self.page.lines) - 1


def group_of(action: str) -> str:
    """Return the group of an action."""
    return next((group for group, actions in NAMED_GROUPS.items() if action in actions), CHANGES)


def narrow_to_group(pick: AuditFilter, group: str) -> AuditFilter:
    """Return ``pick`` for the entries of one group; ALL leaves it as it is."""
    if group in NAMED_GROUPS:
        return replace(pick, actions=NAMED_GROUPS[group])
    if group == CHANGES:
        return replace(pick, without=tuple(action for actions in NAMED_GROUPS.values() for action in actions))
    return pick


def read_page(work: UnitOfWork, pick: AuditFilter, group: str, language: str, before: int | None = None) -> GroupedPage:
    """Return the 50 newest rows of ``group`` that match ``pick``, with ids smaller than ``before``.

    A row is an entry, but in the group of forms it is one form, named by its newest entry. ``pick`` with ``actions``
    selects these, whatever ``group`` is.
    """
    by_action = _count_actions(work, replace(pick, actions=()))
    counts = _count_groups(by_action)
    narrow = pick if pick.actions else narrow_to_group(pick, group)
    selected = sum(by_action.get(action, 0) for action in pick.actions) if pick.actions else counts[group]
    if group == FORMS and not pick.actions:
        heads, number = _form_heads(work, narrow, before)
        page = audit_trail.page_of_entries(work, heads, language)
        start = _rows_before(work, narrow, before, forms=True)
    else:
        number = selected
        page = audit_trail.audit_page(work, narrow, language, before)
        start = _rows_before(work, narrow, before)
    folded = _fold_forms(work, page.lines, language)
    return GroupedPage(page, counts, folded, number, start + 1, sum(by_action.values()) - selected)


def _count_actions(work: UnitOfWork, pick: AuditFilter) -> Mapping[str, int]:
    entries = audit_trail.filter_query(work, pick).subquery()
    rows = work.session.execute(select(entries.c.action, func.count()).group_by(entries.c.action))
    return {action: int(number) for action, number in rows}


def _count_groups(by_action: Mapping[str, int]) -> Mapping[str, int]:
    counts = dict.fromkeys(GROUPS, 0)
    for action, number in by_action.items():
        counts[group_of(action)] += number
    counts[ALL] = sum(by_action.values())
    return counts


def _form_heads(work: UnitOfWork, pick: AuditFilter, before: int | None) -> tuple[list[int], int]:
    """Return the ids of the newest entries of forms, one a form, newest first, and the number of all forms.

    One more than a page, so that the page knows whether another follows.
    """
    entries = audit_trail.filter_query(work, pick).subquery()
    newest = func.max(entries.c.id)
    heads = select(newest).group_by(entries.c.subject_id)
    number = work.session.scalar(select(func.count()).select_from(heads.subquery())) or 0
    if before is not None:
        heads = heads.having(newest < before)
    return list(work.session.scalars(heads.order_by(newest.desc()).limit(audit_trail.PAGE_SIZE + 1))), number


def _rows_before(work: UnitOfWork, pick: AuditFilter, before: int | None, *, forms: bool = False) -> int:
    """Return the number of rows on the pages before this one."""
    if before is None:
        return 0
    entries = audit_trail.filter_query(work, pick).subquery()
    if not forms:
        return work.session.scalar(select(func.count()).select_from(entries).where(entries.c.id >= before)) or 0
    newest = func.max(entries.c.id)
    earlier = select(newest).group_by(entries.c.subject_id).having(newest >= before)
    return work.session.scalar(select(func.count()).select_from(earlier.subquery())) or 0


def _fold_forms(work: UnitOfWork, lines: list[AuditLine], language: str) -> Mapping[int, FoldedForm]:
    """Return line id -> what led to the form, for the lines about a received form or in the group of forms.

    A form is folded once a page, at its first line.
    """
    heads: dict[int, int] = {}
    for line in lines:
        if line.action == RECEIVED and line.form_id is not None:
            heads.setdefault(line.form_id, line.id)
    if lines and all(line.action in FORM_ACTIONS for line in lines):
        heads = {line.form_id: line.id for line in reversed(lines) if line.form_id is not None}
    query = select(AuditEntry).where(
        AuditEntry.subject == "assessment",
        AuditEntry.subject_id.in_(heads),
        AuditEntry.action.in_(FORM_ACTIONS),
    )
    found: dict[int, list[AuditEntry]] = {}
    for entry in work.session.scalars(query.order_by(AuditEntry.id)) if heads else ():
        found.setdefault(entry.subject_id or 0, []).append(entry)
    said = audit_trail.answers_of_forms(work, found, language)
    return {
        heads[form]: FoldedForm(len(entries), entries[0].at, entries[-1].at, said[form])
        for form, entries in found.items()
    }
