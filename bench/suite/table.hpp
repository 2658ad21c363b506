// Table: results as text.
#pragma once

#include <string>

#include "results.hpp"

namespace pp::bench {

// The machine and the build, in two lines or three.
std::string heading(const Results& results);
// A case's rows: pp's median and quartiles; each yardstick's; pp divided by it; what is to be
// reached, and whether it is.
std::string table(const CaseResult& result);
// Who was not there and what failed, and how many figures are reached.
std::string closing(const Results& results);

}  // namespace pp::bench
