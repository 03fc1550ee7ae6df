"""Staff pages of texts: inbox, conversation with a participant, text of an unknown number."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.errors import BadData, NotAllowed
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.participants.pages import participant_page
from pro.features.text_messages import conversations, unknown_senders
from pro.features.text_messages.pages import messages_tab_views
from pro.features.text_messages.pages.forms import AssignForm, DismissForm, RefusableForm
from pro.web import request_context
from pro.web.forms import choices
from pro.web.notices import notify
from pro.web.refusals import N_

pages = Blueprint("inbox", __name__, url_prefix="/inbox")

FILTERS = ("unread", "unknown")


@staff_page(
    pages,
    "",
    endpoint="everything",
    right="see_inbox",
    title=N_("Text messages"),
    menu=20,
    way_back=N_("the text messages you opened"),
)
def show_inbox(staff: SignedInStaff) -> ResponseReturnValue:
    """Show texts of unknown numbers first, then all conversations, unread ones first."""
    show = request.args.get("show", "")
    inbox = conversations.read_inbox(request_context.work())
    return render_template("text_messages/inbox.html", inbox=inbox, show=show if show in FILTERS else "")


@pages.get("/<int(max=2147483647):participant_id>", endpoint="one")
@needs("see_inbox")
def show_conversation(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Lead to the conversation with one participant, which is a tab of the participant."""
    participant_page.read_participant(request_context.work(), participant_id)
    show = request.args.get("show") or None
    return redirect(url_for("staff.messages.show", participant_id=participant_id, show=show), code=303)


@staff_page(
    pages,
    "/unmatched/<int(max=2147483647):incoming_message_id>",
    endpoint="unmatched",
    right="see_inbox",
    title=N_("Unknown number"),
)
def show_unknown_text(staff: SignedInStaff, incoming_message_id: int) -> ResponseReturnValue:
    """Show one text of an unknown number."""
    return _render_unknown_text(incoming_message_id)


@pages.post("/unmatched/<int(max=2147483647):incoming_message_id>", endpoint="settle")
@needs("assign_text")
def settle_unknown_text(staff: SignedInStaff, incoming_message_id: int) -> ResponseReturnValue:
    """Assign a text to a participant, or dismiss it; both need a reason."""
    doing = request.form.get("do", "")
    if doing not in ("assign", "set_aside"):
        raise BadData("unknown_act")
    form: AssignForm | DismissForm = AssignForm(request.form) if doing == "assign" else DismissForm(request.form)
    fine = form.validate_on_submit()
    try:
        if isinstance(form, AssignForm):
            chosen = form.participant.data or ""
            row = unknown_senders.assign_text(
                request_context.work(),
                incoming_message_id,
                int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) < 10 else None,
                (form.reason.data or "") if fine or not form.reason.errors else "",
            )
            notify("text_assigned")
            return redirect(url_for("staff.messages.show", participant_id=row.participant_id), code=303)
        unknown_senders.dismiss_text(request_context.work(), incoming_message_id, form.reason.data or "")
    except BadData as refusal:
        messages_tab_views.place_refusal(form, refusal)
        return _render_unknown_text(incoming_message_id, form, status=400)
    except NotAllowed:
        notify("text_assigned_before")
        return redirect(url_for("staff.inbox.unmatched", incoming_message_id=incoming_message_id), code=303)
    notify("text_set_aside")
    return redirect(url_for("staff.inbox.everything"), code=303)


def _render_unknown_text(
    incoming_message_id: int, form: RefusableForm | None = None, status: int = 200
) -> ResponseReturnValue:
    page = unknown_senders.unknown_text_page(request_context.work(), incoming_message_id)
    filing = form if isinstance(form, AssignForm) else AssignForm(formdata=None)
    pairs = [
        ("", request_context.translator().gettext("Please choose")),
        *((str(key), number) for key, number in page.people),
    ]
    filing.participant.choices = choices(pairs)
    aside = form if isinstance(form, DismissForm) else DismissForm(formdata=None)
    text = render_template("text_messages/unknown_sender.html", page=page, filing=filing, aside=aside, form=form or [])
    return text, status
