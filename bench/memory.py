"""Memory of the web process and the worker under load (PSS: shared pages counted once)."""

from __future__ import annotations

import re
from pathlib import Path

from bench.figures import Measurement, report
from bench.screens import Walk, child_processes, site_on
from bench.walker import make_form_links


def pss(pid: int) -> float:
    """Return the proportional set size (PSS) of process ``pid`` in megabytes."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def measure() -> list[Measurement]:
    """Measure both processes after 20 seconds at 20 screens a second, on both engines."""
    found = []
    for engine in ("SQLite", "PostgreSQL"):
        with site_on(engine) as site:
            walk = Walk(site, list(make_form_links(site, 20, "MEM").values()), fetch=True)
            walk.run(20, 20, 4)
            [web] = child_processes(site.web_pid)
            found.append(
                Measurement(
                    f"{engine}: memory of the web worker (PSS) after {len(walk.times)} screens", pss(web), "MB", 120
                )
            )
            found.append(Measurement(f"{engine}: memory of the worker (PSS)", pss(site.worker_pid), "MB", 100))
    return found


def main() -> None:
    """Run the benchmark and print its figures."""
    report(measure())


if __name__ == "__main__":
    main()
