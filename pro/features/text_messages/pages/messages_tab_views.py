"""The tab Messages of a participant: texts both ways, calls, what the system sent."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from pro.features.accounts.pages import page_guard
from pro.features.accounts.pages.page_guard import SignedInStaff, has_right, staff_page
from pro.features.participants.pages import participant_page, participant_tabs
from pro.features.schedule import call_tasks
from pro.features.text_messages import conversations
from pro.features.text_messages.conversations import ConversationEntry, ReceivedEntry
from pro.features.text_messages.pages.forms import FixedTextForm, FreeTextForm, RefusableForm
from pro.web import forms as web_forms
from pro.web import request_context
from pro.web.forms import choices
from pro.web.page_registry import PAGES

pages = Blueprint("messages", __name__, url_prefix="/participants/<int(max=2147483647):participant_id>/messages")
# Entries of the conversation that are shown open; the older ones are folded.
OPEN_MESSAGES = 8


@staff_page(pages, "", endpoint="show", right="see_participants", section="participants")
def show_messages(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Show the texts, the calls and the sent messages of one participant."""
    return messages_page(participant_id)


def messages_page(participant_id: int, form: RefusableForm | None = None, status: int = 200) -> ResponseReturnValue:
    """Render the tab Messages: texts both ways, calls, and what the system sent.

    ``form``: a reply with what was typed and its errors. ``show=everything`` in the address shows all texts.
    """
    page_guard.show_as_page(PAGES["staff.messages.show"])
    work, language = request_context.work(), request_context.language()
    person = participant_tabs.open_participant(participant_id)
    page = None
    if has_right("see_inbox"):
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
        calls=call_tasks.list_calls(work, participant_id) if has_right("see_board") else [],
        call_task=participant_page.open_call_task(work, person, language) if has_right("see_board") else None,
        sent=participant_page.message_rows(work, person, language),
    )
    return text, status


def _foldable(entries: Sequence[ConversationEntry]) -> Sequence[ConversationEntry]:
    """Return the oldest entries, which the page folds; none from the first unread text on."""
    unread = (number for number, entry in enumerate(entries) if isinstance(entry, ReceivedEntry) and entry.text.unread)
    return entries[: min(next(unread, len(entries)), max(0, len(entries) - OPEN_MESSAGES))]
