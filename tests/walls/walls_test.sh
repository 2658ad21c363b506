#!/usr/bin/env bash
# Breaks each wall once, in a small tree of its own, and expects walls.sh to name the file: a wall that cannot fall proves nothing.
#
#   walls_test.sh WALLS_SCRIPT
set -euo pipefail
walls=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

# A tree in which every wall stands.
sound() {
  rm -rf "${tree:?}"/*
  mkdir -p "$tree"/{transport,discovery,runtime}/include/pp "$tree"/tests/transport
  echo '// Says something.' | tee "$tree"/{transport/include/pp/low,runtime/include/pp/high,discovery/private}.hpp >/dev/null
  printf '// Says something.\n#include <pp/low.hpp>\n#include <vector>\n' >"$tree/runtime/use.cpp"
  printf '// Says something.\n#include "private.hpp"\n' >"$tree/discovery/use.cpp"
}

# expect FILE LINE: FILE with this line must be named as a breach.
expect() {
  sound
  mkdir -p "$tree/$(dirname "$1")"
  printf '// Says something.\n%s\n' "$2" >"$tree/$1"
  local said
  if said=$(bash "$walls" "$tree"); then
    echo "not noticed: $1: $2"
    failures=$((failures + 1))
  elif ! grep -q "^$1:2:" <<<"$said"; then
    echo "noticed, but not named: $1: $2: $said"
    failures=$((failures + 1))
  fi
}

sound
bash "$walls" "$tree" || { echo "a sound tree is refused"; exit 1; }

expect runtime/a.cpp '#include "../transport/include/pp/low.hpp"'
expect runtime/a.cpp '#include <pp/../pp/low.hpp>'
expect transport/a.cpp '#include <pp/high.hpp>'
expect discovery/a.hpp '  #  include "pp/high.hpp"'
expect runtime/a.cpp '#include "private.hpp"'
expect runtime/a.cpp '#include <pp/missing.hpp>'
expect apps/a.cpp '#include "private.hpp"'
expect tests/transport/a.cpp '#include "nowhere.hpp"'
expect transport/include/pp/a.hpp '#include <sodium.h>'
expect runtime/include/pp/a.hpp '#include <oneapi/tbb/task_arena.h>'
expect runtime/include/pp/a.hpp '#include <cereal/cereal.hpp>'
expect runtime/include/pp/a.hpp '#include <sys/socket.h>'
expect discovery/include/pp/a.hpp '#include "private.hpp"'
expect runtime/include/pp/a.hpp 'namespace pp {}'
expect transport/a.cpp '#include <rdma/fabric.h>'
expect runtime/a.cpp '#include <rdma/fabric.h>'
expect runtime/queue.cpp '#include <tbb/task_arena.h>'
expect runtime/a.cpp '#include <sodium.h>'
expect transport/a.cpp '#include <sodium/core.h>'
expect transport/a.cpp '#include <spdlog/spdlog.h>'
expect discovery/a.cpp '#include <fmt/format.h>'
expect runtime/queue.cpp '#include <spdlog/spdlog.h>'
expect runtime/a.cpp '#include <capnp/message.h>'
expect discovery/a.cpp '#include <kj/exception.h>'
expect runtime/a.cpp '#include <CLI/CLI.hpp>'
expect runtime/a.cpp '#include <netinet/in.h>'

for first in '#pragma once' '' 'int x;' '//' '#include <vector>'; do
  sound
  printf '%s\n// Says something, too late.\n' "$first" >"$tree/runtime/a.hpp"
  if bash "$walls" "$tree" >/dev/null; then
    echo "not noticed as a first line: '$first'"
    failures=$((failures + 1))
  fi
done

sound
echo 'Read `<pp/low.hpp>`, then `<pp/lost.hpp>`.' >"$tree/runtime/README.md"
said=$(bash "$walls" "$tree") && { echo "not noticed: a README that names a lost door"; failures=$((failures + 1)); }
[[ $said == *lost.hpp* && $said != *low.hpp* ]] || { echo "not named: the lost door: $said"; failures=$((failures + 1)); }

sound
printf '// Says something.\nread("PP_READ"); read("PP_BOTH");\n' >"$tree/runtime/options.cpp"
mkdir -p "$tree/tools"
printf '// Says something.\n->envname("PP_TOOL"); "PP_OTHER"; ->envname("PP_ASKED")\n' >"$tree/tools/a.cpp"
printf '# pp\n| `PP_BOTH` | x |\n| `PP_LISTED` | x |\n| `PP_ASKED` | x |\n' >"$tree/README.md"
said=$(bash "$walls" "$tree") && { echo "not noticed: a wrong table of variables"; failures=$((failures + 1)); }
[[ $said == *"PP_READ is read"* && $said == *"PP_LISTED is listed"* && $said == *"PP_TOOL is read"* &&
  $said != *PP_BOTH* && $said != *PP_ASKED* && $said != *PP_OTHER* ]] ||
  { echo "not named: the variables: $said"; failures=$((failures + 1)); }

((failures == 0)) || exit 1
echo "every planted breach was noticed"
