// Fabric on providers that ask for what network cards ask for: registered memory in all its modes,
// short queues, no descriptor to sleep on. StrictProvider holds it to each rule.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fabric.hpp"
#include "fabric_pair.hpp"
#include "fabric_provider.hpp"
#include "remote_reader.hpp"
#include "strict_provider.hpp"
#include "wire.hpp"

namespace pp::transport {
namespace {

using testing::frame_of;
using testing::Node;
using testing::Pair;
using testing::Personality;
using testing::read_all;
using testing::run;
using testing::some_bytes;
using testing::Stream;
using testing::StrictProvider;

Personality with(const std::string& name, const std::function<void(Personality&)>& change) {
  Personality p;
  p.name = name;
  change(p);
  return p;
}

// Each rule alone, then what cards ask for together, then everything at its narrowest.
std::vector<Personality> personalities() {
  using P = Personality;
  const auto narrowest = [](P& p) {
    p.mr_mode = FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY | FI_MR_ENDPOINT;
    p.inject = 0;
    p.longest = Fabric::kMaxFrame;
    p.sends = p.receives = 1;
    p.registrations = 8;
    p.wait = P::Wait::kRefused;
    p.multi_recv = false;
    p.own_addresses = p.addresses_by_pointer = true;
  };
  return {
      with("nothing", [](P&) {}),
      with("local", [](P& p) { p.mr_mode = FI_MR_LOCAL; }),
      with("virtual_address", [](P& p) { p.mr_mode = FI_MR_VIRT_ADDR; }),
      with("allocated", [](P& p) { p.mr_mode = FI_MR_LOCAL | FI_MR_ALLOCATED; }),
      with("provider_key", [](P& p) { p.mr_mode = FI_MR_PROV_KEY; }),
      with("endpoint", [](P& p) { p.mr_mode = FI_MR_LOCAL | FI_MR_ENDPOINT; }),
      with("short_keys", [](P& p) { p.key_bytes = 4; }),
      with("no_inject", [](P& p) { p.inject = 0; }),
      with("large_inject", [](P& p) { p.mr_mode = FI_MR_LOCAL, p.inject = 16384; }),
      with("frames_at_most", [](P& p) { p.longest = Fabric::kMaxFrame; }),
      with("one_send", [](P& p) { p.sends = 1; }),
      with("four_sends", [](P& p) { p.sends = 4; }),
      with("one_receive", [](P& p) { p.receives = 1; }),
      with("single_receives", [](P& p) { p.mr_mode = FI_MR_LOCAL, p.multi_recv = false; }),
      with("two_single_receives", [](P& p) { p.multi_recv = false, p.receives = 2; }),
      with("no_descriptor", [](P& p) { p.wait = P::Wait::kRefused; }),
      with("descriptor_in_name", [](P& p) { p.wait = P::Wait::kOpensWithoutDescriptor; }),
      with("pointers", [](P& p) { p.addresses_by_pointer = true; }),
      with("own_addresses", [](P& p) { p.own_addresses = true; }),
      with("few_registrations", [](P& p) { p.mr_mode = FI_MR_LOCAL, p.registrations = 4; }),
      testing::verbs_like(),
      testing::efa_like(),
      testing::cxi_like(),
      with("narrowest", narrowest),
  };
}

class Personalities : public ::testing::TestWithParam<Personality> {
 protected:
  Fabric::Options here() const {
    return {.provider = "auto", .host = "127.0.0.1", .port = 0, .library = &strict_.library()};
  }
  bool has_descriptor() const { return GetParam().wait == Personality::Wait::kDescriptor; }
  StrictProvider strict_{{GetParam()}};
};

INSTANTIATE_TEST_SUITE_P(Rules, Personalities, ::testing::ValuesIn(personalities()),
                         [](const auto& each) {
                           std::string name = each.param.name;
                           for (char& letter : name)
                             if (letter == ';') letter = '_';
                           return name;
                         });

TEST_P(Personalities, frames_of_every_size_arrive_whole_and_in_order_both_ways) {
  Pair pair(here());
  EXPECT_EQ(pair.left.address().provider, GetParam().name);
  ASSERT_TRUE(pair.connect());
  testing::exchange_frames_of_every_size(pair, 2 * 1024);
  EXPECT_EQ(strict_.injected > 0, GetParam().inject > 0);
  if ((GetParam().mr_mode & FI_MR_LOCAL) != 0) {
    EXPECT_GE(strict_.registered, 4u);
  }
  if (GetParam().sends <= 4) {
    EXPECT_GT(strict_.full, 0u) << "the queue was never full";
  }
}

TEST_P(Personalities, a_sender_without_a_window_is_held_back_and_loses_nothing) {
  Pair pair(here());
  ASSERT_TRUE(pair.connect());
  const auto size = [](std::uint64_t) { return Fabric::kMaxFrame; };
  Stream rightward{pair.left, pair.to_right, pair.at_right, size, 4'000, 4'000};
  rightward.listen();
  EXPECT_TRUE(pair.until([&] {
    rightward.push();
    return rightward.done();
  }));
  EXPECT_TRUE(rightward.intact);
}

TEST_P(Personalities, a_peer_is_given_up_and_reached_again) {
  Pair pair(here());
  ASSERT_TRUE(pair.connect());
  for (int round = 0; round < 3; ++round) {
    pair.left.remove(pair.to_right);
    pair.to_right = pair.left.add(pair.right.address());
    const std::size_t before = pair.at_right.frames;
    bool sent = false;
    EXPECT_TRUE(pair.until([&] {
      if (!sent) sent = pair.left.send(pair.to_right, frame_of(1, 512)) == Fabric::Sent::kSent;
      return pair.at_right.frames > before;
    }));
  }
}

TEST_P(Personalities, a_blob_is_read_from_the_other_sides_memory) {
  Pair pair(here());
  ASSERT_TRUE(pair.connect());
  ASSERT_EQ(pair.left.why_no_remote_memory(), "");
  const std::size_t longest = pair.left.longest_read();
  EXPECT_EQ(longest, std::min(GetParam().longest, Fabric::kLongestPiece));
  const auto blob = some_bytes(GetParam().longest < 100'000 ? 200'011 : 3'000'011);
  std::string why;
  const auto exposed = pair.right.expose(blob, why);
  ASSERT_TRUE(exposed) << why;
  EXPECT_EQ(read_all(pair, exposed->memory, longest), blob);
  pair.right.withdraw(exposed->id);
  EXPECT_EQ(strict_.read, (blob.size() + longest - 1) / longest);
}

TEST_P(Personalities, exposed_memory_goes_with_its_fabric) {
  const auto blob = some_bytes(100'000);
  Fabric fabric(here());
  std::string why;
  EXPECT_TRUE(fabric.expose(blob, why)) << why;
}

// Everything that sleeps is woken, by a descriptor or by the end of its nap.
TEST_P(Personalities, what_comes_ends_a_sleep) {
  Pair pair(here());
  ASSERT_TRUE(pair.connect());
  EXPECT_EQ(pair.right.wait_fd() >= 0, has_descriptor());
  EXPECT_EQ(pair.right.longest_nap() == Fabric::kAnyNap, has_descriptor());
  for (int i = 0; i < 20; ++i) {
    const std::size_t before = pair.at_right.frames;
    pair.until([&] { return pair.left.poll(pair.at_left) + pair.right.poll(pair.at_right) == 0; });
    bool sent = false;
    ASSERT_TRUE(pair.until([&] {
      if (!sent) sent = pair.left.send(pair.to_right, frame_of(1, 4096)) == Fabric::Sent::kSent;
      return pair.at_right.frames > before;
    }));
  }
}

TEST(Nap, grows_while_nothing_moves_and_begins_anew_with_what_does) {
  Personality p;
  p.wait = Personality::Wait::kRefused;
  StrictProvider strict({p});
  Pair pair({.provider = "auto", .host = "127.0.0.1", .port = 0, .library = &strict.library()});
  ASSERT_TRUE(pair.connect());
  const auto sleep_often = [&] {
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(pair.right.may_sleep());
      EXPECT_GE(pair.right.longest_nap(), Fabric::kShortestNap);
      EXPECT_LE(pair.right.longest_nap(), Fabric::kLongestNap);
    }
    EXPECT_EQ(pair.right.longest_nap(), Fabric::kLongestNap);
  };
  sleep_often();
  bool sent = false;
  const std::size_t before = pair.at_right.frames;
  ASSERT_TRUE(pair.until([&] {
    if (!sent) sent = pair.left.send(pair.to_right, frame_of(1, 512)) == Fabric::Sent::kSent;
    return pair.at_right.frames > before;
  }));
  EXPECT_EQ(pair.right.longest_nap(), Fabric::kShortestNap) << "something came";
  sleep_often();
  ASSERT_EQ(pair.right.send(pair.to_left, frame_of(1, 8)), Fabric::Sent::kSent);
  EXPECT_EQ(pair.right.longest_nap(), Fabric::kShortestNap) << "something went";
}

TEST(Registrations, when_all_are_in_use_exposing_says_so_and_frames_go_on) {
  Personality p;
  p.mr_mode = FI_MR_LOCAL;
  p.registrations = 4;  // two for the pools
  StrictProvider strict({p});
  Pair pair({.provider = "auto", .host = "127.0.0.1", .port = 0, .library = &strict.library()});
  ASSERT_TRUE(pair.connect());
  const auto blob = some_bytes(1000);
  std::string why;
  const auto first = pair.right.expose(blob, why);
  ASSERT_TRUE(first && pair.right.expose(blob, why)) << why;
  EXPECT_FALSE(pair.right.expose(blob, why));
  EXPECT_THAT(why, ::testing::HasSubstr("all 4 registrations"));
  pair.right.withdraw(first->id);
  EXPECT_TRUE(pair.right.expose(blob, why)) << why;
  const auto size = [](std::uint64_t) { return std::size_t{512}; };
  Stream rightward{pair.left, pair.to_right, pair.at_right, size, 500, 64};
  rightward.listen();
  EXPECT_TRUE(pair.until([&] {
    rightward.push();
    return rightward.done();
  }));
}

TEST(RemoteMemory, a_provider_without_it_says_so) {
  Personality p;
  p.remote_memory = false;
  StrictProvider strict({p});
  Fabric fabric({.provider = "auto", .host = "127.0.0.1", .port = 0, .library = &strict.library()});
  EXPECT_NE(fabric.why_no_remote_memory(), "");
  EXPECT_EQ(fabric.longest_read(), 0u);
  std::string why;
  EXPECT_FALSE(fabric.expose(some_bytes(100), why));
  EXPECT_THAT(why, ::testing::HasSubstr("does not read remote memory"));
}

// ---- whole nodes

class Nodes : public Personalities {
 protected:
  Node open() {
    NetworkOptions options = testing::options("auto");
    options.libfabric = &strict_.library();
    return {open_network(testing::same_key(key_), std::move(options)), testing::Diary{}};
  }
  ClusterKey key_ = ClusterKey::generate();
};

INSTANTIATE_TEST_SUITE_P(Cards, Nodes,
                         ::testing::Values(testing::verbs_like(), testing::efa_like(),
                                           testing::cxi_like(), personalities().back()),
                         [](const auto& each) {
                           return each.param.name.substr(0, each.param.name.find(';'));
                         });

TEST_P(Nodes, exchange_messages_small_and_large) {
  Node a = open(), b = open();
  a.transport->dial(b.address());
  ASSERT_TRUE(run({&a, &b}, [&] { return a.diary.live() == 1 && b.diary.live() == 1; }));
  EXPECT_EQ(a.diary.ups.back().peer.provider, GetParam().name);
  std::uint64_t at_b = 0, at_a = 0, wrong = 0;
  const auto bytes = [](std::uint64_t i) {
    return testing::bytes_of(i, i % 100 == 0 ? 300'000 : 8 + i % 50 * 8);
  };
  a.diary.read = [&](SessionId, auto message) {
    wrong += testing::Bytes(message.begin(), message.end()) != bytes(at_a++);
  };
  b.diary.read = [&](SessionId, auto message) {
    wrong += testing::Bytes(message.begin(), message.end()) != bytes(at_b++);
  };
  for (std::uint64_t i = 0; i < 500; ++i) {
    a.transport->send(a.session(), bytes(i));
    b.transport->send(b.session(), bytes(i));
  }
  EXPECT_TRUE(run({&a, &b}, [&] { return at_a == 500 && at_b == 500; })) << at_a << ' ' << at_b;
  EXPECT_EQ(wrong, 0u);
  EXPECT_TRUE(a.diary.downs.empty());
  EXPECT_TRUE(a.diary.refusals.empty());
}

// Each in its own turn sleeps for as long as it likes: a message still gets through, there and
// back.
TEST_P(Nodes, that_sleep_hear_each_other) {
  Node a = open(), b = open();
  a.transport->dial(b.address());
  ASSERT_TRUE(run({&a, &b}, [&] { return a.diary.live() == 1 && b.diary.live() == 1; }));
  std::uint64_t back = 0;
  b.diary.read = [&](SessionId session, auto message) { b.transport->send(session, message); };
  a.diary.read = [&](SessionId, auto) { ++back; };
  const Time end = Clock::now() + std::chrono::seconds(60);
  for (std::uint64_t i = 1; i <= 20; ++i) {
    a.transport->send(a.session(), testing::bytes_of(i, 512));
    while (back < i && Clock::now() < end) {
      a.transport->poll(Clock::now(), a.diary);
      a.transport->wait(Clock::now() + std::chrono::milliseconds(5));
      b.transport->poll(Clock::now(), b.diary);
      b.transport->wait(Clock::now() + std::chrono::milliseconds(5));
    }
  }
  EXPECT_EQ(back, 20u);
}

TEST(Node, without_locked_memory_they_speak_by_the_control_connection_and_say_why) {
  Personality starved = testing::verbs_like();
  starved.registering_fails = -FI_ENOMEM;
  for (const std::string name : {"auto", "verbs"}) {
    StrictProvider strict({starved});
    const ClusterKey key = ClusterKey::generate();
    const auto open = [&] {
      NetworkOptions options = testing::options(name);
      options.libfabric = &strict.library();
      return Node{open_network(testing::same_key(key), std::move(options)), testing::Diary{}};
    };
    Node a = open(), b = open();
    a.transport->dial(b.address());
    ASSERT_TRUE(run({&a, &b}, [&] { return a.diary.live() == 1 && b.diary.live() == 1; }));
    EXPECT_EQ(a.diary.ups.back().peer.provider, "control");
    ASSERT_EQ(a.diary.refusals.size(), 1u);
    EXPECT_EQ(a.diary.refusals[0].reason, RefusalReason::kFabric);
    EXPECT_THAT(a.diary.refusals[0].sentence,
                ::testing::AllOf(::testing::HasSubstr("control connections"),
                                 ::testing::HasSubstr("ulimit -l")));
  }
}

TEST(Node, a_provider_that_is_asked_for_by_name_and_not_there_is_an_error) {
  NetworkOptions options = testing::options("verbs");
  StrictProvider strict({testing::efa_like()});
  options.libfabric = &strict.library();
  try {
    open_network(ClusterKey::generate(), std::move(options));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                ::testing::AllOf(::testing::HasSubstr("'verbs'"), ::testing::HasSubstr("'efa'")));
  }
}

// ---- the substitute itself: what it does not refuse, the tests above do not prove

// An endpoint of it, without a Fabric around.
struct Bare {
  explicit Bare(const StrictProvider& strict) : library(strict.library()) {
    hints->caps = FI_MSG | FI_MULTI_RECV | FI_RMA | FI_READ | FI_REMOTE_READ;
    hints->mode = FI_CONTEXT | FI_CONTEXT2;
    hints->ep_attr->type = FI_EP_RDM;
    hints->domain_attr->mr_mode = kRegistrationModes;
    must(library.getinfo(FI_VERSION(1, 17), "127.0.0.1", nullptr, FI_SOURCE, hints, &info));
    library.fabric(info->fabric_attr, &fabric, nullptr);
    fi_domain(fabric, info, &domain, nullptr);
    fi_av_attr av_attr{};
    fi_av_open(domain, &av_attr, &av, nullptr);
    fi_cq_attr cq_attr{};
    cq_attr.format = FI_CQ_FORMAT_DATA;
    fi_cq_open(domain, &cq_attr, &cq, nullptr);
    fi_endpoint(domain, info, &endpoint, nullptr);
    fi_ep_bind(endpoint, &av->fid, 0);
    fi_ep_bind(endpoint, &cq->fid, FI_TRANSMIT | FI_RECV);
    fi_enable(endpoint);
    std::vector<std::byte> name(64);
    std::size_t length = name.size();
    fi_getname(&endpoint->fid, name.data(), &length);
    fi_av_insert(av, name.data(), 1, &self, 0, nullptr);
  }
  ~Bare() {
    if (registration != nullptr) fi_close(&registration->fid);
    for (fid* object : {&endpoint->fid, &cq->fid, &av->fid, &domain->fid, &fabric->fid})
      fi_close(object);
    library.freeinfo(info);
    library.freeinfo(hints);
  }
  static void must(int code) {
    if (code != 0) throw Error(Libfabric::library().strerror(-code));
  }
  int add(const void* at, std::size_t bytes, std::uint64_t access) {
    return fi_mr_reg(domain, at, bytes, access, 0, 7, 0, &registration, nullptr);
  }
  const Libfabric& library;
  fi_info* hints = library.dupinfo(nullptr);
  fi_info* info = nullptr;
  fid_fabric* fabric = nullptr;
  fid_domain* domain = nullptr;
  fid_av* av = nullptr;
  fid_cq* cq = nullptr;
  fid_ep* endpoint = nullptr;
  fid_mr* registration = nullptr;
  fi_addr_t self = 0;
};

// Memory of the system's, half of it never used.
class Pages {
 public:
  static constexpr std::size_t kBytes = 64 * 4096;
  Pages()
      : begin_(static_cast<std::byte*>(::mmap(nullptr, 2 * kBytes, PROT_READ | PROT_WRITE,
                                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    std::memset(begin_, 1, kBytes);
  }
  ~Pages() { ::munmap(begin_, 2 * kBytes); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  std::byte* touched() const { return begin_; }
  std::byte* untouched() const { return begin_ + kBytes; }

 private:
  std::byte* const begin_;
};

class Strictness : public ::testing::Test {
 protected:
  void expect_violation(StrictProvider& strict) {
    EXPECT_EQ(strict.violations.size(), 1u);
    strict.violations.clear();
  }
  Pages memory_;
  fi_context2 context_{};
};

TEST_F(Strictness, memory_that_is_not_registered_or_differently_is_refused) {
  StrictProvider strict({testing::verbs_like()});
  Bare bare(strict);
  std::byte* const at = memory_.touched();
  EXPECT_EQ(fi_send(bare.endpoint, at, 64, nullptr, bare.self, &context_), -FI_EINVAL);
  expect_violation(strict);
  ASSERT_EQ(bare.add(at, 4096, FI_RECV), 0);
  void* const descriptor = fi_mr_desc(bare.registration);
  EXPECT_EQ(fi_send(bare.endpoint, at, 64, descriptor, bare.self, &context_), -FI_EINVAL);
  expect_violation(strict);  // registered to receive
  const iovec past{at + 4000, 200};
  fi_msg message{};
  message.msg_iov = &past;
  void* of[] = {descriptor};
  message.desc = of;
  message.iov_count = 1;
  message.context = &context_;
  EXPECT_EQ(fi_recvmsg(bare.endpoint, &message, FI_MULTI_RECV), -FI_EINVAL);
  expect_violation(strict);  // beyond its end
}

TEST_F(Strictness, memory_without_pages_is_refused) {
  StrictProvider strict({testing::verbs_like()});
  Bare bare(strict);
  EXPECT_EQ(bare.add(memory_.untouched(), 64 * 4096, FI_SEND), -FI_EINVAL);
  expect_violation(strict);
  EXPECT_EQ(bare.add(memory_.touched(), 64 * 4096, FI_SEND), 0);
}

TEST_F(Strictness, more_than_may_be_injected_or_sent_is_refused) {
  Personality small;
  small.inject = 16;
  small.longest = 1000;
  StrictProvider strict({small});
  Bare bare(strict);
  EXPECT_EQ(fi_inject(bare.endpoint, memory_.touched(), 17, bare.self), -FI_EMSGSIZE);
  expect_violation(strict);
  EXPECT_EQ(fi_send(bare.endpoint, memory_.touched(), 1001, nullptr, bare.self, &context_),
            -FI_EMSGSIZE);
  expect_violation(strict);
}

TEST_F(Strictness, a_registration_for_an_endpoint_counts_when_it_was_enabled) {
  Personality p;
  p.mr_mode = FI_MR_LOCAL | FI_MR_ENDPOINT;
  StrictProvider strict({p});
  Bare bare(strict);
  ASSERT_EQ(bare.add(memory_.touched(), 4096, FI_RECV), 0);
  const iovec where{memory_.touched(), 4096};
  void* descriptor = fi_mr_desc(bare.registration);
  fi_msg message{};
  message.msg_iov = &where;
  message.desc = &descriptor;
  message.iov_count = 1;
  message.context = &context_;
  EXPECT_EQ(fi_recvmsg(bare.endpoint, &message, FI_MULTI_RECV), -FI_EINVAL);
  expect_violation(strict);
  EXPECT_EQ(fi_mr_bind(bare.registration, &bare.endpoint->fid, 0), 0);
  EXPECT_EQ(fi_mr_enable(bare.registration), 0);
  EXPECT_EQ(fi_recvmsg(bare.endpoint, &message, FI_MULTI_RECV), 0);
}

TEST_F(Strictness, an_offset_where_a_pointer_is_wanted_is_refused_and_the_other_way_round) {
  for (const bool pointers : {true, false}) {
    Personality p;
    p.mr_mode = pointers ? FI_MR_VIRT_ADDR : 0;
    StrictProvider strict({p});
    Bare bare(strict);
    std::byte* const at = memory_.touched();
    ASSERT_EQ(bare.add(at, 4096, FI_REMOTE_READ), 0);
    const auto pointer = reinterpret_cast<std::uint64_t>(at);
    EXPECT_EQ(fi_read(bare.endpoint, at + 8192, 64, nullptr, bare.self, pointers ? 0 : pointer,
                      fi_mr_key(bare.registration), &context_),
              -FI_EINVAL);
    expect_violation(strict);
  }
}

TEST_F(Strictness, a_descriptor_is_refused_where_there_is_none) {
  Personality p;
  p.wait = Personality::Wait::kRefused;
  StrictProvider strict({p});
  Bare bare(strict);
  fi_cq_attr attributes{};
  attributes.wait_obj = FI_WAIT_FD;
  fid_cq* queue = nullptr;
  EXPECT_EQ(fi_cq_open(bare.domain, &attributes, &queue, nullptr), -FI_ENOSYS);
  fid* waiting[] = {&bare.cq->fid};
  EXPECT_EQ(fi_trywait(bare.fabric, waiting, 1), -FI_EINVAL);
  expect_violation(strict);
}

}  // namespace
}  // namespace pp::transport
