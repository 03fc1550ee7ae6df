"""The door of the staff side: every page behind it names its right and is handed the person who came in."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, cast
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.app_context import Actor
from pro.errors import NotAllowed, SignInNeeded
from pro.features.accounts import staff_accounts
from pro.features.accounts.pages import unsaved_text
from pro.web import page_registry, request_context
from pro.web.page_registry import StaffPage, UnsavedTextRule

View = Callable[..., ResponseReturnValue]

# The parent of every feature's blueprint: its own views have endpoints such as "staff.board".
staff_blueprint = Blueprint("staff", __name__, url_prefix=page_registry.STAFF_URL)

COOKIE = "staff"
# A page that refreshes itself is not a person at work: it must not keep an idle session alive.
REFRESH_HEADER = "X-Refresh"
# What a sign-in still asks for -> the page that asks.
STEP_ENDPOINTS = {"code": "staff.steps.code", "password": "staff.me.password", "factor": "staff.me.factor"}
# No way back leads to a page of the way in.
SIGN_IN_PATHS = ("sign-in", "sign-out", "code", "kept", "invitation")


# What a browser takes for a step up or nowhere; none of our own addresses has a percent sign.
UNSAFE_PATH = re.compile(r"/\.|%")


class SignedInStaff(Protocol):
    """The signed-in member of staff, as views see them: to read, never to change."""

    @property
    def id(self) -> int:
        """Number of the account."""

    @property
    def name(self) -> str:
        """The name that colleagues see."""

    @property
    def role(self) -> str:
        """One of the roles of ``features.accounts.staff_accounts``."""

    @property
    def language(self) -> str:
        """The language that the person reads."""


def needs(right: str, during: str = "") -> Callable[[View], View]:
    """Guard a view: a living session whose role includes ``right``, and the signed-in Staff as first argument.

    Without a session the browser goes to the sign-in page and comes back afterwards; a sign-in that is not complete
    leads to its next step, unless the view is that step (``during``); a role without the right gets a page that says so
    (403). The right stands on the view as ``needs`` so that a test can read it.
    """

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(**address: Any) -> ResponseReturnValue:
            secret = request.cookies.get(COOKIE, "")
            try:
                staff, session = staff_accounts.read_session(
                    request_context.work(), secret, touch=REFRESH_HEADER not in request.headers
                )
            except SignInNeeded as failure:
                return _redirect_to_sign_in(failure)
            entry = staff_accounts.StaffLogin(staff, session)
            step = staff_accounts.pending_step(request_context.work(), entry)
            if step and step != during:
                return redirect(url_for(STEP_ENDPOINTS[step], next=safe_staff_path(request.path)), code=303)
            act_as_staff(staff)
            g.entry, g.step = entry, step
            if not has_right(right):
                return render_template("staff/not_allowed.html"), 403
            return view(staff, **address)

        guarded.needs = right  # type: ignore[attr-defined]
        return guarded

    return guard


def staff_page(
    pages: Blueprint,
    path: str,
    *,
    right: str,
    title: str = "",
    section: str | None = None,
    menu: int = 0,
    endpoint: str = "",
    during: str = "",
    way_back: str = "",
    kept: UnsavedTextRule | None = None,
) -> Callable[[View], View]:
    """Declare a page of the staff side: register its route, guard it by ``needs``, note it in ``page_registry.PAGES``.

    ``endpoint``: the view's name unless given; ``section``: the blueprint's name unless given; ``during``: as of
    ``needs``; the rest as of ``page_registry.StaffPage``. Texts are marked for translation by ``N_``.
    """

    def declare(view: View) -> View:
        name = endpoint or view.__name__
        guarded = needs(right, during)(view)
        pages.add_url_rule(path, name, guarded, methods=["GET"])
        own = pages is staff_blueprint
        page_registry.add(
            StaffPage(
                endpoint=f"staff.{name}" if own else f"staff.{pages.name}.{name}",
                rule=page_registry.STAFF_URL + ("" if own else pages.url_prefix or "") + path,
                right=right,
                title=title,
                section=pages.name if section is None else section,
                menu=menu,
                way_back=way_back,
                kept=kept,
            )
        )
        return guarded

    return declare


def act_as_staff(staff: SignedInStaff) -> None:
    """From here on in this request ``staff`` acts, in their language and the study's time zone."""
    request_context.set_actor(Actor("staff", staff.id, staff.role, staff.name))
    request_context.set_language(staff.language)
    request_context.set_zone(next(iter(request_context.app_context().catalogue.plans.values())).settings.time_zone)
    g.staff = staff


