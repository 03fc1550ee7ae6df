#!/bin/sh
# Makes .venv and installs one list of pinned packages into it, if the list changed.
# Usage: sh deploy/install.sh requirements.txt
# A list is complete: it holds every required package with its hashes. So pip resolves nothing (--no-deps) and builds
# nothing (--only-binary); a resolver could ask for a package newer than the list, and the installation would fail.
# `pip check` tests here that no package is missing, and tests/architecture/test_requirements.py tests it with extras.
set -eu
cd "$(dirname "$0")/.."
list=$1
stamp=.venv/.stamp-$list

# The other lists (development, Alibaba Cloud) contain all of requirements.txt, so their stamp is enough for requirements.txt.
current() { [ -f "$stamp" ] && cmp -s "$list" "$stamp"; }
covered() { [ "$list" = requirements.txt ] && cmp -s requirements.txt .venv/.stamp-covered-requirements.txt; }

find_python() {
    for name in "${PYTHON:-}" python3 python3.11 python3.12 python3.13 python3.14; do
        [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 || continue
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "This needs Python 3.11 or newer, and none was found. Install it, or name it: make run PYTHON=/path/to/python3.11" >&2
    exit 1
}

make_environment() {
    python=$(find_python)
    rm -rf .venv
    echo "Making a virtual environment in .venv"
    if ! "$python" -m venv .venv; then
        rm -rf .venv
        echo "Python could not make a virtual environment. On Debian or Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
}

install_list() {
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
        --no-deps --only-binary :all: --require-hashes -r "$list" || return 1
    .venv/bin/python -m pip check --disable-pip-version-check
}

# Restores the previous environment if a new one cannot be made (for example without network), so that the program still starts.
try_again() {
    echo "Trying again in an empty environment"
    trap 'rm -rf .venv; mv .venv.before .venv' EXIT
    trap 'exit 1' INT TERM HUP
    rm -rf .venv.before
    mv .venv .venv.before
    make_environment
    install_list || fail
    trap - EXIT INT TERM HUP
    rm -rf .venv.before
}

fail() {
    echo "The packages of $list could not be installed; the reason stands above." >&2
    exit 1
}

# Make the environment again if its Python is missing (upgrade, moved folder). After an upgrade another Python may start in
# it and find no packages, so the check imports pip.
fresh=
if ! .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    make_environment
    fresh=yes
elif current || covered; then
    exit 0
fi

echo "Installing $list (only when it changed; a few minutes the first time)"
# Until the installation is complete, no list counts as installed.
rm -f .venv/.stamp-*
if ! install_list; then
    [ -z "$fresh" ] || fail
    # Packages of an older list may conflict with this list; an empty environment has none.
    try_again
fi
cp "$list" "$stamp"
cp requirements.txt .venv/.stamp-covered-requirements.txt
