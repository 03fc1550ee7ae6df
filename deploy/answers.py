"""Check that an address answers 200, or 503 with the named trouble only.

Usage: python deploy/answers.py http://127.0.0.1:8000/health [CA file ending in .pem] [trouble]
"""

from __future__ import annotations

import json
import ssl
import sys
import urllib.error
import urllib.request


def main(arguments: list[str]) -> int:
    """Return exit status 0 if the answer is acceptable, 1 if not, 2 if the address is invalid."""
    if not arguments or not arguments[0].startswith(("http://", "https://")):
        return 2
    certificate = next((word for word in arguments[1:] if word.endswith(".pem")), None)
    tolerated = {word for word in arguments[1:] if word != certificate}
    context = ssl.create_default_context(cafile=certificate) if certificate else None
    # Ignore proxies of the environment: the address is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(arguments[0], timeout=5) as response:
            return 0 if response.status == 200 else 1
    except urllib.error.HTTPError as answer:
        return 0 if answer.code == 503 and _troubles(answer.read()) <= tolerated else 1
    except (OSError, urllib.error.URLError):
        return 1


def _troubles(body: bytes) -> set[str]:
    """Return the troubles in an answer of /health; an unreadable answer is a trouble too."""
    try:
        return set(json.loads(body)["troubles"])
    except (ValueError, KeyError, TypeError):
        return {"unreadable"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
