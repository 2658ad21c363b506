// Arguments: what a body was told, as key=value words.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace pp::bench {

class Arguments {
 public:
  // Throws pp::Error for a word that is not key=value.
  explicit Arguments(const std::vector<std::string>& words);

  // The value, or `otherwise`. Throws pp::Error for what is no number.
  double number(const std::string& key, double otherwise) const;
  unsigned count(const std::string& key, unsigned otherwise) const;
  bool flag(const std::string& key) const { return count(key, 0) != 0; }
  std::string text(const std::string& key, const std::string& otherwise) const;

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace pp::bench
