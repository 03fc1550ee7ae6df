"""The names of modules, classes and functions: nouns and verbs that say what they stand for, each class name once."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from tests.support.source_files import MODULES, ROOT, nodes_of, place, report, tree_of

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# What could hold anything: no name of a file or folder.
VAGUE_FILES = {"utils", "util", "helpers", "helper", "common", "manager", "handler", "base", "misc"}
VAGUE_ENDINGS = ("Helper", "Manager", "Handler", "Util", "Utils", "Base")
# sqlalchemy's own word for the class that all tables are made from.
DECLARATIVE_BASE = "pro.db.Base"

# Not a part of any name: ``there``, ``ask_again``, ``LoudAlert``. The glossary and voice.md have the words to use.
FORBIDDEN_PARTS = {
    # Pronouns: name the subject.
    *"nobody somebody anybody everybody whoever whomever whatever whichever".split(),
    *"something nothing anything everything thing things stuff".split(),
    # Adverbs.
    *"there here again anew aloud vain somehow anyhow otherwise meanwhile thereby elsewhere somewhere nowhere".split(),
    # Sayings.
    *"told telling given kept loud loudly loudness silence silent hear heard hearing ear hang".split(),
    # Pictures of something else.
    *"ladder rung house ward budget floor door drill board patience pulse stretch sitting seat".split(),
}
# Not a name by itself, good as a part of one: ``is_known``, ``utc_now``, ``seconds_left``.
FORBIDDEN_NAMES = {
    *"it this that these those they one ones other others who whom what which how why when where my our your".split(),
    *"now then soon later early late already always never still yet just only too away back out up down once".split(),
    *"said say saying says taken took gone went come came left known unknown asked meant seen happened".split(),
}
# Qualified name -> why it still stands. Take a line out when its name is mended.
EXCEPTIONS = {
    "pro.core.clinical.stopping_rule.StoppingStepState.left": "to be renamed: how many ulcers are missing",
    "pro.i18n.Translator.other": "to be renamed: the other language",
    "pro.i18n.Translator.when": "marks texts for extraction (keywords of babel in pyproject.toml)",
    "pro.web.page_languages.PageLanguage.say": "to be renamed: a text in the language of the page",
    "pro.web.page_languages.PageLanguage.when": "marks texts for extraction, as above",
    "pro.web.request_context.when": "marks texts for extraction, as above",
}


def definitions(node: ast.AST, scope: str) -> Iterator[tuple[str, Definition]]:
    """Yield (qualified name, node) of every class and function in ``node``, nested ones too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            name = f"{scope}.{child.name}"
            yield name, child
            yield from definitions(child, name)
        elif not isinstance(child, ast.expr):
            yield from definitions(child, scope)


def fault_of(name: str) -> str | None:
    """Return why ``name`` is forbidden, None if it is not."""
    parts = [part for part in CAPITAL.sub("_", name).lower().split("_") if part]
    for part in parts:
        if part in FORBIDDEN_PARTS:
            return f"“{part}” is no part of a name"
    return f"“{parts[0]}” is no name by itself" if len(parts) == 1 and parts[0] in FORBIDDEN_NAMES else None


def test_names_are_nouns_and_verbs_without_metaphors() -> None:
    faults = []
    for module, path in MODULES.items():
        found = [(module, path.stem, 1)]
        found += [(name, node.name, node.lineno) for name, node in definitions(tree_of(path), module)]
        for qualified, name, line in found:
            if (fault := fault_of(name)) and qualified not in EXCEPTIONS:
                faults.append(f"{place(path, line)}: {qualified}: {fault}")
    assert not faults, report(faults)


def test_forbidden_names_would_be_found() -> None:
    for name in ("there", "House", "ask_again", "LoudAlert", "_kept", "when", "_When"):
        assert fault_of(name), name
    for name in ("is_known", "utc_now", "warden", "Dashboard", "householder", "rewarded"):
        assert not fault_of(name), name


def test_no_two_classes_share_a_name() -> None:
    classes = defaultdict(list)
    for module, path in MODULES.items():
        for node in nodes_of(path):
            if isinstance(node, ast.ClassDef):
                classes[node.name].append(f"{place(path, node.lineno)}: {node.name} of {module}")
    faults = [where for places in classes.values() if len(places) > 1 for where in places]
    assert not faults, report(faults)


def test_no_file_or_class_has_a_name_for_anything() -> None:
    faults = []
    for module, path in MODULES.items():
        if vague := VAGUE_FILES.intersection(path.relative_to(ROOT).with_suffix("").parts):
            faults.append(f"{place(path)}: say what is in it, not {', '.join(vague)}")
        faults += [
            f"{place(path, node.lineno)}: {node.name}: say what it does"
            for node in nodes_of(path)
            if isinstance(node, ast.ClassDef)
            if node.name.endswith(VAGUE_ENDINGS) and f"{module}.{node.name}" != DECLARATIVE_BASE
        ]
    assert not faults, report(faults)
