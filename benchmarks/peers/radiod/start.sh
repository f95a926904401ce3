#!/bin/bash
# radiod: WAMP on ws://127.0.0.1:7171/ws, HTTP publish on the same port; RADIOD names another twistd
. "$(dirname "$0")/../common.sh"
cd "$HERE/../../.."
exec "${RADIOD:-.venv/bin/twistd}" --nodaemon --pidfile= --logfile="$PEER_RUN/radiod.log" radiod --config "$HERE/radiod.toml"
