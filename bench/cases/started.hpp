// Started: how long ago pp-bench started this program, or the launch it belongs to.
#pragma once

#include <cstdlib>
#include <pp/error.hpp>
#include <string>

#include "sample.hpp"
#include "subprocess.hpp"

namespace pp::bench {

// To be called once, when all is ready.
inline void emit_start(const std::string& row) {
  const char* const started = std::getenv(kStarted);
  if (started == nullptr) throw Error(std::string(kStarted) + " is not set: only pp-bench sets it");
  const long long took = monotonic_nanoseconds() - std::atoll(started);
  emit(Sample{row, "ms", static_cast<double>(took) / 1e6, {}, {}});
}

}  // namespace pp::bench
