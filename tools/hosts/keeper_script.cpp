// KeeperScript: POSIX sh, and nothing that dash, bash, busybox and zsh do not agree upon.
#include "keeper_script.hpp"

#include <algorithm>
#include <cassert>
#include <map>

namespace pp::tools {
namespace {

// The script with each of these names, where it stands in braces ("{token}"), replaced. One pass:
// what is put in is not looked at again, it may hold anything. Other braces are the shell's.
std::string filled(std::string_view script, const std::map<std::string_view, std::string>& values) {
  std::string out;
  while (!script.empty()) {
    const std::size_t open = std::min(script.find('{'), script.size());
    out += script.substr(0, open);
    script.remove_prefix(open);
    const std::size_t end = script.find('}');
    if (end == std::string_view::npos) break;
    const auto value = values.find(script.substr(1, end - 1));
    const bool known = value != values.end();
    out += known ? std::string_view(value->second) : script.substr(0, 1);
    script.remove_prefix(known ? end + 1 : 1);
  }
  return out += script;
}

std::string quoted_words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + quoted(word);
  return text;
}

constexpr char kVisit[] = R"sh(
exec 3>&2 2>/dev/null
{cache}
for object in {objects}; do
  if [ -f "$cache/$object" ]; then
    touch "$cache/${object%%/*}" "$cache/$object"
  else
    printf '\001pp %s lacks %s\n' {token} "${object%%/*}" >&3
  fi
done
cores=$(nproc || getconf _NPROCESSORS_ONLN || echo 0)
clock() {
  now=$(date +%s.%N)
  case $now in *[!0-9.]*) now=$(date +%s).0;; esac
}
memory=0
while read -r name value unit; do
  case $name in MemTotal:) memory=$value; break;; esac
done </proc/meminfo
clock
printf '\001pp %s here %s %s %s %s %s %s\n' {token} "$(uname -s)" "$(uname -m)" "$cores" "$(id -u)" "$now" "$memory" >&3
while read -r question; do
  clock
  printf '\001pp %s clock %s\n' {token} "$now" >&3
done
)sh";

