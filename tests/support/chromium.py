"""Find Chromium and start it without network services of its own."""

from __future__ import annotations

import shutil

# Without these, Chromium contacts its maker's hosts for updates at every start.
FLAGS = (
    "--no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-default-apps --no-proxy-server"
).split()
# The first has no desktop interface and starts faster.
PROGRAMS = ("chromium-headless-shell", "chromium")


def find_chromium() -> str | None:
    """Return the path of Chromium, or None if it is not installed."""
    return next((path for path in map(shutil.which, PROGRAMS) if path), None)
