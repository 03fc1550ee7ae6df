"""Each Chinese document has the sections, steps and commands of its English one, and a README names what exists."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest
from flask import Flask

from pro.features.accounts import staff_accounts
from pro.features.operations import demo_study
from tests.support.commands import load_commands
from tests.support.source_files import ROOT, place, report

LONGEST_README = 120
# What has to exist in Chinese; any other document with this ending is held to the same rules.
TRANSLATED = {"README.zh-Hans.md", "deploy/README.zh-Hans.md"}
CHINESE = ".zh-Hans.md"
READMES = tuple(
    ROOT / name for name in ("README.md", "README.zh-Hans.md", "deploy/README.md", "deploy/README.zh-Hans.md")
)
OUTSIDE = {".git", ".venv", "var"}

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
ADDRESS = re.compile(r"<(https?://[^>]+)>")
STEP = re.compile(r"\bstep (\d+)|第(\d+)步")
HAN = re.compile(r"[\u3400-\u9fff]")
# How a line begins: a step of a list, a bullet, a row of a table.
ITEMS = {"step": re.compile(r"(\d+)\. "), "bullet": re.compile(r"- "), "row": re.compile(r"\|")}
# A path in the tree as a README writes it; in deploy/README.md a file of that folder has no folder.
IN_TREE = re.compile(r"(?<![\w/])(?:pro|tests|templates|docs|deploy|translations|bench)/[\w./-]*")
FILE = re.compile(r"[\w.-]+\.(?:md|py|sh|txt|yaml|json|conf|service|example)")
COMMAND = re.compile(r"^(?:\.venv/bin/flask|epro|flask) +(.*)")
# Names of files that a hospital makes, so that they are not in the tree.
OF_A_SITE = {"fullchain.pem", "privkey.pem", "gateway.yaml"}


@dataclass
class Section:
    """What a section of a document holds beside its sentences: it is the same in every language."""

    level: int
    blocks: list[str] = field(default_factory=list)
    inline: Counter[str] = field(default_factory=Counter)
    items: list[str] = field(default_factory=list)
    links: Counter[str] = field(default_factory=Counter)
    steps_named: Counter[str] = field(default_factory=Counter)

    def differences(self, other: Section) -> Iterator[str]:
        """Yield a sentence for each difference, ``other`` being the Chinese section."""
        for name in ("level", "blocks", "inline", "items", "links", "steps_named"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, Counter) and mine != theirs:
                yield f"{name}: only in English {dict(mine - theirs)}, only in Chinese {dict(theirs - mine)}"
            elif mine != theirs:
                yield f"{name}: {mine} in English, {theirs} in Chinese"


def of_both(name: str) -> str:
    """Return the name of the English document or picture for that of a Chinese one, other names as they are."""
    return name.replace(CHINESE, ".md").replace("-zh_Hans.jpg", "-en.jpg")


def sections_of(text: str) -> list[Section]:
    """Return the sections of a document, in order; the first line has to be its title."""
    blocks = FENCE.findall(text)
    found: list[Section] = []
    for line in FENCE.sub("```", text).splitlines():
        if heading := re.match(r"(#+) ", line):
            found.append(Section(level=len(heading[1])))
        section = found[-1]
        if line == "```":
            section.blocks.append(blocks.pop(0))
        section.inline.update(of_both(code) for code in INLINE.findall(line))
        section.links.update(of_both(target) for target in [*LINK.findall(line), *ADDRESS.findall(line)])
        section.steps_named.update(english or chinese for english, chinese in STEP.findall(line))
        for kind, pattern in ITEMS.items():
            if match := pattern.match(line):
                section.items.append(" ".join((kind, *match.groups())))
    return found


def chinese_documents() -> list[Path]:
    """Return every document that is written in Chinese."""
    paths = (path for path in ROOT.rglob(f"*{CHINESE}") if not OUTSIDE.intersection(path.relative_to(ROOT).parts))
    return sorted(paths)


def codes_of(path: Path) -> list[str]:
    """Return every command and name that a document writes as code: inline, and each line of a block."""
    text = path.read_text(encoding="utf-8")
    lines = [line for block in FENCE.findall(text) for line in block.splitlines()[1:-1] if line]
    return [*INLINE.findall(FENCE.sub("", text)), *lines]


def without_codes(path: Path) -> str:
    """Return the sentences of a document."""
    return INLINE.sub("", FENCE.sub("", path.read_text(encoding="utf-8")))


def test_the_documents_for_a_hospital_exist_in_chinese() -> None:
    found = {str(path.relative_to(ROOT)) for path in chinese_documents()}
    assert found >= TRANSLATED


def test_a_chinese_document_has_the_sections_steps_and_commands_of_the_english_one() -> None:
    faults = []
    for path in chinese_documents():
        english = path.with_name(of_both(path.name))
        pair = [sections_of(one.read_text(encoding="utf-8")) for one in (english, path)]
        if len(pair[0]) != len(pair[1]):
            faults.append(f"{place(path)}: {len(pair[1])} headings, {len(pair[0])} in English")
        for number, (mine, theirs) in enumerate(zip(*pair, strict=False), start=1):
            faults += [f"{place(path)}: section {number}: {fault}" for fault in mine.differences(theirs)]
    assert not faults, report(faults)


def test_a_difference_between_languages_would_be_found() -> None:
    english = "# A\n`make run`, step 2\n\n1. One\n2. Two\n\n```\nmake test\n```\n## B\n[x](docs/x.md)\n"
    same = "# 甲\n第2步，`make run`\n\n1. 一\n2. 二\n\n```\nmake test\n```\n## 乙\n[某](docs/x.zh-Hans.md)\n"
    changes = {
        "`make run`": "`make stop`",
        "第2步": "第3步",
        "2. 二": "二",
        "make test\n": "make tests\n",
        "## 乙": "### 乙",
        "docs/x": "docs/y",
    }
    assert not faults_of(english, same)
    for before, after in changes.items():
        assert len(faults_of(english, same.replace(before, after))) == 1, before


def faults_of(english: str, chinese: str) -> list[str]:
    """Return the differences of two short documents with as many sections."""
    return [
        fault
        for one, other in zip(sections_of(english), sections_of(chinese), strict=True)
        for fault in one.differences(other)
    ]


def test_the_documents_link_to_each_other_below_the_title() -> None:
    faults = []
    for path in chinese_documents():
        english = path.with_name(of_both(path.name))
        for one, other in ((path, english), (english, path)):
            second_line = one.read_text(encoding="utf-8").splitlines()[1]
            if other.name not in LINK.findall(second_line):
                faults.append(f"{place(one, 2)}: no link to {other.name}")
    assert not faults, report(faults)


def test_each_document_is_in_its_language() -> None:
    faults = []
    for path in chinese_documents():
        paragraphs = re.split(r"\n\s*\n", without_codes(path))
        faults += [
            f"{place(path)}: no Chinese in: {one.strip()[:60]}"
            for one in paragraphs
            if one.strip() and not HAN.search(one)
        ]
    assert not faults, report(faults)


def test_a_link_leads_to_a_file() -> None:
    faults = []
    for path in {*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*.md")}:
        for target in LINK.findall(without_codes(path)):
            if "://" not in target and not (path.parent / target.partition("#")[0]).exists():
                faults.append(f"{place(path)}: {target} does not exist")
    assert not faults, report(faults)


def test_the_readme_is_short() -> None:
    for name in ("README.md", "README.zh-Hans.md"):
        assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= LONGEST_README, name


def test_the_readme_begins_with_the_two_commands() -> None:
    for name in ("README.md", "README.zh-Hans.md"):
        assert FENCE.findall((ROOT / name).read_text(encoding="utf-8"))[0] == "```\nmake run\nmake test\n```", name


def test_make_commands_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {code.split()[1] for path in READMES for code in codes_of(path) if code.startswith("make ")}
    assert {"run", "test", "demo-reset", "help"} <= named
    assert named <= targets


def command_fault(code: str, app: Flask) -> str | None:
    """Return why ``code`` is no command of the program; None if it is one, or is no flask command at all."""
    if not (match := COMMAND.match(code)):
        return None
    command: click.Command = load_commands(app)
    # What follows a redirection or an & is for the shell.
    words = shlex.split(re.split(r" [<>&]", match[1])[0])
    while isinstance(command, click.Group):
        name = words.pop(0) if words else ""
        if name not in command.commands or command.commands[name].hidden:
            return f"{code}: no command “{name}”"
        command = command.commands[name]
    return None if words == ["--help"] else argument_fault(code, command, words)


def argument_fault(code: str, command: click.Command, words: list[str]) -> str | None:
    """Return why ``command`` would not accept ``words``: an option, a number of arguments, a role or a time."""
    context = click.Context(command)
    try:
        values, _rest, _order = command.make_parser(context).parse_args(list(words))
        for one in command.params:
            value = values.get(str(one.name))
            if one.required and not isinstance(value, str) and not getattr(one, "prompt", None):
                return f"{code}: without {one.human_readable_name}"
            if isinstance(value, str) and isinstance(one.type, click.Choice | click.DateTime):
                one.type.convert(value, one, context)
    except click.UsageError as error:
        return f"{code}: {error.format_message()}"
    return None


def test_commands_exist(app: Flask) -> None:
    codes = [(path, code) for path in READMES for code in codes_of(path)]
    faults = [f"{place(path)}: {fault}" for path, code in codes if (fault := command_fault(code, app))]
    assert not faults, report(faults)
    assert sum(bool(COMMAND.match(code)) for _path, code in codes) >= 60


@pytest.mark.parametrize(
    "code",
    [
        "epro test-alerts",
        "epro staff fire you@example.org",
        "epro plan check --hours FILE",
        "epro wording load qlq_c30 zh_Hans",
        "epro staff shift nurse@example.org away 2026-12-01T08:00 2026-12-08T08:00",
        'epro staff add you@example.org "Your Name" doctor',
    ],
)
def test_a_command_that_does_not_exist_would_be_found(code: str, app: Flask) -> None:
    assert command_fault(code, app)


def test_files_exist() -> None:
    faults = []
    found = 0
    for path in READMES:
        for code in codes_of(path):
            names = [*IN_TREE.findall(code), *(FILE.findall(code) if FILE.fullmatch(code) else [])]
            for name in set(names) - OF_A_SITE:
                found += 1
                if not any((folder / name).exists() for folder in (ROOT, path.parent)):
                    faults.append(f"{place(path)}: {name} does not exist")
    assert not faults, report(faults)
    assert found > 60


def test_the_accounts_of_the_tour_are_those_of_the_demonstration() -> None:
    of_demonstration = {email for email, *_rest in demo_study.STAFF}
    for name in ("README.md", "README.zh-Hans.md"):
        codes = codes_of(ROOT / name)
        emails = {code for code in codes if re.fullmatch(r"\S+@example\.org", code)}
        assert len(emails) >= 4
        assert emails <= of_demonstration
        assert demo_study.PASSWORD in codes


def test_the_guide_assigns_a_shift_to_a_role_that_can_be_on_call() -> None:
    """An administrator is refused by `flask staff shift`: the guide once told a hospital to do that."""
    for path in READMES[2:]:
        text = path.read_text(encoding="utf-8")
        (email,) = re.findall(r"epro staff shift (\S+)@example\.org", text)
        assert staff_accounts.has_right(email, "acknowledge")
        # Their accounts are invited on a page, which works only when the programs run.
        order = ("epro db upgrade", "epro staff add", "enable --now", "nginx -t", "/staff/`", "epro staff shift")
        places = [text.index(part) for part in (*order, "epro test-alert")]
        assert places == sorted(places)
