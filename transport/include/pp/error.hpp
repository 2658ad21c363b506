// Error: what pp throws when somebody has to change something; its text says what.
#pragma once

#include <stdexcept>
#include <string>

#pragma GCC visibility push(default)

namespace pp {

// The base of every exception that pp itself throws. A healthy program never sees one: a peer that
// leaves is an event, a full queue is a return value. `what()` is one sentence: what was wrong, what
// was expected, what to do.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace pp

#pragma GCC visibility pop
