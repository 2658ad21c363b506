// uts: the unbalanced tree search, a tree whose shape nobody can predict and whose published counts
// show every lost job.
//
//   uts --tree T1                                   alone, on every core of this machine
//   pp-launch -n 4 -- ./uts --tree T3 --stats       four nodes, and a table of who has run what
//   uts -t 1 -a 3 -d 10 -b 4 -r 19 --sequential     the options of UTS; one thread, no jobs
//
// It prints the tree, its nodes, depth and leaves, the time and the nodes per second, and whether
// they are the counts that were published for this tree:
//
//   T1: geometric, fixed shape, depth 10, b 4, seed 19
//   4130071 nodes, depth 10, 3305118 leaves
//   0.104 s, 39.71 M nodes/s, SHA-1 by SHA instructions
//   the published count is met
//
// Exit code: 0; 1 if they are not the published ones; 2 after a mistake on the command line.
#include <chrono>
#include <iomanip>
#include <iostream>
#include <pp/pp.hpp>

#include "options.hpp"
#include "parallel.hpp"

namespace uts {
namespace {

void print_counts(const Counts& counts) {
  std::cout << counts.nodes << " nodes, depth " << counts.depth << ", " << counts.leaves
            << " leaves";
}

void print_speed(const Counts& counts, double seconds, Sha1 way) {
  std::cout << std::fixed << std::setprecision(3) << seconds << " s, " << std::setprecision(2)
            << static_cast<double>(counts.nodes) / seconds / 1e6 << " M nodes/s, SHA-1 by "
            << name(way) << '\n';
}

// Whether nothing speaks against the counts.
bool print_verdict(const Counts& counts, const Published* tree) {
  if (tree == nullptr) {
    std::cout << "no count was published for this tree\n";
    return true;
  }
  if (counts == tree->counts) {
    std::cout << "the published count is met\n";
    return true;
  }
  std::cout << "the published count is NOT met: it is ";
  print_counts(tree->counts);
  std::cout << '\n';
  return false;
}

// What the driver does. Returns the exit code.
int drive(pp::Runtime& runtime, const Options& options) {
  const Parameters& parameters = options.parameters;
  const Published* tree = published(parameters);
  std::cout << (tree ? tree->name : "own tree") << ": " << describe(parameters) << std::endl;

  const auto begin = std::chrono::steady_clock::now();
  const Counts counts =
      options.sequential ? search_all(parameters) : search_all(runtime, parameters);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;

  print_counts(counts);
  std::cout << '\n';
  print_speed(counts, took.count(), parameters.sha1);
  const bool met = print_verdict(counts, tree);
  if (options.stats) runtime.print_stats(std::cout);
  return met ? 0 : 1;
}

}  // namespace
}  // namespace uts

int main(int argc, char** argv) {
  const uts::Asked asked = uts::read_command_line(argc, argv);
  if (!asked.options) return asked.exit_code;
  return pp::run(argc, argv, [options = *asked.options](pp::Runtime& runtime) {
    return uts::drive(runtime, options);
  });
}
