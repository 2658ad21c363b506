// The report lines: what nodes write and what is made of it.
#include "report_line.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pp::tools {
namespace {

using Kind = Report::Kind;

TEST(ReportLine, reads_each_kind) {
  EXPECT_EQ(parse_report("listening 127.0.0.1:40321").kind, Kind::kListening);
  EXPECT_EQ(parse_report("listening 127.0.0.1:40321").address, "127.0.0.1:40321");
  EXPECT_EQ(parse_report("ready").kind, Kind::kReady);
  EXPECT_EQ(parse_report("missing 2").kind, Kind::kMissing);
  EXPECT_EQ(parse_report("missing 2").count, 2u);
  EXPECT_EQ(parse_report("refused another key").text, "another key");
  EXPECT_EQ(parse_report("error no port").text, "no port");
  EXPECT_EQ(parse_report("drains").kind, Kind::kDrains);
  EXPECT_EQ(parse_report("version 0.1.0 (wire version 5, ABI 0)").text,
            "0.1.0 (wire version 5, ABI 0)");
  const Report left = parse_report("left 3f2a91c0 the process ended");
  EXPECT_EQ(left.node, "3f2a91c0");
  EXPECT_EQ(left.text, "the process ended");
  const Report unreachable = parse_report("unreachable [::1]:7 no route to host");
  EXPECT_EQ(unreachable.address, "[::1]:7");
  EXPECT_EQ(unreachable.text, "no route to host");
}

TEST(ReportLine, reads_a_joined_line_whose_name_holds_spaces) {
  const Report joined =
      parse_report("joined 3f2a91c0 my big box:4711 10.0.0.1:99 16 verbs;ofi_rxm");
  EXPECT_EQ(joined.kind, Kind::kJoined);
  EXPECT_EQ(joined.node, "3f2a91c0");
  EXPECT_EQ(joined.name, "my big box:4711");
  EXPECT_EQ(joined.address, "10.0.0.1:99");
  EXPECT_EQ(joined.workers, 16u);
  EXPECT_EQ(joined.provider, "verbs;ofi_rxm");
}

TEST(ReportLine, takes_what_it_cannot_read_for_unknown) {
  for (const char* line :
       {"", " ", "listening", "listening ", "joined", "joined a b", "joined a b c d e",
        "joined a b c -1 e", "missing", "missing many", "missing 99999999999", "ready?"}) {
    EXPECT_EQ(parse_report(line).kind, Kind::kUnknown) << line;
  }
}

TEST(ReportLine, printable_text_is_cut_and_holds_no_control_characters) {
  EXPECT_EQ(printable("plain"), "plain");
  EXPECT_EQ(printable(std::string("a\0b\n", 4)), "a\\x00b\\x0a");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
  EXPECT_EQ(printable("ab\n", 3), "ab...");
}

}  // namespace
}  // namespace pp::tools
