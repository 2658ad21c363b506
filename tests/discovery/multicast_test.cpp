// Multicast over real sockets, on the loopback interface: nodes of one key find each other.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <pp/error.hpp>
#include <pp/interfaces.hpp>
#include <pp/multicast.hpp>

#include "beacon.hpp"
#include "descriptor.hpp"
#include "link.hpp"

namespace pp::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A process of its own port, so that tests may run beside each other.
std::uint16_t own_port() { return static_cast<std::uint16_t>(20'000 + ::getpid() % 40'000); }

MulticastOptions on_loopback() {
  MulticastOptions options;
  options.group6.clear();
  options.port = own_port();
  options.interfaces = {"lo"};
  options.launch = "launch";
  options.function_table = 7;
  return options;
}

// A key is not copied; the same one can be read twice.
class Keys {
 public:
  Keys() {
    file_ =
        std::filesystem::temp_directory_path() /
        ("pp-multicast-test-" + std::to_string(::getpid()) + "-" + NodeId::random().short_name());
    ClusterKey::generate().save(file_);
  }
  ~Keys() { std::filesystem::remove(file_); }
  ClusterKey key() const { return ClusterKey::load(file_); }

 private:
  std::filesystem::path file_;
};

// A node of the test: a Multicast, and what it told.
struct Node : Discovery::Listener {
  Node(ClusterKey key, const MulticastOptions& options, std::uint16_t port)
      : multicast(std::move(key), options) {
    self.node = NodeId::random();
    self.name = "node";
    self.addresses = {{"10.9.9.9", port}, {"127.0.0.1", port}};
    multicast.introduce(self);
  }
  void sighted(const Sighting& sighting) override { sightings.push_back(sighting); }
  void noticed(const std::string& sentence) override { sentences.push_back(sentence); }

  bool has_sighted(const Node& other, bool leaving = false) const {
    return std::any_of(sightings.begin(), sightings.end(), [&](const Sighting& it) {
      return it.node == other.self.node && it.leaving == leaving;
    });
  }

  Multicast multicast;
  Discovery::Self self;
  std::vector<Sighting> sightings;
  std::vector<std::string> sentences;
};

// The tests' time: the system's, which leaps ahead to what is due next when the network is silent.
Time::duration leapt{};
Time now() { return Clock::now() + leapt; }

// Lets the nodes run until `done`. False when that took ten seconds of the system's time.
template <class Done>
bool run(std::vector<Node*> nodes, Done done) {
  constexpr int kSilence = 5;  // milliseconds
  const Time limit = Clock::now() + seconds(10);
  while (Clock::now() < limit) {
    Time next = Time::max();
    std::vector<pollfd> descriptors;
    for (Node* node : nodes) {
      node->multicast.poll(now(), *node);
      next = std::min(next, node->multicast.next_due(now()));
      for (const int fd : node->multicast.descriptors()) descriptors.push_back({fd, POLLIN, 0});
    }
    if (done()) return true;
    if (::poll(descriptors.data(), descriptors.size(), next > now() ? kSilence : 0) == 0)
      leapt += std::max(next - now(), Time::duration(0));
  }
  return false;
}

// Where the nodes of `options` are, without one.
Link stranger(const MulticastOptions& options) {
  return Link(places_among(transport::interfaces(), options).at(0), options);
}

// All of them, whatever they are.
std::uint64_t arrived(const BeaconCounters& counters) {
  return counters.heard + counters.malformed + counters.other_version + counters.foreign +
         counters.forged + counters.own + counters.copies + counters.replayed + counters.limited;
}

TEST(Multicast, nodes_of_one_key_sight_each_other) {
  const Keys keys;
  Node a(keys.key(), on_loopback(), 1), b(keys.key(), on_loopback(), 2);
  const Time start = now();
  ASSERT_TRUE(run({&a, &b}, [&] { return a.has_sighted(b) && b.has_sighted(a); }));
  EXPECT_LT(now() - start, seconds(2));
  EXPECT_GT(a.multicast.counters().heard, 0u);
  EXPECT_GT(a.multicast.counters().sent, 0u);
  EXPECT_THAT(a.sentences, IsEmpty());
  // The one on this interface comes first, whatever order they were given in.
  EXPECT_THAT(a.sightings.front().addresses,
              ElementsAre(Address{"127.0.0.1", 2}, Address{"10.9.9.9", 2}));
}

