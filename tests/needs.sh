#!/bin/sh
# What tests need beside Python: Chromium, Chinese fonts, Pango (for cards), PostgreSQL. Installs what is missing through apt when it may;
# otherwise prints what to install and stops. nginx is wanted too, but only .ci/run insists on it.
set -eu

has_chromium() { command -v chromium-headless-shell >/dev/null 2>&1 || command -v chromium >/dev/null 2>&1; }
has_fonts() { command -v fc-list >/dev/null 2>&1 && [ -n "$(fc-list :lang=zh-cn family)" ]; }
has_pango() { ldconfig -p 2>/dev/null | grep -q libpangoft2-1.0.so.0 || ls /usr/lib/*/libpangoft2-1.0.so.0 >/dev/null 2>&1; }
has_postgresql() { command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
has_nginx() { [ -x /usr/sbin/nginx ] || command -v nginx >/dev/null 2>&1; }
has_openssl() { command -v openssl >/dev/null 2>&1; }

# Debian has a Chromium without a desktop interface, which needs less memory and time; Ubuntu does not.
name_of_chromium() { apt-cache show chromium-headless-shell >/dev/null 2>&1 && echo chromium-headless-shell || echo chromium; }

look() {
    missing=
    has_chromium || missing="$missing $(name_of_chromium)"
    has_fonts || missing="$missing fonts-noto-cjk fontconfig"
    has_pango || missing="$missing libpango-1.0-0 libpangoft2-1.0-0"
    has_postgresql || missing="$missing postgresql"
    wanted=
    has_nginx || wanted="$wanted nginx-light"
    has_openssl || wanted="$wanted openssl"
    if [ "${CI:-}" = true ]; then
        if ! command -v chromium-headless-shell >/dev/null 2>&1 && [ "$(name_of_chromium)" != chromium ]; then
            missing="$missing chromium-headless-shell"
        fi
        missing="$missing$wanted"
        wanted=
    fi
}

look
[ -n "$missing$wanted" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    as_root="sudo -n"
    sudo -n true 2>/dev/null || as_root=no
fi
if command -v apt-get >/dev/null 2>&1 && [ "$as_root" != no ]; then
    $as_root apt-get -q update </dev/null
    look
    echo "Installing$missing$wanted"
    # RUNLEVEL=1: the packages' own services are not started; tests start their own, in folders of their own.
    # shellcheck disable=SC2086  # a list of names
    $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get -q install -y --no-install-recommends $missing $wanted </dev/null
    look
fi
if [ -n "$missing" ]; then
    echo "Tests need these, and they could not be installed from here:$missing" >&2
    echo "On Debian or Ubuntu, as root:  apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
if [ -n "$wanted" ]; then
    echo "The test of deploy/ is skipped without:$wanted"
fi
