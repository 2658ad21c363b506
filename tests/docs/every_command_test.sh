#!/usr/bin/env bash
# Runs the commands of a page of docs/: every ```sh block, in order, in one empty folder; each must end with 0. What they leave
# running is ended after the page. Blocks marked ```sh hosts need more hosts, root or a service, and are only counted.
#
#   every_command_test.sh PAGE TOOLS NAME=PROGRAM...     TOOLS: the folder of pp-launch; the folder holds each PROGRAM as NAME
set -euo pipefail
page=$(realpath "$1")
tools=$(realpath "$2")
shift 2
work=$(mktemp -d)
for each; do ln -s "$(realpath "${each#*=}")" "$work/${each%%=*}"; done
cd "$work"
export PATH=$tools:$PATH PP_WORKERS=1

run=0
left=0
failures=0
number=0
block=
kind=
started=()
while IFS= read -r line; do
  number=$((number + 1))
  if [[ -z $kind && $line =~ ^\`\`\`sh(\ hosts)?$ ]]; then
    kind=${BASH_REMATCH[1]:-run}
    block=
    opened=$number
  elif [[ -n $kind && $line == \`\`\` ]]; then
    if [[ $kind == run ]]; then
      run=$((run + 1))
      # A session of its own: all that it starts can be found again.
      setsid bash -euo pipefail -c "$block" >"$work/said" 2>&1 </dev/null &
      started+=($!)
      code=0
      wait $! || code=$?
      if ((code != 0)); then
        echo "$(basename "$page"):$opened: exit code $code of:"
        printf '%s' "$block" | sed 's/^/    /'
        sed 's/^/  | /' "$work/said"
        failures=$((failures + 1))
      fi
    else
      left=$((left + 1))
    fi
    kind=
  elif [[ -n $kind ]]; then
    block+=$line$'\n'
  fi
done <"$page"

# What a block has left in the background is of the session that the block began.
for session in "${started[@]}"; do pkill -TERM --session "$session" || true; done
for session in "${started[@]}"; do
  for _ in {1..50}; do pgrep --session "$session" >/dev/null && read -rt 0.1 <> <(:) || break; done
  pkill -KILL --session "$session" || true
done
rm -rf "$work"
echo "$(basename "$page"): $run blocks of commands run, $failures failed; $left need more hosts"
((failures == 0))
