#!/bin/sh
# Starts the demonstration: tables, example study, web server and worker. Stops both on Ctrl-C, or when one of them ends.
set -eu
cd "$(dirname "$0")/.."
PORT=${PORT:-8000}
PRO_BASE_URL=${PRO_BASE_URL:-http://127.0.0.1:$PORT}
export PRO_BASE_URL
python=.venv/bin/python
flask=.venv/bin/flask
web=
worker=

if ! $python -c 'import socket, sys; socket.create_server(("127.0.0.1", int(sys.argv[1]))).close()' "$PORT" 2>/dev/null; then
    echo "Port $PORT is taken by another program. Choose another: make run PORT=$((PORT + 1))" >&2
    exit 1
fi

stop() {
    trap '' INT TERM
    # INT stops gunicorn at once. TERM would wait for browsers with open connections.
    [ -z "$web" ] || kill -INT "$web" 2>/dev/null || true
    [ -z "$worker" ] || kill -TERM "$worker" 2>/dev/null || true
    for pid in $web $worker; do wait "$pid" 2>/dev/null || true; done
}
trap 'stop; echo; echo "Stopped. The data stays in var/; make run goes on with it."; exit 0' INT TERM HUP

$flask db upgrade
$flask demo fill

.venv/bin/gunicorn --config deploy/gunicorn.conf.py --workers 1 --bind "127.0.0.1:$PORT" "app:create_app()" &
web=$!
$flask worker --forever &
worker=$!
alive() { kill -0 "$web" 2>/dev/null && kill -0 "$worker" 2>/dev/null; }

tries=0
# Start even if the weekly test alert is unconfirmed or missing: the to-do list shows that in red.
until $python deploy/answers.py "$PRO_BASE_URL/health" test_alert; do
    tries=$((tries + 1))
    if [ $tries -gt 60 ] || ! alive; then
        echo "The demonstration did not start; what went wrong stands above." >&2
        stop
        exit 1
    fi
    sleep 0.5
done

$flask demo links
echo "E-mails and text messages are not sent but kept as files in ${PRO_VAR_DIR:-var}/mail. Ctrl-C stops everything."

while alive; do sleep 1; done
echo "The web server or the worker ended by itself; what went wrong stands above. Both are stopped now." >&2
stop
exit 1
