"""Stop requests: sentences that ask for no more text messages, in English and Chinese.

The bare opt-out words are commands (``command_words``). Here are the sentences around them: "Please stop", 不要再发了,
a signature below. "The bleeding won't stop" is none: a clause counts only if it is about messages, or if nothing but
the opt-out word, courtesy and a name is in it. What may be a request, but is not certainly one, is "possible": a person
asks. So is a wish that names only a time or a way: "not at night", "not by email".
"""

from __future__ import annotations

import re
from typing import Literal

from pro.core.text.phrasebook import simplify

StopRequest = Literal["stop", "possible", ""]

_CLAUSE_END = re.compile(r"(?:[\n.!?;,:…—~()\[\]{}<>|/。！？；，：、（）【】《》]|-{2,}|\s-\s?)+")
# Messages of this system name the word.
_OURS = re.compile(
    r"reply [\"'“‘]?stop[\"'”’]? to get no more(?: messages)?|不想再收到(?:短信)?请?回复[\"“‘「]?退订[\"”’」]?"
)
# Both words in one text contradict each other.
_START = re.compile("start|unstop|subscribe|开始|重新开始|恢复|订阅")
_QUOTES = re.compile("[\"“”‘「」]|(?<![a-z])['’]|['’](?![a-z])")

# --- English ----------------------------------------------------------------------------------------------------------

