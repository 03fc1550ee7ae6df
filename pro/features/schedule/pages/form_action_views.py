"""Staff page for several forms at once: send open ones, record why others were missed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.core.study_plan import StudyPlan
from pro.errors import BadData
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.schedule import form_actions
from pro.features.schedule.form_actions import MISSED, OPEN, ActionOutcome
from pro.features.schedule.pages.forms import SeveralReasonsForm
from pro.web import labels as web_labels
from pro.web import request_context
from pro.web.forms import posted_row_number
from pro.web.labels import MISSING_REASONS
from pro.web.notices import notify
from pro.web.refusals import N_, REFUSALS

pages = Blueprint("form_actions", __name__, url_prefix="/visits/forms")

# Why nothing was done with one of several forms, in a list where nothing can be shown "here".
OUTCOMES: Mapping[str, str] = {
    "form_received": N_("Received in the meantime. Nothing more to do."),
    "form_closed": N_("The visit window is closed, so the form cannot be filled in any more."),
    "withdrawn": N_("This participant has left the study. No message can be sent."),
    "death_reported": N_("A text message reports a death. Call the family; no message is sent until then."),
    "no_phone": N_("No phone number is recorded. Use the card and its code."),
    "opted_out": N_("Opted out of messages. Please phone."),
    "no_sms": N_("This system sends no text messages. Use the card and its code."),
    "not_taken": N_("The SMS provider has not approved such a text. Please phone."),
    "over_budget": N_("The daily message limit for this number has been reached. Please phone."),
    "identical": N_("This number received the same text too often in one day. Please phone."),
    "wording_not_licensed": N_("The licensed wording of this questionnaire is not loaded. Tell the administrator."),
    "plan_gone": REFUSALS["plan_gone"],
    "not_in_plan": N_("The study plan no longer contains this questionnaire. It cannot be sent any more."),
    "closes_in_quiet_hours": N_(
        "The visit window closes before the quiet hours end. If it must be sent now, send it from the "
        "participant’s page."
    ),
    "reason_before": N_("A reason is recorded already. It was not changed."),
    "record_frozen": N_("The record is frozen. Nothing can be changed until the freeze is lifted."),
    "not_missing": N_("This form is not missing any more."),
}
web_labels.add_tables({"form_outcome": OUTCOMES})
NONE_CHOSEN = N_("Choose at least one form.")


@staff_page(pages, "", endpoint="show", right="see_dates", section="visits", title=N_("Several forms at once"))
def show_forms(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the missed forms without a reason, or the open forms (``show=open``). ``page``: number of the page."""
    return _page(SeveralReasonsForm(formdata=None), which=OPEN if request.args.get("show") == OPEN else MISSED)


@pages.post("", endpoint="explain")
@needs("set_reason")
def give_reasons(staff: SignedInStaff) -> ResponseReturnValue:
    """Record one reason for all chosen forms. A form that was refused is named, the others are recorded."""
    form = SeveralReasonsForm()
    chosen = _chosen_forms()
    is_valid = form.validate_on_submit()
    if form.reason.data and form.reason.data not in MISSING_REASONS:
        form.reason.errors, is_valid = [REFUSALS["unknown"]], False
    if not is_valid or not chosen:
        return _page(form, which=MISSED, chosen=chosen, status=400)
    outcomes = form_actions.give_reasons(request_context.work(), chosen, form.reason.data, form.note.data or "")
    return _answer(outcomes, MISSED, "reasons_set")


@pages.post("/send", endpoint="send")
@needs("send_form")
def send_forms(staff: SignedInStaff) -> ResponseReturnValue:
    """Queue a text message for each chosen form. A form that was refused is named, the others are sent."""
    chosen = _chosen_forms()
    if not chosen:
        return _page(SeveralReasonsForm(formdata=None), which=OPEN, chosen=chosen, status=400)
    return _answer(form_actions.send_forms(request_context.work(), chosen), OPEN, "forms_queued")


def _chosen_forms() -> list[int]:
    """Return the ticked forms. Raise BadData for something that is no number of a form, or more than a page shows."""
    numbers = [posted_row_number(text) for text in request.form.getlist("expected")]
    chosen = sorted({number for number in numbers if number is not None})
    if None in numbers or len(chosen) > form_actions.PAGE_SIZE:
        raise BadData("unknown_line")
    return chosen


def _answer(outcomes: Sequence[ActionOutcome], which: str, notice: str) -> ResponseReturnValue:
    """Redirect if everything was done; else show the list with every form that was refused, and why."""
    done = [one for one in outcomes if not one.why]
    if len(done) == len(outcomes):
        later = [one.goes_at for one in done if one.goes_at is not None and not one.same]
        at_once = sum(not one.same for one in done) - len(later)
        if at_once:
            notify(notice, count=at_once)
        if later:
            notify("forms_queued_later", count=len(later), at=min(later).isoformat())
        return redirect(url_for("staff.form_actions.show", plan=_study_in_address(), show=which), code=303)
    refused = [one for one in outcomes if one.why]
    form = SeveralReasonsForm(formdata=None)
    return _page(form, which=which, refused=refused, done=done, status=409)


def _study_in_address() -> str | None:
    return request.args.get("plan") or None


def _study() -> StudyPlan:
    plans = request_context.app_context().catalogue.plans
    return plans.get(request.args.get("plan", ""), next(iter(plans.values())))


def _page(
    form: SeveralReasonsForm,
    *,
    which: str,
    chosen: Collection[int] | None = None,
    refused: Sequence[ActionOutcome] = (),
    done: Sequence[ActionOutcome] = (),
    status: int = 200,
) -> ResponseReturnValue:
    """Render the list ``which``. ``chosen``: forms ticked before, None before anything was posted."""
    work, language, plan = request_context.work(), request_context.language(), _study()
    number = request.args.get("page", "")
    page = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 1
    words = work.catalogue.plan_words[plan.id, language]
    text = render_template(
        "schedule/form_actions.html",
        study=plan,
        plans=work.catalogue.plans,
        which=which,
        listing=form_actions.read_action_list(work, plan.id, which, page),
        form=form,
        chosen=chosen or (),
        none_chosen=NONE_CHOSEN if chosen is not None and not chosen else "",
        refused=refused,
        done=done,
        visit_name=lambda one: words.visit(one.kind, one.number),
        form_title=lambda name: work.catalogue.staff_title(name, language),
    )
    return text, status
