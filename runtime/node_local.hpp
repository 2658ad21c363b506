// NodeLocals: the objects that the jobs of one node share, one of each type.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <map>
#include <pp/event.hpp>
#include <pp/node_local.hpp>
#include <vector>

#include "guarded.hpp"

namespace pp::runtime {

class Node;
struct Worker;

// The types that one program may use with node_local<T>(): a table of pointers in each node.
inline constexpr std::size_t kMostNodeLocals = 512;

// Built by the worker that asks first; the others run other jobs meanwhile. Objects are destroyed
// with this, those made last first.
class NodeLocals {
 public:
  NodeLocals() = default;
  // REQUIRES: no job runs any more.
  ~NodeLocals();

  // REQUIRES: called by `worker`, inside a job.
  void* get(Worker& worker, std::size_t index, Builder& builder) {
    // Acquire: pairs with the release in build(); publishes the object.
    if (void* object = objects_[index].load(std::memory_order_acquire)) return object;
    return wait_or_build(worker, index, builder);
  }

 private:
  // What a worker does here that is not over, each on top of the one before: jobs that it runs
  // while it waits may build and wait too. Nothing ends before what lies above it on that stack.
  struct Step {
    std::size_t index;
    bool waits;  // or builds
  };
  struct Construction {
    const Worker* builder;
    std::size_t position;  // on its builder's stack
    Event over;            // built or not
  };
  struct Made {
    void* object;
    Destroy destroy;
  };
  struct Site {
    std::map<std::size_t, Construction> constructions;  // under way, by index
    std::map<const Worker*, std::vector<Step>> stacks;
    std::vector<Made> made;  // in this order
    void check() const {}
  };

  void* wait_or_build(Worker& worker, std::size_t index, Builder& builder);
  void* build(Worker& worker, std::size_t index, Builder& builder);
  void end_step(Worker& worker);
  static bool needs(const Site& site, const Construction& construction, const Worker& worker);

  std::array<std::atomic<void*>, kMostNodeLocals> objects_{};
  Guarded<Site> site_;
};

}  // namespace pp::runtime