_COURTESY = (
    r"(?:please|pls|plz|kindly|just|now|ok|okay|hi|hello|hey|dear|doctor|dr|nurse|sir|madam|thanks|thank you"
    r"|thx|ty|sorry"
    r"|and|so|immediately|asap|at once|right now|already|again)"
)
_MESSAGES = r"(?:messages?|messaging|texts?|texting|sms|reminders?|notifications?|subscription|alerts? to my phone)"
_WORDS_BETWEEN = (
    r"(?:(?:all|any|more|further|the|these|those|this|your|my|of|me|us|these annoying|text|daily|getting|receiving) )*"
)
_ENGLISH_BARE = re.compile(r"(?:(?:reply|text|send|write) )?(?:stop|stop all|stopall|unsubscribe|optout|opt out)")
# "How do I reply STOP": the word is named, and perhaps meant.
_ENGLISH_NAMED = re.compile(r"\b(?:reply|text|send|write|wrote|say|said|replied) (?:stop|unsubscribe)$")
# A clause of its own only at the beginning: "End." may finish a story.
_ENGLISH_FIRST = re.compile(r"(?:cancel|end|quit|td)")
_ENGLISH_LIST = (
    r"(?:(?:your|the|this|that|these|those|any|all|of|sms|text|texting|message|messaging|mailing|contact|phone|call"
    r"|reminder|study) )*"
    r"(?:lists?|database|system|group|messages?|texts?|sms|reminders?|notifications?|here|service|subscription)"
)
_ENGLISH_STOP = re.compile(
    r"\b(?:stop|quit|cease|cancel|end|turn off|(?:not|dont|don't|no longer) (?:want|need)"
    r"|(?:not|dont|don't|no longer) (?:want|wish|need|like|care) to (?:receive|get|have|see|read)) "
    rf"{_WORDS_BETWEEN}{_MESSAGES}\b"
    # "I got no more messages" is a complaint that none came.
    r"|^(?:(?:i|we) (?:(?:would|'d) )?(?:want|wish|like|need|ask for) )?(?:to (?:get|receive|have) )?"
    r"no (?:more|further)"
    rf" {_WORDS_BETWEEN}{_MESSAGES}\b"
    r"|\b(?:stop|quit|cease) (?:sending|contacting|writing|spamming|bothering|messaging|texting)\b"
    r"|\b(?:don't|dont|do not|never|no longer) (?:ever )?(?:text|message|sms|contact|write to) (?:me|us|this)\b"
    r"|\b(?:don't|dont|do not) (?:ever )?send (?:me |us |any |more |these |those )*"
    r"(?:messages?|texts?|sms|reminders?|anything)\b"
    r"|^(?:don't|dont|do not) send(?: (?:any ?more|again|me|us|to|more|any))*$"
    r"|\bunsubscribe\b"
    rf"|\bopt(?:ing)? (?:me |us )?out(?: (?:of|from) (?:{_ENGLISH_LIST}|this|these|it))?$"
    rf"|\b(?:take|remove|delete) (?:me|us|my (?:phone )?number|my name|this number) (?:off|from) {_ENGLISH_LIST}\b"
    r"|\b(?:remove|delete) (?:my|this) (?:phone )?number\b"
)
# "Don't stop texting me" keeps the messages.
_ENGLISH_KEEP = re.compile(
    r"(?:(?<!why do)n't|\bdont|\bnot|\bnever|\bwithout|\bunable to|\bno need to|\bhard to)"
    r"(?: (?:ever|please|want|wish|ask|asked|mean|meant|intend|try|trying|to|me|you to|going to))* "
    r"(?:stop|quit|cease|cancel|end|unsubscribe|opt|take|remove)\b"
)
# "Why did you stop sending messages?" misses them; "when will you stop" does not.
_ENGLISH_ASKED = re.compile(
    r"^(?:but |and |so )?(?:(?:why|how come) (?:did|do|have|has|had|are|were)|did|have|has|had)\b"
)
_ENGLISH_IF_LATER = re.compile(r"^(?:when|why|how long|until when)\b")
# What the writer himself ends: "I must end this text now". It may be a stop or the end of what he writes.
_ENGLISH_OWN_ACT = re.compile(
    r"\b(?:i|we|i'll|we'll|let me)\b(?!.*\byou\b).*\b(?:stop|end|quit|cease) "
    r"(?:(?:texting|writing|messaging)(?! (?:me|us)\b)|(?:this|my|the) (?:text|message|sms)\b)"
    r"|\bend (?:(?:this|my|the|a) )?(?:text|message|sms)\b"
)
_ENGLISH_TIME_OR_WAY = re.compile(
    r"\b(?:night|nights|tonight|today|tomorrow|mornings?|evenings?|afternoons?|weekends?|(?:mon|tues|wednes|thurs|fri|satur"
    r"|sun)days?|week|month|before|after|until|till|between|during|while|when|early|late|hours?|o'clock|\d+ ?(?:am|pm)"
    r"|often|every day|daily|twice|for now|a while|by (?:e ?-?mail|mail|phone|post|wechat|letter|voice|call)"
    r"|(?:on|via|through|to) (?:my )?(?:wechat|e ?-?mail|work|old|other|landline|office)|emails?|calls?"
    r"|so many|too many)\b"
)
# A clause of these words only, with one of the first line among them, may mean the messages or something else.
_ENGLISH_POSSIBLE = re.compile(
    r"(?:(?:stop|quit|cancel|end|withdraw|it|this|that|all|me|i|we|you|us|can|could|may|how|to|do|does|would|should|want"
    r"|wanna|like|wish|will|help|asking|questions?|enough|no|more|the|these|your|let|let's|lets|finish|leave|alone|out|of"
    r"|study|for|today|here|really|again|ever|get|rid|am|i'm|im|done|with|don't|dont|bother)(?: |$))+"
)
_ENGLISH_STOP_WORDS = frozenset({"stop", "quit", "cancel", "withdraw"})
_ENGLISH_LEAVE = re.compile(
    r"(?:(?:can|could|will|would|why don't) you )?(?:please |just )*(?:leave (?:me|us) alone|(?:take|get) me off)"
    r"|no (?:messages|texts|sms|reminders)"
    r"|.*\bopt out of (?:the|this|your) (?:study|trial|research)"
)

# --- a name behind the word -------------------------------------------------------------------------------------------

