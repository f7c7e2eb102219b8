#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Logging in to the registry, its token service and its policy, by hand and with skopeo; the tests are in
# auth.py.
exec python3 "$(dirname "$0")/auth.py" "$@"
