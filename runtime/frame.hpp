// Frame: one execution on a worker's stack.
#pragma once

#include <cstdint>
#include <optional>
#include <pp/job.hpp>
#include <pp/random.hpp>

namespace pp::runtime {

// While a job waits, others run on top of it: each has a frame of its own. Used by the thread that
// runs it.
struct Frame {
  Job* job;
  Frame* below;       // what waits beneath it on this stack, or null
  std::int64_t base;  // entries of the worker's deque from here on were pushed by this execution
  std::uint64_t id;   // the job's, or that of the element of a map that runs now
  std::uint64_t children = 0;      // spawned by it so far
  std::optional<Random> random{};  // made when first asked for
  std::uint64_t counts = 1;  // jobs that it is in the statistics: for a piece of a map its elements
  std::uint32_t earlier_attempts = 0;  // of an element of a map on its owner's side
};

}  // namespace pp::runtime
