"""Test ``flask screen``: one text a line in, one JSON object a line out, for any bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from flask import Flask

ROOT = Path(__file__).parents[2]
LINES = [
    ("\ufeff流鼻血了\r\n".encode(), "urgent", [("bleed", "流鼻血", "affirmed")]),
    (b"no bleeding\r\n", "watch", [("bleed", "bleeding", "negated")]),
    (b"\n", "watch", []),
    (b"\xff\xfe\n", "watch", []),
    ("大出血".encode() + b"\xff\n", "emergency", [("bleed", "大出血", "affirmed")]),
    ("今天\u2028很好\n".encode(), "none", []),
    ("差点晕倒".encode(), "urgent", [("faint", "差点晕倒"[2:], "near")]),
]


def test_each_line_is_screened_without_settings_and_whatever_its_bytes(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "PRO_MODE": "production", "PRO_DATABASE_URL": "sqlite:////nowhere/pro.sqlite3"}
    command = [sys.executable, "-m", "flask", "screen"]
    given = b"".join(line for line, _, _ in LINES)
    typed = subprocess.run(command, cwd=ROOT, env=env, input=given, capture_output=True)
    assert typed.returncode == 0, typed.stderr
    found = [json.loads(line) for line in typed.stdout.decode("utf-8").splitlines()]
    assert found == [
        {"level": level, "hits": [{"class": name, "term": term, "status": status} for name, term, status in hits]}
        for _, level, hits in LINES
    ]


def test_a_file_is_read_too_and_an_empty_one_says_nothing(app: Flask, tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("好的\n", encoding="utf-8")
    runner = app.test_cli_runner()
    assert runner.invoke(args=["screen", str(texts)]).output == '{"level": "none", "hits": []}\n'
    assert runner.invoke(args=["screen"], input="").output == ""
