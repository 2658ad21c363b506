// CodecTypes: the shapes of values with which the codec is fuzzed; an input's first byte names one.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <pp/errors.hpp>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace pp::fuzz {

enum class Colour : std::uint8_t { kRed, kGreen };

struct Point {
  double x, y;
};
struct Shape {
  std::string name;
  std::vector<Point> outline;
  std::optional<Colour> colour;
  std::array<bool, 3> flags;
};
struct Tree {
  std::optional<std::array<std::uint64_t, 20>> value;
  std::vector<Tree> children;
};
struct Link {
  std::int16_t value;
  std::unique_ptr<Link> next;
};
struct Titled {  // speaks for itself
  std::vector<std::uint16_t> numbers;
  std::string title;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(numbers, title);
  }
};

// Only one form of the bytes stands for a value: what is decoded is encoded as it came.
using Ordered =
    std::tuple<std::tuple<bool, char, std::int16_t, std::uint32_t, long, float, double>,
               std::string, std::u16string, std::vector<bool>, std::vector<std::vector<Point>>,
               std::vector<std::string>, std::deque<Colour>, std::list<std::pair<bool, long>>,
               std::vector<std::monostate>, std::array<std::string, 2>, std::array<bool, 40>,
               std::variant<std::monostate, int, std::string, std::list<char>>,
               std::optional<std::unique_ptr<std::vector<bool>>>,
               std::pair<std::chrono::nanoseconds, std::chrono::system_clock::time_point>,
               std::vector<Shape>, Tree, Link, std::vector<Titled>, std::vector<runtime::Failure>,
               std::vector<std::optional<std::variant<char, std::array<double, 100>>>>>;

// Their elements may come in another order than they leave: the value is the same.
using Unordered = std::tuple<
    std::set<std::string>, std::multiset<char>, std::map<std::int32_t, std::vector<std::string>>,
    std::multimap<char, bool>, std::unordered_set<std::uint64_t>, std::unordered_multiset<char>,
    std::unordered_map<std::string, std::set<int>>, std::unordered_multimap<char, std::string>>;

// Where a type stands: the first byte of its inputs.
template <class T, std::size_t at = 0>
constexpr std::uint8_t number_of() {
  constexpr std::size_t ordered = std::tuple_size_v<Ordered>;
  if constexpr (at < ordered) {
    if constexpr (std::is_same_v<T, std::tuple_element_t<at, Ordered>>) return at;
  } else if constexpr (std::is_same_v<T, std::tuple_element_t<at - ordered, Unordered>>) {
    return at;
  }
  if constexpr (at + 1 < ordered + std::tuple_size_v<Unordered>) return number_of<T, at + 1>();
  throw "not in the lists";
}

}  // namespace pp::fuzz
