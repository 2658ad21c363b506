# Shows a door's plain comments to Doxygen: our headers are written for readers, and Doxygen sees only comments of its own kind.
#
#   awk -f doxygen_filter.awk FILE            (FILTER_PATTERNS of Doxyfile.in; line numbers stay as they are)
#
# What becomes documentation, outside function bodies:
#   - the // lines at the top of a file: the file's;
#   - the // lines directly above a declaration: the declaration's; and, if it is a function, also that of the functions which
#     follow without a blank line and have no comment of their own: a comment speaks for its paragraph;
#   - a // behind a member or an enumerator, with its continuation lines: the member's;
#   - lines indented by two or more within a comment: an example, shown as it stands.
#   - "Name: ..." at the top of a file: also that of the class Name, if it has no comment of its own.
# A specialisation of a class is left out: it is what the template says it is.
# An enumerator without a comment says what its name says, and so does a destructor, a copy, a move, a defaulted or deleted
# function; everything else without a comment is left without one, and Doxygen reports it.

# Doxygen and Markdown read signs of ours as markup: all of it is plain text, except what stands between backticks.
function plain(text,   parts, n, i, out) {
  n = split(text, parts, "`")
  if (n % 2 == 0) return escape(text)
  out = ""
  for (i = 1; i <= n; ++i) out = out (i % 2 ? escape(parts[i]) : "`" parts[i] "`")
  return out
}
function escape(text) {
  gsub(/\\/, "&&", text)
  gsub(/[<>@#$%&*_~|]/, "\\\\&", text)
  gsub(/\\_/, "_", text)
  gsub(/\\\*/, "*", text)
  gsub(/\\~/, "~", text)
  return text
}

# The code of a line without its trailing comment, strings and characters emptied (they may hold braces and slashes).
function bare(line,   code) {
  code = line
  gsub(/[0-9a-fA-F]'[0-9a-fA-F]/, "00", code)   # 30'000
  gsub(/\\./, "", code)
  gsub(/"[^"]*"/, "\"\"", code)
  gsub(/'[^']*'/, "0", code)
  sub(/\/\/.*/, "", code)
  gsub(/\[\[[^]]*\]\] */, "", code)   # [[nodiscard]]
  return code
}
function indent_of(line) { match(line, /^ */); return RLENGTH }
function trimmed(text) { gsub(/^[ \t]+|[ \t]+$/, "", text); return text }

# Whether `{` after this code opens a scope in which declarations stand.
function opens_scope(head) {
  head = trimmed(head)
  if (head ~ /(^|[ >)])(namespace|extern "")( +[A-Za-z_0-9:]+)?$/) return "scope"
  if (head ~ /(^|[ >)])enum( (class|struct))?( +[A-Za-z_0-9:]+)?( *: *[A-Za-z_0-9: ]+)?$/) return "enum"
  if (head ~ /(^|[ >)])(class|struct|union)( +[A-Za-z_0-9:<>, ]+)?( final)?( *: *[^(){};]*)?$/) return "scope"
  return "body"
}

# Writes the comment lines from..to as documentation. An example (lines indented further) becomes a code block.
function document(from, to, opening,   i, text, indent, code) {
  code = 0
  for (i = from; i <= to; ++i) {
    indent = substr(lines[i], 1, indent_of(lines[i]))
    text = lines[i]
    sub(/^ *\/\/ ?/, "", text)
    if (text ~ /^  / && !list_item) {
      line_out[i] = indent "/// " (code ? "" : "@code{.cpp} ") text
      code = 1
      if (i == to || lines[i + 1] !~ /^ *\/\/   /) {
        line_out[i] = line_out[i] " @endcode"
        code = 0
      }
    } else {
      if (text !~ /^ /) list_item = text ~ /^(-|[0-9]+\.) /
      line_out[i] = indent "///" (i == from ? opening : "") " " plain(text)
    }
  }
  list_item = 0
}

