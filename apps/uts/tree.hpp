// The trees of the unbalanced tree search: what each is made from, how many children a node has,
// what is known of it.
//
// Olivier et al., "UTS: An Unbalanced Tree Search Benchmark", LCPC 2006.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sha1.hpp"

namespace uts {

enum class Kind : std::uint8_t {
  kBinomial = 0,   // the root has b0 children, every other node m with probability q and else none
  kGeometric = 1,  // the number of children is geometrically distributed around a mean that depends
                   // on the depth
  kHybrid = 2,     // geometric near the root, binomial below
};

// How the mean of a geometric tree changes with the depth.
enum class Shape : std::uint8_t { kLinear = 0, kExponential = 1, kCyclic = 2, kFixed = 3 };

// What a tree is made from: the options of UTS (letters in brackets) with its defaults. A value: it
// travels with every job.
struct Parameters {
  Kind kind = Kind::kGeometric;   // -t
  Shape shape = Shape::kLinear;   // -a
  std::uint32_t depth = 6;        // -d gen_mx
  double b0 = 4;                  // -b children of the root, or their mean
  std::uint32_t seed = 0;         // -r
  double q = 15.0 / 64;           // -q probability that a binomial node has children
  std::uint32_t m = 4;            // -m how many it has then
  double shift = 0.5;             // -f where a hybrid tree turns binomial, as a fraction of gen_mx
  std::uint32_t granularity = 1;  // -g how often each hash is computed
  Sha1 sha1 = Sha1::kPortable;    // and how, wherever that is possible

  // Why no finite tree can be made from this; empty if one can.
  std::string complaint() const;
};

// A node that has been hashed, and its children not yet. A value without gaps: a vector of them
// travels in one piece.
struct Node {
  State state;
  std::uint32_t depth;
  std::uint32_t children;

  friend bool operator==(const Node&, const Node&) = default;
};

// The random number of a node, 0 .. 2^31 - 1.
constexpr std::uint32_t random_value(const State& state) { return state[4] & 0x7fffffff; }

// Says how many children a node has. Remembers what depends on the depth alone, so it belongs to
// one thread at a time.
class Tree {
 public:
  // REQUIRES: parameters.complaint().empty().
  explicit Tree(const Parameters& parameters);

  const Parameters& parameters() const { return parameters_; }
  Sha1 sha1() const { return sha1_; }
  Node root();

  // How many children a node other than the root has.
  std::uint32_t children(const State& state, std::uint32_t depth) {
    if (depth >= geometric_until_) {
      return random_value(state) < binomial_below_ ? parameters_.m : 0;
    }
    if (depth >= barren_from_) return 0;
    return geometric(random_value(state), depth);
  }

 private:
  std::uint32_t geometric(std::uint32_t value, std::uint32_t depth);
  double mean(std::uint32_t depth) const;
  double log_of_stopping(std::uint32_t depth);

  Parameters parameters_;
  Sha1 sha1_;
  std::uint64_t geometric_until_;        // nodes at this depth and below are binomial
  std::uint64_t barren_from_;            // geometric nodes at this depth and below have no children
  std::uint32_t binomial_below_;         // u < q in whole numbers: value < this
  std::vector<double> log_of_stopping_;  // by depth; 0 = not computed yet
};

// What a search finds out about a tree.
struct Counts {
  std::uint64_t nodes = 0;
  std::uint64_t leaves = 0;
  std::uint32_t depth = 0;  // of the deepest node; the root's is 0

  Counts& operator+=(const Counts& more);
  friend bool operator==(const Counts&, const Counts&) = default;
};

// A tree whose counts have been published.
struct Published {
  std::string_view name;
  Parameters parameters;
  Counts counts;
};

std::span<const Published> published_trees();
const Published* published(std::string_view name);         // nullptr: there is none of that name
const Published* published(const Parameters& parameters);  // the tree, whatever it costs to hash
std::string describe(
    const Parameters& parameters);  // "geometric, fixed shape, depth 10, b 4, seed 19"

}  // namespace uts
