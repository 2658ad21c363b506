// NodeLocals: who builds, who waits, and who would wait for itself.
#include "node_local.hpp"

#include <mutex>
#include <pp/errors.hpp>
#include <string>
#include <unordered_map>
#include <utility>

#include "node.hpp"

namespace pp::runtime {

std::size_t node_local_index(std::type_index type) {
  // By type, not by call site: a type may be asked for in several shared libraries.
  static std::mutex mutex;
  static std::unordered_map<std::type_index, std::size_t> indices;
  const std::lock_guard lock(mutex);
  const auto known = indices.find(type);
  if (known != indices.end()) return known->second;
  if (indices.size() == kMostNodeLocals) {
    throw Error("pp: node_local is used with more than " + std::to_string(kMostNodeLocals) +
                " types; put some of them into one class");
  }
  return indices.emplace(type, indices.size()).first->second;
}

void* node_local(std::size_t index, Builder& builder) {
  Worker* worker = Crew::current();
  if (worker == nullptr || worker->frame == nullptr)
    throw Error("pp::node_local works inside jobs: no job runs on this thread");
  return worker->node->locals().get(*worker, index, builder);
}

NodeLocals::~NodeLocals() {
  std::vector<Made> made = std::move(site_.lock()->made);
  while (!made.empty()) {
    made.back().destroy(made.back().object);
    made.pop_back();
  }
}

void* NodeLocals::wait_or_build(Worker& worker, std::size_t index, Builder& builder) {
  for (;;) {
    Event over;
    {
      auto site = site_.lock();
      if (void* object = objects_[index].load(std::memory_order_relaxed)) return object;
      std::vector<Step>& stack = site->stacks[&worker];
      const auto found = site->constructions.find(index);
      if (found == site->constructions.end()) {
        site->constructions.emplace(
            index, Construction{&worker, stack.size(), make_event(&worker.node->home())});
        stack.push_back({index, false});
        break;
      }
      if (needs(*site, found->second, worker)) {
        throw Error(
            "pp: node_local<" + std::string(builder.type) +
            "> was asked for by what its own construction waits for: its constructor should "
            "not wait for jobs, nor for what needs it");
      }
      stack.push_back({index, true});
      found->second.over->retain();
      over = Event(&*found->second.over);
    }
    try {
      worker.node->wait(*over, Clock::time_point::max());
    } catch (...) {  // no stack left
      end_step(worker);
      throw;
    }
    end_step(worker);
  }
  return build(worker, index, builder);
}

// Whether the construction cannot end before something that `worker` builds. Since nobody begins to
// wait who would close a ring, this ends.
bool NodeLocals::needs(const Site& site, const Construction& construction, const Worker& worker) {
  if (construction.builder == &worker) return true;
  const std::vector<Step>& stack = site.stacks.at(construction.builder);
  for (std::size_t i = construction.position + 1; i < stack.size(); ++i) {
    if (!stack[i].waits) continue;
    const auto awaited = site.constructions.find(stack[i].index);
    if (awaited != site.constructions.end() && needs(site, awaited->second, worker)) return true;
  }
  return false;
}

void NodeLocals::end_step(Worker& worker) { site_.lock()->stacks[&worker].pop_back(); }

void* NodeLocals::build(Worker& worker, std::size_t index, Builder& builder) {
  const auto end = [this, &worker, index, &builder](void* object) {
    Event over;
    {
      auto site = site_.lock();
      if (object != nullptr) {
        site->made.push_back({object, builder.destroy});
        objects_[index].store(object, std::memory_order_release);  // partner: get()
      }
      const auto ours = site->constructions.find(index);
      over = std::move(ours->second.over);
      site->constructions.erase(ours);
      site->stacks[&worker].pop_back();
    }
    happen(*over);
    return object;
  };
  try {
    return end(builder.build());
  } catch (...) {
    end(nullptr);
    throw;
  }
}

}  // namespace pp::runtime
