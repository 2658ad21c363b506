// SimNetwork: dials, streams, cuts and ends.
#include "network.hpp"

#include <algorithm>
#include <cassert>

namespace pp::simulation {

using transport::Handler;
using transport::Introduction;
using transport::Peer;
using transport::Refusal;

namespace {

constexpr Duration kConnectLimit = std::chrono::seconds(2);
constexpr Duration kLinger = std::chrono::milliseconds(500);
constexpr Duration kLookAgain = std::chrono::milliseconds(20);  // whether a stopped process goes on
constexpr std::size_t kCredit = 64;                             // messages sent and not handed over
constexpr std::size_t kCreditBytes = 256 * 1024;
constexpr std::size_t kMostWords = 64;
// Dials of one address that follow each other so soon, and how many of them may in a row.
constexpr Duration kHaste = std::chrono::milliseconds(20);
constexpr int kMostInHaste = 30;
constexpr Duration kLongestRetransmission = std::chrono::milliseconds(300);

}  // namespace

// What goes through one direction of a session.
struct Packet {
  enum class Kind { kUp, kMessage, kEnd };
  Kind kind = Kind::kMessage;
  std::vector<std::byte> message{};
  DownReason reason{};  // of kEnd, for who hears it
  std::string why{};
  Time due{};
};

struct NetworkEvent {
  struct Up {
    Peer peer;
  };
  struct Word {
    std::vector<std::byte> bytes;
  };
  struct Down {
    DownReason reason;
    std::string why;
  };
  struct DialFailed {
    Address address;
    DialFailure failure;
    std::string why;
  };
  SessionId session{};
  std::variant<Up, std::vector<std::byte>, Word, Down, DialFailed, Refusal> what;
};

struct SimNetwork::Wire {
  struct End {
    enum class State {
      kNone,     // it has not heard of the session yet
      kUp,       // proven; the handler has been or will be told
      kLeaving,  // it has hung up; the handler waits for the end
      kOver,     // the handler has been or will be told
    };
    Process* process = nullptr;
    SessionId id{};
    State state = State::kNone;
    bool down_due = false;  // the end is in its inbox
    bool dialled = false;
    std::deque<Bytes> outbox;
    std::vector<Bytes> words;
    std::size_t backlog = 0;
    Time waiting_since = Time::max();  // data went out, and nothing was heard since
    bool watched = false;              // look_for_silence() is on the agenda
  };
  // From the end with the same index to the other one.
  struct Way {
    std::deque<Packet> under_way;
    Time last_due{};
    bool ended = false;       // an end is under way or has arrived: nothing follows
    bool scheduled = false;   // arrive() is on the agenda
    bool silent_ack = false;  // the other side has taken data, and a cut keeps it from saying so
    std::size_t unread = 0;   // messages that arrived and were not handed over
    std::size_t unread_bytes = 0;
    std::size_t moving = 0, moving_bytes = 0;  // in under_way
  };
  End ends[2];
  Way ways[2];
};

struct SimNetwork::Process {
  std::size_t index = 0;
  std::size_t machine = 0;
  Introduction self;
  std::function<void()> call;
  bool alive = true;
  bool stopped = false;
  bool stirred = false;
  std::deque<NetworkEvent> inbox;
  struct Place {
    std::uint32_t wire;
    unsigned side;
  };
  std::map<SessionId, Place> sessions;
  std::map<NodeId, SessionId> by_node;
  std::set<SessionId> busy;                 // with something for the next flush()
  std::map<Address, std::size_t> dialling;  // to which machine
  struct Haste {
    Time last = Time::min();
    int times = 0;  // in a row
  };
  std::map<Address, Haste> dialled;
  std::set<SessionId> unnoticed;  // silent, found out while it was stopped
  std::uint64_t last_session = 0;
  transport::Counters counters;
};

struct SimNetwork::Dial {
  std::size_t from = 0;
  std::size_t to = 0;  // the process, once it was reached
  std::size_t machine = 0;
  Address address;
  Time begun;
};

class SimTransport final : public transport::Transport {
 public:
  SimTransport(SimNetwork& network, SimNetwork::Process& process)
      : network_(network), process_(process) {}
  ~SimTransport() override {
    if (process_.alive) network_.end(process_.machine, false);
  }

