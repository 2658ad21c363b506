// Address: what people may write, and what they are told otherwise.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pp/address.hpp>
#include <pp/error.hpp>

namespace pp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string refusal(std::string_view text) {
  try {
    return "read as " + Address::parse(text).to_string();
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Address, names_ipv4_and_ipv6_are_read) {
  EXPECT_EQ(Address::parse("node1:7001"), (Address{"node1", 7001}));
  EXPECT_EQ(Address::parse("10.0.0.1:1"), (Address{"10.0.0.1", 1}));
  EXPECT_EQ(Address::parse("[fd00::1]:65535"), (Address{"fd00::1", 65535}));
  EXPECT_EQ(Address::parse("[fe80::1%eth0]:7001"), (Address{"fe80::1%eth0", 7001}));
  EXPECT_EQ(Address::parse("my_host-2.example.org:0"), (Address{"my_host-2.example.org", 0}));
}

TEST(Address, what_is_written_is_read_back) {
  for (const char* text : {"node1:7001", "10.0.0.1:0", "[fd00::1]:9"}) {
    EXPECT_EQ(Address::parse(text).to_string(), text);
  }
}

TEST(Address, what_is_no_address_is_refused_with_the_text_and_the_form) {
  for (const char* text : {"",
                           ":",
                           "node1",
                           "node1:",
                           ":7001",
                           "node1:70000",
                           "node1:-1",
                           "node1:+1",
                           "node1:7x",
                           "node1: 7",
                           " node1:7",
                           "node 1:7",
                           "fd00::1:7001",
                           "[fd00::1]",
                           "[fd00::1",
                           "[fd00::1]7",
                           "[]:7",
                           "[node1]:7",
                           "[fd00::1]x:7",
                           "a/b:7",
                           "a,b:7",
                           "a\nb:7",
                           "node1:7:8"}) {
    const std::string why = refusal(text);
    EXPECT_THAT(why, HasSubstr("expected host:port")) << text;
  }
  EXPECT_THAT(refusal("node1:70000"), HasSubstr("'node1:70000'"));
  EXPECT_THAT(refusal("fd00::1:7001"), HasSubstr("brackets"));
  EXPECT_THAT(refusal(std::string(254, 'a') + ":1"), HasSubstr("too long"));
}

TEST(Address, a_refusal_is_printable_whatever_was_read) {
  const std::string why = refusal(std::string("\x1b[2J\0evil", 9) + std::string(5000, 'x'));
  EXPECT_LT(why.size(), 400u);
  for (const char c : why) EXPECT_TRUE(c >= ' ' && c <= '~');
}

TEST(Address, a_list_is_separated_by_commas_and_has_no_holes) {
  EXPECT_THAT(Address::parse_list(""), IsEmpty());
  EXPECT_THAT(Address::parse_list("a:1"), ElementsAre(Address{"a", 1}));
  EXPECT_THAT(Address::parse_list("a:1,[::1]:2,b:3"),
              ElementsAre(Address{"a", 1}, Address{"::1", 2}, Address{"b", 3}));
  for (const char* text : {",", "a:1,", ",a:1", "a:1,,b:2", "a:1, b:2"}) {
    EXPECT_THROW(Address::parse_list(text), Error) << text;
  }
}

}  // namespace
}  // namespace pp
