// submit: an empty job from outside, and its result.
#include <future>
#include <memory>
#include <vector>

#include "local.hpp"
#include "python_peer.hpp"
#include "registry.hpp"
#include "sample.hpp"
#include "timing.hpp"

namespace pp::bench {
namespace {

constexpr std::size_t kWindow = 1000;  // jobs under way

std::uint64_t same(std::uint64_t n) { return n; }

template <class Call>
int report(const Arguments& arguments, const Call& window) {
  const double seconds = typical_seconds(enough(arguments), window);
  emit(Sample{workers_text(arguments.count("workers", 1)),
              "M/s",
              kWindow / seconds / 1e6,
              std::nullopt,
              {}});
  return 0;
}

int submit_pp(const Arguments& arguments) {
  Runtime runtime(with_workers(arguments.count("workers", 1)));
  std::vector<Future<std::uint64_t>> jobs;
  jobs.reserve(kWindow);
  return report(arguments, [&runtime, &jobs] {
    for (std::uint64_t i = 0; i < kWindow; ++i) jobs.push_back(runtime.submit<same>(i));
    for (const auto& job : jobs) job.get();
    jobs.clear();
  });
}

int submit_tbb(const Arguments& arguments) {
  TbbArena tbb(arguments.count("workers", 1), 0);
  std::vector<std::future<std::uint64_t>> jobs;
  jobs.reserve(kWindow);
  return report(arguments, [&tbb, &jobs] {
    for (std::uint64_t i = 0; i < kWindow; ++i) {
      auto promise = std::make_shared<std::promise<std::uint64_t>>();
      jobs.push_back(promise->get_future());
      tbb.arena.enqueue([promise = std::move(promise), i] { promise->set_value(same(i)); });
    }
    for (auto& job : jobs) job.get();
    jobs.clear();
  });
}

}  // namespace

Case submit_case() {
  return {.name = "submit",
          .what = "empty jobs from outside and their results: submit + get, 1,000 under way",
          .contenders = {over_workers(kOurs, "submit.pp"), over_workers("oneTBB", "submit.tbb"),
                         python_over_workers(PythonPool::kFutures, "submit"),
                         python_over_workers(PythonPool::kDask, "submit")},
          .reach = {{.rows = "^1 worker$", .against = "", .bound = 2}},
          .bodies = {{"submit.pp", submit_pp}, {"submit.tbb", submit_tbb}}};
}

}  // namespace pp::bench
