// What the command line of uts asks for.
#pragma once

#include <optional>

#include "tree.hpp"

namespace uts {

struct Options {
  Parameters parameters;
  bool sequential = false;  // one thread, no jobs
  bool stats = false;       // print who has run how many jobs
};

// Reads the command line; the same in every process of a launch.
struct Asked {
  std::optional<Options> options;  // what to do; empty: nothing, leave with exit_code
  int exit_code = 0;  // 0 after --help, 2 after a mistake, which has been explained on stderr
};
Asked read_command_line(int argc, char** argv);

}  // namespace uts
