"""Modules that read a plan file refuse it in translated sentences: the rule simulator's page shows them to staff."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

import pytest

from tests.support.source_files import MODULES, nodes_of, place, report

# Read before any plan, and again only when the program starts: no page tries a changed instrument.
NEVER_ON_A_PAGE = {"pro.catalogue.instrument_files.structure"}
# What refuses -> the position of its sentence among the arguments.
REFUSING = {"CatalogueError": 2, "RuleError": 1, "refuse": 1, "fail": 1, "MarkedYAMLError": 0, "ConstructorError": 2}


@cache
def readers_of_plans() -> frozenset[str]:
    """Return every module that the reading of a plan imports, directly or not."""
    found: set[str] = set()
    waiting = ["pro.catalogue.plan_files.plan"]
    while waiting:
        module = waiting.pop()
        if module in found | NEVER_ON_A_PAGE:
            continue
        found.add(module)
        for node in nodes_of(MODULES[module]):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pro."):
                inside = [f"{node.module}.{name.name}" for name in node.names]
                waiting += [name if name in MODULES else node.module for name in inside]
    return frozenset(found - {"pro.catalogue"})


@cache
def functions_that_return(annotation: str) -> frozenset[str]:
    """Return the names of the functions of these modules that are declared to return ``annotation``."""
    nodes = [node for module in readers_of_plans() for node in nodes_of(MODULES[module])]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef) and node.returns]
    return frozenset(node.name for node in functions if node.returns and ast.unparse(node.returns) == annotation)


def callee(node: ast.expr | None) -> str:
    """Return the last name of what a call calls; empty if ``node`` is no call."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def makes_sentence(node: ast.expr | None) -> bool:
    """Return whether ``node`` calls Sentence, or a function that is declared to return one."""
    return callee(node) in {"Sentence"} | functions_that_return("Sentence")


def is_sentence(node: ast.expr, function: ast.AST) -> bool:
    """Return whether ``node`` makes a sentence, or is a name that ``function`` binds or declares as one."""
    if isinstance(node, ast.IfExp):
        return is_sentence(node.body, function) and is_sentence(node.orelse, function)
    if not isinstance(node, ast.Name):
        return makes_sentence(node)
    bound = []
    for inner in ast.walk(function):
        if isinstance(inner, ast.arg) and inner.arg == node.id:
            bound.append(inner.annotation is not None and ast.unparse(inner.annotation) == "Sentence")
        if isinstance(inner, ast.Assign) and [ast.unparse(target) for target in inner.targets] == [node.id]:
            optional = callee(inner.value) in functions_that_return("Sentence | None")
            bound.append(optional or makes_sentence(inner.value))
    return bool(bound) and all(bound)


def plain_refusals(module: str) -> Iterator[str]:
    """Yield every refusal in ``module`` that is no Sentence, with its place."""
    for function in nodes_of(MODULES[module]):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and callee(node) in REFUSING:
                    said = node.args[REFUSING[callee(node)]] if node.args else node.keywords[0].value
                    if not is_sentence(said, function):
                        yield f"{place(MODULES[module], node.lineno)}: make this a Sentence: {ast.unparse(said)}"


def test_the_readers_of_a_plan_are_found() -> None:
    parts = {"yaml_source", "file_errors"} | {
        f"plan_files.{part}"
        for part in ("plan", "visit_schedule", "visit_schedule_shape", "stopping_rule", "test_alert", "pre_dose")
    }
    assert {f"pro.catalogue.{part}" for part in parts} | {"pro.core.rule_language.conditions"} <= readers_of_plans()


def test_every_refusal_of_a_plan_has_a_translation() -> None:
    faults = [fault for module in sorted(readers_of_plans()) for fault in plain_refusals(module)]
    assert not faults, report(faults)


def test_a_sentence_in_english_only_would_be_found() -> None:
    for module in ("pro.catalogue.instrument_files.structure", "pro.catalogue.lexicon_files"):
        assert list(plain_refusals(module)), module


@pytest.mark.parametrize("text", ["f'{x} is wrong'", "'wrong'", "problem.sentence", "text", "later"])
def test_what_is_no_sentence(text: str) -> None:
    function = ast.parse("def look(text: str):\n    later = Sentence('a')\n    later = 'b'")
    node = ast.parse(text, mode="eval").body
    assert not is_sentence(node, function)
