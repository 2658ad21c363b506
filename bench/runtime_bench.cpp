// What a job costs inside one node, beside bare oneTBB in the same binary.
//   fork: fib with a job per call          submit: an empty job from outside and its result
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <cstdint>
#include <future>
#include <memory>
#include <pp/black_box.hpp>
#include <pp/pp.hpp>
#include <vector>

#include "queue.hpp"

namespace {

constexpr std::uint64_t kFib = 25;

// Calls of fib(n) that spawn: one job each.
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
  children.run([&] { one = tbb_fib(n - 1); });
  const std::uint64_t other = tbb_fib(n - 2);
  children.wait();
  return one + other;
}

std::uint64_t identity(std::uint64_t n) { return n; }

pp::Options options(benchmark::State& state) {
  pp::Options options;
  options.workers = static_cast<unsigned>(state.range(0));
  return options;
}

void fork_pp(benchmark::State& state) {
  pp::Runtime rt(options(state));
  for (auto _ : state) benchmark::DoNotOptimize(rt.submit<pp_fib>(kFib).get());
  state.SetItemsProcessed(static_cast<std::int64_t>(forks(kFib)) * state.iterations());
}
BENCHMARK(fork_pp)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

void fork_tbb(benchmark::State& state) {
  const int workers = static_cast<int>(state.range(0));
  oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism,
                                    static_cast<std::size_t>(workers));
  oneapi::tbb::task_arena arena(workers);
  for (auto _ : state) arena.execute([] { benchmark::DoNotOptimize(tbb_fib(kFib)); });
  state.SetItemsProcessed(static_cast<std::int64_t>(forks(kFib)) * state.iterations());
}
BENCHMARK(fork_tbb)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

constexpr int kWindow = 1000;

void submit_pp(benchmark::State& state) {
  pp::Runtime rt(options(state));
  std::vector<pp::Future<std::uint64_t>> jobs;
  jobs.reserve(kWindow);
  for (auto _ : state) {
    for (std::uint64_t i = 0; i < kWindow; ++i) jobs.push_back(rt.submit<identity>(i));
    for (const auto& job : jobs) benchmark::DoNotOptimize(job.get());
    jobs.clear();
  }
  state.SetItemsProcessed(kWindow * state.iterations());
}
BENCHMARK(submit_pp)->Arg(1)->Arg(2)->UseRealTime();

void submit_tbb(benchmark::State& state) {
  const int workers = static_cast<int>(state.range(0));
  oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism,
                                    static_cast<std::size_t>(workers) + 1);
  oneapi::tbb::task_arena arena(workers, 0);
  std::vector<std::future<std::uint64_t>> jobs;
  jobs.reserve(kWindow);
  for (auto _ : state) {
    for (std::uint64_t i = 0; i < kWindow; ++i) {
      auto promise = std::make_shared<std::promise<std::uint64_t>>();
      jobs.push_back(promise->get_future());
      arena.enqueue([promise = std::move(promise), i] { promise->set_value(identity(i)); });
    }
    for (auto& job : jobs) benchmark::DoNotOptimize(job.get());
    jobs.clear();
  }
  state.SetItemsProcessed(kWindow * state.iterations());
}
BENCHMARK(submit_tbb)->Arg(1)->Arg(2)->UseRealTime();

// Several threads submit to one worker. What they submit is kept until all is submitted, so that
// the way in is measured and not the worker's sleep.
void submit_from_threads(benchmark::State& state) {
  static std::unique_ptr<pp::Runtime> rt;
  if (state.thread_index() == 0) {
    pp::Options one;
    one.workers = 1;
    rt = std::make_unique<pp::Runtime>(one);
  }
  std::vector<pp::Future<std::uint64_t>> jobs;
  jobs.reserve(kWindow);
  for (auto _ : state) {
    for (std::uint64_t i = 0; i < kWindow; ++i) jobs.push_back(rt->submit<identity>(i));
    for (const auto& job : jobs) benchmark::DoNotOptimize(job.get());
    jobs.clear();
  }
  state.SetItemsProcessed(kWindow * state.iterations());
  if (state.thread_index() == 0) rt.reset();
}
BENCHMARK(submit_from_threads)->Threads(1)->Threads(2)->Threads(4)->UseRealTime();

// What a job costs while it waits in the queue: nobody works here.
void memory_of_queued_jobs(benchmark::State& state) {
  constexpr std::size_t kJobs = 100'000;
  pp::Options nobody;
  nobody.workers = 0;
  for (auto _ : state) {
    pp::Runtime rt(nobody);
    const std::size_t before = mallinfo2().uordblks;
    for (std::uint64_t i = 0; i < kJobs; ++i) rt.submit<identity>(i);
    state.counters["bytes_per_job"] =
        static_cast<double>(mallinfo2().uordblks - before) / static_cast<double>(kJobs);
  }
}
BENCHMARK(memory_of_queued_jobs)->Iterations(1)->Unit(benchmark::kMillisecond);

void one_at_a_time_pp(benchmark::State& state) {
  pp::Runtime rt(options(state));
  std::uint64_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(rt.submit<identity>(++i).get());
}
BENCHMARK(one_at_a_time_pp)->Arg(1)->UseRealTime();

void queue_push_take(benchmark::State& state) {
  pp::runtime::Queue queue(1);
  auto* job = pp::runtime::make_job<pp::runtime::Constant<identity>>(1u);
  for (auto _ : state) {
    queue.deque(0).push(job);
    benchmark::DoNotOptimize(queue.take(0, pp::runtime::Queue::Taker::kFree));
    job->unclaim();
  }
  job->release();
  job->release();
}
BENCHMARK(queue_push_take);

void queue_outside_push_take(benchmark::State& state) {
  pp::runtime::Queue queue(1);
  auto* job = pp::runtime::make_job<pp::runtime::Constant<identity>>(1u);
  for (auto _ : state) {
    queue.push(job);
    benchmark::DoNotOptimize(queue.take(0, pp::runtime::Queue::Taker::kFree));
    job->unclaim();
  }
  job->release();
  job->release();
}
BENCHMARK(queue_outside_push_take);

// What a job costs more under pp-launch: its worker notes that it begins, and that it has ended.
void note_in_black_box(benchmark::State& state) {
  const auto box = pp::runtime::BlackBox::make(1, 1);
  box->enter(pp::NodeId::random(), "bench", pp::runtime::FunctionTable::seal());
  pp::runtime::Recorder recorder = box->recorder(0);
  pp::runtime::JobNote note{.owner = box->self()};
  for (auto _ : state) {
    ++note.job;
    recorder.begin(note);
    recorder.end();
  }
}
BENCHMARK(note_in_black_box);

// submit_pp, noted.
void submit_noted_pp(benchmark::State& state) {
  const auto box = pp::runtime::BlackBox::make(1, 1);
  pp::Options noted = options(state);
  noted.black_box_fd = box->descriptor();
  pp::Runtime rt(noted);
  std::vector<pp::Future<std::uint64_t>> jobs;
  jobs.reserve(kWindow);
  for (auto _ : state) {
    for (std::uint64_t i = 0; i < kWindow; ++i) jobs.push_back(rt.submit<identity>(i));
    for (const auto& job : jobs) benchmark::DoNotOptimize(job.get());
    jobs.clear();
  }
  state.SetItemsProcessed(kWindow * state.iterations());
}
BENCHMARK(submit_noted_pp)->Arg(1)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
