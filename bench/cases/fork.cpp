// fork: a job per call of a recursion, and its result.
#include <oneapi/tbb/task_group.h>

#include <cstdlib>

#include "local.hpp"
#include "registry.hpp"
#include "sample.hpp"
#include "timing.hpp"

namespace pp::bench {
namespace {

constexpr std::uint64_t kResult = 75'025;  // fib(25)
constexpr std::uint64_t kFib = 25;

// Calls of fib(n) that fork.
constexpr std::uint64_t forks(std::uint64_t n) {
  return n < 2 ? 0 : 1 + forks(n - 1) + forks(n - 2);
}

std::uint64_t pp_fib(std::uint64_t n) {
  if (n < 2) return n;
  auto child = pp::spawn<pp_fib>(n - 1);
  const std::uint64_t other = pp_fib(n - 2);
  return child.get() + other;
}

std::uint64_t tbb_fib(std::uint64_t n) {
  if (n < 2) return n;
  std::uint64_t one = 0;
  oneapi::tbb::task_group children;
  children.run([&one, n] { one = tbb_fib(n - 1); });
  const std::uint64_t other = tbb_fib(n - 2);
  children.wait();
  return one + other;
}

template <class Call>
int report(const Arguments& arguments, const Call& fib) {
  const double seconds = typical_seconds(enough(arguments), [&fib] {
    if (fib() != kResult) std::abort();
  });
  emit(Sample{workers_text(arguments.count("workers", 1)),
              "ns",
              seconds * 1e9 / static_cast<double>(forks(kFib)),
              std::nullopt,
              {}});
  return 0;
}

int fork_pp(const Arguments& arguments) {
  Runtime runtime(with_workers(arguments.count("workers", 1)));
  return report(arguments, [&runtime] { return runtime.submit<pp_fib>(kFib).get(); });
}

int fork_tbb(const Arguments& arguments) {
  TbbArena tbb(arguments.count("workers", 1));
  return report(arguments, [&tbb] { return tbb.arena.execute([] { return tbb_fib(kFib); }); });
}

}  // namespace

Case fork_case() {
  return {.name = "fork",
          .what = "a nested job and its result: spawn + get, fib(25), per fork",
          .contenders = {over_workers(kOurs, "fork.pp"), over_workers("oneTBB", "fork.tbb")},
          .reach = {{.rows = "", .against = "oneTBB", .bound = 1}},
          .bodies = {{"fork.pp", fork_pp}, {"fork.tbb", fork_tbb}}};
}

}  // namespace pp::bench
