// pp-bench-mpi: pp-bench's questions asked of MPI; started by pp-bench through mpirun.
#include "mpi.hpp"

#include <iostream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace pp::bench {
namespace {

constexpr std::pair<const char*, MpiTest> kTests[] = {
    {"latency", mpi_latency}, {"rate", mpi_rate},   {"bulk", mpi_bulk},
    {"start", mpi_start},     {"idle", mpi_idle},   {"skew", mpi_skew},
    {"primes", mpi_primes},   {"grain", mpi_grain}, {"uts", mpi_uts}};

int run(const std::vector<std::string>& words, Ranks ranks) {
  for (const auto& [name, test] : kTests) {
    if (!words.empty() && words.front() == name)
      return test(Arguments({words.begin() + 1, words.end()}), ranks);
  }
  std::cerr << "pp-bench-mpi: expected latency, rate, bulk, start, idle, skew, primes, grain or "
               "uts, then key=value words\n";
  return 2;
}

}  // namespace
}  // namespace pp::bench

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  pp::bench::Ranks ranks;
  MPI_Comm_rank(MPI_COMM_WORLD, &ranks.own);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks.count);
  int code = 1;
  try {
    code = pp::bench::run({argv + 1, argv + argc}, ranks);
  } catch (const std::exception& error) {
    std::cerr << "pp-bench-mpi: " << error.what() << '\n';
  }
  if (code != 0) MPI_Abort(MPI_COMM_WORLD, code);
  MPI_Finalize();
  return code;
}
