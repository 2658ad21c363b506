#!/usr/bin/env bash
# Holds each program's page and completion against its --help: every flag is there, and no other.
#
#   manual_test.sh PAGES        the folder with NAME.help, NAME.SECTION, bash/NAME and zsh/_NAME
#
# Where there is a zsh, its completion is loaded by it; roff is checked by man's formatter where that is installed.
set -euo pipefail
cd "$1"
failures=0
complain() {
  echo "$1"
  failures=$((failures + 1))
}
# The flags of a text: words that begin with dashes, at the beginning of a line that has nothing else before it.
flags_of_help() {
  sed -n '/^Examples\?:/q; s/^  \(-[^ ]*\).*/\1/p' "$1" | sed 's/{[^}]*}//g; s/,/\n/g' | sort -u
}
flags_of_page() {
  sed -n 's/\\fB//g; s/\\fR//g; s/\\fI.*//; s/\\-/-/g; /^\.TP$/{n; s/\\fB//g; s/\\fR//g; s/\\fI.*//; s/\\-/-/g; /^-/p}' "$1" |
    sed 's/, */\n/g; s/ *$//' | sed 's/ *$//' | sort -u
}
# completed SHELL WORDS...: what is offered for the last word.
completed() {
  local function=_complete_${program//-/_}
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
  "$function"
  printf '%s\n' "${COMPREPLY[@]}" | sort -u
}

seen=0
for help in *.help; do
  program=${help%.help}
  page=$(compgen -G "$program.[1-8]")
  seen=$((seen + 1))
  wanted=$(flags_of_help "$help")
  [[ -n $wanted ]] || complain "$program: --help shows no flag that this test can see"
  difference=$(diff <(echo "$wanted") <(flags_of_page "$page")) || complain "$page and --help differ: $difference"
  for heading in NAME SYNOPSIS DESCRIPTION "SEE ALSO"; do
    grep -qx "\.SH $heading" "$page" || complain "$page has no $heading"
  done
  if command -v groff >/dev/null; then
    # -ww: every doubtful request is told.
    said=$(groff -man -Tutf8 -ww -z "$page" 2>&1) || true
    [[ -z $said ]] || complain "$page: $said"
  fi

  # shellcheck disable=SC1090
  source "bash/$program"
  difference=$(diff <({ echo "$wanted"; grep -q ' PROGRAM' "$help" && echo --; } | sort -u) <(completed "$program" -)) ||
    complain "bash completion of $program and --help differ: $difference"
  if grep -q ' PROGRAM' "$help"; then
    [[ $(completed "$program" -- tru) == *true* ]] || complain "$program: bash completes no command behind --"
  fi
  if command -v zsh >/dev/null; then
    registered=$(zsh -f -c 'fpath=($PWD/zsh $fpath); autoload -Uz compinit && compinit -D -u && print -r -- ${_comps['"$program"']}')
    [[ $registered == "_$program" ]] || complain "zsh does not take _$program for the completion of $program: '$registered'"
    # The same function, in zsh, as bashcompinit calls it.
    offered=$(zsh -f -c 'fpath=($PWD/zsh $fpath); autoload -Uz compinit bashcompinit && compinit -D -u && bashcompinit
      _bash_complete() { : }
      source zsh/_'"$program"'
      emulate -L bash; setopt ksharrays
      COMP_WORDS=('"$program"' --h); COMP_CWORD=1; COMPREPLY=()
      _complete_'"${program//-/_}"'
      print -r -- ${COMPREPLY[@]}' 2>&1)
    [[ " $offered " == *" --help "* ]] || complain "zsh offers no --help for $program: '$offered'"
  fi
done
((seen > 0)) || complain "there is no page in $1"
echo "$seen programs; $failures complaints"
((failures == 0))
