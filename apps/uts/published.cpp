// The trees whose counts are known: T1 to T5 and their large kin, as published with UTS.
//
// T1XXL's leaves and T3XXL's depth and leaves were not published; they follow from the definition
// and were computed.
#include <algorithm>
#include <array>

#include "tree.hpp"

namespace uts {
namespace {

constexpr Parameters geometric(Shape shape, std::uint32_t depth, double b0, std::uint32_t seed) {
  return {.kind = Kind::kGeometric, .shape = shape, .depth = depth, .b0 = b0, .seed = seed};
}

constexpr Parameters binomial(double q, std::uint32_t m, std::uint32_t seed) {
  return {.kind = Kind::kBinomial, .b0 = 2000, .seed = seed, .q = q, .m = m};
}

constexpr Parameters kT4{.kind = Kind::kHybrid,
                         .shape = Shape::kLinear,
                         .depth = 16,
                         .b0 = 6,
                         .seed = 1,
                         .q = 0.234375,
                         .m = 4};

constexpr std::array<Published, 11> kPublished{{
    {"T1", geometric(Shape::kFixed, 10, 4, 19), {4'130'071, 3'305'118, 10}},
    {"T2", geometric(Shape::kCyclic, 16, 6, 502), {4'117'769, 2'342'762, 81}},
    {"T3", binomial(0.124875, 8, 42), {4'112'897, 3'599'034, 1572}},
    {"T4", kT4, {4'132'453, 3'108'986, 134}},
    {"T5", geometric(Shape::kLinear, 20, 4, 34), {4'147'582, 2'181'318, 20}},
    {"T1L", geometric(Shape::kFixed, 13, 4, 29), {102'181'082, 81'746'377, 13}},
    {"T2L", geometric(Shape::kCyclic, 23, 7, 220), {96'793'510, 53'791'152, 67}},
    {"T3L", binomial(0.200014, 5, 7), {111'345'631, 89'076'904, 17'844}},
    {"T1XL", geometric(Shape::kFixed, 15, 4, 29), {1'635'119'272, 1'308'100'063, 15}},
    {"T1XXL", geometric(Shape::kFixed, 15, 4, 19), {4'230'646'601, 3'384'495'738, 15}},
    {"T3XXL", binomial(0.499995, 2, 316), {2'793'220'501, 1'396'611'250, 99'049}},
}};

// Whether both make the same tree: what its kind does not use, and what hashing costs, does not
// matter.
bool same_tree(const Parameters& a, const Parameters& b) {
  if (a.kind != b.kind || a.b0 != b.b0 || a.seed != b.seed) return false;
  const bool same_geometric = a.shape == b.shape && a.depth == b.depth;
  const bool same_binomial = a.q == b.q && a.m == b.m;
  switch (a.kind) {
    case Kind::kBinomial:
      return same_binomial;
    case Kind::kGeometric:
      return same_geometric;
    case Kind::kHybrid:
      return same_geometric && same_binomial && a.shift == b.shift;
  }
  return false;
}

}  // namespace

std::span<const Published> published_trees() { return kPublished; }

const Published* published(std::string_view name) {
  const auto found = std::ranges::find(kPublished, name, &Published::name);
  return found == kPublished.end() ? nullptr : &*found;
}

const Published* published(const Parameters& parameters) {
  const auto found = std::ranges::find_if(kPublished, [&parameters](const Published& tree) {
    return same_tree(tree.parameters, parameters);
  });
  return found == kPublished.end() ? nullptr : &*found;
}

}  // namespace uts
