#!/usr/bin/env bash
# Looks for each message that a page explains in the sources that say it: a table row's first cell is `words … more words`, and each part
# between two … must be in a string of the sources, whichever way it is broken into lines.
#
#   messages_test.sh TREE PAGE...
set -euo pipefail
tree=$1
shift
said=$(find "$tree"/{transport,discovery,runtime,tools} -name '*.cpp' -exec cat {} + | tr '\n' ' ' | sed 's/"  *"//g; s/\\"/"/g')
seen=0
failures=0
for page; do
  while IFS= read -r row; do
    message=$(sed -n 's/^| `\([^`]*\)` |.*/\1/p' <<<"$row")
    [[ $message == *[a-z]\ [a-z]* && $message != PP_* ]] || continue
    seen=$((seen + 1))
    while IFS= read -r part; do
      part=$(sed 's/^[ :;,]*//; s/ *$//' <<<"$part")
      [[ -z $part || $said == *"$part"* ]] || {
        echo "$(basename "$page"): nothing says '$part' (of: $message)"
        failures=$((failures + 1))
      }
    done < <(sed 's/…/\n/g' <<<"$message")
  done < <(grep '^| `' "$page")
done
echo "$seen messages explained, $failures parts that nothing says"
((failures == 0 && seen > 0))
