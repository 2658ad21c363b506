// The network inside one process: nodes, their inboxes, and what a test may do to the wire between
// them.
#include <algorithm>
#include <cassert>
#include <limits>
#include <mutex>
#include <pp/loopback.hpp>
#include <random>
#include <set>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "loopback_node.hpp"

namespace pp::transport {

using namespace loopback;

namespace {

constexpr std::chrono::nanoseconds kConnectLimit = std::chrono::seconds(2);

std::pair<NodeId, NodeId> ordered(const NodeId& a, const NodeId& b) {
  return a < b ? std::pair{a, b} : std::pair{b, a};
}

}  // namespace

struct LoopbackWorld::State {
  Node& add(Introduction introduction);
  Node* at(const Address& address);
  template <class Visit>
  void each(const NodeId& id, Visit visit) {
    const auto [begin, end] = by_id.equal_range(id);
    for (auto node = begin; node != end; ++node) visit(*node->second);
  }
  void push(Node& to, Event event, Time due);
  void dial(Node& from, const Address& address);
  void answer(Node& from, Node& to, const Address& address);
  void join(Node& from, Node& to, const Address& address);
  void refuse(Node& from, Node& to, const Address& address, RefusalReason reason, bool tell_both,
              const std::string& sentence);
  void sever(End& end, DownReason reason, const std::string& why, Time due);
  void drop(Node& at, SessionId session, Time later_than);
  void end_both(Node& at, SessionId session, DownReason reason, const std::string& why);
  void leave(Node& node);
  void look_at_limits(Node& node, Time now);
  void flush(Node& node, Time now, std::vector<Event>& told);
  Time next_due(const Node& node) const;
  void everybody_look();
  void stir(Node& node);
  bool lost();
  std::chrono::nanoseconds connect_limit() const { return std::min(dead, kConnectLimit); }

