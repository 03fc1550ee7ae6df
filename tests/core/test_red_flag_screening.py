"""Test red flags in free text (docs/domain.md 5): corpora, attributes, invariants, cost."""

from __future__ import annotations

import csv
import time
import unicodedata
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pro.catalogue.lexicon_files import CHARACTERS, read_lexicon
from pro.core.rule_language.level import Level
from pro.core.text.own_sentences import read_own_sentences
from pro.core.text.red_flag_lexicon import LOWERING
from pro.core.text.red_flag_screening import RedFlagHit, Screening, first_class, screen

ROOT = Path(__file__).resolve().parents[2]
LEXICON = read_lexicon(ROOT / "pro/data/lexicons/npc_freetext.yaml")


class Case(NamedTuple):
    """One text, its level, and the levels that are right as well; ``missed``: the wrong level that is known."""

    id: str
    text: str
    level: str
    allowed: frozenset[str]
    missed: str


def cases(name: str) -> list[Case]:
    """Read a file of cases; for none, watch is always right: none is earned."""
    found = []
    with (ROOT / "tests/data" / name).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            level = row["expected_level"]
            allowed = {*row.get("allowed_levels", level).split("|")} | ({"watch"} if level == "none" else set())
            found.append(Case(row["id"], row["text"], level, frozenset(allowed), row.get("known_miss", "")))
    return found


CORPUS, OWN, LATER = cases("freetext_corpus.csv"), cases("freetext_own.csv"), cases("freetext_later.csv")
# Texts that were searched for to be misread, and new ones of the same kinds; both were used to mend the lexicon.
HUNTED, FRESH = cases("freetext_hunted.csv"), cases("freetext_fresh.csv")
EARLIER = cases("freetext_cases.csv") + cases("freetext_more.csv")
TEXTS = [case.text for case in CORPUS + OWN + EARLIER]

# Cases of the first version that section 5 changes, with the level that it gives them now.
CHANGED = {
    "M240": ("emergency", "only bleeding and fever can be over: chest pain cannot"),
    "M242": ("urgent", "only bleeding and fever can be over: palpitations cannot"),
    "M277": ("emergency", "only bleeding and fever can be over: fainting cannot"),
    "M514": ("emergency", "only bleeding and fever can be over: chest pain cannot"),
    "M566": ("urgent", "breathless on effort alone is urgent"),
    "M569": ("urgent", "nearly fainted is urgent"),
    "M574": ("urgent", "不…了 means over, and bleeding that is over is urgent"),
}


def of(text: str) -> Screening:
    return screen(text, LEXICON)


def statuses(text: str) -> set[tuple[str, str]]:
    """Return (class, status) of each hit in ``text``."""
    return {(hit.class_id, hit.status) for hit in of(text).hits}


def share_right(found: list[Case], level: str) -> tuple[int, int]:
    """Return how many cases of ``level`` are right, and how many there are; an emergency must be one."""
    wanted = [case for case in found if case.level == level]
    right = [
        case for case in wanted if of(case.text).level.word in ({"emergency"} if level == "emergency" else case.allowed)
    ]
    return len(right), len(wanted)


def test_there_are_enough_cases_of_our_own():
    assert len({case.text for case in OWN}) == len(OWN) >= 400
    assert {case.level for case in OWN} == {level.word for level in Level}
    assert min(sum(case.text.isascii() for case in OWN), sum(not case.text.isascii() for case in OWN)) >= 200


# Of the public half of the corpus; the bounds are those that the study asked for.
@pytest.mark.parametrize(
    ("level", "number", "least"), [("emergency", 84, 82), ("urgent", 78, 76), ("watch", 50, 48), ("none", 88, 84)]
)
def test_the_corpus_is_called_right(level: str, number: int, least: int):
    right, there = share_right(CORPUS, level)
    assert there == number
    assert right >= least, f"{right} of {there}"