// Would catch a port that hands each datagram to one of the sockets that share it.
TEST(Multicast, all_nodes_of_a_host_hear_everything) {
  const Keys keys;
  std::vector<std::unique_ptr<Node>> nodes;
  std::vector<Node*> all;
  for (std::uint16_t port = 1; port <= 8; ++port) {
    nodes.push_back(std::make_unique<Node>(keys.key(), on_loopback(), port));
    all.push_back(nodes.back().get());
  }
  Link link = stranger(on_loopback());
  for (int i = 0; i < 10; ++i)
    ASSERT_EQ(link.send(std::as_bytes(std::span("noise"))), Link::Sent::kSent);
  EXPECT_TRUE(run(all, [&] {
    return std::all_of(all.begin(), all.end(), [&](const Node* node) {
      const bool knows_all = std::all_of(all.begin(), all.end(), [node](const Node* other) {
        return node == other || node->has_sighted(*other);
      });
      return node->multicast.counters().malformed == 10 && knows_all;
    });
  }));
}

TEST(Multicast, a_late_node_is_answered) {
  const Keys keys;
  Node a(keys.key(), on_loopback(), 1);
  ASSERT_TRUE(run({&a}, [&] { return a.multicast.counters().sent == 3; }));
  Node b(keys.key(), on_loopback(), 2);
  const Time start = now();
  ASSERT_TRUE(run({&a, &b}, [&] { return b.has_sighted(a); }));
  EXPECT_LT(now() - start, seconds(2));
}

TEST(Multicast, another_key_is_counted_and_noticed_and_not_sighted) {
  const Keys keys, other_keys;
  Node a(keys.key(), on_loopback(), 1), b(other_keys.key(), on_loopback(), 2);
  ASSERT_TRUE(run({&a, &b}, [&] {
    return a.multicast.counters().foreign > 0 && b.multicast.counters().foreign > 0;
  }));
  EXPECT_THAT(a.sightings, IsEmpty());
  EXPECT_THAT(b.sightings, IsEmpty());
  EXPECT_THAT(a.sentences,
              ElementsAre(testing::AllOf(HasSubstr("another cluster"), HasSubstr("127.0.0.1"))));
}

TEST(Multicast, another_launch_or_program_is_another_cluster) {
  const Keys keys;
  MulticastOptions other_launch = on_loopback(), other_program = on_loopback();
  other_launch.launch = "other";
  other_program.function_table = 8;
  Node a(keys.key(), on_loopback(), 1), b(keys.key(), other_launch, 2),
      c(keys.key(), other_program, 3);
  ASSERT_TRUE(run({&a, &b, &c}, [&] { return a.multicast.counters().foreign >= 2; }));
  EXPECT_THAT(a.sightings, IsEmpty());
}

TEST(Multicast, who_leaves_says_so) {
  const Keys keys;
  Node a(keys.key(), on_loopback(), 1), b(keys.key(), on_loopback(), 2);
  ASSERT_TRUE(run({&a, &b}, [&] { return a.has_sighted(b); }));
  b.multicast.leave();
  EXPECT_TRUE(run({&a}, [&] { return a.has_sighted(b, true); }));
}

// A node that has left lives on, perhaps for long: it lets its jobs end. Who waits for a descriptor
// that nobody reads any more would wake for ever.
TEST(Multicast, who_has_left_is_not_woken_any_more) {
  const Keys keys;
  Node a(keys.key(), on_loopback(), 1);
  ASSERT_TRUE(run({&a}, [&] { return a.multicast.counters().own > 0; }));
  a.multicast.leave();
  stranger(on_loopback()).send(std::as_bytes(std::span("noise")));
  pollfd entry{a.multicast.descriptors().at(0), POLLIN, 0};
  EXPECT_EQ(::poll(&entry, 1, 0), 0);
}

TEST(Multicast, garbage_and_recordings_are_counted_and_that_is_all) {
  const Keys keys;
  const MulticastOptions options = on_loopback();
  const ClusterKey key = keys.key();
  const ClusterId cluster = ClusterId::of(key, options.launch, options.function_table);
  Node a(keys.key(), options, 1);
  Link link = stranger(options);
  const auto hello =
      encode({Beacon::Kind::kHello, NodeId::random(), 0, 1, "x", {{"a", 1}}, 1}, key, cluster);
  const std::vector<std::byte> too_long(5000);
  for (int i = 0; i < 3; ++i) link.send(hello);
  link.send({});
  link.send(std::as_bytes(std::span("GET / HTTP/1.1")));
  link.send(too_long);
  link.send(std::span(hello).first(hello.size() - 8));
  ASSERT_TRUE(run({&a}, [&] { return arrived(a.multicast.counters()) >= 7; }));
  const BeaconCounters counters = a.multicast.counters();
  EXPECT_EQ(counters.heard, 1u);
  EXPECT_EQ(counters.replayed, 2u);
  EXPECT_EQ(counters.malformed, 4u);
  EXPECT_EQ(a.sightings.size(), 1u);
  EXPECT_THAT(a.sentences, IsEmpty());
}