  std::mutex mutex;
  std::vector<std::unique_ptr<Node>> nodes;  // "loopback:n" is nodes[n - 1]; never removed
  std::unordered_multimap<NodeId, Node*> by_id;
  std::set<std::pair<NodeId, NodeId>> cuts;
  std::chrono::nanoseconds delay{0};
  std::chrono::nanoseconds dead = std::chrono::seconds(3);
  double loss = 0;  // of words
  std::mt19937_64 random{1};
  std::vector<std::size_t> stirred;
};

Node& LoopbackWorld::State::add(Introduction introduction) {
  assert(nodes.size() < std::numeric_limits<std::uint16_t>::max());
  introduction.addresses = {{"loopback", static_cast<std::uint16_t>(nodes.size() + 1)}};
  Node& node = *nodes.emplace_back(std::make_unique<Node>(std::move(introduction)));
  node.index = nodes.size() - 1;
  by_id.emplace(node.self.node, &node);
  return node;
}

Node* LoopbackWorld::State::at(const Address& address) {
  if (address.host != "loopback" || address.port == 0 || address.port > nodes.size())
    return nullptr;
  Node* node = nodes[address.port - 1u].get();
  return node->alive ? node : nullptr;
}

void LoopbackWorld::State::push(Node& to, Event event, Time due) {
  to.inbox.emplace(std::pair{due, ++to.arrivals}, std::move(event));
  stir(to);
}

void LoopbackWorld::State::stir(Node& node) {
  node.changed.notify_one();
  if (!std::exchange(node.stirred, true)) stirred.push_back(node.index);
}

bool LoopbackWorld::State::lost() {
  return loss > 0 && std::uniform_real_distribution<double>(0, 1)(random) < loss;
}

void LoopbackWorld::State::dial(Node& from, const Address& address) {
  if (!from.alive || from.stopped || !from.dialling.insert(address).second) return;
  Node* to = at(address);
  if (to == nullptr) {
    push(from, {{}, DialFailed{address, DialFailure::kRefused, "nobody listens there"}}, kAtOnce);
  } else if (cuts.contains(ordered(from.self.node, to->self.node))) {
    push(from, {{}, DialFailed{address, DialFailure::kUnreachable, "no route: the wire is cut"}},
         kAtOnce);
  } else if (to->stopped) {
    from.unanswered.emplace(address, std::nullopt);
  } else {
    answer(from, *to, address);
  }
}

void LoopbackWorld::State::refuse(Node& from, Node& to, const Address& address,
                                  RefusalReason reason, bool tell_both,
                                  const std::string& sentence) {
  push(from, {{}, Refusal{address, reason, false, sentence}}, kAtOnce);
  if (tell_both) {
    push(to, {{}, Refusal{from.self.addresses.front(), reason, true, sentence}}, kAtOnce);
  }
}

// The checks of the handshake, in its order.
void LoopbackWorld::State::answer(Node& from, Node& to, const Address& address) {
  const Introduction& dialler = from.self;
  const Introduction& listener = to.self;
  if (dialler.node == listener.node) {
    return refuse(from, from, address, RefusalReason::kSelf, false,
                  address.to_string() + " is this very node (" + dialler.node.short_name() + ")");
  }
  if (dialler.function_table != listener.function_table) {
    return refuse(from, to, address, RefusalReason::kFunctionTable, true,
                  "the function tables differ: " + std::to_string(listener.function_table) +
                      " (build " + listener.build + ") at " + listener.name + ", " +
                      std::to_string(dialler.function_table) + " (build " + dialler.build +
                      ") at " + dialler.name + "; start the same program everywhere");
  }
  if (!dialler.launch.empty() && !listener.launch.empty() && dialler.launch != listener.launch) {
    return refuse(from, to, address, RefusalReason::kLaunch, true,
                  "the launches differ: " + listener.name + " belongs to '" + listener.launch +
                      "', " + dialler.name + " to '" + dialler.launch +
                      "'; join the launch by its id, or give neither one");
  }
  if (const auto live = from.live_with.find(&to); live != from.live_with.end()) {
    const SessionId session = live->second;
    // Of two that dialled each other the session dialled by the smaller NodeId stays; a second dial
    // by the same node replaces the first (protocol.md rule 18).
    if (!from.sessions.at(session).dialled && listener.node < dialler.node) {
      return refuse(from, to, address, RefusalReason::kDuplicate, false,
                    "the session that " + listener.name + " dialled is kept");
    }
    end_both(from, session, DownReason::kReplaced, "a newer session took its place");
  }
  join(from, to, address);
}

void LoopbackWorld::State::join(Node& from, Node& to, const Address& address) {
  const SessionId ours{++from.last_session};
  const SessionId theirs{++to.last_session};
  End& here = from.sessions[ours];
  here.other = &to;
  here.theirs = theirs;
  here.dialled = true;
  End& there = to.sessions[theirs];
  there.other = &from;
  there.theirs = ours;
  from.live_with.emplace(&to, ours);
  to.live_with.emplace(&from, theirs);
  push(from, {ours, Up{Peer{to.self, address, "loopback", true}}}, kAtOnce);
  push(to, {theirs, Up{Peer{from.self, from.self.addresses.front(), "loopback", false}}}, kAtOnce);
}

// The other end learns, after everything that this end has sent, that this end is gone.
void LoopbackWorld::State::sever(End& end, DownReason reason, const std::string& why, Time due) {
  if (std::exchange(end.severed, true)) return;
  const auto theirs = end.other->sessions.find(end.theirs);
  if (theirs == end.other->sessions.end()) return;
  theirs->second.other->live_with.erase(end.other);
  end.other->live_with.erase(theirs->second.other);
  theirs->second.severed = true;
  push(*end.other, {end.theirs, Down{reason, why}}, std::max(due, end.last_due));
}

void LoopbackWorld::State::drop(Node& at, SessionId session, Time later_than) {
  std::erase_if(at.inbox, [&](const auto& entry) {
    return entry.second.session == session && entry.first.first > later_than;
  });
}

// As if the wire were cut: what is in flight is lost in both directions.
void LoopbackWorld::State::end_both(Node& at, SessionId session, DownReason reason,
                                    const std::string& why) {
  End& end = at.sessions.at(session);
  if (end.severed) return;
  drop(at, session, kAtOnce);
  drop(*end.other, end.theirs, kAtOnce);
  end.last_due = kAtOnce;
  sever(end, reason, why, kAtOnce);
  push(at, {session, Down{reason, why}}, kAtOnce);
}

void LoopbackWorld::State::leave(Node& node) {
  for (auto& [session, end] : node.sessions) {
    sever(end, DownReason::kClosed, node.self.name + " is gone", kAtOnce);
  }
  node.alive = false;
  node.sessions.clear();
  node.busy.clear();
  node.silent.clear();
  node.live_with.clear();
  node.inbox.clear();
  node.dialling.clear();
  node.unanswered.clear();
}

// What takes time without a message: dials that nobody answers, sessions with stopped nodes.
void LoopbackWorld::State::look_at_limits(Node& node, Time now) {
  // No session comes up with a stopped node, and whenever one stops or resumes everybody is to look.
  const bool all = std::exchange(node.poll_soon, false);
  for (auto dial = node.unanswered.begin(); dial != node.unanswered.end();) {
    Node* to = at(dial->first);
    const Time since = dial->second.value_or(now);
    dial->second = since;
    if (to != nullptr && to->stopped && now - since < connect_limit()) {
      ++dial;
      continue;
    }
    const Address address = dial->first;
    dial = node.unanswered.erase(dial);
    if (to != nullptr && !to->stopped) {
      node.dialling.erase(address);
      this->dial(node, address);
    } else {
      push(node, {{}, DialFailed{address, DialFailure::kNoAnswer, "no answer in time"}}, kAtOnce);
    }
  }
  if (all) {
    for (const auto& [session, end] : node.sessions) {
      if (end.other->stopped) node.silent.insert(session);
    }
  }
  for (auto each = node.silent.begin(); each != node.silent.end();) {
    const SessionId session = *each++;
    End& end = node.sessions.at(session);
    if (end.severed || !end.other->stopped) {
      end.silent_since.reset();
      node.silent.erase(session);
      continue;
    }
    if (!end.silent_since) end.silent_since = now;
    if (now - *end.silent_since < dead) continue;
    const std::string limit =
        std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(dead).count());
    sever(end, DownReason::kClosed, node.self.name + " had heard nothing for " + limit + " ms",
          now);
    drop(node, session, now);
    push(node, {session, Down{DownReason::kSilent, "nothing heard for " + limit + " ms"}}, now);
  }
}

