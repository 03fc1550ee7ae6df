"""Which page comes next, and what an answered page changes: functions of instrument, answers and facts alone.

There is no position and no conversation state. ``answers`` holds what stands now (a withdrawn answer is absent, a
skipped one is None); ``facts`` holds ``pd1`` and ``selfharm_enabled``. Form, chat page and SMS walk this one engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pro.core.questionnaire.instrument import Answers, Instrument, Item, Page, Value
from pro.core.rule_language.conditions import Facts

# How many of the questions behind an open list, or behind an open parent, are likely to come: for "about … to go" only.
LIKELY_TICKED = 0.2
LIKELY_OPENED = 0.5

ScreenFacts = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Progress:
    """``number``: which page this is, from 1. ``about_left``: how many are likely to come after it."""

    number: int
    about_left: int


@dataclass(frozen=True, slots=True)
class AnswerChange:
    """One row to append. ``value`` is None unless given; ``from_list``: the list page said so ("not ticked" = 0)."""

    item: str
    state: Literal["given", "skipped", "withdrawn"]
    value: Value | None = None
    from_list: bool = False


def is_asked(item: Item, answers: Answers, facts: ScreenFacts) -> bool | None:
    """Does ``item`` apply? None while the answer that it depends on is missing. Lists are looked at by ``path``."""
    if item.ask_if is None:
        return True
    return item.ask_if.evaluate(Facts(values={**answers, **facts}))


def add_implied_answers(instrument: Instrument, answers: Answers, facts: ScreenFacts) -> dict[str, Value | None]:
    """``answers``, and the implied value of every item hidden by its parent or by a fact (docs/domain.md 3.4.2, 3.4.4).

    An answer that is there wins, even where it contradicts its parent; where the parent itself is missing nothing is
    implied.
    """
    known = dict(answers)
    for item in instrument.items.values():
        if item.implied is not None and known.get(item.id) is None and is_asked(item, known, facts) is False:
            known[item.id] = item.implied
    return known


def items_on_list(instrument: Instrument, item: Item, facts: ScreenFacts) -> tuple[str, ...]:
    """The items that the list ``item`` shows to a participant with these facts, in the instrument's order."""
    return tuple(name for name in item.lists if is_asked(instrument.items[name], {}, facts) is not False)


def page_path(
    instrument: Instrument, answers: Answers, facts: ScreenFacts, page_set: str | None = None
) -> tuple[Page, ...]:
    """The pages that are asked given these answers, in order; an item that is not asked is left out of its page."""
    pages = _pages(instrument, page_set)
    lists = _lists_by_item(instrument, pages)
    walked = []
    for page in pages:
        items = tuple(item for item in page.items if _will_be_asked(instrument, item, answers, facts, lists) is True)
        if items:
            walked.append(page if items == page.items else replace(page, items=items))
    return tuple(walked)


def next_page(instrument: Instrument, answers: Answers, facts: ScreenFacts, page_set: str | None = None) -> Page | None:
    """The first page with something unanswered (a skip is an answer), or None when the review is next."""
    for page in page_path(instrument, answers, facts, page_set):
        if not all(_is_settled(instrument, instrument.items[item], answers, facts) for item in page.items):
            return page
    return None


def progress(
    instrument: Instrument, answers: Answers, facts: ScreenFacts, page: str, page_set: str | None = None
) -> Progress:
    """Where ``page`` (its id) stands. A page that is not asked now counts as the one where it would be."""
    pages = _pages(instrument, page_set)
    lists = _lists_by_item(instrument, pages)
    place = next((n for n, candidate in enumerate(pages) if candidate.id == page), len(pages))
    before = [found.id for found in page_path(instrument, answers, facts, page_set)]
    number = 1 + sum(candidate.id in before for candidate in pages[:place])
    likely = 0.0
    for later in pages[place + 1 :]:
        likely += max(_likelihood(instrument, item, answers, facts, lists) for item in later.items)
    return Progress(number, round(likely))


def answer_changes(
    instrument: Instrument, answers: Answers, facts: ScreenFacts, page: Page, given: Mapping[str, Value | None]
) -> tuple[AnswerChange, ...]:
    """What must be appended when ``page`` is answered with ``given`` (None = skipped); nothing for what stands already.

    A list stores its ticks, an explicit 0 for every item shown and not ticked, and withdraws what must be asked again.
    Answers that a changed parent hides are withdrawn, so that nothing contradicts the form unseen. ValueError for an
    item that is not on the page or a value that its item does not accept.
    """
    after = dict(answers)
    found: list[AnswerChange] = []
    for name, value in given.items():
        item = instrument.items.get(name)
        if item is None or name not in page.items or (value is not None and not item.accepts(value)):
            raise ValueError(f"{name} cannot be answered with {value!r} on page {page.id}")
        if item.kind == "list":
            found += _list_changes(instrument, item, after, facts, value)
        else:
            found += _set_answer(after, name, value)
    touched = {change.item for change in found}
    for item in instrument.items.values():
        hidden = item.id in after and item.ask_if is not None and bool(item.ask_if.names & touched)
        if hidden and is_asked(item, after, facts) is not True:
            found += _withdraw_answer(after, item.id)
            touched.add(item.id)
    return tuple(found)


