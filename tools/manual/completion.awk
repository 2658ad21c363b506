# Makes the completion of a tool for bash or zsh from its --help: the same function serves both, zsh has bashcompinit for that.
#
#   PROGRAM --help | awk -v name=pp-launch -v shell=bash -f options.awk -f completion.awk > pp-launch
#
# Options are completed where a dash was typed; behind an option with a value come files; behind "--", a command and its own words.
# Subcommands are completed as first word.

END {
  flags = ""
  takers = ""
  words = ""
  for (s = 1; s <= sections; ++s) {
    for (e = first[s]; e <= last[s]; ++e) {
      if (names[e] !~ /^-/) {
        if (title[s] == "Subcommands") words = words (words == "" ? "" : " ") names[e]
        continue
      }
      flags = flags (flags == "" ? "" : " ") names[e]
      if (value[e] != "") {
        taken = names[e]
        gsub(/ /, "|", taken)
        takers = takers (takers == "" ? "" : "|") taken
      }
    }
  }
  program = ""
  for (i = 1; i <= usages; ++i) if (usage[i] ~ / PROGRAM/) program = 1
  f = "_complete_" name
  gsub(/-/, "_", f)
  if (shell == "zsh") print "#compdef " name
  print "# " shell " completion of " name ", made from what " name " --help says."
  if (shell == "zsh") print "autoload -Uz +X bashcompinit && bashcompinit"
  print f "() {"
  print "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} i"
  print "  COMPREPLY=()"
  if (program) {
    print "  for ((i = 1; i < COMP_CWORD; ++i)); do"
    print "    [[ ${COMP_WORDS[i]} == -- ]] || continue"
    print "    if ((i + 1 == COMP_CWORD)); then COMPREPLY=($(compgen -c -- \"$cur\") $(compgen -f -- \"$cur\"))"
    print "    else COMPREPLY=($(compgen -f -- \"$cur\")); fi"
    print "    return"
    print "  done"
  }
  if (takers != "") {
    print "  case $prev in"
    print "    " takers ") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;"
    print "  esac"
  }
  print "  if [[ $cur == -* ]]; then"
  print "    COMPREPLY=($(compgen -W \"" flags (program ? " --" : "") "\" -- \"$cur\"))"
  print "    return"
  print "  fi"
  if (words != "") print "  if ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W \"" words "\" -- \"$cur\")); fi"
  print "  ((${#COMPREPLY[@]})) || COMPREPLY=($(compgen -f -- \"$cur\"))"
  print "}"
  if (shell == "zsh") print "_bash_complete -o filenames -F " f
  else print "complete -o filenames -F " f " " name
}
