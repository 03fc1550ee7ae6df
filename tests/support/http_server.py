"""An application behind a real server on loopback, for what must come over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server


class SilentRequestHandler(WSGIRequestHandler):
    """Writes no line for a request: in production nobody but nginx does."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


@contextmanager
def run_http_server(app: Flask) -> Iterator[str]:
    """``app`` on a free port, a thread for each request; its address. Its database is closed at the end."""
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
