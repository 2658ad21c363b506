// mpirun, as root and on fewer cores than ranks if need be.
#include "mpi_peer.hpp"

#include <optional>
#include <utility>

#include "lanes.hpp"
#include "places.hpp"

namespace pp::bench {
namespace {

using RunsOrAbsent = std::variant<std::vector<Run>, Absent>;

struct MpiRun {
  MpiWay way = MpiWay::kShared;
  bool bound = false;  // each rank to a core of its own
  unsigned ranks = 2;
  std::vector<std::string> words;  // test and arguments
};

Run run(const Settings& settings, const MpiRun& mpi) {
  const bool bound = mpi.bound && mpi.ranks <= settings.cores;
  std::vector<std::string> words{"mpirun",
                                 "--oversubscribe",
                                 "--allow-run-as-root",
                                 "--bind-to",
                                 bound ? "core" : "none",
                                 "-n",
                                 std::to_string(mpi.ranks)};
  const auto set = [&words](const char* name, const char* value) {
    words.insert(words.end(), {"--mca", name, value});
  };
  if (mpi.way == MpiWay::kTcp) {
    set("pml", "ob1");
    set("btl", "tcp,self");
    set("btl_tcp_if_include", "lo");
  }
  // A rank that waits for others should not take the core that they need.
  if (mpi.ranks > settings.cores) set("mpi_yield_when_idle", "1");
  words.push_back((settings.peers / "pp-bench-mpi").string());
  words.insert(words.end(), mpi.words.begin(), mpi.words.end());
  if (settings.quick) words.push_back("quick=1");
  return {std::move(words), {}, std::nullopt};
}

std::optional<Absent> absent(const Settings& settings) {
  if (settings.peer("pp-bench-mpi") && settings.program("mpirun")) return std::nullopt;
  return Absent{"apt-get install openmpi-bin libopenmpi-dev, configure and build again"};
}

std::vector<Run> runs_at_places(const Settings& settings, const std::string& test, unsigned more,
                                const std::vector<std::string>& arguments) {
  std::vector<Run> runs;
  for (const std::string& argument : arguments) {
    for (const auto& places : by_nodes(single_workers(parallel_places(settings)))) {
      MpiRun mpi{.ranks = places.front().shape.nodes + more,
                 .words = {test, places_argument(places)}};
      if (!argument.empty()) mpi.words.push_back(argument);
      runs.push_back(run(settings, mpi));
    }
  }
  return runs;
}

}  // namespace

Contender mpi_pair(MpiWay way, const std::string& test) {
  return {way == MpiWay::kTcp ? "OpenMPI TCP" : "OpenMPI",
          [way, test](const Settings& settings) -> RunsOrAbsent {
            if (const auto needs = absent(settings)) return *needs;
            const MpiRun pair{way, true, 2, {test, lanes_argument(settings)}};
            return std::vector<Run>{run(settings, pair)};
          }};
}

Contender mpi_at_places(const std::string& test, unsigned more,
                        std::function<std::vector<std::string>(const Settings&)> arguments) {
  return {"OpenMPI",
          [test, more, arguments = std::move(arguments)](const Settings& settings) -> RunsOrAbsent {
            if (const auto needs = absent(settings)) return *needs;
            return runs_at_places(settings, test, more,
                                  arguments ? arguments(settings) : std::vector<std::string>(1));
          }};
}

Contender mpi_with_ranks(const std::string& test, const std::vector<unsigned>& ranks) {
  return {"OpenMPI", [test, ranks](const Settings& settings) -> RunsOrAbsent {
            if (const auto needs = absent(settings)) return *needs;
            Settings others = settings;
            others.shapes.clear();
            for (const unsigned count : ranks) others.shapes.push_back({count, 1});
            return runs_at_places(others, test, 0, std::vector<std::string>(1));
          }};
}

}  // namespace pp::bench