# The comment above, as one line to be repeated in front of a further declaration.
function as_one_line(from, to,   i, text, all, example, was_example) {
  for (i = from; i <= to; ++i) {
    text = lines[i]
    example = text ~ /^ *\/\/   /
    sub(/^ *\/\/ */, "", text)
    if (example) text = "<br>`" text "`"
    else text = plain(text)
    if (was_example && !example) text = "<br>" text
    was_example = example
    all = all " " text
  }
  gsub(/\*\//, "* /", all)
  return "/**" all " */ "
}

# A page: links out of this folder lead nowhere in the reference, and a word after a block's language is the tests' business.
FILENAME ~ /\.md$/ {
  while (match($0, /\[[^]]*\]\(\.\.[^)]*\)/)) {
    link = substr($0, RSTART, RLENGTH)
    sub(/\].*/, "", link)
    $0 = substr($0, 1, RSTART - 1) substr(link, 2) substr($0, RSTART + RLENGTH)
  }
  sub(/^```cpp body/, "```cpp")
  print
  next
}

{ lines[NR] = $0 }

END {
  depth = 0
  kind[0] = "scope"
  head = ""          # the code since the last ; { or }
  from = to = 0      # the run of comment lines just above
  speaks_from = 0    # the comment that speaks for this paragraph of functions
  trailing = 0       # the line before had a trailing comment that is a member's documentation
  for (i = 1; i <= NR; ++i) {
    line = lines[i]
    line_out[i] = line
    if (line ~ /^ *\/\//) {
      if (trailing && indent_of(line) > trailing_indent) {
        text = line
        sub(/^ *\/\/ ?/, "", text)
        line_out[i] = substr(line, 1, indent_of(line)) "///< " plain(text)
        continue
      }
      trailing = 0
      if (!from) from = i
      to = i
      continue
    }
    trailing = 0
    if (line ~ /^[ \t]*$/) {
      if (from == 1) title(to)
      from = 0
      if (head == "") speaks_from = 0
      continue
    }
    if (line ~ /^ *#/) {
      if (from == 1) {
        line_out[i] = line
        title(to)
        if (line ~ /^#pragma once/) skipped = i   # the \\file line has taken its place
      }
      from = 0
      speaks_from = 0
      continue
    }

    code = bare(line)
    where = kind[depth]
    begins = trimmed(head) == ""
    if (begins && where != "body" && trimmed(code) !~ /^}/) {
      if (from) {
        document(from, to, "")
        speaks_from = from
        speaks_to = to
        fresh = 1
      } else fresh = 0
      began = i
    }
    from = 0

    # A comment behind a declaration that ends here.
    if (where != "body" && match(line, /[;,{}A-Za-z0-9_] +\/\/ /) && code ~ /(; *$|, *$)/ || (where == "enum" && line ~ /\/\/ /)) {
      if (code !~ /^ *(}|class [A-Za-z_]+;|struct [A-Za-z_]+;)/) {
        at = index(line, "// ")
        line_out[i] = substr(line, 1, at - 1) "///< " plain(substr(line, at + 3))
        trailing = 1
        trailing_indent = indent_of(line) + 1
      }
    } else if (where == "enum" && !fresh && code ~ /^ *k[A-Z]/) {
      # kHigh, kNormal, kLow: each on whatever line it stands.
      text = line
      sub(/\/\/.*/, "", text)
      if (depth == enum_depth) gsub(/k[A-Z][A-Za-z0-9_]*/, "/** \\&nbsp; */ &", text)
      line_out[i] = text
    }

    # Braces: what is a scope, what is a body.
    ended = 0
    n = length(code)
    for (c = 1; c <= n; ++c) {
      sign = substr(code, c, 1)
      if (sign == "{") {
        kind[++depth] = kind[depth - 1] == "body" ? "body" : opens_scope(head)
        if (kind[depth] == "enum") {
          enum_depth = depth
          # enum class Priority { kHigh, kNormal, kLow };
          if (code ~ /\{.*\}/) {
            text = line_out[i]
            b = index(text, "{")
            inner = substr(text, b)
            gsub(/k[A-Z][A-Za-z0-9_]*/, "/** \\&nbsp; */ &", inner)
            line_out[i] = substr(text, 1, b - 1) inner
          }
        }
        if (kind[depth] == "body" && !ended) { share(i); ended = 1 }
        if (kind[depth] != "body") {
          speaks_from = 0
          if (kind[depth] == "scope") entitle()
        }
        head = ""
      } else if (sign == "}") {
        if (depth == hidden) {
          line_out[i] = line_out[i] " /** @endcond */"
          hidden = 0
        }
        if (depth > 0) --depth
        head = kind[depth + 1] == "body" && kind[depth] == "body" ? head : ""
        if (kind[depth] != "body") head = ""
      } else if (sign == ";" && kind[depth] != "body" && paren == 0) {
        if (says_itself() && !fresh && line_out[began] !~ /\/\/\//) {
          for (k = began; k <= i; ++k) line_out[k] = ""
        } else if (!ended) share(i)
        head = ""
      } else {
        if (sign == "(") ++paren
        if (sign == ")" && paren > 0) --paren
        head = head sign
      }
    }
    if (trimmed(head) ~ /^(public|private|protected):$/) { head = ""; speaks_from = 0 }
    if (trimmed(head) != "") head = head " "
    else head = ""
  }
  for (i = 1; i <= NR; ++i)
    if (i != skipped) print line_out[i]
}

