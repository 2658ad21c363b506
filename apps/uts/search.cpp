// The search's hot loop: hash the children of the newest node, count the leaves among them, keep
// the others.
#include "search.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

namespace uts {
namespace {
constexpr std::uint32_t kHashedTogether =
    100;  // children of one node; only a binomial root has more
}

Counts count_root(const Node& root) { return {1, root.children == 0 ? 1u : 0u, 0}; }

void Search::add(std::span<const Node> nodes) {
  std::ranges::copy_if(nodes, std::back_inserter(stack_),
                       [](const Node& node) { return node.children > 0; });
}

void Search::visit(std::uint64_t enough) {
  const std::uint64_t until = counts_.nodes + enough;
  while (!done() && counts_.nodes < until) {
    const Node parent = stack_.back();
    stack_.pop_back();
    expand(parent);
  }
  if (done()) {
    stack_.clear();
    oldest_ = 0;
  }
}

void Search::expand(const Node& parent) {
  std::array<State, kHashedTogether> hashed;
  const std::uint32_t depth = parent.depth + 1;
  counts_.depth = std::max(counts_.depth, depth);
  counts_.nodes += parent.children;
  for (std::uint32_t first = 0; first < parent.children; first += kHashedTogether) {
    const std::span batch(hashed.data(), std::min(parent.children - first, kHashedTogether));
    hash_children(tree_.sha1(), parent.state, first, batch, tree_.parameters().granularity);
    for (const State& state : batch) {
      const std::uint32_t children = tree_.children(state, depth);
      if (children > 0) {
        stack_.push_back({state, depth, children});
      } else {
        ++counts_.leaves;
      }
    }
  }
}

Piece Search::take_oldest(std::size_t most) {
  const std::size_t taken = std::min(most, waiting() / 2);
  Piece piece(taken);
  // Of the pairs (taken, kept) at the old end, the kept ones move up to the rest of the stack.
  std::size_t kept = oldest_ + 2 * taken;
  for (std::size_t pair = taken; pair-- > 0;) {
    piece[pair] = stack_[oldest_ + 2 * pair];
    stack_[--kept] = stack_[oldest_ + 2 * pair + 1];
  }
  oldest_ = kept;
  return piece;
}

Counts search_all(const Parameters& parameters) {
  Search search(parameters);
  const Node root = search.tree().root();
  search.add({&root, 1});
  while (!search.done()) search.visit(1 << 20);
  Counts counts = count_root(root);
  counts += search.counts();
  return counts;
}

}  // namespace uts
