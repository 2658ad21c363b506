// How many children a node has, in the double arithmetic that the published counts rest on (never
// with -ffast-math).
#include "tree.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <sstream>

namespace uts {
namespace {

constexpr std::uint64_t kNoDepth = std::numeric_limits<std::uint64_t>::max();
constexpr double kValues = 2147483648.0;      // how many random values there are: 2^31
constexpr std::uint32_t kMostChildren = 100;  // of any node but the root of a binomial tree
constexpr std::uint32_t kMostRootChildren = 1'000'000'000;
constexpr double kMostPerNode = 1.1;             // T3L, published and finite, has 1.00007
constexpr std::size_t kDepthsRemembered = 4096;  // deeper ones are computed each time
constexpr double kPi = 3.141592653589793;

// The message that the root is the hash of: 16 zero bytes, then the seed.
std::string root_message(std::uint32_t seed) {
  std::string message(20, '\0');
  for (int i = 0; i < 4; ++i) message[16 + i] = static_cast<char>(seed >> (24 - 8 * i));
  return message;
}

std::uint64_t geometric_until(const Parameters& p) {
  switch (p.kind) {
    case Kind::kBinomial:
      return 0;
    case Kind::kGeometric:
      return kNoDepth;
    case Kind::kHybrid:
      return static_cast<std::uint64_t>(std::ceil(p.shift * p.depth));
  }
  return 0;
}

std::uint64_t barren_from(const Parameters& p) {
  switch (p.shape) {
    case Shape::kLinear:
    case Shape::kFixed:
      return p.depth;
    case Shape::kCyclic:
      return 5 * std::uint64_t{p.depth} + 1;
    case Shape::kExponential:
      return kNoDepth;
  }
  return 0;
}

std::string_view name(Shape shape) {
  switch (shape) {
    case Shape::kLinear:
      return "linear";
    case Shape::kExponential:
      return "exponential";
    case Shape::kCyclic:
      return "cyclic";
    case Shape::kFixed:
      return "fixed";
  }
  return "unknown";
}

}  // namespace

std::string Parameters::complaint() const {
  if (!std::isfinite(b0) || b0 < 0) return "b (-b) must be a number not below 0";
  if (kind == Kind::kBinomial && b0 > kMostRootChildren) {
    return "a root can have 1000000000 children (-b) at most";
  }
  if (kind != Kind::kGeometric) {
    if (!(q >= 0 && q <= 1)) return "q (-q) is a probability: it must be between 0 and 1";
    if (m > kMostChildren) return "a binomial node can have 100 children (-m) at most";
    if (q * m > kMostPerNode) {
      return "q * m (-q, -m) may be 1.1 at most: beyond that a binomial tree is as good as "
             "infinite";
    }
  }
  if (kind != Kind::kBinomial) {
    if (depth < 1 || depth > 1'000'000) return "the depth (-d) must be between 1 and 1000000";
    if (shape == Shape::kExponential && (depth < 2 || b0 <= 0)) {
      return "the exponential shape (-a 1) needs a depth (-d) of 2 at least and a b (-b) above 0";
    }
  }
  if (kind == Kind::kHybrid && !(shift >= 0 && shift <= 1)) {
    return "f (-f) is a fraction of the depth: it must be between 0 and 1";
  }
  if (granularity < 1) return "the granularity (-g) must be 1 at least";
  return "";
}

Tree::Tree(const Parameters& parameters)
    : parameters_(parameters),
      sha1_(available(parameters.sha1) ? parameters.sha1 : Sha1::kPortable),
      geometric_until_(geometric_until(parameters)),
      barren_from_(barren_from(parameters)),
      binomial_below_(static_cast<std::uint32_t>(std::ceil(parameters.q * kValues))) {}

Node Tree::root() {
  const State state = digest(sha1_, root_message(parameters_.seed));
  const bool counted = parameters_.kind == Kind::kBinomial;  // its random number is not used
  return {state, 0, counted ? static_cast<std::uint32_t>(parameters_.b0) : children(state, 0)};
}

std::uint32_t Tree::geometric(std::uint32_t value, std::uint32_t depth) {
  const double u = value / kValues;
  const double n = std::floor(std::log(1 - u) / log_of_stopping(depth));
  return n < kMostChildren ? static_cast<std::uint32_t>(n) : kMostChildren;
}

double Tree::mean(std::uint32_t depth) const {
  const double b0 = parameters_.b0;
  const double deepest = parameters_.depth;
  if (depth == 0) return b0;
  switch (parameters_.shape) {
    case Shape::kLinear:
      return b0 * (1 - depth / deepest);
    case Shape::kExponential:
      return b0 * std::pow(depth, -std::log(b0) / std::log(deepest));
    case Shape::kCyclic:
      return depth > 5 * deepest ? 0 : std::pow(b0, std::sin(2 * kPi * depth / deepest));
    case Shape::kFixed:
      return depth < deepest ? b0 : 0;
  }
  return 0;
}

// ln(1 - p) where p = 1 / (1 + mean) is the probability that there is no further child; -infinity
// if there never is one.
double Tree::log_of_stopping(std::uint32_t depth) {
  if (depth < log_of_stopping_.size() && log_of_stopping_[depth] != 0) {
    return log_of_stopping_[depth];
  }
  const double computed = std::log(1 - 1 / (1 + mean(depth)));
  if (depth < kDepthsRemembered) {
    if (depth >= log_of_stopping_.size()) log_of_stopping_.resize(depth + 1);
    log_of_stopping_[depth] = computed;
  }
  return computed;
}

Counts& Counts::operator+=(const Counts& more) {
  nodes += more.nodes;
  leaves += more.leaves;
  depth = std::max(depth, more.depth);
  return *this;
}

std::string describe(const Parameters& p) {
  std::ostringstream text;
  switch (p.kind) {
    case Kind::kBinomial:
      text << "binomial";
      break;
    case Kind::kGeometric:
      text << "geometric";
      break;
    case Kind::kHybrid:
      text << "hybrid";
      break;
  }
  if (p.kind != Kind::kBinomial) text << ", " << name(p.shape) << " shape, depth " << p.depth;
  text << ", b " << p.b0;
  if (p.kind != Kind::kGeometric) text << ", q " << p.q << ", m " << p.m;
  if (p.kind == Kind::kHybrid) text << ", shift at " << p.shift;
  text << ", seed " << p.seed;
  if (p.granularity > 1) text << ", each hash " << p.granularity << " times";
  return text.str();
}

}  // namespace uts
