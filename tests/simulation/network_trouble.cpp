// SimNetwork: ends, stops, cuts and slow ways: what a scenario does to it.
#include <algorithm>

#include "network.hpp"
#include "network_wires.hpp"

namespace pp::simulation {

namespace {

constexpr Duration kLongestRetransmission = std::chrono::milliseconds(300);

}  // namespace

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
