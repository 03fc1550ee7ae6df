"""Plain values for the templates of a participant's screens: pages and answers of a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from markupsafe import Markup

from pro.core.questionnaire import page_flow
from pro.core.questionnaire.instrument import Item, Page, Value
from pro.features.forms.form_state import FormState
from pro.web.typography import breakable


class IssuedFormInfo(Protocol):
    """What the start page needs of an assessment."""

    @property
    def instrument(self) -> str: ...
    @property
    def page_set(self) -> str | None: ...
    @property
    def wordings(self) -> dict[str, str]: ...
    @property
    def first_answer_at(self) -> datetime | None: ...
    @property
    def submitted_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class TypedPage:
    """What was sent with a page but not stored; it is shown again.

    ``problems``: field -> reason.
    """

    ticks: tuple[str, ...] | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a question.

    ``numbered``: the code is shown beside the label. ``chosen``: it is the current answer.
    """

    code: int
    label: str
    numbered: bool
    chosen: bool


@dataclass(frozen=True, slots=True)
class ListChoice:
    """One entry of a list page."""

    id: str
    label: str
    on: bool


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a page.

    ``text``: its content. ``problem``: why the content is not accepted, else empty.
    """

    item: Item
    question: Markup
    plain: str
    hint: str
    unit: str
    text: str
    problem: str


@dataclass(frozen=True, slots=True)
class Screen:
    """One page of questions.

    ``may_skip``: an item is not optional, so that leaving it out needs the skip button. ``standing``: "" (no answer
    yet), given, skipped, or none (“none of these”).
    """

    page: Page
    position: int
    progress: page_flow.Progress
    recall: str
    question: Markup
    hint: str
    standing: str
    saved: bool
    choices: tuple[Choice, ...] = ()
    ticks: tuple[ListChoice, ...] = ()
    fields: tuple[Field, ...] = ()
    problem: str = ""
    may_skip: bool = True


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One line of the review page.

    ``state``: given, skipped, open (not answered yet), or empty (optional and left blank). For a list ``names`` are the
    ticked entries and ``text`` is empty. ``changed``: answered after the page was opened that was sent.
    """

    name: str
    text: str
    state: str
    position: int
    is_list: bool = False
    names: tuple[str, ...] = ()
    changed: bool = False


@dataclass(frozen=True, slots=True)
class ReviewGroup:
    """The review's rows of one recall period; ``title`` is empty if the wording names none."""

    title: str
    rows: tuple[ReviewRow, ...]


def build_screen(form: FormState, position: int, typed: TypedPage) -> Screen:
    """Return the page of questions at ``position``. Raises KeyError if there is none."""
    page = form.page(position)
    if page is None:
        raise KeyError(position)
    first = form.instrument.items[page.items[0]]
    words = form.words.items[first.id]
    alone = len(page.items) == 1
    typed_page = is_typed_page(form, page)
    before = form.page(position - 1)
    return Screen(
        page=page,
        position=position,
        progress=form.progress(position),
        recall=form.words.recall_periods.get(first.recall_period, ""),
        question=breakable(words.question) if alone else Markup(),
        hint=words.hint if alone and not typed_page else "",
        standing=_page_state(form, page),
        saved=before is not None and all(name in form.answers for name in before.items),
        choices=_choices(form, first) if first.kind == "choice" else (),
        ticks=_ticks(form, first, typed) if first.kind == "list" else (),
        fields=tuple(_field(form, name, typed) for name in page.items) if typed_page else (),
        may_skip=any(not form.instrument.items[name].optional for name in page.items),
        problem=typed.problems.get("", ""),
    )


def is_typed_page(form: FormState, page: Page) -> bool:
    """Return whether the page has fields to type in: a page of fields, or one number or text by itself."""
    return page.kind == "fields" or form.instrument.items[page.items[0]].kind in ("number", "text")


def review_groups(form: FormState, seen: int) -> tuple[ReviewGroup, ...]:
    """Return every question of the path with its answer, grouped by recall period.

    A follow-up question stays under the question that it follows. ``seen``: the newest answer row that the participant
    was shown; rows after it are marked as changed.
    """
    groups: list[tuple[str, list[ReviewRow]]] = []
    for position, page in enumerate(form.path, 1):
        for name in page.items:
            item = form.instrument.items[name]
            recall = item.recall_period
            if groups and item.ask_if is not None and item.ask_if.names & set(form.instrument.items):
                recall = groups[-1][0]
            if not groups or groups[-1][0] != recall:
                groups.append((recall, []))
            row = form.rows.get(item.id)
            changed = row is not None and row.id > seen
            groups[-1][1].append(replace(_review_row(form, item, position), changed=changed))
    return tuple(ReviewGroup(form.words.recall_periods.get(recall, ""), tuple(rows)) for recall, rows in groups)


def _page_state(form: FormState, page: Page) -> str:
    if not all(name in form.answers for name in page.items):
        return ""
    values = [form.answers[name] for name in page.items]
    if all(value is None for value in values):
        return "skipped"
    return "none" if values == [()] else "given"


def _choices(form: FormState, item: Item) -> tuple[Choice, ...]:
    labels = form.words.items[item.id].options
    numbered = any(code not in labels for code in item.codes)
    standing = form.answers.get(item.id)
    return tuple(Choice(code, labels.get(code, ""), numbered, code == standing) for code in item.codes)


def _ticks(form: FormState, item: Item, typed: TypedPage) -> tuple[ListChoice, ...]:
    stored = form.answers.get(item.id)
    on = typed.ticks if typed.ticks is not None else stored if isinstance(stored, tuple) else ()
    shown = page_flow.items_on_list(form.instrument, item, form.facts)
    return tuple(ListChoice(name, form.words.items[name].short, name in on) for name in shown)


def _field(form: FormState, name: str, typed: TypedPage) -> Field:
    item, words = form.instrument.items[name], form.words.items[name]
    text = typed.texts[name] if name in typed.texts else _typed_text(form.answers.get(name))
    return Field(
        item=item,
        question=breakable(words.question),
        plain=words.plain,
        hint=words.hint,
        unit=words.unit,
        text=text,
        problem=typed.problems.get(name, ""),
    )


def _typed_text(value: Value | None) -> str:
    return format(value, "f") if isinstance(value, Decimal) else "" if value is None else str(value)


def _review_row(form: FormState, item: Item, position: int) -> ReviewRow:
    words = form.words.items[item.id]
    name = words.short or words.plain
    value = form.answers.get(item.id)
    if value is None:
        state = "empty" if item.optional else "skipped" if item.id in form.answers else "open"
        return ReviewRow(name, "", state, position)
    if isinstance(value, tuple):
        ticked = tuple(form.words.items[entry].short for entry in value)
        return ReviewRow(name, "", "given", position, is_list=True, names=ticked)
    if item.kind == "choice" and isinstance(value, int):
        label = words.options.get(value, "")
        numbered = any(code not in words.options for code in item.codes)
        return ReviewRow(name, f"{value} {label}".strip() if numbered else label, "given", position)
    return ReviewRow(name, f"{_typed_text(value)} {words.unit}".strip(), "given", position)
