#!/usr/bin/env bash
# Sets up, builds and passes the tests; ctest has the last word.
#
#   ./test.sh [--all] [--no-setup]    --all: also ASan+UBSan, ThreadSanitizer, g++ and clang with warnings as errors,
#                                     and the tests that take minutes (a fresh Debian, pp as a subdirectory)
#                                     --no-setup: everything that setup.sh would install is here already
set -euo pipefail
cd "$(dirname "$0")"

all=
setup=1
for argument in "$@"; do
  case "$argument" in
    --all) all=--all ;;
    --no-setup) setup= ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done
[[ -z $setup ]] || ./setup.sh $all

# One round of the house: each preset builds in a directory of its own, so a repetition costs only what changed.
build() { cmake --preset "$1" && cmake --build --preset "$1"; }
check() { build "$1" && ctest --preset "$1" --parallel "$(nproc)"; }

if [[ -n $all ]]; then
  build dev
  build clang
  check asan
  check tsan
fi
check release
[[ -z $all ]] || ctest --preset slow
