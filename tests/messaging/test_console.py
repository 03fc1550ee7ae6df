"""Test the demonstration senders, and the choice of senders by the settings."""

from __future__ import annotations

import stat
from email import message_from_bytes, policy
from io import StringIO
from pathlib import Path

import pytest

from pro.config import Config
from pro.messaging.providers import provider_choice
from pro.messaging.providers.alibaba_sms import AlibabaSms
from pro.messaging.providers.console import ConsoleSender, FileSender
from pro.messaging.providers.smtp_email import SmtpEmail
from pro.messaging.providers.twilio_sms import TwilioSms
from pro.messaging.sender_protocol import Letter, ProviderRefused
from tests.messaging.letters import LINK, PHONE, make_letter


def test_the_console_shows_the_whole_message(capsys: pytest.CaptureFixture[str]) -> None:
    stream = StringIO()
    reference = ConsoleSender(stream).send(make_letter(subject="A subject"))
    ConsoleSender().send(make_letter(subject="A subject"))
    shown = stream.getvalue()
    assert shown == capsys.readouterr().out
    assert all(part in shown for part in (PHONE, "sms", "form_message", "A subject", LINK))
    assert reference == "console:0123456789abcdef0123456789abcdef"


def test_the_file_twin_writes_a_real_mail(tmp_path: Path) -> None:
    twin = FileSender(tmp_path / "mail", "ePRO <epro@example.org>")
    name = twin.send(make_letter(channel="email", address="n@example.org", subject="危急", text="正文\n"))
    mail = message_from_bytes((tmp_path / "mail" / name).read_bytes(), policy=policy.default)
    assert (mail["To"], mail["Subject"], mail.get_content()) == ("n@example.org", "危急", "正文\n")
    assert name.endswith(".eml")


def test_the_file_twin_writes_a_text_message(tmp_path: Path) -> None:
    name = FileSender(tmp_path, "epro@example.org").send(make_letter(text="您好"))
    assert (tmp_path / name).read_text() == f"To: {PHONE}\n\n您好\n"
    assert name.startswith("20260302T010000-form_message-")


def test_a_message_that_is_sent_twice_is_two_files_for_this_user_only(tmp_path: Path) -> None:
    twin = FileSender(tmp_path, "epro@example.org")
    names = {twin.send(make_letter()) for _time in range(5)}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert len(names) == 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_the_file_twin_refuses_what_a_mail_server_would(tmp_path: Path) -> None:
    with pytest.raises(ProviderRefused):
        FileSender(tmp_path, "epro@example.org").send(make_letter(channel="email", address="护士@example.org"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("mail", "sms", "kinds"),
    [
        ("console", "console", {"email": ConsoleSender, "sms": ConsoleSender}),
        ("file", "file", {"email": FileSender, "sms": FileSender}),
        ("smtp", "twilio", {"email": SmtpEmail, "sms": TwilioSms}),
        ("smtp", "alibaba", {"email": SmtpEmail, "sms": AlibabaSms}),
        ("smtp", "none", {"email": SmtpEmail}),
    ],
)
def test_the_settings_choose_the_senders(mail: str, sms: str, kinds: dict[str, type]) -> None:
    config = Config(email=mail, sms=sms, twilio_account="AC" + "a" * 32, twilio_token="t", twilio_from="+14155552345")
    senders = provider_choice.choose_senders(config)
    assert {channel: type(sender) for channel, sender in senders.items()} == kinds
    for sender in senders.values():
        if isinstance(sender, TwilioSms):
            sender.close()


def test_a_letter_does_not_show_itself() -> None:
    letter: Letter = make_letter()
    assert PHONE not in repr(letter)
    assert LINK not in repr(letter)
