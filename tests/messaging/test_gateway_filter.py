"""Test the gateway filter: only texts that the gateway has approved are sent."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.app_context import AppContext
from pro.config import Config
from pro.core.sms_gateway import CODE_VARIANTS, FREE_TEXT_KINDS, REASONS, ApprovedText, SmsGateway
from pro.i18n import LANGUAGES, Catalogs
from pro.messaging import message_limit, message_rendering
from pro.messaging.gateway_filter import GatewayFilter
from pro.messaging.providers import provider_choice
from pro.messaging.sender_protocol import ProviderRefused
from tests.messaging.letters import LINK, Scripted, deliver, make_letter, one, queue

APPROVED = ApprovedText("form_message_code", "en", "SMS_1", "Go to https://epro.example.org and type ${code} there.")
GATEWAY = SmsGateway(provider="g", links=False, templates_only=True, templates=(APPROVED,))
PARAMS = {"code": "ABCD-EFGH", "address": "https://epro.example.org"}
TEXT = "Go to https://epro.example.org and type ABCD-EFGH there."


def test_an_approved_text_goes_with_its_name_and_its_gaps_alone() -> None:
    provider = Scripted()
    letter = make_letter(template="form_message_code", params=PARAMS, text=TEXT)
    assert GatewayFilter(provider, GATEWAY).send(letter) == "reference-1"
    (handed,) = provider.letters
    assert (handed.template_id, handed.template_params) == ("SMS_1", {"code": "ABCD-EFGH"})
    assert (handed.text, handed.params) == (TEXT, PARAMS)


def test_without_a_register_a_letter_goes_as_it_is() -> None:
    provider, letter = Scripted(), make_letter()
    GatewayFilter(provider, SmsGateway()).send(letter)
    assert provider.letters == [letter]


@given(
    template=st.sampled_from(["form_message_code", "form_message", "safety", "staff_text"]),
    language=st.sampled_from(LANGUAGES),
    text=st.one_of(st.text(), st.just(TEXT), st.just(TEXT + " ")),
    params=st.one_of(st.just(PARAMS), st.dictionaries(st.sampled_from(["code", "link"]), st.text())),
)
def test_a_text_that_was_not_approved_is_never_handed_over(
    template: str, language: str, text: str, params: dict[str, str]
) -> None:
    provider = Scripted()
    letter = make_letter(template=template, language=language, text=text, params=params)
    approved = template == "form_message_code" and language == "en" and APPROVED.filled(params) == text
    why = ""
    try:
        GatewayFilter(provider, GATEWAY).send(letter)
    except ProviderRefused as refused:
        why = refused.reason
    assert (why in REASONS) is not approved
    assert len(provider.letters) == approved


def test_what_is_refused_is_given_up_and_staff_see_why(any_app_context: AppContext) -> None:
    provider = Scripted()
    queue(any_app_context)
    assert deliver(any_app_context, GatewayFilter(provider, GATEWAY)) == 1
    message = one(any_app_context)
    assert (message.status, message.failure, provider.letters) == ("failed", "not_registered", [])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("why", [*REASONS, "over_budget", "identical"])
def test_every_reason_has_a_sentence(catalogs: Catalogs, language: str, why: str) -> None:
    translator = catalogs.translator(language)
    sentence = message_rendering.failure_sentence(why, translator)
    assert sentence != message_rendering.failure_sentence("unforeseen", translator)
    assert (re.search("[一-鿿]", sentence) is not None) == (language == "zh_Hans")


def test_the_lists_of_kinds_agree() -> None:
    texts = {name: kind.params for name, kind in message_rendering.MESSAGE_KINDS.items() if kind.channel == "sms"}
    assert set(CODE_VARIANTS) == {name for name, params in texts.items() if "link" in params}
    assert all(texts[name] == {"address", "code"} for name in CODE_VARIANTS.values())
    assert set(FREE_TEXT_KINDS) == {name for name, params in texts.items() if params == {"text"}}
    assert set(message_limit.EXEMPT) <= set(texts)
    assert set(message_rendering.URGENT_ADVICE) <= set(message_limit.EXEMPT)


def test_the_chosen_sender_of_texts_is_asked_through_the_register(tmp_path: object) -> None:
    config = Config(sms="file", email="file")
    senders = provider_choice.choose_senders(config, GATEWAY)
    assert isinstance(senders["sms"], GatewayFilter)
    assert not isinstance(senders["email"], GatewayFilter)
    with pytest.raises(ProviderRefused, match="not_registered"):
        senders["sms"].send(make_letter(params={"link": LINK}))


def test_it_takes_as_many_at_once_as_the_provider() -> None:
    provider = Scripted()
    assert GatewayFilter(provider, GATEWAY).at_once == 1
    provider.at_once = 8  # type: ignore[attr-defined]
    assert GatewayFilter(provider, GATEWAY).at_once == 8
