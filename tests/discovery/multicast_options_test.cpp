// What a Multicast can be asked for, and on which interfaces it then opens links.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pp/error.hpp>
#include <pp/multicast.hpp>

#include "link.hpp"

namespace pp::discovery {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using transport::Interface;

TEST(MulticastOptionsTest, on_is_what_they_are_anyway) {
  const auto options = MulticastOptions::parse("on");
  EXPECT_EQ(options.group, "239.255.77.80");
  EXPECT_EQ(options.group6, "ff02::7070");
  EXPECT_EQ(options.port, 7707);
  EXPECT_EQ(options.ttl, 1);
  EXPECT_THAT(options.interfaces, IsEmpty());
}

TEST(MulticastOptionsTest, each_part_can_be_given) {
  const auto options = MulticastOptions::parse(
      "group=239.1.2.3,group6=ff05::1,port=9000,interfaces=eth0+eth1,ttl=2");
  EXPECT_EQ(options.group, "239.1.2.3");
  EXPECT_EQ(options.group6, "ff05::1");
  EXPECT_EQ(options.port, 9000);
  EXPECT_EQ(options.ttl, 2);
  EXPECT_THAT(options.interfaces, ElementsAre("eth0", "eth1"));
  EXPECT_EQ(MulticastOptions::parse("group6=").group6, "");
  EXPECT_EQ(MulticastOptions::parse("group=,ttl=255").group, "");
}

TEST(MulticastOptionsTest, what_cannot_be_meant_is_named) {
  const auto refusal = [](std::string_view text) -> std::string {
    try {
      MulticastOptions::parse(text);
    } catch (const Error& error) {
      return error.what();
    }
    return "not refused";
  };
  EXPECT_THAT(refusal(""), HasSubstr("expected on, or"));
  EXPECT_THAT(refusal("off"), AllOf(HasSubstr("'off'"), HasSubstr("expected on, or")));
  EXPECT_THAT(refusal("ttl=1,"), HasSubstr("expected on, or"));
  EXPECT_THAT(refusal("prot=1"), AllOf(HasSubstr("'prot=1'"), HasSubstr("port=")));
  EXPECT_THAT(refusal("port=0"), HasSubstr("a port from 1 to 65535"));
  EXPECT_THAT(refusal("port=65536"), HasSubstr("a port from 1 to 65535"));
  EXPECT_THAT(refusal("port=1x"), HasSubstr("'1x'"));
  EXPECT_THAT(refusal("ttl=256"), HasSubstr("from 1 to 255"));
  EXPECT_THAT(refusal("ttl=-1"), HasSubstr("from 1 to 255"));
  EXPECT_THAT(refusal("interfaces="), HasSubstr("eth0+eth1"));
  EXPECT_THAT(refusal("interfaces=eth0+"), HasSubstr("eth0+eth1"));
  EXPECT_THAT(refusal("group=10.0.0.1"), HasSubstr("239.255.77.80"));
  EXPECT_THAT(refusal("group=ff02::1"), HasSubstr("239.255.77.80"));
  EXPECT_THAT(refusal("group6=fd00::1"), HasSubstr("ff02::7070"));
  EXPECT_THAT(refusal("group=,group6="), HasSubstr("an IPv4 group, or"));
  EXPECT_THAT(refusal("\x1b[2J"), Not(HasSubstr("\x1b")));
}

// A host with a bit of everything.
const std::vector<Interface> kHost = {
    {"lo", "127.0.0.1", true, true, 1, false},
    {"eth0", "10.0.0.5", true, false, 2, true},
    {"docker0", "172.17.0.1", true, false, 3, true},
    {"eth1", "10.1.0.5", false, false, 4, true},
    {"wg0", "10.2.0.5", true, false, 5, false},
    {"ib0", "fd00::9", true, false, 6, true},
    {"lo", "::1", true, true, 1, false},
    {"eth0", "fd00::5", true, false, 2, true},
    {"eth0", "fe80::5", true, false, 2, true},
    {"eth0:1", "10.0.0.6", true, false, 2, true},
};

std::vector<std::string> names_of(const std::vector<Place>& places) {
  std::vector<std::string> names;
  for (const Place& place : places) names.push_back(place.to_string());
  return names;
}

TEST(Places, are_all_that_are_usable_and_can_multicast) {
  EXPECT_THAT(names_of(places_among(kHost, {})),
              ElementsAre("eth0 (IPv4)", "eth0 (IPv6)", "ib0 (IPv6)"));
  EXPECT_THAT(left_out_of(kHost, {}), AllOf(HasSubstr("lo (loopback"), HasSubstr("docker0 ("),
                                            HasSubstr("eth1 ("), HasSubstr("wg0 (")));
}

TEST(Places, know_their_addresses_those_of_their_family_first) {
  const auto places = places_among(kHost, {});
  EXPECT_THAT(places[0].addresses, ElementsAre("10.0.0.5", "10.0.0.6", "fd00::5", "fe80::5"));
  EXPECT_THAT(places[1].addresses, ElementsAre("fd00::5", "fe80::5", "10.0.0.5", "10.0.0.6"));
  EXPECT_EQ(places[1].index, 2u);
}

TEST(Places, with_a_name_may_be_anything_that_is_up) {
  MulticastOptions options;
  options.interfaces = {"lo", "wg0", "docker0", "eth1", "eth9"};
  EXPECT_THAT(names_of(places_among(kHost, options)),
              ElementsAre("lo (IPv4)", "lo (IPv6)", "wg0 (IPv4)", "docker0 (IPv4)"));
  EXPECT_THAT(left_out_of(kHost, options),
              AllOf(HasSubstr("eth1 ("), HasSubstr("eth9 ("), Not(HasSubstr("eth0 ("))));
}

TEST(Places, are_of_the_families_that_have_a_group) {
  MulticastOptions options;
  options.group6.clear();
  EXPECT_THAT(names_of(places_among(kHost, options)), ElementsAre("eth0 (IPv4)"));
  options.group.clear();
  EXPECT_THAT(places_among(kHost, options), IsEmpty());
}

}  // namespace
}  // namespace pp::discovery
