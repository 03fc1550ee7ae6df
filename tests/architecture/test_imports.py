"""What may import what (.importlinter), where each package from outside lives, who reads the clock and who commits."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FILES = [ROOT / "app.py", *sorted((ROOT / "pro").rglob("*.py"))]

# Where pages are made.
PAGES = {"pro.web", "pro.pages", "pro.features.*.pages"}
# Third-party package (or a part of the standard library that reaches out) -> modules or packages where it lives.
HOMES: dict[str, set[str]] = {
    "flask": {"app", "pro.cli", *PAGES},
    "flask_wtf": PAGES,
    "wtforms": PAGES,
    "prometheus_client": {"pro.features.operations.pages.metrics_views"},
    "werkzeug": PAGES,
    "markupsafe": {*PAGES, "pro.messaging.message_rendering"},
    "jinja2": {"pro.messaging.message_rendering"},
    "click": {"app", "pro.cli"},
    "sqlalchemy": {
        "pro.db",
        "pro.models",
        "pro.migrations",
        "pro.app_context",
        "pro.features",
        "pro.messaging.outbox_backlog",
        "pro.messaging.message_limit",
        "pro.messaging.outbox",
        # Opens the session of a request; asks nothing with it.
        "pro.web.request_context",
    },
    "alembic": {"pro.db", "pro.migrations"},
    "babel": {"pro.i18n"},
    "yaml": {"pro.catalogue"},
    "pydantic": {"pro.catalogue"},
    "pydantic_core": {"pro.catalogue"},
    "cryptography": {"pro.db", "pro.cli"},
    "argon2": {"pro.features.accounts.passwords", "pro.features.accounts.staff_accounts"},
    "phonenumbers": {"pro.features.accounts.phone_numbers"},
    "holidays": {"pro.public_holidays"},
    "twilio": {"pro.messaging.providers.twilio_sms"},
    # An extra: only what is loaded where it is chosen may import it.
    "alibabacloud_dysmsapi20170525": {"pro.messaging.providers.alibaba_sms"},
    "alibabacloud_tea_openapi": {"pro.messaging.providers.alibaba_sms"},
    "darabonba": {"pro.messaging.providers.alibaba_sms"},
    "requests": {
        "pro.messaging.providers.twilio_sms",
        "pro.messaging.providers.alibaba_sms",
        "pro.messaging.providers.connection_failure",
    },
    "urllib3": {"pro.messaging.providers.connection_failure"},
    "weasyprint": {"pro.exports.card_drawing"},
    "segno": {"pro.exports.card_drawing", "pro.exports.qr_code"},
    "pyotp": {"pro.features.accounts.second_factor"},
    "pypdfium2": {"pro.exports.card_drawing"},
    # A card is drawn by a process of its own.
    "subprocess": {"pro.exports.card_pdf"},
    "smtplib": {"pro.messaging.providers.smtp_email"},
}
# The standard library as core may use it: nothing that reads a file, a clock, the network or the machine.
PURE = {
    *("__future__", "ast", "bisect", "collections", "dataclasses", "datetime", "decimal", "difflib", "enum", "fnmatch"),
    *(
        "functools",
        "itertools",
        "math",
        "operator",
        "fractions",
        "re",
        "string",
        "typing",
        "types",
        "unicodedata",
        "statistics",
    ),
    "zoneinfo",
}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "handler", "base", "misc"}
FORBIDDEN_ENDINGS = ("Helper", "Manager", "Handler", "Util", "Utils", "Base")


@cache
def tree(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def module(path: Path) -> str:
    """The dotted name of a file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module(path): path for path in FILES}


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every imported module with its line; ``from pro import db`` gives ``pro.db``."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are written in full"
            source = node.module or ""
            for alias in node.names:
                full = f"{source}.{alias.name}"
                yield (full if full in MODULES else source), node.lineno


def lives_in(name: str, homes: set[str]) -> bool:
    """True if module ``name`` is one of ``homes`` or lies in one of them."""
    return any(fnmatchcase(name, home) or fnmatchcase(name, f"{home}.*") for home in homes)


