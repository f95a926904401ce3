#!/bin/bash
# The compiled radiod of make compiled, where it finds itself before the source; otherwise as start.sh
. "$(dirname "$0")/../common.sh"
cd "$HERE/../../../build/compiled"
exec ../../.venv-compiled/bin/twistd --nodaemon --pidfile= --logfile="$PEER_RUN/radiod.log" radiod --config "$HERE/radiod.toml"
