"""Reply parser: typed or tapped replies to one item become a value, a command or unclear.

Nothing is guessed: a reply that is not plain is unclear. ``read_field`` reads a field of the form,
``ReplyParser.parse`` a text message. A text is an answer only if all of it is understood: a number or the words of an
option, with filler
words only. Words that are not understood are accepted only in a sentence of their own, without a number, an option or a
denial in it, and only after the answer or if the answer is announced ("I choose").

A typed number is an option's code as shown. With a sign, a unit, as a range or an ordinal it is unclear, unless that is
a label ("1–2 times") or one of its synonyms. For a list a number is the position in ``item.lists``; 0 and the words of
its code 0 are "none of these". Several entries are separated by commas, spaces or "and"; names count as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Literal, cast

from pro.core.questionnaire.instrument import Item, MeasuredRange, Value, Words
from pro.core.text import stop_requests
from pro.core.text.command_words import (
    COMMANDS,
    CONJUNCTIONS,
    FILLERS,
    RETRACTION_WORDS,
    TEMPERATURE_FILLERS,
    WEIGHT_FILLERS,
    CommandName,
)
from pro.core.text.phrasebook import DASHES, Sense, TokenSpan, find_spans, make_phrasebook, parse_phrase, tokenize

UnclearReason = Literal[
    "empty",
    "no_such_option",
    "not_a_number",
    "too_low",
    "too_high",
    "too_long",
    "unreadable",
    "two_readings",
    "not_understood",
]

# Typed unit -> factor to the stored unit (1 jin = 0.5 kg by law; 1 lb = 0.45359237 kg, taken as 0.4536).
UNITS: dict[str, dict[str, Decimal]] = {
    "kg": {
        "": Decimal(1),
        **dict.fromkeys(("kg", "kgs", "kilo", "kilos", "kilogram", "kilograms", "公斤", "千克"), Decimal(1)),
        **dict.fromkeys(("斤", "市斤"), Decimal("0.5")),
        **dict.fromkeys(("lb", "lbs", "pound", "pounds", "磅"), Decimal("0.4536")),
    },
}
# Typed unit of a reading -> its scale.
READING_UNITS = {
    "celsius": {
        **dict.fromkeys(("度", "摄氏度", "c", "celsius", "deg", "deg c"), "celsius"),
        **dict.fromkeys(("degree", "degrees", "degrees c", "degrees celsius", "degree celsius"), "celsius"),
        **dict.fromkeys(
            ("f", "fahrenheit", "deg f", "degrees f", "degrees fahrenheit", "华氏度", "华氏"), "fahrenheit"
        ),
    },
}
_HALF = "半"
# Letters and spaces, with a quiet sign at the end.
_BARE = re.compile(r"[^\W\d_]+(?:[ '’][^\W\d_]+)*\s?[.。]?")
# Characters that no message, database column or export can hold.
_UNREADABLE = re.compile("[\x00\ud800-\udfff]")
# Characters; a longer text is not an answer.
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """A value that its item accepts; None only for an optional item left empty.

    ``whole``: the text is only an option's number or label, so that only the alert rules evaluate it; every other text
    is also screened for red flags, although it has a value (docs/domain.md 5).
    """

    value: Value | None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class ReplyCommand:
    """A command instead of an answer: back, skip, help, language, stop or start."""

    command: CommandName


@dataclass(frozen=True, slots=True)
class UnclearReply:
    """A reply without a value; ``why`` is the key of a sentence that says what to do."""

    why: UnclearReason


ParsedReply = ParsedAnswer | ReplyCommand | UnclearReply


def read_field(item: Item, text: str) -> ParsedAnswer | UnclearReply:
    """Return the ``text`` of a form field as an answer to ``item``.

    Accepted are an option's code, a number with or without unit, or a text, depending on the kind of the item.
    """
    if _UNREADABLE.search(text):
        return UnclearReply("unreadable")
    plain = text.strip()
    if not plain:
        return ParsedAnswer(None) if item.optional else UnclearReply("empty")
    if item.kind == "text":
        return _read_text(item, plain)
    if item.kind == "number":
        found = parse_reply(item, (), plain)
        if isinstance(found, ReplyCommand) or found in (UnclearReply("two_readings"), UnclearReply("not_understood")):
            return UnclearReply("not_a_number")
        return ParsedAnswer(found.value) if isinstance(found, ParsedAnswer) else found
    spans = find_spans(tokenize(plain), ())
    codes = {(str(code),): code for code in item.codes}
    if len(spans) == 1 and spans[0].words in codes:
        return ParsedAnswer(codes[spans[0].words])
    return UnclearReply("no_such_option")


def parse_command(text: str) -> CommandName | None:
    """Return the command that ``text`` is as a whole, else None.

    Language, case, punctuation and pictures do not matter.
    """
    if len(text) > _LONGEST:
        # A long text must be read, whatever it begins with.
        return None
    spans = [span for span in find_spans(tokenize(text), (COMMANDS,)) if span.kind not in _IGNORED_KINDS]
    return _command_name(spans[0]) if len(spans) == 1 and spans[0].kind == "command" else None


def is_bare_command(text: str) -> bool:
    """Return True if ``text`` is one command word and no more than that.

    "HELP!!!" and "Help 🆘" may be a cry for help, so that they are screened before they are run.
    """
    return _BARE.fullmatch(text.strip()) is not None and parse_command(text) is not None


class ReplyParser:
    """Parser of replies to one item; ``words``: the item's wording in all languages.

    The wording is read once for any number of texts.
    """

    def __init__(self, item: Item, words: Iterable[Words]) -> None:
        self._item = item
        own = make_phrasebook(_phrase_entries(item, words))
        more = {"number": (FILLERS, WEIGHT_FILLERS), "list": (CONJUNCTIONS, FILLERS)}.get(item.kind, (FILLERS,))
        if item.measured is not None:
            more = (*more, TEMPERATURE_FILLERS)
        self._books = (COMMANDS, own, *more)

    def parse(self, text: str) -> ParsedReply:
        """Parse ``text`` of a conversation as an answer to the item. Never raises."""
        if _UNREADABLE.search(text):
            return UnclearReply("unreadable")
        plain = text.strip()
        if not plain:
            return UnclearReply("empty")
        command = parse_command(plain)
        if command is not None:
            return ReplyCommand(command)
        if self._item.kind == "text":
            return _read_text(self._item, plain)
        if stop_requests.find_stop_request(plain) == "stop":
            return ReplyCommand("stop")
        if len(plain) > _LONGEST:
            return UnclearReply("not_understood")
        spans = find_spans(tokenize(plain), self._books)
        if self._item.kind == "list":
            return _read_list(self._item, spans)
        if self._item.kind == "number":
            return _decide_reply(list(_read_numbers(self._item, spans)), frozenset())
        return _decide_reply(list(_read_options(self._item, spans)), frozenset({0}))


def parse_reply(item: Item, words: Iterable[Words], text: str) -> ParsedReply:
    """Parse one ``text`` as an answer to ``item``; keep a ``ReplyParser`` for several texts.

    Never raises.
    """
    return ReplyParser(item, words).parse(text)


_IGNORED_KINDS = frozenset(("break", "ask", "picture"))


def _phrase_entries(item: Item, words: Iterable[Words]) -> Iterator[tuple[str, Sense]]:
    """Yield every known text for an answer to ``item`` in any of ``words``, with its meaning."""
    if item.kind == "number":
        yield from ((unit, Sense("unit", frozenset({unit}))) for unit in UNITS.get(item.unit, {}) if unit)
    if item.measured is not None:
        for unit, scale in READING_UNITS[item.measured.unit].items():
            yield unit, Sense("unit", frozenset({scale}))
    for one in words:
        if item.id not in one.items:
            continue
        said = one.items[item.id]
        yield from ((label, Sense("option", frozenset({code}), True)) for code, label in said.options.items())
        for code, synonyms in said.synonyms.items():
            yield from ((synonym, Sense("option", frozenset({code}))) for synonym in synonyms)
        for member in item.lists:
            if member in one.items:
                sense = Sense("member", frozenset({member}), True)
                listed = one.items[member]
                yield from ((name, sense) for name in (listed.short, listed.plain, *listed.other_names))


@dataclass(frozen=True, slots=True)
class _SpanReading:
    """The reading of one span: its value, or why it has none."""

    span: TokenSpan
    value: Value | None = None
    why: UnclearReason | None = None
    is_reading: bool = False

    @property
    def answers(self) -> bool:
        """True if the span is meant as an answer, valid or not."""
        return self.value is not None or self.why is not None


def _read_option(item: Item, span: TokenSpan) -> _SpanReading:
    """Read one span as an option of ``item``."""
    if span.kind == "number":
        whole = span.number is not None and span.number == int(span.number) and not re.search("[.,。点]", span.words[0])
        # "03" is not the code of an option; 三 and "three" are.
        known = whole and not re.fullmatch("0[0-9]+", span.words[0])
        code = next((code for code in item.codes if known and span.number == code), None)
        return _SpanReading(span, code) if code is not None else _SpanReading(span, why="no_such_option")
    if span.kind == "option" and span.sense is not None:
        codes = [code for code in item.codes if code in span.sense.values]
        return _SpanReading(span, codes[0]) if len(codes) == 1 else _SpanReading(span, why="two_readings")
    return _SpanReading(span)


def _read_options(item: Item, spans: Sequence[TokenSpan]) -> Iterator[_SpanReading]:
    """Yield ``spans`` as options of ``item``, a number with what belongs to it as one reading."""
    position = 0
    while position < len(spans):
        length = 0
        if item.measured is not None and spans[position].kind == "number":
            found, length = _read_measurement(item, item.measured, spans[position:])
            if length:
                yield found
        if not length:
            yield _read_option(item, spans[position])
        position += length or 1


def _read_measurement(item: Item, measured: MeasuredRange, spans: Sequence[TokenSpan]) -> tuple[_SpanReading, int]:
    """Return the reading that ``spans`` begin with, and its length in spans; 0 for a number that is a code.

    38度5, 38度半 and 三十八度五 are one reading, as 38.5 is. A number without unit that is a code is the code.
    """
    amount, length, scale = spans[0].number, 1, ""
    if length < len(spans) and spans[length].kind == "unit":
        scale = cast(str, next(iter(cast(Sense, spans[length].sense).values)))
        length += 1
        rest = spans[length] if length < len(spans) else None
        if rest is not None and amount is not None and amount == int(amount):
            if rest.words == (_HALF,):
                amount, length = amount + Decimal("0.5"), length + 1
            elif rest.number is not None and rest.number in range(10) and len(rest.words[0]) == 1:
                amount, length = amount + rest.number / 10, length + 1
    if not scale and (amount is None or amount in item.codes):
        return _SpanReading(spans[0]), 0
    if amount is not None and scale == "fahrenheit":
        amount = (amount - 32) * 5 / 9
    code = measured.code_of(amount) if amount is not None else None
    return _SpanReading(spans[0], code, None if code is not None else "no_such_option", is_reading=True), length


def _read_numbers(item: Item, spans: Sequence[TokenSpan]) -> Iterator[_SpanReading]:
    """Yield the numbers of ``spans`` with unit and 半 as values of ``item``, other spans as is."""
    position = 0
    while position < len(spans):
        span = spans[position]
        position += 1
        if span.kind != "number":
            yield _SpanReading(span)
            continue
        unit, amount = "", span.number
        if position < len(spans) and spans[position].kind == "unit":
            unit = cast(str, next(iter(cast(Sense, spans[position].sense).values)))
            position += 1
            if position < len(spans) and spans[position].words == (_HALF,) and amount is not None:
                amount += Decimal("0.5")
                position += 1
        yield _convert_number(item, span, amount, unit)


def _convert_number(item: Item, span: TokenSpan, amount: Decimal | None, unit: str) -> _SpanReading:
    """Return ``amount`` in the unit of ``item``, rounded, or why it is invalid."""
    factors = UNITS.get(item.unit, {"": Decimal(1)})
    if amount is None or unit not in factors or item.minimum is None or item.maximum is None:
        return _SpanReading(span, why="not_a_number")
    number = amount * factors[unit]
    # Compare the bounds with the typed number, not with the rounded one.
    if number < item.minimum:
        return _SpanReading(span, why="too_low")
    if number > item.maximum:
        return _SpanReading(span, why="too_high")
    return _SpanReading(span, number.quantize(Decimal(1).scaleb(-item.decimals), ROUND_HALF_UP))


def _split_clauses(said: Iterable[_SpanReading]) -> list[tuple[list[_SpanReading], bool]]:
    """Return the clauses that are not empty, and whether each is a question.

    Pictures belong to no clause.
    """
    clauses: list[tuple[list[_SpanReading], bool]] = []
    clause: list[_SpanReading] = []
    for one in said:
        if one.span.kind not in _IGNORED_KINDS:
            clause.append(one)
        elif one.span.kind != "picture":
            if clause:
                clauses.append((clause, False))
                clause = []
            # The question mark may follow a bracket: "none (none)?".
            if one.span.kind == "ask" and clauses:
                clauses[-1] = (clauses[-1][0], True)
    return [*clauses, (clause, False)] if clause else clauses


def _decide_reply(said: Sequence[_SpanReading], none: frozenset[Value]) -> ParsedReply:
    """Return the one value or command in ``said``; ``none``: values that mean "not at all"."""
    answers: list[_SpanReading] = []
    commands: set[CommandName] = set()
    said = [one for place, one in enumerate(said) if not _is_copied_dash(said, place)]
    clauses = _split_clauses(said)
    marked = any({one.span.kind for one in clause} & {"mark", "unknown"} == {"mark"} for clause, _ in clauses)
    affirmed = has_unknown_words = False
    for clause, asked in clauses:
        found = [one for one in clause if one.answers]
        affirmed = affirmed or any(one.span.kind == "affirm" for one in clause)
        commands |= {_command_name(one.span) for one in clause if one.span.kind == "command"}
        if any(one.span.kind == "sign" for one in clause):
            return UnclearReply("not_understood")
        if any(one.span.kind in ("unknown", "unit") for one in clause):
            has_unknown_words = True
            # Unknown words in the same clause as an answer or a denial may change its meaning.
            if found or commands or not (answers or marked) or any(map(_is_retraction, clause)):
                return UnclearReply("two_readings" if len(found) > 1 or answers else "not_understood")
        elif found and (asked or _contradicts(found, none)):
            return UnclearReply("not_understood")
        answers += found
    if commands:
        return (
            ReplyCommand(commands.pop())
            if len(commands) == 1 and not answers and not has_unknown_words
            else UnclearReply("two_readings")
        )
    return _single_answer(said, answers, affirmed, none)


def _is_copied_dash(said: Sequence[_SpanReading], place: int) -> bool:
    """Return True for the dash of "3 - severe", a line copied from the options.

    "1-2 times" is a range.
    """
    around = [one.span for one in said[max(0, place - 1) : place + 2]]
    copied = [span.kind for span in around] == ["number", "sign", "option"] and not _is_numeric(around[2])
    return copied and around[1].words[0] in DASHES


def _single_answer(
    said: Sequence[_SpanReading], answers: Sequence[_SpanReading], affirmed: bool, none: frozenset[Value]
) -> ParsedReply:
    """Return the answer if all ``answers`` have one value, else why the reply is unclear."""
    why = _unclear_reason(answers)
    values = {one.value for one in answers}
    if not answers or None in values or len(values) > 1:
        return UnclearReply(why)
    value = answers[0].value
    # "Yes, none" and "有 0" are contradictions.
    if affirmed and value in none:
        return UnclearReply("two_readings")
    return ParsedAnswer(value, all(one.span.kind == "break" or _is_bare_answer(one) for one in said))


def _is_bare_answer(one: _SpanReading) -> bool:
    """Return True for a number or an option's label."""
    sense = one.span.sense
    return one.span.kind == "number" or (sense is not None and sense.label)


