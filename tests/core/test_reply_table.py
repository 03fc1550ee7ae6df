"""Test replies by a table: one line an item and meaning, texts separated by "|"."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pro.core.text.reply_parser import ParsedAnswer, ReplyCommand, UnclearReply, parse_command
from tests.core.checkin import ITEMS, parse

# item, meaning, texts. A number is a code (or kg); "?" means unclear.
ANSWERS: list[tuple[str, int | str, str]] = [
    # Every way to write a number.
    ("headache", 3, "3|３|三|③|⑶|⒊|❸|㈢|㊂|3️⃣|3.|3。|3!|(3)|（3）|【3】|「三」|叁|three|THREE|#3| 3 |　３　|3\r"),
    (
        "headache",
        3,
        "3分|三分|选3|选三|我选3|选择3|选项3|答案是3|答案：3|我的答案是三|回答3|回复3|就3吧|那就3|打3|填三",
    ),
    (
        "headache",
        3,
        "三吧|嗯 三|嗯，三|嗯嗯3|呃……三|大概是3|大概三吧|"
        "应该是3|差不多3|选三谢谢|3谢谢|3，谢谢医生|医生您好，3|抱歉，3|我觉得是3",
    ),
    ("headache", 3, "3 😊|😊3|三🙏🙏|3～|3~|好的，3|好的 3|3 3"),
    (
        "headache",
        3,
        "my answer is 3|answer: 3|option 3|I choose 3|I'd say 3|"
        "i think it's 3|It's a 3|maybe 3|about 3|3 please|3, thanks",
    ),
    ("headache", 3, "Hi doctor, 3|ok 3|3 ok|hmm... 3|just 3|probably three|THE ANSWER IS THREE|number 3|3 points"),
    # The copied line of an option.
    (
        "headache",
        3,
        "3 重|3-重|3 - Severe|3—重|3. 重|3=重|3：重|"
        "3 Severe|3. Severe|3 = severe|3（重）|重 3|Severe (3)|severe 3|重（severe）",
    ),
    ("headache", 0, "0 没有|0. None|0=没有|没有（0）"),
    ("headache", 1, "1轻|1 = Mild|有 1|yes, 1|有，轻|yes, mild|有的，有一点"),
    # By label and by word.
    (
        "headache",
        0,
        "没有|没|无|無|不|沒有|冇|冇得|木有|"
        "没有。|没有！|没 有|完全没有|一点都没有|一点也没有|没有一点|没有没有|没有 没有",
    ),
    (
        "headache",
        0,
        "不痛|不疼|头不疼|没头疼|沒有頭痛|none|None.|NO|no|nope|not at all|Not At All!|no, none|no, not at all|nothing",
    ),
    ("headache", 0, "no headache|No headaches|没有谢谢|嗯没有|好像没有|0|零|〇|zero|０|⓪|0️⃣"),
    (
        "headache",
        1,
        "轻|輕|轻微|轻度|有一点|有点|有一點|一点|"
        "一点点|一点点吧|mild|Mild|a little|a bit|just a little|a little bit|slight",
    ),
    ("headache", 2, "中|中等|中度|moderate|Moderate!|I think moderate|moderately|2|二|两|②|two|两分"),
    ("headache", 3, "重|严重|嚴重|很严重|蛮重|挺重|severe|SEVERE|重度"),
    ("headache", 4, "难以忍受|難以忍受|受不了|unbearable|the worst|The worst I can imagine|4|四|肆|④|four"),
    ("headache_int", 1, "一点|有一点|有点|a little|A little.|little|有一点影响"),
    ("headache_int", 2, "一些|有一些|some|somewhat"),
    ("headache_int", 3, "很大|非常|非常大|影响很大|a lot|very much|Very much!|lots|3"),
    ("headache_int", 4, "什么都做不了|什么都做不了。|could do nothing|can't do anything|CAN’T DO ANYTHING"),
    ("palp", 3, "重|非常|非常严重|very severe|very much|severe"),
    ("palp", 0, "不慌|心不慌|没有"),
    ("neuro", 1, "有|是|是的|对|yes|Yes|YES!|y|yeah|有的|1|一|嗯，有|yes please"),
    ("neuro", 0, "没有|没|不是|否|no|No.|N|nope|0|零|不是，没有|no no"),
    ("bleed_now", 1, "是|是的|还在出血|还在流|有|yes|1|是1"),
    ("bleed_now", 0, "没有|不是|不流了|现在没有|no|not right now"),
    ("bleed", 0, "没有|没出血|没有流血|不出血|no bleeding|Didn’t bleed|didn't bleed"),
    ("bleed", 1, "只有血丝或几滴|血丝|有血丝|几滴|Only streaks or a few drops|streaks|a few drops"),
    ("bleed", 2, "比几滴多，10分钟内止住|比几滴多 10分钟内止住|More than a few drops, stopped within 10 minutes|2"),
    ("bleed", 3, "超过10分钟、反复出血或有血块|有血块|反复出血|超过10分钟|超过十分钟|clots"),
    ("bleed", 4, "很多（满口、一杯或浸湿毛巾）|很多|满口血"),
    ("bleed", 4, "很多很多|a lot|A lot: a mouthful, a cup, or soaked a towel"),
    ("breath", 0, "正常|正常的|很好|没问题|normal|Normal|fine|Normal, thanks"),
    ("breath", 3, "坐着不动也气短，或呼吸有响声|坐着也气短|at rest|noisy breathing"),
    ("chest", 3, "重，或休息时也有|重|休息时也有|severe|Severe, or at rest"),
    ("faint", 1, "差点晕倒|差点|nearly|almost fainted|Nearly fainted"),
    ("faint", 2, "晕倒了|暈倒了|晕倒|fainted|passed out"),
    ("temp", 9, "9|九|⑨|nine|觉得发热或发冷，没有量|Felt hot or had chills, did not measure"),
    ("temp", 0, "正常|没发烧|no fever|低于37.5℃或没觉得发热|低于37.5|below 37.5"),
    ("temp", 1, "37.5–37.9℃|37.5-37.9|37.5–37.9 °C|37.5~37.9|37.5到37.9"),
    ("temp", 3, "39.0℃或以上|39度以上|39.0 °C or higher"),
    ("swallow", 4, "什么都咽不下，连口水也不行|什么都咽不下|nothing|Nothing, not even saliva"),
    ("swallow", 2, "只能喝流食|流食|liquids only|liquids"),
    ("nosebleed7", 1, "1天|一天|１天|One day|1 day|1"),
    ("nosebleed7", 2, "2–3天|2-3天|两天|3天|两三天|Two or three days|2 or 3 days|two days"),
    ("nosebleed7", 3, "4天或以上|每天|every day|七天|Four or more days"),
    ("odor", 2, "明显|明顯|clear|2"),
    ("discharge", 1, "一点|有一点|a little|有一点点"),
    ("discharge", 3, "整天都很多|a lot all day"),
    ("vomit", 1, "1–2次|1-2次|1–2|两次|twice|1-2 times|1–2 times|1. 1–2次"),
    ("diarrhea", 1, "1–3次|1-3次|1–3"),
    ("skin", 4, "4|很深或发黑的伤口，或自己出血"),
    ("fatigue", 4, "整天卧床|整天臥床|in bed all day"),
    ("selfharm", 0, "没想过|没有|no"),
    ("rash", 3, "超过30个手掌|more than 30 palms"),
    # A separate sentence after the answer, or before one that declares the answer.
    ("bleed", 3, "3，今天又流了好几口|今天又流血了，选3|3\n请医生看看|3. When can I come in?"),
    # Unclear: two readings.
    (
        "headache",
        "?",
        "3或4|3还是4|3到4|3-4|3–4|3~4|3～4|3、4|3，4|"
        "3 4|3/4|3,4|二三|两三|2 or 3|either 2 or 3|3 out of 4|between 2 and 3",
    ),
    (
        "headache",
        "?",
        "没有，有一点|轻，重|mild, severe|轻或中|mild to moderate|有点重|"
        "0 重|没有 重|3 轻|mild 3|yes, none|有 0|没有，是3",
    ),
    (
        "headache",
        "?",
        "有|是|yes|对|好|好的|ok|嗯|收到|谢谢|"
        "知道了|不知道|不清楚|I don't know|not sure|一般|还好|so so|very|非常|very severe",
    ),
    # A denied label or number.
    (
        "headache",
        "?",
        "不重|不严重|不轻|不太重|没那么重|不是重|不是3|"
        "不是0|不是没有|并不是没有|没有0|not severe|not mild|isn't severe|not 3",
    ),
    (
        "headache",
        "?",
        "not none|Not a little|no severe|never mild|3，不对|3，错了|"
        "3 不对 2|3. Wrong|3, I meant 2|3, no wait|几乎没有|不是一点",
    ),
    # No code, or a number that is not an option.
    (
        "headache",
        "?",
        "5|7|9|10|33|３３|03|00|3.0|1.5|一点五|三十三|十|-1|－3|−1|+3|3+|>3|<3|≈3|3%|$3|¥3|3.14|1,5|3,000|1e0|٣|½",
    ),
    (
        "headache",
        "?",
        "3天前|3天|3次|3点|3点半|3月|3号|3日|3小时|3分钟|3个|"
        "3级|3度|3片|3kg|3 days|3 days ago|3x|3rd|3am|3:00|11/3|2026-11-03",
    ),
    (
        "headache",
        "?",
        "第三个|第3|第三|倒数第二|the third|third one|2nd|B3|3a|Q3|13800138000|138 0013 8000|房间3|room 3|3楼|3床",
    ),
    (
        "headache",
        "?",
        "3以上|不到3|超过3|比3重|至少3|more than 2|at least 3|less than 3|3?|3？|有吗|没有吗？|重？|severe?|3吗",
    ),
    (
        "headache",
        "?",
        "👍|👌|😭|...|。|？|!|-|——|❤️|[图片]|a|I|的|分|选|答案是|头痛|my head hurts|今天头痛得厉害，来不及写|hello",
    ),
    (
        "headache",
        "?",
        "头痛，3|恶心：3|昨天3|今天3|3-没有|轻一点|好一点|重一点|-重|3--重|"
        "昨天 有一点|比昨天重|有一点都没有|一直痛|如果3|3如果明天还痛|three hundred|one two",
    ),
    (
        "neuro",
        "?",
        "现在没有|目前没有|今天没有|not now|也许吧|有时候|不一定|有没有|"
        "是不是|yes no|有，没有|是0|yes 0|no 1|是吗|是没有",
    ),
    ("breath", "?", "没有|no|有|yes|好|4|短|short of breath|气短|不正常|not normal"),
    ("faint", "?", "有|yes|差点晕倒了，后来晕倒了|没晕倒，晕倒了"),
    # A reading is the option that it lies in; a number that is an option's code stays that code.
    (
        "temp",
        2,
        "38.5|38,5|38。5|３８．５|38点5|38度5|38度五|38度半|三十八度五|三十八点五|三十八度半|三十八度|38|38.0|38℃|38.5°C|38.9",
    ),
    (
        "temp",
        2,
        "38.5度|38.5 度左右|最高38.5|体温38.5|最高体温是38度5|昨晚烧到38度5|发烧38.2|量了，38.6|大概38.5吧|38.5谢谢",
    ),
    (
        "temp",
        2,
        "temperature 38.5|temp was 38.6|my temperature is 38.5 c|38.5 degrees|fever of 38.4|101.3 F|38 degrees celsius",
    ),
    (
        "temp",
        0,
        "36.5|37|37.4|37度4|三十六度八|没发烧36.8|没有发烧，36.8|正常，36.5|no fever 36.8|98.6°F|体温正常，36.5",
    ),
    ("temp", 1, "37.5|37.9|37.95|三十七度六|37度5"),
    ("temp", 3, "39|39.0|39度|40.2|四十度|39度8|103 f|3|选3"),
    ("temp", 9, "9|觉得发热没有量"),
    (
        "temp",
        "?",
        "没有|没量|hot|4|5|8|发烧了|33|43|385|50度|101|不是38.5|不到38.5|38.5以上|38到38.5吧|37.2，38.6|38.5?|没发烧38.5",
    ),
    # What a person writes instead of the label.
    ("chest", 1, "有点闷|有一点闷|有点胸闷|胸口有点闷|稍微有点痛|有点发紧|胸口有一点痛"),
    ("chest", 0, "不闷|没有胸痛|胸口不闷|从来没痛过"),
    ("chest", "?", "闷|胸口闷|不是有点闷"),
    ("breath", 2, "走路有点喘|走路就喘|走几步路就喘|走路的时候有点气短|一动就喘"),
    ("breath", 1, "上楼有点喘|爬楼梯就喘|快走有点喘"),
    ("breath", 3, "坐着也喘|不动都喘|躺着也喘"),
    ("breath", 0, "没有气短过|没喘|不觉得喘|不喘|不气喘"),
    # It may say that breathing has stopped.
    ("breath", "?", "不喘气|没喘气|没有喘气|不喘气了|没有呼吸了|不呼吸了|没有喘气过"),
    ("faint", 0, "没有晕过|没晕过|从来没有晕倒过|没有昏倒过|没有晕过去"),
    ("faint", "?", "晕过没有|有点晕|没有晕过吗"),
    ("bleed", 1, "有一点吧|一点点|有点血丝"),
    ("neuro", 1, "有一点吧"),
    ("bleed_now", 1, "有一点吧|还有一点"),
    ("palp", 1, "有一点吧|心有点慌"),
    ("headache", 1, "头有点疼|有点头疼吧"),
    ("sores", "?", "不痛"),
    ("swallow", "?", "没有|no|none|不|不能|都不能"),
    ("nosebleed7", "?", "有|有一点|3天前|2-3|1天前|4-5|yes|两次"),
    ("discharge", "?", "很多|a lot|not a lot|不多|有"),
    ("appetite", "?", "nothing|没有胃口|没胃口|no appetite|吃不下"),
    ("headache_int", "?", "nothing|不大|not a lot|not very much|大不大"),
    ("bleed", "?", "今天流血了3次|流了2次血|不多|没有很多|not a lot|流了1天|有|yes|it won't stop|stopped"),
    ("vomit", "?", "2-4|1-3|1-3 times|1-3次|1 2 times|1 3次|2-2次|1-2|1~2|1 to 2|one or two|2次多|吐了"),
    ("palp", "?", "1-2|非常不好|不非常|不是很重|very"),
    # Weight in kg.
    (
        "weight",
        "62.5",
        "62.5|６２．５|62,5|62。5|62.5kg|62.5 KG|62.5公斤|"
        "62.5 公斤。|62.5千克|62.5㎏|125斤|125 斤|125市斤|一百二十五斤",
    ),
    (
        "weight",
        "62.5",
        "六十二点五|六十二点五公斤|62点5公斤|62公斤半|"
        "六十二公斤半|体重62.5|今天体重62.5公斤|我的体重是62.5公斤|大概62.5左右",
    ),
    (
        "weight",
        "62.5",
        "I weigh 62.5 kg|my weight is 62.5|about 62.5 kg today|"
        "62.5kg thanks 😊|62.5公斤，125斤|62.5 62.5|sixty two point five",
    ),
    ("weight", "58.0", "58|五十八公斤|五十八|58公斤|fifty eight kilos|fifty-eight|116斤|一百一十六斤|一百十六斤"),
    ("weight", "60.0", "六十|一百二十斤|一百二斤|120斤|60kg|60 kilograms|sixty|陆拾公斤|陸拾公斤"),
    ("weight", "60.5", "六十点五|一百二十一斤|六十公斤半"),
    ("weight", "62.1", "137 lb|137lbs|137 pounds|137磅"),
    ("weight", "120.0", "120|一百二十|一百二十公斤|one hundred and twenty|a hundred and twenty kg|hundred twenty"),
    ("weight", "105.0", "一百零五公斤|105|210斤|两百一十斤|二百一十斤"),
    ("weight", "25.0", "25|50斤|二十五|五十斤"),
    ("weight", "250.0", "250|500斤|二百五十公斤"),
    (
        "weight",
        "?",
        "24.9|24.99|250.01|49斤|600斤|0|-62|62-63|62~63|62到63|"
        "62 63|6 2|62，63|62,63|62.5.1|1e2|五六十公斤|六十多公斤|五八|二三",
    ),
    (
        "weight",
        "?",
        "62天|62岁|62元|62 stone|62g|62年|62床|第62|62次|公斤|"
        "斤|没有|没秤|不知道|yes|62?|不是62|not 62|比62轻|less than 62",
    ),
    ("weight", "?", "62公斤，60公斤|58公斤5|60公斤200克|1" + "0" * 50 + "|NaN|inf|٦٢|62千|👍"),
    # A list: places, names, or none.
    (
        "other7",
        "hearing,pain",
        "1,3|1，3|1、3|1 3|3 1|1和3|1 and 3|"
        "一、三|①③|1️⃣3️⃣|选1和3|hearing worse and pain elsewhere|听力变差、其他地方痛|1, 3, 3",
    ),
    ("other7", "nausea", "7|恶心|Feeling sick|feeling sick please|有恶心"),
    ("other7", "thirst", "18|特别口渴、小便多|Very thirsty and a lot of urine"),
    ("other7", "", "0|没有|以上都没有|都没有|none|None of these|no|none of the above"),
    ("other7", "?", "19|1-3|1.5|没有恶心|不恶心|none, 3|0,1|有|yes|头痛|1 2 头痛|第三个|1?|好的|99"),
]
COMMANDS = [
    ("back", "BACK|back|Back.|返回|返 回|上一题|返回！|go back"),
    ("skip", "SKIP|skip|Skip!|跳过|跳過|跳过。|跳过此题|skip this question"),
    ("help", "HELP|help|Help!|帮助|幫助|HELP 🙏"),
    ("language", "LANGUAGE|language|语言|語言|换语言"),
    ("stop", "STOP|stop|Stop.|退订|退訂|退订！|TD|td|unsubscribe|ＳＴＯＰ"),
    ("start", "START|start|开始|Start"),
]
WITH_TALK = [
    ("skip", "请跳过|跳过吧|please skip|skip please"),
    ("stop", "stop please|please stop"),
    ("back", "请返回"),
]
ROWS = [(item, meant, text) for item, meant, texts in ANSWERS for text in texts.split("|")]


def expected(item: str, meant: int | str) -> object:
    if isinstance(meant, int):
        return meant
    return Decimal(meant) if item == "weight" else tuple(filter(None, meant.split(",")))


def test_the_table_is_long_enough():
    assert len(ROWS) >= 250


@pytest.mark.parametrize(("item", "meant", "text"), ROWS)
def test_what_is_said_is_what_is_heard(item, meant, text):
    found = parse(item, text)
    if meant == "?":
        assert isinstance(found, UnclearReply), found
    else:
        assert isinstance(found, ParsedAnswer), found
        assert found.value == expected(item, meant)
        assert str(found.value) == meant or item != "weight"
        assert ITEMS[item].accepts(found.value)


@pytest.mark.parametrize("item", ["headache", "neuro", "weight", "free_text", "other7"])
@pytest.mark.parametrize(("steer", "texts"), COMMANDS)
def test_commands_in_both_languages_and_any_case(item, steer, texts):
    for text in texts.split("|"):
        assert parse(item, text) == ReplyCommand(steer), text
        assert parse_command(text) == steer, text


@pytest.mark.parametrize(("steer", "texts"), WITH_TALK)
def test_a_command_may_be_polite_but_a_text_is_kept(steer, texts):
    for text in texts.split("|"):
        assert parse("headache", text) == ReplyCommand(steer), text
        assert parse_command(text) is None
        assert parse("free_text", text) == ParsedAnswer(text)


@pytest.mark.parametrize(
    "text",
    ["返回医院了", "back 2", "skip 3", "help me", "stop, start", "救命", "跳过，3", "停止", "不跳过", "stop bleeding"],
)
def test_half_a_command_is_none(text):
    assert parse_command(text) is None
    assert isinstance(parse("bleed_now", text), UnclearReply)


@pytest.mark.parametrize("item", ["headache", "weight", "free_text", "other7"])
@pytest.mark.parametrize("text", ["", " ", "\r\n", "　"])
def test_nothing_is_no_answer(item, text):
    assert parse(item, text) == UnclearReply("empty")


@pytest.mark.parametrize(
    "text", ["没有", "3", "1-2", "半夜醒来枕头上都是血", "no", "3天前", "👍", "?", "please don't stop"]
)
def test_a_free_text_is_its_own_value(text):
    assert parse("free_text", f" {text}\r\n") == ParsedAnswer(text)


@pytest.mark.parametrize(
    ("item", "text", "why"),
    [
        ("headache", "5", "no_such_option"),
        ("headache", "3 4", "two_readings"),
        ("headache", "重，轻", "two_readings"),
        ("headache", "back 2", "two_readings"),
        ("headache", "嗯", "not_understood"),
        ("headache", "3\x00", "unreadable"),
        ("headache", "\udcff", "unreadable"),
        ("headache", "3" + " " * 500 + "。" * 600, "not_understood"),
        ("weight", "24.9", "too_low"),
        ("weight", "600斤", "too_high"),
        ("weight", "62 stone", "not_understood"),
        ("weight", "五六十", "not_a_number"),
        ("free_text", "字" * 501, "too_long"),
        ("other7", "19", "no_such_option"),
    ],
)
def test_why_a_text_is_unclear(item, text, why):
    assert parse(item, text) == UnclearReply(why)


@pytest.mark.parametrize(
    ("item", "text", "whole"),
    [
        ("bleed", "3", True),
        ("bleed", "③。", True),
        ("bleed", "三", True),
        ("bleed", "比几滴多，10分钟内止住了", True),
        ("bleed", "only streaks or a few drops", True),
        ("headache", "3 重", True),
        ("other7", "1、3", True),
        ("weight", "62.5", True),
        ("bleed", "3，今天又流了好几口", False),
        ("bleed", "满口血", False),
        ("bleed", "没出血", False),
        ("bleed", "3 🩸", False),
        ("bleed", "嗯 3", False),
        ("free_text", "没有", False),
    ],
)
def test_only_a_number_or_a_label_alone_is_not_screened(item, text, whole):
    found = parse(item, text)
    assert isinstance(found, ParsedAnswer)
    assert found.whole is whole
