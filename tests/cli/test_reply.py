"""Test ``flask reply``: one text a line in, one JSON object a line out, for any bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

ROOT = Path(__file__).parents[2]
LINES: list[tuple[bytes, dict[str, object]]] = [
    ("\ufeff３\r\n".encode(), {"kind": "value", "value": 3}),
    ("非常重\n".encode(), {"kind": "unclear", "why": "not_understood"}),
    ("有一点\n".encode(), {"kind": "value", "value": 1}),
    (b"The worst I can imagine\n", {"kind": "value", "value": 4}),
    (b"\n", {"kind": "unclear", "why": "empty"}),
    ("跳过\n".encode(), {"kind": "skip"}),
    (b"StOp\n", {"kind": "command", "command": "stop"}),
    ("语言\n".encode(), {"kind": "command", "command": "language"}),
    (b"1-2\n", {"kind": "unclear", "why": "not_understood"}),
    (b"3\xff\n", {"kind": "unclear", "why": "unreadable"}),
    ("3\u2028\n".encode(), {"kind": "value", "value": 3}),
    ("3天前".encode(), {"kind": "unclear", "why": "not_understood"}),
]


@pytest.mark.parametrize("language", ["zh_Hans", "en"])
def test_each_line_is_read_without_settings_and_whatever_its_bytes(language: str) -> None:
    env = {"PATH": os.environ["PATH"], "PRO_MODE": "production", "PRO_DATABASE_URL": "sqlite:////nowhere/pro.sqlite3"}
    command = [sys.executable, "-m", "flask", "reply", "npc_checkin", "headache", "--lang", language]
    given = b"".join(line for line, _ in LINES)
    typed = subprocess.run(command, cwd=ROOT, env=env, input=given, capture_output=True)
    assert typed.returncode == 0, typed.stderr
    assert [json.loads(line) for line in typed.stdout.decode("utf-8").splitlines()] == [found for _, found in LINES]


@pytest.mark.parametrize(
    ("item", "text", "line"),
    [
        ("weight", "一百二十五斤", '{"kind": "value", "value": 62.5}'),
        ("weight", "24", '{"kind": "unclear", "why": "too_low"}'),
        ("free_text", "没有", '{"kind": "value", "value": "没有"}'),
        ("other7", "恶心、3", '{"kind": "value", "value": ["pain", "nausea"]}'),
    ],
)
def test_numbers_texts_and_lists_from_a_file(app: Flask, tmp_path: Path, item: str, text: str, line: str) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text(text, encoding="utf-8")
    runner = app.test_cli_runner()
    assert runner.invoke(args=["reply", "npc_checkin", item, str(texts)]).output == line + "\n"
    assert runner.invoke(args=["reply", "npc_checkin", item], input="").output == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing", "headache"], "Unknown instrument “nothing”. Available: npc_checkin, qlq_c30."),
        (["npc_checkin", "nothing"], "npc_checkin has no item “nothing”"),
        (["npc_checkin", "headache", "--lang", "fr"], "No wording in “fr”. Available: en, zh_Hans."),
    ],
)
def test_what_is_not_there_is_named(app: Flask, arguments: list[str], sentence: str) -> None:
    result = app.test_cli_runner().invoke(args=["reply", *arguments], input="3\n")
    assert result.exit_code == 2
    assert sentence in result.output