# Words of a name, and letters of one of them.
MOST_NAMES, LONGEST_NAME = 3, 12
_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖萧田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆"
    "范汪廖石金韦贾夏付傅方邹熊白孟秦邱侯江尹薛闫雷龙史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤涂饶甘喻揭占洪"
)
# 高烧, 白天 and the like begin as a name does.
_CHINESE_NAME = re.compile(
    f"(?:我是|我叫|姓名)?(?:[{_SURNAMES}][\u4e00-\u9fff]{{1,2}}|(?:欧阳|司马|上官|诸葛|司徒)[\u4e00-\u9fff]{{1,2}})"
)
_NO_NAME = re.compile("[血痛吐烧热咳喘药饭水鼻头口胸发不了吗再短信天晚夜疗流止停是的]")
_PINYIN_SURNAME = re.compile(
    "wang|li|zhang|liu|chen|yang|huang|zhao|wu|zhou|xu|sun|zhu|hu|guo|lin|gao|luo|zheng|liang|xie|song|"
    "tang|han|deng|feng|cao|peng|zeng|xiao|tian|dong|yuan|cai|jiang|yu|du|ye|cheng|wei|su|lu|ding|yao|"
    "shen|zhong|cui|fan|liao|shi|jia|xia|fu|fang|zou|xiong|bai|meng|qin|qiu|hou|yin|xue|yan|lei|tao|hao|"
    "gu|gong|shao|qian|dai|kong|tu|rao"
)
_PINYIN = re.compile(
    "(?:(?:zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])?(?:i?ang?|i?ong|u?ai|i?ao|u?[aei]ng?|[iu]?[aeo]|ui?|ou|iu?|ei|u?o|er|ue))+"
)
_LATIN_NAME = re.compile("STOP[^A-Za-z0-9]+(?:[A-Z][a-z]+)(?: [A-Z][a-z]+){0,2}[^A-Za-z0-9]*")
_ENGLISH_NO_NAME = re.compile(
    r"\w*ing|the|my|this|that|it|these|those|your|all|him|her|me|bleed\w*|nose|pain|blood|please|now|and|he|she|fell|for"
    r"|throat|mouth|chest|head|help"
)

# --- Chinese ----------------------------------------------------------------------------------------------------------