@pytest.mark.parametrize("level", ["emergency", "urgent", "watch", "none"])
def test_our_own_texts_are_called_right(level: str):
    for texts in (OWN, LATER):
        right, there = share_right(texts, level)
        assert right >= 0.98 * there, f"{right} of {there}"


def test_no_emergency_is_called_less_than_urgent():
    quiet = [
        case.text for case in CORPUS + OWN + LATER if case.level == "emergency" and of(case.text).level < Level.URGENT
    ]
    assert quiet == []


@pytest.mark.parametrize("level", ["emergency", "urgent", "watch", "none"])
@pytest.mark.parametrize("texts", [HUNTED, FRESH], ids=["hunted", "fresh"])
def test_texts_of_the_kinds_that_were_misread_are_called_right(texts: list[Case], level: str):
    wrong = {case.id: of(case.text).level.word for case in texts if case.level == level}
    allowed = {case.id: case.allowed for case in texts}
    # What is known to be missed stands in the data, one by one: a text that is mended leaves the list.
    assert {number: found for number, found in wrong.items() if found not in allowed[number]} == {
        case.id: case.missed for case in texts if case.level == level and case.missed
    }


def test_no_text_of_these_kinds_is_known_to_be_called_less_than_urgent():
    known = [case.text for case in HUNTED + FRESH if case.level == "emergency" and case.missed]
    assert 0 < len(known) <= 5
    assert {case.missed for case in HUNTED + FRESH if case.level == "emergency"} == {"", "urgent"}


