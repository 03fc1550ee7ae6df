"""What every staff page shares: who is signed in, the study's name, the language switch, one sentence after a post."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from flask import Flask, flash, g, request, url_for
from flask.blueprints import BlueprintSetupState

from pro.services import texts
from pro.web import guard, site, staff_words

# What went as it was meant to: said in green.
GOOD_NEWS = frozenset(
    {
        "absence_put",
        "acknowledged",
        "call_again",
        "call_logged",
        "card_revoked",
        "checked",
        "corrected",
        "date_set",
        "date_taken_back",
        "drill_confirmed",
        "duty_put",
        "enrolled",
        "entered",
        "entered_paper",
        "handed_over",
        "noted",
        "queued",
        "reason_set",
        "suspicion_cleared",
        "text_assigned",
        "text_queued",
        "text_set_aside",
        "texts_read",
        "treated",
    }
)


def notify(key: str, **values: Any) -> None:
    """Say ``key``, a sentence of ``staff/layout.html``, once on the next page."""
    flash({"key": key, **values})  # type: ignore[arg-type]


def install(state: BlueprintSetupState) -> None:
    """Give the templates of the application the words for staff."""
    staff_words.install(cast(Flask, state.app))


def context() -> dict[str, Any]:
    """What the layout of every staff page needs."""
    plan = next(iter(site.house().catalogue.plans.values()))
    return {
        "me": g.get("staff"),
        "may": guard.may,
        "good_news": GOOD_NEWS,
        "now": site.work().now,
        "plan": plan,
        "plan_words": site.house().catalogue.plan_words[plan.id, site.language()],
        "switch": _switch(),
        "base_url": site.house().config.base_url,
        # Asked only by pages that show it.
        "texts_to_read": lambda: texts.unread_count(site.work()),
    }


def _switch() -> str:
    """This page in the other language; what chose the page stays, a page that only a post can make is left behind."""
    names = ("next", "why", "show", "mode", "kind", "number", "plan")
    kept = {name: request.args[name] for name in names if name in request.args}
    kept["lang"] = site.translator().other
    path = request.path.removesuffix("/send")
    if request.path == url_for("staff.sign_out"):
        path = url_for("staff.board")
    return f"{path}?{urlencode(kept)}"
