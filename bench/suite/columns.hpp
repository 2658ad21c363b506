// Columns: cells of text in columns that are as wide as their widest cell.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace pp::bench {

class Columns {
 public:
  // Those whose number is in `right` end where their column ends; the others begin there.
  Columns(std::vector<std::string> heads, std::set<std::size_t> right);

  // REQUIRES: as many cells as heads.
  void add(std::vector<std::string> cells);

  // Lines with their ends; `indent` in front of each. Columns without any content are left out.
  std::string text(const std::string& indent) const;

 private:
  std::vector<std::vector<std::string>> lines_;  // the heads first
  std::set<std::size_t> right_;
};

}  // namespace pp::bench
