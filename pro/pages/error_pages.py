"""Error pages: one table from each failure to HTTP status, page and log level.

The pages say what was saved and what to do.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Flask, Response, make_response, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from pro.errors import (
    AlreadySubmitted,
    BadData,
    CodeExpired,
    NotAllowed,
    NotFound,
    ProError,
    RecordFrozen,
    SignInNeeded,
)
from pro.features.assessments.pages import form_session_pages
from pro.i18n import LANGUAGES
from pro.pages import page_frame
from pro.web import request_context, study_header
from pro.web.page_languages import PageLanguage

log = logging.getLogger("pro.web")


@dataclass(frozen=True, slots=True)
class Failure:
    """Result of a failure: HTTP status, ``templates/errors/<page>.html``, log level."""

    status: int
    page: str
    level: int = logging.INFO


NOT_FOUND = Failure(404, "not_found")
BROKEN = Failure(500, "broken", logging.ERROR)
UNREADABLE = Failure(400, "unreadable", logging.WARNING)
NOT_A_FORM = Failure(415, "unreadable", logging.WARNING)

# (class, why) -> failure; a ``why`` without a row uses the row of its class with "".
FAILURES: Mapping[tuple[type[ProError], str], Failure] = {
    (NotFound, ""): NOT_FOUND,
    (NotFound, "link"): Failure(404, "link_unknown"),
    (NotFound, "no_session"): Failure(403, "no_session"),
    (CodeExpired, ""): Failure(410, "expired"),
    (CodeExpired, "withdrawn"): Failure(410, "withdrawn"),
    (CodeExpired, "cancelled"): Failure(410, "closed"),
    (CodeExpired, "closed"): Failure(410, "closed"),
    (CodeExpired, "instrument_gone"): Failure(410, "form_gone", logging.ERROR),
    (AlreadySubmitted, ""): Failure(409, "received"),
    (NotAllowed, ""): Failure(403, "not_allowed", logging.WARNING),
    (BadData, ""): UNREADABLE,
    (RecordFrozen, ""): Failure(409, "not_allowed", logging.WARNING),
}

STATUSES: Mapping[int, Failure] = {
    400: UNREADABLE,
    403: Failure(403, "not_allowed", logging.WARNING),
    404: NOT_FOUND,
    405: Failure(405, "not_found"),
    413: Failure(413, "too_large", logging.WARNING),
    415: NOT_A_FORM,
    429: Failure(429, "too_many", logging.WARNING),
}


def register_error_pages(app: Flask) -> None:
    """Register a page for every failure of ``app``."""
    app.register_error_handler(ProError, _handle_app_error)
    app.register_error_handler(CSRFError, _handle_csrf_error)
    app.register_error_handler(HTTPException, _handle_http_error)
    app.register_error_handler(Exception, _handle_unexpected_error)


def failure_of(error: ProError) -> Failure:
    """Return the failure for ``error``: by class and ``why``, else by class, else ``BROKEN``."""
    for kind in type(error).__mro__:
        for why in (error.why, ""):
            if issubclass(kind, ProError) and (kind, why) in FAILURES:
                return FAILURES[kind, why]
    return BROKEN


def _handle_app_error(error: ProError) -> Response:
    if isinstance(error, SignInNeeded):
        request_context.discard()
        return make_response(redirect(url_for("staff.sign_in", why=error.why or None), code=303))
    until = error.details.get("until")
    failure = failure_of(error)
    return _error_page(failure, error, until=until if isinstance(until, datetime) else None)


def _handle_csrf_error(error: CSRFError) -> Response:
    """Render the page for a missing or invalid CSRF token.

    A body that is not a form gets 415, because it cannot carry a token.
    """
    if request.mimetype != form_session_pages.FORM and request.content_length:
        return _error_page(NOT_A_FORM, error)
    return _error_page(Failure(400, "stale", logging.WARNING), error)


def _handle_http_error(error: HTTPException) -> HTTPException | Response:
    status = error.code or 500
    if status < 400:
        return error
    row = STATUSES.get(status) or (BROKEN if status >= 500 else Failure(status, "unreadable"))
    response = _error_page(row, error)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _handle_unexpected_error(error: Exception) -> Response:
    return _error_page(BROKEN, error)


def _error_page(failure: Failure, error: Exception, until: datetime | None = None) -> Response:
    """Roll back this request, log ``failure`` and render its page.

    The address is not logged, because it may contain a token.
    """
    request_context.discard()
    reference = secrets.token_hex(3).upper()
    why = getattr(error, "why", "")
    log.log(
        failure.level,
        "failure reference=%s status=%s kind=%s why=%s endpoint=%s",
        reference,
        failure.status,
        type(error).__name__,
        why,
        request.endpoint,
        exc_info=error if failure.status >= 500 else None,
    )
    study = study_header.read_study_header(request_context.app_context(), None, request_context.language())
    for_staff = request.path.startswith("/staff")
    text = render_template(
        f"errors/{failure.page}.html",
        tongues=_page_languages(),
        study=study,
        url=request.path,
        for_staff=for_staff,
        reference=reference,
        until=until,
        **(page_frame.error_layout_context() if for_staff else {}),
    )
    return make_response(text, failure.status)


def _page_languages() -> list[PageLanguage]:
    """Return the languages of the error page, the page's own language first.

    Only that one if the user chose a language or the page is for staff.
    """
    own = request_context.language()
    chosen = request.args.get("lang") or request.cookies.get("lang") or request.path.startswith("/staff")
    languages = [own] if chosen else [own, *(code for code in LANGUAGES if code != own)]
    app_context = request_context.app_context()
    return [
        PageLanguage(
            app_context.catalogs.translator(code),
            study_header.read_study_header(app_context, None, code).words,
            code == own,
        )
        for code in languages
    ]
