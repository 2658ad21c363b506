// The table that users of Parallel Python know.
#include <iomanip>
#include <ostream>
#include <pp/statistics.hpp>
#include <sstream>

namespace pp {

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
  if (statistics.refused_peers > 0)
    out << "; " << statistics.refused_peers << " connections refused";
  stream << out.str() << '\n';
}

}  // namespace pp
