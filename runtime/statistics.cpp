// The table that users of Parallel Python know.
#include <iomanip>
#include <ostream>
#include <pp/statistics.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace pp {

namespace {

// "12 beacons of other clusters, 3 forged and 7 malformed ones ignored"; empty if there were none.
std::string sentence_of(const IgnoredBeacons& ignored) {
  std::vector<std::string> kinds;
  std::string what;  // what the last kind is one of; beacons are named once
  if (ignored.foreign > 0) {
    kinds.push_back(std::to_string(ignored.foreign) + (ignored.foreign == 1
                                                           ? " beacon of another cluster"
                                                           : " beacons of other clusters"));
  }
  const auto add = [&](std::uint64_t count, const char* kind) {
    if (count == 0) return;
    kinds.push_back(std::to_string(count) + kind);
    what = ignored.foreign > 0 ? " one" : " beacon";
    if (count != 1) what += 's';
  };
  add(ignored.forged, " forged");
  add(ignored.replayed, " replayed");
  add(ignored.malformed, " malformed");
  if (kinds.empty()) return {};
  std::string sentence;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (i > 0) sentence += i + 1 == kinds.size() ? " and " : ", ";
    sentence += kinds[i];
  }
  return sentence + what + " ignored";
}

}  // namespace

void print_statistics(std::ostream& stream, const Statistics& statistics) {
  std::uint64_t jobs = 0;
  unsigned workers = 0;
  std::size_t present = 0;
  for (const NodeStatistics& node : statistics.nodes) {
    jobs += node.jobs;
    if (node.present) {
      workers += node.workers;
      ++present;
    }
  }
  const auto seconds = [](std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
  };
  std::ostringstream out;  // the caller's stream keeps its own format
  out << std::fixed << "Job execution statistics:\n"
      << "   job count | % of all jobs | job time sum | time per job | node\n";
  for (const NodeStatistics& node : statistics.nodes) {
    const double share =
        jobs == 0 ? 0 : 100.0 * static_cast<double>(node.jobs) / static_cast<double>(jobs);
    out << std::setw(12) << node.jobs << " | " << std::setw(13) << std::setprecision(2) << share
        << " | " << std::setw(12) << std::setprecision(4) << seconds(node.time) << " | "
        << std::setw(12) << std::setprecision(6)
        << (node.jobs == 0 ? 0 : seconds(node.time) / static_cast<double>(node.jobs)) << " | "
        << node.name << (node.present ? "" : " (gone)") << '\n';
  }
  out << "Time elapsed since start: " << std::setprecision(3) << seconds(statistics.elapsed)
      << " s; " << present << (present == 1 ? " node, " : " nodes, ") << workers
      << (workers == 1 ? " worker" : " workers");
  if (statistics.lent > 0) out << "; " << statistics.lent << " jobs of this node lent";
  if (statistics.lost > 0)
    out << "; " << statistics.lost << " executions lost with a node and begun again";
  if (statistics.recorded_elements > 0) {
    out << "; " << statistics.resumed_elements << " of " << statistics.recorded_elements
        << (statistics.recorded_elements == 1 ? " element" : " elements")
        << " taken from the job log";
  }
  if (statistics.refused_peers > 0)
    out << "; " << statistics.refused_peers << " connections refused";
  if (statistics.misbehaved > 0)
    out << "; " << statistics.misbehaved << " breaches of the protocol by members";
  if (const std::string ignored = sentence_of(statistics.ignored); !ignored.empty())
    out << "; " << ignored;
  stream << out.str() << '\n';
}

}  // namespace pp