  const Introduction& self() const override { return process_.self; }
  void dial(const Address& address) override { network_.dial(process_, address); }
  bool send(SessionId session, std::span<const std::byte> message) override {
    assert(message.size() % 8 == 0 && message.size() <= transport::kMaxMessage);
    const auto found = process_.sessions.find(session);
    if (found == process_.sessions.end()) return false;
    SimNetwork::Wire::End& end = network_.wires_[found->second.wire]->ends[found->second.side];
    if (end.state == SimNetwork::Wire::End::State::kLeaving) return false;
    end.outbox.emplace_back(message.begin(), message.end());
    end.backlog += message.size();
    network_.largest_backlog_ = std::max(network_.largest_backlog_, end.backlog);
    process_.busy.insert(session);
    return true;
  }
  bool send_word(SessionId session, std::span<const std::byte> word) override {
    assert(word.size() % 8 == 0 && word.size() <= transport::kMaxWord);
    const auto found = process_.sessions.find(session);
    if (found == process_.sessions.end()) return false;
    SimNetwork::Wire::End& end = network_.wires_[found->second.wire]->ends[found->second.side];
    if (end.state == SimNetwork::Wire::End::State::kLeaving || end.words.size() >= kMostWords)
      return false;
    end.words.emplace_back(word.begin(), word.end());
    process_.busy.insert(session);
    return true;
  }
  std::size_t backlog(SessionId session) const override {
    const auto found = process_.sessions.find(session);
    return found == process_.sessions.end()
               ? 0
               : network_.wires_[found->second.wire]->ends[found->second.side].backlog;
  }
  void hang_up(SessionId session, std::string_view why) override {
    network_.hang_up(process_, session, std::string(why), false);
  }
  void abandon(SessionId session, std::string_view why) override {
    network_.hang_up(process_, session, std::string(why), true);
  }
  void watch(int) override {}
  std::size_t poll(Time, Handler& handler) override { return network_.poll(process_, handler); }
  bool wait(Time) override { return false; }
  void wake() noexcept override { network_.stir(process_); }
  transport::Counters counters() const override { return process_.counters; }

