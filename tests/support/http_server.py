"""Run an application behind a real HTTP server on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server


class SilentRequestHandler(WSGIRequestHandler):
    """A request handler without an access log, as in production, where only nginx writes one."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write nothing."""


@contextmanager
def run_http_server(app: Flask) -> Iterator[str]:
    """Serve ``app`` on a free port, one thread a request; yield its address.

    The application's database is closed at the end.
    """
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=SilentRequestHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
        app.extensions["app_context"].engine.dispose()
