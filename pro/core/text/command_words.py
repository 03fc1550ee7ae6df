"""Command words, filler words and conjunctions of typed replies.

They belong to the conversation and not to an instrument, so they are listed here; words for an option are in the
wording files. A word may be listed only if a reply means the same without it: "not now" is not a "no" for a whole week.
"""

from __future__ import annotations

from typing import Literal

from pro.core.text.phrasebook import PhraseBook, Sense, make_phrasebook

CommandName = Literal["back", "skip", "help", "language", "stop", "start"]

# The opt-out words of a carrier (STOP, UNSUBSCRIBE, CANCEL, END, QUIT; TD) have the same effect here. 停止 is none of
# them: it is also how a participant says that a bleeding stopped.
COMMAND_WORDS: dict[CommandName, str] = {
    "back": "back|go back|previous|previous question|返回|上一题|上一个|上一步|上一个问题|后退|回上一题|返回上一题",
    "skip": "skip|skip it|skip this|skip this question|skip question|pass|next|next question|跳过|跳过此题"
    "|跳过这题|跳过这个问题|略过"
    "|下一题|不想回答|不回答",
    "help": "help|info|帮助|求助",
    "language": "language|lang|change language|change the language|switch language|语言|换语言|切换语言"
    "|更换语言|改语言|换个语言",
    "stop": "stop|stop all|stopall|unsubscribe|cancel|end|quit|optout|opt out|td|退订|取消订阅|我要退订|我想退订",
    "start": "start|unstop|subscribe|开始|重新开始|恢复|订阅|重新订阅|恢复订阅",
}
# Affirmation: it adds nothing to an answer, but "yes, none" is a contradiction.
AFFIRMATIVE_WORDS = "yes|yeah|yep|yup|y|是的|对|对的|有|有的"
# Words that announce the answer, whatever else the text contains.
ANSWER_PREFIXES = (
    "选|我选|选择|我选择|就选|选项|答案|答案是|我的答案是|回答|我的回答是|回复|答|option|answer|my answer"
    "|my answer is|the answer is"
    "|answer is|i choose|i pick|i select|i would choose|choose|pick|select|number|code|choice|my choice"
    "|my choice is"
)
FILLER_WORDS = (
    "嗯|嗯嗯|恩|呃|额|哦|噢|喔|啊|哎|唉|吧|呀|啦|哈|哈哈|嘛|呵呵|的|我|就|就是|就是说|那|那就|那个|这个|是"
    "|还是|算|算是|填|打|给|大概|大概是|大约"
    "|大约是|可能|可能是|也许|应该|应该是|差不多|差不多是|好像|好像是|我觉得|觉得|觉得是|我觉得是|我想|我想是"
    "|我看|感觉|我感觉|感觉是|估计|估计是"
    "|谢谢|谢谢你|谢谢您|谢谢了|多谢|感谢|谢谢医生|辛苦了|麻烦了|不好意思|请|好的|好吧|行|可以|收到|医生"
    "|大夫|护士|老师|主任|你好|您好|医生好"
    "|早上好|下午好|晚上好|分|左右"
    "|a|i|it|its|it's|is|it is|that is|that's|i'd|i'd say|id say|i would|say|i think|i guess|i think it's"
    "|guess|think|maybe|probably|about"
    "|around|roughly|approximately|just|only|my|for me|please|pls|plz|thanks|thank you|thx|ty|many thanks"
    "|ok|okay|hi|hello|hey|dear"
    "|doctor|doc|dr|nurse|sir|madam|um|uh|er|hmm|hm|well|so|oh|i'll|i'll go with|i'll say|go with|score"
    "|points|point|pts"
    "|good morning|good afternoon|good evening|sorry|抱歉|对不起|it was|was|i have|i had|lol|haha|would be"
    "|would say|i would say|must be|should be"
)
WEIGHT_FILLER_WORDS = (
    "今天|现在|目前|今早|早上|today|now|right now|this morning|约|体重|我的体重|体重是|我的体重是|重|称了"
    "|称了一下|刚称的|量了|weight|my weight|my weight is|weight is"
    "|weighs|weigh|i weigh|i weighed"
    "|weighed"
)
TEMPERATURE_FILLER_WORDS = (
    "体温|我的体温|体温是|最高|最高体温|最高体温是|最高是|最高到|今天|昨晚|今早|早上|晚上|夜里|下午|量了|量了一下|刚量的"
    "|量的|量是|量出来|测了|测的|烧到|烧到了|发烧|发烧到|发热|发热到|到了|达到|约"
    "|temperature|my temperature|my temperature is|the temperature is|temperature is|temperature was|temp|my temp"
    "|highest|the highest|the highest was|highest was|max|maximum|fever|fever of|a fever of|fever was|today"
    "|last night|this morning|at night"
)
CONJUNCTION_WORDS = "和|及|与|还有|以及|跟|and|also|plus"
# Words that, in a sentence beside the answer, may retract it: 不对, 打错了, "I meant".
RETRACTION_WORDS = frozenset("不没无非未别勿冇否错改") | {
    *("no", "not", "never", "without", "wrong", "mistake", "mistaken", "meant", "mean", "typo", "instead", "except"),
    *("nope", "cannot", "but", "oops", "wait", "rather"),
}


def _entries(text: str, sense: Sense) -> list[tuple[str, Sense]]:
    """Return each word of ``text`` (separated by ``|``) with ``sense``."""
    return [(said, sense) for said in text.split("|")]


COMMANDS: PhraseBook = make_phrasebook(
    (said, Sense("command", frozenset({command})))
    for command, text in COMMAND_WORDS.items()
    for said in text.split("|")
)
FILLERS: PhraseBook = make_phrasebook(
    _entries(FILLER_WORDS, Sense("chatter"))
    + _entries(ANSWER_PREFIXES, Sense("mark"))
    + _entries(AFFIRMATIVE_WORDS, Sense("affirm"))
)
WEIGHT_FILLERS: PhraseBook = make_phrasebook(_entries(WEIGHT_FILLER_WORDS, Sense("chatter")))
TEMPERATURE_FILLERS: PhraseBook = make_phrasebook(_entries(TEMPERATURE_FILLER_WORDS, Sense("chatter")))
CONJUNCTIONS: PhraseBook = make_phrasebook(_entries(CONJUNCTION_WORDS, Sense("and")))
