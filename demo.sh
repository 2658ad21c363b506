#!/usr/bin/env bash
# Sets up, builds, and runs the main example on two nodes of this machine: one submits, the other steals.
#
#   ./demo.sh [--no-setup]    --no-setup: everything that setup.sh would install is here already
set -euo pipefail
cd "$(dirname "$0")"

case "${1:-}" in
  "") ./setup.sh ;;
  --no-setup) ;;
  *) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

cmake --preset release
cmake --build --preset release --target sum_primes pp-launch
launch=build/release/tools/pp-launch
program=build/release/apps/sum_primes
echo "+ $launch -n 2 -- $program"
"$launch" -n 2 -- "$program"
echo "OK: two nodes computed the sums together"
