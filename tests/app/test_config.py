"""Test the settings: read once, with all errors reported together."""

from __future__ import annotations

import base64
import sys
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from pro.config import DEMONSTRATION_DATA_KEY, DEMONSTRATION_KEY, Config
from pro.errors import ConfigError

SAFE = {
    "PRO_MODE": "production",
    "PRO_BASE_URL": "https://epro.hospital.cn",
    "PRO_SECRET_KEY": "a first secret of 32 characters.",
    "PRO_LOOKUP_KEY": "another secret of 32 characters!",
    "PRO_DATA_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "PRO_EMAIL": "smtp",
    "PRO_EMAIL_FROM": "ePRO <epro@hospital.cn>",
    "PRO_SMS": "none",
    "PRO_PROXY_HOPS": "1",
}

TWILIO = {
    "PRO_SMS": "twilio",
    "PRO_TWILIO_ACCOUNT": "AC-not-a-real-one",
    "PRO_TWILIO_TOKEN": "a token",
    "PRO_TWILIO_FROM": "+8610620",
}
KEYS = tuple(base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in range(3))


def problems(**changes: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        Config.from_env(SAFE | changes)
    return refused.value.problems


def test_nothing_set_is_the_demonstration():
    assert Config.from_env({}) == Config()
    assert not Config().production
    assert not Config().secure_cookies


def test_blank_is_not_set():
    assert Config.from_env({"PRO_BASE_URL": "  ", "PRO_SMTP_PORT": "", "PRO_PLANS_DIR": " "}) == Config()


def test_production_that_is_safe_starts():
    config = Config.from_env(SAFE)
    assert config.production
    assert config.secure_cookies
    assert config.production_dangers() == []


def test_every_danger_is_named_at_once():
    with pytest.raises(ConfigError) as refused:
        Config.from_env({"PRO_MODE": "production"})
    found = refused.value.problems
    for name in ("SECRET_KEY", "LOOKUP_KEY", "DATA_KEYS", "BASE_URL", "EMAIL", "SMS"):
        assert [problem for problem in found if problem.startswith(f"PRO_{name} ")], name
    assert str(refused.value) == "\n".join(found)
    assert all(problem.endswith(".") for problem in found)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"PRO_SECRET_KEY": DEMONSTRATION_KEY}, "PRO_SECRET_KEY"),
        ({"PRO_SECRET_KEY": SAFE["PRO_SECRET_KEY"][:31]}, "PRO_SECRET_KEY"),
        ({"PRO_LOOKUP_KEY": "short"}, "PRO_LOOKUP_KEY"),
        ({"PRO_LOOKUP_KEY": SAFE["PRO_SECRET_KEY"]}, "PRO_LOOKUP_KEY must differ"),
        ({"PRO_DATA_KEYS": DEMONSTRATION_DATA_KEY}, "PRO_DATA_KEYS"),
        ({"PRO_DATA_KEYS": f"{SAFE['PRO_DATA_KEYS']}, {DEMONSTRATION_DATA_KEY}"}, "PRO_DATA_KEYS"),
        ({"PRO_DATA_KEYS": ","}, "PRO_DATA_KEYS"),
        ({"PRO_BASE_URL": "http://epro.hospital.cn"}, "PRO_BASE_URL"),
        ({"PRO_EMAIL": "file"}, "PRO_EMAIL"),
        ({"PRO_EMAIL": "console"}, "PRO_EMAIL"),
        ({"PRO_SMTP_HOST": "mail.hospital.cn", "PRO_SMTP_STARTTLS": "no"}, "PRO_SMTP_STARTTLS"),
        ({"PRO_SMTP_USER": "epro"}, "PRO_SMTP_PASSWORD"),
        ({"PRO_SMS": "file"}, "PRO_SMS"),
        ({"PRO_SMS": "twilio", "PRO_TWILIO_TOKEN": "a token", "PRO_TWILIO_FROM": "+1"}, "PRO_TWILIO_ACCOUNT"),
        # Placeholders that are left from an example or a handbook.
        ({"PRO_SECRET_KEY": "s" * 48}, "PRO_SECRET_KEY repeats"),
        ({"PRO_LOOKUP_KEY": "abcdefghij" * 4}, "PRO_LOOKUP_KEY repeats"),
        ({"PRO_DATA_KEYS": base64.urlsafe_b64encode(b"0" * 32).decode()}, "PRO_DATA_KEYS"),
        ({"PRO_SECRET_KEY": "CHANGE-ME"}, "PRO_SECRET_KEY still holds"),
        ({"PRO_DATABASE_URL": "postgresql+psycopg://epro:CHANGE-ME@127.0.0.1/epro"}, "PRO_DATABASE_URL still holds"),
        ({"PRO_DATABASE_URL": "postgresql+psycopg://epro:xxxxxx@127.0.0.1/epro"}, "PRO_DATABASE_URL repeats"),
        ({"PRO_BASE_URL": "https://epro.example.org"}, "PRO_BASE_URL still holds"),
        ({"PRO_BASE_URL": "https://epro.hospital.example"}, "PRO_BASE_URL still holds"),
        ({"PRO_SMTP_HOST": "mail.example.org"}, "PRO_SMTP_HOST still holds"),
        ({"PRO_SMTP_USER": "epro@example.org", "PRO_SMTP_PASSWORD": "a password"}, "PRO_SMTP_USER still holds"),
        ({"PRO_SMTP_USER": "epro", "PRO_SMTP_PASSWORD": "********"}, "PRO_SMTP_PASSWORD repeats"),
        ({"PRO_EMAIL_FROM": "ePRO <epro@example.org>"}, "PRO_EMAIL_FROM still holds"),
        ({"PRO_EMAIL_FROM": "ePRO <epro@localhost>"}, "PRO_EMAIL_FROM must be the sender"),
        ({"PRO_EMAIL_FROM": "the study team"}, "PRO_EMAIL_FROM must be the sender"),
        ({"PRO_EMAIL_FROM": "ePRO <epro@>"}, "PRO_EMAIL_FROM must be the sender"),
        (TWILIO | {"PRO_TWILIO_FROM": "+10000000000"}, "PRO_TWILIO_FROM"),
        (TWILIO | {"PRO_TWILIO_TOKEN": "0" * 32}, "PRO_TWILIO_TOKEN"),
        (TWILIO | {"PRO_TWILIO_API_URL": "http://127.0.0.1:8080"}, "PRO_TWILIO_API_URL must start with https://"),
        ({"PRO_ALIBABA_API_URL": "http://127.0.0.1:8080"}, "PRO_ALIBABA_API_URL must start with https://"),
        ({"PRO_METRICS_TOKEN": "m" * 40}, "PRO_METRICS_TOKEN"),
        ({"PRO_SECRET_KEYS": "x"}, "PRO_SECRET_KEYS is no setting. Is PRO_SECRET_KEY meant?"),
    ],
)
def test_one_danger_is_one_sentence(changes, named):
    (problem,) = problems(**changes)
    assert problem.startswith(named)


