// Promise: what a fuzz target holds its decoder to, whatever the bytes.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace pp::fuzz {

// Ends the program when a promise is broken, with the promise as its last words: libFuzzer and
// replay.cpp then keep the input that broke it.
inline void promise(bool kept, std::string_view what) {
  if (kept) return;
  std::fprintf(stderr, "broken promise: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

}  // namespace pp::fuzz
