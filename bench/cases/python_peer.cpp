// python3 with a script.
#include "python_peer.hpp"

#include "local.hpp"

namespace pp::bench {
namespace {

using RunsOrAbsent = std::variant<std::vector<Run>, Absent>;

std::string name(PythonPool pool) { return pool == PythonPool::kDask ? "dask" : "Python futures"; }

std::optional<Absent> absent(PythonPool pool, const Settings& settings) {
  switch (pool) {
    case PythonPool::kFutures:
      if (settings.python.empty()) return Absent{"apt-get install python3"};
      break;
    case PythonPool::kDask:
      if (!settings.dask) return Absent{"apt-get install python3-distributed"};
      break;
  }
  return std::nullopt;
}

Run run(const Settings& settings, PythonPool pool, const std::string& test,
        const std::string& argument) {
  Run run{{settings.python.string(), (settings.peers / "python_peer.py").string(),
           pool == PythonPool::kDask ? "dask" : "futures", test, argument},
          {},
          std::nullopt};
  if (settings.quick) run.words.push_back("quick=1");
  return run;
}

RunsOrAbsent at_places(const Settings& settings, PythonPool pool, const std::string& test) {
  if (const auto needs = absent(pool, settings)) return *needs;
  std::vector<Run> runs;
  for (const auto& places : by_nodes(single_workers(parallel_places(settings))))
    runs.push_back(run(settings, pool, test, places_argument(places)));
  return runs;
}

}  // namespace

Contender python_at_places(PythonPool pool, const std::string& test) {
  return {name(pool),
          [pool, test](const Settings& settings) { return at_places(settings, pool, test); }};
}

Contender python_with_nodes(PythonPool pool, const std::string& test,
                            const std::vector<unsigned>& nodes) {
  return {name(pool), [pool, test, nodes](const Settings& settings) {
            Settings others = settings;
            others.shapes.clear();
            for (const unsigned count : nodes) others.shapes.push_back({count, 1});
            return at_places(others, pool, test);
          }};
}

Contender python_over_workers(PythonPool pool, const std::string& test) {
  return {name(pool), [pool, test](const Settings& settings) -> RunsOrAbsent {
            if (const auto needs = absent(pool, settings)) return *needs;
            std::vector<Run> runs;
            for (const unsigned workers : worker_counts(settings))
              runs.push_back(run(settings, pool, test, "workers=" + std::to_string(workers)));
            return runs;
          }};
}

}  // namespace pp::bench
