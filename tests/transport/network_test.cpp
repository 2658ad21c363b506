// Two or more nodes over 127.0.0.1, with the data on the control connection and on the fabric.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <pp/interfaces.hpp>
#include <set>
#include <thread>

#include "wire.hpp"

extern char** environ;

namespace pp::transport {
namespace {

using std::chrono::milliseconds;
using testing::Bytes;
using testing::bytes_of;
using testing::Diary;
using testing::Network;
using testing::Node;
using testing::run;
using testing::same_key;
using testing::value_of;

INSTANTIATE_TEST_SUITE_P(Data, Network, ::testing::Values("off", "shm", "tcp;ofi_rxm"),
                         [](const auto& param) {
                           const std::string way = param.param;
                           return way == "off"   ? "on_the_control_connection"
                                  : way == "shm" ? "in_shared_memory"
                                                 : "on_the_fabric";
                         });

TEST_P(Network, a_dial_brings_up_one_session_at_both_ends) {
  Node a = open(), b = open();
  connect(a, b);
  EXPECT_EQ(a.diary.ups[0].peer.introduction.node, b.transport->self().node);
  EXPECT_EQ(b.diary.ups[0].peer.introduction.node, a.transport->self().node);
  EXPECT_EQ(b.diary.ups[0].peer.introduction.workers, 2u);
  EXPECT_EQ(b.diary.ups[0].peer.introduction.addresses, a.transport->self().addresses);
  EXPECT_TRUE(a.diary.ups[0].peer.dialled);
  EXPECT_FALSE(b.diary.ups[0].peer.dialled);
  const std::string way = std::string(GetParam()) == "off" ? "control" : GetParam();
  EXPECT_EQ(a.diary.ups[0].peer.provider, way);
  EXPECT_EQ(b.diary.ups[0].peer.provider, way);
  EXPECT_EQ(a.transport->counters().sessions_up, 1u);
}

TEST_P(Network, a_message_is_echoed) {
  Node a = open(), b = open();
  connect(a, b);
  b.diary.read = [&](SessionId from, auto message) { b.transport->send(from, message); };
  Bytes got;
  a.diary.read = [&](SessionId, auto message) { got.assign(message.begin(), message.end()); };
  const Bytes said = bytes_of(7, 64);
  ASSERT_TRUE(a.transport->send(a.session(), said));
  ASSERT_TRUE(run({&a, &b}, [&] { return !got.empty(); }));
  EXPECT_EQ(got, said);
}

TEST_P(Network, a_hundred_thousand_small_messages_go_both_ways_in_order) {
  constexpr std::uint64_t kCount = 100'000;
  Node a = open(), b = open();
  connect(a, b);
  std::uint64_t at_a = 0, at_b = 0, sent_a = 0, sent_b = 0, wrong = 0;
  a.diary.read = [&](SessionId, auto message) { wrong += value_of(message) != at_a++; };
  b.diary.read = [&](SessionId, auto message) { wrong += value_of(message) != at_b++; };
  ASSERT_TRUE(run({&a, &b}, [&] {
    for (int i = 0; i < 100 && sent_a < kCount; ++i)
      a.transport->send(a.session(), bytes_of(sent_a++, 64));
    for (int i = 0; i < 100 && sent_b < kCount; ++i)
      b.transport->send(b.session(), bytes_of(sent_b++, 64));
    return at_a == kCount && at_b == kCount;
  }));
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(a.transport->counters().messages_sent, kCount);
  EXPECT_EQ(a.transport->counters().messages_received, kCount);
  EXPECT_LT(a.transport->counters().frames_sent, kCount);  // batched
  EXPECT_EQ(a.transport->backlog(a.session()), 0u);
}

TEST_P(Network, twenty_megabytes_arrive_in_one_piece) {
  Node a = open(), b = open();
  connect(a, b);
  const Bytes said = bytes_of(3, 20'000'000);
  bool same = false;
  b.diary.read = [&](SessionId, auto message) {
    same = std::equal(message.begin(), message.end(), said.begin(), said.end());
  };
  a.transport->send(a.session(), said);
  EXPECT_GE(a.transport->backlog(a.session()), said.size());
  ASSERT_TRUE(run({&a, &b}, [&] { return b.diary.messages == 1; }));
  EXPECT_TRUE(same);
}

// When a connection that was full has room again, all that waits goes on its way, and not with the
// next heartbeat: for these two the clock stands still. A message is less than half of the credit:
// none comes back that would set the rest going by the way.
TEST_P(Network, what_waited_for_room_goes_out_as_soon_as_there_is_some) {
  Node a = open(), b = open();
  connect(a, b);
  b.diary.read = [&](SessionId from, auto) { b.transport->send(from, bytes_of(1)); };
  const Time now = Clock::now();
  for (std::size_t round = 1; round <= 20; ++round) {
    const int room = static_cast<int>(round) * 16'384;
    for (int fd = 3; fd < 256; ++fd) ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    a.transport->send(a.session(), bytes_of(round, 480'000));
    for (int i = 0; i < 100; ++i) a.transport->poll(now, a.diary);  // nobody reads
    const Time limit = Clock::now() + std::chrono::seconds(10);
    while (a.diary.messages < round && Clock::now() < limit) {
      b.transport->poll(now, b.diary);
      a.transport->poll(now, a.diary);
    }
    ASSERT_EQ(a.diary.messages, round);
  }
}

TEST_P(Network, what_was_queued_before_hanging_up_arrives) {
  Node a = open(), b = open();
  connect(a, b);
  for (std::uint64_t i = 0; i < 1000; ++i) a.transport->send(a.session(), bytes_of(i, 1024));
  a.transport->hang_up(a.session(), "enough");
  EXPECT_FALSE(a.transport->send(a.session(), bytes_of(0)));
  ASSERT_TRUE(run({&a, &b}, [&] { return a.diary.live() == 0 && b.diary.live() == 0; }));
  EXPECT_EQ(b.diary.messages, 1000u);
  EXPECT_EQ(a.diary.downs[0].reason, DownReason::kHungUp);
  EXPECT_EQ(b.diary.downs[0].reason, DownReason::kGoodbye);
  EXPECT_EQ(b.diary.downs[0].why, "enough");
}

TEST_P(Network, a_peer_that_vanishes_is_noticed_at_once) {
  Node a = open(), b = open();
  connect(a, b);
  const Time before = Clock::now();
  b.transport.reset();
  ASSERT_TRUE(run({&a}, [&] { return a.diary.live() == 0; }));
  EXPECT_EQ(a.diary.downs[0].reason, DownReason::kClosed);
  EXPECT_LT(Clock::now() - before, milliseconds(3000));  // not by silence
  EXPECT_FALSE(a.transport->send(a.diary.ups[0].session, bytes_of(0)));
}

TEST_P(Network, what_a_peer_sent_before_it_vanished_is_handed_over_first) {
  Node a = open(), b = open();
  connect(a, b);
  for (std::uint64_t i = 0; i < 10; ++i) b.transport->send(b.session(), bytes_of(i));
  b.transport->poll(Clock::now(), b.diary);
  b.transport.reset();
  ASSERT_TRUE(run({&a}, [&] { return a.diary.live() == 0; }));
  if (std::string(GetParam()) != "tcp;ofi_rxm") {
    EXPECT_EQ(a.diary.messages, 10u);
  } else {
    EXPECT_LE(a.diary.messages, 10u);  // what the provider had not sent yet went with the endpoint
  }
}

TEST_P(Network, simultaneous_dialling_leaves_one_session) {
  for (int round = 0; round < 5; ++round) {
    Node a = open(), b = open();
    a.transport->dial(b.address());
    b.transport->dial(a.address());
    const auto settled = [&] {
      return a.diary.live() == 1 && b.diary.live() == 1 &&
             a.diary.ups.back().peer.dialled != b.diary.ups.back().peer.dialled;
    };
    ASSERT_TRUE(run({&a, &b}, settled));
    run(
        {&a, &b}, [] { return false; }, std::chrono::seconds(0));
    ASSERT_TRUE(run({&a, &b}, settled));
    b.diary.read = [&](SessionId from, auto message) { b.transport->send(from, message); };
    a.transport->send(a.session(), bytes_of(1));
    ASSERT_TRUE(run({&a, &b}, [&] { return a.diary.messages == 1; }));
    const bool a_smaller = a.transport->self().node < b.transport->self().node;
    EXPECT_EQ(a.diary.ups.back().peer.dialled, a_smaller);
    EXPECT_EQ(a.diary.ups.size(), 1u);  // and nobody saw another one meanwhile
    EXPECT_EQ(b.diary.ups.size(), 1u);
  }
}

TEST_P(Network, five_nodes_that_all_dial_each_other_have_one_session_per_pair) {
  std::vector<Node> nodes;
  for (int i = 0; i < 5; ++i) nodes.push_back(open());
  std::vector<Node*> all;
  for (Node& node : nodes) all.push_back(&node);
  for (Node& from : nodes)
    for (Node& to : nodes)
      if (&from != &to) from.transport->dial(to.address());
  const auto settled = [&] {
    for (Node& node : nodes) {
      std::set<NodeId> peers;
      std::set<SessionId> down;
      for (const auto& d : node.diary.downs) down.insert(d.session);
      for (const auto& up : node.diary.ups)
        if (!down.contains(up.session)) peers.insert(up.peer.introduction.node);
      if (peers.size() != 4 || node.diary.live() != 4) return false;
    }
    return true;
  };
  ASSERT_TRUE(run(all, settled));
}

TEST_P(Network, silence_ends_a_session) {
  NetworkOptions impatient = options();
  impatient.limits.heartbeat = milliseconds(50);
  impatient.limits.dead = milliseconds(300);
  Node a = open(impatient), b = open();
  connect(a, b);
  ASSERT_TRUE(run({&a}, [&] { return a.diary.live() == 0; }));  // b is not polled: as if stopped
  EXPECT_EQ(a.diary.downs[0].reason, DownReason::kSilent);
}

// Would catch: a process that was stopped right after its look at the sockets judges its peers by
// the clock when it goes on, before it has heard what they said meanwhile.
class StoodStill : public Network {
 protected:
  // `node` has looked, and there was nothing.
  static void look(Node& node) {
    run({&node}, [&] { return node.transport->poll(Clock::now(), node.diary) == 0; });
    node.transport->wait(Clock::now());
  }
  // It goes on, and believes that so much time has passed.
  static void go_on(Node& node) {
    node.transport->poll(Clock::now() + std::chrono::seconds(10), node.diary);
  }
};
INSTANTIATE_TEST_SUITE_P(Data, StoodStill, ::testing::Values("off", "tcp;ofi_rxm"),
                         [](const auto& param) {
                           return std::string(param.param) == "off" ? "on_the_control_connection"
                                                                    : "on_the_fabric";
                         });

TEST_P(StoodStill, a_peer_that_ended_meanwhile_has_closed_and_is_not_silent) {
  Node a = open(), b = open();
  connect(a, b);
  look(a);
  b.transport.reset();
  go_on(a);
  ASSERT_TRUE(run({&a}, [&] { return a.diary.live() == 0; }));
  EXPECT_EQ(a.diary.downs[0].reason, DownReason::kClosed);
}

TEST_P(StoodStill, a_peer_that_spoke_meanwhile_is_not_silent) {
  Node a = open(), b = open();
  connect(a, b);
  look(b);
  look(a);
  b.transport->send_word(b.session(), bytes_of(1));
  b.transport->poll(Clock::now(), b.diary);
  go_on(a);
  EXPECT_EQ(a.diary.live(), 1u);
  EXPECT_EQ(a.diary.words.size(), 1u);
}

TEST_P(Network, heartbeats_keep_an_idle_session_and_an_idle_wait_sleeps) {
  NetworkOptions quick = options();
  quick.limits.heartbeat = milliseconds(50);
  quick.limits.dead = milliseconds(400);
  Node a = open(quick);
  quick.introduction.node = NodeId::random();
  Node b = open(quick);
  connect(a, b);
  const Time end = Clock::now() + milliseconds(1200);
  std::size_t rounds = 0;
  while (Clock::now() < end) {
    for (Node* node : {&a, &b}) {
      node->transport->poll(Clock::now(), node->diary);
      node->transport->wait(std::min(end, Clock::now() + milliseconds(30)));
      ++rounds;
    }
  }
  EXPECT_EQ(a.diary.live(), 1u);
  EXPECT_EQ(b.diary.live(), 1u);
  EXPECT_LT(rounds, 1000u);  // a wait that does not block would make this many thousands
}

TEST_P(Network, a_wake_ends_the_wait_of_another_thread) {
  Node a = open();
  for (int i = 0; i < 200; ++i) {
    std::thread other([&] { a.transport->wake(); });
    a.transport->wait(Clock::now() + std::chrono::seconds(60));  // a lost wake fails by timeout
    other.join();
    a.transport->poll(Clock::now(), a.diary);
  }
}

// ---- strangers

int plain_connection(const Address& to) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(to.port);
  ::inet_pton(AF_INET, to.host.c_str(), &address.sin_addr);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd);
    return -1;
  }
  return fd;
}

class Door : public ::testing::Test {
 protected:
  NetworkOptions options() const { return testing::options(); }
  Node open(NetworkOptions with) { return {open_network(same_key(key_), with), Diary{}}; }
  Node open() { return open(options()); }
  ClusterKey key_ = ClusterKey::generate();
};

TEST_F(Door, garbage_is_refused_named_and_counted) {
  Node a = open();
  const int fd = plain_connection(a.address());
  ASSERT_EQ(::send(fd, "GET / HTTP/1.0\r\n\r\n", 18, 0), 18);
  ASSERT_TRUE(run({&a}, [&] { return !a.diary.refusals.empty(); }));
  EXPECT_EQ(a.diary.refusals[0].reason, RefusalReason::kGarbage);
  EXPECT_TRUE(a.diary.refusals[0].by_us);
  EXPECT_NE(a.diary.refusals[0].sentence.find("GET / HTTP"), std::string::npos);
  EXPECT_EQ(a.transport->counters().refusals, 1u);
  char byte = 0;
  EXPECT_LE(::recv(fd, &byte, 1, 0), 0);  // closed without a word
  ::close(fd);
}

TEST_F(Door, another_key_is_refused_at_both_ends_with_a_sentence) {
  Node a = open();
  Node b{open_network(ClusterKey::generate(), options()), Diary{}};
  b.transport->dial(a.address());
  ASSERT_TRUE(
      run({&a, &b}, [&] { return !a.diary.refusals.empty() && !b.diary.refusals.empty(); }));
  EXPECT_EQ(a.diary.refusals[0].reason, RefusalReason::kWrongKey);
  EXPECT_TRUE(a.diary.refusals[0].by_us);
  EXPECT_EQ(b.diary.refusals[0].reason, RefusalReason::kWrongKey);
  EXPECT_FALSE(b.diary.refusals[0].by_us);
  EXPECT_EQ(b.diary.refusals[0].remote, a.address());
  EXPECT_NE(b.diary.refusals[0].sentence.find("same key file"), std::string::npos);
  EXPECT_TRUE(a.diary.ups.empty());
  EXPECT_TRUE(b.diary.ups.empty());
}

TEST_F(Door, another_function_table_is_refused_with_both_values) {
  Node a = open();
  NetworkOptions other = options();
  other.introduction.function_table = 0xabcd;
  Node b = open(other);
  b.transport->dial(a.address());
  ASSERT_TRUE(
      run({&a, &b}, [&] { return !a.diary.refusals.empty() && !b.diary.refusals.empty(); }));
  EXPECT_EQ(b.diary.refusals[0].reason, RefusalReason::kFunctionTable);
  for (const Node* node : {&a, &b}) {
    EXPECT_NE(node->diary.refusals[0].sentence.find("000000000000abcd"), std::string::npos);
    EXPECT_NE(node->diary.refusals[0].sentence.find("0000000000000001"), std::string::npos);
  }
}

TEST_F(Door, who_connects_and_says_nothing_is_shown_out) {
  NetworkOptions impatient = options();
  impatient.limits.handshake = milliseconds(100);
  Node a = open(impatient);
  const int fd = plain_connection(a.address());
  ASSERT_TRUE(run({&a}, [&] { return !a.diary.refusals.empty(); }));
  EXPECT_EQ(a.diary.refusals[0].reason, RefusalReason::kTimeout);
  ::close(fd);
}

TEST_F(Door, a_hundred_silent_connections_do_not_stop_a_proven_peer) {
  Node a = open(), b = open();
  b.transport->dial(a.address());
  ASSERT_TRUE(run({&a, &b}, [&] { return a.diary.live() == 1 && b.diary.live() == 1; }));
  std::vector<int> silent;
  for (int i = 0; i < 100; ++i) silent.push_back(plain_connection(a.address()));
  a.diary.read = [&](SessionId from, auto message) { a.transport->send(from, message); };
  std::uint64_t rounds = 0;
  b.diary.read = [&](SessionId from, auto message) {
    if (++rounds < 1000) b.transport->send(from, message);
  };
  b.transport->send(b.session(), bytes_of(1));
  ASSERT_TRUE(run({&a, &b}, [&] { return rounds == 1000; }));
  ASSERT_TRUE(run({&a, &b}, [&] { return a.transport->counters().refusals >= 100; }));
  EXPECT_EQ(a.diary.live(), 1u);
  for (const int fd : silent) ::close(fd);
}

TEST_F(Door, thirty_nodes_that_dial_at_once_from_one_host_all_get_in) {
  Node a = open();
  std::vector<Node> others;
  for (int i = 0; i < 30; ++i) others.push_back(open());
  std::vector<Node*> all{&a};
  for (Node& node : others) {
    node.transport->dial(a.address());
    all.push_back(&node);
  }
  EXPECT_TRUE(run(all, [&] { return a.diary.live() == 30; }));
  EXPECT_TRUE(a.diary.refusals.empty());
}

TEST_F(Door, a_node_that_dials_itself_is_told_so) {
  Node a = open();
  a.transport->dial(a.address());
  ASSERT_TRUE(run({&a}, [&] { return !a.diary.refusals.empty(); }));
  EXPECT_EQ(a.diary.refusals[0].reason, RefusalReason::kSelf);
}

TEST_F(Door, a_dial_to_nobody_fails_and_says_where) {
  Node a = open();
  Address nobody;
  {
    Node gone = open();
    nobody = gone.address();
  }
  a.transport->dial(nobody);
  ASSERT_TRUE(run({&a}, [&] { return !a.diary.failed_dials.empty(); }));
  EXPECT_EQ(a.diary.failed_dials[0].address, nobody);
  EXPECT_EQ(a.diary.failed_dials[0].failure, DialFailure::kRefused);
  EXPECT_FALSE(a.diary.failed_dials[0].why.empty());
}

TEST_F(Door, a_dial_to_where_no_way_leads_is_unreachable_and_not_refused) {
  Node a = open();
  a.transport->dial({"255.255.255.255", 7001});  // a whole network is no peer
  ASSERT_TRUE(run({&a}, [&] { return !a.diary.failed_dials.empty(); }));
  EXPECT_EQ(a.diary.failed_dials[0].failure, DialFailure::kUnreachable);
}

TEST_F(Door, a_dial_to_somebody_who_closes_before_it_is_proven_is_unreachable) {
  Node a = open();
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&at), size), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size), 0);
  a.transport->dial({"127.0.0.1", ntohs(at.sin_port)});
  a.transport->poll(Clock::now(), a.diary);
  ::close(::accept(listener, nullptr, nullptr));
  ASSERT_TRUE(run({&a}, [&] { return !a.diary.failed_dials.empty(); }));
  EXPECT_EQ(a.diary.failed_dials[0].failure, DialFailure::kUnreachable);
  ::close(listener);
}