def test_twilio_needs_all_three():
    assert [problem.split()[0] for problem in problems(PRO_SMS="twilio")] == [
        "PRO_TWILIO_ACCOUNT",
        "PRO_TWILIO_TOKEN",
        "PRO_TWILIO_FROM",
    ]


ALIBABA = {
    "PRO_SMS": "alibaba",
    "PRO_ALIBABA_KEY_ID": "LTAI-not-a-real-one",
    "PRO_ALIBABA_KEY_SECRET": "a-key-secret",
    "PRO_ALIBABA_SIGN_NAME": "南昌某医院",
    "PRO_ALIBABA_WEBHOOK_KEY": "0123456789abcdefghijklmnopqrstuv",
}


def test_alibaba_needs_all_four():
    assert [problem.split()[0] for problem in problems(PRO_SMS="alibaba")] == [
        "PRO_ALIBABA_KEY_ID",
        "PRO_ALIBABA_KEY_SECRET",
        "PRO_ALIBABA_SIGN_NAME",
        "PRO_ALIBABA_WEBHOOK_KEY",
    ]
    config = Config.from_env(SAFE | ALIBABA)
    assert (config.alibaba_key_id, config.alibaba_sign_name) == ("LTAI-not-a-real-one", "南昌某医院")


@pytest.mark.parametrize(
    "key",
    [
        "0123456789abcdefghijklmnopqrstu",
        "k" * 32,
        "0123456789abcdefghijklmnopqrstuv/",
        "0123456789abcdefghijklmnopqrstuv?",
        "钥" * 32,
    ],
)
def test_the_key_of_the_webhook_is_long_and_fits_into_an_address(key):
    (problem,) = problems(**(ALIBABA | {"PRO_ALIBABA_WEBHOOK_KEY": key}))
    assert problem.startswith("PRO_ALIBABA_WEBHOOK_KEY must be a secret")


@pytest.mark.parametrize(
    "url", ["dysmsapi.aliyuncs.com", "http://dysmsapi.aliyuncs.com", "https://host/path", "ftp://x"]
)
def test_an_address_of_the_provider_is_a_safe_host(url):
    with pytest.raises(ConfigError) as refused:
        Config.from_env({"PRO_ALIBABA_API_URL": url})
    assert [problem.split()[0] for problem in refused.value.problems] == ["PRO_ALIBABA_API_URL"]
    config = Config.from_env({"PRO_ALIBABA_API_URL": "https://proxy.example.org:8443/"})
    assert config.alibaba_api_url == "https://proxy.example.org:8443"


