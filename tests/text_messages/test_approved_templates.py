"""Test the comparison of approved templates with the messages that are sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pro.catalogue import Catalogue
from pro.catalogue.gateway_file import read_gateway
from pro.core.sms_gateway import CODE_VARIANTS, FREE_TEXT_KINDS, ApprovedText, SmsGateway
from pro.features.text_messages import approved_templates
from pro.features.text_messages.approved_templates import TextSettings
from pro.i18n import Catalogs
from pro.messaging import message_rendering

EXAMPLE = Path(__file__).parents[2] / "deploy" / "gateway.example.yaml"


@pytest.fixture
def here(catalogue: Catalogue, catalogs: Catalogs) -> TextSettings:
    """Return an application context as in the example."""
    return TextSettings(catalogue, catalogs, "https://epro.example.org", two_way=False)


@pytest.fixture
def example() -> SmsGateway:
    """Return the example of the repository."""
    return read_gateway(EXAMPLE)


def changed(gateway: SmsGateway, message: str, language: str = "en", **what: str) -> SmsGateway:
    """Return the gateway with the first text of ``message`` changed; removed without ``what``."""
    first = gateway.entries(message, language)[0]
    kept = [replace(one, **what) if one == first else one for one in gateway.templates if what or one != first]
    return replace(gateway, templates=tuple(kept))


def errors(here: TextSettings, gateway: SmsGateway) -> list[tuple[str, str, str]]:
    return [
        (one.message, one.language, one.sentence) for one in approved_templates.check_templates(here, gateway).errors
    ]


def test_the_example_is_complete(here: TextSettings, example: SmsGateway) -> None:
    report = approved_templates.check_templates(here, example)
    assert report.errors == ()
    assert {line.id for line in report.lines} == {one.id for one in example.templates}
    one_way = {name for name, kind in message_rendering.MESSAGE_KINDS.items() if kind.channel == "sms"} - {
        *approved_templates.TWO_WAY,
        *CODE_VARIANTS,
    }
    assert {(line.message, line.language) for line in report.lines} == {
        (name, language) for name in one_way - set(FREE_TEXT_KINDS) for language in ("en", "zh_Hans")
    }


@pytest.mark.parametrize("message", ["safety", "form_message_code", "help_contact", "staff_soon"])
def test_a_text_that_is_not_registered_is_an_error(here: TextSettings, example: SmsGateway, message: str) -> None:
    ((name, language, sentence),) = errors(here, changed(example, message))
    assert (name, language) == (message, "en")
    assert "not registered" in sentence


def test_a_missing_level_or_another_word_is_an_error(here: TextSettings, example: SmsGateway) -> None:
    for gateway in (changed(example, "alert_sms"), changed(example, "safety", text="Call ${emergency} now. ${at}")):
        ((_name, _language, sentence),) = errors(here, gateway)
        assert "No approved template has this text" in sentence


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (ApprovedText("alarm", "en", "T", "x"), "no text message of this kind"),
        (ApprovedText("alert", "en", "T", "x"), "no text message of this kind"),
        (ApprovedText("safety", "fr", "T", "x"), "Nothing is said in this language"),
        (
            ApprovedText("safety", "en", "T", "Call ${hotline}."),
            "${hotline} is no parameter of this message; it takes at",
        ),
        (ApprovedText("stopped", "en", "T", "${at}"), "it takes none"),
        (ApprovedText("safety", "en", "FILL-IN", "x"), "name for this text is still missing"),
    ],
)
def test_an_entry_that_cannot_be_used(
    here: TextSettings, example: SmsGateway, entry: ApprovedText, sentence: str
) -> None:
    ((name, language, said),) = errors(here, replace(example, templates=(*example.templates, entry)))
    assert (name, language) == (entry.message, entry.language)
    assert sentence in said


def warnings(here: TextSettings, gateway: SmsGateway) -> str:
    return "\n".join(
        one.sentence for one in approved_templates.check_templates(here, gateway).findings if one.level == "warning"
    )


def test_what_is_warned_of(here: TextSettings, example: SmsGateway) -> None:
    plain = replace(example, signature="")
    assert warnings(here, plain) == ""
    assert "many gateways" not in warnings(here, example)
    assert "“sign in”" in warnings(here, replace(plain, refused_words=("sign in",)))
    assert "It takes 2 text messages." in warnings(here, replace(plain, signature="【一家名字很长的示例医院】"))
    assert "as costly as a Chinese one" in warnings(here, example)
    spare = ApprovedText("safety", "en", "T", "Call ${emergency} soon.")
    assert "No message of this system" in warnings(here, replace(plain, templates=(*plain.templates, spare)))
    assert "mark that nobody approved" in warnings(replace(here, demonstration=True), plain)


def test_a_link_in_a_gap_is_warned_of_or_refused(here: TextSettings, example: SmsGateway) -> None:
    linked = ApprovedText("form_message_code", "en", "T", example.entries("form_message_code", "en")[0].text)
    gap = replace(linked, text=linked.text.replace("https://epro.example.org", "${address}"))
    loose = SmsGateway(provider="g", templates=(gap,))
    assert "${address} is filled with a link" in warnings(here, loose)
    assert errors(here, loose) == []
    assert "holds a link" in errors(here, replace(loose, links=False))[0][2]


def test_without_a_register_everything_is_counted_and_nothing_is_wrong(here: TextSettings) -> None:
    for two_way in (False, True):
        report = approved_templates.check_templates(replace(here, two_way=two_way), SmsGateway())
        assert report.errors == ()
        assert {line.message for line in report.lines} >= {"form_message", "reminder", "safety", "staff_call"}
        assert ("help" in {line.message for line in report.lines}) is two_way
        assert {line.encoding for line in report.lines if line.language == "en"} == {"GSM-7"}
        assert all(line.segments <= 2 for line in report.lines)


def test_conversations_need_a_gateway_that_takes_them(here: TextSettings, example: SmsGateway) -> None:
    found = errors(replace(here, two_way=True), example)
    assert any("PRO_SMS_TWO_WAY" in sentence for _name, _language, sentence in found)


@pytest.mark.parametrize("two_way", [False, True])
def test_a_draft_passes_once_the_gateway_has_named_its_texts(
    here: TextSettings, example: SmsGateway, two_way: bool
) -> None:
    there = replace(here, two_way=two_way, base_url="https://other.example.org")
    gateway = replace(example, templates_only=False)
    drafted = replace(gateway, templates=approved_templates.draft_templates(there, gateway))
    assert {sentence for *_place, sentence in errors(there, drafted)} == {
        "The gateway's own name for this text is still missing."
    }
    named = replace(drafted, templates=tuple(replace(one, id=f"T{n}") for n, one in enumerate(drafted.templates)))
    assert errors(there, named) == []
    assert {line.id for line in approved_templates.check_templates(there, named).lines} == {
        one.id for one in named.templates
    }


def test_a_draft_keeps_approved_texts_whose_gaps_are_others(here: TextSettings, example: SmsGateway) -> None:
    literal = changed(
        example,
        "staff_call",
        "zh_Hans",
        text=example.entries("staff_call", "zh_Hans")[0].text.replace("${emergency}", "120"),
    )
    assert set(approved_templates.draft_templates(here, literal)) == set(literal.templates) != set(example.templates)


def test_a_draft_keeps_the_names_of_what_is_approved(here: TextSettings, example: SmsGateway) -> None:
    assert set(approved_templates.draft_templates(here, example)) == set(example.templates)
    without = changed(example, "safety", id="T", text="Another text.")
    (new,) = set(approved_templates.draft_templates(here, without)) - set(example.templates)
    assert (new.message, new.id) == ("safety", "FILL-IN")
