#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A registry that passes on and keeps what another one has: Debian's docker-registry, and one that lies; the
# tests are in proxy.py.
exec python3 "$(dirname "$0")/proxy.py" "$@"
