"""Translation of sentences that ``core.translatable_sentence`` builds."""

from __future__ import annotations

from markupsafe import Markup, escape

from pro.core.translatable_sentence import EnglishOnly, Sentence
from pro.i18n import Translator


def translated(sentence: object, translator: Translator) -> Markup:
    """Return ``sentence`` and the sentences in it in the translator's language, escaped.

    A tuple becomes a list separated by commas. Text that exists in English only is marked with ``lang="en"``.
    """
    if isinstance(sentence, Sentence):
        text = escape(translator.gettext(sentence.key))
        values = {name: translated(value, translator) for name, value in sentence.values.items()}
        return text % values if values else text
    if isinstance(sentence, tuple):
        return escape(translator.gettext(", ")).join(translated(one, translator) for one in sentence)
    if isinstance(sentence, EnglishOnly):
        return Markup('<span lang="en">{}</span>').format(str(sentence))
    return escape(str(sentence))