NEUTRAL = [
    word.strip()
    for line in (ROOT / "tests/data/neutral_words.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
    for word in line.split(",")
]
LATIN_WORDS = [word for word in NEUTRAL if word.isascii()]
HAN_WORDS = [word for word in NEUTRAL if not word.isascii()]
BESIDE_NEUTRAL = [
    *(
        (flag, LATIN_WORDS)
        for flag in ("chest pain", "I can't breathe", "I fainted", "heavy bleeding", "I want to die")
    ),
    *((flag, HAN_WORDS) for flag in ("大出血止不住", "胸口痛", "喘不过气", "晕倒了", "不想活了", "嘴歪了", "鼻子很臭")),
]


@pytest.mark.parametrize(("flag", "words"), BESIDE_NEUTRAL, ids=[flag for flag, _ in BESIDE_NEUTRAL])
def test_a_neutral_word_beside_a_red_flag_never_lowers_it(flag: str, words: list[str]):
    assert len(words) > 250
    level = of(flag).level
    between = " ，。" if words is HAN_WORDS else [" ", ", ", ". "]
    lowered = [
        text
        for word in words
        for sign in between
        for text in (f"{word}{sign}{flag}", f"{flag}{sign}{word}")
        if of(text).level < level
    ]
    assert lowered == []


@given(
    st.lists(st.sampled_from(NEUTRAL), min_size=1, max_size=4),
    st.sampled_from(["I can't breathe", "大出血止不住", "I want to die", "喘不过气"]),
    st.sampled_from(["，", ". ", "\n"]),
    st.booleans(),
)
def test_several_neutral_words_never_lower_a_red_flag(words: list[str], flag: str, sign: str, before: bool):
    said = " ".join(words)
    assert of(f"{said}{sign}{flag}" if before else f"{flag}{sign}{said}").level is Level.EMERGENCY


def test_a_mistyped_word_is_never_one_that_lowers():
    for other, word in [*LEXICON.typos.items(), *LEXICON.swapped.items()]:
        node = LEXICON.words.next.get(word)
        lowering = sum(LEXICON.bits[name] for name in LOWERING)
        assert node is None or not node.concepts & lowering, (other, word)
    for text in ["mention", "present", "decreased", "lifted", "Dennis", "interest", "stepped", "treasurer"]:
        assert of(f"{text} chest pain").level is Level.EMERGENCY


@pytest.mark.parametrize("case", EARLIER, ids=lambda case: case.id)
def test_earlier_cases_still_hold(case: Case):
    if case.id in CHANGED:
        assert of(case.text).level.word == CHANGED[case.id][0], of(case.text).hits
    else:
        assert of(case.text).level.word in case.allowed, of(case.text).hits


CLASSES = [
    ("大出血", "bleed"),
    ("喘不过气", "airway"),
    ("胸闷", "chest"),
    ("心慌", "palp"),
    ("晕倒", "faint"),
    ("嘴歪", "neuro"),
    ("看东西重影", "eye"),
    ("连水都喝不进", "swallow_total"),
    ("吃不下饭", "swallow"),
    ("救命", "help"),
    ("想自杀", "suicide"),
    ("鼻子臭", "odor"),
    ("掉出黑色的东西", "tissue"),
    ("剧痛", "pain"),
    ("发烧", "fever"),
    ("上吐下泻", "gut"),
    ("身上起水泡", "skin"),
    ("眼睛发黄", "liver"),
    ("一天没有小便", "kidney"),
    ("住院了", "hospital"),
    ("他昨天去世了", "death"),
    ("不舒服", "other"),
]
EMERGENCY = {"bleed", "airway", "chest", "faint", "neuro", "swallow_total", "help", "suicide"}


@pytest.mark.parametrize(("text", "class_id"), CLASSES)
def test_every_class_is_found_by_name(text: str, class_id: str):
    assert (class_id, "affirmed") in statuses(text)
    assert of(text).level == LEXICON.classes[class_id].level


def test_the_classes_are_those_of_the_domain():
    assert set(LEXICON.classes) == {class_id for _, class_id in CLASSES}
    assert {name for name, flag in LEXICON.classes.items() if flag.level is Level.EMERGENCY} == EMERGENCY
    assert LEXICON.classes["death"].level is LEXICON.classes["other"].level is Level.WATCH


STATUSES = [
    ("没有流鼻血", {("bleed", "negated")}),
    ("没有出血、胸痛、呼吸困难", {("bleed", "negated"), ("chest", "negated"), ("airway", "negated")}),
    ("胸痛：没有", {("chest", "negated")}),
    ("Fever? No.", {("fever", "negated")}),
    ("胸不闷", {("chest", "negated")}),
    ("没有发烧，流血不止", {("fever", "negated"), ("bleed", "affirmed")}),
    ("没有发烧，但是喘不过气", {("fever", "negated"), ("airway", "affirmed")}),
    ("no fever, only chest pain", {("fever", "negated"), ("chest", "affirmed")}),
    ("不能说没有出血", {("bleed", "affirmed")}),
    ("没吃饭胸痛", {("chest", "affirmed")}),
    ("突然没有意识", {("faint", "affirmed")}),
    ("差点没晕倒", {("faint", "near")}),
    ("如果大出血怎么办", {("bleed", "hypothetical")}),
    ("大出血怎么办", {("bleed", "affirmed")}),
    ("大出血的风险有多高", {("bleed", "question")}),
    ("流鼻血止住了", {("bleed", "resolved")}),
    ("不流鼻血了", {("bleed", "resolved")}),
    ("流鼻血停了，又流鼻血", {("bleed", "affirmed")}),
    ("发烧，今天退了", {("fever", "resolved")}),
    ("呼吸停了", {("airway", "affirmed")}),
    ("speech has gone", {("neuro", "affirmed")}),
    ("2019年流过鼻血", {("bleed", "past")}),
    ("2019年流过鼻血，今天又大出血", {("bleed", "past"), ("bleed", "affirmed")}),
    ("邻居晕倒了", {("faint", "other_person")}),
    ("邻居帮我打电话，我晕倒了", {("faint", "affirmed")}),
    ("my husband fainted", {("faint", "affirmed")}),
    ("气得吐血", set()),
    ("had a bloody mary", set()),
    ("what if I can't breathe", {("airway", "hypothetical")}),
    # What a denial does not reach.
    ("没发烧，胸痛", {("fever", "negated"), ("chest", "affirmed")}),
    ("没有发烧 胸痛", {("fever", "negated"), ("chest", "negated")}),
    ("no idea why I fainted", {("faint", "affirmed")}),
    ("并不是没出血", {("bleed", "affirmed")}),
    ("never seen so much blood", {("bleed", "affirmed")}),
    # What is said to be so after it was denied or asked for.
    ("有没有晕倒？有", {("faint", "affirmed")}),
    ("I said no chest pain, that was wrong", {("chest", "affirmed")}),
    # A past that is only compared with, and a cause in no question.
    ("since last year I have chest pain", {("chest", "affirmed")}),
    ("放疗引起的胸痛", {("chest", "affirmed")}),
    ("放疗会引起胸痛吗", {("chest", "question")}),
    # An everyday act is no fear.
    ("if I lie down I have chest pain", {("chest", "affirmed")}),
]


@pytest.mark.parametrize(("text", "expected"), STATUSES)
def test_how_a_hit_is_meant(text: str, expected: set[tuple[str, str]]):
    assert statuses(text) == expected


LEVELS = [
    ("救命", "emergency"),
    ("黑便", "urgent"),
    ("遗书", "emergency"),
    ("尿血", "urgent"),
    ("鼻血四十分钟还在流", "emergency"),
    ("38.5", "urgent"),
    ("38度5", "urgent"),
    ("三十八度五", "urgent"),
    ("37.5", "none"),
    ("今天气温38度", "watch"),
    ("有点喘，爬楼梯的时候", "urgent"),
    ("流学不止", "emergency"),
    ("下雪了", "none"),
    ("孩子的学费", "none"),
    ("透卜过气", "emergency"),
    ("我今天去超市买了个锅", "watch"),
    ("不喘气了", "emergency"),
    ("爸爸没喘气了", "emergency"),
    ("没有呼吸了", "emergency"),
    ("他不呼吸了", "emergency"),
    ("人已经没有呼吸", "emergency"),
    ("没有呼吸和心跳", "emergency"),
    ("没有呼吸困难了", "watch"),
    ("走路不喘气了", "watch"),
    ("也不喘了", "watch"),
]


@pytest.mark.parametrize(("text", "level"), LEVELS)
def test_texts_that_the_first_version_missed(text: str, level: str):
    assert of(text).level.word == level, of(text).hits


def test_a_hit_shows_what_was_written():
    assert of("昨天 鼻 子 又 流 血 了").hits == (RedFlagHit("bleed", "流血", "affirmed", Level.URGENT),)
    assert of("I CAN’T really breathe").hits[0].term == "can't really breathe"


def test_a_death_is_its_own_class_and_silences_the_rest():
    found = of("爸爸昨天凌晨大出血走了")
    assert found.is_death
    assert found.level is Level.WATCH
    assert {hit.class_id for hit in found.hits} == {"death", "bleed"}
    assert of("爸爸昨天走了，我也不想活了").level is Level.EMERGENCY
    assert not of("邻居去世了").is_death


@pytest.mark.parametrize(
    "text",
    [
        "我妈上周去世了，我现在喘不过气",
        "My mum died last week. I can't breathe",
        "爸爸走了以后我天天胸口痛",
        "My wife passed away in May and now I am bleeding heavily",
    ],
)
def test_who_reports_a_death_may_be_ill_as_well(text: str):
    found = of(text)
    assert found.is_death
    assert found.level is Level.EMERGENCY


def test_almost_dying_is_no_report_of_a_death():
    assert not of("I almost bled to death").is_death
    assert not of("went to a funeral").is_death


@pytest.mark.parametrize(
    ("text", "class_id"),
    [
        ("我不想活了，刚刚大出血", "bleed"),
        ("喘不过气，不如死了算了", "airway"),
        ("I want to kill myself, my chest hurts", "suicide"),
        ("胸痛，晕倒了", "chest"),
        ("有点流鼻血，我不想活了", "suicide"),
        ("流鼻血", ""),
    ],
)
def test_whose_advice_comes_first(text: str, class_id: str):
    assert first_class(of(text).hits, LEXICON) == class_id


OURS = read_own_sentences(
    LEXICON,
    said=[
        "过去24小时您有没有大出血？",
        "Have you had heavy bleeding in the past 24 hours?",
        "坐直，身体前倾，吐出血，不要吞下",
    ],
    options=["流血不止", "Heavy bleeding"],
)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("Liked “Have you had heavy bleeding in the past 24 hours?”", Level.WATCH),
        ("> Have you had heavy bleeding in the past 24 hours?\nno", Level.WATCH),
        ("过去24小时您有没有大出血？ 没有", Level.NONE),
        ("「流血不止」 没有", Level.NONE),
        # An option that is not quoted is the report itself.
        ("流血不止", Level.EMERGENCY),
        ("Heavy bleeding", Level.EMERGENCY),
        ("Liked “Have you had heavy bleeding in the past 24 hours?” my nose is pouring with blood", Level.EMERGENCY),
    ],
)
def test_our_own_sentences_are_taken_out(text: str, level: Level):
    assert screen(text, LEXICON, OURS).level <= level
    assert level is not Level.EMERGENCY or screen(text, LEXICON, OURS).level is level


