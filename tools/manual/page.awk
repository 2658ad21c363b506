# Makes a manual page of a tool's --help and, where there is one, of more that is to be said about it.
#
#   PROGRAM --help | awk -v name=pp-launch -v section=1 -v version=0.1.0 -v date=2026-11-26 -v more=pp-launch.txt \
#     -v others="pp-keygen(1) ppd(8)" -f options.awk -f page.awk > pp-launch.1
#
# `more` is plain text: "# HEADING" begins a section, an empty line a paragraph, lines indented by two or more an example. What
# stands before the first heading is the description.

# Roff takes these for commands. A dash that belongs to an option is one that can be copied.
function roff(s) {
  gsub(/\\/, "\\e", s)
  gsub(/-/, "\\-", s)
  gsub(/~/, "\\(ti", s)
  gsub(/\^/, "\\(ha", s)
  if (s ~ /^[.']/) s = "\\&" s
  return s
}
function bold(s) { return "\\fB" roff(s) "\\fR" }
function slanted(s) { return "\\fI" roff(s) "\\fR" }

# Lines of plain text: paragraphs, and examples where they are indented.
function say_line(s) {
  if (s == "") {
    if (in_example) pending = 1
    else said_gap = 1
    return
  }
  if (s ~ /^  /) {
    if (!in_example) { print ".PP\n.in +2n\n.nf"; in_example = 1 }
    else if (pending) print ""
    pending = 0
    said_gap = 0
    print roff(substr(s, 3))
    return
  }
  end_example()
  if (said_gap) print ".PP"
  said_gap = 0
  print roff(s)
}
function end_example() {
  if (in_example) { print ".fi\n.in -2n\n.PP"; in_example = 0; pending = 0; said_gap = 0 }
}
function heading(s) { end_example(); print ".SH " s; said_gap = 0 }

END {
  printf ".\\\" Made from what %s --help says.\n", name
  printf ".TH %s %s %s \"pp %s\" \"pp\"\n", toupper(name), section, date, version
  short = about
  sub(/\..*/, "", short)
  print ".SH NAME\n" roff(name) " \\- " roff(tolower(substr(short, 1, 1)) substr(short, 2))
  print ".SH SYNOPSIS"
  for (i = 1; i <= usages; ++i) {
    at = index(usage[i], " ")
    print (i > 1 ? ".br\n" : "") (at ? bold(substr(usage[i], 1, at - 1)) roff(substr(usage[i], at)) : bold(usage[i]))
  }
  heading("DESCRIPTION")
  print roff(about)
  rest_of_more = ""
  if (more != "") {
    while ((getline line < more) > 0) {
      if (line ~ /^# /) { rest_of_more = line; break }
      if (!told++) print ".PP"
      say_line(line)
    }
  }
  end_example()
  for (s = 1; s <= sections; ++s) {
    heading(toupper(title[s]))
    for (e = first[s]; e <= last[s]; ++e) {
      count = split(names[e], word, " ")
      line = ""
      for (i = 1; i <= count; ++i) line = line (i > 1 ? ", " : "") (word[i] ~ /^-/ ? bold(word[i]) : slanted(word[i]))
      if (value[e] != "" && title[s] != "Positionals") line = line " " slanted(value[e])
      print ".TP\n" line
      described = text[e]
      if (described !~ /[.!?]$/) described = described "."
      print roff(trimmed(described " " notes[e]))
    }
  }
  # The footer: examples, remarks, exit codes.
  where = ""
  for (i = 1; i <= footers; ++i) {
    line = footer[i]
    if (line ~ /^Examples?:$/) { heading("EXAMPLES"); where = "examples"; continue }
    if (line ~ /^Exit codes?:/) { heading("EXIT STATUS"); where = "exit"; sub(/^Exit codes?: */, "", line) }
    else if (where != "notes" && line != "" && line !~ /^  / && (where == "" || (where == "examples" && footer[i - 1] == ""))) {
      heading("NOTES"); where = "notes"
    }
    say_line(line)
  }
  while (rest_of_more != "") {
    if (rest_of_more ~ /^# /) heading(substr(rest_of_more, 3))
    else say_line(rest_of_more == " " ? "" : rest_of_more)
    if ((getline line < more) <= 0) break
    rest_of_more = line == "" ? " " : line
  }
  if (others != "") {
    heading("SEE ALSO")
    count = split(others, other, " ")
    for (i = 1; i <= count; ++i) {
      at = index(other[i], "(")
      print ".BR " roff(substr(other[i], 1, at - 1)) " " substr(other[i], at) (i < count ? "," : "")
    }
  }
  end_example()
}
