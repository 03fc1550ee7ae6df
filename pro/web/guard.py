"""The door of the staff side: every page behind it names its right and is handed the person who came in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, cast
from urllib.parse import urlencode, urlsplit

from flask import Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from pro.errors import NotAllowed, SignInNeeded
from pro.services import staffing
from pro.web import site
from pro.work import Actor

COOKIE = "staff"
# A page that refreshes itself is not a person at work: it must not keep an idle session alive.
REFRESH = "X-Refresh"
# The field of a note, and one that any form may have: what is typed in a form with either survives a sign-in.
KEPT, KEEP = "text", "keep"
# How the fields are called that the sign-in page carries along; what is never carried.
CARRIED, NEVER = "kept-", ("password", "csrf_token", "email")


class Person(Protocol):
    """The signed-in member of staff, as views see them: to read, never to change."""

    @property
    def id(self) -> int:
        """Number of the account."""

    @property
    def name(self) -> str:
        """The name that colleagues see."""

    @property
    def role(self) -> str:
        """One of the roles of ``services.staffing``."""

    @property
    def language(self) -> str:
        """The language that the person reads."""


def needs(right: str) -> Callable[[Callable[..., ResponseReturnValue]], Callable[..., ResponseReturnValue]]:
    """Guard a view: a living session whose role includes ``right``, and the signed-in Staff as first argument.

    Without a session the browser goes to the sign-in page and comes back afterwards; a role without the right gets
    a page that says so (403). The right stands on the view as ``needs`` so that a test can read it.
    """

    def guard(view: Callable[..., ResponseReturnValue]) -> Callable[..., ResponseReturnValue]:
        @wraps(view)
        def guarded(**address: Any) -> ResponseReturnValue:
            secret = request.cookies.get(COOKIE, "")
            try:
                staff, _session = staffing.session(site.work(), secret, touch=REFRESH not in request.headers)
            except SignInNeeded as failure:
                return _to_sign_in(failure.why)
            enter(staff)
            if not may(right):
                return render_template("staff/not_allowed.html"), 403
            return view(staff, **address)

        guarded.needs = right  # type: ignore[attr-defined]
        return guarded

    return guard


def enter(staff: Person) -> None:
    """From here on in this request ``staff`` acts, in their language and the study's time zone."""
    site.become(Actor("staff", staff.id, staff.role, staff.name))
    site.prefer(staff.language)
    site.zone(next(iter(site.house().catalogue.plans.values())).settings.time_zone)
    g.staff = staff


def must(staff: Person, right: str) -> None:
    """Raise NotAllowed if ``staff`` lacks ``right``: for one act among several of a page."""
    if not staffing.may(staff.role, right):
        raise NotAllowed("right_missing", right=right)


def may(right: str) -> bool:
    """True if the person who is signed in has ``right``."""
    return "staff" in g and staffing.may(g.staff.role, right)


def let_in(response: Response, secret: str) -> Response:
    """Give the browser its session. The cookie ends with the browser; the server decides when the session does."""
    secure = site.house().config.secure_cookies
    response.set_cookie(COOKIE, secret, path="/staff", httponly=True, samesite="Lax", secure=secure)
    return response


def let_out(response: Response) -> Response:
    """Take the session's cookie away."""
    response.delete_cookie(COOKIE, path="/staff", httponly=True, samesite="Lax")
    return response


def own_path(wish: str | None) -> str:
    """``wish`` if it is a staff page of this site, else the board. Anything that could lead elsewhere is refused."""
    board = url_for("staff.board")
    if not wish or not wish.isprintable() or "\\" in wish or len(wish) > 200:
        return board
    parts = urlsplit(wish)
    sign_in, sign_out = url_for("staff.sign_in"), url_for("staff.sign_out")
    if parts.scheme or parts.netloc or "//" in wish or ".." in parts.path or not parts.path.startswith(board):
        return board
    return board if parts.path in (sign_in, sign_out) else wish


def typed() -> MultiDict[str, str]:
    """What was typed in a form when its session had ended: just posted, or carried by the sign-in page. Never a
    password.
    """
    given = list(request.form.items(multi=True))
    if "email" in request.form:
        carried = [(name.removeprefix(CARRIED), text) for name, text in given if name.startswith(CARRIED)]
        return MultiDict(carried)
    if not (request.form.get(KEPT) or request.form.get(KEEP)):
        return MultiDict()
    return MultiDict((name, text) for name, text in given if name not in NEVER)


def _to_sign_in(why: str) -> ResponseReturnValue:
    """To the sign-in page, with the way back: this page, or for a form that has no page the one it was sent from."""
    kept = {name: request.args.get(name, "") for name in ("show", "mode", "study", "level", "owner", "item")}
    kept = {name: text for name, text in kept.items() if text.isidentifier()}
    here = request.path.removesuffix("/send") + (f"?{urlencode(kept)}" if kept else "")
    known = why if why in ("idle", "ended") else None
    # 307 takes what was posted along, so that the sign-in page can keep a note that was being written.
    code = 307 if request.form.get(KEPT) or request.form.get(KEEP) else 303
    answer = redirect(url_for("staff.sign_in", next=here, why=known), code=code)
    return let_out(cast(Response, answer))