def test_an_import_only_goes_down() -> None:
    # By a process of its own: it sets up the logging of whoever calls it.
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, timeout=120, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_there_is_no_import_circle() -> None:
    graph = {name: {target for target, _ in imports(path) if target in MODULES} for name, path in MODULES.items()}
    assert list(TopologicalSorter({name: below - {name} for name, below in graph.items()}).static_order())


@pytest.mark.parametrize("name", MODULES)
def test_a_package_from_outside_stays_in_its_home(name: str) -> None:
    wrong = []
    for target, line in imports(MODULES[name]):
        top = target.split(".")[0]
        if top in ("pro", "app"):
            continue
        if top not in HOMES:
            if top not in sys.stdlib_module_names:
                wrong.append(f"line {line}: give {top} a home in HOMES")
        elif not lives_in(name, HOMES[top]):
            wrong.append(f"line {line}: {top} must not be imported in {name}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("pro.core")])
def test_core_is_pure(name: str) -> None:
    outside = {target for target, _ in imports(MODULES[name]) if target.split(".")[0] not in PURE}
    assert {target for target in outside if not target.startswith("pro.core")} == set()
    called = {
        node.func.id
        for node in ast.walk(tree(MODULES[name]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called.isdisjoint({"open", "print", "input", "eval", "exec", "compile", "__import__"})


# What a participant's pages show is put together there, from every feature.
ASKING_PAGES = {
    "pro.features.participants.pages.participant_list",
    "pro.features.participants.pages.participant_page",
}


@pytest.mark.parametrize("name", [name for name in MODULES if ".pages." in name and name not in ASKING_PAGES])
def test_a_page_leaves_the_database_to_services(name: str) -> None:
    assert not [line for target, line in imports(MODULES[name]) if target.split(".")[0] == "sqlalchemy"]


def test_core_loads_without_flask_or_a_database() -> None:
    code = (
        f"import sys; import {', '.join(name for name in MODULES if name.startswith('pro.core'))}; "
        "sys.exit(bool({'flask', 'sqlalchemy', 'pydantic', 'yaml'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0


@pytest.mark.parametrize("name", MODULES)
def test_no_import_inside_a_function(name: str) -> None:
    functions = [
        node for node in ast.walk(tree(MODULES[name])) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    inner = [
        n.lineno for function in functions for n in ast.walk(function) if isinstance(n, ast.Import | ast.ImportFrom)
    ]
    assert not inner, f"{name}: import at the top, not at lines {inner}"


def uses(name: str, owners: set[str], attributes: set[str]) -> list[int]:
    """Lines where ``owner.attribute`` stands."""
    return [
        node.lineno
        for node in ast.walk(tree(MODULES[name]))
        if isinstance(node, ast.Attribute)
        and node.attr in attributes
        and isinstance(node.value, ast.Name | ast.Attribute)
        and (node.value.id if isinstance(node.value, ast.Name) else node.value.attr) in owners
    ]


@pytest.mark.parametrize("name", [name for name in MODULES if name != "pro.config"])
def test_only_config_reads_the_environment(name: str) -> None:
    assert not uses(name, {"os"}, {"environ", "getenv", "environb"})
    assert not [line for target, line in imports(MODULES[name]) if target in ("os.environ", "os.getenv")]


@pytest.mark.parametrize("name", [name for name in MODULES if name != "pro.app_context"])
def test_only_work_reads_the_clock(name: str) -> None:
    assert not uses(name, {"datetime", "date", "dt"}, {"now", "utcnow", "today"})
    assert not uses(name, {"time"}, {"time", "time_ns", "localtime", "gmtime"})


@pytest.mark.parametrize("name", [name for name in MODULES if name not in ("pro.web.request_context", "pro.db")])
def test_only_the_edge_commits(name: str) -> None:
    calls = [node for node in ast.walk(tree(MODULES[name])) if isinstance(node, ast.Call)]
    commits = [c.lineno for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr == "commit"]
    assert not commits or name == "pro.migrations.env"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_say_what_a_thing_is(path: Path) -> None:
    assert FORBIDDEN_NAMES.isdisjoint(path.relative_to(ROOT).with_suffix("").parts)
    classes = [node.name for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)]
    assert [name for name in classes if name.endswith(FORBIDDEN_ENDINGS) and name != "Base"] == []


def test_pro_itself_is_empty() -> None:
    assert (ROOT / "pro" / "__init__.py").read_text().strip() == ""
