// Local: what the cases inside one process have in common.
#pragma once

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <pp/pp.hpp>
#include <string>
#include <vector>

#include "case.hpp"

namespace pp::bench {

// 1 and all cores.
inline std::vector<unsigned> worker_counts(const Settings& settings) {
  return settings.cores > 1 ? std::vector<unsigned>{1, settings.cores} : std::vector<unsigned>{1};
}

inline std::string workers_text(unsigned workers) {
  return std::to_string(workers) + (workers == 1 ? " worker" : " workers");
}

// A contender whose body runs in a process of its own for each number of workers.
inline Contender over_workers(std::string who, const std::string& body) {
  return {std::move(who), [body](const Settings& settings) {
            std::vector<Run> runs;
            for (const unsigned workers : worker_counts(settings))
              runs.push_back(own_run(settings, body, {"workers=" + std::to_string(workers)}));
            return runs;
          }};
}

inline Options with_workers(unsigned workers) {
  Options options;
  options.workers = workers;
  return options;
}

// An arena of oneTBB with so many threads; `masters` of them are those who call execute().
class TbbArena {
 public:
  explicit TbbArena(unsigned threads, unsigned masters = 1)
      : limit_(oneapi::tbb::global_control::max_allowed_parallelism, threads + 1 - masters),
        arena(static_cast<int>(threads), masters) {}

 private:
  oneapi::tbb::global_control limit_;

 public:
  oneapi::tbb::task_arena arena;
};

}  // namespace pp::bench
