"""Stop requests: sentences that ask for no more text messages, in English and Chinese.

The bare opt-out words are commands (``command_words``). Here are the sentences around them: "Please stop", 不要再发了,
a signature below. "The bleeding won't stop" is none: a clause counts only if it is about messages, or if nothing but
the opt-out word and courtesy is in it. What may be a request, but is not certainly one, is "possible": a person asks.
"""

from __future__ import annotations

import re
from typing import Literal

from pro.core.text.phrasebook import simplify

StopRequest = Literal["stop", "possible", ""]

_CLAUSE_END = re.compile(r"[\n.!?;,:…—~()\[\]{}<>|/。！？；，：、（）【】《》]+")
# Our own messages name the word: "Reply STOP to get no more", 不想再收到请回复“退订”.
_QUOTED = re.compile(
    r"(?:reply|text|send|回复|回|发送)\s*[\"'“”‘’「」]*\s*(?:stop|退订)[\"'“”‘’「」]*(?:\s+to get no more)?"
)

_COURTESY = (
    r"(?:please|pls|plz|kindly|just|now|ok|okay|hi|hello|hey|dear|doctor|dr|nurse|sir|madam|thanks|thank you"
    r"|thx|ty|sorry"
    r"|and|so|immediately|asap|at once|right now|already|again)"
)
_MESSAGES = r"(?:messages?|messaging|texts?|texting|sms|reminders?|notifications?|subscription|alerts? to my phone)"
_WORDS_BETWEEN = (
    r"(?:(?:all|any|more|further|the|these|those|this|your|my|of|me|us|these annoying|text|daily|getting|receiving) )*"
)
_ENGLISH_BARE = re.compile(r"(?:stop|stop all|stopall|unsubscribe|optout|opt out)")
# A clause of its own only at the beginning: "End." may finish a story.
_ENGLISH_FIRST = re.compile(r"(?:cancel|end|quit|td)")
_ENGLISH_STOP = re.compile(
    r"\b(?:stop|quit|cease|cancel|end|turn off|no more|no further|not want|dont want|don't want) "
    rf"{_WORDS_BETWEEN}{_MESSAGES}\b"
    r"|\b(?:stop|quit|cease) (?:sending|contacting|writing|spamming|bothering|messaging|texting)\b"
    r"|\b(?:don't|dont|do not|never|no longer) (?:ever )?(?:text|message|sms|contact|write to) (?:me|us|this)\b"
    r"|\b(?:don't|dont|do not) (?:ever )?send (?:me |us |any |more |these |those )*"
    r"(?:messages?|texts?|sms|reminders?|anything)\b"
    r"|\bunsubscribe\b|\bopt(?:ing)? (?:me )?out\b|\b(?:take|remove|delete) (?:me|my number|this number) (?:off|from)\b"
    r"|\bremove my number\b"
)
# "Don't stop texting me" keeps the messages.
_ENGLISH_KEEP = re.compile(
    r"(?:n't|\bdont|\bnot|\bnever|\bwithout|\bunable to|\bno need to|\bhard to)"
    r"(?: (?:ever|please|want|to|want to|wish to|me|you to|going to))* "
    r"(?:stop|quit|cease|cancel|end|unsubscribe|opt|take|remove)\b"
)
# A clause of these words only, with one of the first line among them, may mean the messages or something else.
_ENGLISH_POSSIBLE = re.compile(
    r"(?:(?:stop|quit|cancel|end|withdraw|it|this|that|all|me|i|we|you|us|can|could|may|how|to|do|does|would|should|want"
    r"|wanna|like|wish|will|help|asking|questions?|enough|no|more|the|these|your|let|let's|lets|finish|leave|alone|out|of"
    r"|study|for|today|here|really|again|ever|get|rid|am|i'm|im|done|with|don't|dont|bother)(?: |$))+"
)
_ENGLISH_STOP_WORDS = frozenset({"stop", "quit", "cancel", "withdraw"})