def test_a_provider_whose_packages_are_missing_is_named_in_any_mode(monkeypatch):
    monkeypatch.setitem(sys.modules, "alibabacloud_dysmsapi20170525", None)
    with pytest.raises(ConfigError) as refused:
        Config.from_env(ALIBABA)
    assert "requirements-alibaba.txt" in str(refused.value)
    assert Config.from_env(SAFE)


def test_a_mail_server_on_this_machine_needs_no_tls():
    assert Config.from_env(SAFE | {"PRO_SMTP_STARTTLS": "no"})


@pytest.mark.parametrize("mode", [{}, {"PRO_MODE": "production"}])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_PORT", "smtp"),
        ("SMTP_PORT", "0"),
        ("SMTP_PORT", "65536"),
        ("SMTP_PORT", "-1"),
        ("SMTP_PORT", "2.5"),
        ("SMTP_PORT", "２５"),
        ("SMTP_PORT", "²"),
        ("LINK_DAYS", "0"),
        ("LINK_DAYS", "91"),
        ("PROXY_HOPS", "2"),
        ("STAFF_IDLE_MINUTES", "241"),
        ("EMAIL", "sendmail"),
        ("SMS", "TWILIO"),
        ("SMTP_STARTTLS", "maybe"),
    ],
)
def test_what_cannot_be_read_is_named(mode, name, value):
    with pytest.raises(ConfigError) as refused:
        Config.from_env(SAFE | mode | {f"PRO_{name}": value})
    assert any(problem.startswith(f"PRO_{name} must be") for problem in refused.value.problems)


@pytest.mark.parametrize("mode", [{}, {"PRO_MODE": "production"}])
def test_a_setting_that_does_not_exist_is_named_in_any_mode(mode):
    # A demonstration started by PRO_MOD=production would use keys that everybody can read.
    with pytest.raises(ConfigError) as refused:
        Config.from_env(SAFE | mode | {"PRO_MOD": "production", "PRO_XYZZY": "1", "HOME": "/root"})
    assert refused.value.problems == ["PRO_MOD is no setting. Is PRO_MODE meant?", "PRO_XYZZY is no setting."]


def test_what_cannot_be_used_stands_at_its_default_so_that_the_rest_can_be_checked():
    reading = Config.read(SAFE | {"PRO_DATABASE_URL": "mysql://x", "PRO_DATA_KEYS": "none", "PRO_SMTP_PORT": "x"})
    assert reading.unusable == {"database_url", "data_keys"}
    assert (reading.config.database_url, reading.config.data_keys) == (Config().database_url, Config().data_keys)
    assert [problem.split()[0] for problem in reading.problems] == [
        "PRO_SMTP_PORT",
        "PRO_DATA_KEYS",
        "PRO_DATABASE_URL",
    ]


def test_a_mistyped_mode_does_not_start_as_a_demonstration():
    (problem,) = [each for each in problems(PRO_MODE="prod") if "PRO_MODE" in each]
    assert problem.startswith("PRO_MODE must be one of demonstration, production")


def test_a_problem_never_repeats_the_value():
    secret = "a-secret-that-somebody-pasted-into-the-wrong-line"
    assert secret not in "".join(problems(PRO_SMTP_PORT=secret, PRO_EMAIL=secret, PRO_SECRET_KEY="x", PRO_SMS=secret))


def test_values_are_read_as_they_are_meant():
    config = Config.from_env(
        {
            "PRO_BASE_URL": "https://epro.example.org/",
            "PRO_DATA_KEYS": f"{KEYS[0]}, {KEYS[1]}\n{KEYS[2]}",
            "PRO_PLANS_DIR": "/srv/plans",
            "PRO_SMTP_PORT": "587",
            "PRO_SMTP_STARTTLS": "no",
            "PRO_PROXY_HOPS": "1",
            "PRO_LINK_DAYS": "90",
        }
    )
    assert config.base_url == "https://epro.example.org"
    assert config.data_keys == KEYS
    assert config.plans_dir == Path("/srv/plans")
    assert (config.smtp_port, config.smtp_starttls, config.proxy_hops, config.link_days) == (587, False, 1, 90)


def test_the_settings_are_frozen():
    with pytest.raises(FrozenInstanceError):
        Config().production = True  # type: ignore[misc]
    assert replace(Config(), production=True).production_dangers()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"PRO_DATA_KEYS": "CHANGE-ME"}, "PRO_DATA_KEYS"),
        ({"PRO_DATA_KEYS": f"{KEYS[0]} {KEYS[1][:-2]}"}, "PRO_DATA_KEYS"),
        ({"PRO_DATABASE_URL": "mysql://somewhere"}, "PRO_DATABASE_URL"),
        ({"PRO_DATABASE_URL": "CHANGE ME"}, "PRO_DATABASE_URL"),
    ],
)
def test_what_cannot_be_used_is_a_sentence_in_the_demonstration_too(changes, named):
    with pytest.raises(ConfigError) as refused:
        Config.from_env(changes)
    assert [problem.split()[0] for problem in refused.value.problems] == [named]
