"""Measurements with their bounds, and a description of the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measurement:
    """One figure: ``value`` in ``unit``.

    ``bound``: the highest allowed value, or the lowest if ``least``; None: reported only.
    """

    name: str
    value: float
    unit: str
    bound: float | None = None
    least: bool = False

    @property
    def kept(self) -> bool:
        """Return True if the value is within its bound or has none."""
        if self.bound is None:
            return True
        return self.value >= self.bound if self.least else self.value <= self.bound

    @property
    def row(self) -> str:
        """Return the row for the table in docs/performance.md."""
        side = "at least" if self.least else "at most"
        bound = f"{side} {format_number(self.bound)} {self.unit}" if self.bound is not None else "reported"
        mark = "" if self.bound is None else "yes" if self.kept else "**no**"
        return f"| {self.name} | {format_number(self.value)} {self.unit} | {bound} | {mark} |"


def format_number(number: float) -> str:
    """Return ``number`` with three significant digits, or whole with separators from 1,000 on."""
    if number >= 1000:
        return f"{number:,.0f}"
    return f"{number:.0f}" if number >= 100 or number == int(number) else f"{number:.3g}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that the fraction ``share`` (0 to 1) of ``values`` does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def describe_machine() -> str:
    """Return processor, cores, memory, operating system and Python version of this machine."""
    about = dict(
        line.split(":", 1)
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.count(":") and line[0] != ":"
    )
    model = next((value.strip() for key, value in about.items() if key.strip() == "model name"), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {system}, Python {platform.python_version()}"


def report(figures: Sequence[Measurement]) -> None:
    """Print ``figures``, a table row each."""
    for figure in figures:
        print(figure.row, flush=True)
