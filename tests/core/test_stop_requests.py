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
Reply STOP|reply "STOP"|STOP 张三|STOP Zhang San|stop zhang san|STOP Zhang|STOP John Smith|STOP -- Li Wei
STOP - Li Wei|退订 张三
Do not send|Please do not send any more|I do not wish to receive messages|I no longer want your texts
I don't want to get any more messages
I do not need these reminders|please take me off your list|remove me from this list|delete my number
opt me out of these messages
I want to opt out|No more texts|I want no more messages|stop. no more texts please
不收短信了|不要短信|不需要短信|短信不用了|短信停了吧|请停发短信|取消发送|别再来短信|回复退订|请回复退订|不要再收到短信了|我不想再收短信了
停发|停发了|请停发所有短信|end all messages|end these texts|I want you to stop texting
短信不要了|短信别发了|短信不需要了|停发短信|停止短信|取消短信|以后不要发了|你们不要再发信息了|退订不了|不能退订|不用提醒了|拒收短信
"""
POSSIBLE = """
stop it|please stop this|can I stop?|how to stop|help stop|I want to stop|could you stop that please
I want to quit the study
Sorry I must end this text now, my nose bleeds|I have to stop texting now, I can't breathe|end text
I will end the message here
停止|停|请停止|取消|不填了|不想参加了|我要退出|别烦我|别问了|希望不要再发了
Please don't text me at night|don't contact me by email, text is fine|stop texting me on Sundays|no more messages today
no messages before 9 am please. stop texting so early|don't text me every day|stop the messages until Monday
do not message me while I am in hospital|I opt out of the study|please take me off
leave me alone|No messages please|Please just leave me alone
when will you stop texting me|why don't you stop texting me|how do I reply STOP|STOP John
晚上不要发短信|今天不要发了|晚上，不要发短信|不要发微信|先别发短信|半夜别发短信|不要每天发短信|周末不要发了|我睡觉的时候不要发
不要九点以前发短信|不要发邮件|短信停了|为什么还不停止发短信|我不会退订|为什么还在发短信，停止|住院期间不要发短信|不要寄了|不想要了
"""
NOT_ABOUT_MESSAGES = """
the bleeding won't stop|It won't stop|bleeding stopped|stop bleeding|I can't stop coughing|it does not stop
the pain doesn't stop
please don't stop|don't stop texting me|do not stop the messages|should I stop the tablets|I stop taking pills|nonstop
The nose bleeds non-stop|It has to stop|I had to stop and rest|it is the end|weekend|send me a message|help|2|no|call me
出血停止了|血止不住|停不下来|咳个不停|不要再发烧了|别再发作了|不要再发热了|已经不发烧了|吃药停了三天|停药了|要不要停药|不退订|不要退订
发烧了|没有再发|出血停了|心跳停了一下|不要发火|今天没有发短信|取消了化疗|我不想活了|不想吃饭|请给我发短信|可以再发一次吗
不要停止发短信|不要停止发送|别停发短信|我没有要退订|不想要退订|我没想退订|要不要退订|不小心退订了|没有说要退订|没说退订|我不打算退订
医院停发药了|医院停发药|单位停发工资了|药停发了|别再发化验单了
为什么停止发送短信|为什么停发短信了|怎么不发短信了|为什么退订了
I got no more messages from you, why?|Why did you stop sending messages?|Did you stop sending messages
I received no more texts
They want to take me off the ventilator|take me off oxygen|they took me off the drip
take me off the tablets please|I opt out of surgery
remove me from the ward|I opt out of chemo|don't leave me alone|I did not ask to unsubscribe|do not send me to hospital
stop bleeding now|STOP Bleeding|stop my pain|STOP The Pain|stop he fell|STOP hurting
看东西重影，不想看到这些东西|看东西重影，不想看到这个东西|医院拒收我|药不要寄了|药不要发了|被医院拒收了|快递别寄了|报告不要发给我
不要提醒我吃药|不要通知家人|不要短信提醒我也能记得|短信停了好几天|没有收到短信|不收我住院
Questions? Please phone 0791-1234. Reply STOP to get no more messages.|有疑问请拨打0791。不想再收到请回复“退订”。
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
