// UtsRows: which tree, and its rate as a row, for whoever has searched it.
#pragma once

#include <pp/error.hpp>
#include <string>

#include "places.hpp"
#include "sample.hpp"
#include "timing.hpp"
#include "tree.hpp"

namespace pp::bench {

// The tree of "tree=T1". Throws pp::Error.
inline const uts::Published& known_tree(const Arguments& arguments) {
  const std::string name = arguments.text("tree", "T1");
  const uts::Published* const tree = uts::published(name);
  if (tree == nullptr)
    throw Error("tree=" + name + ": expected T1, T3, T1L, T3L or another of UTS");
  return *tree;
}

// With hashes by the fastest way of this processor.
inline uts::Parameters fast(const uts::Published& tree) {
  uts::Parameters parameters = tree.parameters;
  parameters.sha1 = uts::fastest();
  return parameters;
}

inline void check_counts(const uts::Published& tree, const uts::Counts& counts) {
  if (counts != tree.counts) {
    throw Error(std::string(tree.name) + ": " + std::to_string(counts.nodes) + " nodes, expected " +
                std::to_string(tree.counts.nodes) + ": work was lost or done twice");
  }
}

// Million nodes a second of a search that gives Counts: the median of some, each with the right
// answer.
template <class Search>
double search_rate(const Arguments& arguments, const uts::Published& tree, const Search& search) {
  const double seconds = typical_seconds(enough(arguments), [&] { check_counts(tree, search()); });
  return static_cast<double>(tree.counts.nodes) / seconds / 1e6;
}

inline void emit_rate(const Place& place, double rate) {
  emit(Sample{place.text(), "M nodes/s", rate, static_cast<double>(place.shape.cores()),
              place.shape.nodes == 1 ? "one node" : "nodes, " + place.lane});
}

template <class Search>
void report_search(const Arguments& arguments, const uts::Published& tree, const Search& search) {
  const double rate = search_rate(arguments, tree, search);
  for (const Place& place : places_of(arguments)) emit_rate(place, rate);
}

}  // namespace pp::bench
