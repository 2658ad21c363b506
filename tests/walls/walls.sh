#!/usr/bin/env bash
# Reads every source file of a tree and names each line that breaks a wall of the house (design: rooms, doors, vendors).
#
#   walls.sh TREE    exit code 0: all walls stand; 1: each breach is printed as file:line: what is wrong
#
# The compiler enforces most of this by include directories; what lies in /usr/include is visible to everybody, so the
# vendors' walls, and the order of the floors, are held here by text.
set -euo pipefail
cd "$1"

breaches=$(mktemp)
trap 'rm -f "$breaches"' EXIT
# breach WHAT: each line of standard input ("file:line:text") is one breach of the wall called WHAT.
breach() {
  local line
  while IFS= read -r line; do
    echo "$line   <- $1"
  done >>"$breaches"
}

rooms=(transport discovery runtime)
here=()   # the folders that exist: a planted tree of walls_test.sh has few
for folder in "${rooms[@]}" apps bench tools tests; do
  [[ -d $folder ]] && here+=("$folder")
done
mapfile -t sources < <(find "${here[@]}" -name '*.[ch]pp' | sort)
mapfile -t doors < <(printf '%s\n' "${sources[@]}" | grep -E '^[a-z]+/include/pp/[^/]+\.hpp$' || true)
mapfile -t commented < <(
  find "${here[@]}" $([[ -d cmake ]] && echo cmake) $([[ -d .ci ]] && echo .ci) \
    '(' -name '*.[ch]pp' -o -name '*.capnp' -o -name '*.cmake' -o -name '*.in' -o -name '*.sh' -o -name '*.py' \
        -o -name CMakeLists.txt -o -path .ci/run ')' -type f
  find . -maxdepth 1 '(' -name CMakeLists.txt -o -name '*.sh' ')' -type f)

