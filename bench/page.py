"""The first question on a slow phone network: bytes, requests, first paint.

400 kbit/s, 400 ms latency, processor slowed down four times, Chromium with an empty cache. A static page is measured in
the same run for comparison.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from bench.figures import Measurement, report
from bench.walker import Walker, add_staff_on_duty, make_form_links
from tests.support import live_system
from tests.support.chromium import FLAGS, find_chromium

LOADS = 7
SLOW = {"offline": False, "latency": 400, "downloadThroughput": 400_000 / 8, "uploadThroughput": 400_000 / 8}
WAIT_FOR_PAINT = """() => new Promise(done => new PerformanceObserver((list, watcher) => {
  const first = list.getEntries().find(entry => entry.name === 'first-contentful-paint');
  if (first) { watcher.disconnect(); done(first.startTime); }
}).observe({type: 'paint', buffered: true}))"""


def static_page() -> bytes:
    """Return a page that has only 30 items with four options."""
    rows = "".join(
        f"<p>Item {n}: a question of the usual length, over the past week?</p>"
        + "".join(
            f'<label><input type="radio" name="q{n}" value="{code}"> Option {code}</label> ' for code in range(1, 5)
        )
        for n in range(1, 31)
    )
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return f'{head}<link rel="icon" href="data:,"><title>Static</title><form>{rows}</form></html>'.encode()


class StaticPage(BaseHTTPRequestHandler):
    """Serves the static page."""

    def do_GET(self) -> None:
        """Answer every path with the static page."""
        body = static_page()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the library's name
        """Log nothing."""


@contextmanager
def static_site() -> Iterator[str]:
    """Serve the static page and yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), StaticPage)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


def load(browser: Browser, url: str, cookies: dict[str, str], device: dict[str, Any]) -> tuple[float, int, int]:
    """Load ``url``; return milliseconds to the first paint, transferred bytes and requests."""
    context = browser.new_context(**device, locale="zh-CN")
    jar: list[Any] = [{"name": name, "value": value, "url": url} for name, value in cookies.items()]
    context.add_cookies(jar)
    page = context.new_page()
    session = context.new_cdp_session(page)
    sizes: list[int] = []
    asked: list[str] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    page.on("request", lambda request: asked.append(request.url))
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    session.send("Network.emulateNetworkConditions", SLOW)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.goto(url, wait_until="load", timeout=60_000)
    paint = float(page.evaluate(WAIT_FOR_PAINT))
    page.wait_for_timeout(500)
    context.close()
    return paint, sum(sizes), sum(not address.startswith("data:") for address in asked)


def measure() -> list[Measurement]:
    """Measure size, requests and first paint of the first question."""
    with (
        tempfile.TemporaryDirectory() as folder,
        live_system.running_system(Path(folder)) as site,
        static_site() as plain,
    ):
        add_staff_on_duty(site)
        walker = Walker(site.url, make_form_links(site, 1, "PAGE").popitem()[1], fetch=False)
        walker.start()
        ref = next(name for name in walker.cookies if name.startswith("f_")).removeprefix("f_")
        first = f"{site.url}/f/{ref}/1"
        with sync_playwright() as playwright:
            path = find_chromium()
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            device = playwright.devices["Pixel 7"]
            ours, theirs, chats = [], [], []
            for _ in range(LOADS):
                ours.append(load(browser, first, walker.cookies, device))
                theirs.append(load(browser, plain, {}, device))
                chats.append(load(browser, f"{site.url}/f/{ref}/chat", walker.cookies, device))
            browser.close()
    paint, static, chat = (median(one[0] for one in loads) for loads in (ours, theirs, chats))
    return [
        Measurement("First question: transferred, compressed", max(one[1] for one in ours) / 1000, "kB", 14),
        Measurement("First question: requests", max(one[2] for one in ours), "", 2),
        Measurement(
            "First question in the chat: transferred, compressed", max(one[1] for one in chats) / 1000, "kB", 14
        ),
        Measurement("First question in the chat: requests", max(one[2] for one in chats), "", 2),
        Measurement("First question in the chat: first paint on a slow phone network, median", chat, "ms"),
        Measurement("First question: first paint on a slow phone network, median", paint, "ms"),
        Measurement("Static page with 30 items, same run: first paint, median", static, "ms"),
        Measurement("First paint, ours over the static page's", paint / static, "×", 1.3),
    ]


def main() -> None:
    """Run the benchmark and print its figures."""
    report(measure())


if __name__ == "__main__":
    main()
