"""Match answered forms to expected visits; count missed forms.

Source: docs/domain.md 6, rules 1, 2 and 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pro.core.schedule.expected_visits import ExpectedVisit, VisitStatus, visit_status


@dataclass(frozen=True, slots=True)
class AnsweredForm:
    """An answered form; ``at``: time of the answer, UTC; ``visit``: issued for, or empty."""

    ref: str
    instrument: str
    at: datetime
    visit: str = ""


@dataclass(frozen=True, slots=True)
class MatchedForm:
    """``form`` (its ref) serves the visit ``one``.

    ``nearest``: the form is assigned to this visit; other visits are served as well. ``out_of_window``: accepted and
    flagged, but not counted as received in the window.
    """

    one: ExpectedVisit
    form: str
    nearest: bool
    out_of_window: bool


@dataclass(frozen=True, slots=True)
class FormMatches:
    """Result of the matching: ``served`` visits, and ``waiting`` visits without an answer.

    ``waiting`` visits open late enough to keep the minimum of days between two answers.
    """

    served: tuple[MatchedForm, ...]
    waiting: tuple[ExpectedVisit, ...]


def match_forms(
    expected: Sequence[ExpectedVisit], forms: Iterable[AnsweredForm], apart: Mapping[str, int]
) -> FormMatches:
    """Match every form with the visits that it serves (docs/domain.md 6, rules 1 and 2).

    A form serves every visit whose window contains it, one occurrence of each. Where ``apart`` names the instrument, it
    also serves a visit whose planned day is less than that many days after it; otherwise that visit's form opens that
    many days after the answer. The form is assigned to the nearest planned day; a tie goes to the lowest rank, then to
    the visit that opens first. A form that was issued for a visit and answered outside its window serves it, flagged.
    """
    served: dict[tuple[str, str], MatchedForm] = {}
    by_time = sorted(forms, key=lambda form: (form.at, form.ref))
    for form in by_time:
        candidates = [one for one in expected if one.instrument == form.instrument and one.name not in served]
        candidates.sort(key=lambda one: (abs(one.due - form.at), one.rank))
        chosen: dict[str, ExpectedVisit] = {}
        for one in candidates:
            if (one.holds(form.at) or _is_within_minimum_gap(one, form, apart)) and one.kind not in chosen:
                chosen[one.kind] = one
        issued = next((one for one in candidates if one.visit == form.visit), None)
        out_of_window = issued is not None and issued not in chosen.values() and not issued.holds(form.at)
        if issued is not None and out_of_window:
            served[issued.name] = MatchedForm(issued, form.ref, nearest=not chosen, out_of_window=True)
        for position, one in enumerate(chosen.values()):
            if one.name not in served:
                served[one.name] = MatchedForm(one, form.ref, nearest=position == 0, out_of_window=False)
    waiting = [_delay_opening(one, by_time, apart) for one in expected if one.name not in served]
    return FormMatches(tuple(served[one.name] for one in expected if one.name in served), tuple(waiting))


def missed_in_a_row(
    waiting: Sequence[ExpectedVisit], instrument: str, last_answer: datetime | None, now: datetime
) -> int:
    """Return how many mandatory forms of ``instrument`` were missed since its last answer.

    ``waiting``: as returned by ``match_forms``. ``last_answer``: time of the last answer of any kind, UTC. Missed forms
    whose windows overlap count once, because one absence missed them all (docs/domain.md 6, rule 4).
    """
    over = [one for one in waiting if one.instrument == instrument and visit_status(one, now) is VisitStatus.MISSED]
    row = 0
    until: datetime | None = None
    for one in sorted(over, key=lambda one: one.closes):
        if last_answer is not None and one.closes <= last_answer:
            continue
        if until is None or one.opens > until:
            row += 1
            until = one.closes
    return row


def _is_within_minimum_gap(one: ExpectedVisit, form: AnsweredForm, apart: Mapping[str, int]) -> bool:
    """Return True if ``form`` was answered less than the minimum of days before the due day."""
    days = apart.get(one.instrument)
    return days is not None and timedelta(0) <= one.due - form.at < timedelta(days=days)


def _delay_opening(one: ExpectedVisit, forms: Sequence[AnsweredForm], apart: Mapping[str, int]) -> ExpectedVisit:
    """Return ``one`` opening at least the minimum of days after the answers before it."""
    days = apart.get(one.instrument)
    if days is None:
        return one
    before = [form.at for form in forms if form.instrument == one.instrument and form.at <= one.due]
    opens = max([one.opens, *(answered + timedelta(days=days) for answered in before)])
    return replace(one, opens=min(opens, one.due))
