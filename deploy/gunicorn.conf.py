"""Settings of gunicorn: gunicorn --config deploy/gunicorn.conf.py 'app:create_app()'"""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.http.errors import ParseException

ROOT = Path(__file__).resolve().parent.parent
# Tokens that must not be logged: a link's token or a form's address opens a form, a key in an address admits the SMS
# provider, and the links of staff set a password.
SECRET = re.compile(r"/(a|c|f|sms/alibaba|staff/invitation|staff/reset)/[^\s'\"]+")


def redact(value: object) -> object:
    """Return ``value`` without tokens."""
    return SECRET.sub(r"/\1/-", value) if isinstance(value, str) else value


class DiscreetLogger(Logger):  # type: ignore[misc]
    """gunicorn's logger without tokens. gunicorn logs the address of a request that failed."""

    def error(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log an error without tokens."""
        super().error(redact(msg), *map(redact, args), **kwargs)

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log a warning without tokens."""
        super().warning(redact(msg), *map(redact, args), **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log an exception without tokens."""
        super().exception(redact(msg), *map(redact, args), **kwargs)


def on_starting(_server: object) -> None:
    """Check the start before gunicorn listens; exit with its status if it is refused.

    systemd gets READY only after the check. The check runs in a separate process, so that the master holds neither the
    application in memory nor a database connection that its workers would inherit.
    """
    status = subprocess.run([sys.executable, str(ROOT / "app.py")], check=False).returncode
    if status:
        sys.exit(status)


# gunicorn drops a body that the application leaves unread up to 64 KiB; after a longer one the connection ends.
LONGEST_KEPT_BODY = 48 * 1024


def pre_request(_worker: object, request: Any) -> None:
    """Announce the end of the connection before a long body is refused.

    nginx keeps connections for the next visitor. One that ends only after its answer went out would be given to a
    visitor whose own answer then gets 502 and is lost.
    """
    headers = dict(request.headers)
    length = headers.get("CONTENT-LENGTH", "0")
    if "TRANSFER-ENCODING" in headers or not length.isdigit() or int(length) > LONGEST_KEPT_BODY:
        request.force_close()


# nginx passes on no more (client_max_body_size).
LONGEST_BODY = 1024 * 1024
SECONDS_TO_READ_REST = 2.0


def post_request(_worker: object, _request: object, environ: dict[str, Any], _response: object) -> None:
    """Read what the application left of a body before the connection ends.

    A system that closes a connection with unread data resets it, and the answer that was sent is lost: nginx would show
    "please try again in a minute" instead of the application's own page. Reading stops after 1 MiB or two seconds.
    """
    body, connection = environ.get("wsgi.input"), environ.get("gunicorn.socket")
    if body is None or connection is None:
        return
    end, left = time.monotonic() + SECONDS_TO_READ_REST, LONGEST_BODY
    before = connection.gettimeout()
    connection.settimeout(SECONDS_TO_READ_REST)
    try:
        while left > 0 and time.monotonic() < end and (piece := body.read(min(left, 65536))):
            left -= len(piece)
    except (OSError, ParseException):
        # The visitor went away, or the body is not as HTTP has it: the connection ends either way.
        return
    finally:
        connection.settimeout(before)


def post_worker_init(_worker: object) -> None:
    """Prepare a worker process: freeze loaded objects and ignore Ctrl-C.

    Without gc.freeze() each full collection would visit all loaded objects and delay a page by 100 ms. Ctrl-C is left
    to the master, which signals the workers: with two signals at nearly the same time, a worker's second handler would
    wait for the thread pool's lock, which the first handler holds.
    """
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def worker_exit(_server: object, worker: Any) -> None:
    """End a finished worker process at once, with its own exit status.

    Python would wait for all threads, and a thread may wait without limit for the rest of a request; gunicorn would
    then kill the process and report lack of memory.
    """
    # gunicorn's master also calls this, after a worker process has ended.
    if worker.pid != os.getpid():
        return
    # gunicorn calls this while it handles the SystemExit of the worker.
    ending = sys.exc_info()[1]
    code = ending.code if isinstance(ending, SystemExit) else 0 if ending is None else 1
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


bind = "127.0.0.1:8000"
workers = 2
worker_class = "gthread"
threads = 4
timeout = 30
graceful_timeout = 20
# Longer than nginx keeps an idle connection (4 s), so that gunicorn never ends one that nginx gives to a visitor.
keepalive = 8
# nginx writes the access log, without tokens.
accesslog = None
errorlog = "-"
loglevel = "warning"
logger_class = DiscreetLogger
# All instances of one user would share one socket in the home folder.
control_socket_disable = True
# Each worker opens its own database connections; with preload_app a fork would share them.
preload_app = False