TEST(Multicast, tells_what_it_ignored_by_kind) {
  const Keys keys;
  const MulticastOptions options = on_loopback();
  const ClusterKey key = keys.key();
  const ClusterId cluster = ClusterId::of(key, options.launch, options.function_table);
  const ClusterId other = ClusterId::of(key, "another launch", options.function_table);
  const Beacon beacon{Beacon::Kind::kHello, NodeId::random(), 0, 1, "x", {{"a", 1}}, 1};
  Node a(keys.key(), options, 1);
  Link link = stranger(options);
  const auto good = encode(beacon, key, cluster);
  auto newer = good;
  newer[4] = std::byte{9};
  for (int i = 0; i < 5; ++i) link.send(good);
  for (int i = 0; i < 2; ++i) link.send(encode(beacon, key, other));
  link.send(newer);
  for (int i = 0; i < 2; ++i) link.send(encode(beacon, ClusterKey::generate(), cluster));
  link.send(std::as_bytes(std::span("GET / HTTP/1.1")));
  ASSERT_TRUE(run({&a}, [&] { return arrived(a.multicast.counters()) >= 11; }));
  const Discovery::Ignored ignored = a.multicast.ignored();
  EXPECT_EQ(ignored.foreign, 3u) << "one of them of another version";
  EXPECT_EQ(ignored.forged, 2u);
  EXPECT_EQ(ignored.replayed, 4u);
  EXPECT_EQ(ignored.malformed, 1u);
}

TEST(Multicast, a_flood_does_not_keep_the_caller) {
  const Keys keys;
  Node a(keys.key(), on_loopback(), 1);
  Link link = stranger(on_loopback());
  a.multicast.poll(now(), a);
  const std::uint64_t before = arrived(a.multicast.counters());
  for (int i = 0; i < 100; ++i) link.send(std::as_bytes(std::span("noise")));
  a.multicast.poll(now(), a);
  EXPECT_LE(arrived(a.multicast.counters()) - before, 16u);
  EXPECT_TRUE(run({&a}, [&] { return a.multicast.counters().malformed == 100; }));
}

TEST(Multicast, is_refused_with_all_that_was_tried_where_no_interface_is) {
  const Keys keys;
  MulticastOptions options = on_loopback();
  options.interfaces = {"pp-none0", "pp-none1"};
  try {
    Multicast multicast(keys.key(), options);
    FAIL() << "it found an interface";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("pp-none0"), HasSubstr("pp-none1")));
  }
}

TEST(Multicast, an_interface_that_fails_beside_others_is_noticed) {
  const Keys keys;
  MulticastOptions options = on_loopback();
  options.interfaces = {"lo", "pp-none0"};
  Node a(keys.key(), options, 1);
  a.multicast.poll(now(), a);
  EXPECT_THAT(a.sentences, ElementsAre(HasSubstr("pp-none0")));
}

// A host of our own: a network namespace with loopback and the interface pp0, a veth whose other
// end nobody uses. It goes with the sockets of the test. Where none may be made the test is
// skipped.
class OnAHostOfItsOwn : public testing::Test {
 protected:
  void SetUp() override {
    if (before_.get() < 0 || ::unshare(CLONE_NEWNET) != 0)
      GTEST_SKIP() << "no network namespace may be made here: " << std::strerror(errno);
    entered_ = true;
    if (!ip("link set lo up") || !add("pp0", 1))
      GTEST_SKIP() << "no interfaces can be made here (ip of iproute2)";
    options_.interfaces.clear();
  }
  void TearDown() override {
    if (!entered_) return;
    ASSERT_EQ(::setns(before_.get(), CLONE_NEWNET), 0);
  }