def withdrawal_changes(
    instrument: Instrument, answers: Answers, facts: ScreenFacts, name: str
) -> tuple[AnswerChange, ...]:
    """What must be withdrawn to ask ``name`` again: its answer, what a list said with it, and what it had opened.

    Nothing for an item without an answer.
    """
    after = dict(answers)
    found = _withdraw_answer(after, name)
    if not found:
        return ()
    for entry in instrument.items[name].lists:
        found += _withdraw_answer(after, entry)
    for item in instrument.items.values():
        if item.id in after and item.ask_if is not None and is_asked(item, after, facts) is not True:
            found += _withdraw_answer(after, item.id)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class FilledForm:
    """A form after many answers at once. ``changes``: (page id, change) to append, in order; ``answers``: what stands.

    ``not_asked``: items of the given ones that are not asked, given all the others; but for those of which the others
    say the same, as a list without ticks does.
    """

    changes: tuple[tuple[str, AnswerChange], ...]
    answers: Answers
    not_asked: tuple[str, ...]


def fill_form(
    instrument: Instrument,
    answers: Answers,
    facts: ScreenFacts,
    given: Mapping[str, Value | None],
    page_set: str | None = None,
) -> FilledForm:
    """Answer page by page with whatever ``given`` says about it, as if each were sent on its own.

    ValueError as in ``changes``.
    """
    after, left = dict(answers), dict(given)
    found: list[tuple[str, AnswerChange]] = []
    while True:
        pages = page_path(instrument, after, facts, page_set)
        page = next((page for page in pages if not left.keys().isdisjoint(page.items)), None)
        if page is None:
            unsaid = (name for name, value in left.items() if name not in after or after[name] != value)
            return FilledForm(tuple(found), after, tuple(unsaid))
        for change in answer_changes(
            instrument, after, facts, page, {name: left.pop(name) for name in page.items if name in left}
        ):
            found.append((page.id, change))
            if change.state == "withdrawn":
                after.pop(change.item, None)
            else:
                after[change.item] = change.value


def _list_changes(
    instrument: Instrument, item: Item, after: dict[str, Value | None], facts: ScreenFacts, value: Value | None
) -> list[AnswerChange]:
    stood = after.get(item.id)
    before = _ticked_items(stood)
    if value is None:
        # A skipped list says nothing about its items, so whatever it had said or opened no longer stands.
        closed = item.lists if stood is not None else ()
        return _set_answer(after, item.id, None) + [
            change for name in closed for change in _withdraw_answer(after, name)
        ]
    ticked = _ticked_items(value)
    in_order = tuple(name for name in item.lists if name in ticked)
    found = _set_answer(after, item.id, in_order)
    shown = items_on_list(instrument, item, facts)
    for name in item.lists:
        if name in ticked:
            if name not in before and after.get(name) in (0, None):
                found += _withdraw_answer(after, name)
        elif name in shown:
            found += _set_answer(after, name, 0, from_list=True)
    return found


def _set_answer(
    after: dict[str, Value | None], name: str, value: Value | None, from_list: bool = False
) -> list[AnswerChange]:
    if name in after and after[name] == value:
        return []
    after[name] = value
    return [AnswerChange(name, "skipped" if value is None else "given", value, from_list)]


def _withdraw_answer(after: dict[str, Value | None], name: str) -> list[AnswerChange]:
    if name not in after:
        return []
    del after[name]
    return [AnswerChange(name, "withdrawn")]


def _ticked_items(value: Value | None) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def _pages(instrument: Instrument, page_set: str | None) -> tuple[Page, ...]:
    if page_set is None:
        return instrument.pages
    chosen = instrument.page_sets[page_set]
    return tuple(page for page in instrument.pages if page.id in chosen)


def _lists_by_item(instrument: Instrument, pages: tuple[Page, ...]) -> dict[str, str]:
    """item -> the list on one of ``pages`` that must be ticked before it is asked."""
    shown = [instrument.items[name] for page in pages if page.kind == "list" for name in page.items]
    return {name: item.id for item in shown for name in item.lists}


def _will_be_asked(
    instrument: Instrument, name: str, answers: Answers, facts: ScreenFacts, lists: Mapping[str, str]
) -> bool | None:
    """True: asked. False: not. None: nobody knows yet."""
    item = instrument.items[name]
    applies = is_asked(item, answers, facts)
    if item.kind == "list":
        return applies if items_on_list(instrument, item, facts) else False
    opener = lists.get(name)
    if opener is None or applies is False:
        return applies
    if opener not in answers:
        return None
    return applies if name in _ticked_items(answers[opener]) else False


def _is_settled(instrument: Instrument, item: Item, answers: Answers, facts: ScreenFacts) -> bool:
    """Answered or skipped. A list is settled only while every item on it has been ticked or has its 0."""
    if item.id not in answers:
        return False
    if item.kind != "list" or answers[item.id] is None:
        return True
    ticked = _ticked_items(answers[item.id])
    return all(name in ticked or name in answers for name in items_on_list(instrument, item, facts))


def _likelihood(
    instrument: Instrument, name: str, answers: Answers, facts: ScreenFacts, lists: Mapping[str, str]
) -> float:
    """How likely ``name`` is to be asked, as far as the answers tell."""
    comes = _will_be_asked(instrument, name, answers, facts, lists)
    if comes is not None:
        return float(comes)
    if lists.get(name) is not None:
        return LIKELY_TICKED
    condition = instrument.items[name].ask_if
    parents = [parent for parent in (condition.names if condition else ()) if parent in instrument.items]
    if any(parent in answers and answers[parent] is None for parent in parents):
        return 0.0
    chance = LIKELY_OPENED
    for parent in parents:
        chance *= _likelihood(instrument, parent, answers, facts, lists)
    return chance
