"""Exit status 0 if the address answers 200. Usage: python deploy/answers.py http://127.0.0.1:8000/health [CA file]"""

from __future__ import annotations

import ssl
import sys
import urllib.error
import urllib.request


def main(arguments: list[str]) -> int:
    """0 or 1; an address that is no http(s) address is refused with 2."""
    if not arguments or not arguments[0].startswith(("http://", "https://")):
        return 2
    context = ssl.create_default_context(cafile=arguments[1]) if len(arguments) > 1 else None
    # Only this machine is asked, so a proxy of the environment must not be.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(arguments[0], timeout=5) as response:
            return 0 if response.status == 200 else 1
    except (OSError, urllib.error.URLError):
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
