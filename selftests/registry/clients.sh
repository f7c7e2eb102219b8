#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Clients and a server that others have written, against ours; the tests are in clients.py.
exec python3 "$(dirname "$0")/clients.py" "$@"
