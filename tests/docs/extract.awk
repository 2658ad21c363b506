# Cuts the C++ blocks of a Markdown page into sources that can be compiled, and what they print into files to compare with.
#
#   awk -v stem=guide -v shown=docs/guide.md -v out=DIR -f extract.awk docs/guide.md
#
# The page's convention (it is told at its top, too):
#   ```cpp         holds `int main`: a whole program. DIR/STEM_CHAPTER_program[_2...].cpp
#                  otherwise: declarations. All of a chapter (## heading) share one namespace and one source, DIR/STEM_CHAPTER.cpp
#   ```cpp body    statements. A function of their own, `rt` is the driver's pp::Runtime; the chapter's source runs them in order
#   ```sh          commands: every_command_test.sh runs them, in order, one page in one folder
#   ```sh hosts    commands that need more hosts, root or a service: nobody runs them
#   ```text        after a C++ block: what it prints. DIR/STEM_....expected. Programs without one print what they like, bodies nothing.
# Each block begins with a #line that names the page, so that the compiler's errors point there.
#
# DIR/STEM.list gets a line for each source: its name, "compare" or "run", and "cluster" for a program that may be compared on several
# nodes, too. Exit code 1 and a sentence for a page that does not keep to the convention.

function refuse(what) {
  printf "%s:%d: %s\n", shown, FNR, what > "/dev/stderr"
  failed = 1
  exit 1
}

# "4. Several processes" -> "4_several_processes"
function slug_of(heading,   slug) {
  slug = tolower(heading)
  gsub(/[^a-z0-9]+/, "_", slug)
  gsub(/^_+|_+$/, "", slug)
  return slug
}

function take_block() {
  if (language == "text") {
    if (after == "program") expected[program] = content
    if (after == "body") expected[chapter] = expected[chapter] content
    after = ""
    return
  }
  if (language != "cpp") return
  if (chapter == "") refuse("a C++ block before the first chapter (## heading)")
  located = "#line " (opened + 1) " \"" shown "\"\n" content
  if (word == "" && content ~ /(^|\n)int main\(/) {
    number = ++programs[chapter]
    program = chapter "_program" (number > 1 ? "_" number : "")
    sources[++source_count] = program
    text[program] = located
    after = "program"
    return
  }
  if (!(chapter in fragments)) sources[++source_count] = chapter
  fragments[chapter] = 1
  if (word == "body") {
    name = "body_at_line_" (opened + 1)
    text[chapter] = text[chapter] "\nvoid " name "([[maybe_unused]] pp::Runtime& rt) {\n" located "}\n"
    calls[chapter] = calls[chapter] "    " space_of(chapter) "::" name "(rt);\n"
    after = "body"
  } else {
    text[chapter] = text[chapter] "\n" located
    after = ""
  }
}

function space_of(chapter) { return stem "_" chapter }

/^[ \t]*(```|~~~)/ && !inside {
  if ($0 !~ /^```[a-z]/) refuse("a block is opened by ``` and its language, at the beginning of the line")
  inside = 1
  opened = FNR
  content = ""
  language = substr($1, 4)
  word = $2
  if (language != "cpp" && language != "text" && language != "sh" && language != "cmake")
    refuse("blocks are cpp, text, sh or cmake, not " language)
  if (NF > 2 || (word != "" && !(language == "cpp" && word == "body") && !(language == "sh" && word == "hosts")))
    refuse("the only words after a language are: cpp body, sh hosts")
  next
}
/^```[ \t]*$/ && inside {
  inside = 0
  take_block()
  next
}
inside {
  if ($0 ~ /^[ \t]*```/) refuse("the block opened in line " opened " is not closed")
  content = content $0 "\n"
  next
}
/^## / { chapter = slug_of(substr($0, 4)); after = "" }
# What was printed stands under what printed it, with a few words between them at most.
/^#/ { after = "" }

END {
  if (failed) exit 1
  if (inside) refuse("the block opened in line " opened " is not closed")
  list = out "/" stem ".list"
  printf "" > list
  for (i = 1; i <= source_count; ++i) {
    name = sources[i]
    source = out "/" stem "_" name ".cpp"
    if (name in fragments) {
      print "// The C++ blocks of one chapter of " shown ", made by tests/docs/extract.awk." > source
      print "#include <algorithm>\n#include <array>\n#include <chrono>\n#include <cmath>\n#include <cstdint>" > source
      print "#include <iostream>\n#include <map>\n#include <memory>\n#include <numeric>\n#include <optional>" > source
      print "#include <pp/pp.hpp>\n#include <ranges>\n#include <stdexcept>\n#include <string>\n#include <thread>" > source
      print "#include <utility>\n#include <vector>\n" > source
      print "using namespace std::chrono_literals;\n" > source
      print "namespace " space_of(name) " {" > source
      printf "%s", text[name] > source
      print "\n}  // namespace " space_of(name) "\n" > source
      print "int main(int argc, char** argv) {" > source
      print "  return pp::run(argc, argv, []([[maybe_unused]] pp::Runtime& rt) {" > source
      printf "%s", calls[name] > source
      print "  });\n}" > source
      printf "%s", expected[name] > (out "/" stem "_" name ".expected")
      print stem "_" name " compare" > list
    } else {
      printf "%s", "// A program of " shown ", made by tests/docs/extract.awk.\n" text[name] > source
      if (name in expected) printf "%s", expected[name] > (out "/" stem "_" name ".expected")
      nodes = text[name] ~ /pp::run\(/ && name in expected ? " cluster" : ""
      print stem "_" name " " (name in expected ? "compare" : "run") nodes > list
    }
    close(source)
  }
}
