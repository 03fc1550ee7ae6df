"""Settings, read once from the environment. No other module reads ``os.environ``."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from email.utils import parseaddr
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from pro.errors import ConfigError

DEMONSTRATION_KEY = "demonstration-only-not-a-secret-0000"
# A Fernet key that is public, because it is in this file; production refuses it.
DEMONSTRATION_DATA_KEY = "ZGVtb25zdHJhdGlvbi1vbmx5LW5vdC1hLXNlY3JldCE="
# The key is part of an address, so only characters are allowed that need no escaping.
WEBHOOK_KEY = re.compile(r"[A-Za-z0-9_-]{32,}")
GATEWAY = re.compile(r"https://[^/]+|http://(?:127\.0\.0\.1|localhost)(?::[0-9]+)?")
LOCAL_HOSTS = {"127.0.0.1", "localhost", "::1"}
# Placeholders of deploy/env.example and manuals, and the names reserved by RFC 2606.
EXAMPLE_VALUE = re.compile(
    r"change-?me|fill-?in|(?<![a-z0-9-])example\.(?:com|net|org)(?![a-z0-9-])|\.(?:example|invalid|test)(?![a-z0-9-])",
    re.IGNORECASE,
)
# One digit seven times, or the digits in order: a placeholder, not a phone number of a site.
EXAMPLE_NUMBER = re.compile(r"(\d)\1{6}|1234567")
ADDRESS = re.compile(r"[^@\s]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
# Least number of different characters in a secret, and in a password issued by another system. Fewer: a placeholder.
SECRET_CHARACTERS, PASSWORD_CHARACTERS = 8, 3


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of one installation.

    ``data_keys``: Fernet keys, newest first. ``link_days``: days for which a link opens a form.
    ``staff_idle_minutes``: minutes until staff must sign in again. ``second_factor``: True if staff who see identities
    or manage accounts must also enter a code to sign in.
    """

    production: bool = False
    database_url: str = "sqlite:///var/pro.sqlite3"
    var_dir: Path = Path("var")
    plans_dir: Path | None = None
    days_file: Path | None = None
    gateway_file: Path | None = None
    base_url: str = "http://127.0.0.1:8000"
    proxy_hops: int = 0
    secret_key: str = DEMONSTRATION_KEY
    lookup_key: str = DEMONSTRATION_KEY
    data_keys: tuple[str, ...] = (DEMONSTRATION_DATA_KEY,)
    email: str = "file"
    email_from: str = "ePRO <epro@localhost>"
    smtp_host: str = "127.0.0.1"
    smtp_port: int = 25
    smtp_user: str = ""
    smtp_password: str = ""
    smtp_starttls: bool = True
    sms: str = "file"
    sms_two_way: bool = False
    twilio_account: str = ""
    twilio_token: str = ""
    twilio_from: str = ""
    twilio_api_url: str = ""
    alibaba_key_id: str = ""
    alibaba_key_secret: str = ""
    alibaba_sign_name: str = ""
    alibaba_api_url: str = ""
    alibaba_webhook_key: str = ""
    link_days: int = 14
    staff_idle_minutes: int = 30
    second_factor: bool = False
    metrics_token: str = ""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Config:
        """Read the ``PRO_*`` settings.

        Raises ConfigError that names every missing, unreadable or dangerous setting.
        """
        reading = cls.read(environ)
        if reading.problems:
            raise ConfigError(list(reading.problems))
        return reading.config

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> ConfigReading:
        """Read the ``PRO_*`` settings and collect their problems. Raises nothing.

        An unusable setting gets its default, so that the start can report all other problems at the same time.
        """
        reader = _SettingsReader(os.environ if environ is None else environ)
        production = reader.choice("MODE", "demonstration", ("demonstration", "production")) == "production"
        factor = "required" if production else "optional"
        config = cls(
            production=production,
            database_url=reader.text("DATABASE_URL", cls.database_url),
            var_dir=Path(reader.text("VAR_DIR", str(cls.var_dir))),
            plans_dir=reader.path("PLANS_DIR"),
            days_file=reader.path("DAYS_FILE"),
            gateway_file=reader.path("GATEWAY_FILE"),
            base_url=reader.text("BASE_URL", cls.base_url).rstrip("/"),
            proxy_hops=reader.number("PROXY_HOPS", 0, 0, 1),
            secret_key=reader.text("SECRET_KEY", DEMONSTRATION_KEY),
            lookup_key=reader.text("LOOKUP_KEY", DEMONSTRATION_KEY),
            data_keys=tuple(reader.text("DATA_KEYS", DEMONSTRATION_DATA_KEY).replace(",", " ").split()),
            email=reader.choice("EMAIL", cls.email, ("console", "file", "smtp")),
            email_from=reader.text("EMAIL_FROM", cls.email_from),
            smtp_host=reader.text("SMTP_HOST", cls.smtp_host),
            smtp_port=reader.number("SMTP_PORT", cls.smtp_port, 1, 65535),
            smtp_user=reader.text("SMTP_USER", ""),
            smtp_password=reader.text("SMTP_PASSWORD", ""),
            smtp_starttls=reader.choice("SMTP_STARTTLS", "yes", ("yes", "no")) == "yes",
            sms=reader.choice("SMS", cls.sms, ("console", "file", "twilio", "alibaba", "none")),
            sms_two_way=reader.choice("SMS_TWO_WAY", "no", ("yes", "no")) == "yes",
            twilio_account=reader.text("TWILIO_ACCOUNT", ""),
            twilio_token=reader.text("TWILIO_TOKEN", ""),
            twilio_from=reader.text("TWILIO_FROM", ""),
            twilio_api_url=reader.text("TWILIO_API_URL", ""),
            alibaba_key_id=reader.text("ALIBABA_KEY_ID", ""),
            alibaba_key_secret=reader.text("ALIBABA_KEY_SECRET", ""),
            alibaba_sign_name=reader.text("ALIBABA_SIGN_NAME", ""),
            alibaba_api_url=reader.text("ALIBABA_API_URL", "").rstrip("/"),
            alibaba_webhook_key=reader.text("ALIBABA_WEBHOOK_KEY", ""),
            link_days=reader.number("LINK_DAYS", cls.link_days, 1, 90),
            staff_idle_minutes=reader.number("STAFF_IDLE_MINUTES", cls.staff_idle_minutes, 1, 240),
            second_factor=reader.choice("SECOND_FACTOR", factor, ("required", "optional")) == "required",
            metrics_token=reader.text("METRICS_TOKEN", ""),
        )
        shape = config.unusable_settings()
        problems = reader.problems + reader.unknown_settings() + list(shape.values())
        if production:
            problems += reader.examples() + config.production_dangers()
        return ConfigReading(config._without(shape), tuple(_first_problem_per_setting(problems)), frozenset(shape))

    def unusable_settings(self) -> dict[str, str]:
        """Return what is unusable in every mode: attribute -> sentence.

        Examples: an invalid data key, an unknown kind of database, packages that are not installed.
        """
        found = {}
        if not self.data_keys or not all(map(_data_key, self.data_keys)):
            found["data_keys"] = "PRO_DATA_KEYS has a value that is not a Fernet key; `flask new-key` makes one."
        if not self.database_url.startswith(("sqlite:///", "postgresql+psycopg://")):
            found["database_url"] = "PRO_DATABASE_URL must begin with sqlite:/// or postgresql+psycopg://."
        if self.alibaba_api_url and not GATEWAY.fullmatch(self.alibaba_api_url):
            found["alibaba_api_url"] = (
                "PRO_ALIBABA_API_URL must be https:// and a host, or empty for the provider's own address."
            )
        if self.sms == "alibaba" and find_spec("alibabacloud_dysmsapi20170525") is None:
            found["sms"] = (
                "PRO_SMS is alibaba, but its packages are not installed: "
                "run `sh deploy/install.sh requirements-alibaba.txt`."
            )
        return found

    def _without(self, names: Mapping[str, str]) -> Config:
        """Return a copy with the settings ``names`` at their defaults."""
        return replace(self, **{name: getattr(type(self), name) for name in names})

    def production_dangers(self) -> list[str]:
        """Return what production does not allow, a sentence each.

        Examples: demonstration keys, http, senders that only write files.
        """
        found = []
        for name, key in (("PRO_SECRET_KEY", self.secret_key), ("PRO_LOOKUP_KEY", self.lookup_key)):
            if key == DEMONSTRATION_KEY or len(key) < 32:
                found.append(f"{name} must be a secret of your own of at least 32 characters.")
            elif _is_repetitive(key, SECRET_CHARACTERS):
                found.append(f"{name} repeats the same characters; `openssl rand -hex 24` makes a secret.")
        if self.secret_key == self.lookup_key != DEMONSTRATION_KEY:
            found.append("PRO_LOOKUP_KEY must differ from PRO_SECRET_KEY.")
        keys = [key for key in map(_data_key, self.data_keys) if key]
        if DEMONSTRATION_DATA_KEY in self.data_keys or any(_is_repetitive(key, SECRET_CHARACTERS) for key in keys):
            found.append("PRO_DATA_KEYS must be a Fernet key of your own; `flask new-key` makes one.")
        if not self.base_url.startswith("https://"):
            found.append("PRO_BASE_URL must start with https://, because links carry a participant's access.")
        if self.email != "smtp":
            found.append("PRO_EMAIL must be smtp; with console or file no alert reaches staff.")
        if not ADDRESS.fullmatch(parseaddr(self.email_from)[1]):
            found.append("PRO_EMAIL_FROM must be the sender address of emails, for example ePRO <name@domain>.")
        if self.email == "smtp" and not self.smtp_starttls and self.smtp_host not in LOCAL_HOSTS:
            found.append("PRO_SMTP_STARTTLS must be yes for a mail server on another machine.")
        if self.email == "smtp" and self.smtp_user and not self.smtp_password:
            found.append("PRO_SMTP_PASSWORD is missing for PRO_SMTP_USER.")
        if not self.proxy_hops:
            found.append(
                "PRO_PROXY_HOPS must be 1: behind nginx all participants would share one address and one lock."
            )
        if not self.second_factor:
            found.append("PRO_SECOND_FACTOR must be required, because staff see who a participant is.")
        token = self.metrics_token
        if token and (len(token) < 32 or _is_repetitive(token, SECRET_CHARACTERS)):
            found.append("PRO_METRICS_TOKEN must be a secret of at least 32 characters, or empty.")
        if self.sms in ("console", "file"):
            found.append("PRO_SMS must be twilio or alibaba, or none if participants use cards and codes only.")
        return found + self._dangers_of_provider() + self._repeated_passwords()

    def _dangers_of_provider(self) -> list[str]:
        needed = {"twilio": ("account", "token", "from"), "alibaba": ("key_id", "key_secret", "sign_name")}
        found = [
            f"PRO_{self.sms.upper()}_{name.upper()} is missing."
            for name in needed.get(self.sms, ())
            if not getattr(self, f"{self.sms}_{name}")
        ]
        if EXAMPLE_NUMBER.search(self.twilio_from):
            found.append("PRO_TWILIO_FROM must be a number of your own, not an example.")
        key = self.alibaba_webhook_key
        if self.sms == "alibaba" and (not WEBHOOK_KEY.fullmatch(key) or _is_repetitive(key, SECRET_CHARACTERS)):
            found.append("PRO_ALIBABA_WEBHOOK_KEY must be a secret of at least 32 letters and digits.")
        for name in ("twilio_api_url", "alibaba_api_url"):
            if getattr(self, name).startswith("http:"):
                found.append(f"PRO_{name.upper()} must start with https://, because texts and phone numbers go there.")
        return found

    def _repeated_passwords(self) -> list[str]:
        given = {
            "PRO_DATABASE_URL": urlsplit(self.database_url).password or "",
            "PRO_SMTP_PASSWORD": self.smtp_password,
            "PRO_TWILIO_ACCOUNT": self.twilio_account,
            "PRO_TWILIO_TOKEN": self.twilio_token,
            "PRO_ALIBABA_KEY_ID": self.alibaba_key_id,
            "PRO_ALIBABA_KEY_SECRET": self.alibaba_key_secret,
        }
        return [
            f"{name} repeats the same characters, as a placeholder does."
            for name, value in given.items()
            if value and _is_repetitive(value, PASSWORD_CHARACTERS)
        ]

    @property
    def secure_cookies(self) -> bool:
        """Return True if cookies are sent over TLS only, which holds if ``base_url`` is https."""
        return urlsplit(self.base_url).scheme == "https"


