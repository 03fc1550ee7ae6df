"""Staff pages of texts: inbox, conversation with a participant, text of an unknown number."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from pro.errors import BadData, NotAllowed
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.participants.pages import participant_page
from pro.features.text_messages import conversations, staff_replies, unknown_senders
from pro.features.text_messages.pages.forms import AssignForm, DismissForm, FixedTextForm, FreeTextForm, RefusableForm
from pro.web import request_context
from pro.web.forms import choices
from pro.web.notices import notify
from pro.web.page_registry import UnsavedTextRule
from pro.web.refusals import N_

pages = Blueprint("inbox", __name__, url_prefix="/inbox")

FILTERS = ("unread", "unknown")


def restore_conversation(typed: MultiDict[str, str], participant_id: int) -> ResponseReturnValue:
    """Show the conversation with the reply that was ``typed`` before a sign-in."""
    return _render_conversation(participant_id, FreeTextForm(formdata=None, text=typed["text"]))


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


@staff_page(
    pages,
    "/<int(max=2147483647):participant_id>",
    endpoint="one",
    right="see_inbox",
    kept=UnsavedTextRule(restore_conversation, "reply_text", field="text", notice="not_sent_yet"),
)
def show_conversation(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Show the conversation with one participant."""
    return _render_conversation(participant_id)


@pages.post("/<int(max=2147483647):participant_id>", endpoint="act")
@needs("reply_text")
def act_on_conversation(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Mark the texts on the page as read, or send a reply, which marks them as read too."""
    doing = request.form.get("do", "")
    if doing == "read":
        # Raises NotFound for an address with an unknown participant.
        participant_page.read_participant(request_context.work(), participant_id)
        done = conversations.mark_read(request_context.work(), participant_id, _shown_text_ids())
        notify("texts_read", count=done) if done else notify("texts_read_before")
        return redirect(url_for("staff.inbox.one", participant_id=participant_id), code=303)
    if doing == "fixed":
        return _send_reply(participant_id, FixedTextForm(request.form))
    if doing == "free":
        return _send_reply(participant_id, FreeTextForm(request.form))
    raise BadData("unknown_act")


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
            return redirect(url_for("staff.inbox.one", participant_id=row.participant_id), code=303)
        unknown_senders.dismiss_text(request_context.work(), incoming_message_id, form.reason.data or "")
    except BadData as refusal:
        _place_refusal(form, refusal)
        return _render_unknown_text(incoming_message_id, form, status=400)
    except NotAllowed:
        notify("text_assigned_before")
        return redirect(url_for("staff.inbox.unmatched", incoming_message_id=incoming_message_id), code=303)
    notify("text_set_aside")
    return redirect(url_for("staff.inbox.everything"), code=303)


def _shown_text_ids() -> list[int]:
    """Return the ids of the texts that the page showed."""
    return [int(text) for text in request.form.getlist("shown") if text.isascii() and text.isdigit() and len(text) < 10]


def _send_reply(participant_id: int, form: FixedTextForm | FreeTextForm) -> ResponseReturnValue:
    person = participant_page.read_participant(request_context.work(), participant_id)
    if isinstance(form, FixedTextForm):
        form.kind.choices = choices(staff_replies.fixed_texts(request_context.work(), person).items())
    if not form.validate_on_submit():
        return _render_conversation(participant_id, form, status=400)
    try:
        if isinstance(form, FixedTextForm):
            staff_replies.send_reply(request_context.work(), person, form.kind.data)
        else:
            staff_replies.send_reply(request_context.work(), person, staff_replies.FREE, form.text.data or "")
    except BadData as refusal:
        _place_refusal(form, refusal)
        return _render_conversation(participant_id, form, status=400)
    except NotAllowed as refusal:
        form.refuse({"kind" if isinstance(form, FixedTextForm) else "text": refusal.why})
        return _render_conversation(participant_id, form, status=400)
    conversations.mark_read(request_context.work(), participant_id, _shown_text_ids())
    notify("text_queued")
    return redirect(url_for("staff.inbox.one", participant_id=participant_id, _anchor="now"), code=303)


def _place_refusal(form: RefusableForm, refusal: BadData) -> None:
    fields = refusal.details.get("fields")
    values = {"segments": refusal.details["segments"]} if "segments" in refusal.details else {}
    form.refuse(fields if isinstance(fields, dict) else {}, **values)


def _render_conversation(
    participant_id: int, form: RefusableForm | None = None, status: int = 200
) -> ResponseReturnValue:
    everything = request.args.get("show") == "everything"
    page = conversations.read_conversation(
        request_context.work(), participant_id, request_context.language(), everything=everything
    )
    fixed = form if isinstance(form, FixedTextForm) else FixedTextForm(formdata=None)
    fixed.kind.choices = choices(page.fixed.items())
    free = form if isinstance(form, FreeTextForm) else FreeTextForm(formdata=None)
    text = render_template("text_messages/conversation.html", page=page, fixed=fixed, free=free, form=form or [])
    return text, status


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
