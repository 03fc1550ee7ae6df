"""Send email by SMTP with STARTTLS and a login."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from email.utils import parseaddr

from pro.messaging.providers.time_limit import SEND_LIMIT, LimitedTlsSocket, connect_within_limit, time_limit
from pro.messaging.sender_protocol import Letter, ProviderRefused, ProviderUnreachable, mail_domain, to_email

# Seconds for one reply of the server; the whole dialogue has ``SEND_LIMIT``.
TIMEOUT = 20.0
# Seconds for taking leave of the server: the letter is sent or refused already.
QUIT_TIMEOUT = 2.0
# About this system or its settings, at any step: the same letter can be sent once the settings are corrected.
OWN_FAULT_CODES = {530, 534, 535, 538}


class SmtpEmail:
    """Send each letter to one SMTP server, over its own connection; a few letters at once.

    Many servers accept no more connections. The server's certificate is checked against the system's authorities, or
    those in the file that ``SSL_CERT_FILE`` names (OpenSSL reads it), such as a hospital's own authority.
    """

    at_once = 4

    def __init__(
        self,
        *,
        host: str,
        port: int,
        mail_from: str,
        user: str = "",
        password: str = "",
        starttls: bool = True,
        timeout: float = TIMEOUT,
        limit: float = SEND_LIMIT,
    ) -> None:
        self._host = host
        self._port = port
        self._mail_from = mail_from
        self._user = user
        self._password = password
        self._timeout = timeout
        self._limit = limit
        self._tls = ssl.create_default_context() if starttls else None
        if self._tls:
            self._tls.sslsocket_class = LimitedTlsSocket

    def send(self, letter: Letter) -> str:
        """Send the letter and return its Message-ID.

        Raises ProviderUnreachable for a failed connection, a temporary refusal, or a fault of the settings (login,
        certificate, sender); ProviderRefused if the server does not accept this address or this letter.
        """
        mail = to_email(letter, self._mail_from)
        with time_limit(self._limit), self._connection() as server:
            with _translate_failures("sender"):
                _check_reply(*server.mail(parseaddr(self._mail_from)[1]), ours=True)
            with _translate_failures("recipient"):
                _check_reply(*server.rcpt(letter.address), refusal="address_refused")
            with _translate_failures("text", maybe_sent=True):
                _check_reply(*server.data(mail.as_bytes(policy=policy.SMTP)), refusal="text_refused")
        return str(mail["Message-ID"])

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        with _translate_failures("connect"):
            # Greet with the sender's domain: looking up the name of this machine can hang if there is no name server.
            server = _LimitedSmtp(
                self._host, self._port, local_hostname=mail_domain(self._mail_from), timeout=self._timeout
            )
        try:
            with _translate_failures("log_in"):
                if self._tls:
                    server.starttls(context=self._tls)
                if self._user:
                    server.login(self._user, self._password)
                server.ehlo_or_helo_if_needed()
            yield server
        finally:
            _close_connection(server)


class _LimitedSmtp(smtplib.SMTP):
    """A connection whose every step counts against the time limit of the sending."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return connect_within_limit(host, port, timeout)


def _close_connection(server: smtplib.SMTP) -> None:
    """Close the connection. A failure after the letter was accepted must not undo the sending."""
    try:
        with time_limit(QUIT_TIMEOUT):
            server.quit()
    except (OSError, smtplib.SMTPException):
        server.close()


@contextmanager
def _translate_failures(step: str, *, maybe_sent: bool = False) -> Iterator[None]:
    """Translate what smtplib and the connection raise into the two failures.

    The server's message is dropped, because it may quote the address.
    """
    try:
        yield
    except smtplib.SMTPAuthenticationError:
        raise ProviderUnreachable("log_in_refused") from None
    except smtplib.SMTPNotSupportedError:
        raise ProviderUnreachable("not_supported") from None
    except smtplib.SMTPDataError as error:
        _check_reply(error.smtp_code, error.smtp_error, refusal="text_refused")
    except smtplib.SMTPResponseException as error:
        raise ProviderUnreachable(f"server_busy:{error.smtp_code}") from None
    except ssl.SSLCertVerificationError:
        raise ProviderUnreachable("certificate") from None
    except (OSError, smtplib.SMTPException) as error:
        # smtplib reports a timed-out reply as a "disconnected" exception.
        timed_out = isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
        raise ProviderUnreachable(f"{'time_out' if timed_out else 'no_line'}:{step}", maybe_sent=maybe_sent) from None


def _check_reply(code: int, _text: object, *, refusal: str = "", ours: bool = False) -> None:
    """Check the server's reply: 2xx and 3xx pass.

    Raises ProviderUnreachable for 4xx and faults of the settings, ProviderRefused for any other 5xx.
    """
    if 200 <= code < 400:
        return
    if code in OWN_FAULT_CODES:
        raise ProviderUnreachable(f"log_in_refused:{code}")
    if ours and code >= 500:
        raise ProviderUnreachable(f"sender_refused:{code}")
    if code >= 500:
        raise ProviderRefused(f"{refusal}:{code}")
    raise ProviderUnreachable(f"server_busy:{code}")
