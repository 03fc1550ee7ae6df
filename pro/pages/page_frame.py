"""What every staff page shares: who is signed in, the study's name, the language switch, one sentence after a post."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from flask import Flask, g, request, url_for
from flask.blueprints import BlueprintSetupState

from pro.features.accounts import privacy, staff_accounts
from pro.features.accounts.pages import form_recovery, page_guard
from pro.features.accounts.pages.labels import TABLES as ACCOUNT_TABLES
from pro.features.alerts import incoming_flags
from pro.features.alerts.pages.labels import TABLES as ALERT_TABLES
from pro.features.participants import record_freezes
from pro.features.participants.pages.labels import TABLES as PARTICIPANT_TABLES
from pro.features.text_messages.pages.labels import TABLES as TEXT_TABLES
from pro.pages import menu
from pro.web import labels as web_labels
from pro.web import request_context
from pro.web.notices import GOOD_NEWS

for _tables in (ACCOUNT_TABLES, ALERT_TABLES, PARTICIPANT_TABLES, TEXT_TABLES):
    web_labels.add(_tables)


def install(state: BlueprintSetupState) -> None:
    """Give the templates of the application the words for staff."""
    app = cast(Flask, state.app)
    web_labels.install(app)
    app.jinja_env.filters.update(private=private, typed=typed)


def private(text: str) -> str:
    """What a participant wrote, or staff wrote about one, as whoever is signed in may see it."""
    return privacy.words(request_context.work(), text, request_context.language())


def typed(text: str) -> str:
    """A reason that staff typed, as whoever is signed in may see it."""
    return privacy.reason(request_context.work(), text)


def context() -> dict[str, Any]:
    """What the layout of every staff page needs."""
    plan = next(iter(request_context.house().catalogue.plans.values()))
    return {
        "me": g.get("staff"),
        "may": page_guard.may,
        "menu": menu.menu(page_guard.may),
        "good_news": GOOD_NEWS,
        "now": request_context.work().now,
        "plan": plan,
        "plan_words": request_context.house().catalogue.plan_words[plan.id, request_context.language()],
        "switch": _switch(),
        "base_url": request_context.house().config.base_url,
        "carried": form_recovery.carried,
        "step": page_guard.step(),
        "idle_ends": _idle_ends(),
        # Asked only by pages that show it.
        "freeze_of": lambda participant_id: record_freezes.current_freeze(request_context.work(), participant_id),
        "answered_while_frozen": lambda participant_id: record_freezes.after_freeze(
            request_context.work(), participant_id
        ),
        "texts_to_read": lambda: incoming_flags.unread_count(request_context.work()),
    }


def after_failure() -> dict[str, Any]:
    """What the layout needs on the page of a failure: nothing of the database, which may be what failed."""
    plan = next(iter(request_context.house().catalogue.plans.values()))
    actor = request_context.visit().actor
    me = actor if actor.kind == "staff" and not page_guard.step() else None
    board = url_for("staff.board")
    return {
        "me": me,
        "may": page_guard.may,
        "menu": menu.menu(lambda right: me is not None and staff_accounts.may(me.role, right)),
        "section": "",
        "now": request_context.house().clock(),
        "plan_words": request_context.house().catalogue.plan_words[plan.id, request_context.language()],
        "switch": request_context.switch_url() if request.method == "GET" else "",
        "home": page_guard.landing(me.role, board) if me else board,
        "texts_to_read": lambda: 0,
    }


def _idle_ends() -> int:
    """Seconds until this session ends without a step; 0 without one."""
    if "entry" not in g or page_guard.step():
        return 0
    work = request_context.work()
    return max(1, int((staff_accounts.ends_at(work, page_guard.entry().session) - work.now).total_seconds()))


def _switch() -> str:
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
        path = page_guard.own_path(request.args.get("next")).split("?")[0]
    return f"{path}?{urlencode(kept)}"
