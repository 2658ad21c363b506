// The search against counts from outside: published ones, and others that were computed with
// Python's hashlib and math straight from the definition of the trees.
#include "search.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace uts {
namespace {

struct Known {
  Parameters parameters;
  Counts counts;
};

Parameters fixed_tree(std::uint32_t depth) {
  return {.shape = Shape::kFixed, .depth = depth, .b0 = 4, .seed = 19};
}

const std::vector<Known>& known() {
  using enum Kind;
  using enum Shape;
  static const std::vector<Known> all{
      // published
      {fixed_tree(2), {65, 59, 2}},
      {fixed_tree(3), {254, 201, 3}},
      {fixed_tree(4), {944, 744, 4}},
      {fixed_tree(5), {3987, 3232, 5}},
      {fixed_tree(6), {16'000, 12'839, 6}},
      // computed
      {{}, {1732, 1050, 6}},
      {{.shape = kLinear, .depth = 10, .b0 = 4, .seed = 34}, {5577, 3111, 10}},
      {{.shape = kExponential, .depth = 6, .b0 = 4, .seed = 19}, {1772, 923, 15}},
      {{.shape = kExponential, .depth = 10, .b0 = 2, .seed = 19}, {1635, 836, 24}},
      {{.shape = kExponential, .depth = 8, .b0 = 2, .seed = 5}, {1, 1, 0}},
      {{.shape = kCyclic, .depth = 8, .b0 = 3, .seed = 502}, {720, 397, 15}},
      {{.shape = kCyclic, .depth = 4, .b0 = 3, .seed = 7}, {2330, 1321, 21}},
      {{.shape = kFixed, .depth = 1, .b0 = 1e6, .seed = 19}, {101, 100, 1}},
      {{.shape = kFixed, .depth = 2, .b0 = 60, .seed = 220}, {2521, 2473, 2}},
      {{.kind = kBinomial, .b0 = 3, .seed = 3, .q = 0.45, .m = 2}, {12, 7, 4}},
      {{.kind = kBinomial, .b0 = 250, .seed = 42, .q = 0.2, .m = 4}, {1343, 1069, 17}},
      {{.kind = kBinomial, .b0 = 0}, {1, 1, 0}},
      {{.kind = kHybrid, .depth = 10, .b0 = 4, .seed = 1}, {5504, 4118, 37}},
      {{.kind = kHybrid, .shape = kFixed, .depth = 8, .b0 = 3, .seed = 19}, {5252, 3932, 80}},
      {{.kind = kHybrid, .b0 = 9, .seed = 1, .q = 0.24, .shift = 0}, {1, 1, 0}},
  };
  return all;
}

// What a cluster does, in one thread: every search is interrupted all the time, and pieces of it go
// elsewhere.
Counts search_in_pieces(const Parameters& parameters, std::uint64_t between, std::size_t most) {
  const Node root = Tree(parameters).root();
  Counts counts = count_root(root);
  std::vector<Piece> pieces{{root}};
  while (!pieces.empty()) {
    Search search(parameters);
    search.add(pieces.back());
    pieces.pop_back();
    while (!search.done()) {
      search.visit(between);
      if (search.waiting() >= 2) pieces.push_back(search.take_oldest(most));
    }
    counts += search.counts();
  }
  return counts;
}

TEST(Search, counts_what_is_known) {
  for (const Known& tree : known()) {
    EXPECT_EQ(search_all(tree.parameters), tree.counts) << describe(tree.parameters);
  }
}

TEST(Search, counts_the_same_by_the_processors_instructions) {
  for (Known tree : known()) {
    tree.parameters.sha1 = fastest();
    EXPECT_EQ(search_all(tree.parameters), tree.counts) << describe(tree.parameters);
  }
}

TEST(Search, counts_16_million_nodes) {
  Parameters parameters = fixed_tree(11);
  parameters.sha1 = fastest();
  EXPECT_EQ(search_all(parameters), (Counts{16'526'523, 13'221'220, 11}));
}

TEST(Search, counts_every_node_once_however_it_is_cut) {
  for (const Known& tree : known()) {
    for (const std::uint64_t between : {1, 7, 64}) {
      for (const std::size_t most : {1, 3, 200}) {
        EXPECT_EQ(search_in_pieces(tree.parameters, between, most), tree.counts)
            << describe(tree.parameters) << ", every " << between << " nodes " << most;
      }
    }
  }
}

// A node by its number, with children so that it is not a leaf.
Node node(std::uint32_t number) { return {{number, 0, 0, 0, 0}, 1, 1}; }

std::vector<std::uint32_t> numbers(const Piece& piece) {
  std::vector<std::uint32_t> all;
  for (const Node& each : piece) all.push_back(each.state[0]);
  return all;
}

TEST(Search, gives_every_second_one_of_the_oldest_nodes) {
  Search search(fixed_tree(10));
  Piece piece;
  for (std::uint32_t i = 0; i < 11; ++i) piece.push_back(node(i));
  search.add(piece);

  EXPECT_EQ(numbers(search.take_oldest(3)), (std::vector<std::uint32_t>{0, 2, 4}));
  EXPECT_EQ(search.waiting(), 8u);
  EXPECT_EQ(numbers(search.take_oldest(200)), (std::vector<std::uint32_t>{1, 5, 7, 9}));
  EXPECT_EQ(numbers(search.take_oldest(200)), (std::vector<std::uint32_t>{3, 8}));
  EXPECT_EQ(numbers(search.take_oldest(200)), (std::vector<std::uint32_t>{6}));
  EXPECT_EQ(search.waiting(), 1u);
  EXPECT_TRUE(search.take_oldest(200).empty()) << "the last node stays where it is";
}

TEST(Search, of_nothing_is_done) {
  Search search(fixed_tree(10));
  EXPECT_TRUE(search.done());
  search.add(Piece{{State{}, 3, 0}});
  EXPECT_TRUE(search.done()) << "a leaf has been counted by whoever hashed it";
  EXPECT_EQ(search.counts(), Counts{});
}

}  // namespace
}  // namespace uts
