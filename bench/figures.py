"""A measured figure beside the bound that it was promised to keep, and the machine that it was measured on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measurement:
    """``value`` in ``unit``. ``bound``: at most this, or at least it if ``least``; None where it is only reported."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    least: bool = False

    @property
    def kept(self) -> bool:
        """True if the bound holds (or there is none)."""
        if self.bound is None:
            return True
        return self.value >= self.bound if self.least else self.value <= self.bound

    @property
    def row(self) -> str:
        """A row of the table in docs/performance.md."""
        side = "at least" if self.least else "at most"
        bound = f"{side} {format_number(self.bound)} {self.unit}" if self.bound is not None else "reported"
        mark = "" if self.bound is None else "yes" if self.kept else "**no**"
        return f"| {self.name} | {format_number(self.value)} {self.unit} | {bound} | {mark} |"


def format_number(number: float) -> str:
    """Three digits that matter, thousands apart."""
    if number >= 1000:
        return f"{number:,.0f}"
    return f"{number:.0f}" if number >= 100 or number == int(number) else f"{number:.3g}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` (0 to 1) of ``values`` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def describe_machine() -> str:
    """What this was measured on: processor, cores, memory, system, Python."""
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
    """Print ``figures``."""
    for figure in figures:
        print(figure.row, flush=True)
