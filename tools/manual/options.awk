# Reads what a tool's --help says; page.awk and completion.awk make something of it. They are run together with this file:
#
#   PROGRAM --help | awk -f options.awk -f page.awk ...
#
# Filled in when END begins:
#   about                    the sentences before the usage
#   usage[1..usages]         without "Usage:"
#   title[1..sections]       "Options", "Positionals", "Subcommands", ... in the order of --help
#   first[s]..last[s]        the entries of section s:
#     names[e]               "-n --nodes", or the word of a positional or subcommand
#     value[e]               what follows it: "N", "TEXT", ...; empty for a flag
#     notes[e]               "at least 1 and at most 4096. Required. Default: 30. Environment: PP_NODES."
#     text[e]                its description in one line
#   footer[1..footers]       the lines behind the sections

function trimmed(s) { gsub(/^[ \t]+|[ \t]+$/, "", s); return s }

# "-n,--nodes UINT:UINT in [1 - 4096]=4 REQUIRED (Env:PP_N)": an entry's head, as CLI11 writes it.
function take_head(head,   word, rest, said, at) {
  ++entries
  last[sections] = entries
  text[entries] = ""
  said = ""
  if (match(head, /\(Env:[A-Za-z_0-9]+\)/)) {
    said = " Environment: " substr(head, RSTART + 5, RLENGTH - 6) "."
    head = substr(head, 1, RSTART - 1) substr(head, RSTART + RLENGTH)
  }
  if (match(head, / REQUIRED/)) {
    said = " Required." said
    head = substr(head, 1, RSTART - 1) substr(head, RSTART + RLENGTH)
  }
  head = trimmed(head)
  at = index(head, " ")
  word = at ? substr(head, 1, at - 1) : head
  rest = at ? trimmed(substr(head, at + 1)) : ""
  gsub(/\{[^}]*\}/, "", word)   # --respawn{on}: what it means without a value
  gsub(/,/, " ", word)
  names[entries] = word
  repeated = sub(/ *\.\.\.$/, "", rest)
  if (match(rest, /=[^=\]]*$/)) {
    said = " Default: " substr(rest, RSTART + 1) "." said
    rest = substr(rest, 1, RSTART - 1)
  }
  if (match(rest, / in \[.*\]$/)) {
    range = substr(rest, RSTART + 5, RLENGTH - 6)
    sub(/ - /, " to ", range)
    said = " From " range "." said
    rest = substr(rest, 1, RSTART - 1)
  }
  sub(/:.*/, "", rest)          # TYPE:CHECK
  if (rest == "UINT" || rest == "INT") rest = "N"
  value[entries] = rest (repeated ? " ..." : "")
  notes[entries] = trimmed(said)
}

!usages && !/^Usage:/ { if (trimmed($0) != "") about = about (about == "" ? "" : " ") trimmed($0); next }
/^Usage:/ { usage[++usages] = trimmed(substr($0, 7)); in_usage = 1; next }
in_usage && /^ +[^ ]/ { usage[++usages] = trimmed($0); next }
in_usage { in_usage = 0 }

# A section of entries is a title whose lines are indented by two; "Examples:" and all that follows is the footer.
!in_footer && /^[A-Z][^:]*:$/ && !/^(Examples?|Exit|Environment|Files)/ {
  ++sections
  title[sections] = substr($0, 1, length($0) - 1)
  first[sections] = entries + 1
  last[sections] = entries
  next
}
!in_footer && sections && /^  [^ ]/ {
  line = substr($0, 3)
  at = match(line, /   */)      # two blanks or more before the description
  if (at) {
    head = substr(line, 1, at - 1)
    rest = trimmed(substr(line, at))
  } else {
    head = line
    rest = ""
  }
  # A head that fills its column ends with the line, or with one blank before a description.
  take_head(head)
  text[entries] = rest
  next
}
!in_footer && sections && /^      +[^ ]/ { text[entries] = trimmed(text[entries] " " trimmed($0)); next }
/^$/ && !in_footer { next }
!in_footer && !sections { about = about " " trimmed($0); next }   # words between usage and options
{ in_footer = 1; footer[++footers] = $0 }
