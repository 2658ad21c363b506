// A depth-first search through a part of a tree, with an explicit stack that others can take from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tree.hpp"

namespace uts {

// Nodes with children, on their way from one search to another.
using Piece = std::vector<Node>;

// What the root adds to the counts of its descendants.
Counts count_root(const Node& root);

// Counts the descendants of the nodes it is given. A node is counted by whoever hashes it, so the
// nodes themselves are not: the one who made the root counts the root. Used by one thread.
class Search {
 public:
  // REQUIRES: parameters.complaint().empty().
  explicit Search(const Parameters& parameters) : tree_(parameters) {}

  // Adds nodes whose descendants are to be counted.
  void add(std::span<const Node> nodes);

  // Goes on until it has counted `enough` nodes more, or all.
  void visit(std::uint64_t enough);

  bool done() const { return oldest_ == stack_.size(); }

  // How many nodes wait to be searched.
  std::size_t waiting() const { return stack_.size() - oldest_; }

  // Takes out every second one of the oldest nodes, oldest first, `most` at most. The oldest lie
  // nearest to the root; to take all of them would leave nothing but twigs in a tree whose branches
  // become shorter with the depth, and taking every second one halves a tree of any shape.
  Piece take_oldest(std::size_t most);

  const Counts& counts() const { return counts_; }
  Tree& tree() { return tree_; }

 private:
  void expand(const Node& parent);

  Tree tree_;
  std::vector<Node> stack_;  // newest last; the waiting ones begin at oldest_
  std::size_t oldest_ = 0;
  Counts counts_;
};

// All of the tree, by one thread, the root included.
Counts search_all(const Parameters& parameters);

}  // namespace uts
