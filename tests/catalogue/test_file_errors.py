"""Test that the error about any wrong value in a plan file has a translation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from pro.catalogue.file_errors import model_error_sentence
from pro.catalogue.plan_files.plan import PlanFile
from pro.catalogue.yaml_source import load_yaml
from pro.core.translatable_sentence import EnglishOnly, Sentence
from tests.support.factories import PLAN

DATA = load_yaml(Path(__file__).parent.parent.parent / "pro" / "data" / "plans" / f"{PLAN}.yaml")
GONE = object()
OTHERS: tuple[object, ...] = (GONE, None, "", "x" * 50, 0, -1, 10**6, True, [], {}, ["x"], {"a": "b"}, {1: {}})


def spoilt(node: object, other: object) -> Iterator[object]:
    """Yield ``node`` with one value after another replaced by ``other``.

    Of long lists, only the first entries are replaced.
    """
    if other is not GONE:
        yield other
    if isinstance(node, dict):
        yield {**node, "zz": other}
        for key in node:
            if other is GONE:
                yield {name: value for name, value in node.items() if name != key}
            yield from ({**node, key: inner} for inner in spoilt(node[key], other))
    elif isinstance(node, list):
        for place in range(min(len(node), 2)):
            yield from ([*node[:place], inner, *node[place + 1 :]] for inner in spoilt(node[place], other))


def in_english_only(sentence: object) -> list[str]:
    """Return the parts of ``sentence`` that have no translation."""
    if isinstance(sentence, EnglishOnly):
        return [sentence]
    values = sentence.values.values() if isinstance(sentence, Sentence) else ()
    return [found for value in values for found in in_english_only(value)]


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: "gone" if other is GONE else repr(other)[:12])
def test_every_misfit_of_a_plan_has_a_translation(other: object) -> None:
    seen = set()
    for data in spoilt(DATA, other):
        try:
            PlanFile.model_validate(data)
        except ValidationError as problem:
            for error in problem.errors(include_url=False):
                said = model_error_sentence([error])
                assert said == f"{error['msg']}{_hint(said)}."
                assert not in_english_only(said), error
                seen.add(error["type"])
    assert seen


def _hint(said: Sentence) -> str:
    message = said.values["message"]
    return str(message.values.get("hint", "")) if isinstance(message, Sentence) else ""
