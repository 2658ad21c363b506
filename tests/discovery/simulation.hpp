// Simulation: a whole cluster's discovery and membership in one thread and in virtual time.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <pp/loopback.hpp>
#include <pp/neighbourhood.hpp>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace pp::discovery::test {

using transport::DialFailure;
using transport::DownReason;
using transport::SessionId;

// What one node has seen of another.
struct Seen {
  Time at;
  std::uint32_t by = 0;    // the number of the node that saw it
  std::uint32_t whom = 0;  // the number of the other
  MemberState state{};
};

// The code that ships (Neighbourhood and all below it) over the loopback network. One seed, one
// history: node ids, their order, delays and losses follow from it.
class Simulation {
 public:
  struct Setting {
    std::uint64_t seed = 1;
    std::chrono::microseconds delay{300};
    double loss = 0;
    Neighbourhood::Limits limits = {};
  };

  explicit Simulation(Setting setting) : setting_(setting), random_(setting.seed) {
    world_.delay(setting.delay);
    world_.lose(setting.loss, setting.seed);
    // Liveness is membership's own: the sessions themselves notice nothing.
    world_.set_dead_limit(std::chrono::hours(1));
  }

  // A node that knows the address of one that was started before it (of none, if it is the first).
  std::size_t start() { return start(somebody(nodes_.size())); }
  std::size_t start(std::optional<std::size_t> contact) {
    const auto number = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back(std::make_unique<Node>(*this, number));
    Node& node = *nodes_.back();
    transport::Introduction self;
    for (std::uint8_t& byte : self.node.bytes) byte = static_cast<std::uint8_t>(random_());
    self.name = "n" + std::to_string(number);
    self.workers = 1;
    node.id = self.node;
    numbers_[self.node] = number;
    node.transport = world_.open(self);
    node.neighbourhood =
        std::make_unique<Neighbourhood>(*node.transport, setting_.limits, random_(), node);
    if (contact) {
      node.neighbourhood->add(std::make_unique<FixedList>(
          std::vector<Address>{nodes_[*contact]->transport->self().addresses.front()}));
    }
    ++alive_;
    schedule(number, now_);
    return number;
  }
  void start_many(std::size_t count, std::chrono::milliseconds within) {
    for (std::size_t i = 0; i < count; ++i) {
      run_for(within / count);
      start();
    }
  }

  // As by kill -9: its connections are reset.
  void kill(std::size_t number) {
    world_.kill(nodes_[number]->id);
    end(number);
  }
  // As by a pulled plug: nothing is heard of it any more.
  void silence(std::size_t number) {
    world_.stop(nodes_[number]->id);
    end(number);
  }
  void stop(std::size_t number) {
    world_.stop(nodes_[number]->id);
    nodes_[number]->stopped = true;
  }
  void resume(std::size_t number) {
    world_.resume(nodes_[number]->id);
    nodes_[number]->stopped = false;
    schedule(number, now_);
  }
  // Says so on every session, old and new, and stays: jobs of others still run there.
  void begin_to_leave(std::size_t number) {
    Node& node = *nodes_[number];
    node.leaves = true;
    node.neighbourhood->leave(now_);
    for (const auto& [session, peer] : node.sessions) node.transport->send(session, kLeave);
    schedule(number, now_);
  }
  // Says so on every session, as a runtime does, and hangs up.
  void leave(std::size_t number) {
    Node& node = *nodes_[number];
    node.neighbourhood->leave(now_);
    for (const auto& [session, peer] : node.sessions) {
      node.transport->send(session, kLeave);
      node.transport->hang_up(session, "leaves");
    }
    node.transport->poll(now_, node);
    stir();
    world_.kill(node.id);
    end(number);
  }
  // Something was asked of its neighbourhood: it is looked at now.
  void nudge(std::size_t number) { schedule(number, now_); }
  // Nobody of one part hears anybody of the other.
  void partition(const std::set<std::size_t>& part, bool cut) {
    for (const std::size_t one : part) {
      for (std::size_t other = 0; other < nodes_.size(); ++other) {
        if (part.contains(other)) continue;
        cut ? world_.cut(nodes_[one]->id, nodes_[other]->id)
            : world_.heal(nodes_[one]->id, nodes_[other]->id);
      }
    }
    stir();
  }

