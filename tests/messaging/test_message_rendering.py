"""Test the rendered messages: their text, what they must not contain, and their length."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.app_context import AppContext
from pro.db import transaction
from pro.i18n import LANGUAGES, Catalogs
from pro.messaging import message_rendering
from pro.messaging.providers.twilio_sms import CODES
from tests.messaging.letters import LINK
from tests.support.factories import PLAN, Study

FOLDER = Path(message_rendering.__file__).parent
ALERT = {"participant_number": "NC-007", "level": "emergency", "link": "https://epro.example.org/staff/alerts/42"}
ROWS = [{"participant_number": f"NC-00{n}", "link": f"https://epro.example.org/staff/alerts/{n}"} for n in (7, 8, 9)]
PARAMS: dict[str, dict[str, Any]] = {
    "alert": ALERT,
    "alert_escalation": ALERT,
    "alert_sms": {"at": "14:05", "level": "emergency", "address": "https://epro.example.org/staff/"},
    "daily_digest": {"rows": ROWS},
    "test_alert": {"level": "emergency", "link": "https://epro.example.org/staff/test-alerts/7"},
    "test_alert_sms": {"address": "https://epro.example.org/staff/"},
    "test_alert_failed": {"failure": "not_confirmed", "link": "https://epro.example.org/staff/test-alerts/7"},
    "unknown_sender": {"level": "emergency", "link": "https://epro.example.org/staff/inbox/unmatched/7"},
    "form_message": {"link": LINK},
    "form_message_code": {"address": "https://epro.example.org/", "code": "ABCD-EFGH"},
    "safety": {"at": "14:05", "emergency": "120"},
    "clarify": {"codes": "0, 1, 2, 3, 9"},
    "clarify_free": {},
    "onward_link": {"link": LINK},
    "onward_code": {"address": "https://epro.example.org/", "code": "ABCD-EFGH"},
    "stopped": {},
    "started": {},
    "help": {"hotline": "025-555"},
    "help_contact": {"hotline": "025-555"},
    "staff_call": {"number": "0791-0000 0000", "emergency": "120"},
    "staff_soon": {"number": "0791-0000 0000", "emergency": "120"},
}
# No illness, treatment or symptom in a subject, an email or a text.
CLINICAL = re.compile(
    "癌|瘤|病|症|疗|血|痛|疼|溃疡|鼻|喉|药|医|患|问卷|调查|试验|研究中心|副作用|放射|手术|复发|不良|死亡|严重"
    "|cancer|tumou?r|bleed|blood|ulcer|pain|nose|throat|symptom|patient|trial|therapy|radiation|drug|medic|clinic"
    "|hospital|health|disease|doctor|survey|severe"
)


def every_text(catalogs: Catalogs, **changes: Any) -> dict[tuple[str, str, str], message_rendering.RenderedMessage]:
    """Yield every kind in every language; an alert at every level."""
    found = {}
    for language in LANGUAGES:
        for kind, params in PARAMS.items():
            # A test alert is always an emergency.
            levels = {"test_alert": ("emergency",), "unknown_sender": ("emergency", "urgent")}.get(
                kind, ("emergency", "urgent", "watch")
            )
            for level in levels if "level" in params else ("",):
                given_now = {**params, "level": level} if level else params
                found[kind, language, level] = message_rendering.render_message(
                    kind, language, given_now, catalogs, changes.get("env_banner", False)
                )
    return found


@pytest.mark.parametrize(
    ("language", "level", "env_banner", "subject"),
    [
        ("zh_Hans", "emergency", True, "[演示环境] 危急：NC-007有新警报待确认"),
        ("zh_Hans", "urgent", False, "紧急：NC-007有新警报待确认"),
        ("zh_Hans", "watch", False, "关注：NC-007有新警报待确认"),
        ("en", "emergency", True, "[Demonstration] Emergency: new alert for NC-007"),
        ("en", "urgent", False, "Urgent: new alert for NC-007"),
        ("en", "watch", False, "Watch: new alert for NC-007"),
    ],
)
def test_an_alert_says_level_number_and_link(
    catalogs: Catalogs, language: str, level: str, env_banner: bool, subject: str
) -> None:
    found = message_rendering.render_message("alert", language, {**ALERT, "level": level}, catalogs, env_banner)
    lines = found.text.splitlines()
    assert found.subject == subject
    assert lines[0] == subject
    assert ALERT["link"] in lines


@pytest.mark.parametrize(
    ("language", "number", "subject"),
    [
        ("zh_Hans", 1, "关注：今天有1条警报待查看"),
        ("zh_Hans", 3, "关注：今天有3条警报待查看"),
        ("en", 1, "Watch: 1 alert to review today"),
        ("en", 3, "Watch: 3 alerts to review today"),
    ],
)
def test_the_digest_counts_and_lists(catalogs: Catalogs, language: str, number: int, subject: str) -> None:
    found = message_rendering.render_message("daily_digest", language, {"rows": ROWS[:number]}, catalogs, False)
    assert found.subject == subject
    assert [line for line in found.text.splitlines() if "https" in line] == [
        f"{row['participant_number']}  {row['link']}" for row in ROWS[:number]
    ]


@pytest.mark.parametrize("kind", ["form_message", "form_message_code", "reminder", "reminder_code"])
@pytest.mark.parametrize(("language", "unread"), [("en", "not read"), ("zh_Hans", "(回信没人看|不接收回复)")])
def test_where_replies_are_read_no_text_says_that_they_are_not(
    catalogs: Catalogs, kind: str, language: str, unread: str
) -> None:
    params = PARAMS[kind.replace("reminder", "form_message")]
    for env_banner in (False, True):
        one_way, two_way = (
            message_rendering.render_message(kind, language, params, catalogs, env_banner, two_way=on).text
            for on in (False, True)
        )
        assert re.search(unread, one_way)
        assert not re.search(unread, two_way)
        assert message_rendering.count_segments(two_way) <= 2
        assert language != "en" or message_rendering.is_gsm7(two_way)
        assert all(str(value) in two_way for value in params.values())


def test_nothing_clinical_and_no_phone_in_any_text(catalogs: Catalogs) -> None:
    for key, found in every_text(catalogs).items():
        words = f"{found.subject}\n{found.text}".lower()
        assert CLINICAL.findall(words) == [], key
        assert re.search(r"\d{7,}", words) is None, key


def test_the_languages_are_not_mixed(catalogs: Catalogs) -> None:
    for (kind, language, _level), found in every_text(catalogs, env_banner=True).items():
        has_han = re.search("[一-鿿]", found.subject + found.text) is not None
        assert has_han == (language == "zh_Hans"), kind


def test_the_banner_stands_first_and_only_outside_production(catalogs: Catalogs) -> None:
    for key, found in every_text(catalogs, env_banner=True).items():
        assert found.text.startswith("["), key
        assert found.subject.startswith("[") or found.channel == "sms"
    assert not any("[" in found.subject + found.text for found in every_text(catalogs).values())


@pytest.mark.parametrize("env_banner", [True, False])
@pytest.mark.parametrize(
    "kind", ["form_message", "form_message_code", "alert_sms", "test_alert_sms", "staff_call", "staff_soon"]
)
def test_a_text_is_one_text_message(catalogs: Catalogs, kind: str, env_banner: bool) -> None:
    english = message_rendering.render_message(kind, "en", PARAMS[kind], catalogs, env_banner)
    chinese = message_rendering.render_message(kind, "zh_Hans", PARAMS[kind], catalogs, env_banner)
    assert message_rendering.is_gsm7(english.text)
    assert (message_rendering.count_segments(english.text), message_rendering.count_segments(chinese.text)) == (1, 1)
    assert len(english.text) <= 160
    assert len(chinese.text) <= 70


@pytest.mark.parametrize(
    ("language", "subject"),
    [("zh_Hans", "危急：NC-007的警报仍未确认"), ("en", "Emergency: alert for NC-007 still not acknowledged")],
)
def test_a_repeated_notification_says_that_the_alert_is_unacknowledged(
    catalogs: Catalogs, language: str, subject: str
) -> None:
    found = message_rendering.render_message("alert_escalation", language, ALERT, catalogs, False)
    assert found.subject == found.text.splitlines()[0] == subject
    assert ALERT["link"] in found.text.splitlines()


@pytest.mark.parametrize(
    ("language", "level", "words"),
    [
        ("zh_Hans", "emergency", "危急警报（14:05），请登录确认："),
        ("zh_Hans", "urgent", "紧急警报（14:05），请登录确认："),
        ("en", "emergency", "Emergency alert, 14:05. Please sign in and acknowledge: "),
        ("en", "urgent", "Urgent alert, 14:05. Please sign in and acknowledge: "),
    ],
)
def test_a_text_about_an_alert_holds_no_participant(catalogs: Catalogs, language: str, level: str, words: str) -> None:
    params = {"at": "14:05", "level": level, "address": "https://epro.example.org/staff/"}
    found = message_rendering.render_message("alert_sms", language, params, catalogs, False)
    assert found.text == words + params["address"]


@pytest.mark.parametrize(
    ("language", "subject", "nobody"),
    [
        ("zh_Hans", "每周警报演练（危急）：请确认收到", "不涉及任何受试者"),
        ("en", "Weekly test alert (Emergency): please confirm", "No participant is affected."),
    ],
)
def test_a_test_alert_says_that_it_is_one_and_where_to_confirm(
    catalogs: Catalogs, language: str, subject: str, nobody: str
) -> None:
    found = message_rendering.render_message("test_alert", language, PARAMS["test_alert"], catalogs, False)
    assert found.subject == found.text.splitlines()[0] == subject
    assert nobody in found.text
    assert PARAMS["test_alert"]["link"] in found.text.splitlines()
    sms = message_rendering.render_message("test_alert_sms", language, PARAMS["test_alert_sms"], catalogs, False)
    assert sms.text.endswith(PARAMS["test_alert_sms"]["address"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_mail_about_a_failed_test_alert_says_why(catalogs: Catalogs, language: str) -> None:
    reasons = ("not_confirmed", "not_delivered", "nobody_on_duty", "not_an_emergency")
    texts = {
        message_rendering.render_message(
            "test_alert_failed", language, {**PARAMS["test_alert_failed"], "failure": why}, catalogs, False
        ).text
        for why in reasons
    }
    assert len(texts) == len(reasons)
    with pytest.raises(ValueError, match="test_alert_failed"):
        message_rendering.render_message(
            "test_alert_failed", language, {**PARAMS["test_alert_failed"], "failure": "weather"}, catalogs, False
        )


def test_the_link_ends_the_text_so_that_a_phone_finds_its_end(catalogs: Catalogs) -> None:
    for language in LANGUAGES:
        assert message_rendering.render_message(
            "form_message", language, {"link": LINK}, catalogs, False
        ).text.endswith(LINK)


@pytest.mark.parametrize(
    "params",
    [
        {k: v for k, v in ALERT.items() if k != "link"},
        {**ALERT, "phone": "+8613800138000"},
        {**ALERT, "sentence": "NC-007 正在出血"},
        {**ALERT, "level": "none"},
    ],
)
def test_a_message_takes_its_own_parameters_only(catalogs: Catalogs, params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="kind alert"):
        message_rendering.render_message("alert", "en", params, catalogs, False)


def test_a_row_of_the_digest_needs_its_link(catalogs: Catalogs) -> None:
    with pytest.raises(ValueError, match="cannot be put into words"):
        message_rendering.render_message(
            "daily_digest", "en", {"rows": [{"participant_number": "NC-007"}]}, catalogs, False
        )


def test_an_unknown_kind_is_named(catalogs: Catalogs) -> None:
    with pytest.raises(KeyError):
        message_rendering.render_message("alarm", "en", ALERT, catalogs, False)


@pytest.mark.parametrize(("language", "read"), [("fr", "zh_Hans"), ("", "zh_Hans"), ("en_GB", "en")])
def test_a_language_that_the_interface_lacks_falls_back(catalogs: Catalogs, language: str, read: str) -> None:
    found = message_rendering.render_message("alert", language, ALERT, catalogs, False)
    assert found == message_rendering.render_message("alert", read, ALERT, catalogs, False)


def test_a_line_break_cannot_add_a_header(catalogs: Catalogs) -> None:
    found = message_rendering.render_message(
        "alert", "en", {**ALERT, "participant_number": "NC-007\r\nBcc: x@y.example"}, catalogs, False
    )
    assert found.subject.splitlines() == ["Emergency: new alert for NC-007 Bcc: x@y.example"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" * 5, 2),
        # Split before the two-place letter: 152 + 153 places, and one more.
        ("a" * 152 + "€" + "a" * 151, 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        ("问" * 70, 1),
        ("问" * 71, 2),
        ("问" * 134, 2),
        ("问" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("a" * 70 + "’", 2),
    ],
)
def test_segments(text: str, number: int) -> None:
    assert message_rendering.count_segments(text) == number


@given(st.text(), st.text())
def test_a_longer_text_never_needs_fewer_segments(text: str, more: str) -> None:
    assert 1 <= message_rendering.count_segments(text) <= message_rendering.count_segments(text + more)


def failure_keys() -> set[str]:
    """Collect every reason in the code of this package: raised, refused, failed, dropped."""
    found = {reason for _again, reason in CODES.values()}
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            parts: list[ast.expr] = []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id in ("ProviderUnreachable", "ProviderRefused", "_fail"):
                    parts = node.args
                parts += [word.value for word in node.keywords if word.arg == "refusal"]
            elif isinstance(node, ast.Assign) and getattr(node.targets[0], "attr", "") == "failure":
                parts = [node.value]
            words = [leaf.value for part in parts for leaf in ast.walk(part) if isinstance(leaf, ast.Constant)]
            found |= {str(word).partition(":")[0] for word in words}
    return {key for key in found if re.fullmatch("[a-z_]+", key)}


def test_every_failure_has_a_sentence_in_both_languages(catalogs: Catalogs) -> None:
    keys = failure_keys()
    assert {"lost", "too_late", "address_refused", "unsubscribed", "no_sender", "time_out", "unsure"} <= keys
    for language in LANGUAGES:
        translator = catalogs.translator(language)
        unforeseen = message_rendering.failure_sentence("unforeseen", translator)
        for key in keys - {"unforeseen"}:
            sentence = message_rendering.failure_sentence(f"{key}:123", translator)
            assert not sentence.startswith(unforeseen), key
            assert sentence.endswith(" (123)")
            assert (re.search("[一-鿿]", sentence) is not None) == (language == "zh_Hans"), key
    assert message_rendering.failure_sentence("", catalogs.translator("en")) == ""
    assert message_rendering.failure_sentence("never heard of", catalogs.translator("en")).startswith(
        "Unexpected error while sending"
    )


@pytest.mark.parametrize(
    "kind", [name for name, kind in message_rendering.MESSAGE_KINDS.items() if kind.channel == "sms"]
)
@pytest.mark.parametrize(("language", "sender"), [("en", "Example Hospital"), ("zh_Hans", "示例医院")])
def test_a_text_to_a_participant_begins_with_its_sender(
    catalogs: Catalogs, kind: str, language: str, sender: str
) -> None:
    params = PARAMS.get(kind.replace("reminder", "form_message"), {"text": "…"})
    found = message_rendering.render_message(kind, language, params, catalogs, False, sender=sender)
    assert found.text.startswith(sender) == (kind not in message_rendering.STAFF_TEXTS)
    assert message_rendering.count_segments(found.text) <= 2


def test_the_sender_is_the_hospital_unless_the_gateway_names_it(app_context: AppContext, seeded: Study) -> None:
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        assert message_rendering.sender_name(work, PLAN, "zh_Hans") == "示例医院"
        assert message_rendering.sender_name(work, "gone", "en") == "Example Hospital"
        live = replace(app_context, config=replace(app_context.config, production=True)).unit_of_work(session)
        assert message_rendering.sender_name(live, PLAN, "zh_Hans") == "研究团队"
        signed = replace(app_context.catalogue, gateway=replace(app_context.catalogue.gateway, signature="【医院】"))
        gated = replace(app_context, catalogue=signed).unit_of_work(session)
        assert message_rendering.sender_name(gated, PLAN, "zh_Hans") == ""
