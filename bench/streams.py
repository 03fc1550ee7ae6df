"""Speed and memory of the commands ``flask score`` and ``flask triage``."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Measurement, report

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data"
SHORT, LONG = 100_000, 1_000_000
CASES = 20_000


@dataclass(frozen=True, slots=True)
class Run:
    """CPU seconds and largest memory in megabytes of one command."""

    seconds: float
    memory: float


def run(arguments: list[str], out: Path) -> Run:
    """Run a flask command with its output in ``out``. Raises RuntimeError if it fails."""
    with out.open("wb") as sink:
        process = subprocess.Popen([sys.executable, "-m", "flask", *arguments], cwd=ROOT, stdout=sink)
        _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"flask {' '.join(arguments)}: exit status {process.returncode}")
    return Run(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def forms(path: Path, rows: int) -> Path:
    """Write ``rows`` forms to ``path``, by repeating the 200 forms of the tests."""
    with (DATA / "qlqc30_reference_200.csv").open(newline="", encoding="utf-8") as source:
        table = list(csv.reader(source))
    columns = [table[0].index(f"Q{n}") for n in range(1, 31)]
    lines = [",".join(row[column] for column in columns) for row in table[1:]]
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(table[0][column] for column in columns) + "\n")
        for start in range(0, rows, len(lines)):
            file.write("\n".join(lines[: rows - start]) + "\n")
    return path


def cases(path: Path, rows: int) -> Path:
    """Write ``rows`` cases to ``path``, by repeating those of the tests, without results."""
    lines = []
    for line in (DATA / "triage_cases.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        case.pop("expected", None)
        lines.append(json.dumps(case, ensure_ascii=False))
    path.write_text("".join(lines[n % len(lines)] + "\n" for n in range(rows)), encoding="utf-8")
    return path


def measure() -> list[Measurement]:
    """Measure speed without the start of the command, and memory for a short and a long file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out = folder / "out"
        start = run(["score", "qlq_c30", str(forms(folder / "one.csv", 1))], out)
        short = run(["score", "qlq_c30", str(forms(folder / "short.csv", SHORT))], out)
        long = run(["score", "qlq_c30", str(forms(folder / "long.csv", LONG))], out)
        lines = sum(1 for _ in out.open("rb"))
        if lines != LONG + 1:
            raise RuntimeError(f"{LONG} forms in, {lines - 1} out")
        one = run(["triage", "npc_reirradiation", str(cases(folder / "one.jsonl", 1))], out)
        many = run(["triage", "npc_reirradiation", str(cases(folder / "many.jsonl", CASES))], out)
    return [
        Measurement(
            "flask score: forms a second on one core", LONG / (long.seconds - start.seconds), "/s", 20_000, least=True
        ),
        Measurement(
            f"flask score: memory for {LONG:,} forms over that for {SHORT:,}", long.memory / short.memory, "×", 1.1
        ),
        Measurement(f"flask score: largest memory, {LONG:,} forms", long.memory, "MB"),
        Measurement("flask triage: judgements a second on one core", CASES / (many.seconds - one.seconds), "/s"),
        Measurement("A command's start, CPU", start.seconds, "s"),
    ]


def main() -> None:
    """Run the benchmark and print its figures."""
    report(measure())


if __name__ == "__main__":
    main()
