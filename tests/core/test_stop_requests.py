"""Test which sentences ask for no more text messages, and which only contain such a word."""

from __future__ import annotations

import pytest

from pro.core.text.stop_requests import find_stop_request

STOPS = r"""
Please stop|stop please|STOP.|Stop!|stop\nLi Hua|STOP\n-- \nSent from my phone|Please stop texting me
stop sending me messages
Stop these texts|no more messages please|Please unsubscribe me|I want to unsubscribe|how do I unsubscribe?|opt me out
Don't text me|do not send me any more messages|don’t contact me again|take me off the list|Hello, please STOP, thank you
I do not want any more texts|cancel all reminders|cancel|Cancel please|Hi doctor, stop|stop all
I don't want your messages
请退订|退订|我要退订|退訂|退订，谢谢|退订\n张三|不要再发了|不要再發了|别再发了|别发了|请不要再发短信了|不要给我发短信|不要再给我发信息了
不想再收到短信|不想收到你们的短信了|不需要再收到提醒|取消订阅|拒收|停止发送|怎么退订？|请停止发送短信|你好，请退订，谢谢|别再打扰我了
能不能不要再发了|T D退订|请stop|STOP谢谢|不用再发了|能不能别发了|2，请退订|头不痛，不要再发了
"""
POSSIBLE = """
stop it|please stop this|can I stop?|how to stop|help stop|I want to stop|could you stop that please
I want to quit the study
停止|停|请停止|取消|不填了|不想参加了|我要退出|别烦我|别问了|希望不要再发了
"""
NOT_ABOUT_MESSAGES = """
the bleeding won't stop|It won't stop|bleeding stopped|stop bleeding|I can't stop coughing|it does not stop
the pain doesn't stop
please don't stop|don't stop texting me|do not stop the messages|should I stop the tablets|I stop taking pills|nonstop
The nose bleeds non-stop|It has to stop|I had to stop and rest|it is the end|weekend|send me a message|help|2|no|call me
出血停止了|血止不住|停不下来|咳个不停|不要再发烧了|别再发作了|不要再发热了|已经不发烧了|吃药停了三天|停药了|要不要停药|不退订|不要退订
发烧了|没有再发|出血停了|心跳停了一下|不要发火|今天没有发短信|取消了化疗|我不想活了|不想吃饭|请给我发短信|可以再发一次吗
You will get messages from us again. Reply STOP to get no more.|您会重新收到我们的短信。不想再收到请回复“退订”。
"""


def texts(lines: str) -> list[str]:
    """Return the texts of a table, separated by "|"."""
    return [text.replace("\\n", "\n") for line in lines.strip().splitlines() for text in line.split("|")]


@pytest.mark.parametrize("text", texts(STOPS))
def test_a_sentence_that_asks_for_no_more_messages_is_a_stop(text: str) -> None:
    assert find_stop_request(text) == "stop"


@pytest.mark.parametrize("text", texts(POSSIBLE))
def test_what_may_be_a_stop_is_possible(text: str) -> None:
    assert find_stop_request(text) == "possible"


@pytest.mark.parametrize("text", texts(NOT_ABOUT_MESSAGES))
def test_what_is_about_something_else_is_none(text: str) -> None:
    assert find_stop_request(text) == ""