def _unclear_reason(answers: Sequence[_SpanReading]) -> UnclearReason:
    """Return why ``answers`` do not give one value."""
    if len({one.span.words if one.value is None else one.value for one in answers}) > 1:
        return "two_readings"
    return (answers[0].why if answers else None) or "not_understood"


def _contradicts(found: Sequence[_SpanReading], none: frozenset[Value]) -> bool:
    """Return True if a word for "none" and another answer are in one clause: 不是没有, 没有 0, 轻一点.

    The same word twice is no contradiction, nor the same in two languages, nor a second English "none" ("no not at
    all").
    """
    for first, second in pairwise(found):
        denies = first.value in none
        if first.span.kind != "option":
            # "1 2 times" is not a line copied from the options.
            if second.span.kind == "option" and _is_numeric(second.span):
                return True
        elif second.span.kind != "option":
            # "No fever 36.8" gives one answer twice.
            if denies and not (second.is_reading and second.value == first.value):
                return True
        elif first.span.words != second.span.words:
            latin = [one.span.words[0].isascii() for one in (first, second)]
            if latin != [True, True] if denies else latin[0] == latin[1]:
                return True
    return False


def _is_numeric(span: TokenSpan) -> bool:
    """Return True if the first word of ``span`` is a number."""
    return [one.kind for one in find_spans(tokenize(span.words[0]), ())] == ["number"]


