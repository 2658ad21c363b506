// Chaos: a cluster at work, and what is done to it.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "fault_plan.hpp"

namespace pp::test {

struct ChaosSettings {
  bool on_hosts = false;
  int nodes = 5;         // the driver included; more workers than that there never are
  unsigned workers = 1;  // jobs at a time of each node
  int faults = 100;
  double rate = 2;  // faults a second, on average
  std::set<FaultKind> kinds{std::begin(kAllFaultKinds), std::end(kAllFaultKinds)};
  std::string work = "uts,fib,map,bulk";
  std::uint64_t seed = 1;
  std::string fabric = "auto";    // "shm": memory, or no lane; else PP_FABRIC, without memory
  unsigned retries = 1000;        // PP_RETRIES
  bool launch = false;            // all belong to one launch: workers leave when the driver does
  std::chrono::seconds limit{0};  // of all of it; 0: as long as the faults take, and much more
  std::chrono::seconds round_limit{90};  // without a round that ends: a hang
  std::string timeline;                  // a file for every fault and every line, with its time

  // Given by the program.
  std::string program;  // chaos_app
  std::string keygen;   // pp-keygen
};

// What came of it.
struct ChaosReport {
  using Milliseconds = std::vector<std::chrono::milliseconds>;

  std::map<FaultKind, int> faults;
  int driver_faults = 0;  // of these: the driver's
  int killed = 0;         // workers, by kill and by restart
  std::chrono::milliseconds took{0};
  std::size_t rounds = 0, wrong_rounds = 0;
  std::chrono::milliseconds longest_round{0};
  std::string deliveries;  // the driver's sentence
  std::string statistics;  // the driver's, as JSON
  // From the fault to an owner's word that what the node had borrowed from it is queued again. A
  // restart of a worker counts as its kill.
  std::map<FaultKind, Milliseconds> recoveries;
  Milliseconds disturbed_recoveries;  // while the owner itself was stopped or cut off
  Milliseconds trials;                // from then until a suspect was tried alone
  std::size_t jobs_queued_again = 0;
  std::vector<std::string> complaints;  // empty: everything was exact, and nothing hung

  bool exact() const { return complaints.empty(); }
};

// Nothing is thrown for what the cluster does wrong: that is a complaint. Throws
// std::runtime_error for what cannot be begun.
ChaosReport cause_chaos(const ChaosSettings& settings);

void print(std::ostream& out, const ChaosReport& report);

}  // namespace pp::test
