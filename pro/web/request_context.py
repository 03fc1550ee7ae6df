"""Request state: unit of work with one commit, language, security headers, inline styles."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

from flask import Flask, Request, Response, current_app, g, request
from flask_wtf.csrf import CSRFProtect
from markupsafe import Markup
from sqlalchemy.orm import Session
from werkzeug.datastructures import ImmutableMultiDict, iter_multi_items
from werkzeug.middleware.proxy_fix import ProxyFix

from pro.app_context import SYSTEM, Actor, AppContext, UnitOfWork
from pro.errors import NotFound
from pro.i18n import CONTEXT_END, HTML_CODES, LANGUAGE_NAMES, LANGUAGES, Translator, negotiate_language

STATIC = Path(__file__).parent.parent / "static"
MAX_BODY = 256 * 1024
_HELD_BACK = threading.BoundedSemaphore(1)
YEAR_SECONDS = 365 * 24 * 3600
# Bytes. A smaller page fits into one packet without compression.
MIN_COMPRESSED_SIZE = 1200


class CleanFields(ImmutableMultiDict[str, Any]):
    """Fields without NUL characters, which PostgreSQL refuses in text."""

    def __init__(self, mapping: Any = None) -> None:
        pairs = iter_multi_items(mapping) if mapping else ()
        super().__init__([(name, text.replace("\0", "") if isinstance(text, str) else text) for name, text in pairs])


class BodyReader:
    """The body of a request. Whatever the server raises for a malformed one becomes OSError: the sender is at fault.

    Werkzeug answers that with 400; the server's own exceptions are of no common class.
    """

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes."""
        try:
            return cast(bytes, self._body.read(size))
        except Exception as error:
            raise OSError("the body of the request cannot be read") from error

    def readline(self, size: int = -1) -> bytes:
        """Read one line of at most ``size`` bytes."""
        try:
            return cast(bytes, self._body.readline(size))
        except Exception as error:
            raise OSError("the body of the request cannot be read") from error


class AppRequest(Request):
    """A request. Fields of staff pages are ``CleanFields``; other fields stay unchanged.

    SMS providers sign their fields as sent, and ``core`` checks the fields of participants.
    """

    def __init__(self, environ: Any, populate_request: bool = True, shallow: bool = False) -> None:
        environ["wsgi.input"] = BodyReader(environ.get("wsgi.input"))
        super().__init__(environ, populate_request, shallow)
        if self.path.startswith("/staff"):
            self.parameter_storage_class = CleanFields


@dataclass
class RequestState:
    """State of one request.

    ``failed``: nothing may be committed. ``styles``, ``scripts``: hashes for the Content-Security-Policy header.
    """

    work: UnitOfWork | None = None
    actor: Actor = SYSTEM
    language: str = ""
    zone: str = "Asia/Shanghai"
    failed: bool = False
    delay: float = 0.0
    styles: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)


def app_context() -> AppContext:
    """Return the settings, data files, database and clock of the process."""
    return cast(AppContext, current_app.extensions["app_context"])


def state() -> RequestState:
    """Return the state of this request; create it on first use."""
    if "state" not in g:
        g.state = RequestState()
    return cast(RequestState, g.state)


def work() -> UnitOfWork:
    """Return the unit of work of this request; open it on first use.

    A participant's GET reads only. Staff pages may write on a GET: each view of an identified record is recorded.
    """
    current = state()
    if current.work is None:
        engine = app_context().engine
        if request.method in ("GET", "HEAD") and not request.path.startswith("/staff"):
            engine = app_context().reader
        current.work = app_context().unit_of_work(Session(engine, expire_on_commit=False), current.actor)
    return current.work


def set_actor(actor: Actor) -> None:
    """Set the actor for the rest of this request."""
    state().actor = actor
    if state().work is not None:
        work().actor = actor


def set_zone(name: str) -> None:
    """Set the time zone in which this page shows times."""
    state().zone = name


def language() -> str:
    """Return the language of this page.

    The first known of: ``lang`` in the address, the ``lang`` cookie, the Accept-Language header.
    """
    current = state()
    if not current.language:
        header = request.headers.get("Accept-Language")
        current.language = negotiate_language(
            _known_language(request.args.get("lang")), _known_language(request.cookies.get("lang")), header
        )
    return current.language


def set_language(own: str) -> None:
    """Set the user's own language, unless the address or the ``lang`` cookie names another."""
    state().language = negotiate_language(
        _known_language(request.args.get("lang")), _known_language(request.cookies.get("lang")), own
    )


def translator() -> Translator:
    """Return the translator for the language of this page."""
    return app_context().catalogs.translator(language())


def discard() -> None:
    """Roll back the changes of this request; the error page that follows commits nothing."""
    current = state()
    current.failed = True
    if current.work is not None:
        current.work.session.rollback()


def release() -> None:
    """Roll back the changes of this request, to release the database during slow work."""
    work().session.rollback()


def hold_back(seconds: float) -> None:
    """Send the response of this request ``seconds`` later, after its changes are committed."""
    state().delay = max(state().delay, seconds)


