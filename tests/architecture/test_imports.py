"""What may import what (.importlinter), where each outside package is used, what reads the clock and what commits."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from tests.support.source_files import MODULES, PRO, ROOT, nodes_of, place, report

# Where pages are made.
PAGES = {"pro.web", "pro.pages", "pro.features.*.pages"}
# Third-party package (or a part of the standard library that reaches out) -> modules or packages that may import it.
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
        "pro.messaging.claims",
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
        "pro.messaging.providers.limited_http",
        "pro.messaging.providers.twilio_sms",
        "pro.messaging.providers.alibaba_sms",
        "pro.messaging.providers.connection_failure",
    },
    "urllib3": {"pro.messaging.providers.connection_failure", "pro.messaging.providers.limited_http"},
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
    *"__future__ ast bisect collections dataclasses datetime decimal difflib enum fnmatch fractions functools".split(),
    *"itertools math operator re statistics string types typing unicodedata zoneinfo".split(),
}
CORE = sorted(name for name in MODULES if name.startswith("pro.core"))
# What core may not call: each reads or writes something beside its arguments, or runs text.
IMPURE = {"open", "print", "input", "eval", "exec", "compile", "__import__"}
# What the pages of a participant show is put together there from every feature, which a service may not import.
QUERYING_PAGES = {
    f"pro.features.participants.pages.participant_{name}" for name in ("header", "list", "overview", "page", "tabs")
}
COMMITTING = {"pro.web.request_context", "pro.db", "pro.migrations.env"}


@cache
def imports_of(path: Path) -> tuple[tuple[str, int], ...]:
    """Return every imported module with its line; ``from pro import db`` gives ``pro.db``."""
    found = []
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{place(path, node.lineno)}: write the import in full"
            source = node.module or ""
            inside = [f"{source}.{alias.name}" for alias in node.names]
            found += [(full if full in MODULES else source, node.lineno) for full in inside]
    return tuple(found)


def lives_in(name: str, homes: set[str]) -> bool:
    """Return whether module ``name`` is one of ``homes`` or lies in one of them."""
    return any(fnmatchcase(name, home) or fnmatchcase(name, f"{home}.*") for home in homes)


def lines_with(path: Path, owners: set[str], attributes: set[str]) -> Iterator[int]:
    """Yield each line of ``path`` that reads one of ``attributes`` of one of ``owners``: ``os.environ``."""
    for node in nodes_of(path):
        if isinstance(node, ast.Attribute) and node.attr in attributes:
            owner = node.value
            name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", None)
            if name in owners:
                yield node.lineno


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a process of its own, in the folder of the project."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, timeout=120, capture_output=True, text=True, check=False
    )


def test_import_contracts_are_kept() -> None:
    # In a process of its own: import-linter sets up logging for the process that calls it.
    done = run_python("import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))")
    assert done.returncode == 0, done.stdout


def test_there_is_no_import_circle() -> None:
    graph = {name: {target for target, _ in imports_of(path) if target in MODULES} for name, path in MODULES.items()}
    assert list(TopologicalSorter({name: below - {name} for name, below in graph.items()}).static_order())


def test_outside_packages_are_imported_where_they_are_listed() -> None:
    faults = []
    for name, path in MODULES.items():
        for target, line in imports_of(path):
            top = target.split(".")[0]
            if top in HOMES:
                if not lives_in(name, HOMES[top]):
                    faults.append(f"{place(path, line)}: {top} must not be imported here")
            elif top not in sys.stdlib_module_names | {"pro", "app"}:
                faults.append(f"{place(path, line)}: list {top} in HOMES")
    assert not faults, report(faults)


def test_core_is_pure() -> None:
    faults = []
    for path in (MODULES[name] for name in CORE):
        for target, line in imports_of(path):
            if target.split(".")[0] not in PURE and not target.startswith("pro.core"):
                faults.append(f"{place(path, line)}: core must not import {target}")
        for node in nodes_of(path):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE:
                faults.append(f"{place(path, node.lineno)}: core must not call {node.func.id}")
    assert not faults, report(faults)


def test_core_loads_without_flask_or_a_database() -> None:
    loaded = "{'flask', 'sqlalchemy', 'pydantic', 'yaml'} & set(sys.modules)"
    assert run_python(f"import sys; import {', '.join(CORE)}; sys.exit(bool({loaded}))").returncode == 0


def test_pages_leave_the_database_to_services() -> None:
    faults = [
        place(path, line)
        for name, path in MODULES.items()
        if ".pages." in name and name not in QUERYING_PAGES
        for target, line in imports_of(path)
        if target.split(".")[0] == "sqlalchemy"
    ]
    assert not faults, report(faults)


# Modules that import within functions, so that a command that reads a file starts at once
# (tests/cli/test_commands.py holds what such a command does not load).
DEFERRING = {"app", "pro.cli.app_commands", "pro.cli.plan", "pro.public_holidays"}


def test_imports_stand_at_the_top() -> None:
    faults = []
    for name, path in MODULES.items():
        functions = [node for node in nodes_of(path) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        inner = {
            node.lineno
            for function in functions
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        if name not in DEFERRING:
            faults += [place(path, line) for line in sorted(inner)]
        elif not inner:
            faults.append(f"{name} imports at the top only: take it out of DEFERRING")
    assert not faults, report(faults)


def test_only_config_reads_the_environment() -> None:
    faults = []
    for name, path in MODULES.items():
        if name != "pro.config":
            lines = [*lines_with(path, {"os"}, {"environ", "getenv", "environb"})]
            lines += [line for target, line in imports_of(path) if target in ("os.environ", "os.getenv")]
            faults += [place(path, line) for line in lines]
    assert not faults, report(faults)


def test_only_app_context_reads_the_clock() -> None:
    faults = []
    for name, path in MODULES.items():
        if name != "pro.app_context":
            lines = [*lines_with(path, {"datetime", "date", "dt"}, {"now", "utcnow", "today"})]
            lines += lines_with(path, {"time"}, {"time", "time_ns", "localtime", "gmtime"})
            faults += [place(path, line) for line in lines]
    assert not faults, report(faults)


def test_only_requests_and_transactions_commit() -> None:
    faults = [
        place(path, node.lineno)
        for name, path in MODULES.items()
        if name not in COMMITTING
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    ]
    assert not faults, report(faults)


def test_pro_itself_is_empty() -> None:
    assert (PRO / "__init__.py").read_text().strip() == ""
