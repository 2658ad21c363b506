// simulate: one history of a cluster: what happens to it by seed, and whether it kept its promises.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agenda.hpp"
#include "history.hpp"
#include "network.hpp"
#include "rules.hpp"
#include "script.hpp"
#include "sim_node.hpp"

namespace pp::simulation {

// What befalls a cluster.
enum class Fault : std::uint8_t {
  kCrash,      // a process is killed, or a machine loses its power; most start again
  kStop,       // a process is stopped for a while
  kBreak,      // a connection breaks
  kCut,        // one machine does not hear another one for a while, or neither hears the other
  kPartition,  // two parts of the cluster do not hear each other
  kSlow,       // a wire, or a node's courier, takes long
  kJump,       // a clock goes forward, as that of a virtual machine that was suspended
  kDrain,      // a node is told to leave
  kEnd,        // a node ends in order
  kWorkers,    // a node's number of workers changes
  kJoin,       // a node comes late
  kPoison,     // some jobs end whichever node runs them
};
inline constexpr std::size_t kFaults = 12;
std::string_view to_string(Fault fault);
constexpr Fault fault_at(std::size_t place) { return static_cast<Fault>(place); }
// Throws pp::Error for a word that is none.
Fault fault_named(std::string_view word);

struct FaultSet {
  std::uint32_t bits = 0;
  bool contains(Fault fault) const { return bits >> static_cast<unsigned>(fault) & 1; }
  void add(Fault fault) { bits |= 1U << static_cast<unsigned>(fault); }
};

// What kind of cluster it is, where chance would seldom make one.
enum class Scene : std::uint8_t {
  kAny,
  kPoison,   // one owner, many to try on what kills them; nothing else befalls them
  kLong,     // jobs that take seconds, most of them cancelled
  kResults,  // large results for an owner that is stopped for a while
  kLaunch,   // of a launch, whose driver dies, is silent or ends
  kCrowd,    // more than have sessions with everybody; there is work while idle ones are closed
  kBlobs,    // large arguments and results, many of them alike
};
inline constexpr std::size_t kScenes = 7;
std::string_view to_string(Scene scene);
// Throws pp::Error for a word that is none.
Scene scene_named(std::string_view word);

// What is promised beyond what the code keeps today; each is to become true for good.
struct Promises {
  // A node that has said goodbye does not let its own jobs wait for ever for one that only others
  // may run.
  bool leavers_serve = true;
  // A node that ends while jobs run gives back at once what it has not begun: otherwise two such
  // nodes may wait for each other for ever, each with a job that waits for one which the other has.
  bool ends_give_back = true;
  // A session that is replaced, or breaks while both nodes live, costs no loan.
  bool links_survive = true;
};

struct Plan {
  std::uint64_t seed = 1;
  std::optional<FaultSet> faults;    // otherwise the seed draws
  std::optional<std::size_t> nodes;  // likewise
  Scene scene = Scene::kAny;
  Promises promises;
  runtime::Rule broken = runtime::Rule::kNone;  // this one does not hold
  std::size_t most_lines = 0;  // of the history, the last ones, to be kept for reading
};

struct Outcomes {
  std::string failure;  // empty: every promise was kept
  std::uint64_t hash = 0;
  std::deque<std::string> lines;
  Duration virtual_time{0};
  std::array<std::uint64_t, kFaults> faults{};
  std::uint64_t nodes = 0, steps = 0, messages = 0, words = 0, sessions = 0;
  std::uint64_t jobs = 0, executions = 0, again = 0;  // attempts after the first
  std::uint64_t roots = 0, values = 0, failures = 0;
  std::uint64_t largest_backlog = 0, largest_kept = 0;  // bytes
  std::uint64_t most_deaths = 0;                        // by one job
  // Of the shared blame at which a job fails, borne by one that has ended with a value; in %.
  std::uint64_t most_shared = 0;
};

// One seed, one history: the same plan, the same outcomes.
Outcomes simulate(const Plan& plan);

}  // namespace pp::simulation
