#!/bin/bash
# twisted.web and nothing else: answers a constant on 7181, and without reading forms on 7182; PYTHON names another Python
. "$(dirname "$0")/../common.sh"
exec "${PYTHON:-$HERE/../../../.venv/bin/python}" "$HERE/constant.py" "${1:-7181}" "${2:-7182}"
