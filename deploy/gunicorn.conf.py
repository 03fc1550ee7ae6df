"""How gunicorn serves the application in production: gunicorn --config deploy/gunicorn.conf.py 'app:create_app()'"""

from __future__ import annotations

import gc
import os
import re
import signal
from typing import Any

from gunicorn.glogging import Logger

# A link's token and a form's address open a participant's form: they do not belong in a log.
SECRET = re.compile(r"/(a|c|f)/[^\s'\"]+")


def redact(value: object) -> object:
    """``value`` as it may be logged."""
    return SECRET.sub(r"/\1/-", value) if isinstance(value, str) else value


class DiscreetLogger(Logger):  # type: ignore[misc]
    """gunicorn's logger without tokens: it names the address of a request that it could not serve."""

    def error(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log an error."""
        super().error(redact(msg), *map(redact, args), **kwargs)

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log a warning."""
        super().warning(redact(msg), *map(redact, args), **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log an exception."""
        super().exception(redact(msg), *map(redact, args), **kwargs)


def post_worker_init(_worker: object) -> None:
    """Leave Ctrl-C to the master, which tells the workers. One that gets both signals within a moment waits for itself:
    its second handler wants the lock of the thread pool that the first one holds.

    What was loaded stays for ever: walking through it at each full collection would hold up a page for 100 ms.
    """
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def worker_exit(_server: object, worker: Any) -> None:
    """End a worker that is done. Python would first wait for every thread, and one may hang on half a request for ever;
    gunicorn would then kill the process and suspect that memory had run out.
    """
    # gunicorn's master calls this too, for a worker that is gone.
    if worker.pid == os.getpid():
        os._exit(0)


bind = "127.0.0.1:8000"
workers = 2
worker_class = "gthread"
threads = 4
timeout = 30
graceful_timeout = 20
keepalive = 5
# nginx writes the access log, without tokens.
accesslog = None
errorlog = "-"
loglevel = "warning"
logger_class = DiscreetLogger
# Every instance of a user would share one socket in the home folder.
control_socket_disable = True
# Each worker opens its own database connections; a fork would share them.
preload_app = False