TEST_F(Door, who_listens_everywhere_publishes_addresses_that_can_be_dialled) {
  NetworkOptions everywhere = options();
  everywhere.listen = {"0.0.0.0", 0};
  everywhere.interface = "127.0.0.1";
  Node a = open(everywhere), b = open();
  ASSERT_EQ(a.transport->self().addresses.size(), 1u);
  EXPECT_EQ(a.address().host, "127.0.0.1");
  EXPECT_NE(a.address().port, 0);
  b.transport->dial(a.address());
  EXPECT_TRUE(run({&a, &b}, [&] { return a.diary.live() == 1 && b.diary.live() == 1; }));
}

TEST_F(Door, who_is_told_nothing_publishes_every_address_of_a_real_network) {
  NetworkOptions anywhere = options();
  anywhere.listen = {"", 0};
  Node a = open(anywhere);
  std::set<std::string> usable;
  const std::vector<Interface> all = interfaces();
  for (const Interface& it : usable_among(all)) usable.insert(it.address);
  for (const Address& address : a.transport->self().addresses) {
    if (usable.empty()) usable.insert(choose_among(all, "").address);
    EXPECT_TRUE(usable.contains(address.host)) << address.host;
    EXPECT_EQ(address.port, a.address().port);
  }
}

TEST_F(Door, a_name_is_looked_up) {
  Node a = open(), b = open();
  a.transport->dial({"localhost", b.address().port});
  ASSERT_TRUE(run({&a, &b}, [&] { return a.diary.live() == 1 && b.diary.live() == 1; }));
}

