// Nodes on the real network within one test program: what happens to each is written down.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <pp/error.hpp>
#include <pp/network_transport.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace pp::transport::testing {

using Bytes = std::vector<std::byte>;

inline Bytes bytes_of(std::uint64_t value, std::size_t size = 8) {
  Bytes bytes(size, std::byte{0});
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    const std::uint64_t word = value + i;
    std::memcpy(bytes.data() + i, &word, sizeof word);
  }
  return bytes;
}

inline std::uint64_t value_of(std::span<const std::byte> message) {
  std::uint64_t value = 0;
  if (message.size() >= sizeof value) std::memcpy(&value, message.data(), sizeof value);
  return value;
}

// Writes down what a transport tells.
class Diary : public Handler {
 public:
  struct Up {
    SessionId session;
    Peer peer;
  };
  struct Down {
    SessionId session;
    DownReason reason;
    std::string why;
  };
  std::vector<Up> ups;
  std::vector<Down> downs;
  struct FailedDial {
    Address address;
    DialFailure failure;
    std::string why;
  };
  std::vector<FailedDial> failed_dials;
  std::vector<Refusal> refusals;
  std::size_t messages = 0;
  std::vector<Bytes> words;
  std::function<void(SessionId)> greet;
  std::function<void(SessionId, std::span<const std::byte>)> read;

  void on_up(SessionId session, const Peer& peer) override {
    ups.push_back({session, peer});
    if (greet) greet(session);
  }
  void on_message(SessionId session, std::span<const std::byte> message) override {
    ++messages;
    if (read) read(session, message);
  }
  void on_down(SessionId session, DownReason reason, std::string_view why) override {
    downs.push_back({session, reason, std::string(why)});
  }
  void on_word(SessionId session, std::span<const std::byte> word) override {
    EXPECT_TRUE(is_up(session)) << "a word of nobody's";
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(word.data()) % 8, 0u);
    words.emplace_back(word.begin(), word.end());
  }
  void on_dial_failed(const Address& address, DialFailure failure, std::string_view why) override {
    failed_dials.push_back({address, failure, std::string(why)});
  }
  void on_refused(const Refusal& refusal) override { refusals.push_back(refusal); }

  std::size_t live() const { return ups.size() - downs.size(); }
  bool is_up(SessionId session) const {
    const auto is_it = [session](const auto& told) { return told.session == session; };
    return std::any_of(ups.begin(), ups.end(), is_it) &&
           std::none_of(downs.begin(), downs.end(), is_it);
  }
};

// A node with its diary. Everything listens on 127.0.0.1.
struct Node {
  std::unique_ptr<Transport> transport;
  Diary diary;

  Address address() const { return transport->self().addresses.front(); }
  SessionId session() const { return diary.ups.back().session; }
};

// The ways data can take: "off", on the control connection; "shm"; a provider's name, on the fabric.
inline NetworkOptions options(const std::string& way = "off") {
  NetworkOptions options;
  options.introduction.node = NodeId::random();
  options.introduction.name = "node " + options.introduction.node.short_name();
  options.introduction.workers = 2;
  options.introduction.function_table = 1;
  options.introduction.build = "test";
  options.listen = {"127.0.0.1", 0};
  options.fabric = way == "shm" ? "off" : way;
  options.shared_memory = way == "shm";
  return options;
}

inline ClusterKey same_key(const ClusterKey& key) {
  // A second holder of the key, as another process would be: through its file.
  const auto file =
      std::filesystem::temp_directory_path() / ("pp-wire-" + NodeId::random().to_string() + ".key");
  key.save(file);
  ClusterKey copy = ClusterKey::load(file);
  std::filesystem::remove(file);
  return copy;
}

// Polls all nodes until `done` or the limit is up; a test that needs the limit fails.
inline bool run(std::vector<Node*> nodes, const std::function<bool()>& done,
                std::chrono::seconds limit = std::chrono::seconds(60)) {
  const Time end = Clock::now() + limit;
  while (!done()) {
    if (Clock::now() > end) return false;
    std::size_t events = 0;
    for (Node* node : nodes)
      if (node->transport) events += node->transport->poll(Clock::now(), node->diary);
    // Nothing anywhere: let the first node's wait take the time, so that a test never spins for
    // seconds.
    if (events == 0 && !done()) {
      for (Node* node : nodes)
        if (node->transport) node->transport->wait(Clock::now() + std::chrono::microseconds(200));
    }
  }
  return true;
}

// Every test that moves messages or words runs once for each way the data can take.
class Network : public ::testing::TestWithParam<const char*> {
 protected:
  NetworkOptions options() const { return testing::options(GetParam()); }
  bool has_a_data_lane() const { return std::string(GetParam()) != "off"; }
  Node open() { return open(options()); }
  Node open(NetworkOptions with) {
    return {open_network(same_key(key_), std::move(with)), Diary{}};
  }
  // Two nodes with one session, dialled by the first.
  void connect(Node& a, Node& b) {
    a.transport->dial(b.address());
    ASSERT_TRUE(run({&a, &b}, [&] { return a.diary.live() == 1 && b.diary.live() == 1; }))
        << (a.diary.failed_dials.empty() ? "" : a.diary.failed_dials.back().why)
        << (a.diary.refusals.empty() ? "" : a.diary.refusals.back().sentence);
  }

  ClusterKey key_ = ClusterKey::generate();
};

}  // namespace pp::transport::testing