# includes PATTERN [FILE...]: the #include lines that match PATTERN, as file:line:text; in all sources if no file is named.
includes() {
  local pattern=$1
  shift
  (($#)) || set -- "${sources[@]}"
  grep -HnE "^[[:space:]]*#[[:space:]]*include[[:space:]]*$pattern" "$@" || true
}
# outside REGEX: keeps the lines whose file does not match.
outside() { grep -vE "^($1):" || true; }
# but REGEX: keeps the lines that do not match.
but() { grep -vE "$1" || true; }

# 1. Nobody climbs over a wall.
includes '[<"][^>"]*\.\./' | breach 'an include never leaves its folder by ../'

# 2. Doors: through <pp/...> a room sees itself and the floors below it, and every such file exists.
seen=()
for room in "${rooms[@]}"; do
  seen+=("$room")
  while IFS=: read -r file line text; do
    [[ -n $file ]] || continue
    name=${text#*[<\"]}
    name=${name%%[>\"]*}
    found=
    for below in "${seen[@]}"; do
      [[ -e $below/include/$name ]] && found=1
    done
    [[ -n $found ]] || echo "$file:$line:$text" | breach "no door of ${seen[*]}"
  done < <(printf '%s\n' "${sources[@]}" | grep -E "^$room/" | xargs -r grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]pp/' || true)
done

# 3. Private headers: "x.hpp" is a file (or a schema) of the same folder. Tests and benchmarks may also look into what they
#    test and measure.
while IFS=: read -r file line text; do
  [[ -n $file ]] || continue
  name=${text#*[<\"]}
  name=${name%%[>\"]*}
  if [[ $name == pp/* ]]; then
    echo "$file:$line:$text" | breach 'a door is included as <pp/...>'
    continue
  fi
  folder=${file%%/*}
  places=("${file%/*}" "$folder")
  [[ $folder != tools ]] || places+=(tools/*)
  [[ $folder != tests && $folder != bench ]] || places+=("${rooms[@]}" tools tools/* apps apps/* bench/* tests/*)
  found=
  for place in "${places[@]}"; do
    [[ -e $place/$name || ( $name == *.capnp.h && -e $place/${name%.h} ) ]] && found=1
  done
  [[ -n $found ]] || echo "$file:$line:$text" | breach "no private header of $folder has this name"
done < <(includes '"[^"]*"')

# 4. Doors name no vendor and no private header: only <pp/...> and the standard library, whose names have no slash and no
#    dot. The codec's serialization headers are the one exception.
if ((${#doors[@]})); then
  includes '"' "${doors[@]}" | breach 'a door includes no private header'
  includes '<[^>]*[/.]' "${doors[@]}" | but 'include[[:space:]]*<pp/' |
    but '^runtime/include/pp/(archive|codec|travels|wire)\.hpp:.*<(cereal|boost)/' | breach 'a door names no vendor'
fi

# ... and what a door declares is visible in the shared library: everything else is hidden there.
if ((${#doors[@]})); then
  for door in "${doors[@]}"; do
    declared=$(grep -nE -m 1 '^(namespace|class|struct|template)' "$door") || continue   # it only includes others
    [[ $(grep -E '^#pragma GCC visibility ' "$door") == $'#pragma GCC visibility push(default)\n#pragma GCC visibility pop' ]] ||
      echo "$door:$declared"
  done | breach "a door's declarations stand between #pragma GCC visibility push(default) and pop"
fi

# 5. Each vendor stays behind its files.
measure='(tests|bench)/.*'
includes '<rdma/' | outside "transport/(fabric|fabric_[a-z]+|registration|libfabric)\.[ch]pp|$measure" |
  breach 'libfabric lives in transport/fabric*, registration and libfabric'
includes '<(oneapi/)?tbb[/.]' | outside "runtime/executor\.cpp|$measure" |
  breach 'oneTBB lives in runtime/executor.cpp'
includes '<sodium' |
  outside "transport/(cluster_key|channel|handshake|seal[a-z_]*|secret|transcript|node_id)\.cpp|runtime/(function_table|job_log_format|content_hash|result_name)\.cpp|$measure" |
  breach 'libsodium lives where keys, seals, checksums and identities are made'
includes '["<]((capnp|kj)/|[a-z_]+\.capnp\.h)' | outside "transport/hello\.cpp|discovery/(beacon|gossip)\.cpp|runtime/(messages|http_door)\.cpp|tools/daemon/daemon_messages\.cpp|$measure" |
  breach "Cap'n Proto lives where a room's messages are read and written, KJ's HTTP in runtime/http_door.cpp"
includes '<(spdlog|fmt)/' | outside 'runtime/log\.cpp|tools/.*|apps/.*|bench/.*' |
  breach 'the rooms report to a handler; only runtime/log.cpp and the programs print'
includes '<toml\+\+/' | outside 'tools/daemon/daemon_config\.cpp' | breach "toml++ lives where the node daemon's file is read"
includes '<CLI/' | outside 'tools/.*|apps/.*|tests/cluster/pp_chaos\.cpp|bench/suite/pp_bench\.cpp|bench/steal_sim\.cpp' | breach 'command lines belong to the programs'
includes '<(sys/socket|netinet/[a-z]*|netdb|ifaddrs)\.h>' | outside "transport/.*|discovery/.*|tools/.*|$measure" |
  breach 'sockets belong to transport and discovery'

# 6. The first line of a file says what the file is for.
awk '
  FNR == 1 { wanted = /^#!/ ? 2 : 1 }
  FNR == wanted {
    sign = FILENAME ~ /\.[ch]pp$/ ? "//" : "#"
    said = substr($0, length(sign) + 1)
    if (index($0, sign) != 1 || said !~ /^ ?[^ #\/!]/) print FILENAME ":" FNR ":" $0
  }
  { last[FILENAME] = FNR }
  END { for (i = 1; i < ARGC; i++) if (!(ARGV[i] in last)) print ARGV[i] ":1: (empty)" }
' "${commented[@]}" | breach 'the first line says what the file is for'

# 7. What a README promises to be behind a door is there.
while IFS=: read -r file line name; do
  [[ -n $file ]] || continue
  compgen -G "*/include/${name:1:-1}" >/dev/null || echo "$file:$line:$name" | breach 'the README names a door that is not there'
done < <(find . -maxdepth 2 -name README.md -print0 | xargs -0r grep -HnoE '<pp/[^>]*>' || true)

# 8. The README's table of variables is the list of those that are read, by nodes or as an option of a tool.
if [[ -e README.md && -e runtime/options.cpp ]]; then
  { diff <(grep -oE '^\| `PP_[A-Z_]+`' README.md | grep -oE 'PP_[A-Z_]+' | sort -u) \
    <({ grep -ohsE '"PP_[A-Z_]+"' runtime/options.cpp runtime/log.cpp
        grep -rhoE 'envname\("PP_[A-Z_]+"' tools 2>/dev/null; } | grep -oE 'PP_[A-Z_]+' | sort -u) || true; } |
    sed -nE 's/^< (.*)/README.md:1:\1 is listed, and nobody reads it/p
             s/^> (.*)/README.md:1:\1 is read, and not listed/p' | breach 'the table of variables'
fi

if [[ -s $breaches ]]; then
  cat "$breaches"
  echo "$(wc -l <"$breaches") breaches"
  exit 1
fi
echo "${#sources[@]} sources and ${#doors[@]} doors: every wall stands"