 private:
  SimNetwork& network_;
  SimNetwork::Process& process_;
};

SimNetwork::SimNetwork(Agenda& agenda, std::uint64_t seed, Setting setting, std::size_t machines,
                       Observer& observer)
    : agenda_(agenda),
      dice_(seed),
      setting_(setting),
      observer_(observer),
      machines_(machines),
      powerless_(machines),
      cuts_(machines * machines),
      slower_(machines * machines, 1),
      base_delay_(machines * machines) {
  for (Duration& base : base_delay_)
    base = dice_.any_scale(setting_.least_delay, setting_.most_delay);
}

SimNetwork::~SimNetwork() = default;

std::string SimNetwork::name(std::size_t machine) { return "m" + std::to_string(machine); }

Address SimNetwork::address(std::size_t machine, std::uint16_t port) {
  return {name(machine), port};
}

std::unique_ptr<transport::Transport> SimNetwork::open(std::size_t machine, std::uint16_t port,
                                                       Introduction introduction,
                                                       std::function<void()> stir) {
  assert(!machines_[machine]);
  Process& process = *processes_.emplace_back(std::make_unique<Process>());
  process.index = processes_.size() - 1;
  process.machine = machine;
  process.self = std::move(introduction);
  process.self.addresses = {address(machine, port)};
  process.call = std::move(stir);
  machines_[machine] = process.index;
  powerless_[machine] = false;
  return std::make_unique<SimTransport>(*this, process);
}

SimNetwork::Process* SimNetwork::alive(std::size_t index) {
  Process* process = processes_[index].get();
  return process->alive ? process : nullptr;
}

Duration SimNetwork::delay(std::size_t from, std::size_t to) {
  const std::size_t way = from * machines_.size() + to;
  const Duration base = base_delay_[way];
  return (base + dice_.between(Duration(0), base)) * slower_[way];
}

void SimNetwork::stir(Process& process) {
  if (!process.alive || process.stirred) return;
  process.stirred = true;
  process.call();
}

void SimNetwork::note(const Process& process, const std::string& sentence) {
  observer_.told(process.machine, sentence);
}

// ---- dials

void SimNetwork::dial(Process& from, const Address& address) {
  if (!from.alive) return;
  const std::size_t machine = std::stoul(address.host.substr(1));
  if (!from.dialling.emplace(address, machine).second) return;
  Process::Haste& haste = from.dialled[address];
  const bool soon = haste.last != Time::min() && agenda_.now() - haste.last < kHaste;
  haste.times = soon ? haste.times + 1 : 0;
  haste.last = agenda_.now();
  if (haste.times > kMostInHaste)
    observer_.broken(name(from.machine) + " dials " + address.to_string() + " without a pause");
  auto dial = std::make_shared<Dial>();
  dial->from = from.index;
  dial->machine = machine;
  dial->address = address;
  dial->begun = agenda_.now();
  agenda_.in(delay(from.machine, machine), [this, dial] { knock(dial); });
}

// The first packet of a connection arrives, or is sent again.
void SimNetwork::knock(std::shared_ptr<Dial> dial) {
  const Process* from = alive(dial->from);
  if (from == nullptr) return;
  const bool cut = is_cut(from->machine, dial->machine) || is_cut(dial->machine, from->machine);
  if (cut || powerless_[dial->machine]) return no_answer(dial);
  const auto& there = machines_[dial->machine];
  if (!there || processes_[*there]->self.addresses.front() != dial->address) {
    agenda_.in(delay(dial->machine, from->machine),
               [this, dial] { fail(dial, DialFailure::kRefused, "nobody listens there"); });
    return;
  }
  dial->to = *there;
  agenda_.in(delay(dial->machine, from->machine) + delay(from->machine, dial->machine),
             [this, dial] { ask(dial); });
}

void SimNetwork::no_answer(const std::shared_ptr<Dial>& dial) {
  const Time limit = dial->begun + kConnectLimit;
  agenda_.at(std::max(limit, agenda_.now()),
             [this, dial] { fail(dial, DialFailure::kNoAnswer, "no answer in time"); });
}

void SimNetwork::fail(const std::shared_ptr<Dial>& dial, DialFailure failure, const char* why) {
  Process* from = alive(dial->from);
  if (from == nullptr) return;
  from->inbox.push_back({{}, NetworkEvent::DialFailed{dial->address, failure, why}});
  stir(*from);
}

void SimNetwork::refuse(const std::shared_ptr<Dial>& dial, RefusalReason reason, bool by_us,
                        const char* why) {
  Process* from = alive(dial->from);
  if (from == nullptr) return;
  from->inbox.push_back({{}, Refusal{dial->address, reason, by_us, why}});
  stir(*from);
}

// The dialled one decides.
void SimNetwork::ask(std::shared_ptr<Dial> dial) {
  const Process* from = alive(dial->from);
  if (from == nullptr) return;
  Process* to = alive(dial->to);
  if (to == nullptr)
    return fail(dial, DialFailure::kUnreachable, "the connection was closed in the handshake");
  const auto again = [&] { agenda_.in(kLookAgain, [this, dial] { ask(dial); }); };
  if (is_cut(from->machine, to->machine) || is_cut(to->machine, from->machine))
    return no_answer(dial);
  if (to->stopped) {
    if (agenda_.now() >= dial->begun + kConnectLimit) return no_answer(dial);
    return again();
  }
  const Duration back = delay(to->machine, from->machine);
  if (from == to) {
    agenda_.in(back, [this, dial] { refuse(dial, RefusalReason::kSelf, false, "it is itself"); });
    return;
  }
  const bool by_smaller = from->self.node < to->self.node;
  if (const auto kept = to->by_node.find(from->self.node); kept != to->by_node.end()) {
    const Process::Place place = to->sessions.at(kept->second);
    const bool kept_by_smaller =
        wires_[place.wire]->ends[place.side].dialled == (to->self.node < from->self.node);
    if (kept_by_smaller && !by_smaller) {
      agenda_.in(back, [this, dial] {
        refuse(dial, RefusalReason::kDuplicate, false, "another session is kept");
      });
      return;
    }
  }
  // Its own dial to us has the right of way; we wait for how that ends.
  if (!by_smaller && to->dialling.contains(from->self.addresses.front())) return again();
  agenda_.in(back, [this, dial] { answered(dial); });
}

// The dialler decides.
void SimNetwork::answered(std::shared_ptr<Dial> dial) {
  Process* from = alive(dial->from);
  if (from == nullptr) return;
  Process& to = *processes_[dial->to];
  if (is_cut(to.machine, from->machine)) return no_answer(dial);
  if (from->stopped) {
    agenda_.in(kLookAgain, [this, dial] { answered(dial); });
    return;
  }
  if (!to.alive)
    return fail(dial, DialFailure::kUnreachable, "the connection was closed in the handshake");
  const bool by_smaller = from->self.node < to.self.node;
  if (const auto kept = from->by_node.find(to.self.node); kept != from->by_node.end()) {
    const Process::Place place = from->sessions.at(kept->second);
    const bool dialled = wires_[place.wire]->ends[place.side].dialled;
    const bool kept_by_smaller = dialled == by_smaller;
    if (dialled || (kept_by_smaller && !by_smaller))
      return refuse(dial, RefusalReason::kDuplicate, true, "another session is kept");
  }
  const auto number = static_cast<std::uint32_t>(wires_.size());
  Wire& wire = *wires_.emplace_back(std::make_unique<Wire>());
  wire.ends[0].process = from;
  wire.ends[0].dialled = true;
  wire.ends[1].process = &to;
  promote(*from, number, 0);
  Packet up;
  up.kind = Packet::Kind::kUp;
  put(number, 0, std::move(up));
}

// ---- sessions

// One end of a session is proven.
void SimNetwork::promote(Process& process, std::uint32_t number, unsigned side) {
  Wire& wire = *wires_[number];
  Wire::End& end = wire.ends[side];
  const Process& other = *wire.ends[1 - side].process;
  const NodeId node = other.self.node;
  if (const auto known = process.by_node.find(node); known != process.by_node.end()) {
    const Process::Place older = process.sessions.at(known->second);
    const std::string why = "a newer session with the same node took its place";
    down(older.wire, older.side, DownReason::kReplaced, why);
    finish(older.wire, older.side, DownReason::kClosed,
           "the control connection ended without a goodbye");
  }
  end.id = SessionId{++process.last_session};
  end.state = Wire::End::State::kUp;
  process.sessions[end.id] = {number, side};
  process.by_node[node] = end.id;
  const Address remote = end.dialled ? other.self.addresses.front()
                                     : Address{other.self.addresses.front().host, 60000};
  process.inbox.push_back({end.id, NetworkEvent::Up{Peer{other.self, remote, "sim", end.dialled}}});
  stir(process);
}

// Gives what send() has queued to the wire, as far as there is credit.
void SimNetwork::flush(Process& process, SessionId session) {
  const auto found = process.sessions.find(session);
  if (found == process.sessions.end()) return;
  const auto [number, side] = found->second;
  Wire& wire = *wires_[number];
  Wire::End& end = wire.ends[side];
  Wire::Way& way = wire.ways[side];
  const std::size_t to = wire.ends[1 - side].process->machine;
  for (Bytes& word : end.words) {
    ++process.counters.words_sent;
    ++counters_.words_sent;
    process.counters.bytes_sent += word.size();
    const bool lost = dice_.chance(setting_.word_loss);
    if (lost || way.ended || is_cut(process.machine, to)) continue;
    agenda_.in(delay(process.machine, to), [this, number, side, word = std::move(word)] {
      Wire::End& other = wires_[number]->ends[1 - side];
      if (other.state != Wire::End::State::kUp || !other.process->alive) return;
      other.process->inbox.push_back({other.id, NetworkEvent::Word{word}});
      stir(*other.process);
    });
  }
  end.words.clear();
  while (!end.outbox.empty() &&
         (way.ended ||
          (way.moving + way.unread < kCredit &&
           (way.moving_bytes + way.unread_bytes == 0 ||
            way.moving_bytes + way.unread_bytes + end.outbox.front().size() <= kCreditBytes)))) {
    Packet packet;
    packet.message = std::move(end.outbox.front());
    end.outbox.pop_front();
    end.backlog -= packet.message.size();
    ++process.counters.messages_sent;
    ++counters_.messages_sent;
    process.counters.bytes_sent += packet.message.size();
    counters_.bytes_sent += packet.message.size();
    if (way.ended) continue;
    end.waiting_since = std::min(end.waiting_since, agenda_.now());
    watch_silence(number, side);
    put(number, side, std::move(packet));
  }
}

void SimNetwork::put(std::uint32_t number, unsigned side, Packet packet) {
  Wire& wire = *wires_[number];
  Wire::Way& way = wire.ways[side];
  const std::size_t from = wire.ends[side].process->machine;
  const std::size_t to = wire.ends[1 - side].process->machine;
  const Duration sending(static_cast<Duration::rep>(packet.message.size() * 1'000'000'000 /
                                                    setting_.bytes_per_second));
  way.last_due = std::max(way.last_due + Duration(1), agenda_.now() + delay(from, to)) + sending;
  packet.due = way.last_due;
  if (packet.kind == Packet::Kind::kMessage) {
    ++way.moving;
    way.moving_bytes += packet.message.size();
  }
  way.under_way.push_back(std::move(packet));
  schedule_arrival(number, side);
}

void SimNetwork::schedule_arrival(std::uint32_t number, unsigned side) {
  Wire::Way& way = wires_[number]->ways[side];
  if (way.scheduled || way.under_way.empty()) return;
  way.scheduled = true;
  agenda_.at(way.under_way.front().due, [this, number, side] { arrive(number, side); });
}

void SimNetwork::arrive(std::uint32_t number, unsigned side) {
  Wire& wire = *wires_[number];
  Wire::Way& way = wire.ways[side];
  way.scheduled = false;
  // Held back until heal().
  if (is_cut(wire.ends[side].process->machine, wire.ends[1 - side].process->machine)) return;
  while (!way.under_way.empty() && way.under_way.front().due <= agenda_.now()) {
    Packet packet = std::move(way.under_way.front());
    way.under_way.pop_front();
    if (packet.kind == Packet::Kind::kMessage) {
      --way.moving;
      way.moving_bytes -= packet.message.size();
    }
    take(number, side, std::move(packet));
  }
  schedule_arrival(number, side);
}

// At the other end.
void SimNetwork::take(std::uint32_t number, unsigned side, Packet packet) {
  Wire& wire = *wires_[number];
  Wire::End& end = wire.ends[1 - side];
  Process& process = *end.process;
  if (!process.alive) return;
  using State = Wire::End::State;
  switch (packet.kind) {
    case Packet::Kind::kUp: {
      const NodeId& node = wire.ends[side].process->self.node;
      if (const auto known = process.by_node.find(node); known != process.by_node.end()) {
        const Process::Place older = process.sessions.at(known->second);
        const bool we_are_smaller = process.self.node < node;
        if (wires_[older.wire]->ends[older.side].dialled == we_are_smaller && we_are_smaller) {
          // It became obsolete while its last message was under way.
          end.state = State::kOver;
          finish(number, 1 - side, DownReason::kClosed, "the other end has another session");
          return;
        }
      }
      return promote(process, number, 1 - side);
    }
    case Packet::Kind::kMessage:
      if (end.state != State::kUp || end.down_due) return;
      ++wire.ways[side].unread;
      wire.ways[side].unread_bytes += packet.message.size();
      process.inbox.push_back({end.id, std::move(packet.message)});
      return stir(process);
    case Packet::Kind::kEnd:
      if (end.state == State::kUp) return down(number, 1 - side, packet.reason, packet.why);
      if (end.state == State::kLeaving)
        return down(number, 1 - side, DownReason::kHungUp, "hung up");
      end.state = State::kOver;
      return;
  }
}

// Nothing follows from this end but the news that it is gone.
void SimNetwork::finish(std::uint32_t number, unsigned side, DownReason reason,
                        const std::string& why) {
  Wire::Way& way = wires_[number]->ways[side];
  if (std::exchange(way.ended, true)) return;
  Packet end;
  end.kind = Packet::Kind::kEnd;
  end.reason = reason;
  end.why = why;
  put(number, side, std::move(end));
}

// The handler will be told, after what has already arrived.
void SimNetwork::down(std::uint32_t number, unsigned side, DownReason reason,
                      const std::string& why) {
  Wire::End& end = wires_[number]->ends[side];
  Process& process = *end.process;
  if (!process.alive || end.down_due || end.state == Wire::End::State::kNone ||
      end.state == Wire::End::State::kOver)
    return;
  end.down_due = true;
  const auto live = process.by_node.find(wires_[number]->ends[1 - side].process->self.node);
  if (live != process.by_node.end() && live->second == end.id) process.by_node.erase(live);
  process.inbox.push_back({end.id, NetworkEvent::Down{reason, why}});
  stir(process);
}

// Of what is under way a random beginning still arrives.
void SimNetwork::cut_short(std::uint32_t number, unsigned side) {
  Wire::Way& way = wires_[number]->ways[side];
  if (way.ended) return;
  const auto kept = static_cast<std::ptrdiff_t>(dice_.below(way.under_way.size() + 1));
  way.under_way.erase(way.under_way.begin() + kept, way.under_way.end());
  way.moving = way.moving_bytes = 0;
  for (const Packet& packet : way.under_way) {
    if (packet.kind != Packet::Kind::kMessage) continue;
    ++way.moving;
    way.moving_bytes += packet.message.size();
  }
  way.last_due = way.under_way.empty() ? Time{} : way.under_way.back().due;
}

void SimNetwork::hang_up(Process& process, SessionId session, const std::string& why,
                         bool abandon) {
  const auto found = process.sessions.find(session);
  if (found == process.sessions.end()) return;
  const std::uint32_t number = found->second.wire;
  const unsigned side = found->second.side;
  Wire& wire = *wires_[number];
  Wire::End& end = wire.ends[side];
  if (end.state != Wire::End::State::kUp || end.down_due) return;
  if (abandon) {
    end.outbox.clear();
    end.words.clear();
    end.backlog = 0;
    down(number, side, DownReason::kHungUp, why);
    end.state = Wire::End::State::kLeaving;
    finish(number, side, DownReason::kClosed, "the control connection ended without a goodbye");
    return;
  }
  flush(process, session);
  end.outbox.clear();
  end.backlog = 0;
  finish(number, side, DownReason::kGoodbye, why);
  end.state = Wire::End::State::kLeaving;
  process.by_node.erase(wire.ends[1 - side].process->self.node);
  const Time limit = agenda_.now() + kLinger;
  agenda_.at(limit, [this, number, side] { down(number, side, DownReason::kHungUp, "hung up"); });
}

// ---- silence

void SimNetwork::heard(std::uint32_t number, unsigned side) {
  wires_[number]->ends[side].waiting_since = Time::max();
}

void SimNetwork::watch_silence(std::uint32_t number, unsigned side) {
  Wire::End& end = wires_[number]->ends[side];
  if (end.watched || end.waiting_since == Time::max()) return;
  end.watched = true;
  agenda_.at(end.waiting_since + setting_.dead,
             [this, number, side] { look_for_silence(number, side); });
}

void SimNetwork::look_for_silence(std::uint32_t number, unsigned side) {
  Wire::End& end = wires_[number]->ends[side];
  end.watched = false;
  if (!end.process->alive || end.state != Wire::End::State::kUp || end.down_due) return;
  if (end.waiting_since == Time::max()) return;
  if (agenda_.now() < end.waiting_since + setting_.dead) return watch_silence(number, side);
  // A process that is stopped finds out when it goes on, and looks first at what has come.
  end.process->unnoticed.insert(end.id);
  stir(*end.process);
}

// Something of this session was handed over at this side: the other one hears of it.
void SimNetwork::handed_over(std::uint32_t number, unsigned side) {
  Wire& wire = *wires_[number];
  heard(number, side);
  Wire::End& other = wire.ends[1 - side];
  if (is_cut(wire.ends[side].process->machine, other.process->machine)) {
    wire.ways[side].silent_ack = true;
    return;
  }
  if (other.process->alive) {
    heard(number, 1 - side);
    if (!other.outbox.empty()) {
      other.process->busy.insert(other.id);
      stir(*other.process);
    }
  }
}

// ---- poll

std::size_t SimNetwork::poll(Process& process, Handler& handler) {
  process.stirred = false;
  if (!process.alive || process.stopped) return 0;
  std::deque<NetworkEvent> events;
  events.swap(process.inbox);
  for (NetworkEvent& event : events) tell(process, event, handler);
  for (const SessionId session : std::exchange(process.unnoticed, {})) {
    const auto found = process.sessions.find(session);
    if (found == process.sessions.end()) continue;
    const auto [number, side] = found->second;
    const Wire::End& end = wires_[number]->ends[side];
    if (end.state != Wire::End::State::kUp || end.waiting_since == Time::max() ||
        agenda_.now() < end.waiting_since + setting_.dead) {
      watch_silence(number, side);
      continue;
    }
    down(number, side, DownReason::kSilent, "nothing was heard");
    finish(number, side, DownReason::kClosed, "the control connection ended without a goodbye");
  }
  for (const SessionId session : std::exchange(process.busy, {})) flush(process, session);
  if (!process.inbox.empty()) stir(process);
  return events.size();
}

void SimNetwork::tell(Process& process, NetworkEvent& event, Handler& handler) {
  using State = Wire::End::State;
  if (auto* failed = std::get_if<NetworkEvent::DialFailed>(&event.what)) {
    process.dialling.erase(failed->address);
    if (observer_.wants_sentences())
      note(process, "no connection to " + failed->address.to_string() + ": " + failed->why);
    return handler.on_dial_failed(failed->address, failed->failure, failed->why);
  }
  if (auto* refusal = std::get_if<Refusal>(&event.what)) {
    process.dialling.erase(refusal->remote);
    if (observer_.wants_sentences())
      note(process, "refused at " + refusal->remote.to_string() + ": " + refusal->sentence);
    return handler.on_refused(*refusal);
  }
  const auto found = process.sessions.find(event.session);
  if (found == process.sessions.end()) return;
  const auto [number, side] = found->second;
  Wire& wire = *wires_[number];
  Wire::End& end = wire.ends[side];
  const std::size_t other = wire.ends[1 - side].process->machine;
  if (auto* up = std::get_if<NetworkEvent::Up>(&event.what)) {
    if (up->peer.dialled) process.dialling.erase(up->peer.remote);
    ++process.counters.sessions_up;
    ++counters_.sessions_up;
    if (observer_.wants_sentences())
      note(process, "session " + std::to_string(static_cast<std::uint64_t>(event.session)) +
                        " is up with " + up->peer.introduction.name);
    handed_over(number, side);
    handler.on_up(event.session, up->peer);
  } else if (auto* message = std::get_if<std::vector<std::byte>>(&event.what)) {
    --wire.ways[1 - side].unread;
    wire.ways[1 - side].unread_bytes -= message->size();
    if (end.state != State::kUp) return;  // hung up meanwhile
    ++process.counters.messages_received;
    handed_over(number, side);
    observer_.heard(other, process.machine, *message, false);
    handler.on_message(event.session, *message);
  } else if (auto* word = std::get_if<NetworkEvent::Word>(&event.what)) {
    if (end.state != State::kUp) return;
    ++process.counters.words_received;
    handed_over(number, side);
    observer_.heard(other, process.machine, word->bytes, true);
    handler.on_word(event.session, word->bytes);
  } else if (auto* over = std::get_if<NetworkEvent::Down>(&event.what)) {
    end.state = State::kOver;
    end.outbox.clear();
    end.words.clear();
    end.backlog = 0;
    finish(number, side, DownReason::kClosed, "the control connection ended without a goodbye");
    process.sessions.erase(found);
    ++process.counters.sessions_down;
    ++counters_.sessions_down;
    if (observer_.wants_sentences())
      note(process, "session " + std::to_string(static_cast<std::uint64_t>(event.session)) +
                        " is over: " + std::string(transport::to_string(over->reason)));
    handler.on_down(event.session, over->reason, over->why);
  }
}

// ---- what a scenario does

void SimNetwork::end(std::size_t machine, bool powerless) {
  Process& process = *processes_[*machines_[machine]];
  process.alive = false;
  machines_[machine].reset();
  powerless_[machine] = powerless;
  for (const auto& [session, place] : process.sessions) {
    Wire& wire = *wires_[place.wire];
    wire.ends[place.side].state = Wire::End::State::kOver;
    cut_short(place.wire, place.side);
    if (powerless) {
      wire.ways[place.side].ended = true;
    } else {
      finish(place.wire, place.side, DownReason::kClosed,
             "the control connection ended without a goodbye");
    }
    // Without power nothing says that it will never be taken: it only is not answered.
    wire.ways[1 - place.side].ended |= !powerless;
    wire.ways[1 - place.side].unread = wire.ways[1 - place.side].unread_bytes = 0;
  }
  process.sessions.clear();
  process.by_node.clear();
  process.busy.clear();
  process.inbox.clear();
  process.dialling.clear();
}

void SimNetwork::stop(std::size_t machine) { processes_[*machines_[machine]]->stopped = true; }

void SimNetwork::go_on(std::size_t machine) {
  Process& process = *processes_[*machines_[machine]];
  process.stopped = false;
  process.stirred = false;
  stir(process);
}

void SimNetwork::jump(std::size_t machine, Duration by) {
  Process& process = *processes_[*machines_[machine]];
  for (const auto& [session, place] : process.sessions) {
    Wire::End& end = wires_[place.wire]->ends[place.side];
    if (end.waiting_since == Time::max()) continue;
    end.waiting_since -= by;
    process.unnoticed.insert(session);
  }
  stir(process);
}

void SimNetwork::cut(std::size_t from, std::size_t to) {
  cuts_[from * machines_.size() + to] = true;
}

void SimNetwork::heal(std::size_t from, std::size_t to) {
  if (!is_cut(from, to)) return;
  cuts_[from * machines_.size() + to] = false;
  for (std::uint32_t number = 0; number < wires_.size(); ++number) {
    Wire& wire = *wires_[number];
    for (const unsigned side : {0U, 1U}) {
      if (wire.ends[side].process->machine != from || wire.ends[1 - side].process->machine != to)
        continue;
      Wire::Way& way = wire.ways[side];
      if (std::exchange(way.silent_ack, false) && wire.ends[1 - side].process->alive)
        heard(number, 1 - side);
      // What is held back is said again, after a while.
      Time due = agenda_.now() + dice_.between(Duration(1), kLongestRetransmission);
      for (Packet& packet : way.under_way)
        packet.due = due = std::max(packet.due, due) + Duration(1);
      way.last_due = std::max(way.last_due, due);
      schedule_arrival(number, side);
    }
  }
}

bool SimNetwork::break_session(std::size_t one, std::size_t other) {
  if (!machines_[one] || !machines_[other]) return false;
  Process& process = *processes_[*machines_[one]];
  const auto found = process.by_node.find(processes_[*machines_[other]]->self.node);
  if (found == process.by_node.end()) return false;
  const std::uint32_t number = process.sessions.at(found->second).wire;
  for (const unsigned each : {0U, 1U}) {
    const DownReason reason = dice_.chance(0.7)   ? DownReason::kClosed
                              : dice_.chance(0.5) ? DownReason::kFabric
                                                  : DownReason::kSilent;
    cut_short(number, each);
    finish(number, each, reason, "the connection broke");
  }
  return true;
}

void SimNetwork::slow_down(std::size_t from, std::size_t to, unsigned times) {
  slower_[from * machines_.size() + to] = times;
}

bool SimNetwork::has_session(std::size_t machine, SessionId session) const {
  return machines_[machine] && processes_[*machines_[machine]]->sessions.contains(session);
}

std::size_t SimNetwork::under_way() const {
  std::size_t count = 0;
  for (const auto& wire : wires_) {
    for (const Wire::Way& way : wire->ways) count += way.under_way.size();
  }
  return count;
}

}  // namespace pp::simulation
