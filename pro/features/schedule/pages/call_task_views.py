"""Views of phone calls: a call task, and calls to a participant without a task."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from pro.errors import BadData
from pro.features.accounts.pages import page_guard
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.participants.pages import participant_page
from pro.features.participants.pages.participant_page import CallPage
from pro.features.schedule import missed_forms
from pro.features.text_messages import failed_messages
from pro.web import request_context
from pro.web.forms import CallForm, blank_call_form
from pro.web.notices import notify
from pro.web.page_registry import PAGES, UnsavedTextRule
from pro.web.refusals import N_
from pro.web.typed_moments import moment_typed

pages = Blueprint("tasks", __name__)

# Filters of the to-do list, kept in the link back to it.
FILTER_PARAMETERS = ("show", "study", "level", "owner", "mine")


def restore_task_page(typed: MultiDict[str, str], call_task_id: int) -> ResponseReturnValue:
    """Render the page of a call task with the unsaved text ``typed`` in its field."""
    page = participant_page.read_call_task_page(request_context.work(), call_task_id, request_context.language())
    return _page(page, blank_call_form(typed["text"]), call_task_id=call_task_id)


def restore_calls_page(typed: MultiDict[str, str], participant_id: int) -> ResponseReturnValue:
    """Render the calls to a participant with the unsaved text ``typed`` in its field."""
    page = participant_page.read_call_page(request_context.work(), participant_id, request_context.language())
    return _page(page, blank_call_form(typed["text"]))


@staff_page(
    pages,
    "/tasks/<int(max=2147483647):call_task_id>",
    endpoint="one",
    right="see_to_do_list",
    section="to_do_list",
    way_back=N_("the call task you opened"),
    kept=UnsavedTextRule(restore_task_page, "log_call", field="text"),
)
def show_phone_task(staff: SignedInStaff, call_task_id: int) -> ResponseReturnValue:
    """Show a call task: reason, last answers, phone number, call log and form for a call."""
    return _page(
        participant_page.read_call_task_page(request_context.work(), call_task_id, request_context.language()),
        blank_call_form(),
        call_task_id=call_task_id,
    )


@pages.post("/tasks/<int(max=2147483647):call_task_id>", endpoint="log")
@needs("log_call")
def log_task_call(staff: SignedInStaff, call_task_id: int) -> ResponseReturnValue:
    """Log a call for a call task."""
    page = participant_page.read_call_task_page(request_context.work(), call_task_id, request_context.language())
    return _log_call(page, url_for("staff.tasks.one", call_task_id=call_task_id), call_task_id=call_task_id)


@staff_page(
    pages,
    "/participants/<int(max=2147483647):participant_id>/calls",
    endpoint="calls",
    right="see_to_do_list",
    section="participants",
    kept=UnsavedTextRule(restore_calls_page, "log_call", field="text"),
)
def show_calls(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Show the calls to a participant, and a form to log a call without a task."""
    return _page(
        participant_page.read_call_page(request_context.work(), participant_id, request_context.language()),
        blank_call_form(),
    )


@pages.post("/participants/<int(max=2147483647):participant_id>/calls", endpoint="log_without_task")
@needs("log_call")
def log_participant_call(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Log a call to a participant; an open call task gets the call."""
    page = participant_page.read_call_page(request_context.work(), participant_id, request_context.language())
    return _log_call(page, url_for("staff.messages.show", participant_id=participant_id, _anchor="calls"))


@pages.post("/messages/<int(max=2147483647):message_id>", endpoint="settle")
@needs("log_call")
def settle_failed_message(staff: SignedInStaff, message_id: int) -> ResponseReturnValue:
    """Remove a failed message from the to-do list, after a call or if none is needed."""
    from_log = request.args.get("back") == "log"
    found = failed_messages.settle_message(request_context.work(), message_id)
    if found.why == "arrived":
        notify("message_arrived")
    elif found.at is not None:
        notify("message_settled_before", name=found.name, at=found.at.isoformat())
    else:
        notify("message_resolved" if from_log else "message_settled")
    if from_log:
        return redirect(url_for("staff.sent.show", show="failed"), code=303)
    chosen = urlencode({name: request.args[name] for name in FILTER_PARAMETERS if name in request.args})
    return redirect(f"{url_for('staff.to_do_list')}{'?' if chosen else ''}{chosen}", code=303)


def _log_call(page: CallPage, back: str, call_task_id: int | None = None) -> ResponseReturnValue:
    form = CallForm(request.form)
    if not form.validate_on_submit():
        return _page(page, form, call_task_id=call_task_id, status=400)
    try:
        missed_forms.log_call(
            request_context.work(),
            at=moment_typed(form.at.data),
            outcome=form.outcome.data,
            text=form.text.data or "",
            call_task_id=call_task_id,
            participant_id=page.row.id,
        )
    except BadData as refusal:
        fields = refusal.details.get("fields")
        form.refuse(fields if isinstance(fields, dict) else {})
        return _page(page, form, call_task_id=call_task_id, status=400)
    if form.outcome.data == "died":
        notify("call_died", participant_id=page.row.id)
    elif form.outcome.data == "wrong_number":
        notify("call_wrong_number", participant_id=page.row.id)
    else:
        notify("call_again" if form.outcome.data == "no_answer" and page.task else "call_logged")
    return redirect(back, code=303)


def _page(page: CallPage, form: CallForm, *, call_task_id: int | None = None, status: int = 200) -> ResponseReturnValue:
    """Render a call page; ``call_task_id``: the call task in the address, None without one."""
    action = (
        url_for("staff.tasks.log", call_task_id=call_task_id)
        if call_task_id is not None
        else url_for("staff.tasks.log_without_task", participant_id=page.row.id)
    )
    if page.task:
        # With an open call task, use the title and menu entry of its page, whatever the address is.
        page_guard.show_as_page(PAGES["staff.tasks.one"])
    text = render_template("schedule/task.html", page=page, task=page.task, row=page.row, form=form, action=action)
    return text, status