@dataclass(frozen=True, slots=True)
class ConfigReading:
    """Result of reading the settings.

    ``problems``: every reason not to start, a sentence each that begins with the name of the setting. ``unusable``:
    attributes of ``config`` that hold their defaults because the given value cannot be used.
    """

    config: Config
    problems: tuple[str, ...]
    unusable: frozenset[str]


def _data_key(key: str) -> bytes | None:
    """Return the 32 bytes of a Fernet key; None if ``key`` is not a Fernet key."""
    try:
        found = base64.urlsafe_b64decode(key)
    except ValueError:
        return None
    return found if len(found) == 32 else None


def _is_repetitive(value: str | bytes, different: int) -> bool:
    """Return True if ``value`` has fewer than ``different`` characters or repeats one word."""
    twice = value * 2
    return len(set(value)) < different or twice.find(value, 1) < len(value)  # type: ignore[arg-type]


def _first_problem_per_setting(problems: list[str]) -> list[str]:
    """Keep the first sentence about each setting; the first word of a sentence is the name."""
    first: dict[str, str] = {}
    for problem in problems:
        first.setdefault(problem.split(maxsplit=1)[0], problem)
    return list(first.values())


class _SettingsReader:
    """Reads settings and collects problems instead of stopping at the first one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []
        self.known: set[str] = set()

    def text(self, name: str, default: str) -> str:
        self.known.add(f"PRO_{name}")
        return self.environ.get(f"PRO_{name}", "").strip() or default

    def unknown_settings(self) -> list[str]:
        """Return a sentence for every ``PRO_`` name that is not a setting, such as a mistyped one."""
        found = []
        for name in sorted(self.environ):
            if name.startswith("PRO_") and name not in self.known:
                near = get_close_matches(name, self.known, n=1)
                found.append(f"{name} is no setting." + (f" Is {near[0]} meant?" if near else ""))
        return found

    def examples(self) -> list[str]:
        """Return a sentence for every setting that still holds a placeholder of an example."""
        return [
            f"{name} still holds a placeholder of the example; put in your own."
            for name in sorted(self.known)
            if EXAMPLE_VALUE.search(self.environ.get(name, ""))
        ]

    def path(self, name: str) -> Path | None:
        value = self.text(name, "")
        return Path(value) if value else None

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value not in allowed:
            self.problems.append(f"PRO_{name} must be one of {', '.join(allowed)}; it is not.")
            return default
        return value

    def number(self, name: str, default: int, low: int, high: int) -> int:
        value = self.text(name, str(default))
        if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
            self.problems.append(f"PRO_{name} must be a whole number from {low} to {high}.")
            return default
        return int(value)
