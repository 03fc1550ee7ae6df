"""The tab Messages of a participant: texts both ways, calls, what the system sent."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from pro.errors import BadData, NotAllowed
from pro.features.accounts.pages import page_guard
from pro.features.accounts.pages.page_guard import SignedInStaff, has_right, needs, staff_page
from pro.features.participants.pages import participant_page, participant_tabs
from pro.features.schedule import call_tasks
from pro.features.text_messages import conversations, staff_replies
from pro.features.text_messages.conversations import ConversationEntry, ReceivedEntry
from pro.features.text_messages.pages.forms import FixedTextForm, FreeTextForm, RefusableForm
from pro.web import forms as web_forms
from pro.web import request_context
from pro.web.forms import choices
from pro.web.notices import notify
from pro.web.page_registry import PAGES, UnsavedTextRule

pages = Blueprint("messages", __name__, url_prefix="/participants/<int(max=2147483647):participant_id>/messages")
# Entries of the conversation that are shown open; the older ones are folded.
OPEN_MESSAGES = 8


def restore_conversation(typed: MultiDict[str, str], participant_id: int) -> ResponseReturnValue:
    """Show the conversation with the reply that was ``typed`` before a sign-in."""
    return messages_page(participant_id, FreeTextForm(formdata=None, text=typed["text"]))


@staff_page(
    pages,
    "",
    endpoint="show",
    right="see_participants",
    section="participants",
    kept=UnsavedTextRule(restore_conversation, "reply_text", field="text", notice="not_sent_yet"),
)
def show_messages(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Show the texts, the calls and the sent messages of one participant."""
    return messages_page(participant_id)


@pages.post("", endpoint="act")
@needs("reply_text")
def act_on_conversation(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Mark the texts on the page as read, or send a reply, which marks them as read too."""
    doing = request.form.get("do", "")
    if doing == "read":
        # Raises NotFound for an address with an unknown participant.
        participant_page.read_participant(request_context.work(), participant_id)
        done = conversations.mark_read(request_context.work(), participant_id, _shown_text_ids())
        notify("texts_read", count=done) if done else notify("texts_read_before")
        return redirect(url_for("staff.messages.show", participant_id=participant_id), code=303)
    if doing == "fixed":
        return _send_reply(participant_id, FixedTextForm(request.form))
    if doing == "free":
        return _send_reply(participant_id, FreeTextForm(request.form))
    raise BadData("unknown_act")


def messages_page(participant_id: int, form: RefusableForm | None = None, status: int = 200) -> ResponseReturnValue:
    """Render the tab Messages: texts both ways, calls, and what the system sent.

    ``form``: a reply with what was typed and its errors. ``show=everything`` in the address shows all texts.
    """
    page_guard.show_as_page(PAGES["staff.messages.show"])
    work, language = request_context.work(), request_context.language()
    person = participant_page.read_participant(work, participant_id)
    page = None
    if not has_right("see_inbox"):
        participant_tabs.open_participant(participant_id)
    else:
        # This records that the record was seen.
        everything = request.args.get("show") == "everything"
        page = conversations.read_conversation(work, participant_id, language, everything=everything)
    fixed = form if isinstance(form, FixedTextForm) else FixedTextForm(formdata=None)
    fixed.kind.choices = choices(page.fixed.items()) if page else []
    text = render_template(
        "participants/messages.html",
        person=person,
        page=page,
        foldable=_foldable(page.entries) if page else [],
        fixed=fixed,
        free=form if isinstance(form, FreeTextForm) else FreeTextForm(formdata=None),
        form=form or [],
        call_form=web_forms.blank_call_form(),
        calls=call_tasks.list_calls(work, participant_id) if has_right("see_to_do_list") else [],
        call_task=participant_page.open_call_task(work, person, language) if has_right("see_to_do_list") else None,
        sent=participant_page.message_rows(work, person, language),
    )
    return text, status


def _foldable(entries: Sequence[ConversationEntry]) -> Sequence[ConversationEntry]:
    """Return the oldest entries, which the page folds; none from the first unread text on."""
    unread = (number for number, entry in enumerate(entries) if isinstance(entry, ReceivedEntry) and entry.text.unread)
    return entries[: min(next(unread, len(entries)), max(0, len(entries) - OPEN_MESSAGES))]


def _shown_text_ids() -> list[int]:
    """Return the ids of the texts that the page showed."""
    return [int(text) for text in request.form.getlist("shown") if text.isascii() and text.isdigit() and len(text) < 10]


def _send_reply(participant_id: int, form: FixedTextForm | FreeTextForm) -> ResponseReturnValue:
    person = participant_page.read_participant(request_context.work(), participant_id)
    if isinstance(form, FixedTextForm):
        form.kind.choices = choices(staff_replies.fixed_texts(request_context.work(), person).items())
    if not form.validate_on_submit():
        return messages_page(participant_id, form, status=400)
    try:
        if isinstance(form, FixedTextForm):
            staff_replies.send_reply(request_context.work(), person, form.kind.data)
        else:
            staff_replies.send_reply(request_context.work(), person, staff_replies.FREE, form.text.data or "")
    except BadData as refusal:
        place_refusal(form, refusal)
        return messages_page(participant_id, form, status=400)
    except NotAllowed as refusal:
        form.refuse({"kind" if isinstance(form, FixedTextForm) else "text": refusal.why})
        return messages_page(participant_id, form, status=400)
    conversations.mark_read(request_context.work(), participant_id, _shown_text_ids())
    notify("text_queued")
    return redirect(url_for("staff.messages.show", participant_id=participant_id, _anchor="now"), code=303)


def place_refusal(form: RefusableForm, refusal: BadData) -> None:
    """Show the refusals of a service beside the fields of ``form``."""
    fields = refusal.details.get("fields")
    values = {"segments": refusal.details["segments"]} if "segments" in refusal.details else {}
    form.refuse(fields if isinstance(fields, dict) else {}, **values)