// Gives what send() has queued to the wire and ends what was hung up.
void LoopbackWorld::State::flush(Node& node, Time now, std::vector<Event>& told) {
  for (auto each = node.busy.begin(); each != node.busy.end();) {
    const auto entry = node.sessions.find(*each++);
    auto& [session, end] = *entry;
    std::size_t in_flight = 0;
    if (end.other->stopped && !end.outbox.empty()) {
      for (const auto& [when, event] : end.other->inbox)
        in_flight += event.session == end.theirs && std::holds_alternative<Bytes>(event.what);
    }
    for (Bytes& word : end.words) {
      ++node.counters.frames_sent;
      ++node.counters.words_sent;
      node.counters.bytes_sent += word.size();
      if (!end.severed && !lost())
        push(*end.other, {end.theirs, Word{std::move(word)}}, now + delay);
    }
    end.words.clear();
    end.held = false;
    while (!end.outbox.empty()) {
      end.held = !end.severed && end.other->stopped && in_flight++ >= kCredit;
      if (end.held) break;
      Bytes message = std::move(end.outbox.front());
      end.outbox.pop_front();
      end.backlog -= message.size();
      if (end.severed) continue;
      ++node.counters.frames_sent;
      ++node.counters.messages_sent;
      node.counters.bytes_sent += message.size();
      end.last_due = std::max(end.last_due, now + delay);
      push(*end.other, {end.theirs, std::move(message)}, end.last_due);
    }
    if (!end.hanging_up) {
      if (end.outbox.empty()) node.busy.erase(session);
      continue;
    }
    if (end.abandoned) {
      sever(end, DownReason::kClosed, node.self.name + " has left without a word", now + delay);
    } else {
      sever(end, DownReason::kGoodbye, node.self.name + " hung up: " + end.why, now + delay);
    }
    drop(node, session, kAtOnce);
    std::erase_if(node.inbox, [&](const auto& left) { return left.second.session == session; });
    told.push_back({session, Down{DownReason::kHungUp, end.why}});
    node.erase(entry);
  }
}

Time LoopbackWorld::State::next_due(const Node& node) const {
  if (!node.alive || node.stopped) return Time::max();
  if (node.poll_soon || node.has_work()) return kAtOnce;
  Time due = node.inbox.empty() ? Time::max() : node.inbox.begin()->first.first;
  for (const auto& [address, since] : node.unanswered) {
    due = since ? std::min(due, *since + connect_limit()) : kAtOnce;
  }
  for (const SessionId session : node.silent) {
    const End& end = node.sessions.at(session);
    if (end.silent_since && !end.severed) due = std::min(due, *end.silent_since + dead);
  }
  return due;
}

void LoopbackWorld::State::everybody_look() {
  for (const auto& node : nodes) {
    node->poll_soon = true;
    stir(*node);
  }
}

namespace {

// One node's Transport: a door to its Node in the world's state.
class LoopbackTransport : public Transport {
 public:
  LoopbackTransport(std::shared_ptr<LoopbackWorld::State> world, Node& node)
      : world_(std::move(world)), node_(node), self_(node.self) {}