_CHINESE_KEEP = re.compile(r"(?:不|别|不要|不想|不是|没|没有|无需|不用|误|取消|暂不|先不|勿)退订|退订了吗|退订过")
_CHINESE_OBJECT = r"(?:短信|信息|消息|讯息|提醒|通知|微信|东西|垃圾|这些|这种|这个|那些|问卷|表)"
_CHINESE_NOT = (
    r"(?:不要|别|请勿|勿|不用|不必|莫|甭|不需要|不准|不许|停止|禁止|请停止|不想让你们|不想你们"
    r"|能不能不要|可不可以不要|可以不要|可以别|能不能别|能不能不)"
)
_CHINESE_STOP = re.compile(
    r"退订|取消订阅|取消短信|取消提醒|拒收|退定"
    rf"|{_CHINESE_NOT}(?:再|继续|老是|老|总是|总|一直|天天|每天|又|给我|向我|跟我|往我手机上?|给我手机)*"
    rf"(?:发|发送|推送|寄|打扰|骚扰)(?:我|了|啦|吧|呀|给我|过来|来|送|些|{_CHINESE_OBJECT})*(?:了|啦|吧|好吗|好不好|可以吗|行吗|谢谢)*$"
    rf"|(?:不想|不要|不愿意?|不需要|不用)(?:再|继续)*(?:接收|接到|收到|收|看到)(?:到)?(?:你们|这些|这种|任何|这个|贵方)*的?{_CHINESE_OBJECT}"
    rf"|停止(?:发送|推送|服务|打扰){_CHINESE_OBJECT}*"
)
# "I hope it does not come again" says the same words about an illness.
_CHINESE_ILLNESS = re.compile("希望|但愿|祈|复发|怕|担心|病|瘤|癌")
_CHINESE_POSSIBLE = re.compile(
    r"(?:我|我们|请|麻烦|你们|现在|先|都|能不能|可以|可不可以|想|要|真的|不如|还是|算了)*"
    r"(?:停止|停下|停下来|停了|停|取消|不要了|不填了|不想填了|不想再填了|不做了|不想做了|不答了|不想答了|不参加了|不想参加了|退出|退出研究"
    r"|结束|别烦我|不要烦我|别再烦我|别问了|不要问了|不要再问了|别再问了|烦死了)(?:了|吧|啦|吗|好吗|谢谢|可以吗|行吗|我|研究)*"
)
_CHINESE_COURTESY = re.compile("^(?:请|麻烦|你好|您好|谢谢|好的|嗯)+|(?:谢谢|吧|啊|呀|哦|了|好吗|可以吗)+$")


def find_stop_request(text: str) -> StopRequest:
    """Return whether ``text`` asks for no more messages: "stop", "possible", or "" for no. Never raises."""
    said = _QUOTED.sub(" ", simplify(text))
    clauses = [" ".join(clause.split()) for clause in _CLAUSE_END.split(said)]
    found = [_read_clause(clause, first=place == 0) for place, clause in enumerate(filter(None, clauses))]
    return "stop" if "stop" in found else "possible" if "possible" in found else ""


def _read_clause(clause: str, *, first: bool) -> StopRequest:
    """Return what one clause asks for."""
    if re.search("[\u3400-\u9fff]", clause):
        return _read_chinese(clause.replace(" ", ""))
    return _read_english(clause.replace("’", "'"), first=first)


def _read_english(clause: str, *, first: bool) -> StopRequest:
    if _ENGLISH_KEEP.search(clause):
        return ""
    bare = re.sub(rf"^(?:{_COURTESY} )+|(?: {_COURTESY})+$", "", clause)
    if _ENGLISH_BARE.fullmatch(bare) or (first and _ENGLISH_FIRST.fullmatch(bare)) or _ENGLISH_STOP.search(clause):
        return "stop"
    words = bare.split()
    may_be = not _ENGLISH_STOP_WORDS.isdisjoint(words) and _ENGLISH_POSSIBLE.fullmatch(bare) is not None
    return "possible" if may_be and len(words) > 1 else ""


def _read_chinese(clause: str) -> StopRequest:
    if _CHINESE_KEEP.search(clause):
        return ""
    # A mixed clause: 请stop, STOP谢谢.
    if re.fullmatch("(?:stop|td|unsubscribe)", _CHINESE_COURTESY.sub("", clause)):
        return "stop"
    if _CHINESE_STOP.search(clause):
        return "possible" if _CHINESE_ILLNESS.search(clause) and "退订" not in clause else "stop"
    return "possible" if _CHINESE_POSSIBLE.fullmatch(clause) else ""
