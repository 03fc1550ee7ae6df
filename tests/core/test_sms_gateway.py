"""Test what a gateway accepts: links, placeholders, and the kinds of messages to offer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.core.sms_gateway import CODE_VARIANTS, FREE_TEXT_KINDS, ApprovedText, SmsGateway, TextNotAllowed, find_links

ADDRESS = "https://epro.example.org"
CODE = ApprovedText("form_message_code", "en", "T1", f"Go to {ADDRESS} and type ${{code}} there.")
ALERTS = (
    ApprovedText("alert_sms", "en", "T2", f"Emergency alert, ${{at}}: {ADDRESS}/staff/"),
    ApprovedText("alert_sms", "en", "T3", f"Urgent alert, ${{at}}: {ADDRESS}/staff/"),
)
MAINLAND = SmsGateway(provider="g", links=False, templates_only=True, templates=(CODE, *ALERTS))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello. Your form is ready.", ()),
        ("at 14:05, 37.5 degrees, e.g.now", ()),
        ("write to me@example.org", ()),
        (f"打开{ADDRESS}输入", (ADDRESS,)),
        ("打开 epro.example.org/a/x 看看", ("epro.example.org/a/x",)),
        ("see www.example.de or example.cn", ("www.example.de", "example.cn")),
        ("HTTP://EXAMPLE.ORG", ("HTTP://EXAMPLE.ORG",)),
        ("t.cn/AbC。", ("t.cn/AbC",)),
        ("short x.io/abc", ("x.io/abc",)),
        ("the community.", ()),
    ],
)
def test_what_is_a_link(text: str, found: tuple[str, ...]) -> None:
    assert find_links(text) == found


@pytest.mark.parametrize(
    ("message", "text", "params", "outcome"),
    [
        ("form_message_code", f"Go to {ADDRESS} and type ABCD-EFGH there.", {"code": "ABCD-EFGH"}, "T1"),
        ("alert_sms", f"Emergency alert, 14:05: {ADDRESS}/staff/", {"at": "14:05"}, "T2"),
        ("alert_sms", f"Urgent alert, 14:05: {ADDRESS}/staff/", {"at": "14:05"}, "T3"),
        ("alert_sms", f"Urgent alert, 14:05: {ADDRESS}/staff/", {"at": "14:06"}, "text_differs"),
        ("form_message_code", f"Go to {ADDRESS} and type ABCD-EFGH there!", {"code": "ABCD-EFGH"}, "text_differs"),
        ("form_message_code", f"Go to {ADDRESS} and type ABCD-EFGH there. ", {"code": "ABCD-EFGH"}, "text_differs"),
        ("form_message_code", f"Go to {ADDRESS} and type ABCD-EFGH there.", {}, "text_differs"),
        ("form_message_code", f"Go to {ADDRESS} and type x.cn/1 there.", {"code": "x.cn/1"}, "link_not_allowed"),
        ("safety", "Call 120.", {}, "not_registered"),
    ],
)
def test_a_text_is_an_approved_one_or_is_not_sent(
    message: str, text: str, params: dict[str, str], outcome: str
) -> None:
    try:
        found = MAINLAND.match(message, "en", text, params)
        said = found.id if found else ""
    except TextNotAllowed as unfit:
        said = unfit.why
    assert said == outcome


def test_another_language_is_another_text() -> None:
    with pytest.raises(TextNotAllowed, match="not_registered"):
        MAINLAND.match("form_message_code", "zh_Hans", f"Go to {ADDRESS} and type A there.", {"code": "A"})


def test_where_free_texts_go_only_registered_kinds_are_compared() -> None:
    free = SmsGateway(provider="g", links=False, templates=(CODE,))
    assert free.match("staff_text", "en", "Come at eight.", {"text": "Come at eight."}) is None
    for message, text, why in (
        ("staff_text", "Look at example.org", "link_not_allowed"),
        ("form_message_code", "Other", "text_differs"),
    ):
        with pytest.raises(TextNotAllowed, match=why):
            free.match(message, "en", text, {"code": "A"})


def test_without_a_file_everything_goes() -> None:
    assert SmsGateway().match("staff_text", "en", f"Look at {ADDRESS}", {}) is None
    assert all(SmsGateway().accepts(kind) for kind in (*CODE_VARIANTS, *FREE_TEXT_KINDS, "safety"))


@pytest.mark.parametrize(
    ("gateway", "message", "language", "takes"),
    [
        (MAINLAND, "form_message_code", "en", True),
        (MAINLAND, "form_message_code", "zh_Hans", False),
        (MAINLAND, "form_message_code", "", True),
        (MAINLAND, "staff_text", "en", False),
        (MAINLAND, "question", "", False),
        (SmsGateway(links=False), "form_message", "en", False),
        (SmsGateway(links=False), "reminder", "", False),
        (SmsGateway(links=False), "staff_text", "en", True),
        (
            SmsGateway(templates_only=True, templates=(ApprovedText("form_message", "en", "T", "${link}"),)),
            "form_message",
            "",
            True,
        ),
    ],
)
def test_what_may_be_offered(gateway: SmsGateway, message: str, language: str, takes: bool) -> None:
    assert gateway.accepts(message, language) is takes


@given(text=st.text(), params=st.dictionaries(st.sampled_from(["code", "at", "text"]), st.text(max_size=20)))
def test_a_text_that_was_not_approved_never_matches(text: str, params: dict[str, str]) -> None:
    for message in ("form_message_code", "alert_sms", "safety"):
        try:
            found = MAINLAND.match(message, "en", text, params)
        except TextNotAllowed:
            continue
        assert found is not None
        assert found.filled(params) == text
        assert all(link in found.text for link in find_links(text))


@given(st.dictionaries(st.sampled_from(["code", "at"]), st.text(max_size=20), min_size=2))
def test_what_fills_a_gap_is_never_read_as_a_gap(params: dict[str, str]) -> None:
    approved = ApprovedText("m", "en", "T", "a ${code} b ${at} c ${code}")
    assert approved.gaps == ("code", "at")
    assert approved.filled(params) == f"a {params['code']} b {params['at']} c {params['code']}"
    assert approved.filled({"code": "x"}) is None
