#!/usr/bin/env bash
# Measures what being watched costs: the same maps with everything on and with everything off, in turns.
#
#   bench/watched.sh [BUILD_FOLDER] [PAIRS] [SECONDS] [STEPS]      default: build/release 7 3 1000
#
# On: the door for watchers with a pp-top that asks it every second, a trace, and a line of progress every second. Two nodes of one
# worker. Prints each pair, then the median of the ratios. Run it on an otherwise quiet machine.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release} pairs=${2:-7} seconds=${3:-3} steps=${4:-1000}
work=$(mktemp -d)
export XDG_RUNTIME_DIR=$work   # this pp-top is to find this run, and no other
trap 'rm -rf "$work"' EXIT

run() { "$build/tools/pp-launch" -n 2 --workers 1 --quiet "$@" -- "$build/bench/watched" "$seconds" "$steps"; }
off() { run --no-progress 2>/dev/null; }
on() {
  local watcher
  run --http --trace "$work/run.json" --progress=1 2>/dev/null >"$work/rate" &
  local launch=$!
  (
    looks=0
    while kill -0 $launch 2>/dev/null; do
      "$build/tools/pp-top" --once >/dev/null 2>&1 && looks=$((looks + 1))
      sleep 1
    done
    echo $looks >"$work/looks"
  ) &
  watcher=$!
  wait $launch
  wait $watcher
  cat "$work/rate"
}

for ((i = 0; i < pairs; ++i)); do
  if ((i % 2)); then
    watched=$(on) alone=$(off)
  else
    alone=$(off) watched=$(on)
  fi
  [[ $(cat "$work/looks") -gt 0 && -s $work/run.json ]] || { echo "nobody has watched: pp-top saw nothing"; exit 1; }
  awk -v on="$watched" -v off="$alone" 'BEGIN { printf "%.0f %.0f %.4f\n", off, on, on / off }'
done | tee "$work/pairs" | awk '{ printf "off %d/s, on %d/s: %.2f %% less\n", $1, $2, 100 * (1 - $3) }'
awk '{ print $3 }' "$work/pairs" | sort -n | awk '{ r[NR] = $1 } END {
  median = NR % 2 ? r[(NR + 1) / 2] : (r[NR / 2] + r[NR / 2 + 1]) / 2
  printf "median of %d pairs: %.2f %% of the rate (from %.2f to %.2f)\n", NR, 100 * (1 - median), 100 * (1 - r[NR]), 100 * (1 - r[1]) }'
