// argument: the same large argument for many jobs.
#include <algorithm>

#include "registry.hpp"
#include "remote.hpp"
#include "sample.hpp"
#include "timing.hpp"
#include "unit.hpp"

namespace pp::bench {
namespace {

using Numbers = std::vector<std::uint64_t>;

std::uint64_t look_at(const Numbers& numbers, std::uint64_t at) { return numbers[at]; }

std::uint64_t look_at_shared(const Shared<Numbers>& numbers, std::uint64_t at) {
  return (*numbers)[at];
}

constexpr std::size_t kUnderWay = 64;  // jobs: each holds a copy of an argument that is not shared

// Runs `jobs` of them, from nothing: the argument is not there yet.
template <auto f, class Argument>
void measure(Runtime& runtime, const Arguments& arguments, const std::string& name,
             std::size_t jobs, const Argument& argument) {
  const std::uint64_t before = runtime.stats().bytes;
  const double seconds = seconds_of([&] {
    for (std::size_t begun = 0; begun < jobs; begun += kUnderWay) {
      std::vector<Future<std::uint64_t>> results;
      for (std::size_t i = begun; i < std::min(jobs, begun + kUnderWay); ++i)
        results.push_back(runtime.submit<f>(argument, i));
      for (const auto& result : results) result.get();
    }
  });
  const auto sent = static_cast<double>(runtime.stats().bytes - before);
  const std::string lane = ", " + arguments.text("lane", "");
  emit(Sample{name + lane, "jobs/s", static_cast<double>(jobs) / seconds, {}, {}});
  emit(Sample{name + ", sent for all jobs" + lane, "bytes", sent, {}, {}});
}

int argument_pp(const Arguments& arguments) {
  return drive_others([&arguments](Runtime& runtime) {
    const bool quick = arguments.flag("quick");
    const std::size_t jobs = quick ? 50 : 1000;
    const Numbers one(quick ? 1 << 13 : 1 << 17, 7);
    const Numbers large(quick ? 1 << 16 : 1 << 23, 8);
    runtime.submit<look_at>(Numbers(1), 0).get();  // somebody is there, and warm
    measure<look_at>(runtime, arguments, "1 MiB, plain", jobs, one);
    measure<look_at_shared>(runtime, arguments, "64 MiB, shared", jobs, share(large));
  });
}

}  // namespace

Case argument_case() {
  return {.name = "argument",
          .what = "the same argument for 1,000 jobs of another node, at first not there",
          .contenders = {over_lanes("argument.pp")},
          .reach = {},
          .bodies = {{"argument.pp", argument_pp}}};
}

}  // namespace pp::bench
