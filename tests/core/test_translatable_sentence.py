"""Test sentences that keep their parameters."""

from __future__ import annotations

import pytest

from pro.core.translatable_sentence import EnglishOnly, Sentence


@pytest.mark.parametrize(
    ("sentence", "english"),
    [
        (Sentence("100% sure"), "100% sure"),
        (Sentence("“%(name)s” has %(number)s", name="faint", number=2), "“faint” has 2"),
        (Sentence("known are %(listed)s", listed=("a", "b")), "known are a, b"),
        (Sentence("%(inner)s.", inner=Sentence("no %(what)s", what="%(what)s")), "no %(what)s."),
        (Sentence("(%(message)s)", message=EnglishOnly("bad %s")), "(bad %s)"),
    ],
)
def test_as_a_string_it_is_the_english(sentence: Sentence, english: str) -> None:
    assert sentence == english
    assert f"{sentence}" == english


def test_it_keeps_its_key_and_its_values() -> None:
    made = Sentence("%(key)s: %(values)s", key="a", values=1)
    assert (made.key, made.values) == ("%(key)s: %(values)s", {"key": "a", "values": 1})
    assert Sentence("plain").values == {}
