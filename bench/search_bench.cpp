// Three searches that split themselves as they go: alone, in pp, and written with oneTBB directly.
//   fib: fib(32), a job per call     uts: the tree T1, whose shape nobody can predict
//   queens: 12 queens, a job per board of up to four rows
// The lines of one search share hashes, boards and every other part that is not about jobs, and
// each of them has to find the known answer. Items are calls that fork, nodes and boards.
#include <benchmark/benchmark.h>
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_reduce.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <pp/pp.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "parallel.hpp"
#include "queens.hpp"
#include "search.hpp"

namespace {

// What one run has to find, and over how many items its time is spread.
struct Task {
  std::uint64_t answer;
  std::int64_t items;
};

template <typename Run>
void measure(benchmark::State& state, const Task& task, const Run& run) {
  for (auto _ : state) {
    if (run() != task.answer) {
      state.SkipWithError("the answer is not the known one");
      break;
    }
  }
  state.SetItemsProcessed(task.items * state.iterations());
}

// run(runtime), with as many workers as the benchmark's argument says.
template <typename Run>
void measure_pp(benchmark::State& state, const Task& task, const Run& run) {
  pp::Options options;
  options.workers = static_cast<unsigned>(state.range(0));
  pp::Runtime runtime(options);
  measure(state, task, [&runtime, &run] { return run(runtime); });
}

// run() in an arena of that many threads, the calling one among them.
template <typename Run>
void measure_tbb(benchmark::State& state, const Task& task, const Run& run) {
  const int workers = static_cast<int>(state.range(0));
  oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism,
                                    static_cast<std::size_t>(workers));
  oneapi::tbb::task_arena arena(workers);
  measure(state, task, [&arena, &run] { return arena.execute(run); });
}

void one_and_two_workers(benchmark::internal::Benchmark* bench) {
  bench->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
}

void one_thread(benchmark::internal::Benchmark* bench) {
  bench->UseRealTime()->Unit(benchmark::kMillisecond);
}

// fib

constexpr std::uint64_t kFib = 32;
constexpr Task kFibTask{2'178'309, 3'524'577};  // fib(33) - 1 calls fork

