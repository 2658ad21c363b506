// Timing: how often something is done within one repetition, and how long it takes.
#pragma once

#include <chrono>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "spread.hpp"

namespace pp::bench {

using Clock = std::chrono::steady_clock;

// Seconds that one call takes.
template <class Call>
double seconds_of(Call&& call) {
  const Clock::time_point start = Clock::now();
  std::forward<Call>(call)();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Hands what `prepare` makes to `call`, once for nothing, then again and again until the calls have
// taken `enough` seconds, three times at least unless that takes seconds: the median of the calls
// alone, in seconds.
template <class Prepare, class Call>
double typical_seconds(double enough, Prepare&& prepare, Call&& call) {
  call(prepare());
  std::vector<double> all;
  for (double spent = 0; spent < enough || (all.size() < 3 && spent < 2); spent += all.back()) {
    auto prepared = prepare();
    all.push_back(seconds_of([&] { call(std::move(prepared)); }));
  }
  return spread_of(std::move(all))->median;
}

template <class Call>
double typical_seconds(double enough, Call&& call) {
  return typical_seconds(
      enough, [] { return 0; }, [&](int) { call(); });
}

// Seconds that are enough for one figure.
inline double enough(const Arguments& arguments) { return arguments.flag("quick") ? 0.02 : 0.5; }

}  // namespace pp::bench
