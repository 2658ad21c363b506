// The notations in which hosts are named.
#include "host_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pp/error.hpp>

namespace pp::tools {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

HostEntry host(std::string target, std::optional<unsigned> workers = {}) {
  return {std::move(target), workers};
}

template <class Parse>
std::string refusal_of(Parse parse) {
  try {
    parse();
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(HostList, has_names_users_and_numbers_of_workers) {
  EXPECT_THAT(parse_hosts("a,b:8,user@c,4/d,2/me@e"),
              ElementsAre(host("a"), host("b", 8), host("user@c"), host("d", 4), host("me@e", 2)));
}

TEST(HostList, takes_ipv6_addresses_with_brackets_and_without) {
  EXPECT_THAT(parse_hosts("fd00::7,[fd00::7]:2,u@[fd00::8]"),
              ElementsAre(host("fd00::7"), host("fd00::7", 2), host("u@fd00::8")));
}

TEST(HostList, overlooks_blanks_and_commas_too_many) {
  EXPECT_THAT(parse_hosts(" a , b:8,"), ElementsAre(host("a"), host("b", 8)));
}

TEST(HostList, refuses_what_makes_no_sense_and_says_what_was_expected) {
  for (const char* text : {"", ",", "a:0", "a:x", "a:99999", "x/a", "0/a", "2/a:3", "@", "u@", ":4",
                           "[fd00::7", "[fd00::7]x", "a b", "a;reboot", "$(x)", "a/b/c"}) {
    EXPECT_THAT(refusal_of([&] { parse_hosts(text); }), HasSubstr("expected host, host:WORKERS"))
        << text;
  }
}

TEST(HostList, hands_no_option_to_ssh) {
  EXPECT_THAT(refusal_of([] { parse_hosts("-oProxyCommand=x"); }), HasSubstr("dash"));
  EXPECT_THAT(refusal_of([] { parse_hosts("2/-F"); }), HasSubstr("dash"));
}

TEST(HostList, reads_the_lines_of_mpi_and_of_gnu_parallel) {
  EXPECT_THAT(parse_hostfile("# ours\nnode1 slots=4\n\n  node2:2  # the small one\n8/me@node3\n"
                             "node4 slots=3 max_slots=9\r\nnode5",
                             "hosts"),
              ElementsAre(host("node1", 4), host("node2", 2), host("me@node3", 8), host("node4", 3),
                          host("node5")));
}

TEST(HostList, of_an_empty_file_is_empty) {
  EXPECT_THAT(parse_hostfile("", "hosts"), IsEmpty());
  EXPECT_THAT(parse_hostfile("\n# none\n", "hosts"), IsEmpty());
}

TEST(HostList, names_the_line_that_it_cannot_read) {
  EXPECT_THAT(refusal_of([] { parse_hostfile("a\nb slots=none\n", "hosts"); }),
              AllOf(HasSubstr("hosts:2:"), HasSubstr("\"none\"")));
  EXPECT_THAT(refusal_of([] { parse_hostfile("a cores=2", "hosts"); }), HasSubstr("cores=2"));
}

}  // namespace
}  // namespace pp::tools