_CHINESE_STILL = "(?:还|老|总|一直|天天|每天)"
_CHINESE_DENIED = "(?:不要|不想要|不想|不用|不必|不需要|不许|不准|别|请勿|勿|没|没有|无需|莫|甭|从没|从未)"
_CHINESE_KEEP = re.compile(
    "(?:不|别|没|没有|无需|误|不小心|勿|从没|从未)(?:是|想|要|用|必|需要|打算|准备|申请|愿意?|说|有|过|让你们|给我|同意)*(?:退订|取消订阅)"
    "|取消退订|(?:暂|先)不退订|退订了吗|退订过|(?:为什么|为何|为啥)(?:要|给我|就|会|把我)*退订(?!不)"
    f"|{_CHINESE_DENIED}(?:再|给我|让你们|你们|要|说|想)*(?:停止|停发|停了?短信|停掉短信|停了?发)"
)
# Who misses the messages asks why they stopped.
_CHINESE_ASKED = re.compile(
    f"(?:为什么|为何|为啥|咋|怎么(?:就|都|又|突然|最近|现在|今天)*(?=不|没|停发|停了))(?!.*{_CHINESE_STILL}).*(?:停|不|没|取消)"
)
_CHINESE_MESSAGES = r"(?:短信|信息|消息|讯息|提醒|通知)"
_CHINESE_OBJECT = r"(?:短信|信息|消息|讯息|提醒|通知|微信|邮件|东西|垃圾|这些|这种|这个|那些|问卷|表)"
_CHINESE_END = "(?:了|啦|吧|呀|好吗|好不好|可以吗|行吗|谢谢)*$"
_CHINESE_NOT = (
    r"(?:不要|别|请勿|勿|不用|不必|莫|甭|不需要|不准|不许|停止|禁止|请停止|不想让你们|不想你们"
    r"|能不能不要|可不可以不要|可以不要|可以别|能不能别|能不能不)"
)
_CHINESE_UNSUBSCRIBE = re.compile(
    "退订|取消订阅|取消(?:短信|提醒)|退定"
    # "The hospital refused me" says the same word.
    rf"|^(?:请|我|我要|我们)*拒收(?:你们|贵方|所有|任何|一切|的)*{_CHINESE_OBJECT}*{_CHINESE_END}"
)
_CHINESE_STOP = re.compile(
    rf"{_CHINESE_NOT}(?:再|继续|老是|老|总是|总|一直|天天|每天|又|给我|向我|跟我|往我手机上?|给我手机)*"
    r"(?:.{1,8}(?:[前后]|时候?))?"
    rf"(?:发|发送|推送|打扰|骚扰|[寄来](?={_CHINESE_MESSAGES}))(?:我|了|啦|吧|呀|给我|过来|来|送|些|{_CHINESE_OBJECT})*{_CHINESE_END}"
    rf"|(?:不想|不要|不愿意?|不需要|不用)(?:再|继续)*(?:(?:接收|接到|收到|收)(?:到)?(?:你们|这些|这种|任何|这个|贵方)*的?{_CHINESE_OBJECT}"
    rf"|看到?(?:到)?(?:你们|这些|这种|任何|这个|贵方)*的?(?:{_CHINESE_MESSAGES}|问卷))"
    rf"|^(?:我|我们|请|麻烦|以后|都|再也)*不(?:想|要|用|需要)?(?:再)?(?:收|要|接收)?(?:你们|这些|这种|任何|贵方)*的?{_CHINESE_MESSAGES}{_CHINESE_END}"
    rf"|{_CHINESE_MESSAGES}(?:就|都|可以|请|也|真的|你们|我|以后)*(?:不用|不要|不需要|不必|别|停止|取消|不收|不想要|不想收|停掉|停(?=了吧|吧))(?:再|发送|发|来|收|要)*{_CHINESE_END}"
    rf"|停止(?:发送|推送|服务|打扰)|停(?:止|掉|了)?{_CHINESE_MESSAGES}|停发(?:了|所有|全部|一切|任何|我|给我|你们|的|{_CHINESE_OBJECT})*{_CHINESE_END}|取消(?:发送|推送|接收)"
)
# "The medicine need not be sent" is not about the messages.
_CHINESE_PARCEL = re.compile("药|快递|包裹|货|报告|发票|片子|单子|化验|病历|检查|结果")
# What may stand before the request; with other words there, a person asks.
_CHINESE_BEFORE = re.compile(
    r"(?:我|我们|你|你们|您|请|麻烦|求|拜托|能|可以|以后|今后|从今以后|从今天起|往后|那|就|都|也|还是|真的|已经|好了|算了|想|要"
    r"|你好|您好|谢谢|医生|大夫|护士|老师|医院|再|给|以及|请问|怎么|如何|怎样|帮|让|把|的|了|吧|啊|哦|嗯|所有|全部|一切|这些|这种|这个"
    rf"|{_CHINESE_MESSAGES}|问卷|希望|stop|td)*"
)
_CHINESE_TIME_OR_WAY = re.compile(
    "晚上|夜里|夜间|半夜|深夜|凌晨|早上|早晨|清晨|大清早|上午|中午|下午|午休|傍晚|今天|今晚|明天|后天|这几天|这两天|最近|这周|下周|周末|周[一二三四五六日]"
    "|星期|礼拜|[点时钟](?:钟|半)?(?:以?[前后]|之[前后])|太早|太晚|太多|太频繁|频繁|这么多|那么多|这么早|这么晚|那么晚|睡觉|休息|上班|上课|开会"
    "|时候|期间|暂时|暂|先(?:别|不)|过年|节|假|每天|天天|一天|邮件|邮箱|微信|电话|语音|座机|老号|旧号|现在"
)
# "I hope it does not come again" says the same words about an illness.
_CHINESE_ILLNESS = re.compile("希望|但愿|祈|复发|怕|担心|病|瘤|癌")
_CHINESE_POSSIBLE = re.compile(
    r"(?:我|我们|请|麻烦|你们|现在|先|都|能不能|可以|可不可以|想|要|真的|不如|还是|算了)*"
    r"(?:停止|停下|停下来|停了|停|取消|不要了|不填了|不想填了|不想再填了|不做了|不想做了|不答了|不想答了|不参加了|不想参加了|退出|退出研究"
    r"|结束|别烦我|不要烦我|别再烦我|别问了|不要问了|不要再问了|别再问了|烦死了|短信停了|不想要了|(?:不要|别)(?:再)?(?:寄|送|来)了)"
    r"(?:了|吧|啦|吗|好吗|谢谢|可以吗|行吗|我|研究)*"
)
_CHINESE_COURTESY = re.compile("^(?:请|麻烦|你好|您好|谢谢|好的|嗯)+|(?:谢谢|吧|啊|呀|哦|了|好吗|可以吗)+$")


def find_stop_request(text: str) -> StopRequest:
    """Return whether ``text`` asks for no more messages: "stop", "possible", or "" for no. Never raises."""
    said = _OURS.sub(" ", _QUOTES.sub(" ", _OURS.sub(" ", simplify(text))))
    clauses = [" ".join(clause.split()) for clause in _CLAUSE_END.split(said)]
    clauses = [clause for clause in clauses if clause]
    found = [_read_clause(clause, first=place == 0) for place, clause in enumerate(clauses)]
    if clauses and "stop" not in found:
        found.append(_read_signature(text, " ".join(clauses)))
    if "stop" in found and any(_is_time_only(clause) or _START.fullmatch(clause) for clause in clauses):
        found = ["possible" if one == "stop" else one for one in found]
    return "stop" if "stop" in found else "possible" if "possible" in found else ""


