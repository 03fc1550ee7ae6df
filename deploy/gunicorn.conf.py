"""How gunicorn serves the application in production: gunicorn --config deploy/gunicorn.conf.py 'app:create_app()'"""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

ROOT = Path(__file__).resolve().parent.parent
# A link's token and a form's address open a participant's form, and an SMS provider is let in by a key in its address:
# they do not belong in a log.
SECRET = re.compile(r"/(a|c|f|sms/alibaba)/[^\s'\"]+")


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


def on_starting(_server: object) -> None:
    """End with the status of a start that is refused, before anything is listened to and systemd is told READY.

    In a process of its own: the master keeps neither the application in memory nor a connection that a worker inherits.
    """
    status = subprocess.run([sys.executable, str(ROOT / "app.py")], check=False).returncode
    if status:
        sys.exit(status)


def post_worker_init(_worker: object) -> None:
    """Leave Ctrl-C to the master, which tells the workers. One that gets both signals within a moment waits for itself:
    its second handler wants the lock of the thread pool that the first one holds.

    What was loaded stays for ever: walking through it at each full collection would hold up a page for 100 ms.
    """
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def worker_exit(_server: object, worker: Any) -> None:
    """End a worker that is done, with its own status.

    Python would first wait for every thread, and one may hang on half a request for ever; gunicorn would then kill the
    process and suspect that memory had run out.
    """
    # gunicorn's master calls this too, for a worker that is gone.
    if worker.pid != os.getpid():
        return
    # gunicorn calls this while the SystemExit that ends the worker is on its way.
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
