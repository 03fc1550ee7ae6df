"""Sentences of this system, as the screening takes them out of a text that quotes them (docs/domain.md 5)."""

from __future__ import annotations

from collections.abc import Iterator

from pro.app_context import UnitOfWork
from pro.core.text.own_sentences import OwnSentences, read_own_sentences
from pro.core.text.red_flag_lexicon import Lexicon
from pro.messaging.message_rendering import participant_sentences

# Reading some hundred sentences takes milliseconds, so they are read once for each catalogue and lexicon. The key holds
# both, so that no other object takes their place.
_READ: dict[tuple[int, int], tuple[object, object, OwnSentences]] = {}
MOST_READ = 16


def own_sentences(work: UnitOfWork, lexicon: Lexicon) -> OwnSentences:
    """Return all questions, options, advice and messages in each language, in the form that the screening takes."""
    key = (id(work.catalogue), id(lexicon))
    if key not in _READ:
        if len(_READ) >= MOST_READ:
            _READ.clear()
        found = read_own_sentences(lexicon, said=_sentences(work), options=_options(work))
        _READ[key] = (work.catalogue, lexicon, found)
    return _READ[key][2]


def _sentences(work: UnitOfWork) -> Iterator[str]:
    for words in work.catalogue.words.values():
        for item in words.items.values():
            yield item.plain
            yield item.hint
    for plan_words in work.catalogue.plan_words.values():
        for advice in plan_words.advice.values():
            yield advice.title
            yield from advice.steps
    # Of the interface, which may lack a language that the data files have.
    for language in work.app_context.catalogs.by_language:
        yield from participant_sentences(work.app_context.catalogs.translator(language))


def _options(work: UnitOfWork) -> Iterator[str]:
    for words in work.catalogue.words.values():
        for item in words.items.values():
            yield from item.options.values()