def install(app: Flask, app_context: AppContext) -> None:
    """Configure ``app``: context, settings, translations, and hooks around every view."""
    config = app_context.config
    app.extensions["app_context"] = app_context
    app.request_class = AppRequest
    app.config.update(
        SECRET_KEY=config.secret_key,
        MAX_CONTENT_LENGTH=MAX_BODY,
        MAX_FORM_MEMORY_SIZE=MAX_BODY,
        SESSION_COOKIE_NAME="s",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.secure_cookies,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
    )
    if config.proxy_hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    CSRFProtect(app)
    _install_translations(app)
    app.before_request(_refuse_unreadable_address)
    app.after_request(_finish_response)
    app.teardown_appcontext(_close_session)


def _refuse_unreadable_address() -> None:
    """Answer 404 to an address that nothing can have: PostgreSQL refuses NUL in text."""
    if "\0" in request.path:
        raise NotFound("address")


def _install_translations(app: Flask) -> None:
    env = app.jinja_env
    env.add_extension("jinja2.ext.i18n")
    env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda text: translator().catalog.gettext(text),
        lambda one, many, number: translator().catalog.ngettext(one, many, number),
        newstyle=True,
        pgettext=lambda context, text: translator().catalog.gettext(f"{context}{CONTEXT_END}{text}"),
    )
    env.trim_blocks = env.lstrip_blocks = True
    env.globals.update(style=style, allow_style=allow_style, script=script, when=when, switch_url=switch_url)
    app.context_processor(
        lambda: {
            "t": translator(),
            "html_lang": HTML_CODES[language()],
            "other_lang": HTML_CODES[translator().other],
            "other_name": LANGUAGE_NAMES[translator().other],
            "env_banner": not app_context().config.production,
        }
    )


def when(at: datetime, pattern: str) -> str:
    """Return ``at`` in the page's zone and language; translators may change ``pattern``."""
    return translator().when(at, state().zone, pattern)


def switch_url() -> str:
    """Return the address of this page in the other language."""
    return f"{request.path}?lang={translator().other}"


def style(*names: str) -> Markup:
    """Return the named style sheets as one inline ``<style>``, allowed by its hash."""
    text, digest = _inline(names)
    state().styles.append(digest)
    return Markup("<style>%s</style>") % Markup(text)  # noqa: S704  files of this package


def allow_style(*names: str) -> str:
    """Allow the named style sheets on this page, for a part that its script fetches later; return ""."""
    state().styles.append(_inline(names)[1])
    return ""


def script(*names: str) -> Markup:
    """Return the named scripts as one inline ``<script>``, allowed by its hash."""
    text, digest = _inline(names)
    state().scripts.append(digest)
    return Markup("<script>%s</script>") % Markup(text)  # noqa: S704  files of this package


@cache
def _inline(names: tuple[str, ...]) -> tuple[str, str]:
    text = "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = "\n".join(line.strip() for line in text.splitlines() if line.strip())
    if names[0].endswith(".css"):
        text = re.sub(r"([{};,])\n", r"\1", text).replace(";}", "}")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return text, f"'sha256-{digest}'"


def _known_language(code: str | None) -> str | None:
    return code if code in LANGUAGES else None


def _set_language_cookie(response: Response, chosen: str) -> None:
    """Store the chosen language for this form or link, or for the staff pages.

    The next user of the same phone may read another language.
    """
    is_form_page = request.path.startswith(("/a/", "/c/", "/f/", "/due"))
    # "/f/<ref>" for all pages of a form, "/due" for those of a card.
    parts = 2 if request.path.startswith("/due") else 3
    place = "/".join(request.path.split("/")[:parts]) if is_form_page else None
    staff = "/staff" if request.path.startswith("/staff") else "/"
    response.set_cookie(
        "lang",
        chosen,
        path=place or staff,
        max_age=YEAR_SECONDS if staff == "/staff" else None,
        httponly=True,
        samesite="Lax",
        secure=app_context().config.secure_cookies,
    )


def _compress(response: Response) -> None:
    """Compress the page with gzip if the browser accepts it: for slow connections."""
    response.vary.add("Accept-Encoding")
    if response.is_streamed or response.content_encoding or not request.accept_encodings["gzip"]:
        return
    body = response.get_data()
    if len(body) > MIN_COMPRESSED_SIZE:
        response.set_data(gzip.compress(body, compresslevel=1, mtime=0))
        response.content_encoding = "gzip"


def _finish_response(response: Response) -> Response:
    """Commit once before the response is sent, then set the headers."""
    current = state()
    if current.work is not None and not current.failed:
        current.failed = True  # if the commit raises, the error page must not repeat it
        current.work.session.commit()
        current.failed = False
    # One at a time in each process: held-back answers must not occupy the threads for all other pages.
    if current.delay and _HELD_BACK.acquire(blocking=False):
        try:
            if current.work is not None:
                current.work.session.close()
            time.sleep(current.delay)
        finally:
            _HELD_BACK.release()
    chosen = _known_language(request.args.get("lang"))
    if chosen:
        _set_language_cookie(response, chosen)
    _compress(response)
    headers = response.headers
    headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src {' '.join(current.styles) or chr(39) + 'none' + chr(39)}; "
        f"script-src {' '.join(current.scripts) or chr(39) + 'none' + chr(39)}; img-src data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    headers["X-Robots-Tag"] = "noindex"
    headers.setdefault("Cache-Control", "no-store")
    if app_context().config.secure_cookies:
        headers["Strict-Transport-Security"] = f"max-age={YEAR_SECONDS}"
    return response


def _close_session(_error: BaseException | None) -> None:
    if "state" in g and g.state.work is not None:
        g.state.work.session.close()
