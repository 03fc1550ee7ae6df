"""Test that any reply to any item is understood or refused, never guessed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.core.questionnaire.instrument import Item, ItemWords, Licence, Words
from pro.core.text.command_words import COMMAND_WORDS, COMMANDS, FILLERS
from pro.core.text.phrasebook import find_spans, tokenize
from pro.core.text.reply_parser import (
    ParsedAnswer,
    ReplyCommand,
    ReplyParser,
    UnclearReply,
    normal_spelling,
    parse_command,
    read_field,
    synonym_problem,
)
from tests.core.checkin import CHECKIN, ITEMS, SPOKEN, parse

CHOICES = [item for item in ITEMS.values() if item.kind == "choice"]
HAN = "零一二三四五六七八九"
FINANCIAL = "零壹贰叁肆伍陆柒捌玖"
ENGLISH = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
WRITINGS: dict[str, Callable[[int], str]] = {
    "plain": str,
    "full width": lambda code: chr(0xFF10 + code),
    "Chinese": lambda code: HAN[code],
    "financial": lambda code: FINANCIAL[code],
    "English": lambda code: ENGLISH[code],
    "circled": lambda code: chr(0x245F + code) if code else "⓪",
    "dark circled": lambda code: chr(0x2775 + code) if code else "⓿",
    "in brackets": lambda code: chr(0x2473 + code) if code else "(0)",
    "with a full stop": lambda code: chr(0x2487 + code) if code else "0.",
    "keycap": lambda code: f"{code}\ufe0f\u20e3",
}
AROUND = [
    "{}",
    "{}。",
    "{}分",
    "选{}",
    "答案是{}",
    "嗯 {}",
    "大概是{}吧",
    "{}谢谢",
    "option {} please",
    "{} 😊",
    "I think {}",
    " {}\r\n",
]
SAID = "3 1 0 9 三 没有 有 不 轻 重 mild no not severe yes 一点 是 天前 头痛 选 stop 返回 或 kg 斤 62 半 点 - ， 。 ?"
PIECES = st.sampled_from([*SAID.split(), " ", "\n", "a little"])
TEXTS = st.one_of(
    st.text(max_size=60), st.lists(PIECES, max_size=6).map("".join), st.lists(PIECES, max_size=6).map(" ".join)
)


def heard(item: Item, text: str) -> object:
    found = parse(item.id, text)
    return found.value if isinstance(found, ParsedAnswer) else found


@pytest.mark.parametrize("writing", WRITINGS)
@pytest.mark.parametrize("item", CHOICES, ids=lambda item: item.id)
def test_every_code_is_read_back_in_every_writing(item, writing):
    for code in item.codes:
        for around in AROUND:
            text = around.format(WRITINGS[writing](code))
            assert heard(item, text) == code, text


@pytest.mark.parametrize("item", CHOICES, ids=lambda item: item.id)
def test_every_label_is_read_back_in_both_languages(item):
    for words in SPOKEN:
        for code, label in words.items[item.id].options.items():
            for text in (
                label,
                label.upper(),
                f" {label}。",
                f"{code}. {label}",
                f"{code}={label}",
                label.rstrip("）"),
            ):
                assert parse(item.id, text) == ParsedAnswer(code, True), text
            # The result does not depend on the order of the languages.
            assert ReplyParser(item, SPOKEN[::-1]).parse(label) == ParsedAnswer(code, True)


@pytest.mark.parametrize("item", [*CHOICES, ITEMS["other7"]], ids=lambda item: item.id)
def test_every_synonym_is_read_back_and_never_alone_an_unscreened_answer(item):
    labels = {normal_spelling(label) for words in SPOKEN for label in words.items[item.id].options.values()}
    for words in SPOKEN:
        for code, synonyms in words.items[item.id].synonyms.items():
            for synonym in synonyms:
                found = parse(item.id, synonym)
                assert isinstance(found, ParsedAnswer), synonym
                assert found.value == (() if item.kind == "list" else code), synonym
                assert found.whole is (normal_spelling(synonym) in labels), synonym


@pytest.mark.parametrize("item", CHOICES, ids=lambda item: item.id)
def test_two_codes_are_never_one_answer(item):
    for first, second in product(item.codes, repeat=2):
        if first == second:
            continue
        for between in (
            " ",
            "，",
            ", ",
            "或",
            " or ",
            "还是",
            "到",
            " to ",
            "/",
            "、",
            "\n",
            "~",
            "。",
            " and ",
            "",
            "选",
        ):
            for writing in WRITINGS.values():
                text = f"{writing(first)}{between}{writing(second)}"
                if item.measured is not None and text in ("39", "３９"):
                    # Thirty-nine degrees, not a three and a nine.
                    continue
                assert isinstance(parse(item.id, text), UnclearReply), text


@pytest.mark.parametrize("item", CHOICES, ids=lambda item: item.id)
def test_two_labels_are_never_one_answer(item):
    for words in SPOKEN:
        options = words.items[item.id].options
        for first, second in product(options, repeat=2):
            if first != second:
                text = f"{options[first]}，{options[second]}"
                assert isinstance(parse(item.id, text), UnclearReply), text
                assert isinstance(parse(item.id, f"{first} {options[second]}"), UnclearReply)


@pytest.mark.parametrize("item", CHOICES, ids=lambda item: item.id)
def test_a_denied_doubted_or_strange_answer_is_unclear(item):
    for words in SPOKEN:
        for code, label in words.items[item.id].options.items():
            for text in (
                f"not {label}",
                f"不是{label}",
                f"并非{label}",
                f"{label}?",
                f"如果{label}",
                f"不如{label}",
                f"昨天{label}",
            ):
                found = parse(item.id, text)
                assert isinstance(found, UnclearReply), text
            for text in (
                f"-{code}",
                f"+{code}",
                f"{code}天前",
                f"{code} days ago",
                f"第{code}个",
                f"{code}.5",
                f"{code}%",
                f"{code}？",
            ):
                assert isinstance(parse(item.id, text), UnclearReply), text


@given(st.sampled_from(list(ITEMS.values())), TEXTS)
def test_any_text_is_accepted_by_its_item_or_refused(item, text):
    found = parse(item.id, text)
    if isinstance(found, ParsedAnswer):
        assert found.value is not None
        assert item.accepts(found.value)
        assert not (found.whole and item.kind == "text")
    elif isinstance(found, ReplyCommand):
        assert found.command in COMMAND_WORDS
    steer = parse_command(text)
    assert steer is None or found == ReplyCommand(steer)


@given(st.sampled_from([item for item in CHOICES if item.measured is None]), st.integers(0, 10**40))
def test_a_number_that_is_no_code_is_no_answer(item, number):
    found = heard(item, str(number))
    assert found == (number if number in item.codes else UnclearReply("no_such_option"))


@given(st.decimals(0, 400, places=1), st.sampled_from(["", "kg", " 公斤", "千克"]))
def test_a_weight_in_kilograms_is_itself_or_outside(number, unit):
    found = parse("weight", f"{number}{unit}")
    assert found == read_field(ITEMS["weight"], f"{number}{unit}") or isinstance(found, ParsedAnswer)
    if 25 <= number <= 250:
        assert isinstance(found, ParsedAnswer)
        assert found.value == number
    else:
        assert found == UnclearReply("too_low" if number < 25 else "too_high")


@given(st.sampled_from(CHOICES), TEXTS, TEXTS)
def test_what_follows_an_answer_never_makes_it_another(item, before, after):
    """Check that text around a value never turns one code into another.

    It keeps the value, makes it unclear, or contradicts it.
    """
    alone = parse(item.id, before)
    both = parse(item.id, f"{before}\n{after}")
    if isinstance(alone, ParsedAnswer) and isinstance(both, ParsedAnswer) and normal_spelling(before)[-1:] != ("有",):
        assert alone.value == both.value


def test_commands_are_known_in_any_case_and_are_no_small_talk():
    for steer, texts in COMMAND_WORDS.items():
        for text in texts.split("|"):
            for said in (text, text.upper(), text.title(), f" {text}。", f"{text}!"):
                assert parse_command(said) == steer, said
            assert [span.kind for span in find_spans(tokenize(text), (FILLERS,))] != ["chatter"], text


def test_small_talk_alone_is_no_answer_to_a_graded_item():
    for pages in FILLERS.values():
        for phrase in pages:
            for item in ("headache", "breath", "vomit", "temp"):
                assert isinstance(parse(item, " ".join(phrase.words)), UnclearReply), phrase.words


@pytest.mark.parametrize("word", ["3", "三", "three", "③", "", "。", "STOP", "返回", "跳過"])
def test_a_synonym_that_is_something_else_is_refused(word):
    assert synonym_problem(word) is not None


def test_licensed_words_without_synonyms_and_unlabelled_codes_are_understood():
    item = Item("Q", "choice", "", codes=(1, 2, 3, 4, 5, 6, 7))
    words = Words(
        "x", "1", "en", "1", "", Licence("own"), "", 1, {}, {"Q": ItemWords("?", "q", "", {1: "Worst", 7: "Stop"})}
    )
    assert ReplyParser(item, [words]).parse("worst") == ParsedAnswer(1, True)
    assert ReplyParser(item, [words]).parse("五") == ParsedAnswer(5, True)
    assert ReplyParser(item, [words]).parse("stop") == ReplyCommand("stop")
    assert ReplyParser(item, []).parse("非常") == UnclearReply("not_understood")


def test_a_reply_is_quick_and_a_long_one_too():
    began = process_time()
    for text in ("3", "答案是3", "no " * 330, "3，" * 330, "没有" * 500, "a" * 100_000, "1-" * 500, "一" * 999):
        parse("headache", text)
        parse("other7", text)
        parse("weight", text)
    assert process_time() - began < 2


def test_the_check_in_has_words_for_every_item():
    assert all(set(words.items) == set(CHECKIN.items) for words in SPOKEN)
    assert COMMANDS
