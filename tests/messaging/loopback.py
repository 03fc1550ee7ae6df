"""Run a small HTTP server on loopback, for the simulated providers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from werkzeug.datastructures import Headers

# Status, headers, body.
Answer = tuple[int, Mapping[str, str], bytes]


@contextmanager
def served(reply: Callable[[str, Headers, bytes], Answer], problems: list[str]) -> Iterator[str]:
    """Answer every POST by ``reply(target, headers, body)``; yield the server's address.

    A client that closed its connection is noted in ``problems``.
    """

    class Requests(BaseHTTPRequestHandler):
        # As real servers do: the connection stays open for the next request, and a reply is sent in one piece.
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, data = reply(self.path, Headers(list(self.headers.items())), body)
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except ConnectionError:
                problems.append("the client hung up")

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
