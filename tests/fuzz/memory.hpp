// Memory: the most that one thread has allocated at a time since a moment.
#pragma once

#include <cstddef>

namespace pp::fuzz {

// Counts operator new of the thread that made it, which memory.cpp replaces in the whole program.
// REQUIRES: one at a time per thread.
class Memory {
 public:
  Memory();
  // Bytes beyond those that were allocated when it was made.
  std::size_t peak() const;

 private:
  long before_;
};

}  // namespace pp::fuzz
