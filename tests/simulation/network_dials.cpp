// SimNetwork: dials, and who is refused.
#include <algorithm>

#include "network.hpp"
#include "network_wires.hpp"

namespace pp::simulation {

namespace {

constexpr Duration kConnectLimit = std::chrono::seconds(2);
constexpr Duration kLookAgain = std::chrono::milliseconds(20);  // whether a stopped process goes on
// Dials of one address that follow each other so soon, and how many of them may in a row.
constexpr Duration kHaste = std::chrono::milliseconds(20);
constexpr int kMostInHaste = 30;

}  // namespace

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

}  // namespace pp::simulation
