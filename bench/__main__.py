"""Run all benchmarks and write the table in docs/performance.md (``make bench``).

Takes about ten minutes and uses the loopback network only.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from bench import inbound, mail, memory, outbox, page, rounds, screening, screens, staff_pages, streams
from bench.figures import Measurement, describe_machine, report

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def main() -> int:
    """Run every benchmark; return exit status 1 if a bound is exceeded."""
    figures: list[Measurement] = []
    for part in (page, screens, mail, memory, rounds, outbox, screening, inbound, staff_pages, streams):
        print(f"{part.__name__}: {(part.__doc__ or '').splitlines()[0]}", flush=True)
        found = part.measure()
        report(found)
        figures += found
    table = "\n".join(
        ["| Metric | Measured | Target | Met |", "|---|---|---|---|", *(figure.row for figure in figures)]
    )
    when = f"{datetime.now(UTC):%Y-%m-%d}, on {describe_machine()}."
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{when}\n\n{table}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 0 if all(figure.kept for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