def _is_retraction(one: _SpanReading) -> bool:
    """Return True if the span contains a word that may retract an answer."""
    return any(word in RETRACTION_WORDS or word.endswith("n't") for word in one.span.words)


def _command_name(span: TokenSpan) -> CommandName:
    """Return the command of a span of kind "command"."""
    return cast(CommandName, next(iter(cast(Sense, span.sense).values)))


def _read_list(item: Item, spans: Sequence[TokenSpan]) -> ParsedReply:
    """Return the members of a list that ``spans`` name.

    Everything must be understood, because a list has no partial answer.
    """
    picked: set[str] = set()
    nothing = affirmed = False
    commands = [_command_name(span) for span in spans if span.kind == "command"]
    for span in spans:
        values = span.sense.values if span.sense is not None else frozenset()
        affirmed = affirmed or span.kind == "affirm"
        if span.kind in ("unknown", "sign", "ask", "unit") or len(values) > 1:
            return UnclearReply("not_understood" if len(values) < 2 else "two_readings")
        if span.kind == "member":
            picked.add(cast(str, next(iter(values))))
        elif span.kind == "option":
            nothing = True
        elif span.kind == "number":
            places = _list_places(span)
            if not all(0 <= place <= len(item.lists) for place in places):
                return UnclearReply("no_such_option")
            nothing = nothing or 0 in places
            picked |= {item.lists[place - 1] for place in places if place}
    if commands:
        return (
            ReplyCommand(commands[0])
            if len(commands) == 1 and not picked and not nothing
            else UnclearReply("two_readings")
        )
    if nothing and (picked or affirmed):
        return UnclearReply("two_readings")
    if not picked and not nothing:
        return UnclearReply("not_understood")
    whole = all(span.kind in ("break", "number") or (span.sense is not None and span.sense.label) for span in spans)
    return ParsedAnswer(tuple(name for name in item.lists if name in picked), whole)


