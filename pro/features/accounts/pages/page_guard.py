"""Access control of staff pages: session, access right, sign-in steps, page declaration."""

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

# Parent of the blueprint of every feature; its own views have endpoints such as "staff.to_do_list".
staff_blueprint = Blueprint("staff", __name__, url_prefix=page_registry.STAFF_URL)

COOKIE = "staff"
# Header of automatic refreshes, which must not extend an idle session.
REFRESH_HEADER = "X-Refresh"
# Pending step of the sign-in -> endpoint of its page.
STEP_ENDPOINTS = {"code": "staff.steps.code", "password": "staff.me.password", "factor": "staff.me.factor"}
# Filters of pages that the way through the sign-in keeps; free text is left out.
KEPT_FILTERS = (
    *("show", "mode", "study", "level", "owner", "item"),
    *("part", "phase", "state", "form", "order", "by"),
    *("page", "alert", "way", "spoken", "sort"),
)
# First part of the addresses of sign-in pages, to which no sign-in redirects.
SIGN_IN_PATHS = ("sign-in", "sign-out", "code", "unsaved-text", "invitation", "forgot-password", "reset")


# Browsers resolve "/." and "%" to other addresses; no address of this application contains either.
UNSAFE_PATH = re.compile(r"/\.|%")


class SignedInStaff(Protocol):
    """The signed-in staff member, read-only, as views receive it."""

    @property
    def id(self) -> int:
        """Return the number of the account."""

    @property
    def name(self) -> str:
        """Return the name that colleagues see."""

    @property
    def role(self) -> str:
        """Return the role, one of ``features.accounts.staff_accounts``."""

    @property
    def language(self) -> str:
        """Return the language of the staff member."""


def needs(right: str, during: str = "") -> Callable[[View], View]:
    """Guard a view: require a session whose role has the access right ``right``.

    The view gets the signed-in staff member as first argument. Without a session, redirect to the sign-in page, which
    leads back; during an incomplete sign-in, redirect to its next step, unless the view is that step (``during``);
    without the right, render a page that says so (403). Tests read the right from the attribute ``needs`` of the view.
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
    """Declare a staff page: add its route, guard it by ``needs``, register it.

    The registry is ``page_registry.PAGES``. ``endpoint``: default is the name of the view; ``section``: default is the
    name of the blueprint; ``during``: as in ``needs``; others: as in ``page_registry.StaffPage``. Mark texts by ``N_``.
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
    """Set ``staff`` as actor of this request, with their language and the study's time zone."""
    request_context.set_actor(Actor("staff", staff.id, staff.role, staff.name))
    request_context.set_language(staff.language)
    request_context.set_zone(next(iter(request_context.app_context().catalogue.plans.values())).settings.time_zone)
    g.staff = staff


def show_as_page(page: StaffPage) -> None:
    """Use the title and the menu entry of ``page`` for this request, whatever its address is."""
    g.staff_page = page


def shown_page() -> StaffPage | None:
    """Return the page that this request shows, else the nearest one above its address."""
    return g.get("staff_page") or page_registry.page_at(request.endpoint or "", request.path)


def require_right(staff: SignedInStaff, right: str) -> None:
    """Raise NotAllowed if ``staff`` lacks ``right``: for one action among several of a page."""
    if not staff_accounts.has_right(staff.role, right):
        raise NotAllowed("right_missing", right=right)


def has_right(right: str) -> bool:
    """Return True if the signed-in staff member has ``right``."""
    return "staff" in g and staff_accounts.has_right(g.staff.role, right)


def set_session_cookie(response: Response, secret: str) -> Response:
    """Set the session cookie and return ``response``.

    The cookie ends with the browser; the server decides when the session ends.
    """
    secure = request_context.app_context().config.secure_cookies
    response.set_cookie(COOKIE, secret, path="/staff", httponly=True, samesite="Lax", secure=secure)
    return response


def clear_session_cookie(response: Response) -> Response:
    """Delete the session cookie and return ``response``."""
    response.delete_cookie(COOKIE, path="/staff", httponly=True, samesite="Lax")
    return response


def current_login() -> staff_accounts.StaffLogin:
    """Return the signed-in staff member and session, as services take them."""
    return cast(staff_accounts.StaffLogin, g.entry)


def current_step() -> str:
    """Return the pending step of this sign-in; "" once it is complete."""
    return cast(str, g.get("step", ""))


def safe_staff_path(wish: str | None) -> str:
    """Return ``wish`` if it is the address of a staff page, else that of the to-do list.

    Addresses that could lead to another site or to a page of the sign-in are refused.
    """
    to_do_list = url_for("staff.to_do_list")
    if not wish or not wish.isprintable() or "\\" in wish or len(wish) > 200:
        return to_do_list
    parts = urlsplit(wish)
    if (
        parts.scheme
        or parts.netloc
        or "//" in wish
        or UNSAFE_PATH.search(parts.path)
        or not parts.path.startswith(to_do_list)
    ):
        return to_do_list
    return to_do_list if parts.path.removeprefix(to_do_list).split("/")[0] in SIGN_IN_PATHS else wish


def landing_page(role: str, target: str) -> str:
    """Return ``target``, or the first page of a role that may not see the to-do list."""
    if target != url_for("staff.to_do_list") or staff_accounts.has_right(role, "see_to_do_list"):
        return target
    sees_participants = staff_accounts.has_right(role, "see_participants")
    return url_for("staff.participants.everyone" if sees_participants else "staff.roster.show")


def _redirect_to_sign_in(failure: SignInNeeded) -> ResponseReturnValue:
    """Redirect to the sign-in page, which leads back to this page with its filters.

    An address that only takes posts leads back to the page of its form.
    """
    filters = {name: request.args.get(name, "") for name in KEPT_FILTERS}
    # A word or a number, such as that of an opened form.
    filters = {
        name: text for name, text in filters.items() if re.fullmatch(r"[A-Za-z_]\w{0,39}|\d{1,10}", text, re.ASCII)
    }
    posted_to = request.path + (f"?{urlencode(filters)}" if filters else "")
    return_to = request.path.removesuffix("/send") + (f"?{urlencode(filters)}" if filters else "")
    query: dict[str, Any] = {
        "next": return_to,
        "why": failure.why if failure.why in ("idle", "ended", "role") else None,
    }
    if not unsaved_text.has_typed_text():
        return clear_session_cookie(cast(Response, redirect(url_for("staff.sign_in", **query), code=303)))
    # Status 307 reposts the fields, so that the sign-in page can carry the unsaved text.
    query |= {"whose": str(failure.details.get("staff_id", 0)), "to": posted_to if posted_to != return_to else None}
    return clear_session_cookie(cast(Response, redirect(url_for("staff.sign_in", **query), code=307)))
