// Places: where a case runs: a shape and, between nodes, a lane; and how rows are named after it.
#pragma once

#include <string>
#include <vector>

#include "arguments.hpp"
#include "case.hpp"

namespace pp::bench {

// A value.
struct Place {
  Shape shape;
  std::string lane;  // empty: one node needs none

  std::string text() const;  // "2 x 1, fabric": how its rows are called
  std::string word() const;  // "2x1/fabric": how bodies are told
};

std::vector<Place> places_of(const Settings& settings);
// Those of at least two cores.
std::vector<Place> parallel_places(const Settings& settings);

// From "place=2x1/fabric" or "places=1x1;2x1/fabric". Throws pp::Error.
std::vector<Place> places_of(const Arguments& arguments);
std::string places_argument(const std::vector<Place>& places);

// pp at each place, under pp-launch.
std::vector<Run> runs_at(const Settings& settings, const std::vector<Place>& places,
                         const std::string& body, const std::vector<std::string>& arguments = {});

// One node with several threads: what a library without processes can do.
std::vector<Place> one_node(std::vector<Place> places);
// Nodes of one worker: what processes of one thread can do. Those that differ in their lanes alone
// follow one another.
std::vector<Place> single_workers(std::vector<Place> places);

// Grouped by the number of nodes. REQUIRES: ordered by it, as single_workers() gives them.
std::vector<std::vector<Place>> by_nodes(const std::vector<Place>& places);

}  // namespace pp::bench