UNREADABLE = [
    "",
    "   ",
    "\n",
    "。。。",
    "\ufffd",
    "\ud800",
    "\x00",
    "\ue000",
    "привет",
    "مرحبا",
    "٣",
    "안녕하세요",
    "[语音]",
    "photo",
]
HARMLESS = [
    "ok",
    "好的",
    "👍",
    "👍🏽",
    "👨‍👩‍👧",
    "🇨🇳",
    "❤️",
    "🙏🙏",
    "7",
    "3分",
    "谢谢医生",
    "明天几点来放疗",
    "Thank you so much",
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_a_machine_cannot_judge_goes_to_a_person(text: str):
    assert of(text) == Screening(Level.WATCH, ())


@pytest.mark.parametrize("text", HARMLESS)
def test_none_is_earned_by_what_says_nothing(text: str):
    assert of(text) == Screening(Level.NONE, ())


# Typical texts, and arbitrary ones.
WRITTEN = st.one_of(
    st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4).map("，".join),
    st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4).map(" ".join),
    st.text(max_size=60),
    st.text("没有不流鼻血止住了又如果怕停差点晕倒 ,。but no not t'", max_size=40),
)


@given(WRITTEN)
@example("n't")
@example("t")
@example("can t")
@example("38" * 400 + "度")
def test_any_text_is_screened_the_same_twice(text: str):
    found = of(text)
    assert found == of(text)
    assert found.level >= max((hit.level for hit in found.hits), default=Level.NONE)


