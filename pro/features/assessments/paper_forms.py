"""Lay out a questionnaire on one page for data entry and verification."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.questionnaire import answer_text, page_flow
from pro.core.questionnaire.instrument import Answers, Instrument, Item, Value, Words
from pro.core.rule_language.conditions import Facts
from pro.errors import NotAllowed, NotFound, RecordFrozen
from pro.features.accounts import privacy, staff_accounts
from pro.features.assessments import data_entry
from pro.features.forms import form_state, licensed_wording
from pro.features.participants import clinical_facts
from pro.i18n import Translator
from pro.models import Assessment, Participant


@dataclass(frozen=True, slots=True)
class Question:
    """One item on the page.

    ``heading``: short text; ``text``: full text. ``options``: (code or id of a listed item, label). ``only_if``: a
    sentence that says when the item is asked; ``parent``: the item that decides, by one of ``codes``. ``said``: the
    current answer in words, "" for none; ``value``: its value.
    """

    id: str
    kind: str
    heading: str
    text: str
    hint: str
    unit: str
    options: tuple[tuple[str, str], ...]
    only_if: str
    parent: str
    codes: tuple[str, ...]
    max_length: int
    said: str
    skipped: bool
    value: Value | None


@dataclass(frozen=True, slots=True)
class QuestionGroup:
    """The items of one recall period; ``title`` is "" if the wording names none."""

    title: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class QuestionnaireLayout:
    """An instrument as a page for data entry.

    ``state``: the ``EntryState.state`` when the page was shown. ``begun_at``: when the participant started this form,
    with ``there`` items answered. ``last_at``: when the last submitted form was answered. ``expected_form_id``: the
    expected form that it must count for, None if staff may choose.
    """

    participant: Participant
    instrument: Instrument
    title: str
    wording_status: str
    groups: tuple[QuestionGroup, ...]
    state: str
    begun_at: datetime | None
    there: int
    last_at: datetime | None
    expected_form_id: int | None
    languages: tuple[str, ...]

    @property
    def questions(self) -> tuple[Question, ...]:
        """All items, in order."""
        return tuple(question for group in self.groups for question in group.questions)


@dataclass(frozen=True, slots=True)
class PaperForm:
    """A form that was entered from paper.

    ``own``: the acting person entered it. ``verified_by``: "" while unverified.
    """

    assessment: Assessment
    sheet: QuestionnaireLayout
    entered_by: str
    own: bool
    verified_by: str


@dataclass(frozen=True, slots=True)
class UnverifiedPaperForm:
    """A paper form that a second person must verify against the paper original."""

    assessment_id: int
    participant_id: int
    participant_number: str
    title: str
    entered_by: str
    entered_at: datetime
    own: bool


def entry_layout(work: UnitOfWork, participant: Participant, instrument: str, language: str) -> QuestionnaireLayout:
    """Return ``instrument`` as ``participant`` would be asked it, in ``language``.

    Raises as ``data_entry.find_expected_form``, and NotAllowed("wording_not_licensed").
    """
    expected = data_entry.find_expected_form(work, participant, instrument)
    pinned = licensed_wording.checksums_to_pin(work, instrument)
    there = data_entry.entry_state(work, participant, instrument)
    begun = there.form.wordings if there.form and there.answers else pinned
    words = licensed_wording.pinned_words(work, instrument, begun, language)
    shape = work.catalogue.shown_instrument(instrument)
    last = select(clinical_facts.ANSWERED_AT).where(
        Assessment.participant_id == participant.id,
        Assessment.instrument == instrument,
        Assessment.submitted_at.is_not(None),
    )
    moments = sorted(work.session.scalars(last))
    return QuestionnaireLayout(
        participant=participant,
        instrument=shape,
        title=work.catalogue.staff_title(shape.id, language),
        wording_status=words.status,
        groups=_groups(work, shape, words, there.answers, there.facts, there.page_set, language),
        state=there.state,
        begun_at=there.form.first_answer_at if there.form and there.answers else None,
        there=sum(value is not None for value in there.answers.values()),
        last_at=moments[-1] if moments else None,
        expected_form_id=expected.id if expected else None,
        languages=work.catalogue.shown_plan(participant.plan).languages,
    )


def read_paper_form(work: UnitOfWork, assessment_id: int, language: str) -> PaperForm:
    """Return a form that was entered from paper, with its answers. Raises NotFound for others."""
    assessment = work.session.get(Assessment, assessment_id)
    if assessment is None or not data_entry.is_paper_form(assessment):
        raise NotFound("paper")
    names = staff_accounts.staff_names(work)
    return PaperForm(
        assessment=assessment,
        sheet=answered_layout(work, assessment, language),
        entered_by=names.get(assessment.entered_by or 0, ""),
        own=assessment.entered_by == work.actor.id,
        verified_by=names.get(assessment.verified_by or 0, ""),
    )


def answered_layout(work: UnitOfWork, assessment: Assessment, language: str) -> QuestionnaireLayout:
    """Return a form with its current answers, in ``language``."""
    participant = work.session.get_one(Participant, assessment.participant_id)
    words = form_state.form_words(work, assessment, language)
    shape = work.catalogue.shown_instrument(assessment.instrument)
    answers = form_state.current_answers(shape, form_state.answer_rows(work, assessment.id))
    facts = clinical_facts.form_facts(assessment.context)
    return QuestionnaireLayout(
        participant=participant,
        instrument=shape,
        title=work.catalogue.staff_title(shape.id, language),
        wording_status=words.status,
        groups=_groups(work, shape, words, answers, facts, assessment.page_set, language),
        state="",
        begun_at=None,
        there=len(answers),
        last_at=assessment.answered_at,
        expected_form_id=None,
        languages=work.catalogue.shown_plan(participant.plan).languages,
    )


def answer_shown(work: UnitOfWork, assessment: Assessment, item: Item, value: Value | None, language: str) -> str:
    """Return a value in words, as far as the acting person may see it; "" for none."""
    words = form_state.form_words(work, assessment, language)
    found = _answer_in_words(words, item, value, work.app_context.catalogs.translator(language))
    return privacy.visible_text(work, found, language) if item.kind == "text" else found


def unverified_paper_forms(work: UnitOfWork, language: str) -> list[UnverifiedPaperForm]:
    """Return every paper form that waits for verification, oldest first."""
    query = (
        select(Assessment, Participant)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(
            Assessment.completion_mode == "paper",
            Assessment.submitted_at.is_not(None),
            Assessment.verified_at.is_(None),
        )
        .order_by(Assessment.submitted_at, Assessment.id)
    )
    names = staff_accounts.staff_names(work)
    return [
        UnverifiedPaperForm(
            assessment_id=assessment.id,
            participant_id=participant.id,
            participant_number=participant.participant_number,
            title=work.catalogue.staff_title(assessment.instrument, language),
            entered_by=names.get(assessment.entered_by or 0, ""),
            entered_at=assessment.submitted_at or work.now,
            own=assessment.entered_by == work.actor.id,
        )
        for assessment, participant in work.session.execute(query)
    ]


def enterable_instruments(work: UnitOfWork, participant: Participant) -> tuple[str, ...]:
    """Return the instruments that staff may enter for ``participant`` now.

    Returns none if the study plan is no longer in the catalogue.
    """
    found = []
    plan = work.catalogue.plans.get(participant.plan)
    for instrument in plan.instruments if plan else ():
        try:
            data_entry.find_expected_form(work, participant, instrument)
        except (NotAllowed, RecordFrozen):
            continue
        found.append(instrument)
    return tuple(found)


def _groups(
    work: UnitOfWork,
    shape: Instrument,
    words: Words,
    answers: Answers,
    facts: page_flow.ScreenFacts,
    page_set: str | None,
    language: str,
) -> tuple[QuestionGroup, ...]:
    """Return every item that may be asked with these facts, grouped by recall period.

    A follow-up item stays under its parent item.
    """
    translator = work.app_context.catalogs.translator(language)
    chosen = shape.page_sets[page_set] if page_set else None
    opened_by = {name: item.id for item in shape.items.values() for name in item.lists}
    groups: list[tuple[str, list[Question]]] = []
    for page in shape.pages:
        if chosen is not None and page.id not in chosen:
            continue
        for name in page.items:
            item = shape.items[name]
            parents = _parents(shape, item)
            if not parents and page_flow.is_asked(item, {}, facts) is False:
                continue
            recall = groups[-1][0] if groups and parents else item.recall_period
            if not groups or groups[-1][0] != recall:
                groups.append((recall, []))
            question = _question(shape, item, words, answers, facts, opened_by, translator)
            groups[-1][1].append(question)
    return tuple(QuestionGroup(words.recall_periods.get(recall, ""), tuple(questions)) for recall, questions in groups)


def _parents(shape: Instrument, item: Item) -> list[str]:
    """Return the items on whose answers ``item`` depends."""
    return sorted(item.ask_if.names & set(shape.items)) if item.ask_if else []


def _question(
    shape: Instrument,
    item: Item,
    words: Words,
    answers: Answers,
    facts: page_flow.ScreenFacts,
    opened_by: dict[str, str],
    translator: Translator,
) -> Question:
    """Return one item with its words, options and current answer."""
    said = words.items[item.id]
    value = answers.get(item.id)
    only_if, parent, codes = _ask_condition(shape, item, words, facts, opened_by, translator)
    if item.kind == "list":
        shown = page_flow.items_on_list(shape, item, facts)
        options = tuple((name, words.items[name].short) for name in shown)
    else:
        options = tuple((str(code), said.options.get(code, "")) for code in item.codes)
    return Question(
        id=item.id,
        kind=item.kind,
        heading=said.short or said.plain,
        text=said.plain,
        hint=said.hint,
        unit=said.unit,
        options=options,
        only_if=only_if,
        parent=parent,
        codes=codes,
        max_length=item.max_length,
        said=_answer_in_words(words, item, value, translator),
        skipped=item.id in answers and value is None,
        value=value,
    )


def _ask_condition(
    shape: Instrument,
    item: Item,
    words: Words,
    facts: page_flow.ScreenFacts,
    opened_by: dict[str, str],
    translator: Translator,
) -> tuple[str, str, tuple[str, ...]]:
    """Return when ``item`` is asked: a sentence, the deciding item, and its deciding codes."""
    parents = _parents(shape, item)
    opener = opened_by.get(item.id)
    if opener is not None:
        sentence = translator.gettext("only if ticked under “%(list)s”", list=words.items[opener].short)
        return sentence, opener, (item.id,)
    if not parents:
        return "", "", ()
    parent = shape.items[parents[0]]
    if len(parents) > 1 or parent.kind != "choice" or item.ask_if is None:
        return translator.gettext("only if earlier answers lead to it"), "", ()
    opens = {code: item.ask_if.evaluate(Facts(values={**facts, parent.id: code})) is True for code in parent.codes}
    named = words.items[parent.id]
    closing = [code for code, yes in opens.items() if not yes]
    codes = tuple(str(code) for code, yes in opens.items() if yes)
    if len(closing) == 1:
        label = named.options.get(closing[0], str(closing[0]))
        sentence = translator.gettext("only if “%(parent)s” is not “%(label)s”", parent=named.short, label=label)
    else:
        labels = translator.gettext(" or ").join(f"“{named.options.get(int(code), code)}”" for code in codes)
        sentence = translator.gettext("only if “%(parent)s” is %(labels)s", parent=named.short, labels=labels)
    return sentence, parent.id, codes


def _answer_in_words(words: Words, item: Item, value: Value | None, translator: Translator) -> str:
    """Return a value in words; "none of these" for an empty list."""
    if isinstance(value, tuple):
        return _ticked_labels(words, value, translator) or translator.gettext("none of these")
    return answer_text.answer_text(item, words.items[item.id], value)


def _ticked_labels(words: Words, ticked: Iterable[str], translator: Translator) -> str:
    return translator.gettext(", ").join(words.items[name].short for name in ticked)
