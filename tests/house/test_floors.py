"""The shape of the house: who may import whom, which package lives where, who reads the clock and who commits."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FILES = [ROOT / "app.py", *sorted((ROOT / "pro").rglob("*.py"))]

# Part of pro -> the parts that it may import beside itself. What stands nowhere is refused.
FLOORS: dict[str, set[str]] = {
    "core": set(),
    "errors": set(),
    "db": set(),
    "i18n": set(),
    "config": {"errors"},
    "models": {"db"},
    "calendars": {"core"},
    "catalogue": {"core", "errors", "calendars"},
    "exports": {"core", "errors"},
    "work": {"models", "catalogue", "db", "config", "i18n"},
    "migrations": {"db", "models"},
    "messaging": {"core", "models", "db", "work", "i18n", "config", "errors"},
    "services": {"messaging", "models", "catalogue", "calendars", "core", "work", "db", "i18n", "errors", "config"},
    "web": {"services", "messaging", "exports", "core", "work", "i18n", "errors"},
    "cli": {
        *("services", "exports", "core", "catalogue", "calendars"),
        *("work", "i18n", "errors", "db", "config", "messaging"),
    },
    "app": {"cli", "web", "services", "work", "catalogue", "core", "config", "db", "errors", "i18n"},
}
# Narrower than a whole part: these may only be reached through these modules.
DOORS: dict[tuple[str, str], set[str]] = {
    # The sender is the protocol alone: the tick hands senders through to the outbox.
    ("services", "messaging"): {
        "pro.messaging.outbox",
        "pro.messaging.backlog",
        "pro.messaging.compose",
        "pro.messaging.sender",
    },
    # The webhooks ask the provider's own file whether the provider signed (they load it only where it is chosen).
    # The other provider's says what its codes mean.
    ("web", "messaging"): {"pro.messaging.twilio_sms", "pro.messaging.alibaba_codes"},
    ("cli", "messaging"): {"pro.messaging.outbox", "pro.messaging.providers"},
    # What a gateway takes; the rest of the core is for those above.
    ("messaging", "core"): {"pro.core.gateway"},
    ("messaging", "models"): {"pro.models", "pro.models.message", "pro.models.event"},
}
# Provider files know the protocol of senders and nothing else of the house.
PROVIDERS = {
    "pro.messaging.twilio_sms",
    "pro.messaging.alibaba_sms",
    "pro.messaging.alibaba_codes",
    "pro.messaging.smtp_email",
    "pro.messaging.console",
}
PROTOCOL = {"pro.messaging.sender", "pro.messaging.broken_line", "pro.config"}

# Third-party package (or a part of the standard library that reaches out) -> modules or packages where it lives.
HOMES: dict[str, set[str]] = {
    "flask": {"app", "pro.cli", "pro.web"},
    "flask_wtf": {"pro.web"},
    "wtforms": {"pro.web"},
    "prometheus_client": {"pro.web.metrics"},
    "werkzeug": {"pro.web"},
    "markupsafe": {"pro.web", "pro.messaging.compose"},
    "jinja2": {"pro.messaging.compose"},
    "click": {"app", "pro.cli"},
    "sqlalchemy": {
        "pro.db",
        "pro.models",
        "pro.migrations",
        "pro.work",
        "pro.services",
        "pro.messaging.backlog",
        "pro.messaging.budget",
        "pro.messaging.outbox",
        # Opens the session of a request; asks nothing with it.
        "pro.web.site",
    },
    "alembic": {"pro.db", "pro.migrations"},
    "babel": {"pro.i18n"},
    "yaml": {"pro.catalogue"},
    "pydantic": {"pro.catalogue"},
    "pydantic_core": {"pro.catalogue"},
    "cryptography": {"pro.db", "pro.cli"},
    "argon2": {"pro.services.passwords", "pro.services.staffing"},
    "phonenumbers": {"pro.services"},
    "holidays": {"pro.calendars"},
    "twilio": {"pro.messaging.twilio_sms"},
    # An extra: only what is loaded where it is chosen may import it.
    "alibabacloud_dysmsapi20170525": {"pro.messaging.alibaba_sms"},
    "alibabacloud_tea_openapi": {"pro.messaging.alibaba_sms"},
    "darabonba": {"pro.messaging.alibaba_sms"},
    "requests": {"pro.messaging.twilio_sms", "pro.messaging.alibaba_sms", "pro.messaging.broken_line"},
    "urllib3": {"pro.messaging.broken_line"},
    "weasyprint": {"pro.exports.card_draw"},
    "segno": {"pro.exports.card_draw", "pro.exports.qr"},
    "pyotp": {"pro.services.second_factor"},
    "pypdfium2": {"pro.exports.card_draw"},
    # A card is drawn by a process of its own.
    "subprocess": {"pro.exports.card_pdf"},
    "smtplib": {"pro.messaging.smtp_email"},
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


def part(name: str) -> str:
    """The part of the house in which a module lies: ``pro.web.staff`` is in web."""
    return "app" if name == "app" else [*name.split("."), ""][1]


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
    return any(name == home or name.startswith(f"{home}.") for home in homes)


@pytest.mark.parametrize("name", MODULES)
def test_an_import_only_goes_down(name: str) -> None:
    wrong = []
    for target, line in imports(MODULES[name]):
        if not (target == "pro" or target.startswith("pro.") or target == "app") or target == "pro":
            continue
        here, there = part(name), part(target)
        if here in ("", there):
            continue
        doors = DOORS.get((here, there))
        if there not in FLOORS[here] or (doors is not None and target not in doors):
            wrong.append(f"line {line}: {name} must not import {target}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_a_provider_knows_only_the_protocol(name: str) -> None:
    inside = {target for target, _ in imports(MODULES[name]) if target.startswith("pro.")}
    assert inside - PROTOCOL <= ({"pro.messaging.alibaba_codes"} if name == "pro.messaging.alibaba_sms" else set())


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


@pytest.mark.parametrize("name", [name for name in MODULES if name != "pro.work"])
def test_only_work_reads_the_clock(name: str) -> None:
    assert not uses(name, {"datetime", "date", "dt"}, {"now", "utcnow", "today"})
    assert not uses(name, {"time"}, {"time", "time_ns", "localtime", "gmtime"})


@pytest.mark.parametrize("name", [name for name in MODULES if name not in ("pro.web.site", "pro.db")])
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