constexpr char kCopy[] = R"sh(
say() { printf '\001pp %s %s\n' {token} "$*" >&2; }
fail() { say "failed stage $*"; exit 1; }
umask 077
{cache}
why=$(mkdir -p "$cache" 2>&1) || fail "$why"
total={size}
for file in "$cache"/*/*; do
  [ -f "$file" ] && total=$((total + $(wc -c <"$file")))
done
for folder in $(ls -1tr "$cache"); do
  [ "$total" -le {limit} ] && break
  case ' {hashes} part.' in *" $folder "*|*" ${folder%%.*}.") continue;; esac
  for file in "$cache/$folder"/*; do
    [ -f "$file" ] && total=$((total - $(wc -c <"$file")))
  done
  rm -rf "${cache:?}/$folder"
done
[ "$total" -le {limit} ] || fail "it takes $total bytes in $cache, more than the limit of {limit}"
part=$(mktemp "$cache/part.XXXXXX" 2>&1) || fail "$part"
trap 'rm -f "$part"' EXIT
trap 'exit 1' HUP INT TERM
why=$(cat 2>&1 >"$part") || fail "$why"
[ "$(($(wc -c <"$part")))" -eq {size} ] || fail 'the connection ended before the whole file was there'
why=$(mkdir -p "$cache/{hash}" 2>&1 && chmod 700 "$part" 2>&1 && mv -f "$part" "$cache/{hash}/"{name} 2>&1) || fail "$why"
say 'staged {hash}'
)sh";

// Descriptors: 9 standard input, where orders come; 4 the node's standard output; 3 a pipe to the
// loop at the end, which alone prints what is marked, so that a node's last report comes before the
// word that it has ended; 8 the key; 7 what the node noted last. (A Korn shell closes these where
// they are not named again.)
constexpr char kNode[] = R"sh(
exec 9<&0 4>&1 </dev/null
PATH=${PATH:-/usr/local/bin:/usr/bin:/bin}
say() { printf '%s\n' "$*" >&3; }
fail() { say "failed $*"; exit 1; }
sweep() {
  found=1
  for file in $(grep -lsF 'PP_LAUNCH_NODE={tag}' /proc/[0-9]*/environ); do
    file=${file#/proc/}
    kill "-$1" "${file%/environ}" && found=0
  done 2>/dev/null
  return $found
}
lifeline() {
  trap '' HUP INT TERM
  while IFS= read -r order; do
    case $order in "signal "*) kill "-${order#signal }" "$worker";; esac
  done
  kill -TERM 0
  kill -CONT 0
  sweep TERM
  sleep 2
  sweep KILL
  kill -KILL 0
}
node() {
  trap '' HUP INT
  trap : TERM
  if [ {key_bytes} -gt 0 ]; then
    key=$(dd bs=1 count={key_bytes} <&9 2>/dev/null)
    file=
    why='there is no folder for it'
    for folder in "$XDG_RUNTIME_DIR" /dev/shm /tmp; do
      [ -d "$folder" ] && [ -w "$folder" ] || continue
      file=$(mktemp "$folder/pp-key.XXXXXX" 2>&1) || { why=$file; file=; continue; }
      cat 2>/dev/null >"$file" <<END_OF_KEY
$key
END_OF_KEY
      [ "$(($(wc -c <"$file")))" -ge {key_bytes} ] && exec 8<"$file" && rm -f "$file" && break
      why="$folder is full"
      rm -f "$file"
      file=
    done
    key=
    [ -n "$file" ] || fail "key $why"
    keyfile=/proc/self/fd/8
    [ -r "$keyfile" ] || fail 'key /proc is not mounted: give the key a place on the host'
  else
    exec 8</dev/null
    keyfile={key_file}
    case $keyfile in "~/"*) keyfile=$HOME/${keyfile#"~/"};; esac
    [ -f "$keyfile" ] || fail "key $keyfile: there is no such file on this host"
    [ -r "$keyfile" ] || fail "key $keyfile: this user may not read it"
  fi
  folder={workdir}
  if [ -n "$folder" ]; then
    why=$(cd -- "$folder" 2>&1) || fail "workdir ${why:-$folder cannot be entered}"
    cd -- "$folder"
  else
    cd -- {usual_workdir} 2>/dev/null || cd || fail "workdir $HOME cannot be entered"
  fi
  set -- {command}
  {staged}
  case $1 in
    */*)
      [ -e "$1" ] || fail "exec $1: no such file in $(pwd)"
      [ -f "$1" ] || fail "exec $1: is not a file"
      [ -x "$1" ] || fail "exec $1: this user may not execute it";;
    *)
      command -v "$1" >/dev/null || fail "exec $1: command not found in PATH=$PATH";;
  esac
  peers={driver}
  from=${SSH_CONNECTION:-${SSH_CLIENT:-}}
  from=${from%% *}
  case $from in
    ''|*%*) ;;
    *:*) peers="$peers,[$from]:${peers##*:}";;
    *) [ "$from" = "${peers%:*}" ] || peers="$peers,$from:${peers##*:}";;
  esac
  (
    trap - HUP INT TERM
    exec </dev/null 4>&- 9<&-
    {environment}
    export PP_KEY_FILE="$keyfile" PP_PEERS="$peers" PP_REPORT_FD=3 PP_LAUNCH_NODE='{tag}'
    exec "$@" 8<&8
  ) &
  worker=$!
  lifeline <&9 9<&- 8<&- 3>&- 4>&- >/dev/null 2>&1 &
  lifeline=$!
  exec 9<&- 8<&-
  say "started $worker"
  while :; do
    wait "$worker" 2>/dev/null
    code=$?
    kill -0 "$worker" 2>/dev/null || break
  done
  if sweep TERM; then sleep 1; sweep KILL; fi
  say "ended $code"
  kill -KILL "$lifeline"
}
{ node 3>&1 >&4; } | {
  trap '' HUP INT TERM
  exec 9<&- 4>&-
  box=
  while IFS= read -r line; do
    case $line in
      "box "*)
        box=${line#box }
        { command exec 7<"/proc/${box% *}/fd/${box#* }"; } 2>/dev/null || box=
        continue;;
      "started "*|"failed "*|"ended 0") ;;
      "ended "*)
        if [ -n "$box" ]; then
          od -A x -t x1 <&7 2>/dev/null | while read -r bytes; do
            printf '\001pp %s box %s\n' {token} "$bytes" >&2
          done
          read -r now rest </proc/uptime
          printf '\001pp %s boxed %s %s\n' {token} "${box% *}" "$now" >&2
        fi;;
      *) line="report $line";;
    esac
    printf '\001pp %s %s\n' {token} "$line" >&2
  done
}
)sh";

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::vector<std::string> SshCommand::words(std::string_view script) const {
  std::vector<std::string> words = program;
  const auto option = [&](const std::string& text) { words.insert(words.end(), {"-o", text}); };
  option("BatchMode=yes");
  option("ConnectTimeout=" + std::to_string(connect_limit));
  option("ServerAliveInterval=5");
  option("ServerAliveCountMax=3");
  option("ClearAllForwardings=yes");
  option("RemoteCommand=none");
  option("PermitLocalCommand=no");
  if (!control.empty()) {
    option(std::string("ControlMaster=") + (opens_it ? "yes" : "no"));
    option("ControlPath=" + control);
    option("ControlPersist=no");
  }
  words.insert(words.end(), {"-T", "-a", "-x", "--", target,
                             "exec /bin/sh -c 'eval \"$(dd bs=1 count=" +
                                 std::to_string(script.size()) + " 2>/dev/null)\"' pp-keeper"});
  return words;
}

namespace {

// Sets $cache on a host.
std::string cache_of(const StagePlan* stage) {
  if (stage == nullptr) return "";
  if (stage->cache.empty()) return "cache=${XDG_CACHE_HOME:-$HOME/.cache}/pp";
  if (stage->cache.starts_with("~/")) return "cache=$HOME/" + quoted(stage->cache.substr(2));
  return "cache=" + quoted(stage->cache);
}

std::string place_of(const StagedFile& file) { return file.hash + "/" + file.name; }

// The command's first word is the staged program, and the loader looks for libraries beside it.
std::string run_staged(const StagePlan* stage) {
  if (stage == nullptr) return "";
  std::string text = cache_of(stage) + "\n  shift\n  set -- \"$cache\"/" +
                     quoted(place_of(stage->program)) + " \"$@\"\n";
  if (stage->libraries.empty()) return text;
  std::string folders;
  for (const StagedFile& library : stage->libraries)
    folders += (folders.empty() ? "$cache/" : ":$cache/") + library.hash;
  return text + "  export LD_LIBRARY_PATH=\"" + folders +
         "${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\"\n";
}

}  // namespace

std::string keeper_mark(std::string_view token) { return "\001pp " + std::string(token) + " "; }

std::string visit_script(const VisitOrder& order) {
  std::string objects;
  if (order.stage != nullptr) {
    for (const StagedFile* file : order.stage->files()) objects += quoted(place_of(*file)) + " ";
  }
  return filled(
      kVisit,
      {{"token", quoted(order.token)}, {"cache", cache_of(order.stage)}, {"objects", objects}});
}

std::string copy_script(const VisitOrder& order, const StagedFile& file) {
  assert(order.stage != nullptr);
  std::string hashes;
  for (const StagedFile* each : order.stage->files()) hashes += each->hash + " ";
  return filled(kCopy, {{"token", quoted(order.token)},
                        {"cache", cache_of(order.stage)},
                        {"hash", file.hash},
                        {"hashes", hashes},
                        {"name", quoted(file.name)},
                        {"size", std::to_string(file.bytes->size())},
                        {"limit", std::to_string(order.stage->limit)}});
}

std::string node_script(const NodeOrder& order) {
  assert(!order.command.empty() && (order.key_bytes > 0) != !order.key_file.empty());
  std::string exports;
  for (const std::string& variable : order.environment) {
    const std::size_t equals = variable.find('=');
    assert(equals != std::string::npos);
    exports += "export " + variable.substr(0, equals) + "=" + quoted(variable.substr(equals + 1)) +
               "\n    ";
  }
  return filled(kNode, {{"token", quoted(order.token)},
                        {"tag", order.tag},
                        {"key_bytes", std::to_string(order.key_bytes)},
                        {"key_file", quoted(order.key_file)},
                        {"driver", quoted(order.driver)},
                        {"workdir", quoted(order.workdir)},
                        {"usual_workdir", quoted(order.usual_workdir)},
                        {"command", quoted_words(order.command)},
                        {"staged", run_staged(order.stage)},
                        {"environment", exports}});
}

}  // namespace pp::tools
