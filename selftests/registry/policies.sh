#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What a registry does by rules of its configuration: retention and quotas; the tests are in policies.py.
exec python3 "$(dirname "$0")/policies.py" "$@"
