// What membership costs and how soon it notices, in a simulated cluster of any size.
//
//   membership_sim [nodes [loss [seconds [seed]]]]     100 nodes, no loss (0.02 is 2 %), 60 s, seed
//   1
//
// The code that ships, over the loopback network, in virtual time: its figures do not depend on the
// machine, and the same arguments give the same figures.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "simulation.hpp"

namespace pp::discovery::test {
namespace {

using namespace std::chrono_literals;
using std::chrono::seconds;

constexpr int kTimes = 10;  // that a node is silenced, killed, leaves, joins

struct Arguments {
  std::size_t nodes = 100;
  double loss = 0;
  int seconds = 60;
  std::uint64_t seed = 1;
};

double milliseconds_of(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

void print(const std::string& what, const std::string& figure) {
  std::printf("| %-58s | %s |\n", what.c_str(), figure.c_str());
  std::fflush(stdout);
}

std::string text(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

// Median and maximum, in ms.
class Times {
 public:
  void add(std::optional<Clock::duration> time) {
    if (time) {
      all_.push_back(milliseconds_of(*time));
    } else {
      ++never_;
    }
  }
  std::string text() {
    if (all_.empty()) return "never";
    std::sort(all_.begin(), all_.end());
    return test::text(all_[all_.size() / 2], 0) + " / " + test::text(all_.back(), 0) +
           (never_ > 0 ? ", " + std::to_string(never_) + " times never" : "");
  }

 private:
  std::vector<double> all_;
  int never_ = 0;
};

class Measurement {
 public:
  explicit Measurement(const Arguments& arguments)
      : arguments_(arguments), simulation_({.seed = arguments.seed, .loss = arguments.loss}) {}

  void run() {
    form();
    idle();
    silence();
    go("a kill known everywhere, ms: median / max",
       [this](std::size_t victim) { simulation_.kill(victim); });
    go("a leave known everywhere, ms: median / max",
       [this](std::size_t victim) { simulation_.leave(victim); });
    join();
    churn();
    print("false suspicions / false deaths in all that",
          std::to_string(false_suspicions_) + " / " + std::to_string(false_deaths_));
  }

 private:
  double per_node(double sum) const { return sum / static_cast<double>(simulation_.alive()); }

  // When the last of those who live has seen it; nothing if one of them has not.
  std::optional<Clock::duration> everywhere(std::size_t whom, MemberState at_least,
                                            Time since) const {
    std::vector<bool> has(simulation_.size());
    std::size_t missing = simulation_.alive() - (simulation_.lives(whom) ? 1 : 0);
    Time last = since;
    for (const Seen& seen : simulation_.seen()) {
      if (seen.whom != whom || seen.state < at_least || !simulation_.lives(seen.by) || has[seen.by])
        continue;
      has[seen.by] = true;
      --missing;
      last = std::max(last, seen.at);
    }
    return missing == 0 ? std::optional(last - since) : std::nullopt;
  }
  std::optional<Clock::duration> first(std::size_t whom, MemberState at_least, Time since) const {
    for (const Seen& seen : simulation_.seen())
      if (seen.whom == whom && seen.state >= at_least) return seen.at - since;
    return std::nullopt;
  }

  // Counts what was seen of those who live, and forgets it.
  void judge() {
    std::vector<std::size_t> suspected;
    for (const Seen& seen : simulation_.seen()) {
      if (!simulation_.lives(seen.whom)) continue;
      if (seen.state == MemberState::kSuspect) suspected.push_back(seen.whom);
      false_deaths_ += !is_present(seen.state);
    }
    std::sort(suspected.begin(), suspected.end());
    suspected.erase(std::unique(suspected.begin(), suspected.end()), suspected.end());
    false_suspicions_ += suspected.size();
    simulation_.forget_seen();
  }

  void form() {
    simulation_.start_many(arguments_.nodes, 2s);
    const Time since = simulation_.now();
    const std::size_t known = simulation_.seen().size();
    const bool agreed = simulation_.run_until([this] { return simulation_.agreed(); }, 60s);
    const bool late = simulation_.seen().size() > known;
    print("all start within 2 s; then until all know all, ms",
          agreed ? text(late ? milliseconds_of(simulation_.seen().back().at - since) : 0, 0)
                 : "not within 60 s");
    print("sessions of a node then",
          text(per_node(static_cast<double>(simulation_.figures().sessions)), 1));
    simulation_.run_for(30s);
    judge();
  }

  void idle() {
    const transport::Counters before = simulation_.counters();
    simulation_.run_for(seconds(arguments_.seconds));
    const transport::Counters after = simulation_.counters();
    words_ =
        per_node(static_cast<double>(after.words_sent - before.words_sent) / arguments_.seconds);
    print("idle: words of a node in a second", text(words_, 2));
    print("idle: bytes of these",
          text(per_node(static_cast<double>(after.bytes_sent - before.bytes_sent) /
                        arguments_.seconds),
               0));
    print("idle: sessions of a node",
          text(per_node(static_cast<double>(simulation_.figures().sessions)), 1));
    judge();
  }

  std::size_t somebody() { return simulation_.somebody(SIZE_MAX).value(); }

  // There are as many as before again.
  void replace() {
    simulation_.start();
    simulation_.run_for(6s);
    judge();
  }

  void silence() {
    Times first_suspect, all_suspect, first_dead, all_dead;
    for (int i = 0; i < kTimes; ++i) {
      // At any moment between two heartbeats.
      simulation_.run_for(std::chrono::milliseconds(137) * i);
      const std::size_t victim = somebody();
      const Time since = simulation_.now();
      simulation_.silence(victim);
      simulation_.run_for(10s);
      first_suspect.add(first(victim, MemberState::kSuspect, since));
      all_suspect.add(everywhere(victim, MemberState::kSuspect, since));
      first_dead.add(first(victim, MemberState::kSilent, since));
      all_dead.add(everywhere(victim, MemberState::kSilent, since));
      judge();
      replace();
    }
    print("a silent node suspected by the first, ms: median / max", first_suspect.text());
    print("  everywhere", all_suspect.text());
    print("  dead for the first", first_dead.text());
    print("  everywhere", all_dead.text());
  }

  template <class End>
  void go(const char* what, End end) {
    Times known;
    for (int i = 0; i < kTimes; ++i) {
      const std::size_t victim = somebody();
      const Time since = simulation_.now();
      end(victim);
      simulation_.run_for(10s);
      known.add(everywhere(victim, MemberState::kSilent, since));
      judge();
      replace();
    }
    print(what, known.text());
  }

  void join() {
    Times known, knows;
    double words = 0;
    constexpr seconds kAfter{4};
    for (int i = 0; i < kTimes; ++i) {
      simulation_.run_for(10s);
      judge();
      const transport::Counters before = simulation_.counters();
      const std::size_t others = simulation_.alive();
      const Time since = simulation_.now();
      const std::size_t newcomer = simulation_.start();
      simulation_.run_for(kAfter);
      const transport::Counters after = simulation_.counters();
      words += static_cast<double>(after.words_sent - before.words_sent) -
               words_ * static_cast<double>(others) * static_cast<double>(kAfter.count());
      known.add(everywhere(newcomer, MemberState::kAlive, since));
      Time last = since;
      for (const Seen& seen : simulation_.seen())
        if (seen.by == newcomer) last = std::max(last, seen.at);
      knows.add(simulation_.neighbourhood(newcomer).present() == others
                    ? std::optional(last - since)
                    : std::nullopt);
      simulation_.leave(somebody());
      simulation_.run_for(6s);
    }
    print("a newcomer known everywhere, ms: median / max", known.text());
    print("  knows everybody", knows.text());
    print("  words said because of it, per member",
          text(words / kTimes / static_cast<double>(arguments_.nodes), 1));
    judge();
  }

  // One joins or leaves each second.
  void churn() {
    const transport::Counters before = simulation_.counters();
    for (int second = 0; second < arguments_.seconds; ++second) {
      if (second % 2 == 0) {
        simulation_.start();
      } else {
        simulation_.leave(somebody());
      }
      simulation_.run_for(1s);
      if (second % 20 == 19) judge();
    }
    const transport::Counters after = simulation_.counters();
    print("one joins or leaves a second: words of a node in a second",
          text(per_node(static_cast<double>(after.words_sent - before.words_sent) /
                        arguments_.seconds),
               2));
    print("  bytes of these",
          text(per_node(static_cast<double>(after.bytes_sent - before.bytes_sent) /
                        arguments_.seconds),
               0));
    print("  sessions of a node",
          text(per_node(static_cast<double>(simulation_.figures().sessions)), 1));
    simulation_.run_for(10s);
    print("  all know all 10 s later", simulation_.agreed() ? "yes" : "no");
    judge();
  }

  const Arguments arguments_;
  Simulation simulation_;
  double words_ = 0;  // of an idle node in a second
  std::uint64_t false_suspicions_ = 0;
  std::uint64_t false_deaths_ = 0;
};

}  // namespace
}  // namespace pp::discovery::test

int main(int argc, char** argv) {
  pp::discovery::test::Arguments arguments;
  if (argc > 1) arguments.nodes = std::strtoull(argv[1], nullptr, 10);
  if (argc > 2) arguments.loss = std::strtod(argv[2], nullptr);
  if (argc > 3) arguments.seconds = std::atoi(argv[3]);
  if (argc > 4) arguments.seed = std::strtoull(argv[4], nullptr, 10);
  if (arguments.nodes < 2 || arguments.loss < 0 || arguments.loss > 1 || arguments.seconds < 1) {
    std::fprintf(
        stderr, "usage: membership_sim [nodes [loss [seconds [seed]]]], nodes >= 2, loss 0 to 1\n");
    return 2;
  }
  std::printf("| %zu nodes, %g %% of the words lost, seed %llu | |\n|---|---|\n", arguments.nodes,
              arguments.loss * 100, static_cast<unsigned long long>(arguments.seed));
  pp::discovery::test::Measurement(arguments).run();
}
