// key=value words.
#include "arguments.hpp"

#include <charconv>
#include <cmath>
#include <pp/error.hpp>

namespace pp::bench {

Arguments::Arguments(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == 0 || equals == std::string::npos)
      throw Error("\"" + word + "\" is no argument of a measurement, expected key=value");
    values_[word.substr(0, equals)] = word.substr(equals + 1);
  }
}

double Arguments::number(const std::string& key, double otherwise) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return otherwise;
  const std::string& text = found->second;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    throw Error(key + "=" + text + ": expected a number");
  return value;
}

unsigned Arguments::count(const std::string& key, unsigned otherwise) const {
  const double value = number(key, otherwise);
  if (value < 0 || value > 4e9 || value != std::floor(value))
    throw Error(key + "=" + text(key, "") + ": expected a whole number");
  return static_cast<unsigned>(value);
}

std::string Arguments::text(const std::string& key, const std::string& otherwise) const {
  const auto found = values_.find(key);
  return found == values_.end() ? otherwise : found->second;
}

}  // namespace pp::bench
