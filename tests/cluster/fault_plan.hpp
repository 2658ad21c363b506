// FaultPlan: which node suffers what, and when, drawn from a seed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string_view>

namespace pp::test {

enum class FaultKind : std::uint8_t {
  kKill,     // kill -9
  kStop,     // SIGSTOP, and SIGCONT after a while
  kCut,      // the host's cable is pulled, and put back after a while
  kRestart,  // a new process under a new identity in a free place, or else in that of one that is
             // killed
  kTerm,     // SIGTERM: it is told to leave in order
};
std::string_view to_string(FaultKind kind);
std::optional<FaultKind> fault_kind(std::string_view name);
inline constexpr FaultKind kAllFaultKinds[] = {FaultKind::kKill, FaultKind::kStop, FaultKind::kCut,
                                               FaultKind::kRestart, FaultKind::kTerm};

// A node, as far as a fault minds.
struct Target {
  bool driver = false;   // is stopped or cut only, one at a time
  bool met = false;      // was a member once; before, it does not know what to do with a SIGTERM,
                         // nor without a network
  bool leaving = false;  // was told to leave, and may suffer more on its way
  bool stopped = false;
  bool cut = false;
};

struct Fault {
  FaultKind kind;
  std::optional<std::size_t> whom;   // of the targets; none: a new node in a free place
  std::chrono::milliseconds length;  // of a stop or a cut
};

// The same seed draws the same numbers; what they come to depends on who is there by then. It reads
// no clock.
class FaultPlan {
 public:
  struct Limits {
    std::chrono::milliseconds suspect{1000};  // half of the stops and cuts end about there
    std::chrono::milliseconds dead{3000};     // a quarter of them last longer than this
  };

  // REQUIRES: some kinds, a rate above 0 (faults a second, on average).
  FaultPlan(std::uint64_t seed, std::set<FaultKind> kinds, double rate, Limits limits);
  FaultPlan(std::uint64_t seed, std::set<FaultKind> kinds, double rate)
      : FaultPlan(seed, std::move(kinds), rate, Limits{}) {}

  // Until the next fault.
  std::chrono::milliseconds pause();

  // What happens next, where so many `places` for workers are free. None: nothing that it may do
  // could happen to anybody now.
  std::optional<Fault> next(std::span<const Target> targets, std::size_t places);

 private:
  std::optional<std::size_t> choose(FaultKind kind, std::span<const Target> targets,
                                    std::uint64_t drawn) const;
  std::chrono::milliseconds length(std::uint64_t drawn) const;

  const std::set<FaultKind> kinds_;
  const double rate_;
  const Limits limits_;
  std::mt19937_64 random_;
};

}  // namespace pp::test
