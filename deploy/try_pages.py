"""Request pages of the example installation as a browser does, and print what is wrong.

Usage: python deploy/try_pages.py https://127.0.0.1:PORT http://127.0.0.1:PORT CA   (or "away" for the second address)
"""

from __future__ import annotations

import http.client
import ssl
import sys
from urllib.parse import urlsplit

TOKEN, REF = "an-unknown-token", "an-unknown-form"
Answer = tuple[int, dict[str, str], bytes]


def ask(site: str, path: str, authority: str | None, body: bytes | None = None) -> Answer:
    """Send one request; return status, headers (names in lower case) and body."""
    parts = urlsplit(site)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=authority)
        connection = http.client.HTTPSConnection(parts.netloc, timeout=10, context=context)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    headers = {"Accept-Encoding": "gzip", "Content-Type": "application/x-www-form-urlencoded"}
    try:
        connection.request("GET" if body is None else "POST", path, body, headers)
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def check(site: str, plain: str, authority: str) -> list[str]:
    """Request pages over TLS and without; return a sentence for every problem."""
    wrong = []
    status, headers, _body = ask(site, "/", authority)
    if status != 200 or headers.get("content-encoding") != "gzip":
        wrong.append(f"the first page: {status}, {headers.get('content-encoding')}")
    if "max-age" not in headers.get("strict-transport-security", ""):
        wrong.append("the first page does not insist on TLS")
    if "default-src 'none'" not in headers.get("content-security-policy", ""):
        wrong.append("the first page has no content policy")
    if "gunicorn" in headers.get("server", "") or "/" in headers.get("server", ""):
        wrong.append(f"the server names its version: {headers['server']}")
    status, headers, _body = ask(site, f"/a/{TOKEN}", authority)
    if status != 404:
        wrong.append(f"an unknown link: {status}")
    status, _headers, _body = ask(site, f"/f/{REF}/1", authority)
    if status != 403:
        wrong.append(f"a form without its cookie: {status}")
    status, headers, _body = ask(site, "/staff/", authority)
    if status != 303 or "/staff/sign-in" not in headers.get("location", ""):
        wrong.append(f"staff pages without sign-in: {status} {headers.get('location')}")
    status, _headers, _body = ask(site, "/", authority, b"code=" + b"x" * 400_000)
    if status != 413:
        wrong.append(f"400 kB typed as a code: {status}")
    wrong += check_next_stranger(site, authority)
    status, headers, _body = ask(plain, "/staff/", None)
    if status != 301 or not headers.get("location", "").startswith("https://"):
        wrong.append(f"without TLS: {status} {headers.get('location')}")
    return wrong


def check_next_stranger(site: str, authority: str) -> list[str]:
    """Check that the request after one that is too large is answered by the application.

    nginx keeps connections to the application for the next visitor, without what is left of a refused body.
    """
    for size in (70_000, 300_000, 400_000):
        for path, refused in (("/", (413, 400)), (f"/f/{REF}", (403, 400, 413)), ("/nowhere", (404, 400, 413))):
            for _round in range(4):
                status, _headers, _body = ask(site, path, authority, b"code=" + b"x" * size)
                if status not in refused:
                    return [f"{size} bytes for {path}: {status}"]
                status, _headers, body = ask(site, "/", authority, b"code=ACDE3479")
                # Without a cookie the post is refused, by the application's own page.
                if status != 400:
                    return [f"the next visitor after {size} bytes for {path}: {status} {body[:80]!r}"]
    return []


def check_away(site: str, authority: str) -> list[str]:
    """Check that nginx answers in both languages while the application is stopped."""
    status, _headers, body = ask(site, "/", authority)
    text = body.decode()
    return (
        []
        if status == 503
        and "稍后" in text
        and "minute" in text
        and "may not be saved" in text
        and "可能没有保存" in text
        else [f"without the application: {status} {text[:200]}"]
    )


def main(arguments: list[str]) -> int:
    """Print the problems; return exit status 0 if there are none, else 1."""
    site, plain, authority = arguments
    wrong = check_away(site, authority) if plain == "away" else check(site, plain, authority)
    sys.stdout.writelines(f"{sentence}\n" for sentence in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
