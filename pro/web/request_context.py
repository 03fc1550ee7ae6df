"""What every page shares: the unit of work and its one commit, the language, safety headers, inline styles by hash."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
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
from pro.i18n import HTML_CODES, LANGUAGE_NAMES, LANGUAGES, Translator, negotiate_language

STATIC = Path(__file__).parent.parent / "static"
MAX_BODY = 256 * 1024
YEAR_SECONDS = 365 * 24 * 3600
# Below this a page fits one packet anyway.
MIN_COMPRESSED_SIZE = 1200


class CleanFields(ImmutableMultiDict[str, Any]):
    """Fields without NUL: no keyboard types it, and PostgreSQL refuses a text that holds it."""

    def __init__(self, mapping: Any = None) -> None:
        pairs = iter_multi_items(mapping) if mapping else ()
        super().__init__([(name, text.replace("\0", "") if isinstance(text, str) else text) for name, text in pairs])


class AppRequest(Request):
    """A request. What staff type comes as ``CleanFields``; providers sign theirs as it is, core judges
    participants'."""

    def __init__(self, environ: Any, populate_request: bool = True, shallow: bool = False) -> None:
        super().__init__(environ, populate_request, shallow)
        if self.path.startswith("/staff"):
            self.parameter_storage_class = CleanFields


@dataclass
class RequestState:
    """What one request has opened so far."""

    work: UnitOfWork | None = None
    actor: Actor = SYSTEM
    language: str = ""
    zone: str = "Asia/Shanghai"
    failed: bool = False
    styles: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)


def app_context() -> AppContext:
    """The process's settings, data files, database and clock."""
    return cast(AppContext, current_app.extensions["app_context"])


def state() -> RequestState:
    """The state of this request."""
    if "state" not in g:
        g.state = RequestState()
    return cast(RequestState, g.state)


def work() -> UnitOfWork:
    """This request's unit of work, opened when first asked for.

    A participant's GET reads only. Staff pages may write on a GET too: who looked at an identified record is recorded.
    """
    current = state()
    if current.work is None:
        engine = app_context().engine
        if request.method in ("GET", "HEAD") and not request.path.startswith("/staff"):
            engine = app_context().reader
        current.work = app_context().unit_of_work(Session(engine, expire_on_commit=False), current.actor)
    return current.work


def set_actor(actor: Actor) -> None:
    """Who acts from here on in this request."""
    state().actor = actor
    if state().work is not None:
        work().actor = actor


def set_zone(name: str) -> None:
    """The time zone in which this page shows times."""
    state().zone = name


def language() -> str:
    """This page's language: the switch in the address, the person's last choice, or what the browser asks for."""
    current = state()
    if not current.language:
        header = request.headers.get("Accept-Language")
        current.language = negotiate_language(
            _known_language(request.args.get("lang")), _known_language(request.cookies.get("lang")), header
        )
    return current.language


def set_language(own: str) -> None:
    """The person's own language, unless this browser chose another by the switch."""
    state().language = negotiate_language(
        _known_language(request.args.get("lang")), _known_language(request.cookies.get("lang")), own
    )


def translator() -> Translator:
    """The words of the interface in this page's language."""
    return app_context().catalogs.translator(language())


def discard() -> None:
    """Give up what this request changed; the error page that follows commits nothing."""
    current = state()
    current.failed = True
    if current.work is not None:
        current.work.session.rollback()


def release() -> None:
    """Hold nothing of the database while something slow runs; what this request changed so far is given up."""
    work().session.rollback()


def install(app: Flask, app_context: AppContext) -> None:
    """Give ``app`` its context, its settings and everything that happens around a view."""
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
    app.after_request(_finish_response)
    app.teardown_appcontext(_close_session)


def _install_translations(app: Flask) -> None:
    env = app.jinja_env
    env.add_extension("jinja2.ext.i18n")
    env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda text: translator().catalog.gettext(text),
        lambda one, many, number: translator().catalog.ngettext(one, many, number),
        newstyle=True,
    )
    env.trim_blocks = env.lstrip_blocks = True
    env.globals.update(style=style, script=script, when=when, switch_url=switch_url)
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
    """``at`` in the page's zone and language, by a pattern that translators own."""
    return translator().when(at, state().zone, pattern)


def switch_url() -> str:
    """This page in the other language."""
    return f"{request.path}?lang={translator().other}"


def style(*names: str) -> Markup:
    """The named sheets as one inline ``<style>``, allowed by its hash."""
    text, digest = _inline(names)
    state().styles.append(digest)
    return Markup("<style>%s</style>") % Markup(text)  # noqa: S704  our own files


def script(*names: str) -> Markup:
    """The named scripts as one inline ``<script>``, allowed by its hash."""
    text, digest = _inline(names)
    state().scripts.append(digest)
    return Markup("<script>%s</script>") % Markup(text)  # noqa: S704  our own files


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
    """Keep the choice for this form or link, or the staff's pages: the next person on this phone may speak another."""
    own = request.path.startswith(("/a/", "/c/", "/f/", "/due"))
    place = "/".join(request.path.split("/")[:3]) if own else None
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
    """Compress a page for whoever takes it: one window of a slow line holds it whole."""
    response.vary.add("Accept-Encoding")
    if response.is_streamed or response.content_encoding or not request.accept_encodings["gzip"]:
        return
    body = response.get_data()
    if len(body) > MIN_COMPRESSED_SIZE:
        response.set_data(gzip.compress(body, compresslevel=1, mtime=0))
        response.content_encoding = "gzip"


def _finish_response(response: Response) -> Response:
    """Commit once, before the response leaves; then the headers."""
    current = state()
    if current.work is not None and not current.failed:
        current.failed = True  # a commit that raises must not be tried again for the error page
        current.work.session.commit()
        current.failed = False
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
