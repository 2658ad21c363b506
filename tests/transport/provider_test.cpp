// Which provider a Fabric opens, of what fi_getinfo describes, and what it says where none will do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rdma/fi_errno.h>

#include <functional>
#include <optional>
#include <pp/error.hpp>
#include <string>
#include <vector>

#include "fabric.hpp"
#include "fabric_provider.hpp"
#include "strict_provider.hpp"

namespace pp::transport {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Personality;
using testing::StrictProvider;

Personality named(const std::string& name, const std::function<void(Personality&)>& change = {}) {
  Personality p;
  p.name = name;
  if (change) change(p);
  return p;
}

Fabric::Options options(const StrictProvider& strict, const std::string& provider = "auto") {
  return {.provider = provider, .host = "127.0.0.1", .port = 0, .library = &strict.library()};
}

std::string opened(const StrictProvider& strict, const std::string& provider = "auto") {
  return Fabric(options(strict, provider)).address().provider;
}

std::string refusal(const StrictProvider& strict, const std::string& provider = "auto") {
  try {
    return "opened " + opened(strict, provider);
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Provider, without_a_card_it_is_the_sockets) {
  EXPECT_EQ(Fabric({.host = "127.0.0.1"}).address().provider, "tcp;ofi_rxm");
}

TEST(Provider, the_core_of_a_name_is_enough) {
  EXPECT_EQ(Fabric({.provider = "tcp", .host = "127.0.0.1"}).address().provider, "tcp;ofi_rxm");
}

TEST(Provider, a_card_comes_before_the_sockets) {
  const StrictProvider strict({named("slingshot")}, true);
  EXPECT_EQ(opened(strict), "slingshot");
}

TEST(Provider, a_card_with_addresses_of_its_own_is_found_though_it_has_none_of_the_hosts) {
  const StrictProvider strict({testing::efa_like()}, true);
  EXPECT_EQ(opened(strict), "efa");
}

TEST(Provider, the_faster_link_comes_first_and_one_that_is_down_not_at_all) {
  const StrictProvider strict(
      {named("slow", [](Personality& p) { p.speed = 10; }),
       named("fast", [](Personality& p) { p.speed = 400; }),
       named("down", [](Personality& p) { p.speed = 800, p.link_up = false; })},
      true);
  EXPECT_EQ(opened(strict), "fast");
}

TEST(Provider, among_equals_the_one_that_reads_remote_memory_and_gives_sends_back) {
  const StrictProvider strict({named("plain", [](Personality& p) { p.remote_memory = false; }),
                               named("reads"), named("mlx;ofi_rxm")});
  EXPECT_EQ(opened(strict), "mlx;ofi_rxm");
  EXPECT_EQ(opened(strict, "plain"), "plain");
}

// libfabric 2 has a tcp of its own; the layered one is what libfabric 1 has too.
TEST(Provider, of_two_kinds_of_sockets_the_layered_unless_the_other_is_named) {
  const auto socket = [](Personality& p) { p.card = false; };
  const StrictProvider strict({named("tcp", socket), named("tcp;ofi_rxm", socket)});
  EXPECT_EQ(opened(strict), "tcp;ofi_rxm");
  EXPECT_EQ(opened(strict, "tcp"), "tcp");
}

TEST(Provider, what_was_measured_to_be_no_use_is_taken_by_name_only) {
  const StrictProvider strict({named("sockets"), named("udp;ofi_rxd"), named("shm")});
  EXPECT_THAT(refusal(strict), AllOf(HasSubstr("'sockets'"), HasSubstr("'shm': a peer that is")));
  EXPECT_EQ(opened(strict, "sockets"), "sockets");
  for (const std::string_view name :
       {"shm", "sm2", "net", "net;ofi_rxm", "sockets", "udp;ofi_rxd", "verbs;ofi_rxd", "lnx"})
    EXPECT_NE(unusable_because(name), "") << name;
  for (const std::string_view name : {"tcp", "tcp;ofi_rxm", "verbs;ofi_rxm", "efa", "cxi", "psm3"})
    EXPECT_EQ(unusable_because(name), "") << name;
}

TEST(Provider, one_that_cannot_carry_frames_is_declined_with_the_reason) {
  const struct {
    const char* why;
    std::function<void(Personality&)> change;
  } kFaults[] = {
      {"room in front of every message", [](Personality& p) { p.mode = FI_MSG_PREFIX; }},
      {"something that pp does not do", [](Personality& p) { p.mode = FI_RX_CQ_DATA; }},
      {"in a way that pp does not know", [](Personality& p) { p.mr_mode = FI_MR_RAW; }},
      {"longest message has 4096 bytes", [](Personality& p) { p.longest = 4096; }},
      {"does not keep messages in order", [](Personality& p) { p.in_order = false; }},
      {"has no queue", [](Personality& p) { p.sends = 0; }},
      {"link is down", [](Personality& p) { p.link_up = false; }},
  };
  for (const auto& fault : kFaults) {
    const StrictProvider strict({named("odd", fault.change)});
    EXPECT_THAT(refusal(strict, "odd"), AllOf(HasSubstr("'odd'"), HasSubstr(fault.why)));
    EXPECT_THAT(refusal(strict), HasSubstr(fault.why));
  }
  for (const auto& fault : kFaults) {
    const StrictProvider strict({named("odd", fault.change)}, true);
    EXPECT_EQ(opened(strict), "tcp;ofi_rxm") << "instead of one with " << fault.why;
  }
}

TEST(Provider, a_name_that_is_not_there_is_answered_with_those_that_are) {
  const StrictProvider strict({named("cxi")}, true);
  EXPECT_THAT(refusal(strict, "verbs"),
              AllOf(HasSubstr("'verbs'"), HasSubstr("'cxi'"), HasSubstr("'tcp;ofi_rxm'")));
}

TEST(Provider, a_limit_of_locked_memory_is_named_and_the_next_one_opened) {
  const auto starved = [](Personality& p) {
    p.mr_mode = FI_MR_LOCAL;
    p.registering_fails = -FI_ENOMEM;
  };
  const StrictProvider strict({named("starved", starved)}, true);
  const Fabric fabric(options(strict));
  EXPECT_EQ(fabric.address().provider, "tcp;ofi_rxm");
  EXPECT_THAT(fabric.passed_over(), AllOf(HasSubstr("'starved'"), HasSubstr("ulimit -l")));
}

TEST(Provider, a_limit_of_locked_memory_alone_is_told_from_what_somebody_must_change) {
  const auto lack_of = [](const StrictProvider& strict, const std::string& name) {
    try {
      opened(strict, name);
    } catch (const NoFabricError& error) {
      return std::optional(error.lack);
    } catch (const Error&) {
    }
    return std::optional<NoFabricError::Lack>();
  };
  for (const int code : {FI_ENOMEM, FI_EPERM, FI_EINVAL}) {
    const StrictProvider strict({named("starved", [code](Personality& p) {
      p.mr_mode = FI_MR_LOCAL;
      p.registering_fails = -code;
    })});
    EXPECT_EQ(lack_of(strict, "starved") == NoFabricError::Lack::kLockedMemory, code != FI_EINVAL);
    EXPECT_EQ(lack_of(strict, "verbs"), NoFabricError::Lack::kProvider);
  }
}

// The answers that libfabric gives here, without a substitute.
TEST(Provider, none_of_the_systems_own_interfaces_is_a_card) {
  const Fabric::Options any{.host = "127.0.0.1"};
  const Providers providers(Libfabric::library(), any);
  ASSERT_FALSE(providers.candidates().empty());
  for (const Candidate& candidate : providers.candidates())
    EXPECT_FALSE(candidate.device && std::string(candidate.info->domain_attr->name) == "lo");
}

}  // namespace
}  // namespace pp::transport
