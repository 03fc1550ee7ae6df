"""Staff pages for data entry of interviews and paper forms, and for verification of paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.core.questionnaire.instrument import Value
from pro.core.rule_language.level import Level
from pro.core.text import reply_parser
from pro.errors import BadData, NotAllowed
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.alerts import alert_list, alert_service
from pro.features.alerts.alert_list import AlertCase
from pro.features.assessments import data_entry, paper_forms
from pro.features.assessments.pages.forms import DataEntryForm, VerificationForm
from pro.features.assessments.paper_forms import PaperForm, Question, QuestionnaireLayout
from pro.features.participants.pages import participant_page
from pro.web import request_context
from pro.web.forms import choices
from pro.web.labels import LANGUAGES
from pro.web.notices import notify
from pro.web.refusals import REFUSALS

pages = Blueprint("entry", __name__)

PARTICIPANT = "/participants/<int(max=2147483647):participant_id>"
FIELD_PREFIX = "q-"
# Values of a field beside the codes of its options: left blank, none of a list, as typed (verification only).
LEFT_BLANK, NONE, AS_TYPED = "skip", "none", ""


@dataclass
class TypedAnswers:
    """The typed answers of one questionnaire, by item.

    ``texts``: as in the fields; ``given``: as values; ``problems``: reason of refusal (key "": the whole
    questionnaire).
    """

    texts: dict[str, list[str]] = field(default_factory=dict)
    given: dict[str, Value | None] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


@staff_page(pages, f"{PARTICIPANT}/enter/<instrument>", endpoint="enter", right="enter_answers", section="participants")
def show_entry_form(staff: SignedInStaff, participant_id: int, instrument: str) -> ResponseReturnValue:
    """Show the whole questionnaire on one page, nothing chosen."""
    participant = participant_page.read_participant(request_context.work(), participant_id)
    try:
        sheet = paper_forms.entry_layout(request_context.work(), participant, instrument, request_context.language())
    except NotAllowed as refusal:
        return _redirect_refused(participant_id, refusal)
    form = _entry_form(sheet)
    mode = request.args.get("mode", "")
    form.mode.data = mode if mode in data_entry.MODES else None
    form.language.data = participant.language
    if mode == "phone":
        local = request_context.work().now.astimezone(ZoneInfo(participant.time_zone))
        form.day.data, form.time.data = local.date(), local.time()
    return _render_entry(sheet, form, TypedAnswers())


@pages.post(f"{PARTICIPANT}/enter/<instrument>", endpoint="entered")
@needs("enter_answers")
def enter_form(staff: SignedInStaff, participant_id: int, instrument: str) -> ResponseReturnValue:
    """Store the typed form; a refusal shows the page again with everything typed.

    Status: 303 if stored, 400 for problems in the fields, 409 if the service refuses the form.
    """
    participant = participant_page.read_participant(request_context.work(), participant_id)
    try:
        sheet = paper_forms.entry_layout(request_context.work(), participant, instrument, request_context.language())
    except NotAllowed as refusal:
        return _redirect_refused(participant_id, refusal)
    form = _entry_form(sheet, request.form)
    typed = _read_answers(sheet)
    fine = form.validate_on_submit()
    if not fine or typed.problems or not typed.given:
        if not typed.given and not typed.problems:
            typed.problems[""] = "nothing_answered"
        return _render_entry(sheet, form, typed, 400)
    local = datetime.combine(form.day.data, form.time.data, ZoneInfo(participant.time_zone))
    try:
        assessment = data_entry.enter_form(
            request_context.work(),
            participant,
            instrument,
            mode=form.mode.data,
            answered_by=form.answered_by.data,
            answered_at=local.astimezone(UTC),
            given=typed.given,
            language=form.language.data,
            expected_form_id=sheet.expected_form_id,
            seen=request.form.get("state", ""),
        )
    except BadData as refusal:
        _place_refusal(refusal, form, typed)
        return _render_entry(sheet, form, typed, 400)
    except NotAllowed as refusal:
        return _render_entry(sheet, form, typed, 409, refusal.why)
    case = alert_list.case_of(request_context.work(), alert_service.case_key_of(assessment), request_context.language())
    return _redirect_after_entry(
        participant_id, case, "entered_paper" if assessment.completion_mode == "paper" else "entered"
    )


@staff_page(
    pages,
    "/assessments/<int(max=2147483647):assessment_id>/check",
    endpoint="check",
    right="verify_answers",
    section="participants",
)
def show_verification(staff: SignedInStaff, assessment_id: int) -> ResponseReturnValue:
    """Show the answers typed from paper beside the fields of the second check."""
    paper = paper_forms.read_paper_form(request_context.work(), assessment_id, request_context.language())
    return _render_verification(paper, VerificationForm(formdata=None), _typed_values(paper.sheet))


@pages.post("/assessments/<int(max=2147483647):assessment_id>/check", endpoint="checked")
@needs("verify_answers")
def verify_paper_form(staff: SignedInStaff, assessment_id: int) -> ResponseReturnValue:
    """Store the second check: all answers agree, or are corrected with a reason."""
    paper = paper_forms.read_paper_form(request_context.work(), assessment_id, request_context.language())
    form = VerificationForm()
    typed = _read_corrections(paper.sheet)
    if not form.validate_on_submit() or typed.problems:
        return _render_verification(paper, form, typed, 400)
    try:
        changed = data_entry.verify_paper_form(
            request_context.work(), paper.assessment, typed.given, reason=form.reason.data or ""
        )
    except BadData as refusal:
        _place_refusal(refusal, form, typed)
        return _render_verification(paper, form, typed, 400)
    except NotAllowed as refusal:
        return _render_verification(paper, form, typed, 409, refusal.why)
    case = alert_list.case_of(
        request_context.work(), alert_service.case_key_of(paper.assessment), request_context.language()
    )
    return _redirect_after_entry(
        paper.sheet.participant.id, case if changed else None, "corrected" if changed else "checked"
    )


def _redirect_after_entry(participant_id: int, case: AlertCase | None, said: str) -> ResponseReturnValue:
    """Redirect to an urgent or emergency alert, else to the participant."""
    notify(said)
    if case is None or case.level < Level.URGENT:
        return redirect(url_for("staff.dates.visit_schedule", participant_id=participant_id), code=303)
    if case.level == Level.EMERGENCY:
        notify("tell_now")
    return redirect(url_for("staff.alert", alert_id=case.alert_id), code=303)


def _redirect_refused(participant_id: int, refusal: NotAllowed) -> ResponseReturnValue:
    notify("cannot_enter", why=_refusal_key(refusal.why))
    return redirect(url_for("staff.dates.visit_schedule", participant_id=participant_id), code=303)


def _refusal_key(why: str) -> str:
    """Return the key of the sentence for a refusal on these pages."""
    return {"withdrawn": "withdrawn_entry", "wording_not_licensed": "wording_not_licensed_entry"}.get(why, why)


def _entry_form(sheet: QuestionnaireLayout, typed: Mapping[str, str] | None = None) -> DataEntryForm:
    form = DataEntryForm(formdata=typed)
    form.language.choices = choices(item for item in LANGUAGES.items() if item[0] in sheet.languages)
    return form


def _render_entry(
    sheet: QuestionnaireLayout, form: DataEntryForm, typed: TypedAnswers, status: int = 200, why: str = ""
) -> ResponseReturnValue:
    page = render_template("assessments/enter.html", sheet=sheet, form=form, typed=typed, why=why, refusals=REFUSALS)
    return page, status


def _render_verification(
    paper: PaperForm, form: VerificationForm, typed: TypedAnswers, status: int = 200, why: str = ""
) -> ResponseReturnValue:
    page = render_template(
        "assessments/verify.html", paper=paper, sheet=paper.sheet, form=form, typed=typed, why=why, refusals=REFUSALS
    )
    return page, status


def _place_refusal(refusal: BadData, form: DataEntryForm | VerificationForm, typed: TypedAnswers) -> None:
    """Put each refusal of the service beside its field or question."""
    fields = refusal.details.get("fields")
    for name, why in (fields if isinstance(fields, Mapping) else {}).items():
        place = {"answered_at": "day"}.get(name, name)
        if place in form:
            form[place].errors = [REFUSALS.get(why, why)]
        else:
            typed.problems["" if name == "given" else name] = why


def _read_answers(sheet: QuestionnaireLayout) -> TypedAnswers:
    """Return the posted answers. Untouched questions and empty fields are absent."""
    typed = TypedAnswers()
    for question in sheet.questions:
        sent = [text for text in request.form.getlist(FIELD_PREFIX + question.id) if text.strip()]
        typed.texts[question.id] = sent
        if sent:
            read_answer(sheet, question, sent, typed)
    return typed


def _read_corrections(sheet: QuestionnaireLayout) -> TypedAnswers:
    """Return the values of the second check that differ from the typed answers."""
    typed = TypedAnswers()
    for question in sheet.questions:
        sent = [text for text in request.form.getlist(FIELD_PREFIX + question.id) if text.strip()]
        typed.texts[question.id] = sent
        if sent:
            read_answer(sheet, question, sent, typed)
        elif question.kind != "choice" and question.value is not None:
            typed.given[question.id] = None
        same = question.id in typed.given and typed.given[question.id] == question.value
        if same and (question.value is not None or question.skipped):
            del typed.given[question.id]
    return typed


def read_answer(sheet: QuestionnaireLayout, question: Question, sent: list[str], typed: TypedAnswers) -> None:
    """Read what was sent for one question into ``typed``: a value, or the reason of refusal."""
    item = sheet.instrument.items[question.id]
    if sent == [LEFT_BLANK] and question.kind == "choice":
        typed.given[question.id] = None
    elif question.kind == "list":
        known = [code for code, _label in question.options]
        ticks = tuple(name for name in known if name in sent)
        if set(sent) - set(known) - {NONE}:
            typed.problems[question.id] = "no_such_option"
        elif ticks and NONE in sent:
            typed.problems[question.id] = "none_with_ticks"
        else:
            typed.given[question.id] = ticks
    else:
        found = reply_parser.read_field(item, sent[0])
        if isinstance(found, reply_parser.UnclearReply):
            typed.problems[question.id] = found.why
        else:
            typed.given[question.id] = found.value


def _typed_values(sheet: QuestionnaireLayout) -> TypedAnswers:
    """Return the first state of the second check's fields.

    Ticks, numbers and texts stand as typed; choices are untouched.
    """
    typed = TypedAnswers()
    for question in sheet.questions:
        value = question.value
        if isinstance(value, tuple):
            typed.texts[question.id] = list(value) or [NONE]
        elif isinstance(value, Decimal):
            typed.texts[question.id] = [format(value, "f")]
        elif isinstance(value, str):
            typed.texts[question.id] = [value]
    return typed
