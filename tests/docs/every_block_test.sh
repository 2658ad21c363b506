#!/usr/bin/env bash
# Counts the C++ blocks of the pages by itself and looks for each in the sources that are compiled, line for line.
#
#   every_block_test.sh BLOCKS_DIR TREE PAGE...
set -euo pipefail
blocks=$1
tree=$2
shift 2
lost=0
seen=0
for page; do
  shown=${page#"$tree"/}
  # Whatever a reader's eye or a renderer takes for C++, however it is written.
  while IFS=: read -r opened _; do
    [[ -n $opened ]] || continue
    first=$((opened + 1))
    seen=$((seen + 1))
    text=$(sed -n "$first,\$p" "$page" | sed '/^[[:space:]]*```/,$d')
    source=$(grep -lxF "#line $first \"$shown\"" "$blocks"/*.cpp || true)
    if [[ $(wc -w <<<"$source") != 1 ]]; then
      echo "$shown:$opened: in ${source:-no source}"
      lost=$((lost + 1))
    elif [[ $(grep -xF -A "$(wc -l <<<"$text")" "#line $first \"$shown\"" "$source" | sed 1d) != "$text" ]]; then
      echo "$shown:$opened: $source has another text"
      lost=$((lost + 1))
    fi
  done < <(grep -niE '^[[:space:]]*(```|~~~)[[:space:]]*\{?\.?(cpp|c\+\+|cc|cxx|hpp|h)\b' "$page" || true)
done
((seen > 0)) || { echo "no C++ block was found in: $*"; exit 1; }
echo "$seen C++ blocks, $lost of them not compiled as they stand"
((lost == 0))
