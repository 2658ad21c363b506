// pp-top's parts: what it reads, and that it fits any terminal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pp/error.hpp>
#include <string>

#include "http_get.hpp"
#include "status.hpp"
#include "top_view.hpp"

namespace pp::tools {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

Status cluster(std::size_t nodes) {
  Status status;
  status.node = "driver:1";
  status.role = "driver";
  status.elapsed = 10;
  status.time_ms = 1'700'000'000'000;
  status.done = 1000;
  status.open = 500;
  for (std::size_t i = 0; i < nodes; ++i) {
    Status::Node node;
    node.id = std::to_string(i);
    node.name = "n" + std::to_string(i) + "e";
    node.state = "alive";
    node.workers = 4;
    node.busy = i % 5;
    node.jobs = 100 * i;
    status.nodes.push_back(node);
  }
  status.nodes[0].name =
      "a name of a n\xc3\xb6"
      "de that is far too long for any column of a terminal";
  for (int i = 0; i < 30; ++i) {
    status.functions.push_back({"function" + std::to_string(i), 5, 0, 0, 1.0 + i, 1e-6, 1e-3});
    status.events.push_back({1'700'000'000'000 + i, "joined", "event number " + std::to_string(i)});
  }
  return status;
}

std::size_t columns(const std::string& text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1u : 0u;
  return count;
}

std::string joined(const std::vector<TopView::Line>& lines) {
  std::string all;
  for (const TopView::Line& line : lines) all += line.text + '\n';
  return all;
}

TEST(TopView, fits_terminals_of_every_size) {
  for (const std::size_t nodes : {1u, 2u, 20u, 200u}) {
    TopView view;
    view.take(cluster(nodes));
    for (const std::size_t width : {1u, 20u, 40u, 80u, 119u, 120u, 200u, 400u}) {
      for (const std::size_t height : {1u, 2u, 5u, 8u, 24u, 60u, 300u}) {
        const auto lines = view.lines(width, height);
        EXPECT_LE(lines.size(), height);
        for (const TopView::Line& line : lines)
          EXPECT_LE(columns(line.text), width) << nodes << ' ' << width << 'x' << height;
      }
    }
  }
}

TEST(TopView, shows_nodes_functions_and_events_on_a_small_screen) {
  TopView view;
  view.take(cluster(200));
  const std::string screen = joined(view.lines(80, 24));
  EXPECT_THAT(screen, AllOf(HasSubstr("driver:1"), HasSubstr("NODE"), HasSubstr("FUNCTION"),
                            HasSubstr("EVENT"), HasSubstr("of 200"), HasSubstr("function29"),
                            HasSubstr("event number 29"), Not(HasSubstr("function0 "))));
}

TEST(TopView, scrolls_to_the_last_node_and_no_further) {
  TopView view;
  view.sort = TopView::Sort::kDone;
  view.take(cluster(200));
  EXPECT_THAT(joined(view.lines(80, 24)), HasSubstr("n199e"));
  view.scroll(PTRDIFF_MAX, 24);
  const std::string end = joined(view.lines(80, 24));
  EXPECT_THAT(end, AllOf(HasSubstr("n1e"), HasSubstr("-200 of 200")));
  view.scroll(1, 24);
  EXPECT_EQ(joined(view.lines(80, 24)), end);
  view.scroll(-1000, 24);
  EXPECT_EQ(view.scrolled, 0u);
}

TEST(TopView, sorts_those_who_are_gone_behind_the_others) {
  TopView view;
  Status status = cluster(3);
  status.nodes[2].state = "gone";
  view.sort = TopView::Sort::kDone;
  view.take(status);
  const std::string screen = joined(view.lines(80, 24));
  EXPECT_LT(screen.find("n1e"), screen.find("n2e"));
}

TEST(TopView, tells_nodes_of_one_host_apart_on_a_small_screen) {
  TopView view;
  Status status = cluster(2);
  status.nodes[0].name = "node017.rack3.example.org:40321";
  status.nodes[1].name = "node017.rack3.example.org:40322";
  status.nodes[1].self = true;
  view.take(status);
  EXPECT_THAT(joined(view.lines(80, 24)),
              AllOf(HasSubstr("40321 "), HasSubstr("40322 "), HasSubstr("\n*node017")));
}

TEST(TopView, figures_stand_beside_the_names_on_a_wide_screen) {
  TopView view;
  Status status = cluster(2);
  status.nodes[0].name = "n0";
  status.nodes[1].address = "192.0.2.1:7400";
  view.take(status);
  EXPECT_THAT(joined(view.lines(200, 60)), HasSubstr("\n n1e     192.0.2.1:7400"));
}

TEST(TopView, tells_rates_from_two_looks) {
  TopView view;
  Status status = cluster(2);
  view.take(status);
  status.time_ms += 2000;
  status.nodes[1].jobs += 8642;
  view.take(status);
  EXPECT_THAT(joined(view.lines(80, 24)), HasSubstr("4321"));
}

TEST(TopView, says_that_nobody_answers_and_keeps_what_it_knew) {
  TopView view;
  view.complaint = "no answer from the node";
  EXPECT_THAT(joined(view.lines(80, 24)), HasSubstr("no answer"));
  view.take(cluster(2));
  EXPECT_THAT(joined(view.lines(80, 24)), Not(HasSubstr("no answer")));
  view.complaint = "no answer from the node";
  EXPECT_THAT(joined(view.lines(80, 24)), AllOf(HasSubstr("no answer"), HasSubstr("n1e")));
}

TEST(Compact, numbers_take_five_columns) {
  for (double number = 0; number < 1e15; number = number * 1.7 + 0.3)
    EXPECT_LE(compact(number).size(), 5u) << number;
  EXPECT_EQ(compact(0), "0");
  EXPECT_EQ(compact(9999), "9999");
  EXPECT_EQ(compact(12'345), "12.3k");
  EXPECT_EQ(compact(1'234'567), "1.23M");
  EXPECT_EQ(compact_bytes(3 * 1024), "3.0K");
  for (double seconds = 1e-9; seconds < 1e7; seconds *= 1.7)
    EXPECT_LE(compact_time(seconds).size(), 6u) << seconds;
  EXPECT_EQ(compact_time(0.00025), "250us");
}

TEST(Status, of_garbage_is_refused_in_a_sentence) {
  for (const char* text :
       {"", "{", "[]", "null", "{\"nodes\": 3}", "{\"progress\": {}, \"totals\": 5}"})
    EXPECT_THROW((void)Status::parse(text), Error) << text;
}

TEST(Status, holds_nothing_that_moves_a_terminals_cursor) {
  const Status status = Status::parse(
      R"({"node":"a\u001b[2Jb","progress":{},"totals":{},"nodes":[{"name":"x\ny"}],"functions":[],"events":[]})");
  EXPECT_EQ(status.node, "a\\x1b[2Jb");
  EXPECT_EQ(status.nodes.at(0).name, "x\\x0ay");
}

TEST(DoorUrl, reads_what_nodes_print) {
  const DoorUrl url = DoorUrl::parse("http://127.0.0.1:40323/?token=5fab");
  EXPECT_EQ(url.host, "127.0.0.1");
  EXPECT_EQ(url.port, "40323");
  EXPECT_EQ(url.token, "5fab");
  EXPECT_EQ(DoorUrl::parse("http://[::1]:7/?token=a").host, "::1");
  EXPECT_EQ(DoorUrl::parse("http://h:7").token, "");
}

TEST(DoorUrl, refuses_everything_else) {
  for (const char* text : {"", "127.0.0.1:7", "https://a:7/", "http://a/", "http://:7/",
                           "http://a:x/", "http://a:7/?token=a\r\nX: y"})
    EXPECT_THROW((void)DoorUrl::parse(text), Error) << text;
}

TEST(PercentEncoded, text_is_fit_for_a_query) {
  EXPECT_EQ(percent_encoded("a b&c=d\n"), "a%20b%26c%3Dd%0A");
}

}  // namespace
}  // namespace pp::tools
