// Runner: takes the contenders of a case in turn, so that what disturbs the machine disturbs all.
#pragma once

#include <functional>
#include <string>

#include "case.hpp"
#include "results.hpp"
#include "subprocess.hpp"

namespace pp::bench {

// Starts a run and comes back with what it printed.
using Start = std::function<Outcome(const Run&)>;
// Told before each run, for whoever watches.
using Watch = std::function<void(const std::string& sentence)>;

// Runs everything `repetitions` times: first every contender's first run, then every one's second,
// and so on; then all of that again. A run that fails is not repeated.
CaseResult run_case(const Case& measured, const Settings& settings, unsigned repetitions,
                    const Start& start, const Watch& watch);

// The words that start it: pp-launch and its options in front, when it is a cluster.
std::vector<std::string> command_line(const Run& run, const Settings& settings);

}  // namespace pp::bench