  static bool ip(const std::string& words) { return std::system(("ip " + words).c_str()) == 0; }
  // 10.231.<number>.1 and fd00:<number>::1, usable at once: no detection of duplicates, and the
  // system has seen that the other end is up.
  static bool add(const std::string& name, int number) {
    const std::string n = std::to_string(number);
    const Descriptor changes(::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE));
    sockaddr_nl links{};
    links.nl_family = AF_NETLINK;
    links.nl_groups = RTMGRP_LINK;
    return ::bind(changes.get(), reinterpret_cast<const sockaddr*>(&links), sizeof links) == 0 &&
           ip("link add " + name + " type veth peer name " + name + "-end") &&
           ip("addr add 10.231." + n + ".1/24 dev " + name) &&
           ip("addr add fd00:" + n + "::1/64 dev " + name + " nodad") &&
           ip("link set " + name + "-end up") && ip("link set " + name + " up") &&
           comes_up(name, changes);
  }
  static bool comes_up(const std::string& name, const Descriptor& changes) {
    const Time limit = Clock::now() + seconds(10);
    char told[4096];
    while (Clock::now() < limit) {
      if (!transport::usable_among(transport::interfaces(), name).empty()) return true;
      pollfd change{changes.get(), POLLIN, 0};
      ::poll(&change, 1, 1000);
      while (::recv(changes.get(), told, sizeof told, 0) > 0) {
      }
    }
    return false;
  }
  static std::uint64_t sent(const Node& node) { return node.multicast.counters().sent; }

  const Keys keys_;
  MulticastOptions options_ = on_loopback();

 private:
  const Descriptor before_{::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)};
  bool entered_ = false;
};

TEST_F(OnAHostOfItsOwn, ipv6_does_what_ipv4_does) {
  options_.group.clear();
  for (const char* group6 : {"ff02::7070", "ff05::7070"}) {
    options_.group6 = group6;
    Node a(keys_.key(), options_, 1), b(keys_.key(), options_, 2);
    // Its own address of this link has to pass duplicate address detection first.
    EXPECT_TRUE(run({&a, &b}, [&] { return a.has_sighted(b) && b.has_sighted(a); }));
    EXPECT_EQ(a.multicast.counters().malformed, 0u);
  }
}

TEST_F(OnAHostOfItsOwn, an_interface_that_comes_back_is_greeted_within_seconds) {
  Node a(keys_.key(), options_, 1), b(keys_.key(), options_, 2);
  ASSERT_TRUE(run({&a, &b}, [&] { return a.has_sighted(b) && b.has_sighted(a); }));
  ASSERT_TRUE(ip("link set pp0 down"));
  const Time gone = now();
  ASSERT_TRUE(run({&a, &b}, [&] { return now() > gone + seconds(4); }));
  a.sightings.clear();
  b.sightings.clear();
  ASSERT_TRUE(ip("link set pp0 up"));
  EXPECT_TRUE(run({&a, &b}, [&] { return a.has_sighted(b) && b.has_sighted(a); }));
}

TEST_F(OnAHostOfItsOwn, an_interface_that_appears_is_used) {
  Node a(keys_.key(), options_, 1), b(keys_.key(), options_, 2);
  for (Node* node : {&a, &b}) {
    node->self.addresses.push_back({"10.231.2.1", 1});
    node->multicast.introduce(node->self);
  }
  ASSERT_TRUE(run({&a, &b}, [&] { return a.has_sighted(b) && b.has_sighted(a); }));
  ASSERT_TRUE(add("pp2", 2));
  EXPECT_TRUE(run({&a, &b}, [&] {
    return a.sightings.back().addresses.front() == Address{"10.231.2.1", 1};
  }));
}

TEST_F(OnAHostOfItsOwn, an_interface_that_is_made_anew_under_its_name_is_used) {
  Node a(keys_.key(), options_, 1), b(keys_.key(), options_, 2);
  ASSERT_TRUE(run({&a, &b}, [&] { return a.has_sighted(b) && b.has_sighted(a); }));
  ASSERT_TRUE(ip("link del pp0") && add("pp0", 1));
  a.sightings.clear();
  b.sightings.clear();
  EXPECT_TRUE(run({&a, &b}, [&] { return a.has_sighted(b) && b.has_sighted(a); }));
}

TEST_F(OnAHostOfItsOwn, what_is_sent_on_one_interface_is_not_heard_on_another) {
  ASSERT_TRUE(add("pp2", 2));
  options_.group6 = "ff05::7070";  // wider than a link: the socket is not bound to one by its group
  MulticastOptions elsewhere = options_;
  options_.interfaces = {"pp0"};
  elsewhere.interfaces = {"pp2"};
  Node a(keys_.key(), options_, 1), b(keys_.key(), elsewhere, 2), c(keys_.key(), elsewhere, 3);
  ASSERT_TRUE(run({&a, &b, &c}, [&] { return b.has_sighted(c) && sent(a) >= 4; }));
  EXPECT_EQ(a.multicast.counters().heard, 0u);
  EXPECT_FALSE(b.has_sighted(a));
}

}  // namespace
}  // namespace pp::discovery
