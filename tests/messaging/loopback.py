"""Run small servers on loopback: HTTP for the simulated providers, and a mail server that hangs when it is told to."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
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


@dataclass
class Mailbox:
    """The Message-IDs of the letters that a mail server got; to the first ``hang`` of them it never answers."""

    hang: int = 0
    letters: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def take(self, letter: bytes) -> None:
        """Store a letter; return when it is to be answered."""
        for line in letter.splitlines():
            if line.lower().startswith(b"message-id:"):
                self.letters.append(line.partition(b":")[2].strip().decode())
        if len(self.letters) <= self.hang:
            self.ended.wait(120)


@contextmanager
def mail_server(mailbox: Mailbox) -> Iterator[tuple[int, Mailbox]]:
    """Run a mail server without encryption; yield its port and ``mailbox``."""

    class Dialogue(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            try:
                self.wfile.write(b"220 here\r\n")
                for line in iter(self.rfile.readline, b""):
                    if line.strip().upper() == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        mailbox.take(b"".join(iter(self.rfile.readline, b".\r\n")))
                    self.wfile.write(b"250 fine\r\n")
            except OSError:
                pass  # the client was killed

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        address_family = socket.AF_INET

    with Server(("127.0.0.1", 0), Dialogue) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1]), mailbox
        finally:
            mailbox.ended.set()
            server.shutdown()
            thread.join(5)
