"""What reads a plan file refuses it in sentences that have a translation: staff meet them on the simulator's page."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
# Read before any plan, and again only when the program starts: no page tries a changed instrument.
NEVER_ON_A_PAGE = {"pro.catalogue.instrument_files.structure"}
# What refuses -> the place of its sentence among the arguments.
REFUSING = {"CatalogueError": 2, "RuleError": 1, "refuse": 1, "fail": 1, "MarkedYAMLError": 0, "ConstructorError": 2}
MAKING = {"Sentence", "no_yaml", "no_shape", "no_condition"}


def file_of(module: str) -> Path:
    """Where ``module`` stands."""
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def readers_of_plans() -> set[str]:
    """Every module that what reads a plan leads to."""
    found: set[str] = set()
    waiting = ["pro.catalogue.plan_files.plan"]
    while waiting:
        module = waiting.pop()
        if module in found | NEVER_ON_A_PAGE:
            continue
        found.add(module)
        for node in ast.walk(ast.parse(file_of(module).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pro."):
                inside = [f"{node.module}.{name.name}" for name in node.names]
                waiting += [name if file_of(name).exists() else node.module for name in inside]
    return found - {"pro.catalogue"}


def callee(node: ast.expr | None) -> str:
    """What a call calls, by its last name; empty for what is no call."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def is_sentence(node: ast.expr, function: ast.AST) -> bool:
    """Made on the spot, or a name that is bound to nothing but sentences in ``function``, or declared as one."""
    if isinstance(node, ast.IfExp):
        return is_sentence(node.body, function) and is_sentence(node.orelse, function)
    if not isinstance(node, ast.Name):
        return callee(node) in MAKING
    bound = []
    for inner in ast.walk(function):
        if isinstance(inner, ast.arg) and inner.arg == node.id:
            bound.append(inner.annotation is not None and ast.unparse(inner.annotation) == "Sentence")
        if isinstance(inner, ast.Assign) and [ast.unparse(target) for target in inner.targets] == [node.id]:
            # Domain.refuses is typed: a Sentence or nothing.
            bound.append(callee(inner.value) in MAKING | {"refuses"})
    return bool(bound) and all(bound)


def refusals(module: str) -> Iterator[tuple[ast.AST, ast.Call, ast.expr]]:
    """Every refusal in ``module``: the function that it stands in, the call, and its sentence."""
    for function in ast.walk(ast.parse(file_of(module).read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and callee(node) in REFUSING:
                    yield function, node, node.args[REFUSING[callee(node)]] if node.args else node.keywords[0].value


def test_the_readers_of_a_plan_are_found() -> None:
    parts = {"yaml_source", "file_errors"} | {
        f"plan_files.{part}" for part in ("plan", "calendar", "calendar_shape", "stopping_rule", "drill", "pre_dose")
    }
    assert {f"pro.catalogue.{part}" for part in parts} | {"pro.core.rule_language.conditions"} <= readers_of_plans()


@pytest.mark.parametrize("module", sorted(readers_of_plans()))
def test_every_refusal_of_a_plan_has_a_translation(module: str) -> None:
    plain = [
        f"{module}, line {call.lineno}: make this a Sentence: {ast.unparse(said)}"
        for function, call, said in refusals(module)
        if not is_sentence(said, function)
    ]
    assert not plain


@pytest.mark.parametrize("module", ["pro.catalogue.instrument_files.structure", "pro.catalogue.lexicon_files"])
def test_a_sentence_in_english_only_would_be_found(module: str) -> None:
    assert any(not is_sentence(said, function) for function, _call, said in refusals(module))


@pytest.mark.parametrize("text", ["f'{x} is wrong'", "'wrong'", "problem.sentence", "text", "later"])
def test_what_is_no_sentence(text: str) -> None:
    function = ast.parse("def look(text: str):\n    later = Sentence('a')\n    later = 'b'")
    node = ast.parse(text, mode="eval").body
    assert not is_sentence(node, function)
