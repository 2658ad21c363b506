// What a call of a map costs, beside a plain loop and bare oneTBB in the same binary.
//   map: 10^6 calls of an empty function, from a vector to a vector of results, made each time
//   for: 10^6 calls over indices, without results
//   logged: the same with a job log on the disk of the temporary folder
#include <benchmark/benchmark.h>
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>

#include <cstdint>
#include <filesystem>
#include <numeric>
#include <pp/pp.hpp>
#include <vector>

namespace {

constexpr int kCalls = 1'000'000;

[[gnu::noinline]] int identity(int n) { return n; }
[[gnu::noinline]] void nothing(int n) { benchmark::DoNotOptimize(n); }

const std::vector<int>& numbers() {
  static const std::vector<int> values = [] {
    std::vector<int> made(kCalls);
    std::iota(made.begin(), made.end(), 0);
    return made;
  }();
  return values;
}

pp::Options options(const benchmark::State& state) {
  pp::Options options;
  options.workers = static_cast<unsigned>(state.range(0));
  return options;
}

oneapi::tbb::global_control limit(const benchmark::State& state) {
  return {oneapi::tbb::global_control::max_allowed_parallelism,
          static_cast<std::size_t>(state.range(0))};
}

void count_calls(benchmark::State& state) {
  state.counters["call"] = benchmark::Counter(
      kCalls, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void map_pp(benchmark::State& state) {
  pp::Runtime rt(options(state));
  for (auto _ : state) benchmark::DoNotOptimize(rt.map<identity>(numbers()).get().data());
  count_calls(state);
}
BENCHMARK(map_pp)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

// A job log that is removed with it.
class LogFile {
 public:
  LogFile() : name_(std::filesystem::temp_directory_path() / "pp_map_bench.log") {
    std::filesystem::remove(name_);
  }
  ~LogFile() { std::filesystem::remove(name_); }
  pp::Options named_in(pp::Options options) const {
    options.joblog = name_;
    return options;
  }

 private:
  const std::filesystem::path name_;
};

// The elements are hashed, too: 4 bytes each.
void map_pp_logged(benchmark::State& state) {
  const LogFile log;
  pp::Runtime rt(log.named_in(options(state)));
  for (auto _ : state) benchmark::DoNotOptimize(rt.map<identity>(numbers()).get().data());
  count_calls(state);
}
BENCHMARK(map_pp_logged)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

// All of it is in the log: what a resumed map costs instead of its calls.
void map_pp_resumed(benchmark::State& state) {
  const LogFile log;
  {
    pp::Runtime rt(log.named_in(options(state)));
    rt.map<identity>(numbers()).get();
  }
  pp::Options resuming = log.named_in(options(state));
  resuming.resume = true;
  for (auto _ : state) {
    pp::Runtime rt(resuming);
    benchmark::DoNotOptimize(rt.map<identity>(numbers()).get().data());
  }
  count_calls(state);
}
BENCHMARK(map_pp_resumed)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

void map_tbb(benchmark::State& state) {
  const auto limited = limit(state);
  for (auto _ : state) {
    std::vector<int> results(kCalls);
    oneapi::tbb::parallel_for(oneapi::tbb::blocked_range<int>(0, kCalls), [&](const auto& part) {
      for (int i = part.begin(); i < part.end(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        results[at] = identity(numbers()[at]);
      }
    });
    benchmark::DoNotOptimize(results.data());
  }
  count_calls(state);
}
BENCHMARK(map_tbb)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

void map_loop(benchmark::State& state) {
  for (auto _ : state) {
    std::vector<int> results(kCalls);
    for (std::size_t i = 0; i < results.size(); ++i) results[i] = identity(numbers()[i]);
    benchmark::DoNotOptimize(results.data());
  }
  count_calls(state);
}
BENCHMARK(map_loop)->UseRealTime()->Unit(benchmark::kMillisecond);

void for_pp(benchmark::State& state) {
  pp::Runtime rt(options(state));
  for (auto _ : state) rt.parallel_for<nothing>(0, kCalls).get();
  count_calls(state);
}
BENCHMARK(for_pp)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

void for_pp_logged(benchmark::State& state) {
  const LogFile log;
  pp::Runtime rt(log.named_in(options(state)));
  for (auto _ : state) rt.parallel_for<nothing>(0, kCalls).wait();
  count_calls(state);
}
BENCHMARK(for_pp_logged)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

void for_tbb(benchmark::State& state) {
  const auto limited = limit(state);
  for (auto _ : state) oneapi::tbb::parallel_for(0, kCalls, nothing);
  count_calls(state);
}
BENCHMARK(for_tbb)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

void for_loop(benchmark::State& state) {
  for (auto _ : state) {
    for (int i = 0; i < kCalls; ++i) nothing(i);
  }
  count_calls(state);
}
BENCHMARK(for_loop)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
