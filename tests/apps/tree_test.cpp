// The generator of the trees against published states, random values and numbers of children.
#include "tree.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string>
#include <utility>

namespace uts {
namespace {

Parameters fixed_tree(std::uint32_t depth, std::uint32_t seed) {
  return {.kind = Kind::kGeometric, .shape = Shape::kFixed, .depth = depth, .b0 = 4, .seed = seed};
}

TEST(Tree, the_root_of_seed_19_is_the_published_one) {
  const Node root = Tree(fixed_tree(10, 19)).root();
  EXPECT_EQ(root.state, (State{0xc6988ab7, 0x0cc9559a, 0xe4d6cba2, 0x54e29a84, 0x5a85f86b}));
  EXPECT_EQ(random_value(root.state), 1518729323u);
  EXPECT_EQ(root.depth, 0u);
  EXPECT_EQ(root.children, 5u);
}

TEST(Tree, the_children_of_seed_19_are_the_published_ones) {
  Tree tree(fixed_tree(10, 19));
  std::array<State, 3> children;
  hash_children(fastest(), tree.root().state, 0, children);

  EXPECT_EQ(children[0], (State{0x2fb31310, 0x30280c16, 0x17a81d6a, 0x49c1e29e, 0xffb19645}));
  EXPECT_EQ(random_value(children[0]), 2142344773u);
  EXPECT_EQ(random_value(children[1]), 1765374811u);
  EXPECT_EQ(random_value(children[2]), 2113766245u);
  EXPECT_EQ(tree.children(children[0], 1), 27u);
  EXPECT_EQ(tree.children(children[1], 1), 7u);
  EXPECT_EQ(tree.children(children[2], 1), 18u);
}

TEST(Tree, the_random_values_of_the_published_seeds_are_known) {
  const std::array<std::pair<std::uint32_t, std::uint32_t>, 8> known{{{29, 1849226417},
                                                                      {34, 1292919575},
                                                                      {502, 1986856484},
                                                                      {42, 1800939394},
                                                                      {1, 1838988602},
                                                                      {220, 1177531096},
                                                                      {7, 2121072598},
                                                                      {316, 615085727}}};
  for (const auto& [seed, value] : known) {
    EXPECT_EQ(random_value(Tree(fixed_tree(10, seed)).root().state), value) << "seed " << seed;
  }
}

TEST(Tree, the_highest_bit_of_the_state_is_not_random) {
  EXPECT_EQ(random_value({0, 0, 0, 0, 0xffffffff}), 0x7fffffffu);
}

TEST(Tree, only_the_root_of_a_binomial_tree_has_more_than_100_children) {
  const State luckiest{0, 0, 0, 0, 0x7fffffff};
  Parameters geometric{.shape = Shape::kFixed, .depth = 3, .b0 = 1e6};
  EXPECT_EQ(Tree(geometric).children(luckiest, 1), 100u);

  EXPECT_EQ(Tree({.kind = Kind::kBinomial, .b0 = 2000.7}).root().children, 2000u);
}

TEST(Tree, a_binomial_node_has_m_children_just_below_q) {
  Tree tree({.kind = Kind::kBinomial, .b0 = 2, .q = 0.25, .m = 3});
  EXPECT_EQ(tree.children({0, 0, 0, 0, 0}, 1), 3u);
  EXPECT_EQ(tree.children({0, 0, 0, 0, (1u << 29) - 1}, 1), 3u);
  EXPECT_EQ(tree.children({0, 0, 0, 0, 1u << 29}, 1), 0u);  // u = 0.25 exactly
  EXPECT_EQ(Tree({.kind = Kind::kBinomial, .q = 0}).children({0, 0, 0, 0, 0}, 1), 0u);
}

TEST(Tree, a_geometric_tree_ends_at_its_depth) {
  const State luckiest{0, 0, 0, 0, 0x7fffffff};
  for (const Shape shape : {Shape::kLinear, Shape::kFixed}) {
    Tree tree({.shape = shape, .depth = 7, .b0 = 4});
    EXPECT_GT(tree.children(luckiest, 6), 0u);
    EXPECT_EQ(tree.children(luckiest, 7), 0u);
  }
  Tree cyclic({.shape = Shape::kCyclic, .depth = 7, .b0 = 4});
  EXPECT_GT(cyclic.children(luckiest, 35), 0u);
  EXPECT_EQ(cyclic.children(luckiest, 36), 0u);
}

// What is remembered for a depth must not change the answer, nor what is too deep to be remembered.
TEST(Tree, asking_again_gives_the_same_answer) {
  Tree tree({.shape = Shape::kExponential, .depth = 30, .b0 = 3});
  for (const std::uint32_t depth : {0u, 1u, 29u, 4095u, 4096u, 100'000u}) {
    for (std::uint32_t value = 1; value < 0x7ff00000; value += 0x00fffff1) {
      const State state{0, 0, 0, 0, value};
      const std::uint32_t first = tree.children(state, depth);
      EXPECT_EQ(tree.children(state, depth), first);
      EXPECT_EQ(Tree(tree.parameters()).children(state, depth), first);
    }
  }
}

TEST(Published, every_tree_is_found_by_name_and_by_what_it_is_made_from) {
  EXPECT_EQ(published_trees().size(), 11u);
  for (const Published& tree : published_trees()) {
    EXPECT_EQ(published(tree.name), &tree);
    EXPECT_EQ(published(tree.parameters), &tree);
    EXPECT_EQ(tree.parameters.complaint(), "");
  }
  EXPECT_EQ(published("T6"), nullptr);
}

TEST(Published, what_a_kind_does_not_use_does_not_make_another_tree) {
  Parameters t1 = published("T1")->parameters;
  t1.q = 0.1;
  t1.granularity = 20;
  t1.sha1 = fastest();
  EXPECT_EQ(published(t1), published("T1"));
  t1.seed = 20;
  EXPECT_EQ(published(t1), nullptr);
}

TEST(Parameters, the_defaults_of_uts_make_a_tree) { EXPECT_EQ(Parameters{}.complaint(), ""); }

TEST(Parameters, what_makes_no_finite_tree_is_refused_with_a_reason) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::array<std::pair<Parameters, std::string>, 12> refused{{
      {{.b0 = -1}, "-b"},
      {{.b0 = nan}, "-b"},
      {{.kind = Kind::kBinomial, .b0 = 2e9}, "-b"},
      {{.kind = Kind::kBinomial, .q = 1.5}, "-q"},
      {{.kind = Kind::kBinomial, .q = nan}, "-q"},
      {{.kind = Kind::kBinomial, .q = 0.001, .m = 101}, "-m"},
      {{.kind = Kind::kBinomial, .q = 0.6, .m = 2}, "infinite"},
      {{.kind = Kind::kHybrid, .q = 0.5, .m = 4}, "infinite"},
      {{.kind = Kind::kHybrid, .shift = 2}, "-f"},
      {{.depth = 0}, "-d"},
      {{.shape = Shape::kExponential, .depth = 1}, "exponential"},
      {{.granularity = 0}, "-g"},
  }};
  for (const auto& [parameters, reason] : refused) {
    EXPECT_NE(parameters.complaint().find(reason), std::string::npos)
        << "'" << parameters.complaint() << "' should speak of " << reason;
  }
}

}  // namespace
}  // namespace uts
