#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Images over the network, by docker's client and docker-registry; the tests are in transfer.py.
exec python3 -B "$(dirname "$0")/transfer.py" "$@"
