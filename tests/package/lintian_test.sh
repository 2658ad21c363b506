#!/usr/bin/env bash
# Runs lintian over the packages: errors and warnings fail; what is meant is overridden, with its reason, in cmake/debian.
#
#   lintian_test.sh DEBS
set -euo pipefail
command -v lintian >/dev/null || { echo "skipped: lintian is not installed (./setup.sh --all installs it)"; exit 77; }
root=()
((EUID != 0)) || root=(--allow-root)
lintian "${root[@]}" --no-cfg --fail-on error,warning --tag-display-limit 0 --info "$1"/*.deb
