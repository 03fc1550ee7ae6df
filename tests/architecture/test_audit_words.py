"""Every action that the code records has a sentence for staff, and every sentence an action."""

from __future__ import annotations

import ast
import re
from functools import cache

from pro.features.audit.pages.labels import FACTS, KIND_WORDS, KINDS, SENTENCES
from tests.support.source_files import MODULES, nodes_of, place, tree_of

ACTION = re.compile(r"[a-z_]+\.[a-z_]+")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def texts(node: ast.AST) -> set[str]:
    """Return every text in ``node`` that has the shape of an action."""
    found = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str))
    return {text for text in found if ACTION.fullmatch(text)}


def constants(tree: ast.Module) -> dict[str, set[str]]:
    """Return the constants of a module: name -> the actions in it."""
    found: dict[str, set[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            pairs: list[tuple[ast.expr, ast.expr]] = [(node.targets[0], node.value)]
            if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(node.targets[0].elts, node.value.elts, strict=True))
            found |= {name.id: texts(value) for name, value in pairs if isinstance(name, ast.Name)}
    return found


def named(name: str, function: Function, tree: ast.Module) -> set[str]:
    """Return the actions that ``name`` can be in ``function``: a constant, an assigned or a passed text."""
    found = set(constants(tree).get(name, set()))
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == name for one in node.targets):
            found |= texts(node.value)
    places = [place for place, argument in enumerate(function.args.args) if argument.arg == name]
    for node in ast.walk(tree):
        if places and isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function.name:
            found |= texts(node.args[places[0]])
    return found


def fact_names(call: ast.Call) -> set[str]:
    """Return the keys that a call writes down in ``old`` and ``new`` dictionaries."""
    return {
        key.value
        for argument in call.keywords
        if argument.arg in ("old", "new")
        for part in ast.walk(argument.value)
        if isinstance(part, ast.Dict)
        for key in part.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


@cache
def recorded_facts() -> dict[str, str]:
    """Return the name of every fact that is recorded -> a place; names that are made at run time are not in it."""
    return {
        name: place(path, node.lineno)
        for path in MODULES.values()
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "record"
        for name in fact_names(node)
    }


@cache
def recorded() -> tuple[tuple[str, frozenset[str]], ...]:
    """Return (place, possible actions) of every ``work.record(...)`` and ``request_context.work().record(...)``."""
    found = []
    for path in MODULES.values():
        for function in (node for node in nodes_of(path) if isinstance(node, Function)):
            for node in ast.walk(function):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                    continue
                if node.func.attr != "record" or "work" not in ast.unparse(node.func.value):
                    continue
                first = node.args[0]
                actions = named(first.id, function, tree_of(path)) if isinstance(first, ast.Name) else texts(first)
                found.append((place(path, node.lineno), frozenset(actions)))
    return tuple(found)


def test_every_call_can_be_read() -> None:
    assert [where for where, actions in recorded() if not actions] == []


def test_every_action_has_a_sentence() -> None:
    missing = {action: where for where, actions in recorded() for action in actions if action not in SENTENCES}
    assert missing == {}, "give it a sentence in pro/features/audit/pages/labels.py"


def test_every_sentence_has_an_action() -> None:
    assert set(SENTENCES) - {action for _where, actions in recorded() for action in actions} == set()


def test_every_fact_has_a_name() -> None:
    missing = {name: where for name, where in recorded_facts().items() if name not in FACTS}
    assert missing == {}, "give it a name in pro/features/audit/pages/labels.py"


def test_every_action_can_be_picked_by_one_kind() -> None:
    picked = [action for actions in KINDS.values() for action in actions]
    assert sorted(picked) == sorted(SENTENCES)
    assert set(KINDS) == set(KIND_WORDS)
