// skew, primes, grain: bags of jobs by pp, by oneTBB, and by peers.
#include <oneapi/tbb/task_group.h>

#include <pp/pp.hpp>

#include "bag.hpp"
#include "local.hpp"
#include "mpi_peer.hpp"
#include "python_peer.hpp"
#include "registry.hpp"
#include "timing.hpp"
#include "work.hpp"

namespace pp::bench {
namespace {

template <auto job>
double by_pp(Runtime& runtime, const Bag& bag) {
  std::vector<Future<std::uint64_t>> results;
  results.reserve(bag.jobs.size());
  return seconds_of([&] {
    for (const std::uint64_t each : bag.jobs) results.push_back(runtime.submit<job>(each));
    for (std::size_t i = 0; i < results.size(); ++i) bag.check(bag.jobs[i], results[i].get());
  });
}

double by_tbb(TbbArena& tbb, const Bag& bag) {
  std::vector<std::uint64_t> results(bag.jobs.size());
  const double seconds = seconds_of([&] {
    tbb.arena.execute([&] {
      oneapi::tbb::task_group group;
      for (std::size_t i = 0; i < bag.jobs.size(); ++i)
        group.run([&bag, &results, i] { results[i] = bag.run(bag.jobs[i]); });
      group.wait();
    });
  });
  for (std::size_t i = 0; i < results.size(); ++i) bag.check(bag.jobs[i], results[i]);
  return seconds;
}

// The driver of a launch submits each job.
template <BagTest test>
int measure_pp(const Arguments& arguments) {
  return pp::run(0, nullptr, [&arguments](Runtime& runtime) {
    test(arguments, places_of(arguments).front(), [&runtime](const Bag& bag) {
      return bag.primes ? by_pp<sum_primes>(runtime, bag) : by_pp<burn>(runtime, bag);
    });
  });
}

template <BagTest test>
int measure_tbb(const Arguments& arguments) {
  for (const Place& place : places_of(arguments)) {
    TbbArena tbb(place.shape.workers);
    test(arguments, place, [&tbb](const Bag& bag) { return by_tbb(tbb, bag); });
  }
  return 0;
}

// pp at every place with several cores, oneTBB in one node, the peers beside processes.
std::vector<Contender> contenders(const std::string& name) {
  return {{kOurs,
           [name](const Settings& settings) {
             return runs_at(settings, parallel_places(settings), name + ".pp");
           }},
          {"oneTBB",
           [name](const Settings& settings) {
             std::vector<Run> runs;
             for (const Place& place : one_node(parallel_places(settings)))
               runs.push_back(own_run(settings, name + ".tbb", {places_argument({place})}));
             return runs;
           }},
          mpi_at_places(name, 1),  // a master beside the workers
          python_at_places(PythonPool::kFutures, name),
          python_at_places(PythonPool::kDask, name)};
}

}  // namespace

Case skew_case() {
  return {.name = "skew",
          .what = "10,000 jobs of 10 us to 10 ms (Pareto), each submitted; ideal: alone / cores",
          .contenders = contenders("skew"),
          .reach = {{.rows = "^2 x 1", .against = "", .bound = 97}},
          .bodies = {{"skew.pp", measure_pp<skew_test>}, {"skew.tbb", measure_tbb<skew_test>}}};
}

Case primes_case() {
  return {
      .name = "primes",
      .what = "sum_primes, the eight jobs of Parallel Python's example; ideal: alone / cores",
      .contenders = contenders("primes"),
      .reach = {},
      .bodies = {{"primes.pp", measure_pp<primes_test>}, {"primes.tbb", measure_tbb<primes_test>}}};
}

Case grain_case() {
  return {.name = "grain",
          .what = "efficiency over the length of jobs; METG: the smallest that has 50 % and 95 %",
          .contenders = contenders("grain"),
          .reach = {},
          .bodies = {{"grain.pp", measure_pp<grain_test>}, {"grain.tbb", measure_tbb<grain_test>}},
          .chart = {.x = "length of a job, us", .logarithmic_x = true, .logarithmic_y = false}};
}

}  // namespace pp::bench
