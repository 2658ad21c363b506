#!/usr/bin/env bash
# Measures what an idle cluster costs: CPU time and sleeps of 4 nodes that wait, over 10 seconds.
#
#   bench/idle.sh [BUILD_FOLDER] [NODES] [SECONDS]      default: build/release 4 10
#
# Fails when all nodes together use 1 % of a core or more. Run it on an otherwise quiet machine.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release} nodes=${2:-4} seconds=${3:-10}

exec {input}<> <(:)   # an input that stays open and never says anything
log=$(mktemp)
"$build/tools/pp-launch" -n "$nodes" --workers 1 -- "$build/tests/cluster/spread_app" hold <&"$input" >"$log" 2>&1 &
launch=$!
trap 'kill -TERM $launch 2>/dev/null || true; wait $launch 2>/dev/null || true; rm -f "$log"' EXIT
until grep -q "nodes are there" "$log"; do
  kill -0 $launch || { cat "$log"; exit 1; }
  sleep 0.1
done
mapfile -t pids < <(awk '/^ +[0-9]+ +[0-9]+ /{print $2}' "$log")
[[ ${#pids[@]} -eq $nodes ]] || { cat "$log"; exit 1; }

used() {   # clock ticks and sleeps of all nodes so far
  local ticks=0 sleeps=0 pid
  for pid in "${pids[@]}"; do
    ticks=$((ticks + $(sed 's/.*) //' "/proc/$pid/stat" | awk '{print $12 + $13}')))
    sleeps=$((sleeps + $(cat /proc/"$pid"/task/*/status | awk '/^voluntary_ctxt/{s += $2} END {print s}')))
  done
  echo "$ticks $sleeps"
}
sleep 2   # what meeting each other has set going comes to rest
read -r ticks_before sleeps_before < <(used)
sleep "$seconds"
read -r ticks sleeps < <(used)
awk -v ticks=$((ticks - ticks_before)) -v sleeps=$((sleeps - sleeps_before)) -v seconds="$seconds" -v nodes="$nodes" \
  -v hertz="$(getconf CLK_TCK)" 'BEGIN {
    percent = 100 * ticks / hertz / seconds
    printf "%d idle nodes over %d s: %.2f %% of a core in all, %.1f sleeps per second and node\n",
           nodes, seconds, percent, sleeps / seconds / nodes
    exit percent < 1 ? 0 : 1
  }'
