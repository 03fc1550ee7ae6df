"""Choose the provider of each channel by the settings."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from pro.config import Config
from pro.core.sms_gateway import SmsGateway
from pro.messaging.gateway_filter import GatewayFilter
from pro.messaging.providers.console import ConsoleSender, FileSender
from pro.messaging.providers.smtp_email import SmtpEmail
from pro.messaging.sender_protocol import Sender


def choose_senders(config: Config, gateway: SmsGateway | None = None) -> Mapping[str, Sender]:
    """Return the senders by channel ("email", "sms"); none for SMS with ``PRO_SMS=none``.

    With ``gateway``, only texts that it accepts are sent; without, all are.
    """
    senders: dict[str, Sender] = {}
    for channel, name in (("email", config.email), ("sms", config.sms)):
        if name == "console":
            senders[channel] = ConsoleSender()
        elif name == "file":
            senders[channel] = FileSender(config.var_dir / "mail", config.email_from)
        elif name == "smtp":
            senders[channel] = SmtpEmail(
                host=config.smtp_host,
                port=config.smtp_port,
                mail_from=config.email_from,
                user=config.smtp_user,
                password=config.smtp_password,
                starttls=config.smtp_starttls,
            )
        elif name == "twilio":
            # Imported only where it is chosen: the client and its dependencies take 6 MB of every process.
            senders[channel] = import_module("pro.messaging.providers.twilio_sms").TwilioSms(
                account=config.twilio_account,
                token=config.twilio_token,
                sender=config.twilio_from,
                api_url=config.twilio_api_url,
                # The provider would refuse the message if this address were not public.
                callback_url=f"{config.base_url}/sms/twilio/status" if config.secure_cookies else "",
            )
        elif name == "alibaba":
            # The client is optional; the start check refuses these settings if it is missing.
            senders[channel] = import_module("pro.messaging.providers.alibaba_sms").AlibabaSms(
                key_id=config.alibaba_key_id,
                key_secret=config.alibaba_key_secret,
                sign_name=config.alibaba_sign_name,
                api_url=config.alibaba_api_url,
            )
    if "sms" in senders and gateway is not None:
        senders["sms"] = GatewayFilter(senders["sms"], gateway)
    return senders