def _list_places(span: TokenSpan) -> list[int]:
    """Return the positions in a number span: "1,3" is one token and two positions.

    A number that is not a position gives -1.
    """
    if re.fullmatch("[0-9]{1,3}(?:,[0-9]{1,3})+", span.words[0]):
        return [int(piece) for piece in span.words[0].split(",")]
    plain = span.number is not None and span.number == int(span.number) and not re.search("[.,。]", span.words[0])
    return [int(span.number) if plain and span.number is not None else -1]


# Items share sets of synonyms: most texts come several times while the wording is read.
@lru_cache(maxsize=4096)
def synonym_problem(text: str) -> str | None:
    """Return why ``text`` cannot be a synonym of an option, as half a sentence, else None."""
    made = parse_phrase(text, Sense("option"))
    if made is None:
        return "has no word in it"
    if parse_command(text) is not None:
        return f"is the command “{parse_command(text)}”"
    if [span.kind for span in find_spans(tokenize(text), ()) if span.kind not in _IGNORED_KINDS] == ["number"]:
        return "is a number, which always means the option with that code"
    return None


@lru_cache(maxsize=4096)
def normal_spelling(text: str) -> tuple[str, ...]:
    """Return the words of ``text`` as they are compared.

    Two texts with the same result cannot be distinguished.
    """
    made = parse_phrase(text, Sense("option"))
    return made.words if made is not None else ()


def _read_text(item: Item, plain: str) -> ParsedAnswer | UnclearReply:
    """Return the answer to a text item, with uniform line ends, or "too_long"."""
    text = plain.replace("\r\n", "\n").replace("\r", "\n")
    return ParsedAnswer(text) if len(text) <= item.max_length else UnclearReply("too_long")
