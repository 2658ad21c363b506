// Footprint: processor time and memory of processes that should need neither.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "arguments.hpp"

namespace pp::bench {

// Waits until what meeting each other has set going comes to rest, then looks on for some seconds:
// the means over the processes.
void emit_footprint(const Arguments& arguments, const std::string& row,
                    const std::vector<pid_t>& processes);

}  // namespace pp::bench
