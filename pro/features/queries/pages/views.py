"""Staff pages of queries: the list, those of one form, and one query with its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import SelectField, TextAreaField

from pro.errors import BadData, NotAllowed
from pro.features.accounts.pages import page_guard
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.assessments import data_corrections
from pro.features.queries import query_service
from pro.features.queries.query_service import QueryRow
from pro.models import QUERY_STATES
from pro.web import request_context
from pro.web.forms import choices, read_id, trim
from pro.web.notices import notify
from pro.web.refusals import N_, REFUSALS

pages = Blueprint("queries", __name__)

FORM_URL = "/assessments/<int(max=2147483647):assessment_id>/queries"
QUERY_URL = "/queries/<int(max=2147483647):query_id>"
# Button -> kind of the step, the right it needs, and the notice after it.
STEPS: Mapping[str, tuple[str, str, str]] = {
    "answer": ("answered", "answer_query", "query_answered"),
    "ask_again": ("asked_again", "ask_query", "query_asked_again"),
    "close": ("closed", "ask_query", "query_closed"),
}


class QueryForm(FlaskForm):
    """Text of a query or of its answer."""

    text = TextAreaField(N_("Text"), filters=[trim])

    def refuse(self, problems: Mapping[str, str]) -> None:
        """Show the service's refusals (field: why) beside their fields."""
        for name, why in problems.items():
            self[name].errors = [REFUSALS[why]]


class NewQueryForm(QueryForm):
    """A new query about one answer or the whole form."""

    item = SelectField(N_("About"), validate_choice=False)


@pages.record_once
def install(state: BlueprintSetupState) -> None:
    """Make the numbers of queries available to the templates that show forms."""
    cast(Flask, state.app).jinja_env.globals["query_counts"] = count_queries


def count_queries(participant_id: int) -> Mapping[int, tuple[int, int]]:
    """Return form id -> (queries that are not closed, all queries) of one participant."""
    return query_service.count_by_form(request_context.work(), participant_id)


@staff_page(
    pages,
    "/queries",
    endpoint="everything",
    right="see_answers",
    title=N_("Queries"),
    menu=85,
    way_back=N_("the queries"),
)
def show_queries(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the queries, open ones first. ``show`` in the address: one state; ``page``: 50 rows each."""
    show = request.args.get("show", "")
    show = show if show in QUERY_STATES else ""
    page = max(read_id(request.args.get("page", "")) or 1, 1)
    found = query_service.list_queries(request_context.work(), request_context.language(), show, page)
    last = max(-(-found.number // query_service.PAGE_SIZE), 1)
    return render_template("queries/queries.html", found=found, show=show, page=page, last=last)


@staff_page(pages, FORM_URL, endpoint="form", right="see_answers", section="queries")
def show_queries_of_form(staff: SignedInStaff, assessment_id: int) -> ResponseReturnValue:
    """Show the queries of a submitted form, and the form to ask one. ``item`` in the address selects an answer."""
    form = NewQueryForm(formdata=None)
    form.item.data = request.args.get("item", "")
    return _form_page(assessment_id, form)


@pages.post(FORM_URL, endpoint="ask")
@needs("ask_query")
def ask_query(staff: SignedInStaff, assessment_id: int) -> ResponseReturnValue:
    """Store a query about one answer or the whole form."""
    form = NewQueryForm(request.form)
    work = request_context.work()
    assessment, _sheet = data_corrections.submitted_form(work, assessment_id, request_context.language())
    try:
        row = query_service.ask_query(work, assessment, form.item.data or "", form.text.data or "")
    except BadData as bad:
        form.refuse(cast(Mapping[str, str], bad.details["fields"]))
        return _form_page(assessment_id, form, 400)
    notify("query_asked")
    return redirect(url_for("staff.queries.one", query_id=row.id), code=303)


@staff_page(pages, QUERY_URL, endpoint="one", right="see_answers")
def show_query(staff: SignedInStaff, query_id: int) -> ResponseReturnValue:
    """Show one query with its steps."""
    row = query_service.read_query(request_context.work(), query_id, request_context.language())
    return _query_page(row, QueryForm(formdata=None))


@pages.post(QUERY_URL, endpoint="act")
@needs("see_answers")
def act_on_query(staff: SignedInStaff, query_id: int) -> ResponseReturnValue:
    """Answer, ask again or close a query. Status 409: a colleague was first."""
    work, language = request_context.work(), request_context.language()
    wish = request.form.get("do", "")
    if wish not in STEPS:
        raise BadData("unknown_act")
    kind, right, notice = STEPS[wish]
    page_guard.require_right(staff, right)
    form = QueryForm(request.form)
    seen = read_id(request.form.get("seen", "")) or 0
    try:
        query_service.take_step(work, query_id, kind, form.text.data or "", seen)
    except BadData as bad:
        form.refuse(cast(Mapping[str, str], bad.details["fields"]))
        return _query_page(query_service.read_query(work, query_id, language), form, 400)
    except NotAllowed as refusal:
        return _query_page(query_service.read_query(work, query_id, language), form, 409, refusal.why)
    notify(notice)
    return redirect(url_for("staff.queries.one", query_id=query_id), code=303)


def _form_page(assessment_id: int, form: NewQueryForm, status: int = 200) -> ResponseReturnValue:
    work, language = request_context.work(), request_context.language()
    assessment, sheet = data_corrections.submitted_form(work, assessment_id, language)
    say = request_context.translator().gettext
    asked = [(one.id, f"{one.heading}{say(': ')}{_option_answer(one.kind, one.said)}") for one in sheet.questions]
    form.item.choices = choices([("", say(N_("The whole form"))), *asked])
    page = render_template(
        "queries/form_queries.html",
        assessment=assessment,
        sheet=sheet,
        form=form,
        rows=query_service.queries_of_form(work, assessment_id, language),
    )
    return page, status


def _option_answer(kind: str, said: str) -> str:
    """Return an answer as an option of the selection shows it; free text is not repeated there."""
    say = request_context.translator().gettext
    if not said:
        return say(N_("not answered"))
    return say(N_("a text, not shown here")) if kind == "text" else said


def _query_page(row: QueryRow, form: QueryForm, status: int = 200, why: str = "") -> ResponseReturnValue:
    return render_template("queries/query.html", row=row, form=form, why=REFUSALS.get(why, why)), status
