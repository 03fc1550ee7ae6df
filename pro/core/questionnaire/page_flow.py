"""Page flow: the next page of a form, and the changes that an answered page makes.

All functions depend on instrument, answers and facts only; no position and no conversation state is stored. ``answers``
holds the current answers (a withdrawn answer is absent, a skipped one is None); ``facts`` holds ``pd1`` and
``selfharm_enabled``. Web form, chat page and text messages use the same functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pro.core.questionnaire.instrument import Answers, Instrument, Item, Page, Value
from pro.core.rule_language.conditions import Facts

# Estimated share of items that are asked on a list, or after a parent item, that is not yet answered. Used only for
# "about … to go".
LIKELY_TICKED = 0.2
LIKELY_OPENED = 0.5

ScreenFacts = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress in a form: ``number`` of the page, from 1, and pages likely to follow."""

    number: int
    about_left: int


@dataclass(frozen=True, slots=True)
class AnswerChange:
    """One answer row to append.

    ``value``: None unless ``state`` is given. ``from_list``: the answer comes from a list page ("not ticked" = 0).
    """

    item: str
    state: Literal["given", "skipped", "withdrawn"]
    value: Value | None = None
    from_list: bool = False


def is_asked(item: Item, answers: Answers, facts: ScreenFacts) -> bool | None:
    """Return whether ``item`` applies; None while the answer that it depends on is missing.

    Ticks on list pages are not considered here; ``page_path`` does that.
    """
    if item.ask_if is None:
        return True
    return item.ask_if.evaluate(Facts(values={**answers, **facts}))


def add_implied_answers(instrument: Instrument, answers: Answers, facts: ScreenFacts) -> dict[str, Value | None]:
    """Return ``answers`` with implied answers added (docs/domain.md 3.4.2, 3.4.4).

    An item hidden by its parent or by a fact gets its implied value. An existing answer has priority, even where it
    contradicts its parent. Where the parent itself is missing, nothing is implied.
    """
    known = dict(answers)
    for item in instrument.items.values():
        if item.implied is not None and known.get(item.id) is None and is_asked(item, known, facts) is False:
            known[item.id] = item.implied
    return known


def items_on_list(instrument: Instrument, item: Item, facts: ScreenFacts) -> tuple[str, ...]:
    """Return the items that the list ``item`` shows with these facts."""
    return tuple(name for name in item.lists if is_asked(instrument.items[name], {}, facts) is not False)


def page_path(
    instrument: Instrument, answers: Answers, facts: ScreenFacts, page_set: str | None = None
) -> tuple[Page, ...]:
    """Return the pages that are asked given these answers, in order.

    Items that are not asked are left out of their page.
    """
    pages = _pages(instrument, page_set)
    lists = _lists_by_item(instrument, pages)
    walked = []
    for page in pages:
        items = tuple(item for item in page.items if _will_be_asked(instrument, item, answers, facts, lists) is True)
        if items:
            walked.append(page if items == page.items else replace(page, items=items))
    return tuple(walked)


def next_page(instrument: Instrument, answers: Answers, facts: ScreenFacts, page_set: str | None = None) -> Page | None:
    """Return the first page with an unanswered item; None when the review page is next.

    A skipped item counts as answered.
    """
    for page in page_path(instrument, answers, facts, page_set):
        if not all(_is_settled(instrument, instrument.items[item], answers, facts) for item in page.items):
            return page
    return None


def progress(
    instrument: Instrument, answers: Answers, facts: ScreenFacts, page: str, page_set: str | None = None
) -> Progress:
    """Return the progress at ``page`` (its id).

    A page that is not asked now counts as the one at its position.
    """
    pages = _pages(instrument, page_set)
    lists = _lists_by_item(instrument, pages)
    position = next((n for n, candidate in enumerate(pages) if candidate.id == page), len(pages))
    before = [found.id for found in page_path(instrument, answers, facts, page_set)]
    number = 1 + sum(candidate.id in before for candidate in pages[:position])
    likely = 0.0
    for later in pages[position + 1 :]:
        likely += max(_likelihood(instrument, item, answers, facts, lists) for item in later.items)
    return Progress(number, round(likely))


