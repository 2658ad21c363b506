// Choosing the interface to listen on, from lists as hosts have them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pp/error.hpp>
#include <pp/interfaces.hpp>
#include <string>
#include <vector>

namespace pp::transport {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Interface kLo{"lo", "127.0.0.1", true, true};
const Interface kLo6{"lo", "::1", true, true};
const Interface kDocker{"docker0", "172.17.0.1", true, false};
const Interface kEth{"eth0", "10.1.2.3", true, false};
const Interface kEth6{"eth0", "fd00::3", true, false};
const Interface kEthLink{"eth0", "fe80::3", true, false};
const Interface kDown{"eth1", "10.9.9.9", false, false};
const Interface kBare{"eth2", "", true, false};

std::string chosen(const std::vector<Interface>& all, std::string_view name = "") {
  return choose_among(all, name).address;
}

std::string refusal(const std::vector<Interface>& all, std::string_view name = "") {
  try {
    return "chose " + chosen(all, name);
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Interfaces, the_first_real_one_that_is_up_is_chosen) {
  EXPECT_EQ(chosen({kLo, kDown, kBare, kDocker, kEth}), "10.1.2.3");
}

TEST(Interfaces, bridges_and_ends_of_containers_are_skipped) {
  for (const char* name : {"docker0", "br-4f2a", "veth9a1", "virbr0", "cni0", "flannel.1", "cali1",
                           "vnet3", "lxcbr0", "podman1"}) {
    EXPECT_EQ(chosen({{name, "172.17.0.1", true, false}, kEth}), "10.1.2.3") << name;
  }
}

TEST(Interfaces, a_bridge_that_somebody_made_is_a_network_like_any_other) {
  EXPECT_EQ(chosen({kLo, {"br0", "10.4.4.4", true, false}}), "10.4.4.4");
}

TEST(Interfaces, ipv4_goes_before_ipv6_and_a_link_local_address_is_none) {
  EXPECT_EQ(chosen({kEthLink, kEth6, kEth}), "10.1.2.3");
  EXPECT_EQ(chosen({kLo, kEthLink, kEth6}), "fd00::3");
  EXPECT_EQ(chosen({kLo, kEthLink, {"eth0", "169.254.7.7", true, false}}), "127.0.0.1");
}

TEST(Interfaces, loopback_is_taken_when_nothing_else_is_left) {
  EXPECT_EQ(chosen({kLo6, kLo, kDocker, kDown}), "127.0.0.1");
}

TEST(Interfaces, a_named_one_is_taken_whatever_it_is) {
  const std::vector<Interface> all = {kLo, kLo6, kEth, kDocker};
  EXPECT_EQ(chosen(all, "docker0"), "172.17.0.1");
  EXPECT_EQ(chosen(all, "lo"), "127.0.0.1");
  EXPECT_EQ(chosen(all, "172.17.0.1"), "172.17.0.1");
}

TEST(Interfaces, a_named_one_that_cannot_be_used_is_refused_with_all_that_were_considered) {
  const std::vector<Interface> all = {kLo, kEth, kDown, kBare, kEthLink};
  for (const char* name : {"eth7", "eth1", "eth2", "fe80::3"}) {
    const std::string text = refusal(all, name);
    EXPECT_THAT(text, HasSubstr(std::string("'").append(name).append("'")));
    for (const char* part : {"lo 127.0.0.1 (usable)", "eth0 10.1.2.3 (usable)",
                             "eth1 10.9.9.9 (down)", "eth2 (no address)", "PP_IFACE"}) {
      EXPECT_THAT(text, HasSubstr(part));
    }
  }
}

TEST(Interfaces, a_host_without_any_is_refused_with_the_reasons) {
  EXPECT_THAT(refusal({}), HasSubstr("considered: none"));
  const std::string text = refusal({{"lo", "127.0.0.1", false, true}, kDocker});
  EXPECT_THAT(text, HasSubstr("lo 127.0.0.1 (loopback)"));
  EXPECT_THAT(text, HasSubstr("docker0 172.17.0.1 (virtual)"));
}

std::vector<std::string> usable(const std::vector<Interface>& all, std::string_view name = "") {
  std::vector<std::string> addresses;
  for (const Interface& it : usable_among(all, name)) addresses.push_back(it.address);
  return addresses;
}

TEST(Interfaces, usable_are_all_real_ones_that_are_up_with_ipv4_first) {
  const Interface other{"eth3", "10.5.5.5", true, false}, wifi{"wlan0", "192.168.1.9", true, false};
  EXPECT_THAT(usable({kLo, kEth6, kDocker, other, kDown, kBare, kEth, kEthLink, wifi, kLo6}),
              ElementsAre("10.5.5.5", "10.1.2.3", "192.168.1.9", "fd00::3"));
}

TEST(Interfaces, the_first_usable_one_is_the_one_that_is_chosen) {
  const std::vector<Interface> all = {kLo, kDocker, kEth6, kDown, kEth};
  EXPECT_EQ(usable(all).front(), chosen(all));
  EXPECT_EQ(usable({kLo, kEthLink, kEth6}).front(), chosen({kLo, kEthLink, kEth6}));
}

TEST(Interfaces, none_may_be_usable) {
  EXPECT_THAT(usable({}), IsEmpty());
  EXPECT_THAT(usable({kLo, kLo6, kDocker, kDown, kBare, kEthLink}), IsEmpty());
}

TEST(Interfaces, of_a_named_one_every_address_is_usable_whatever_it_is) {
  const std::vector<Interface> all = {kLo6, kLo, kEth6, kEthLink, kEth, kDocker, kDown};
  EXPECT_THAT(usable(all, "eth0"), ElementsAre("10.1.2.3", "fd00::3"));
  EXPECT_THAT(usable(all, "docker0"), ElementsAre("172.17.0.1"));
  EXPECT_THAT(usable(all, "lo"), ElementsAre("127.0.0.1", "::1"));
  EXPECT_THAT(usable(all, "fd00::3"), ElementsAre("fd00::3"));
  EXPECT_THAT(usable(all, "eth1"), IsEmpty());
  EXPECT_THAT(usable(all, "eth9"), IsEmpty());
}

TEST(Interfaces, this_host_has_one_and_lists_none_without_a_name) {
  for (const Interface& it : interfaces()) {
    EXPECT_FALSE(it.name.empty());
    EXPECT_NE(it.index, 0u) << it.name;  // the system counts from 1
  }
  EXPECT_FALSE(choose_interface("").address.empty());
  EXPECT_THROW(choose_interface("no-such-interface"), Error);
}

}  // namespace
}  // namespace pp::transport