def _read_clause(clause: str, *, first: bool) -> StopRequest:
    """Return what one clause asks for."""
    if re.search("[\u3400-\u9fff]", clause):
        return _read_chinese(clause.replace(" ", ""))
    return _read_english(clause.replace("’", "'"), first=first)


def _read_signature(text: str, said: str) -> StopRequest:
    """Return "stop" if ``text`` is the opt-out word and a name: STOP 张三, STOP Zhang San; "possible" for STOP John."""
    word, _, name = said.partition(" ")
    if word in ("退订", "stop") and _CHINESE_NAME.fullmatch(name.replace(" ", "")):
        return "" if _NO_NAME.search(name) else "stop"
    words = name.split()
    if word != "stop" or not words or any(_ENGLISH_NO_NAME.fullmatch(one) for one in words):
        return ""
    is_pinyin = len(words) <= MOST_NAMES and all(len(one) <= LONGEST_NAME and _PINYIN.fullmatch(one) for one in words)
    if is_pinyin and (_PINYIN_SURNAME.fullmatch(words[0]) or _PINYIN_SURNAME.fullmatch(words[-1])):
        return "stop"
    if _LATIN_NAME.fullmatch(text.strip()) is None:
        return ""
    return "stop" if len(words) > 1 else "possible"


def _is_time_only(clause: str) -> bool:
    """Return True for a clause that only says when: 晚上，不要发短信."""
    return _CHINESE_TIME_OR_WAY.fullmatch(clause) is not None


def _read_english(clause: str, *, first: bool) -> StopRequest:
    if _ENGLISH_KEEP.search(clause) or _ENGLISH_ASKED.search(clause):
        return ""
    bare = re.sub(rf"^(?:{_COURTESY} )+|(?: {_COURTESY})+$", "", clause)
    if _ENGLISH_BARE.fullmatch(bare) or (first and _ENGLISH_FIRST.fullmatch(bare)):
        return "stop"
    if _ENGLISH_STOP.search(bare):
        is_partly = any(one.search(bare) for one in (_ENGLISH_TIME_OR_WAY, _ENGLISH_IF_LATER, _ENGLISH_OWN_ACT))
        return "possible" if is_partly else "stop"
    if _ENGLISH_LEAVE.fullmatch(bare) or _ENGLISH_NAMED.search(bare):
        return "possible"
    words = bare.split()
    may_be = not _ENGLISH_STOP_WORDS.isdisjoint(words) and _ENGLISH_POSSIBLE.fullmatch(bare) is not None
    return "possible" if may_be and len(words) > 1 else ""


def _read_chinese(clause: str) -> StopRequest:
    if re.search("(?:不能|无法|没法)退订|退订不(?:了|掉|成)", clause):
        return "stop"
    if _CHINESE_KEEP.search(clause) or _CHINESE_ASKED.search(clause):
        return ""
    # A mixed clause: 请stop, STOP谢谢.
    if re.fullmatch("(?:stop|td|unsubscribe)", _CHINESE_COURTESY.sub("", clause)):
        return "stop"
    if _CHINESE_UNSUBSCRIBE.search(clause):
        # "I will not" and "I do not know how to" are one word.
        return "possible" if "不会退订" in clause or "不会取消" in clause else "stop"
    found = _CHINESE_STOP.search(clause)
    if found is None:
        return "possible" if _CHINESE_POSSIBLE.fullmatch(clause) else ""
    before = clause[: found.start()]
    is_parcel = _CHINESE_PARCEL.search(before) or (
        _CHINESE_PARCEL.search(clause) and not re.search(_CHINESE_MESSAGES, clause)
    )
    if is_parcel or re.search("(?:药|饭|家人|住院)$", clause):
        return ""
    is_partly = _CHINESE_TIME_OR_WAY.search(clause) or _CHINESE_ILLNESS.search(clause)
    return "possible" if is_partly or not _CHINESE_BEFORE.fullmatch(before) else "stop"
