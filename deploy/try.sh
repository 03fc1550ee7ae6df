#!/bin/sh
# Runs the production example on loopback ports, in a temporary folder: nginx with TLS (nginx.conf), gunicorn with its
# settings, the worker. Requests pages through nginx, then stops everything.
# Needs nginx and openssl. Sends nothing to other machines.
set -eu
cd "$(dirname "$0")/.."
bin=$PWD/.venv/bin
[ -x "$bin/python" ] || bin=$(dirname "$(command -v python3)")
nginx=$(command -v nginx || echo /usr/sbin/nginx)
for tool in "$nginx" openssl; do
    command -v "$tool" >/dev/null 2>&1 || { echo "This needs $tool. On Debian: apt-get install nginx-light openssl" >&2; exit 2; }
done

folder=$(mktemp -d)
pids=
stop() {
    trap '' INT TERM HUP
    for pid in $pids; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in $pids; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$folder"
}
trap 'stop' EXIT
trap 'exit 1' INT TERM HUP
fail() { echo "$1" >&2; tail -n 20 "$folder"/log/* >&2 2>/dev/null || true; exit 1; }

ports=$("$bin/python" -c 'import socket
open_ones = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(s.getsockname()[1] for s in open_ones))')
# shellcheck disable=SC2086  three numbers
set -- $ports
web=$1 plain=$2 tls=$3
site=https://127.0.0.1:$tls
mkdir "$folder/log" "$folder/plans"

# Settings as in /etc/epro/env and PRO_PLANS_DIR. The phone number is a valid example and is never dialled.
secret() { openssl rand -hex 24; }
sed -e 's/^  demonstration: true/  demonstration: false/' -e 's/^  hotline: .*/  hotline: "+8679186543210"/' \
    -e 's/^  hotline_shown: .*/  hotline_shown: 0791-8654 3210/' -e 's/^  sender: .*/  sender: {zh_Hans: 试用医院, en: Trial run}/' \
    pro/data/plans/npc_reirradiation.yaml >"$folder/plans/npc_reirradiation.yaml"
PRO_SECRET_KEY=$(secret)
PRO_LOOKUP_KEY=$(secret)
PRO_DATA_KEYS=$(openssl rand -base64 32 | tr '+/' '-_')
export PRO_SECRET_KEY PRO_LOOKUP_KEY PRO_DATA_KEYS
export PRO_MODE=production PRO_BASE_URL="$site" PRO_PROXY_HOPS=1 PRO_SMS=none PRO_EMAIL=smtp PRO_SMTP_HOST=127.0.0.1
export PRO_EMAIL_FROM='ePRO <epro@try.local>' PRO_SMTP_STARTTLS=no PRO_DATABASE_URL="sqlite:///$folder/pro.sqlite3" PRO_VAR_DIR="$folder" PRO_PLANS_DIR="$folder/plans"

echo "Tables, and licensed wording as a site loads it"
"$bin/flask" db upgrade
for language in zh_Hans en; do
    "$bin/flask" wording template qlq_c30 $language | "$bin/python" deploy/try_wording.py >"$folder/words.csv"
    "$bin/flask" wording load qlq_c30 $language "$folder/words.csv"
done

echo "gunicorn, worker, nginx"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1 \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$folder/privkey.pem" -out "$folder/fullchain.pem" 2>/dev/null
sed -e '/listen \[::\]/d' -e "s/listen 80;/listen 127.0.0.1:$plain;/" -e "s/listen 443 ssl/listen 127.0.0.1:$tls ssl/" \
    -e "s/127.0.0.1:8000/127.0.0.1:$web/" -e "s|/etc/ssl/epro|$folder|" -e "s|/var/log/nginx|$folder/log|" \
    deploy/nginx.conf >"$folder/epro.conf"
{
    [ "$(id -u)" -ne 0 ] || echo "user root;"
    echo "pid $folder/nginx.pid; daemon off; error_log $folder/log/nginx.log crit; events {}"
    echo "http { include $folder/epro.conf;"
    for kind in client_body proxy fastcgi uwsgi scgi; do echo "${kind}_temp_path $folder/$kind;"; done
    echo "}"
} >"$folder/nginx.conf"
"$bin/gunicorn" --config deploy/gunicorn.conf.py --bind "127.0.0.1:$web" 'app:create_app()' >"$folder/log/web.log" 2>&1 &
gunicorn=$!
pids=$gunicorn
"$bin/flask" worker --forever >"$folder/log/worker.log" 2>&1 &
pids="$pids $!"
"$nginx" -p "$folder" -c "$folder/nginx.conf" >"$folder/log/start.log" 2>&1 &
pids="$pids $!"

tries=0
until "$bin/python" deploy/answers.py "$site/health" "$folder/fullchain.pem"; do
    tries=$((tries + 1))
    [ $tries -lt 60 ] || fail "/health did not become 200 in half a minute."
    for pid in $pids; do kill -0 "$pid" 2>/dev/null || fail "One of the three programs ended by itself."; done
    sleep 0.5
done
echo "healthy over TLS"

"$bin/python" deploy/try_pages.py "$site" "http://127.0.0.1:$plain" "$folder/fullchain.pem" || fail "A page is not as it should be."
if grep -r -e an-unknown-token -e an-unknown-form "$folder/log"; then fail "A log holds a token."; fi
grep -q 'GET /a/- 404' "$folder/log/epro-access.log" || fail "The access log does not hold the request without its token."

kill -TERM "$gunicorn"
wait "$gunicorn" 2>/dev/null || true
"$bin/python" deploy/try_pages.py "$site" away "$folder/fullchain.pem" || fail "While the application is away, nginx does not say so."
echo "It works."
