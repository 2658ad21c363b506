// Charts: well-formed whatever is drawn, with round marks.
#include "svg.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <limits>
#include <string_view>

#include "examples.hpp"
#include "plots.hpp"

namespace pp::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

// What is wrong with the XML of our charts; empty: nothing. It knows elements, attributes in
// double quotes and the five entities, which is all they have.
class WellFormed {
 public:
  explicit WellFormed(std::string_view text) : text_(text) {}

  std::string complaint() {
    while (!text_.empty()) {
      const std::string wrong = text_.front() == '<' ? tag() : content();
      if (!wrong.empty()) return wrong;
    }
    return open_.empty() ? "" : "not closed: " + open_.back();
  }

 private:
  std::string tag() {
    const std::size_t end = text_.find('>');
    if (end == std::string_view::npos) return "a tag has no end";
    std::string inside(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    if (inside.front() == '/') {
      if (open_.empty() || open_.back() != inside.substr(1)) return "closed, not open: " + inside;
      open_.pop_back();
      return "";
    }
    const bool empty = inside.back() == '/';
    if (empty) inside.pop_back();
    const std::size_t name = std::min(inside.find(' '), inside.size());
    if (!empty) open_.push_back(inside.substr(0, name));
    return attributes(inside.substr(name));
  }
  static std::string attributes(std::string_view rest) {
    while (!rest.empty()) {
      const std::size_t equals = rest.find("=\"");
      if (rest.front() != ' ' || equals == std::string_view::npos)
        return "no attribute: " + std::string(rest);
      const std::size_t end = rest.find('"', equals + 2);
      if (end == std::string_view::npos) return "an attribute has no end";
      rest.remove_prefix(end + 1);
    }
    return "";
  }
  std::string content() {
    const std::size_t end = std::min(text_.find('<'), text_.size());
    std::string_view inside = text_.substr(0, end);
    text_.remove_prefix(end);
    for (std::size_t at = inside.find('&'); at != std::string_view::npos;
         at = inside.find('&', at + 1)) {
      const std::string_view entity = inside.substr(at, inside.find(';', at) - at);
      if (entity != "&amp" && entity != "&lt" && entity != "&gt" && entity != "&quot")
        return "a bare &";
    }
    if (inside.find('>') != std::string_view::npos) return "a bare >";
    return "";
  }

  std::string_view text_;
  std::vector<std::string> open_;
};

std::string complaint(const std::string& svg) { return WellFormed(svg).complaint(); }

TEST(SvgChart, is_well_formed_and_names_its_lines) {
  const std::string svg = svg_chart("time & \"space\" <1>", {"x > 0", true}, {"y", false},
                                    {{"pp", {{1, 1}, {10, 5}, {100, 3}}}, {"a<b", {{1, 2}}}});
  EXPECT_EQ(complaint(svg), "");
  EXPECT_THAT(svg, HasSubstr(">time &amp; &quot;space&quot; &lt;1&gt;</text>"));
  EXPECT_THAT(svg, HasSubstr(">a&lt;b</text>"));
}

TEST(SvgChart, the_test_would_notice_what_is_not_well_formed) {
  EXPECT_NE(complaint("<svg><rect></svg>"), "");
  EXPECT_NE(complaint("<svg><text>a & b</text></svg>"), "");
  EXPECT_NE(complaint("<svg width=1></svg>"), "");
  EXPECT_NE(complaint("<svg>"), "");
}

TEST(SvgChart, of_nothing_or_of_what_cannot_be_drawn_is_an_empty_chart) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const bool logarithmic : {false, true}) {
    for (const std::vector<ChartLine>& lines : {std::vector<ChartLine>{},
                                                {{"a", {}}},
                                                {{"a", {{0, 0}}}},
                                                {{"a", {{1, infinity}}}},
                                                {{"a", {{1, std::nan("")}, {-1, -1}}}},
                                                {{"a", {{5, 5}}}}}) {
      const std::string svg = svg_chart("", {"", logarithmic}, {"", logarithmic}, lines);
      EXPECT_EQ(complaint(svg), "");
      EXPECT_THAT(svg, Not(HasSubstr("nan")));
      EXPECT_THAT(svg, Not(HasSubstr("inf")));
    }
  }
}

TEST(Marks, are_round_numbers) {
  EXPECT_THAT(marks(0, 10, false), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(marks(0, 1.2, false), SizeIs(testing::Ge(4u)));
  EXPECT_THAT(marks(1, 100, true), ElementsAre(1, 2, 5, 10, 20, 50, 100));
  EXPECT_THAT(marks(1, 1e6, true), ElementsAre(1, 10, 100, 1e3, 1e4, 1e5, 1e6));
}

TEST(Plots, are_one_for_each_unit_of_a_case_with_a_chart_and_one_for_its_distributions) {
  Results results =
      test::results_with({test::row("1 KiB", "GB/s", {{0, 1}}, {{0, 2}}),
                          test::row("2 KiB", "GB/s", {{0, 3}}), test::row("METG", "us", {{0, 9}})});
  CaseResult& result = results.cases.front();
  result.chart = {"bytes", true, false};
  result.rows[0].x = 1024;
  result.rows[1].x = 2048;
  result.distributions.push_back({"pp", distribution_of("idle", "us", {1, 2, 3})});
  const auto files = plots_of(results);
  ASSERT_THAT(files, SizeIs(2));
  EXPECT_EQ(files[0].first, "case-GB_s.svg");
  EXPECT_EQ(files[1].first, "case-distribution.svg");
  for (const auto& [name, text] : files) EXPECT_EQ(complaint(text), "") << name;
  EXPECT_THAT(files[0].second, HasSubstr(">Peer</text>"));
}

TEST(Plots, are_none_for_a_case_without_a_chart) {
  EXPECT_THAT(plots_of(test::results_with({test::row("a", "us", {{0, 1}})})), SizeIs(0));
}

}  // namespace
}  // namespace pp::bench
