"""One screen of a form: CPU time, latency at 10 requests a second, throughput.

A screen saves answers, evaluates rules, writes the audit trail, commits and renders the next page.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.figures import Measurement, percentile, report
from bench.walker import Walker, add_staff_on_duty, make_form_links
from tests.support import live_system, postgres_server
from tests.support.live_system import Site

TICKS = os.sysconf("SC_CLK_TCK")
RATE, WALKERS = 10, 5


@contextmanager
def site_on(engine: str, workers: int = 1) -> Iterator[Site]:
    """Run the system with staff on a new database of ``engine`` ("SQLite" or "PostgreSQL")."""
    with tempfile.TemporaryDirectory() as folder:
        if engine == "SQLite":
            with live_system.running_system(Path(folder), workers=workers) as site:
                add_staff_on_duty(site)
                yield site
        else:
            with (
                postgres_server.server(durable=True) as server,
                live_system.running_system(Path(folder), server.new(), workers) as site,
            ):
                add_staff_on_duty(site)
                yield site


def child_processes(pid: int) -> list[int]:
    """Return the ids of the child processes of ``pid``."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds (user and system) of process ``pid``."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Walk:
    """Parallel walkers that fill in one form after another. ``times``: seconds for a screen."""

    def __init__(self, site: Site, paths: list[str], fetch: bool) -> None:
        self.site, self.paths, self.fetch = site, paths, fetch
        self.times: list[float] = []
        self.lock = threading.Lock()

    def one(self, until: float, pause: float) -> None:
        """Answer forms until ``until`` (monotonic), a screen every ``pause`` seconds."""
        due = time.monotonic()
        while time.monotonic() < until:
            with self.lock:
                if not self.paths:
                    return
                walker = Walker(self.site.url, self.paths.pop(), fetch=self.fetch)
            walker.start()
            while not walker.submitted and time.monotonic() < until:
                due = max(due + pause, time.monotonic() - pause)
                time.sleep(max(0.0, due - time.monotonic()))
                took = walker.step()
                with self.lock:
                    self.times.append(took)
            walker.connection.close()

    def run(self, seconds: float, rate: float | None, walkers: int) -> float:
        """Run ``walkers`` for ``seconds`` at ``rate`` screens a second in total (None: no pause).

        Returns the seconds that it took.
        """
        began = time.monotonic()
        pause = walkers / rate if rate else 0.0
        crowd = [threading.Thread(target=self.one, args=(began + seconds, pause)) for _ in range(walkers)]
        for number, thread in enumerate(crowd):
            time.sleep(1 / rate if rate and number else 0)
            thread.start()
        for thread in crowd:
            thread.join()
        return time.monotonic() - began


def cpu_per_screen(site: Site, fetch: bool, prefix: str) -> float:
    """Return CPU milliseconds of the web process for one screen, one screen at a time."""
    [worker] = child_processes(site.web_pid)
    paths = list(make_form_links(site, 25, prefix).values())
    spent, screens = 0.0, 0
    for number, path in enumerate(paths):
        walker = Walker(site.url, path, fetch=fetch)
        walker.start()
        before = cpu_seconds(worker)
        while not walker.submitted:
            walker.step()
            screens += number > 0
        # The first form is not measured: it warms up the process.
        spent += cpu_seconds(worker) - before if number else 0
        walker.connection.close()
    return spent / screens * 1000


def latency(site: Site, engine: str) -> list[Measurement]:
    """Measure median and 99th percentile of a screen at RATE a second for one minute."""
    walk = Walk(site, list(make_form_links(site, 60, "LAT").values()), fetch=True)
    walk.run(60, RATE, WALKERS)
    times = [took * 1000 for took in walk.times]
    return [
        Measurement(f"{engine}: a screen at {RATE} a second, median of {len(times)}", median(times), "ms", 15),
        Measurement(f"{engine}: the same, 99th percentile", percentile(times, 0.99), "ms", 60),
    ]


def throughput(engine: str) -> Measurement:
    """Measure screens a second with two gunicorn workers; the load runs on the same cores."""
    with site_on(engine, workers=2) as site:
        walk = Walk(site, list(make_form_links(site, 200, "THR").values()), fetch=True)
        took = walk.run(15, None, 8)
        return Measurement(
            f"{engine}: screens with two gunicorn workers, load on the same cores", len(walk.times) / took, "/s"
        )


def measure() -> list[Measurement]:
    """Measure all figures about a screen on both engines."""
    found = []
    for engine in ("SQLite", "PostgreSQL"):
        with site_on(engine) as site:
            for fetch, how in ((True, "one round trip, by the script"), (False, "with a redirect, without script")):
                spent = cpu_per_screen(site, fetch, f"CPU{int(fetch)}")
                found.append(Measurement(f"{engine}: CPU of the web worker a screen, {how}", spent, "ms", 8))
            found += latency(site, engine)
        found.append(throughput(engine))
    return found


def main() -> None:
    """Run the benchmark and print its figures."""
    report(measure())


if __name__ == "__main__":
    main()
