// simulate: the names of faults and scenes, and a history from its plan.
#include "simulate.hpp"

#include <pp/error.hpp>

#include "world.hpp"

namespace pp::simulation {

namespace {

constexpr std::string_view kFaultNames[kFaults] = {"crash",     "stop",    "break", "cut",
                                                   "partition", "slow",    "jump",  "drain",
                                                   "end",       "workers", "join",  "poison"};
constexpr std::string_view kSceneNames[kScenes] = {"any",    "poison", "long", "results",
                                                   "launch", "crowd",  "blobs"};

}  // namespace

std::string_view to_string(Fault fault) { return kFaultNames[static_cast<std::size_t>(fault)]; }

Fault fault_named(std::string_view word) {
  for (std::size_t i = 0; i < kFaults; ++i)
    if (kFaultNames[i] == word) return fault_at(i);
  std::string known;
  for (const std::string_view name : kFaultNames) known += ' ' + std::string(name);
  throw Error("there is no fault '" + std::string(word) + "'; the faults are:" + known);
}

std::string_view to_string(Scene scene) { return kSceneNames[static_cast<std::size_t>(scene)]; }

Scene scene_named(std::string_view word) {
  for (std::size_t i = 0; i < kScenes; ++i)
    if (kSceneNames[i] == word) return static_cast<Scene>(i);
  std::string known;
  for (const std::string_view name : kSceneNames) known += ' ' + std::string(name);
  throw Error("there is no scene '" + std::string(word) + "'; the scenes are:" + known);
}

Outcomes simulate(const Plan& plan) {
  runtime::broken_rule = plan.broken;
  runtime::Counted::alive = 0;  // one that went wrong before has left some
  Outcomes outcomes = World(plan).run();
  runtime::broken_rule = runtime::Rule::kNone;
  return outcomes;
}

}  // namespace pp::simulation