  ~LoopbackTransport() override {
    const std::lock_guard lock(world_->mutex);
    if (node_.alive) world_->leave(node_);
  }

  const Introduction& self() const override { return self_; }

  void dial(const Address& address) override {
    const std::lock_guard lock(world_->mutex);
    world_->dial(node_, address);
  }

  bool send(SessionId session, std::span<const std::byte> message) override {
    assert(message.size() % 8 == 0 && message.size() <= kMaxMessage);
    const std::lock_guard lock(world_->mutex);
    const auto found = node_.sessions.find(session);
    if (found == node_.sessions.end() || found->second.hanging_up) return false;
    found->second.outbox.emplace_back(message.begin(), message.end());
    found->second.backlog += message.size();
    node_.busy.insert(session);
    return true;
  }

  bool send_word(SessionId session, std::span<const std::byte> word) override {
    assert(word.size() % 8 == 0 && word.size() <= kMaxWord);
    const std::lock_guard lock(world_->mutex);
    const auto found = node_.sessions.find(session);
    if (found == node_.sessions.end() || found->second.hanging_up ||
        found->second.words.size() >= kMostWords)
      return false;
    found->second.words.emplace_back(word.begin(), word.end());
    node_.busy.insert(session);
    return true;
  }

  void abandon(SessionId session, std::string_view why) override {
    const std::lock_guard lock(world_->mutex);
    const auto found = node_.sessions.find(session);
    if (found == node_.sessions.end() || found->second.hanging_up) return;
    End& end = found->second;
    end.hanging_up = end.abandoned = true;
    end.why = why;
    end.outbox.clear();
    end.words.clear();
    end.backlog = 0;
    node_.busy.insert(session);
  }

  void watch(int) override {}

  std::size_t backlog(SessionId session) const override {
    const std::lock_guard lock(world_->mutex);
    const auto found = node_.sessions.find(session);
    return found == node_.sessions.end() ? 0 : found->second.backlog;
  }

  void hang_up(SessionId session, std::string_view why) override {
    const std::lock_guard lock(world_->mutex);
    const auto found = node_.sessions.find(session);
    if (found == node_.sessions.end() || found->second.hanging_up) return;
    found->second.hanging_up = true;
    found->second.why = why;
    node_.busy.insert(session);
  }

  std::size_t poll(Time now, Handler& handler) override {
    std::vector<Event> events;
    {
      const std::lock_guard lock(world_->mutex);
      if (!node_.alive || node_.stopped) return 0;
      world_->look_at_limits(node_, now);
      while (!node_.inbox.empty() && node_.inbox.begin()->first.first <= now) {
        events.push_back(std::move(node_.inbox.begin()->second));
        node_.inbox.erase(node_.inbox.begin());
      }
    }
    for (const Event& event : events) tell(event, handler);
    std::vector<Event> hung_up;
    {
      const std::lock_guard lock(world_->mutex);
      if (node_.alive && !node_.stopped) world_->flush(node_, now, hung_up);
    }
    for (const Event& event : hung_up) tell(event, handler);
    return events.size() + hung_up.size();
  }

  bool wait(Time deadline) override {
    std::unique_lock lock(world_->mutex);
    node_.waiting.store(true);
    while (!node_.woken.load()) {
      const Time until = std::min(deadline, world_->next_due(node_));
      if (until <= Clock::now()) break;
      node_.changed.wait_until(lock, until);
    }
    node_.waiting.store(false);
    node_.woken.store(false);
    return false;
  }

  void wake() noexcept override {
    node_.woken.store(true);
    if (!node_.waiting.load()) return;
    { const std::lock_guard lock(world_->mutex); }  // it is in its wait now, or past it
    node_.changed.notify_one();
  }

  Counters counters() const override {
    const std::lock_guard lock(world_->mutex);
    return node_.counters;
  }

 private:
  // Called without the lock: the handler may call us.
  void tell(const Event& event, Handler& handler) {
    {
      const std::lock_guard lock(world_->mutex);
      // Nothing holds a word back, so that it may come after its session's end.
      if (std::holds_alternative<Word>(event.what) && !node_.sessions.contains(event.session))
        return;
      note(event);
    }
    if (const auto* up = std::get_if<Up>(&event.what)) {
      handler.on_up(event.session, up->peer);
    } else if (const auto* message = std::get_if<Bytes>(&event.what)) {
      handler.on_message(event.session, *message);
    } else if (const auto* word = std::get_if<Word>(&event.what)) {
      handler.on_word(event.session, word->bytes);
    } else if (const auto* down = std::get_if<Down>(&event.what)) {
      handler.on_down(event.session, down->reason, down->why);
    } else if (const auto* failed = std::get_if<DialFailed>(&event.what)) {
      handler.on_dial_failed(failed->address, failed->failure, failed->why);
    } else if (const auto* refusal = std::get_if<Refusal>(&event.what)) {
      handler.on_refused(*refusal);
    }
  }

