// slurm_nodes: from left to right, one name with its brackets at a time.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <pp/error.hpp>
#include <pp/slurm_nodes.hpp>

namespace pp::discovery {
namespace {

constexpr std::size_t kMostDigits = 18;   // a number of so many fits into 64 bits
constexpr std::size_t kMostBrackets = 8;  // in one name; Slurm itself allows three
constexpr std::size_t kLongestQuote = 60;

// Text from the environment, fit for a terminal.
std::string quoted(std::string_view text) {
  std::string safe = "\"";
  for (const char c : text.substr(0, kLongestQuote)) safe += c >= ' ' && c <= '~' ? c : '?';
  return safe + (text.size() > kLongestQuote ? "...\"" : "\"");
}

[[noreturn]] void refuse(const std::string& what, std::string_view where) {
  throw Error("Slurm's node list: " + what + " at " + quoted(where) +
              ", expected something like n[1-3,07-09],login1");
}

bool digit(char c) { return c >= '0' && c <= '9'; }

bool in_names(char c) {
  return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
         c == '.';
}

// What may stand at one place of a name: a text, or the numbers of a bracket.
using Choices = std::vector<std::string>;

std::string padded(std::uint64_t number, std::size_t width) {
  const std::string digits = std::to_string(number);
  return std::string(width - std::min(width, digits.size()), '0') + digits;
}

class Reader {
 public:
  explicit Reader(std::string_view list) : rest_(list) {}

  std::vector<std::string> read() {
    std::vector<std::string> names;
    for (;;) {
      expand(name(), names);
      if (rest_.empty()) return names;
      take(',');
    }
  }

 private:
  void take(char expected) {
    if (rest_.empty() || rest_.front() != expected)
      refuse(std::string("'") + expected + "' is missing", rest_);
    rest_.remove_prefix(1);
  }

  std::vector<Choices> name() {
    begin_ = rest_;
    std::vector<Choices> places;
    std::size_t brackets = 0;
    while (!rest_.empty() && rest_.front() != ',') {
      if (rest_.front() == '[') {
        if (++brackets > kMostBrackets) refuse("too many brackets in one name", begin_);
        places.push_back(bracket());
      } else {
        places.push_back({text()});
      }
    }
    if (places.empty()) refuse("a name is missing", begin_);
    return places;
  }

  std::string text() {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), in_names);
    const std::size_t length = static_cast<std::size_t>(end - rest_.begin());
    if (length == 0) refuse("a character that stands in no host's name", rest_);
    if (length > kLongestSlurmNode) refuse("a name that is too long", rest_);
    const std::string_view found = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return std::string(found);
  }

  Choices bracket() {
    const std::string_view begin = rest_;
    take('[');
    Choices numbers;
    for (;;) {
      range(numbers);
      if (rest_.empty()) refuse("a bracket that is not closed", begin);
      if (rest_.front() == ']') break;
      take(',');
    }
    rest_.remove_prefix(1);
    return numbers;
  }

  // "07-12", or one number.
  void range(Choices& numbers) {
    const std::string_view begin = rest_;
    std::uint64_t first = 0;
    const std::size_t width = number(first);
    std::uint64_t last = first;
    if (!rest_.empty() && rest_.front() == '-') {
      rest_.remove_prefix(1);
      number(last);
      if (last < first) refuse("a range that runs backwards", begin);
    }
    if (last - first >= kMostSlurmNodes - numbers.size()) too_many(begin);
    for (std::uint64_t i = first; i <= last; ++i) numbers.push_back(padded(i, width));
  }

  // How many digits it has.
  std::size_t number(std::uint64_t& into) {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), digit);
    const std::size_t digits = static_cast<std::size_t>(end - rest_.begin());
    if (digits == 0) {
      refuse(rest_.starts_with('[') ? "brackets within brackets" : "a number is missing", rest_);
    }
    if (digits > kMostDigits) refuse("a number that is too long", rest_);
    std::from_chars(rest_.data(), rest_.data() + digits, into);
    rest_.remove_prefix(digits);
    return digits;
  }

  void expand(const std::vector<Choices>& places, std::vector<std::string>& names) const {
    std::uint64_t count = 1;
    for (const Choices& choices : places) {
      count *= choices.size();  // neither is more than kMostSlurmNodes
      if (count > kMostSlurmNodes - names.size()) too_many(begin_);
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      std::string name;
      std::uint64_t left = i;
      for (auto choices = places.rbegin(); choices != places.rend(); ++choices) {
        name.insert(0, (*choices)[left % choices->size()]);
        left /= choices->size();
      }
      if (name.size() > kLongestSlurmNode) refuse("a name that is too long", begin_);
      names.push_back(std::move(name));
    }
  }

  [[noreturn]] static void too_many(std::string_view where) {
    refuse("more than " + std::to_string(kMostSlurmNodes) + " nodes", where);
  }

  std::string_view rest_;
  std::string_view begin_;  // of the name that is being read
};

}  // namespace

std::vector<std::string> slurm_nodes(std::string_view list) {
  if (list.empty()) throw Error("Slurm's node list is empty");
  if (list.size() > kLongestSlurmList) {
    throw Error("Slurm's node list has " + std::to_string(list.size()) +
                " bytes, expected at most " + std::to_string(kLongestSlurmList));
  }
  return Reader(list).read();
}

}  // namespace pp::discovery
