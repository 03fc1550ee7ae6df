"""Test that a template calls only macros and functions that it imports, defines or is given."""

from __future__ import annotations

import ast
from pathlib import Path

from flask import Flask
from jinja2 import nodes

ROOT = Path(__file__).parents[2] / "templates"
# Of Jinja itself.
BUILT_IN = {"caller", "super"}
# Given by render_template to single templates.
GIVEN = {
    *("answered_while_frozen", "carried", "change_words", "class_words", "day", "freeze_of", "header_of"),
    *("instrument_title", "shown_plan"),
    *("lasted", "may", "rule_sentence", "since", "texts_to_read", "title", "trend", "typed"),
    # Visits, several forms at once, sent messages, study overview.
    *("cell_words", "form_title", "group_name", "head", "link", "phase_shown", "visit_name"),
    *("groups_of", "limit_shown", "period_shown", "phase_of", "shade"),
}


def declared_names(tree: nodes.Template) -> set[str]:
    """Return what a template imports, defines or sets anywhere."""
    names = {name.name for name in tree.find_all(nodes.Name) if name.ctx in ("store", "param")}
    names |= {macro.name for macro in tree.find_all(nodes.Macro)}
    for imported in tree.find_all(nodes.FromImport):
        names |= {name if isinstance(name, str) else name[1] for name in imported.names}
    return names


def test_a_template_calls_only_what_it_has(app: Flask) -> None:
    with app.test_request_context():
        shared = dict(app.jinja_env.globals)
        app.update_template_context(shared)
    wrong = []
    for path in sorted(path for path in ROOT.rglob("*") if path.suffix in (".html", ".txt", ".svg")):
        tree = app.jinja_env.parse(path.read_text(encoding="utf-8"))
        called = {call.node.name for call in tree.find_all(nodes.Call) if isinstance(call.node, nodes.Name)}
        missing = called - declared_names(tree) - shared.keys() - BUILT_IN - GIVEN
        wrong += [f"{path.relative_to(ROOT)}: {name}" for name in sorted(missing)]
    assert not wrong, "\n".join(wrong)


def test_no_macro_of_a_layout_has_the_name_of_what_a_page_is_given(app: Flask) -> None:
    """Hold apart the names of macros and of values: a layout's import hides a value of the same name from its pages."""
    imported: set[str] = set()
    for path in (ROOT / "base.html", ROOT / "staff" / "layout.html", ROOT / "errors" / "layout.html"):
        for one in app.jinja_env.parse(path.read_text(encoding="utf-8")).find_all(nodes.FromImport):
            imported |= {name if isinstance(name, str) else name[1] for name in one.names}
    assert imported
    given: set[str] = set()
    for path in (ROOT.parent / "pro").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "render_template":
                given |= {keyword.arg for keyword in node.keywords if keyword.arg}
    assert len(given) > 50
    assert not imported & given
