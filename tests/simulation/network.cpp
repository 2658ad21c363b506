// SimNetwork: sessions, and what goes through them.
#include "network.hpp"

#include <algorithm>
#include <cassert>

#include "network_wires.hpp"

namespace pp::simulation {

using transport::Handler;

namespace {

constexpr Duration kLinger = std::chrono::milliseconds(500);
constexpr std::size_t kCredit = 64;  // messages sent and not handed over
constexpr std::size_t kCreditBytes = 256 * 1024;
constexpr std::size_t kMostWords = 64;

}  // namespace

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
}  // namespace pp::simulation