  void run_for(Clock::duration time) { run_until(now_ + time); }
  void run_until(Time until) {
    while (!agenda_.empty() && agenda_.top().first <= until) {
      const auto [time, number] = agenda_.top();
      agenda_.pop();
      if (time != nodes_[number]->due) continue;  // it was put earlier meanwhile
      now_ = std::max(now_, time);
      turn(number);
    }
    now_ = until;
  }
  // False: it did not come about within the limit.
  bool run_until(const std::function<bool()>& holds, Clock::duration limit) {
    const Time end = now_ + limit;
    while (!holds()) {
      if (now_ >= end) return false;
      run_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  // Everybody who lives (and is not stopped) knows exactly those who live.
  bool agreed() const {
    std::vector<const Node*> living;
    for (const auto& node : nodes_)
      if (node->lives) living.push_back(node.get());
    const auto of_all = [&](const auto& holds) {
      return std::all_of(living.begin(), living.end(),
                         [&](const Node* node) { return node->stopped || holds(*node); });
    };
    const auto knows = [](const Node& node, const Node& other) {
      const Member* member = node.neighbourhood->find(other.id);
      return &node == &other || (member != nullptr && is_present(member->state));
    };
    return of_all([&](const Node& node) {  // first what is soon found out
             return node.neighbourhood->present() == alive_ - 1;
           }) &&
           of_all([&](const Node& node) {
             return std::all_of(living.begin(), living.end(),
                                [&](const Node* other) { return knows(node, *other); });
           });
  }

  std::size_t size() const { return nodes_.size(); }
  std::size_t alive() const { return alive_; }
  bool lives(std::size_t number) const { return nodes_[number]->lives; }
  Time now() const { return now_; }
  Neighbourhood& neighbourhood(std::size_t number) { return *nodes_[number]->neighbourhood; }
  const Neighbourhood& neighbourhood(std::size_t number) const {
    return *nodes_[number]->neighbourhood;
  }
  NodeId id(std::size_t number) const { return nodes_[number]->id; }
  const std::vector<Seen>& seen() const { return seen_; }
  void forget_seen() { seen_.clear(); }

  // Of all there were, so that differences tell what happened in between; sessions of who lives.
  transport::Counters counters() const {
    transport::Counters sum;
    for (const auto& node : nodes_) {
      const transport::Counters one = node->transport->counters();
      sum.words_sent += one.words_sent;
      sum.messages_sent += one.messages_sent;
      sum.bytes_sent += one.bytes_sent;
      sum.sessions_up += one.sessions_up;
    }
    return sum;
  }
  Neighbourhood::Figures figures() const {
    Neighbourhood::Figures sum;
    for (const auto& node : nodes_) {
      const Neighbourhood::Figures one = node->neighbourhood->figures();
      sum.suspicions += one.suspicions;
      sum.objections += one.objections;
      sum.malformed += one.malformed;
      if (node->lives) sum.sessions += one.sessions;
    }
    return sum;
  }
  // A random one who lives, but not this one.
  std::optional<std::size_t> somebody(std::size_t but) {
    std::vector<std::size_t> living;
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (i != but && nodes_[i]->lives && !nodes_[i]->stopped) living.push_back(i);
    if (living.empty()) return std::nullopt;
    return living[std::uniform_int_distribution<std::size_t>(0, living.size() - 1)(random_)];
  }

 private:
  struct Node final : transport::Handler, Neighbourhood::Listener {
    Node(Simulation& simulation_, std::uint32_t number_)
        : simulation(simulation_), number(number_) {}

    void on_up(SessionId session, const transport::Peer& peer) override {
      sessions.emplace(session, peer.introduction.node);
      neighbourhood->on_up(session, peer, simulation.now_);
      if (leaves) transport->send(session, kLeave);
    }
    void on_message(SessionId session, std::span<const std::byte>) override {
      neighbourhood->left(NodeId(sessions.at(session)), simulation.now_);
    }
    void on_word(SessionId session, std::span<const std::byte> word) override {
      neighbourhood->on_word(session, word, simulation.now_);
    }
    void on_down(SessionId session, DownReason reason, std::string_view) override {
      neighbourhood->on_down(session, reason, simulation.now_);
      sessions.erase(session);
    }
    void on_dial_failed(const Address& address, DialFailure failure, std::string_view) override {
      neighbourhood->on_dial_failed(address, failure, simulation.now_);
    }
    void on_refused(const transport::Refusal& refusal) override {
      neighbourhood->on_refused(refusal, simulation.now_);
    }

    void on_joined(const Member& member) override { saw(member); }
    void on_changed(const Member& member) override { saw(member); }
    void on_lost(const Member& member) override { saw(member); }
    void on_ended(const Member&) override {}
    void on_notice(const std::string&) override {}
    Load load() const override { return {}; }
    void on_load(const NodeId&, const Load&) override {}
    Time last_used(SessionId) const override { return Time{}; }
    void on_rest(SessionId) override {}

    void saw(const Member& member) {
      simulation.seen_.push_back(
          {simulation.now_, number, simulation.numbers_.at(member.node), member.state});
    }

    Simulation& simulation;
    const std::uint32_t number;
    NodeId id;
    std::map<SessionId, NodeId> sessions;
    std::unique_ptr<transport::Transport> transport;
    std::unique_ptr<Neighbourhood> neighbourhood;  // uses the transport
    bool lives = true;
    bool stopped = false;
    bool leaves = false;
    Time due = Time::max();
  };

  void schedule(std::size_t number, Time at) {
    Node& node = *nodes_[number];
    if (!node.lives || node.stopped || at >= node.due) return;
    node.due = at;
    agenda_.emplace(at, number);
  }

  void stir() {
    for (const std::size_t number : world_.stirred())
      schedule(number, std::max(now_, world_.next_due(number)));
  }

  void turn(std::size_t number) {
    Node& node = *nodes_[number];
    node.due = Time::max();
    if (!node.lives || node.stopped) return;
    do {
      node.neighbourhood->poll(now_);
      node.transport->poll(now_, node);
    } while (world_.next_due(number) <= now_);
    stir();
    schedule(number,
             std::max(now_ + std::chrono::microseconds(1),
                      std::min(node.neighbourhood->next_due(now_), world_.next_due(number))));
  }

  void end(std::size_t number) {
    nodes_[number]->lives = false;
    --alive_;
    stir();
  }

  static constexpr std::array<std::byte, 8> kLeave{};  // the only message there is

  const Setting setting_;
  std::mt19937_64 random_;
  transport::LoopbackWorld world_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::unordered_map<NodeId, std::uint32_t> numbers_;
  std::size_t alive_ = 0;
  Time now_ = Time{} + std::chrono::hours(1);
  using Entry = std::pair<Time, std::size_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> agenda_;
  std::vector<Seen> seen_;
};

}  // namespace pp::discovery::test
