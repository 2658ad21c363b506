// WatchList: who waits for which job; jobs nobody waits for cost nothing here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <pp/job.hpp>
#include <unordered_map>

#include "guarded.hpp"
#include "parker.hpp"

namespace pp::runtime {

// Any thread. A parker that watches must be unwatched before it goes.
class WatchList {
 public:
  // False: the job is done already and is not watched. Otherwise `parker` is unparked when it is
  // done.
  bool watch(Job& job, Parker& parker);
  void unwatch(Job& job, Parker& parker);

  // Called by whoever finished `job` and saw kWatched. `job` is only compared, never read: it may
  // be gone.
  void done(const Job* job);

 private:
  using Shard = std::unordered_multimap<const Job*, Parker*>;
  Guarded<Shard>& shard(const Job* job) {
    return shards_[reinterpret_cast<std::uintptr_t>(job) / 64 % shards_.size()];
  }
  std::array<Guarded<Shard>, 16> shards_;
};

}  // namespace pp::runtime
