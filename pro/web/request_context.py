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
from pro.i18n import HTML_CODES, LANGUAGES, NAMES, Translator, negotiate

STATIC = Path(__file__).parent.parent / "static"
MAX_BODY = 256 * 1024
YEAR = 365 * 24 * 3600
# Below this a page fits one packet anyway.
SMALL = 1200


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


def house() -> AppContext:
    """The application's house."""
    return cast(AppContext, current_app.extensions["pro"])


def visit() -> RequestState:
    """This request's visit."""
    if "visit" not in g:
        g.visit = RequestState()
    return cast(RequestState, g.visit)


def work() -> UnitOfWork:
    """This request's unit of work, opened when first asked for.

    A participant's GET reads only. Staff pages may write on a GET too: who looked at an identified record is recorded.
    """
    here = visit()
    if here.work is None:
        engine = house().engine
        if request.method in ("GET", "HEAD") and not request.path.startswith("/staff"):
            engine = house().reader
        here.work = house().work(Session(engine, expire_on_commit=False), here.actor)
    return here.work


def become(actor: Actor) -> None:
    """Who acts from here on in this request."""
    visit().actor = actor
    if visit().work is not None:
        work().actor = actor


def zone(name: str) -> None:
    """The time zone in which this page shows times."""
    visit().zone = name


def language() -> str:
    """This page's language: the switch in the address, the person's last choice, or what the browser asks for."""
    here = visit()
    if not here.language:
        header = request.headers.get("Accept-Language")
        here.language = negotiate(_known(request.args.get("lang")), _known(request.cookies.get("lang")), header)
    return here.language


def prefer(own: str) -> None:
    """The person's own language, unless this browser chose another by the switch."""
    visit().language = negotiate(_known(request.args.get("lang")), _known(request.cookies.get("lang")), own)


def translator() -> Translator:
    """The words of the interface in this page's language."""
    return house().catalogs.translator(language())


def undo() -> None:
    """Give up what this request changed; the error page that follows commits nothing."""
    here = visit()
    here.failed = True
    if here.work is not None:
        here.work.session.rollback()


def let_go() -> None:
    """Hold nothing of the database while something slow runs; what this request changed so far is given up."""
    work().session.rollback()


def install(app: Flask, the_house: AppContext) -> None:
    """Give ``app`` its house, its settings and everything that happens around a view."""
    config = the_house.config
    app.extensions["pro"] = the_house
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
    _install_words(app)
    app.after_request(_finish)
    app.teardown_appcontext(_close)


def _install_words(app: Flask) -> None:
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
            "other_name": NAMES[translator().other],
            "env_banner": not house().config.production,
        }
    )


def when(at: datetime, pattern: str) -> str:
    """``at`` in the page's zone and language, by a pattern that translators own."""
    return translator().when(at, visit().zone, pattern)


def switch_url() -> str:
    """This page in the other language."""
    return f"{request.path}?lang={translator().other}"


def style(*names: str) -> Markup:
    """The named sheets as one inline ``<style>``, allowed by its hash."""
    text, digest = _inline(names)
    visit().styles.append(digest)
    return Markup("<style>%s</style>") % Markup(text)  # noqa: S704  our own files


def script(*names: str) -> Markup:
    """The named scripts as one inline ``<script>``, allowed by its hash."""
    text, digest = _inline(names)
    visit().scripts.append(digest)
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


def _known(code: str | None) -> str | None:
    return code if code in LANGUAGES else None


def _remember(response: Response, chosen: str) -> None:
    """Keep the choice for this form or link, or the staff's pages: the next person on this phone may speak another."""
    own = request.path.startswith(("/a/", "/c/", "/f/", "/due"))
    place = "/".join(request.path.split("/")[:3]) if own else None
    staff = "/staff" if request.path.startswith("/staff") else "/"
    response.set_cookie(
        "lang",
        chosen,
        path=place or staff,
        max_age=YEAR if staff == "/staff" else None,
        httponly=True,
        samesite="Lax",
        secure=house().config.secure_cookies,
    )


def _squeeze(response: Response) -> None:
    """Compress a page for whoever takes it: one window of a slow line holds it whole."""
    response.vary.add("Accept-Encoding")
    if response.is_streamed or response.content_encoding or not request.accept_encodings["gzip"]:
        return
    body = response.get_data()
    if len(body) > SMALL:
        response.set_data(gzip.compress(body, compresslevel=1, mtime=0))
        response.content_encoding = "gzip"


def _finish(response: Response) -> Response:
    """Commit once, before the response leaves; then the headers."""
    here = visit()
    if here.work is not None and not here.failed:
        here.failed = True  # a commit that raises must not be tried again for the error page
        here.work.session.commit()
        here.failed = False
    chosen = _known(request.args.get("lang"))
    if chosen:
        _remember(response, chosen)
    _squeeze(response)
    headers = response.headers
    headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src {' '.join(here.styles) or chr(39) + 'none' + chr(39)}; "
        f"script-src {' '.join(here.scripts) or chr(39) + 'none' + chr(39)}; img-src data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    headers["X-Robots-Tag"] = "noindex"
    headers.setdefault("Cache-Control", "no-store")
    if house().config.secure_cookies:
        headers["Strict-Transport-Security"] = f"max-age={YEAR}"
    return response


def _close(_error: BaseException | None) -> None:
    if "visit" in g and g.visit.work is not None:
        g.visit.work.session.close()