def answer_changes(
    instrument: Instrument, answers: Answers, facts: ScreenFacts, page: Page, given: Mapping[str, Value | None]
) -> tuple[AnswerChange, ...]:
    """Return the rows to append when ``page`` is answered with ``given`` (None = skipped).

    Answers that are already current give no row. A list stores its ticks, an explicit 0 for every item shown and not
    ticked, and withdraws the answers that must be asked again. Answers that a changed parent hides are withdrawn, so
    that no hidden answer contradicts the form. Raise ValueError for an item that is not on the page or a value that its
    item does not accept.
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
    """Return the rows that withdraw the answer to ``name``, so that it is asked again.

    With it, the answers that its list page stored and those of items that it opened are withdrawn. Nothing is returned
    for an item without an answer.
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
    """A form after many answers at once.

    ``changes``: (page id, change) to append, in order. ``answers``: the current answers. ``not_asked``: items in the
    given answers that are not asked in view of the other answers, except those for which these imply the same value, as
    a list without ticks does.
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
    """Answer page by page with the values in ``given``, as if each page were sent separately.

    Raise ValueError as ``answer_changes`` does.
    """
    after, remaining = dict(answers), dict(given)
    found: list[tuple[str, AnswerChange]] = []
    while True:
        pages = page_path(instrument, after, facts, page_set)
        page = next((page for page in pages if not remaining.keys().isdisjoint(page.items)), None)
        if page is None:
            not_asked = (name for name, value in remaining.items() if name not in after or after[name] != value)
            return FilledForm(tuple(found), after, tuple(not_asked))
        for change in answer_changes(
            instrument, after, facts, page, {name: remaining.pop(name) for name in page.items if name in remaining}
        ):
            found.append((page.id, change))
            if change.state == "withdrawn":
                after.pop(change.item, None)
            else:
                after[change.item] = change.value


def _list_changes(
    instrument: Instrument, item: Item, after: dict[str, Value | None], facts: ScreenFacts, value: Value | None
) -> list[AnswerChange]:
    """Return the rows for a list page answered with ``value``, and update ``after``."""
    current = after.get(item.id)
    before = _ticked_items(current)
    if value is None:
        # A skipped list gives no answer for its items, so the answers that it stored or opened are withdrawn.
        closed = item.lists if current is not None else ()
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
    """Return the row that sets an answer, and update ``after``; no row if it is current."""
    if name in after and after[name] == value:
        return []
    after[name] = value
    return [AnswerChange(name, "skipped" if value is None else "given", value, from_list)]


def _withdraw_answer(after: dict[str, Value | None], name: str) -> list[AnswerChange]:
    """Return the row that withdraws an answer, and update ``after``; no row without an answer."""
    if name not in after:
        return []
    del after[name]
    return [AnswerChange(name, "withdrawn")]


def _ticked_items(value: Value | None) -> tuple[str, ...]:
    """Return the ids ticked on a list page; empty for a skipped list."""
    return value if isinstance(value, tuple) else ()


def _pages(instrument: Instrument, page_set: str | None) -> tuple[Page, ...]:
    """Return the pages of a page set; None: all pages."""
    if page_set is None:
        return instrument.pages
    chosen = instrument.page_sets[page_set]
    return tuple(page for page in instrument.pages if page.id in chosen)


def _lists_by_item(instrument: Instrument, pages: tuple[Page, ...]) -> dict[str, str]:
    """Return item -> the list on one of ``pages`` that must be ticked before it is asked."""
    shown = [instrument.items[name] for page in pages if page.kind == "list" for name in page.items]
    return {name: item.id for item in shown for name in item.lists}


def _will_be_asked(
    instrument: Instrument, name: str, answers: Answers, facts: ScreenFacts, lists: Mapping[str, str]
) -> bool | None:
    """Return whether ``name`` is asked; None while that depends on a missing answer."""
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
    """Return True if ``item`` is answered or skipped.

    A list is settled only if every item on it is ticked or has its 0.
    """
    if item.id not in answers:
        return False
    if item.kind != "list" or answers[item.id] is None:
        return True
    ticked = _ticked_items(answers[item.id])
    return all(name in ticked or name in answers for name in items_on_list(instrument, item, facts))


def _likelihood(
    instrument: Instrument, name: str, answers: Answers, facts: ScreenFacts, lists: Mapping[str, str]
) -> float:
    """Return the estimated probability, 0 to 1, that ``name`` will be asked."""
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
