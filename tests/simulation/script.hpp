// Script: what a simulated job does; everything about it follows from the seed and the job's
// identity.
#pragma once

#include <cstdint>
#include <optional>
#include <pp/job.hpp>
#include <pp/job_options.hpp>

#include "dice.hpp"

namespace pp::simulation {

// How the jobs of a history are made, as numbers that a scenario draws.
struct Profile {
  std::uint64_t seed = 1;
  Duration mean = std::chrono::milliseconds(5);
  double long_ones = 0.05;  // twenty times as long
  unsigned most_children = 3;
  unsigned depth = 2;  // of the tree below a root
  double throwing = 0.03, timed = 0.03, large = 0.03, staying = 0.02, prioritised = 0.1;
  double not_here = 0.05, at_a_node = 0.05, once = 0.05, few_retries = 0.05, yielding = 0.5;
  double poison = 0;
  std::size_t most_result = 0;     // bytes
  std::size_t alike = 1;           // large arguments are multiples of so many bytes
  bool children_elsewhere = true;  // spawned jobs may want to run on other nodes only
};

// The depth of a job that only takes time, so that there is work for everybody for a while.
inline constexpr std::uint32_t kLabour = 1000;
inline constexpr Duration kLabourTime = std::chrono::milliseconds(150);

struct Script {
  Duration duration{};
  unsigned children = 0;
  Priority priority = Priority::kNormal;
  Where::Kind where = Where::Kind::kAnywhere;
  std::optional<unsigned> retries;
  Duration timeout{0};
  std::size_t padding = 0;  // bytes of arguments
  std::size_t result = 0;   // likewise
  bool throws = false;      // at its end
  bool stays = false;       // its arguments turn out not to travel
  bool yields = false;      // gives up when it is told to stop
  bool poison = false;      // ends the node that runs it
  bool overdue() const { return timeout > Duration(0) && timeout < duration; }
};

// `once`: it may be attempted once, and so may what it spawns.
inline Script script_of(const Profile& profile, std::uint64_t id, unsigned depth, bool once) {
  Dice dice(profile.seed ^ mixed(id));
  Script script;
  if (depth >= kLabour) {
    script.duration = kLabourTime;
    return script;
  }
  script.duration =
      dice.exponential(dice.chance(profile.long_ones) ? profile.mean * 20 : profile.mean);
  if (depth < profile.depth)
    script.children = static_cast<unsigned>(dice.between(0, profile.most_children));
  if (dice.chance(profile.prioritised))
    script.priority = dice.chance(0.5) ? Priority::kHigh : Priority::kLow;
  const bool not_here = dice.chance(profile.not_here);
  if (not_here && (depth == 0 || profile.children_elsewhere)) {
    script.where = Where::Kind::kNotHere;
  } else if (dice.chance(profile.at_a_node)) {
    script.where = Where::Kind::kNode;
  }
  if (once) {
    script.retries = 0;
  } else if (dice.chance(profile.few_retries)) {
    script.retries = 1;
  }
  if (dice.chance(profile.timed)) {
    script.timeout = dice.chance(0.5) ? script.duration / 2 + Duration(1) : script.duration * 2;
  }
  if (dice.chance(profile.large))
    script.padding =
        (dice.between(1000, 100'000) + profile.alike - 1) / profile.alike * profile.alike;
  script.throws = dice.chance(profile.throwing);
  script.stays = script.where == Where::Kind::kAnywhere && dice.chance(profile.staying);
  script.yields = dice.chance(profile.yielding);
  script.poison = dice.chance(profile.poison);
  if (profile.most_result > 0)
    script.result = dice.between(profile.most_result / 2, profile.most_result);
  return script;
}

inline std::uint64_t own_part(std::uint64_t id) { return mixed(id ^ 0x6a09e667f3bcc908); }
// What a job counts for in its parent's sum that failed as its script has it.
inline std::uint64_t failed_part(std::uint64_t id) { return mixed(id ^ 0xbb67ae8584caa73b); }

// The result of the whole tree below a job that does not fail.
inline std::uint64_t value_of(const Profile& profile, std::uint64_t id, unsigned depth, bool once) {
  std::uint64_t sum = own_part(id);
  const Script script = script_of(profile, id, depth, once);
  for (unsigned n = 0; n < script.children; ++n) {
    const std::uint64_t child = runtime::derive(id, n);
    const Script its = script_of(profile, child, depth + 1, once);
    sum += its.throws || its.overdue() ? failed_part(child)
                                       : value_of(profile, child, depth + 1, once);
  }
  return sum;
}

}  // namespace pp::simulation
