"""Count by area what `make mutate` found: which changes of the code no test noticed."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

# The start of a mutant's name -> the area that docs/testing.md names.
AREAS = {
    "pro.core.rule_language.": "rules: language",
    "pro.core.triage.": "rules: verdict and escalation steps",
    "pro.core.text.": "screening: frames, attributes, stop requests",
    "pro.features.alerts.": "alerts",
    "pro.features.duty_roster.": "notifications",
}
# A mutant that makes a test wait without end is noticed as well.
NOTICED = ("killed", "timeout", "segfault", "caught by type check")


def count_by_area(lines: Iterable[str]) -> dict[str, Counter[str]]:
    """Count the states in the lines of `mutmut results --all true`, for each area."""
    counts = {area: Counter[str]() for area in AREAS.values()}
    for line in lines:
        name, _, state = line.strip().partition(": ")
        area = next((area for start, area in AREAS.items() if name.startswith(start)), None)
        if area:
            counts[area][state] += 1
    return counts


def table(counts: dict[str, Counter[str]]) -> str:
    """Return the counts as a Markdown table; a score is the share noticed of those tried."""
    rows = ["| area | mutants | tried | noticed | survived | no test | score |", "|---|---|---|---|---|---|---|"]
    for area, states in (*counts.items(), ("all", sum(counts.values(), Counter[str]()))):
        noticed = sum(states[state] for state in NOTICED)
        survived, untested = states["survived"], states["no tests"]
        tried = noticed + survived + untested
        share = f"{100 * noticed / tried:.0f} %" if tried else "–"
        rows.append(f"| {area} | {states.total()} | {tried} | {noticed} | {survived} | {untested} | {share} |")
    return "\n".join(rows)


def main() -> int:
    """Print the table of the mutants in mutants/."""
    mutmut = Path(sys.executable).with_name("mutmut")
    done = subprocess.run([mutmut, "results", "--all", "true"], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr)
        return done.returncode
    print(table(count_by_area(done.stdout.splitlines())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
