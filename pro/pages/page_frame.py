"""What every staff page shares: who is signed in, the study's name, the language switch, one sentence after a post."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from flask import Flask, g, request, url_for
from flask.blueprints import BlueprintSetupState

from pro.features.accounts import privacy, staff_accounts
from pro.features.accounts.pages import page_guard, unsaved_text
from pro.features.alerts import message_reading
from pro.features.participants import record_freezes
from pro.pages import menu
from pro.web import labels as web_labels
from pro.web import notices, request_context


def install(state: BlueprintSetupState) -> None:
    """Give the templates of the application the words for staff."""
    app = cast(Flask, state.app)
    web_labels.install(app)
    notices.install(app)
    app.jinja_env.filters.update(private=private_text, typed=reason_text)


def private_text(text: str) -> str:
    """What a participant wrote, or staff wrote about one, as whoever is signed in may see it."""
    return privacy.visible_text(request_context.work(), text, request_context.language())


def reason_text(text: str) -> str:
    """A reason that staff typed, as whoever is signed in may see it."""
    return privacy.visible_reason(request_context.work(), text)


def layout_context() -> dict[str, Any]:
    """What the layout of every staff page needs."""
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
        # Asked only by pages that show it.
        "freeze_of": lambda participant_id: record_freezes.current_freeze(request_context.work(), participant_id),
        "answered_while_frozen": lambda participant_id: record_freezes.forms_answered_while_frozen(
            request_context.work(), participant_id
        ),
        "texts_to_read": lambda: message_reading.unread_count(request_context.work()),
    }


def error_layout_context() -> dict[str, Any]:
    """What the layout needs on the page of a failure: nothing of the database, which may be what failed."""
    plan = next(iter(request_context.app_context().catalogue.plans.values()))
    actor = request_context.state().actor
    me = actor if actor.kind == "staff" and not page_guard.current_step() else None
    board = url_for("staff.board")
    return {
        "me": me,
        "may": page_guard.has_right,
        "menu": menu.build_menu(lambda right: me is not None and staff_accounts.has_right(me.role, right)),
        "section": "",
        "now": request_context.app_context().clock(),
        "plan_words": request_context.app_context().catalogue.plan_words[plan.id, request_context.language()],
        "switch": request_context.switch_url() if request.method == "GET" else "",
        "home": page_guard.landing_page(me.role, board) if me else board,
        "texts_to_read": lambda: 0,
    }


def _idle_ends() -> int:
    """Seconds until this session ends without a step; 0 without one."""
    if "entry" not in g or page_guard.current_step():
        return 0
    work = request_context.work()
    return max(
        1, int((staff_accounts.session_ends_at(work, page_guard.current_login().session) - work.now).total_seconds())
    )


def _other_language_url() -> str:
    """This page in the other language; what chose the page stays, a page that only a post can make is left behind."""
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
        "on",
        "plan",
        "find",
        "page",
    )
    kept = {name: request.args[name] for name in names if name in request.args}
    kept["lang"] = request_context.translator().other
    path = request.path.removesuffix("/send")
    if request.path == url_for("staff.sign_out"):
        path = url_for("staff.board")
    if request.path == url_for("staff.kept"):
        path = page_guard.safe_staff_path(request.args.get("next")).split("?")[0]
    return f"{path}?{urlencode(kept)}"
