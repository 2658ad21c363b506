#!/usr/bin/env bash
# Leaves the comment away from each kind of public declaration once, and expects the reference to name the line; and not to name
# what the house writes without a comment, or with one that speaks for several.
#
#   reference_test.sh DOXYGEN DOXYFILE
set -euo pipefail
doxygen=$1
doxyfile=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# said: what Doxygen says of the header on standard input.
said() {
  cat >"$work/door.hpp"
  printf '%s\n' "@INCLUDE = $doxyfile" "INPUT = $work/door.hpp" "OUTPUT_DIRECTORY = $work" "USE_MDFILE_AS_MAINPAGE =" >"$work/Doxyfile"
  "$doxygen" "$work/Doxyfile" 2>&1 || true
}
# named LINE...: the header on standard input is reported in these lines and no others.
named() {
  local all lines
  all=$(said)
  lines=$({ grep -oE 'door\.hpp:[0-9]+' <<<"$all" || true; } | cut -d: -f2 | sort -un | xargs)
  if [[ $lines != "$*" ]]; then
    printf 'expected reports of lines: %s\ngot:\n%s\nof:\n' "$*" "$all"
    cat -n "$work/door.hpp"
    failures=$((failures + 1))
  fi
}

named <<'END'
// Door: everything here has its words.
#pragma once

#include <string>

namespace pp {

struct Later;

// Three levels: <high> & "low", @all #1, 100 %, a_b_c \o/.
enum class Level { kHigh, kNormal, kLow };

class Door {
 public:
  // How it opened.
  enum class Way {
    kPushed,  // from outside,
              // by hand
    kPulled,
  };

  // Opens it, by key:
  //   Door door("x < y");
  //
  //   door.close();
  // and so on.
  explicit Door(const std::string& key = {}) : key_(key) {
    if (key.empty()) {
      // nobody
      close();
    }
  }
  ~Door();
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;
  Door(Door&& other) noexcept;
  Door& operator=(Door&& other) noexcept;

  // Closes it.
  void close();
  template <class T>
  requires(sizeof(T) > 1) void close(T after) {
    close();
  }

  int width = 30'000;       // in millimetres; "wide"
  std::string name{"a{b"};  // for people

 private:
  void inner();
  std::string key_;
};

namespace runtime {
struct Machinery {
  int wheel;
};
void turn(Machinery& machinery);
}  // namespace runtime

// What fits a lock.
template <class T>
struct Fits {
  bool value = false;  // whether it does
};
template <>
struct Fits<int> {
  bool value = true;
  void well();
};

// Both of them.
bool operator==(const Door& a, const Door& b);
inline bool operator!=(const Door& a, const Door& b) { return !(a == b); }

}  // namespace pp
END

named 6 7 8 9 12 13 14 18 19 21 24 25 26 33 <<'END'
// The file has words, and nothing in it has.
#pragma once

namespace pp {

class Door {
  public: void open();
  public: int width = 1;
  public: enum class Way { kIn };
};

void shut(Door& door);
template <class T> void lock(T key);
using Key = int;

// These words speak for the functions of their paragraph, up to anything else.
void first();
class Second {};
void third();

void fourth();

// A variable's words are its own.
inline int fifth = 5, sixth = 6;
inline int seventh = 7;
inline int eighth = 8;

// Fits.
template <class T>
struct Fits {};
template <>
struct Fits<int> {};
int behind_it = 9;

}  // namespace pp
END

((failures == 0)) && echo "the reference names what has no words, and nothing else"
