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

constexpr std::size_t kUnderWay = 64;  // jobs: each holds a copy

int argument_pp(const Arguments& arguments) {
  return drive_others([&arguments](Runtime& runtime) {
    const std::size_t jobs = arguments.flag("quick") ? 50 : 1000;
    const Numbers numbers((arguments.flag("quick") ? 1 << 13 : 1 << 17), 7);
    runtime.submit<look_at>(numbers, 0).get();
    const std::uint64_t before = runtime.stats().bytes;
    const double seconds = seconds_of([&] {
      for (std::size_t begun = 0; begun < jobs; begun += kUnderWay) {
        std::vector<Future<std::uint64_t>> results;
        for (std::size_t i = begun; i < std::min(jobs, begun + kUnderWay); ++i)
          results.push_back(runtime.submit<look_at>(numbers, i));
        for (const auto& result : results) result.get();
      }
    });
    const auto sent = static_cast<double>(runtime.stats().bytes - before);
    const std::string lane = arguments.text("lane", "");
    const auto count = static_cast<double>(jobs);
    emit(Sample{"plain, " + lane, "jobs/s", count / seconds, {}, {}});
    emit(Sample{"plain, sent for each job, " + lane, "bytes", sent / count, {}, {}});
  });
}

}  // namespace

Case argument_case() {
  return {.name = "argument",
          .what = "the same argument of 1 MiB for 1,000 jobs of another node",
          .contenders = {over_lanes("argument.pp")},
          .reach = {},
          .bodies = {{"argument.pp", argument_pp}}};
}

}  // namespace pp::bench