  // REQUIRES: the lock.
  void note(const Event& event) {
    Counters& counters = node_.counters;
    if (const auto* up = std::get_if<Up>(&event.what)) {
      ++counters.sessions_up;
      if (up->peer.dialled) node_.dialling.erase(up->peer.remote);
    } else if (const auto* message = std::get_if<Bytes>(&event.what)) {
      ++counters.frames_received;
      ++counters.messages_received;
      counters.bytes_received += message->size();
    } else if (const auto* word = std::get_if<Word>(&event.what)) {
      ++counters.frames_received;
      ++counters.words_received;
      counters.bytes_received += word->bytes.size();
    } else if (std::holds_alternative<Down>(event.what)) {
      ++counters.sessions_down;
      if (const auto over = node_.sessions.find(event.session); over != node_.sessions.end())
        node_.erase(over);
    } else if (const auto* failed = std::get_if<DialFailed>(&event.what)) {
      node_.dialling.erase(failed->address);
    } else if (const auto* refusal = std::get_if<Refusal>(&event.what)) {
      counters.refusals += refusal->reason != RefusalReason::kDuplicate;
      if (!refusal->by_us) node_.dialling.erase(refusal->remote);
    }
  }

  const std::shared_ptr<LoopbackWorld::State> world_;
  Node& node_;
  const Introduction self_;  // a copy: read without the lock
};

}  // namespace

LoopbackWorld::LoopbackWorld() : state_(std::make_shared<State>()) {}

LoopbackWorld::~LoopbackWorld() = default;

std::unique_ptr<Transport> LoopbackWorld::open(Introduction introduction) {
  const std::lock_guard lock(state_->mutex);
  Node& node = state_->add(std::move(introduction));
  return std::make_unique<LoopbackTransport>(state_, node);
}

void LoopbackWorld::delay(std::chrono::nanoseconds per_message) {
  const std::lock_guard lock(state_->mutex);
  state_->delay = per_message;
}

void LoopbackWorld::lose(double probability, std::uint64_t seed) {
  const std::lock_guard lock(state_->mutex);
  state_->loss = probability;
  state_->random.seed(seed);
}

std::vector<std::size_t> LoopbackWorld::stirred() {
  const std::lock_guard lock(state_->mutex);
  for (const std::size_t index : state_->stirred) state_->nodes[index]->stirred = false;
  return std::exchange(state_->stirred, {});
}

Time LoopbackWorld::next_due(std::size_t node) const {
  const std::lock_guard lock(state_->mutex);
  return state_->next_due(*state_->nodes[node]);
}

void LoopbackWorld::cut(const NodeId& a, const NodeId& b) {
  const std::lock_guard lock(state_->mutex);
  state_->cuts.insert(ordered(a, b));
  state_->each(a, [&](Node& node) {
    for (auto& [session, end] : node.sessions) {
      if (end.other->self.node == b) {
        state_->end_both(node, session, DownReason::kClosed, "the wire was cut");
      }
    }
  });
}

void LoopbackWorld::heal(const NodeId& a, const NodeId& b) {
  const std::lock_guard lock(state_->mutex);
  state_->cuts.erase(ordered(a, b));
}

void LoopbackWorld::kill(const NodeId& id) {
  const std::lock_guard lock(state_->mutex);
  state_->each(id, [&](Node& node) {
    if (node.alive) state_->leave(node);
  });
  state_->everybody_look();
}

void LoopbackWorld::stop(const NodeId& id) {
  const std::lock_guard lock(state_->mutex);
  state_->each(id, [](Node& node) { node.stopped = true; });
  state_->everybody_look();
}

void LoopbackWorld::resume(const NodeId& id) {
  const std::lock_guard lock(state_->mutex);
  state_->each(id, [](Node& node) { node.stopped = false; });
  state_->everybody_look();
}

void LoopbackWorld::set_dead_limit(std::chrono::milliseconds dead) {
  const std::lock_guard lock(state_->mutex);
  state_->dead = dead;
  state_->everybody_look();
}

}  // namespace pp::transport
