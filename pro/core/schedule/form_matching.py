"""Which answered form counts for which visits, and what is still open (docs/domain.md 6, rules 1, 2 and 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pro.core.schedule.expected_visits import ExpectedVisit, VisitStatus, visit_status


@dataclass(frozen=True, slots=True)
class AnsweredForm:
    """An answered form. ``at``: when it was answered, UTC. ``visit``: the visit that it was issued for, or empty."""

    ref: str
    instrument: str
    at: datetime
    visit: str = ""


@dataclass(frozen=True, slots=True)
class MatchedForm:
    """``form`` (its ref) counts for the visit ``one``.

    ``nearest``: this is the visit that it is assigned to; others it serves as well. ``out_of_window``: accepted all
    the same, flagged, and not counted as received in its window.
    """

    one: ExpectedVisit
    form: str
    nearest: bool
    out_of_window: bool


@dataclass(frozen=True, slots=True)
class FormMatches:
    """``served``: what was answered. ``waiting``: the rest, opening late enough to keep two answers apart."""

    served: tuple[MatchedForm, ...]
    waiting: tuple[ExpectedVisit, ...]


def match_forms(
    expected: Sequence[ExpectedVisit], forms: Iterable[AnsweredForm], apart: Mapping[str, int]
) -> FormMatches:
    """Give every form the visits that it serves.

    A form serves every visit whose window it lies in, one turn of each, and, where ``apart`` names the instrument, one
    whose planned day comes less than that many days after it; if more, that visit's form opens that many days after
    the answer. It is assigned to the nearest planned day; a tie goes to the lowest rank, then to the one that opens
    first. One that was issued for a visit and came outside its window counts for it, flagged.
    """
    served: dict[tuple[str, str], MatchedForm] = {}
    known = sorted(forms, key=lambda form: (form.at, form.ref))
    for form in known:
        mine = [one for one in expected if one.instrument == form.instrument and one.name not in served]
        mine.sort(key=lambda one: (abs(one.due - form.at), one.rank))
        taken: dict[str, ExpectedVisit] = {}
        for one in mine:
            if (one.holds(form.at) or _is_too_soon_to_ask_again(one, form, apart)) and one.kind not in taken:
                taken[one.kind] = one
        issued = next((one for one in mine if one.visit == form.visit), None)
        late = issued is not None and issued not in taken.values() and not issued.holds(form.at)
        if issued is not None and late:
            served[issued.name] = MatchedForm(issued, form.ref, nearest=not taken, out_of_window=True)
        for place, one in enumerate(taken.values()):
            if one.name not in served:
                served[one.name] = MatchedForm(one, form.ref, nearest=place == 0, out_of_window=False)
    waiting = [_delay_opening(one, known, apart) for one in expected if one.name not in served]
    return FormMatches(tuple(served[one.name] for one in expected if one.name in served), tuple(waiting))


def missed_in_a_row(
    waiting: Sequence[ExpectedVisit], instrument: str, last_answer: datetime | None, now: datetime
) -> int:
    """How many of ``instrument``'s mandatory forms were missed since its last answer of any kind (rule 4).

    ``waiting``: as ``serve`` leaves it. Missed forms whose windows overlap count once: one silence missed them all.
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


def _is_too_soon_to_ask_again(one: ExpectedVisit, form: AnsweredForm, apart: Mapping[str, int]) -> bool:
    """True if ``form`` was answered so shortly before the planned day that asking again would be too soon."""
    days = apart.get(one.instrument)
    return days is not None and timedelta(0) <= one.due - form.at < timedelta(days=days)


def _delay_opening(one: ExpectedVisit, forms: Sequence[AnsweredForm], apart: Mapping[str, int]) -> ExpectedVisit:
    days = apart.get(one.instrument)
    if days is None:
        return one
    before = [form.at for form in forms if form.instrument == one.instrument and form.at <= one.due]
    opens = max([one.opens, *(answered + timedelta(days=days) for answered in before)])
    return replace(one, opens=min(opens, one.due))
