"""What every staff page shares: who is signed in, the study's name, the language switch, one sentence after a post."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from flask import Flask, flash, g, request, url_for
from flask.blueprints import BlueprintSetupState

from pro.services import freezing, staffing, texts, written
from pro.web import guard, site, staff_kept, staff_menu, staff_words

# What went as it was meant to: said in green.
GOOD_NEWS = frozenset(
    {
        "absence_put",
        "account_closed",
        "account_reopened",
        "acknowledged",
        "call_again",
        "call_logged",
        "card_revoked",
        "checked",
        "closed",
        "consent_signed",
        "consent_withdrawn",
        "corrected",
        "correction_approved",
        "correction_asked",
        "correction_refused",
        "date_set",
        "date_taken_back",
        "decision_signed",
        "drill_confirmed",
        "duty_put",
        "endoscopy_asked",
        "endoscopy_done",
        "endoscopy_taken_back",
        "enrolled",
        "entered",
        "entered_paper",
        "event_ended",
        "event_reported",
        "frozen_now",
        "handed_over",
        "judged",
        "factor_reset",
        "invitation_revoked",
        "invited",
        "noted",
        "password_changed",
        "phone_set",
        "queued",
        "reason_set",
        "stable_back",
        "stable_marked",
        "role_changed",
        "session_ended",
        "sessions_ended",
        "suspicion_cleared",
        "taken_over",
        "text_assigned",
        "text_queued",
        "text_set_aside",
        "message_arrived",
        "message_settled",
        "texts_read",
        "treated",
        "unfrozen_now",
    }
)


def notify(key: str, **values: Any) -> None:
    """Say ``key``, a sentence of ``staff/layout.html``, once on the next page."""
    flash({"key": key, **values})  # type: ignore[arg-type]


def install(state: BlueprintSetupState) -> None:
    """Give the templates of the application the words for staff."""
    app = cast(Flask, state.app)
    staff_words.install(app)
    app.jinja_env.filters.update(private=private, typed=typed)


def private(text: str) -> str:
    """What a participant wrote, or staff wrote about one, as whoever is signed in may see it."""
    return written.words(site.work(), text, site.language())


def typed(text: str) -> str:
    """A reason that staff typed, as whoever is signed in may see it."""
    return written.reason(site.work(), text)


def context() -> dict[str, Any]:
    """What the layout of every staff page needs."""
    plan = next(iter(site.house().catalogue.plans.values()))
    return {
        "me": g.get("staff"),
        "may": guard.may,
        "menu": staff_menu.menu(guard.may),
        "good_news": GOOD_NEWS,
        "now": site.work().now,
        "plan": plan,
        "plan_words": site.house().catalogue.plan_words[plan.id, site.language()],
        "switch": _switch(),
        "base_url": site.house().config.base_url,
        "carried": staff_kept.carried,
        "step": guard.step(),
        "idle_ends": _idle_ends(),
        # Asked only by pages that show it.
        "freeze_of": lambda participant_id: freezing.standing(site.work(), participant_id),
        "answered_while_frozen": lambda participant_id: freezing.after_freeze(site.work(), participant_id),
        "texts_to_read": lambda: texts.unread_count(site.work()),
    }


def after_failure() -> dict[str, Any]:
    """What the layout needs on the page of a failure: nothing of the database, which may be what failed."""
    plan = next(iter(site.house().catalogue.plans.values()))
    actor = site.visit().actor
    me = actor if actor.kind == "staff" and not guard.step() else None
    board = url_for("staff.board")
    return {
        "me": me,
        "may": guard.may,
        "menu": staff_menu.menu(lambda right: me is not None and staffing.may(me.role, right)),
        "section": "",
        "now": site.house().clock(),
        "plan_words": site.house().catalogue.plan_words[plan.id, site.language()],
        "switch": site.switch_url() if request.method == "GET" else "",
        "home": guard.landing(me.role, board) if me else board,
        "texts_to_read": lambda: 0,
    }


def _idle_ends() -> int:
    """Seconds until this session ends without a step; 0 without one."""
    if "entry" not in g or guard.step():
        return 0
    work = site.work()
    return max(1, int((staffing.ends_at(work, guard.entry().session) - work.now).total_seconds()))


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
    kept["lang"] = site.translator().other
    path = request.path.removesuffix("/send")
    if request.path == url_for("staff.sign_out"):
        path = url_for("staff.board")
    if request.path == url_for("staff.kept"):
        path = guard.own_path(request.args.get("next")).split("?")[0]
    return f"{path}?{urlencode(kept)}"