std::uint64_t fib(std::uint64_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

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

void fib_sequential(benchmark::State& state) {
  std::uint64_t n = kFib;
  measure(state, kFibTask, [&n] {
    benchmark::DoNotOptimize(n);  // or the compiler computes it
    return fib(n);
  });
}
BENCHMARK(fib_sequential)->Apply(one_thread);

void fib_pp(benchmark::State& state) {
  measure_pp(state, kFibTask,
             [](pp::Runtime& runtime) { return runtime.submit<pp_fib>(kFib).get(); });
}
BENCHMARK(fib_pp)->Apply(one_and_two_workers);

void fib_tbb(benchmark::State& state) {
  measure_tbb(state, kFibTask, [] { return tbb_fib(kFib); });
}
BENCHMARK(fib_tbb)->Apply(one_and_two_workers);

// uts

constexpr Task kT1Task{4'130'071, 4'130'071};

uts::Parameters t1() {
  uts::Parameters parameters = uts::published("T1")->parameters;
  parameters.sha1 = uts::fastest();
  return parameters;
}

// T1 with a task for every node above the cut-off that has children; what lies below it is part of
// the task. Of what was tried with oneTBB this is the fastest: it does not tell whether a thread is
// idle, and keeping pieces of a stack ready for one that may be, as pp does for one that is, gained
// next to nothing on a second thread.
class CutOffSearch {
 public:
  CutOffSearch(const uts::Parameters& parameters, std::uint32_t cut_off)
      : cut_off_(cut_off), threads_(Thread{uts::Search(parameters), {}}) {}

  std::uint64_t count() {
    const uts::Node root = threads_.local().below.tree().root();
    visit(root);
    group_.wait();
    uts::Counts counts = uts::count_root(root);
    for (const Thread& thread : threads_) {
      counts += thread.above;
      counts += thread.below.counts();
    }
    return counts.nodes;
  }

 private:
  struct Thread {
    uts::Search below;
    uts::Counts above;
  };

  void visit(const uts::Node& node) {
    Thread& thread = threads_.local();
    if (node.depth >= cut_off_) {
      thread.below.add({&node, 1});
      thread.below.visit(std::numeric_limits<std::uint32_t>::max());
      return;
    }
    uts::Tree& tree = thread.below.tree();
    std::array<uts::State, 100> hashed;  // a node of T1 has no more children
    const std::span states(hashed.data(), node.children);
    hash_children(tree.sha1(), node.state, 0, states);
    const std::uint32_t depth = node.depth + 1;
    thread.above.nodes += node.children;
    for (const uts::State& state : states) {
      const std::uint32_t children = tree.children(state, depth);
      if (children == 0) continue;
      group_.run([this, child = uts::Node{state, depth, children}] { visit(child); });
    }
  }

  const std::uint32_t cut_off_;
  oneapi::tbb::enumerable_thread_specific<Thread> threads_;
  oneapi::tbb::task_group group_;
};

void uts_sequential(benchmark::State& state) {
  const uts::Parameters parameters = t1();
  measure(state, kT1Task, [&parameters] { return uts::search_all(parameters).nodes; });
  state.SetLabel(std::string(name(parameters.sha1)));
}
BENCHMARK(uts_sequential)->Apply(one_thread);

void uts_pp(benchmark::State& state) {
  const uts::Parameters parameters = t1();
  measure_pp(state, kT1Task, [&parameters](pp::Runtime& runtime) {
    return uts::search_all(runtime, parameters).nodes;
  });
}
BENCHMARK(uts_pp)->Apply(one_and_two_workers);

// About 1,000 nodes below each node there.
constexpr std::uint32_t kCutOff = 5;

void uts_tbb_cut_off(benchmark::State& state) {
  const uts::Parameters parameters = t1();
  measure_tbb(state, kT1Task, [&parameters] { return CutOffSearch(parameters, kCutOff).count(); });
}
BENCHMARK(uts_tbb_cut_off)->Apply(one_and_two_workers);

void uts_tbb_task_per_node(benchmark::State& state) {
  const uts::Parameters parameters = t1();
  measure_tbb(state, kT1Task, [&parameters] {
    return CutOffSearch(parameters, std::numeric_limits<std::uint32_t>::max()).count();
  });
}
BENCHMARK(uts_tbb_task_per_node)->Apply(one_and_two_workers);

// queens

constexpr queens::Board kEmptyBoard{.rows = 12};
constexpr std::uint32_t kRowsSplit = 4;  // as in the program nqueens
constexpr Task kQueensTask{queens::kKnownSolutions[kEmptyBoard.rows], 856'189};

std::uint64_t pp_solve(queens::Board board) {
  if (board.filled >= kRowsSplit) return solutions(board);
  std::vector<pp::Future<std::uint64_t>> parts;
  for (const queens::Board& next : next_boards(board)) {
    parts.push_back(pp::spawn<pp_solve>(next));
  }
  std::uint64_t sum = 0;
  for (; !parts.empty(); parts.pop_back()) sum += parts.back().get();
  return sum;
}

std::uint64_t tbb_solve(const queens::Board& board) {
  if (board.filled >= kRowsSplit) return solutions(board);
  const std::vector<queens::Board> next = next_boards(board);
  std::vector<std::uint64_t> parts(next.size());
  oneapi::tbb::task_group group;
  for (std::size_t i = 0; i < next.size(); ++i) {
    group.run([&next, &parts, i] { parts[i] = tbb_solve(next[i]); });
  }
  group.wait();
  return std::accumulate(parts.begin(), parts.end(), std::uint64_t{0});
}

// The boards with kRowsSplit rows are made first, then shared out.
std::uint64_t tbb_solve_prefixes() {
  std::vector<queens::Board> boards{kEmptyBoard};
  for (std::uint32_t row = 0; row < kRowsSplit; ++row) {
    std::vector<queens::Board> longer;
    for (const queens::Board& board : boards) {
      const std::vector<queens::Board> next = next_boards(board);
      longer.insert(longer.end(), next.begin(), next.end());
    }
    boards = std::move(longer);
  }
  using Range = oneapi::tbb::blocked_range<std::size_t>;
  return oneapi::tbb::parallel_reduce(
      Range(0, boards.size()), std::uint64_t{0},
      [&boards](const Range& range, std::uint64_t sum) {
        for (std::size_t i = range.begin(); i != range.end(); ++i) sum += solutions(boards[i]);
        return sum;
      },
      std::plus<>());
}

void queens_sequential(benchmark::State& state) {
  measure(state, kQueensTask, [] { return solutions(kEmptyBoard); });
}
BENCHMARK(queens_sequential)->Apply(one_thread);

void queens_pp(benchmark::State& state) {
  measure_pp(state, kQueensTask,
             [](pp::Runtime& runtime) { return runtime.submit<pp_solve>(kEmptyBoard).get(); });
}
BENCHMARK(queens_pp)->Apply(one_and_two_workers);

void queens_tbb_task_group(benchmark::State& state) {
  measure_tbb(state, kQueensTask, [] { return tbb_solve(kEmptyBoard); });
}
BENCHMARK(queens_tbb_task_group)->Apply(one_and_two_workers);

void queens_tbb_reduce(benchmark::State& state) {
  measure_tbb(state, kQueensTask, tbb_solve_prefixes);
}
BENCHMARK(queens_tbb_reduce)->Apply(one_and_two_workers);

}  // namespace

BENCHMARK_MAIN();
