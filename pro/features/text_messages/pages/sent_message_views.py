"""Staff page with the log of sent messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.features.accounts.pages.page_guard import SignedInStaff, staff_page
from pro.features.text_messages import sent_messages
from pro.features.text_messages.sent_messages import CHANNELS, DAYS, KINDS, SHOWN, LogFilter
from pro.web import labels as web_labels
from pro.web import request_context
from pro.web.refusals import N_, NP_

pages = Blueprint("sent", __name__, url_prefix="/messages")

# Names of the address that keep the filter.
FILTER_NAMES = ("show", "kind", "by", "find", "days")
LISTS: Mapping[str, str] = {
    "": N_("All"),
    "failed": NP_("message", "Failed"),
    "unconfirmed": N_("Not confirmed"),
    "waiting": N_("Queued"),
}
KIND_WORDS: Mapping[str, str] = {
    "forms": N_("Form messages and reminders"),
    "alerts": N_("Alerts"),
    "test_alerts": N_("Test alerts"),
    "other": N_("Other messages"),
}
BY: Mapping[str, str] = {"sms": N_("Text message"), "email": N_("Email")}
web_labels.add_tables({"message_list": LISTS, "message_group": KIND_WORDS, "sent_by": BY})


@staff_page(
    pages,
    "",
    endpoint="show",
    right="see_inbox",
    title=N_("Sent messages"),
    menu=65,
    way_back=N_("the sent messages"),
)
def show_sent_messages(staff: SignedInStaff) -> ResponseReturnValue:
    """Show which template went to whom, and what became of it. The address holds the filter (``FILTER_NAMES``)."""
    chosen = _chosen_filter()
    log = sent_messages.read_log(request_context.work(), chosen, request_context.language())

    def link(**changed: Any) -> str:
        kept: dict[str, Any] = {name: request.args.get(name) or None for name in FILTER_NAMES}
        return url_for("staff.sent.show", **(kept | changed))

    return render_template(
        "text_messages/sent_messages.html", log=log, link=link, lists=SHOWN, kinds=KINDS, channels=CHANNELS, spans=DAYS
    )


def _chosen_filter() -> LogFilter:
    """Return the filter of the address; unknown values are as if left out."""
    given, days, page = request.args, request.args.get("days", ""), request.args.get("page", "")
    return LogFilter(
        shown=given["show"] if given.get("show") in SHOWN else "",
        kind=given["kind"] if given.get("kind") in KINDS else "",
        by=given["by"] if given.get("by") in CHANNELS else "",
        find=given.get("find", "")[:64],
        days=next((span for span in DAYS if str(span) == days), DAYS[0]),
        page=int(page) if page.isascii() and page.isdigit() and len(page) < 10 else 1,
    )