def show_as_page(page: StaffPage) -> None:
    """Show ``page`` in answer to this request, with its title and its entry of the menu, whatever its address is."""
    g.staff_page = page


def shown_page() -> StaffPage | None:
    """The page that this request shows, or the nearest above its address."""
    return g.get("staff_page") or page_registry.page_at(request.endpoint or "", request.path)


def require_right(staff: SignedInStaff, right: str) -> None:
    """Raise NotAllowed if ``staff`` lacks ``right``: for one act among several of a page."""
    if not staff_accounts.has_right(staff.role, right):
        raise NotAllowed("right_missing", right=right)


def has_right(right: str) -> bool:
    """True if the person who is signed in has ``right``."""
    return "staff" in g and staff_accounts.has_right(g.staff.role, right)


def set_session_cookie(response: Response, secret: str) -> Response:
    """Give the browser its session. The cookie ends with the browser; the server decides when the session does."""
    secure = request_context.app_context().config.secure_cookies
    response.set_cookie(COOKIE, secret, path="/staff", httponly=True, samesite="Lax", secure=secure)
    return response


def clear_session_cookie(response: Response) -> Response:
    """Take the session's cookie away."""
    response.delete_cookie(COOKIE, path="/staff", httponly=True, samesite="Lax")
    return response


def current_login() -> staff_accounts.StaffLogin:
    """Whoever is signed in, with their session: to hand to a service."""
    return cast(staff_accounts.StaffLogin, g.entry)


def current_step() -> str:
    """What the sign-in of this person still asks for; "" once it is complete."""
    return cast(str, g.get("step", ""))


def safe_staff_path(wish: str | None) -> str:
    """``wish`` if it is a staff page of this site, else the board. Anything that could lead elsewhere is refused."""
    board = url_for("staff.board")
    if not wish or not wish.isprintable() or "\\" in wish or len(wish) > 200:
        return board
    parts = urlsplit(wish)
    if (
        parts.scheme
        or parts.netloc
        or "//" in wish
        or UNSAFE_PATH.search(parts.path)
        or not parts.path.startswith(board)
    ):
        return board
    return board if parts.path.removeprefix(board).split("/")[0] in SIGN_IN_PATHS else wish


def landing_page(role: str, target: str) -> str:
    """``target``, or for a role without the board the first page that it has."""
    if target != url_for("staff.board") or staff_accounts.has_right(role, "see_board"):
        return target
    reads = staff_accounts.has_right(role, "see_participants")
    return url_for("staff.participants.everyone" if reads else "staff.roster.show")


def _redirect_to_sign_in(failure: SignInNeeded) -> ResponseReturnValue:
    """To the sign-in page, with the way back: this page, or for a form that has no page the one it was sent from."""
    shown = {name: request.args.get(name, "") for name in ("show", "mode", "study", "level", "owner", "item")}
    shown = {name: text for name, text in shown.items() if text.isidentifier()}
    there = request.path + (f"?{urlencode(shown)}" if shown else "")
    here = request.path.removesuffix("/send") + (f"?{urlencode(shown)}" if shown else "")
    way: dict[str, Any] = {"next": here, "why": failure.why if failure.why in ("idle", "ended", "role") else None}
    if not unsaved_text.has_typed_text():
        return clear_session_cookie(cast(Response, redirect(url_for("staff.sign_in", **way), code=303)))
    # 307 takes what was posted along, so that the sign-in page can keep it.
    way |= {"whose": str(failure.details.get("staff_id", 0)), "to": there if there != here else None}
    return clear_session_cookie(cast(Response, redirect(url_for("staff.sign_in", **way), code=307)))