@given(WRITTEN, st.sampled_from(["大出血", "喘不过气", "胸痛", "晕倒了", "I want to die"]), st.booleans())
def test_an_emergency_beside_it_is_never_lost(text: str, sentence: str, first: bool):
    whole = f"{sentence}。\n{text}" if first else f"{text}\n。{sentence}。"
    found = of(whole)
    # Only a report of a death, and for bleeding that it is over, make it quieter.
    assert found.level >= (Level.WATCH if found.is_death else Level.URGENT)


CALM = ["谢谢", "您好", "好的，谢谢医生", "Thank you", "Good morning", "明天几点来"]


@given(st.sampled_from(TEXTS), st.sampled_from(CALM), st.booleans())
def test_a_harmless_sentence_beside_it_never_lowers(text: str, calm: str, first: bool):
    whole = f"{calm}。\n{text}" if first else f"{text}\n{calm}。"
    assert of(whole).level >= of(text).level


@given(st.lists(st.sampled_from([case.text for case in CORPUS + OWN]), min_size=2, max_size=3))
def test_a_text_is_as_loud_as_its_loudest_paragraph(parts: list[str]):
    loudest = max(of(part).level for part in parts)
    found = of("。\n".join(parts))
    silenced = found.is_death or any(hit.status == "resolved" for hit in found.hits)
    assert silenced or found.level >= loudest


