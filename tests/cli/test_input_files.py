"""Test what the file tools share: the site's plan folder, and lines of text of any program."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pro.cli.file_tools.reply import reply
from pro.cli.file_tools.screen import screen
from pro.cli.file_tools.triage import triage

ROOT = Path(__file__).resolve().parents[2]
CASE = '{"id": "1", "answers": {"bleed": 3, "bleed_now": 1}}\n'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a plan folder with a plan and a lexicon of the site's own."""
    text = (ROOT / "pro/data/plans/npc_reirradiation.yaml").read_text(encoding="utf-8")
    (tmp_path / "our_study.yaml").write_text(text.replace("id: npc_reirradiation", "id: our_study"), encoding="utf-8")
    (tmp_path / "lexicons").mkdir()
    shutil.copy(ROOT / "pro/data/lexicons/npc_freetext.yaml", tmp_path / "lexicons" / "our_words.yaml")
    lexicon = tmp_path / "lexicons" / "our_words.yaml"
    lexicon.write_text(lexicon.read_text("utf-8").replace("id: npc_freetext", "id: our_words"), encoding="utf-8")
    return tmp_path


def run(command: object, *arguments: str, data: bytes = b"", env: dict[str, str] | None = None) -> Result:
    """Run a command of the file tools."""
    return CliRunner().invoke(command, arguments, input=data, env=env)  # type: ignore[arg-type]


def test_triage_knows_the_plans_of_the_site(site: Path) -> None:
    here = {"PRO_PLANS_DIR": str(site)}
    found = run(triage, "our_study", data=CASE.encode(), env=here)
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["level"] == "emergency"
    assert run(triage, "our_study", "--plans", str(site), data=CASE.encode()).exit_code == 0
    without = run(triage, "our_study", data=CASE.encode())
    assert (without.exit_code, "is not a known plan" in without.stderr) == (2, True)


def test_a_plan_of_the_site_replaces_a_built_in_one(site: Path) -> None:
    path = site / "npc_reirradiation.yaml"
    path.write_text("id: [", encoding="utf-8")
    found = run(triage, "npc_reirradiation", data=CASE.encode(), env={"PRO_PLANS_DIR": str(site)})
    assert found.exit_code == 1
    assert str(path) in found.stderr


def test_screen_knows_the_lexicons_of_the_site(site: Path) -> None:
    here = {"PRO_PLANS_DIR": str(site)}
    assert run(screen, "--lexicon", "our_words", data="大出血\n".encode(), env=here).exit_code == 0
    assert run(screen, "--lexicon", "our_words", data="大出血\n".encode()).exit_code == 2
    shutil.copy(site / "lexicons" / "our_words.yaml", site / "lexicons" / "npc_freetext.yaml")
    (site / "lexicons" / "npc_freetext.yaml").write_text("id: [", encoding="utf-8")
    assert "npc_freetext.yaml" in run(screen, data=b"x\n", env=here).stderr


def test_reply_looks_into_the_plans_of_the_site(site: Path) -> None:
    here = {"PRO_PLANS_DIR": str(site)}
    assert run(reply, "npc_checkin", "bleed", data=b"1\n", env=here).stderr == ""
    (site / "our_study.yaml").write_text("id: [", encoding="utf-8")
    assert "our_study.yaml" in run(reply, "npc_checkin", "bleed", data=b"1\n", env=here).stderr


@pytest.mark.parametrize("command", [(screen,), (reply, "npc_checkin", "bleed")])
def test_a_plan_folder_that_is_not_there_is_named(command: tuple[object, str], tmp_path: Path) -> None:
    found = run(*command, data=b"x\n", env={"PRO_PLANS_DIR": str(tmp_path / "none")})
    assert found.exit_code == 2
    assert "none" in found.stderr


@pytest.mark.parametrize("command", [(screen,), (reply, "npc_checkin", "bleed")])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_every_line_is_one_text(command: tuple[object, str], end: str, last: bool) -> None:
    text = end.join(["没有", "大出血", "", "3"]) + (end if last else "")
    plain = run(*command, data="没有\n大出血\n\n3\n".encode())
    assert run(*command, data=text.encode()).stdout == plain.stdout
    assert run(*command, data=b"\xef\xbb\xbf" + text.encode()).stdout == plain.stdout
    assert len(plain.stdout.splitlines()) == 4


def test_triage_reads_lines_of_every_program() -> None:
    plain = run(triage, "npc_reirradiation", data=(CASE * 2).encode())
    for end in ("\r\n", "\r"):
        found = run(triage, "npc_reirradiation", data=b"\xef\xbb\xbf" + (CASE * 2).replace("\n", end).encode())
        assert (found.exit_code, found.stdout) == (0, plain.stdout)


@pytest.mark.parametrize("command", [(screen,), (reply, "npc_checkin", "bleed"), (triage, "npc_reirradiation")])
def test_utf16_is_refused_in_a_sentence(command: tuple[object, str]) -> None:
    found = run(*command, data="大出血\n".encode("utf-16"))
    assert (found.exit_code, found.stdout) == (1, "")
    assert "UTF-16" in found.stderr


@pytest.mark.parametrize("command", [(screen,), (reply, "npc_checkin", "bleed"), (triage, "npc_reirradiation")])
def test_an_empty_file_has_no_lines(command: tuple[object, str]) -> None:
    found = run(*command)
    assert (found.exit_code, found.stdout) == (0, "")
