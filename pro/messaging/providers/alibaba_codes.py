"""Translate Alibaba Cloud's codes: errors of its interface, and receipts of the networks.

Separate from the sender, because the webhook needs these codes and not the client, which takes 47 MB.
"""

from __future__ import annotations

import re

from pro.messaging.sender_protocol import ProviderRefused, ProviderUnreachable

# Code -> (may a retry help?, reason). From the provider's lists of interface errors and of receipts (its documents
# 101346 and 101347). A fault of the account or the settings can be corrected, so the letter is tried again; a fault of
# the phone or of the text is final.
CODES: dict[str, tuple[bool, str]] = {
    "InvalidAccessKeyId.NotFound": (True, "log_in_refused"),
    "InvalidAccessKeyId.Inactive": (True, "log_in_refused"),
    "InvalidTimeStamp.Expired": (True, "log_in_refused"),
    "SignatureDoesNotMatch": (True, "log_in_refused"),
    "InvalidCredentials": (True, "log_in_refused"),
    "IncompleteSignature": (True, "log_in_refused"),
    "SignatureNonceUsed": (True, "server_busy"),
    "Forbidden.RAM": (True, "log_in_refused"),
    "isp.RAM_PERMISSION_DENY": (True, "log_in_refused"),
    "isv.ACCOUNT_NOT_EXISTS": (True, "log_in_refused"),
    "isv.ACCOUNT_ABNORMAL": (True, "log_in_refused"),
    "isv.DENY_IP_RANGE": (True, "log_in_refused"),
    "isv.PRODUCT_UN_SUBSCRIPT": (True, "log_in_refused"),
    "isv.PRODUCT_UNSUBSCRIBE": (True, "log_in_refused"),
    "isv.SECURITY_FROZEN_ACCOUNT": (True, "log_in_refused"),
    "isv.AMOUNT_NOT_ENOUGH": (True, "no_credit"),
    "isv.OUT_OF_SERVICE": (True, "no_credit"),
    "isv.DAY_LIMIT_CONTROL": (True, "no_credit"),
    "isv.MONTH_LIMIT_CONTROL": (True, "no_credit"),
    # For one phone, by the minute, hour or day.
    "isv.BUSINESS_LIMIT_CONTROL": (True, "too_many"),
    "MOBILE_SEND_LIMIT": (True, "too_many"),
    "isp.SYSTEM_ERROR": (True, "provider_unsure"),
    "isp.GATEWAY_ERROR": (True, "provider_unsure"),
    "SP_UNKNOWN_ERROR": (True, "provider_unsure"),
    "IS_CLOSE": (True, "server_busy"),
    "isv.SMS_SIGNATURE_ILLEGAL": (True, "sender_refused"),
    "isv.SMS_SIGN_ILLEGAL": (True, "sender_refused"),
    "isv.SIGN_NAME_ILLEGAL": (True, "sender_refused"),
    "isv.SIGN_STATE_ILLEGAL": (True, "sender_refused"),
    "isv.SMS_SIGNATURE_SCENE_ILLEGAL": (True, "sender_refused"),
    "SignatureNotFound": (True, "sender_refused"),
    "isv.SMS_TEMPLATE_ILLEGAL": (False, "not_registered"),
    "isv.TEMPLATE_MISSING_PARAMETERS": (False, "not_registered"),
    "isv.TEMPLATE_PARAMS_ILLEGAL": (False, "not_registered"),
    "isv.INVALID_JSON_PARAM": (False, "not_registered"),
    "TemplateNotFound": (False, "not_registered"),
    "PARAMS_ILLEGAL": (False, "not_registered"),
    "isv.PARAM_LENGTH_LIMIT": (False, "text_refused"),
    "isv.PARAM_NOT_SUPPORT_URL": (False, "text_refused"),
    "isv.SMS_CONTENT_ILLEGAL": (False, "text_refused"),
    "isv.SMS_CONTENT_MISMATCH_TEMPLATE_TYPE": (False, "text_refused"),
    "isv.UNSUPPORTED_CONTENT": (False, "text_refused"),
    "CONTENT_KEYWORD": (False, "text_refused"),
    "CONTENT_ERROR": (False, "text_refused"),
    "isv.MOBILE_NUMBER_ILLEGAL": (False, "phone_invalid"),
    "INVALID_NUMBER": (False, "phone_invalid"),
    "isv.DOMESTIC_NUMBER_NOT_SUPPORTED": (False, "region_not_allowed"),
    # For a blocked number and, in older documents, for blocked words: staff phone the participant in either case.
    "isv.BLACK_KEY_CONTROL_LIMIT": (False, "phone_blocked"),
    "MOBILE_IN_BLACK": (False, "phone_blocked"),
    "USER_REJECT": (False, "phone_blocked"),
    "isv.CUSTOMER_REFUSED": (False, "unsubscribed"),
    # Switched off, unreachable, suspended or no longer used: the networks do not say which.
    "MOBILE_NOT_ON_SERVICE": (True, "phone_unreachable"),
    "MOBILE_ACCOUNT_ABNORMAL": (True, "phone_unreachable"),
    "MOBILE_TERMINAL_ERROR": (True, "phone_unreachable"),
    # Some receipts spell it like this.
    "MOBLLE_TERMINAL_ERROR": (True, "phone_unreachable"),
    "EXPIRED": (True, "phone_unreachable"),
    "UNDELIV": (True, "phone_unreachable"),
    "UNDELIVRD": (True, "phone_unreachable"),
}
# The networks' own codes for an unreachable phone, where the provider passes them on unchanged.
NETWORK = re.compile(r"(?:MK|MN|MI|LT):\w+")
CODE = re.compile(r"[\w.:-]{1,60}", re.ASCII)
# The provider may have taken the letter before it answered with these.
UNSURE_STATUSES = {500, 502, 504}
BUSY_STATUSES = {429, 503}


def failure_of_code(code: str, status: int, retry_after: float | None = None) -> ProviderUnreachable | ProviderRefused:
    """Return the failure for an answer; an unknown code is decided by the HTTP status.

    ``retry_after``: seconds.
    """
    known = code if CODE.fullmatch(code) else ""
    detail = known or status
    if known in CODES:
        again, reason = CODES[known]
        return (
            ProviderUnreachable(f"{reason}:{detail}", retry_after) if again else ProviderRefused(f"{reason}:{detail}")
        )
    if known.startswith("Throttling") or status in BUSY_STATUSES or retry_after is not None:
        return ProviderUnreachable(f"server_busy:{detail}", retry_after)
    if known.startswith("isp."):
        return ProviderUnreachable(f"provider_unsure:{detail}")
    if status in (401, 403):
        return ProviderUnreachable(f"log_in_refused:{detail}")
    if (known and status == 200) or (400 <= status < 500 and status != 408):
        return ProviderRefused(f"provider_refused:{detail}")
    return ProviderUnreachable(f"provider_unsure:{detail}", maybe_sent=status in UNSURE_STATUSES or status == 200)


def reason_of(code: str) -> str:
    """Return the failure for a receipt's code, as ``Message.failure`` stores it."""
    if not CODE.fullmatch(code):
        return "provider_refused"
    unknown = "phone_unreachable" if NETWORK.fullmatch(code) else "provider_refused"
    return f"{CODES[code][1] if code in CODES else unknown}:{code}"