TEST_F(Door, an_address_in_use_is_named) {
  Node a = open();
  NetworkOptions same = options();
  same.listen = a.address();
  try {
    open(same);
    FAIL() << "two nodes listen at one address";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(a.address().to_string()), std::string::npos);
  }
}

TEST_P(Network, signals_and_environment_are_left_alone) {
  std::vector<std::string> before;
  for (char** entry = environ; *entry != nullptr; ++entry) before.emplace_back(*entry);
  std::map<int, void (*)(int)> handlers;
  for (const int signal : {SIGINT, SIGSEGV, SIGTERM, SIGBUS, SIGABRT, SIGILL, SIGPIPE}) {
    struct sigaction action {};
    ::sigaction(signal, nullptr, &action);
    handlers[signal] = action.sa_handler;
  }
  Node a = open();
  std::vector<std::string> after;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("IPATH_NO_BACKTRACE=")) after.emplace_back(*entry);
  }
  std::erase_if(before, [](const auto& entry) { return entry.starts_with("IPATH_NO_BACKTRACE="); });
  EXPECT_EQ(before, after);
  for (const auto& [signal, handler] : handlers) {
    struct sigaction action {};
    ::sigaction(signal, nullptr, &action);
    EXPECT_EQ(action.sa_handler, handler) << signal;
  }
}

}  // namespace
}  // namespace pp::transport
