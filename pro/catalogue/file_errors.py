"""Translatable sentences for the errors of pydantic and the YAML parser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml
from pydantic_core import ErrorDetails

from pro.catalogue import name_patterns
from pro.catalogue.renamed_keys import present_key
from pro.core.translatable_sentence import EnglishOnly, Sentence, by_english

# Usual messages of the YAML parser. A message that is not listed stays in English.
_YAML = by_english(
    Sentence("mapping values are not allowed in this context"),
    Sentence("could not find expected ':'"),
    Sentence("did not find expected key"),
    Sentence("did not find expected '-' indicator"),
    Sentence("did not find expected ',' or ']'"),
    Sentence("did not find expected ',' or '}'"),
    Sentence("did not find expected node content"),
    Sentence("found character that cannot start any token"),
    Sentence("found unexpected end of stream"),
    Sentence("found unknown escape character"),
    Sentence("but found another document"),
)
# Messages of pydantic about values, by their English text.
_PLAIN = by_english(
    Sentence("Field required"),
    Sentence("Extra inputs are not permitted"),
    Sentence("Keys should be strings"),
    Sentence("Input should be a valid string"),
    Sentence("Input should be a valid integer"),
    Sentence("Input should be a valid integer, unable to parse string as an integer"),
    Sentence("Input should be a valid boolean"),
    Sentence("Input should be a valid boolean, unable to interpret input"),
    Sentence("Input should be a valid list"),
    Sentence("Input should be a valid tuple"),
    Sentence("Input should be a valid dictionary"),
    Sentence("String should have at least 1 character"),
    Sentence("Dictionary should have at least 1 item after validation, not 0"),
    Sentence("List should have at least 1 item after validation, not 0"),
    Sentence("Tuple should have at least 1 item after validation, not 0"),
)
_HINTS: Mapping[str, Sentence] = {
    name_patterns.NAME: Sentence(" (lowercase letters, digits and _, starting with a letter)"),
    name_patterns.RULE: Sentence(" (one capital letter followed by letters or digits, for example E01)"),
    name_patterns.HOUR: Sentence(" (a time of day, for example 8:00 or 17:30)"),
    name_patterns.NUMBER: Sentence(" (a phone number, for example +8679100000000 or 120)"),
}


def yaml_error_sentence(problem: yaml.YAMLError) -> Sentence:
    """Return the sentence that says why a text is not YAML."""
    found = getattr(problem, "problem", None) or str(problem)
    message = found if isinstance(found, Sentence) else _YAML.get(found, EnglishOnly(found))
    return Sentence("This is not valid YAML: %(message)s.", message=message)


def model_error_sentence(errors: Sequence[ErrorDetails]) -> Sentence:
    """Return the sentence for the first of pydantic's ``errors`` and the number of others."""
    message = _field_error_sentence(errors[0])
    if len(errors) == 1:
        return Sentence("%(message)s.", message=message)
    return Sentence("%(message)s. (%(number)s more like this.)", message=message, number=len(errors) - 1)


def _field_error_sentence(error: ErrorDetails) -> Sentence | EnglishOnly:
    message, more = error["msg"], error.get("ctx", {})
    if present := present_key(error):
        return Sentence("This key is now called “%(present)s”: rename it", present=present)
    match error["type"]:
        case "model_type":
            return Sentence("Input should be a valid dictionary or instance of %(part)s", part=more["class_name"])
        case "literal_error":
            return Sentence("Input should be %(expected)s", expected=_choices_sentence(more["expected"]))
        case "greater_than":
            return Sentence("Input should be greater than %(limit)s", limit=more["gt"])
        case "greater_than_equal":
            return Sentence("Input should be greater than or equal to %(limit)s", limit=more["ge"])
        case "less_than_equal":
            return Sentence("Input should be less than or equal to %(limit)s", limit=more["le"])
        case "string_too_long":
            return Sentence("String should have at most %(limit)s characters", limit=more["max_length"])
        case "string_pattern_mismatch":
            pattern = more["pattern"]
            return Sentence(
                "String should match pattern '%(pattern)s'%(hint)s", pattern=pattern, hint=_HINTS.get(pattern, "")
            )
    return _PLAIN.get(message, EnglishOnly(message))


def _choices_sentence(expected: str) -> Sentence | str:
    """Return pydantic's “'a', 'b' or 'c'” with a translatable “or”."""
    first, joined, last = expected.rpartition(" or ")
    return Sentence("%(first)s or %(last)s", first=tuple(first.split(", ")), last=last) if joined else expected
