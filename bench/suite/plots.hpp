// Plots: the charts of a suite's results, as files.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "results.hpp"

namespace pp::bench {

// Name of the file and its SVG text: for every case that has a chart one per unit, and one for its
// distributions.
std::vector<std::pair<std::string, std::string>> plots_of(const Results& results);

// Writes them into that folder. Throws pp::Error naming the file.
void write_plots(const Results& results, const std::filesystem::path& folder);

}  // namespace pp::bench
