"""Layout context of staff pages: signed-in staff member, menu, study, language switch."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from flask import Flask, g, request, url_for
from flask.blueprints import BlueprintSetupState

from pro.features.accounts import privacy, staff_accounts
from pro.features.accounts.pages import page_guard, unsaved_text
from pro.features.alerts import message_reading
from pro.features.participants import record_freezes
from pro.features.participants.pages import participant_header, participant_page
from pro.features.participants.pages.participant_header import ParticipantHeader
from pro.pages import menu
from pro.web import labels as web_labels
from pro.web import notices, request_context


def install(state: BlueprintSetupState) -> None:
    """Register labels, notices and filters for the templates of staff pages."""
    app = cast(Flask, state.app)
    web_labels.install(app)
    notices.install(app)
    app.jinja_env.filters.update(private=private_text, typed=reason_text)


def private_text(text: str) -> str:
    """Return text of or about a participant as the signed-in staff member may see it."""
    return privacy.visible_text(request_context.work(), text, request_context.language())


def reason_text(text: str) -> str:
    """Return a reason typed by staff as the signed-in staff member may see it."""
    return privacy.visible_reason(request_context.work(), text)


def layout_context() -> dict[str, Any]:
    """Return the template values for the layout of every staff page."""
    plan = next(iter(request_context.app_context().catalogue.plans.values()))
    return {
        "page_shown": page_guard.shown_page(),
        "me": g.get("staff"),
        "may": page_guard.has_right,
        "menu": menu.build_menu(page_guard.has_right),
        "now": request_context.work().now,
        "plan": plan,
        "plan_words": request_context.app_context().catalogue.plan_words[plan.id, request_context.language()],
        "switch": _other_language_url(),
        "base_url": request_context.app_context().config.base_url,
        "carried": unsaved_text.hidden_fields,
        "step": page_guard.current_step(),
        "idle_ends": _idle_ends(),
        # Functions: only pages that show these values query the database.
        "freeze_of": lambda participant_id: record_freezes.current_freeze(request_context.work(), participant_id),
        "answered_while_frozen": lambda participant_id: record_freezes.forms_answered_while_frozen(
            request_context.work(), participant_id
        ),
        "header_of": _participant_header,
        "shown_plan": request_context.app_context().catalogue.shown_plan,
        "texts_to_read": lambda: message_reading.unread_count(request_context.work()),
        "words_missing": _missing_words(),
    }


def error_layout_context() -> dict[str, Any]:
    """Return the template values for the layout of an error page.

    They do not use the database, because the database may be the cause of the failure.
    """
    plan = next(iter(request_context.app_context().catalogue.plans.values()))
    actor = request_context.state().actor
    me = actor if actor.kind == "staff" and not page_guard.current_step() else None
    to_do_list = url_for("staff.to_do_list")
    return {
        "me": me,
        "may": page_guard.has_right,
        "menu": menu.build_menu(lambda right: me is not None and staff_accounts.has_right(me.role, right)),
        "section": "",
        "now": request_context.app_context().clock(),
        "plan_words": request_context.app_context().catalogue.plan_words[plan.id, request_context.language()],
        "switch": request_context.switch_url() if request.method == "GET" else "",
        "home": page_guard.landing_page(me.role, to_do_list) if me else to_do_list,
        "texts_to_read": lambda: 0,
    }


def _participant_header(participant_id: int) -> ParticipantHeader:
    """Return the header of a participant, read once a page."""
    known: dict[int, ParticipantHeader] = g.setdefault("participant_headers", {})
    if participant_id not in known:
        work = request_context.work()
        person = participant_page.read_participant(work, participant_id)
        known[participant_id] = participant_header.read_header(work, person, request_context.language())
    return known[participant_id]


def _missing_words() -> list[str]:
    """Return the titles of plans, instruments and terms that have no words in the page's language."""
    catalogue, language = request_context.app_context().catalogue, request_context.language()
    gaps = [gap for gap in catalogue.gaps if gap.language == language]
    titles = {
        "plan": lambda name: catalogue.plan_words[name, language].title,
        "instrument": lambda name: catalogue.staff_title(name, language),
        "terms": lambda _name: "CTCAE",
    }
    return [titles[gap.part](gap.name) for gap in gaps if gap.part in titles]


def _idle_ends() -> int:
    """Return the seconds until this idle session ends; 0 if no sign-in is complete."""
    if "entry" not in g or page_guard.current_step():
        return 0
    work = request_context.work()
    return max(
        1, int((staff_accounts.session_ends_at(work, page_guard.current_login().session) - work.now).total_seconds())
    )


def _other_language_url() -> str:
    """Return the address of this page in the other language, with its filters.

    A page that answers a post has no address; the nearest page with one is used.
    """
    names = (
        "next",
        "why",
        "show",
        "mode",
        "kind",
        "number",
        "participant",
        "form",
        "who",
        "since",
        "until",
        "before",
        "item",
        "study",
        "level",
        "owner",
        "mine",
        "on",
        "plan",
        "find",
        "page",
        "part",
        "phase",
        "state",
        "order",
        "days",
        "by",
        "alert",
        "way",
        "spoken",
        "sort",
    )
    kept = {name: request.args[name] for name in names if name in request.args}
    kept["lang"] = request_context.translator().other
    path = request.path.removesuffix("/send")
    if request.path == url_for("staff.sign_out"):
        path = url_for("staff.to_do_list")
    if request.path == url_for("staff.unsaved_text"):
        path = page_guard.safe_staff_path(request.args.get("next")).split("?")[0]
    return f"{path}?{urlencode(kept)}"
