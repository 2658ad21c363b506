// Lanes, shapes, places and arguments: what makes no sense is named.
#include "case.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pp/error.hpp>

#include "places.hpp"

namespace pp::bench {
namespace {

using testing::ElementsAre;

std::vector<std::string> texts(const std::vector<Place>& places) {
  std::vector<std::string> all;
  for (const Place& place : places) all.push_back(place.text());
  return all;
}

Settings two_lanes() {
  Settings settings;
  settings.lanes = {parse_lane("fabric"), parse_lane("control")};
  settings.shapes = shapes_for(2);
  settings.self = "/bin/pp-bench";
  return settings;
}

TEST(Lane, is_known_by_name_or_by_its_variables) {
  EXPECT_EQ(parse_lane("control"), (Lane{"control", {"PP_SHM=off", "PP_FABRIC=off"}}));
  EXPECT_EQ(parse_lane("mine:PP_FABRIC=net,PP_DEAD=500"),
            (Lane{"mine", {"PP_FABRIC=net", "PP_DEAD=500"}}));
}

TEST(Lane, that_is_none_is_refused) {
  for (const char* text : {"", "nobody", ":PP_A=1", "mine:", "mine:A=1", "mine:PP_A", "a:PP_A=1,"})
    EXPECT_THROW(parse_lane(text), Error) << text;
}

TEST(Shape, is_nodes_times_workers) {
  EXPECT_EQ(parse_shape("2x8"), (Shape{2, 8}));
  for (const char* text :
       {"", "2", "x", "2x", "x2", "0x1", "1x0", "2x1x", "-1x1", "2 x 1", "9999x1"})
    EXPECT_THROW(parse_shape(text), Error) << text;
}

TEST(Shapes, double_until_all_cores_are_used) {
  EXPECT_THAT(shapes_for(1), ElementsAre(Shape{1, 1}));
  EXPECT_THAT(shapes_for(5),
              ElementsAre(Shape{1, 1}, Shape{1, 2}, Shape{2, 1}, Shape{1, 4}, Shape{4, 1}));
}

TEST(Places, are_shapes_and_between_nodes_lanes) {
  EXPECT_THAT(texts(places_of(two_lanes())),
              ElementsAre("1 x 1", "1 x 2", "2 x 1, fabric", "2 x 1, control"));
  EXPECT_THAT(texts(parallel_places(two_lanes())),
              ElementsAre("1 x 2", "2 x 1, fabric", "2 x 1, control"));
  EXPECT_THAT(texts(single_workers(places_of(two_lanes()))),
              ElementsAre("2 x 1, fabric", "2 x 1, control"));
}

TEST(Places, come_back_from_the_words_that_bodies_are_told) {
  const std::vector<Place> places = places_of(two_lanes());
  EXPECT_EQ(texts(places_of(Arguments({places_argument(places)}))), texts(places));
}

TEST(Places, become_launches_with_their_lane) {
  const auto runs = runs_at(two_lanes(), places_of(two_lanes()), "uts.pp", {"tree=T1"});
  ASSERT_EQ(runs.size(), 4u);
  EXPECT_EQ(runs[3].shape, (Shape{2, 1}));
  EXPECT_THAT(runs[3].environment, ElementsAre("PP_SHM=off", "PP_FABRIC=off"));
  EXPECT_THAT(runs[3].words,
              ElementsAre("/bin/pp-bench", "run", "uts.pp", "tree=T1", "place=2x1/control"));
}

TEST(Arguments, are_key_value_words) {
  const Arguments arguments({"a=1", "b=x=y", "c=0.5"});
  EXPECT_EQ(arguments.count("a", 7), 1u);
  EXPECT_EQ(arguments.count("nothing", 7), 7u);
  EXPECT_EQ(arguments.text("b", ""), "x=y");
  EXPECT_EQ(arguments.number("c", 0), 0.5);
  EXPECT_THROW(arguments.count("c", 0), Error);
  EXPECT_THROW(arguments.number("b", 0), Error);
  EXPECT_THROW(Arguments({"word"}), Error);
  EXPECT_THROW(Arguments({"=1"}), Error);
}

}  // namespace
}  // namespace pp::bench