PLAIN = ["大出血", "流鼻血", "呼吸困难", "胸闷", "心慌", "晕倒", "嘴歪", "重影", "吞咽困难", "自杀", "臭味", "坏死组织"]
PLAIN += [
    "剧痛",
    "发烧",
    "腹泻",
    "水泡",
    "黄疸",
    "chest pain",
    "fever",
    "foul smell",
    "nosebleed",
    "seizure",
    "heavy bleeding",
]
CUES = ["没有", "没", "无", "未", "否认", "no ", "never ", "without ", "denies ", "did not have "]


@pytest.mark.parametrize("term", PLAIN)
@pytest.mark.parametrize("cue", CUES)
def test_a_plain_denial_is_watch_and_loses_nothing(cue: str, term: str):
    found = of(f"{cue}{term}")
    assert found.level == Level.WATCH
    assert {hit.class_id for hit in found.hits} >= {hit.class_id for hit in of(term).hits}


@given(
    st.sampled_from(["不是很确定", "not quite sure about the new one", "没去成"]),
    st.sampled_from(["大出血", "胸痛", "seizure"]),
)
def test_a_denial_of_something_else_never_makes_an_emergency_watch(before: str, term: str):
    assert of(f"{before} {term}").level >= Level.URGENT


TRADITIONAL = {
    ord(pair[1]): pair[0]
    for line in (CHARACTERS / "simplified.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
    for pair in line.split()
    if "\u4e00" <= pair[0] <= "\u9fff"
}


@given(st.sampled_from(TEXTS))
def test_traditional_characters_count_as_simplified_ones(text: str):
    written = text.translate(TRADITIONAL)
    assert of(written).level == of(text.translate(LEXICON.simplified)).level


WIDE = {place: place + 0xFEE0 for place in range(0x21, 0x7F)}


@given(st.sampled_from([text for text in TEXTS if unicodedata.normalize("NFKC", text) == text]))
def test_full_width_signs_count_as_half_width_ones(text: str):
    narrow = text.replace("'", "’").replace('"', "").replace("`", "")
    assert of(narrow.translate(WIDE)).level == of(narrow).level


HOSTILE = [
    "头",
    "血",
    "流",
    "没有",
    "再",
    "not ",
    "can not ",
    "差点晕倒",
    "出出出血",
    "左边手",
    "' ",
    "a",
    "1",
    "[a",
    "🇨",
    "没有血、",
    "停了血",
    "吐血很多一直",
    "no blood, ",
    "如果血，",
    "咳血没有，",
    "“",
    "> a\n",
    "三",
    "有？",
    "no? yes ",
    "没有血，填错了",
    "xue ",
    "血...",
    "去年血，",
]


def fastest(text: str) -> float:
    """Return the seconds of the fastest of three screenings, because other processes slow the machine down."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        of(text)
        taken.append(time.process_time() - start)
    return min(taken)


@pytest.mark.parametrize("piece", HOSTILE)
def test_twenty_thousand_hostile_characters_take_no_time(piece: str):
    # Ten times what is measured, for a slow machine; a cost that grows with the square would be seconds.
    assert fastest((piece * 20_000)[:20_000]) < 0.5


@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=8), st.sampled_from(["，", " ", "。", ""]))
def test_any_long_text_takes_no_time(parts: list[str], between: str):
    text = between.join(parts) or "血"
    assert fastest((text * 20_000)[:20_000]) < 0.5
