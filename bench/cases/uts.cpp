// uts: the unbalanced tree search over nodes and workers.
#include <oneapi/tbb/task_group.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <pp/error.hpp>
#include <pp/pp.hpp>
#include <pp/usable_cores.hpp>

#include "local.hpp"
#include "mpi_peer.hpp"
#include "parallel.hpp"
#include "registry.hpp"
#include "sample.hpp"
#include "search.hpp"
#include "timing.hpp"
#include "uts_rows.hpp"

namespace pp::bench {
namespace {

int uts_pp(const Arguments& arguments) {
  return pp::run(0, nullptr, [&arguments](Runtime& runtime) {
    const uts::Published& tree = known_tree(arguments);
    const uts::Parameters parameters = fast(tree);
    report_search(arguments, tree, [&] { return uts::search_all(runtime, parameters); });
  });
}

// The rate of one thread, times the cores of each place that this machine has.
int uts_ideal(const Arguments& arguments) {
  const uts::Published& tree = known_tree(arguments);
  const uts::Parameters parameters = fast(tree);
  const double rate =
      search_rate(arguments, tree, [&parameters] { return uts::search_all(parameters); });
  for (const Place& place : places_of(arguments))
    emit_rate(place, rate * std::min(place.shape.cores(), usable_cores()));
  return 0;
}

// Pieces as oneTBB tasks. oneTBB does not tell whether a thread is idle: a few pieces are kept
// ready for one that may be.
class TbbSearch {
 public:
  TbbSearch(const uts::Parameters& parameters, unsigned threads)
      : parameters_(parameters), most_ready_(2 * threads) {}

  uts::Counts count() {
    const uts::Node root = uts::Tree(parameters_).root();
    counts_ = uts::count_root(root);
    spread(uts::Piece{root});
    group_.wait();
    return counts_;
  }

 private:
  void spread(uts::Piece piece) {
    ready_.fetch_add(1, std::memory_order_relaxed);
    group_.run([this, piece = std::move(piece)] {
      ready_.fetch_sub(1, std::memory_order_relaxed);
      search(piece);
    });
  }
  void search(const uts::Piece& piece) {
    uts::Search search(parameters_);
    search.add(piece);
    while (!search.done()) {
      search.visit(64);
      if (search.waiting() >= 2 && ready_.load(std::memory_order_relaxed) < most_ready_)
        spread(search.take_oldest(200));
    }
    const std::lock_guard lock(mutex_);
    counts_ += search.counts();
  }

  const uts::Parameters parameters_;
  const unsigned most_ready_;
  std::atomic<unsigned> ready_{0};  // tasks not begun; a hint, so relaxed
  std::mutex mutex_;                // guards counts_: once a piece
  uts::Counts counts_;
  oneapi::tbb::task_group group_;
};

int uts_tbb(const Arguments& arguments) {
  const unsigned workers = places_of(arguments).front().shape.workers;
  const uts::Published& tree = known_tree(arguments);
  const uts::Parameters parameters = fast(tree);
  TbbArena tbb(workers);
  report_search(arguments, tree, [&] {
    return tbb.arena.execute([&] { return TbbSearch(parameters, workers).count(); });
  });
  return 0;
}

// Only the small trees are searched to see whether everything works.
bool left_out(const Settings& settings, const std::string& tree) {
  return settings.quick && tree.back() == 'L';
}

std::vector<Contender> contenders(const std::string& tree) {
  const std::string told = "tree=" + tree;
  return {{kOurs,
           [tree, told](const Settings& settings) {
             if (left_out(settings, tree)) return std::vector<Run>{};
             return runs_at(settings, places_of(settings), "uts.pp", {told});
           }},
          {"ideal",
           [tree, told](const Settings& settings) {
             if (left_out(settings, tree)) return std::vector<Run>{};
             return std::vector<Run>{
                 own_run(settings, "uts.ideal", {told, places_argument(places_of(settings))})};
           }},
          {"oneTBB",
           [tree, told](const Settings& settings) {
             std::vector<Run> runs;
             if (left_out(settings, tree)) return runs;
             for (const Place& place : one_node(places_of(settings)))
               runs.push_back(own_run(settings, "uts.tbb", {told, places_argument({place})}));
             return runs;
           }},
          mpi_at_places("uts", 0, [tree, told](const Settings& settings) {
            if (left_out(settings, tree)) return std::vector<std::string>{};
            return std::vector<std::string>{told};
          })};
}

}  // namespace

// A case, and a chart, for each tree.
std::vector<Case> uts_cases() {
  std::vector<Case> cases;
  for (const std::string tree : {"T1", "T3", "T1L", "T3L"}) {
    cases.push_back({.name = "uts-" + tree,
                     .what = "unbalanced tree search, " + tree +
                             "; ideal: one thread's rate without jobs, times the cores",
                     .contenders = contenders(tree),
                     .reach = {},
                     .bodies = {},
                     .chart = {.x = "cores", .logarithmic_x = false, .logarithmic_y = false}});
    if (tree.back() == 'L') {
      cases.back().reach = {{.rows = "^2 x 1", .against = "ideal", .bound = 0.97},
                            {.rows = "^4 x 1", .against = "ideal", .bound = 0.95}};
    }
  }
  cases.front().bodies = {{"uts.pp", uts_pp}, {"uts.ideal", uts_ideal}, {"uts.tbb", uts_tbb}};
  return cases;
}

}  // namespace pp::bench
