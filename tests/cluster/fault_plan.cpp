// FaultPlan: the draws.
#include "fault_plan.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace pp::test {
namespace {

using std::chrono::milliseconds;

// One of so many faults that could be the driver's is: without it nothing is begun or lost.
constexpr std::uint64_t kDriverEvery = 10;

bool may_suffer(FaultKind kind, const Target& target) {
  if (target.driver && (target.stopped || target.cut)) return false;
  switch (kind) {
    case FaultKind::kKill:
    case FaultKind::kRestart:
      return !target.driver;
    case FaultKind::kStop:
      return !target.stopped;
    case FaultKind::kCut:
      return !target.cut && (target.driver || target.met);
    case FaultKind::kTerm:
      return !target.driver && target.met && !target.leaving;
  }
  return false;
}

double fraction(std::uint64_t drawn) { return std::ldexp(static_cast<double>(drawn >> 11), -53); }

}  // namespace

std::string_view to_string(FaultKind kind) {
  switch (kind) {
    case FaultKind::kKill:
      return "kill";
    case FaultKind::kStop:
      return "stop";
    case FaultKind::kCut:
      return "cut";
    case FaultKind::kRestart:
      return "restart";
    case FaultKind::kTerm:
      return "term";
  }
  return "?";
}

std::optional<FaultKind> fault_kind(std::string_view name) {
  for (const FaultKind kind : kAllFaultKinds)
    if (name == to_string(kind)) return kind;
  return std::nullopt;
}

FaultPlan::FaultPlan(std::uint64_t seed, std::set<FaultKind> kinds, double rate, Limits limits)
    : kinds_(std::move(kinds)), rate_(rate), limits_(limits), random_(seed) {}

// As of events that know nothing of each other; nobody waits for one longer than five times the
// mean.
milliseconds FaultPlan::pause() {
  const double seconds = std::min(-std::log(1 - fraction(random_())), 5.0) / rate_;
  return milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

std::optional<Fault> FaultPlan::next(std::span<const Target> targets, std::size_t places) {
  // As many draws whatever comes of them, so that one fault does not move all that follow.
  const std::uint64_t which = random_();
  const std::uint64_t whom = random_();
  const std::uint64_t how_long = random_();

  const auto workers =
      static_cast<std::size_t>(std::ranges::count_if(targets, [](const Target& target) {
        return !target.driver && !target.leaving && !target.stopped && !target.cut;
      }));
  // Somebody must be left to suffer, and to run what may not run at the driver.
  if (places > 0 && workers <= 1) return Fault{FaultKind::kRestart, std::nullopt, milliseconds(0)};

  std::vector<FaultKind> order(kinds_.begin(), kinds_.end());
  std::ranges::rotate(order, order.begin() + static_cast<std::ptrdiff_t>(which % order.size()));
  for (const FaultKind kind : order) {
    if (kind == FaultKind::kRestart && places > 0)
      return Fault{kind, std::nullopt, milliseconds(0)};
    if (const std::optional<std::size_t> chosen = choose(kind, targets, whom))
      return Fault{kind, chosen, length(how_long)};
  }
  return std::nullopt;
}

std::optional<std::size_t> FaultPlan::choose(FaultKind kind, std::span<const Target> targets,
                                             std::uint64_t drawn) const {
  std::vector<std::size_t> workers;
  std::optional<std::size_t> driver;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (!may_suffer(kind, targets[i])) continue;
    if (targets[i].driver) {
      driver = i;
    } else {
      workers.push_back(i);
    }
  }
  if (driver && (workers.empty() || drawn % kDriverEvery == 0)) return driver;
  if (workers.empty()) return std::nullopt;
  return workers[drawn / kDriverEvery % workers.size()];
}

milliseconds FaultPlan::length(std::uint64_t drawn) const {
  const double part = fraction(drawn);
  const auto between = [](milliseconds from, milliseconds to, double at) {
    return from +
           milliseconds(static_cast<std::int64_t>(static_cast<double>((to - from).count()) * at));
  };
  if (part < 0.75) return between(milliseconds(50), limits_.suspect * 2, part / 0.75);
  return between(limits_.dead, limits_.dead * 2, (part - 0.75) / 0.25);
}

}  // namespace pp::test