# The declaration that began in line `began` and whose text is `head` ends: if it is a function without words of its own, it shares
# those of its paragraph.
function share(at) {
  if (fresh || !speaks_from || kind[depth - (substr(code, c, 1) == "{")] == "body") return
  if (head !~ /\(/ || head ~ /^ *(friend|static_assert)/) { return }
  if (line_out[at] ~ /\/\/\/</) return
  line_out[began] = as_one_line(speaks_from, speaks_to) line_out[began]
}

# The lines 1..to are the file's own comment.
function title(to,   word) {
  document(1, to, " \\file\n///")
  title_to = to
  word = lines[1]
  sub(/^\/\/ */, "", word)
  titled = word ~ /^[A-Z][A-Za-z0-9]*: / ? substr(word, 1, index(word, ":") - 1) : ""
}

# A class begins: "Name: ..." at the top of the file is its comment if it has none.
function entitle(   name, word) {
  if (head ~ /template *< *> *(class|struct) /) {   # a specialisation is what the template says it is
    line_out[began] = "/** @cond */ " line_out[began]
    hidden = depth
    return
  }
  if (fresh) return
  name = head
  while (gsub(/<[^<>]*>/, "", name)) {}
  word = name
  if (!match(name, /(class|struct) +[A-Za-z0-9_]+/)) return
  name = substr(name, RSTART, RLENGTH)
  sub(/.* /, "", name)
  if (name == titled) {
    titled = ""   # what follows under this name is another declaration of it
    line_out[began] = as_one_line(1, title_to) line_out[began]
    return
  }
  # Doxygen overlooks a class without words that has no members of its own: it gets one.
  sub(/\{/, "{ public: int has_no_words; " (word ~ /class / ? "private: " : ""), line_out[i])
}

# A declaration whose words would only repeat its name: defaulted, deleted, destructor, copy, move.
function says_itself() {
  return head ~ /= *(delete|default) *$/ || head ~ /^ *(virtual +)?~/ || head ~ /^ *([A-Za-z0-9_]+)\( *(const )?[A-Za-z0-9_]+ *&&?( [a-z_]+)?\)( noexcept)?$/ && same_name() || \
         head ~ /operator= *\((const )?[A-Za-z0-9_]+ *&&?( [a-z_]+)?\)( noexcept)?$/
}
# "Name(const Name& other)": constructor and parameter have one name.
function same_name(   text, name) {
  text = trimmed(head)
  name = text
  sub(/\(.*/, "", name)
  sub(/^[^(]*\( *(const )?/, "", text)
  sub(/[^A-Za-z0-9_].*/, "", text)
  return text == name
}
