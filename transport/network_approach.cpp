// How strangers become peers: dialling, the door, handshakes, and which of two sessions is kept.
#include <algorithm>
#include <cassert>
#include <pp/error.hpp>

#include "network.hpp"

namespace pp::transport {
namespace {

constexpr std::chrono::milliseconds kLastWord{500};  // for a refusal to arrive before we close
constexpr std::chrono::milliseconds kDialRetry{2};   // a dial that waits for another conversation
// How long it waits. The other one is unproven: it may be a recording of a node's first words, with
// which anybody could keep us from that node for ever.
constexpr std::chrono::milliseconds kOtherDial{250};
constexpr std::size_t kControlRoom = 2 * kMaxFrame;  // a buffer for heartbeats
constexpr std::size_t kDataRoom = 8 * kMaxFrame;     // and one for the data as well

std::span<const std::byte> as_bytes(const std::vector<std::uint8_t>& bytes) {
  return std::as_bytes(std::span(bytes));
}

// Whether whoever said `hello` from `remote` can be dialled at `address`. Addresses of other hosts'
// loopback interfaces are no address of theirs: the host must be the one it comes from.
bool listens_at(const Introduction& hello, const Address& remote, const Address& address) {
  return address.host == remote.host && std::find(hello.addresses.begin(), hello.addresses.end(),
                                                  address) != hello.addresses.end();
}

std::string in_ms(std::chrono::milliseconds limit) { return std::to_string(limit.count()) + " ms"; }

}  // namespace

// ---- dialling

void NetworkTransport::start_dials() {
  std::size_t kept = 0;
  for (std::size_t left = dials_.size(); left > 0; --left) {  // a handler may ask for more
    Asked asked = dials_[kept];
    dials_.erase(dials_.begin() + static_cast<std::ptrdiff_t>(kept));
    if (asked.since == Time{}) asked.since = now_;
    if (start_dial(asked.address, now_ < asked.since + kOtherDial)) continue;
    dials_.insert(dials_.begin() + static_cast<std::ptrdiff_t>(kept++), asked);
  }
  if (!dials_.empty()) due(now_ + kDialRetry);
}

// False: not now, try again. `patient`: that may be because the node behind it dials us.
bool NetworkTransport::start_dial(const Address& address, bool patient) {
  for (const auto& c : conversations_) {
    if (!patient) break;
    if (c == nullptr || c->dialled || c->handshake == nullptr) continue;
    if (c->stage == Stage::kHandshake && c->number != 0 &&
        listens_at(c->handshake->peer().introduction, c->remote, address))
      return false;  // that node is about to become our peer by its own dial
  }
  for (const auto& [node, c] : by_node_) {
    if (!listens_at(c->peer.introduction, c->remote, address) && c->address != address) continue;
    ++handled_;
    handler_->on_refused({address, RefusalReason::kDuplicate, true,
                          "there is a session with '" + printable(c->peer.introduction.name) +
                              "' (" + node.short_name() + ") already"});
    return true;
  }

  ConnectFailure failure;
  std::vector<Endpoint> numeric = look_up(address, true, failure.why);
  std::uint64_t ticket = 0;
  if (numeric.empty()) {
    const auto begun = resolver_.begin(address);
    if (!begun) return false;
    ticket = *begun;
  }
  Conversation& c = begin_conversation(true);
  c.address = c.remote = address;
  c.deadline = now_ + options_.limits.connect;
  due(c.deadline);
  c.lookup = ticket;
  c.stage = ticket != 0 ? Stage::kLookingUp : Stage::kConnecting;
  c.endpoints.assign(numeric.rbegin(), numeric.rend());
  if (ticket == 0) connect_next(c, failure);
  return true;
}

void NetworkTransport::take_lookups() {
  while (auto result = resolver_.next()) {
    const auto waits = [&result](const auto& c) {
      return c != nullptr && c->stage == Stage::kLookingUp && c->lookup == result->ticket;
    };
    const auto found = std::find_if(conversations_.begin(), conversations_.end(), waits);
    if (found == conversations_.end()) continue;  // its limit was up
    Conversation& c = **found;
    c.stage = Stage::kConnecting;
    c.endpoints.assign(result->endpoints.rbegin(), result->endpoints.rend());
    connect_next(c, {DialFailure::kUnreachable, "the name cannot be resolved: " + result->why});
  }
}

// Tries the addresses of the host one after the other; `failure` is how the last one failed.
void NetworkTransport::connect_next(Conversation& c, ConnectFailure failure) {
  if (c.connecting) poller_.remove(c.connecting->get());
  c.connecting.reset();
  while (!c.endpoints.empty()) {
    const Endpoint to = c.endpoints.back();
    c.endpoints.pop_back();
    c.remote = to.to_address();
    c.connecting = begin_connect(to, failure);
    if (!c.connecting) continue;
    poller_.add(c.connecting->get(), c.slot, false, true);
    return;
  }
  dial_failed(c, failure.kind, failure.why);
}

void NetworkTransport::take_connected(Conversation& c) {
  if (std::optional<ConnectFailure> failure = connect_error(c.connecting->get())) {
    connect_next(c, std::move(*failure));
    return;
  }
  poller_.change(c.connecting->get(), c.slot, true, false);
  poller_.remove(c.connecting->get());
  c.connection.emplace(std::move(*c.connecting));
  c.connecting.reset();
  c.deadline = now_ + options_.limits.handshake;
  due(c.deadline);
  begin_handshake(c);
}

void NetworkTransport::dial_failed(Conversation& c, DialFailure failure, std::string_view why) {
  const Address address = c.address;
  drop(c);
  ++handled_;
  handler_->on_dial_failed(address, failure, why);
}

// What we say first names our fabric.
void NetworkTransport::begin_handshake(Conversation& c) {
  c.stage = Stage::kHeld;
  if (waits_for_fabric(c)) return;
  c.stage = Stage::kHandshake;
  Hello own = hello();
  if (c.dialled) {
    number_session(c);
    own.session = c.number;
    own.wanted = fabric_ != nullptr && over_fabrics_interface(c) ? DataChannel::kFabric
                                                                 : DataChannel::kControl;
  }
  const auto role = c.dialled ? Handshake::Role::kDialler : Handshake::Role::kListener;
  c.handshake = std::make_unique<Handshake>(key_, role, std::move(own));
  c.floods = counters_.floods;
  poller_.add(c.connection->fd(), c.slot, true, false);
  advance(c);  // a listener's first message is usually there already
}

// ---- the door

void NetworkTransport::take_strangers() {
  while (gate_.admits(now_)) {
    std::optional<Listener::Accepted> accepted = listener_->accept();
    if (!accepted) return;
    Conversation& c = begin_conversation(false);
    const Gate::Entry entry = gate_.enter(accepted->remote.host, now_, c.slot);
    if (entry != Gate::Entry::kAdmitted) {
      c.stage = Stage::kOver;
      over_ = true;
      refuse_at_the_door(*accepted, entry);
      continue;
    }
    c.remote = c.address = accepted->remote;
    c.deadline = now_ + options_.limits.handshake;
    due(c.deadline);
    c.connection.emplace(std::move(accepted->descriptor));
    begin_handshake(c);
  }
  pause_listening(true);
  due(gate_.until(now_));
}

// Nothing is kept for it, not even for the time its refusal takes to arrive.
void NetworkTransport::refuse_at_the_door(Listener::Accepted& accepted, Gate::Entry entry) {
  const std::string sentence =
      entry == Gate::Entry::kFull
          ? "too many unproven connections (limit " + std::to_string(options_.limits.unproven) +
                "); try again"
          : "too many unproven connections from " + accepted.remote.host + " (limit " +
                std::to_string(options_.limits.unproven_per_source) + "); try again";
  const auto hint = Handshake::hint(RefusalReason::kTooMany, sentence);
  Connection connection(std::move(accepted.descriptor));
  connection.put(as_bytes(hint));
  connection.flush();
  connection.finish();
  ++counters_.refusals;
  if (!reports_.allow(now_)) return;
  ++handled_;
  handler_->on_refused({accepted.remote, RefusalReason::kTooMany, true, sentence});
}

void NetworkTransport::pause_listening(bool pause) {
  if (listening_paused_ == pause) return;
  listening_paused_ = pause;
  poller_.change(listener_->fd(), kListenerTag, !pause, false);
}

void NetworkTransport::stranger_left(Conversation& c) {
  if (!c.dialled) gate_.leave(c.slot);
  if (listening_paused_) due(now_);
}

// The stage's limit has come.
void NetworkTransport::stranger_late(Conversation& c) {
  if (c.stage == Stage::kRefused) {
    drop(c);
  } else if (c.stage == Stage::kLookingUp) {
    dial_failed(c, DialFailure::kNoAnswer,
                "its name was not resolved within " + in_ms(options_.limits.connect));
  } else if (c.stage == Stage::kConnecting) {
    dial_failed(c, DialFailure::kNoAnswer, "no answer within " + in_ms(options_.limits.connect));
  } else {
    report_refusal(
        c,
        {RefusalReason::kTimeout, "connected, but the handshake was not finished within " +
                                      in_ms(options_.limits.handshake)},
        true);
    drop(c);
  }
}

// ---- the handshake

Hello NetworkTransport::hello() const {
  Hello own;
  own.introduction = options_.introduction;
  own.ciphers = ciphers_;
  own.credit_frames = options_.limits.credit_frames;
  own.fabric = fabric_address_;
  own.eager_limit = kMaxFrame;
  if (door_ != nullptr) own.memory = door_->offer();
  return own;
}

// A host on several networks has its fabric on one of them: what comes over another one would wait
// for it in vain.
bool NetworkTransport::over_fabrics_interface(const Conversation& c) const {
  return options_.introduction.addresses.size() == 1 ||
         local_address_of(c.connection->fd()) == fabric_host_;
}

DataChannel NetworkTransport::wanted_with(const NodeId& node, const Conversation& c) const {
  const auto failed = fabric_failures_.find(node);
  const bool trusted = failed == fabric_failures_.end() || failed->second < kLaneChances;
  return fabric_ != nullptr && trusted && over_fabrics_interface(c) ? DataChannel::kFabric
                                                                    : DataChannel::kControl;
}

// Reads, lets the handshake take what it can, and does what it has come to.
void NetworkTransport::advance(Conversation& c) {
  bool drained = false;
  while (c.unproven()) {
    converse(c);
    if (!c.unproven() || drained) return;
    const Connection::Flow flow = c.connection->fill(drained);
    if (flow == Connection::Flow::kBlocked) return;
    if (flow == Connection::Flow::kClosed) {
      stranger_gone(c);
      return;
    }
    c.heard = true;
  }
}

void NetworkTransport::converse(Conversation& c) {
  while (c.stage == Stage::kHandshake) {
    const std::size_t taken = c.handshake->receive(c.connection->input());
    c.connection->take(taken);
    if (c.handshake->state() == Handshake::State::kDeciding) decide(c);
    if (c.stage == Stage::kParked) break;
    c.connection->put(as_bytes(c.handshake->take_output()));
    c.connection->flush();  // a broken connection is noticed by reading
    switch (c.handshake->state()) {
      case Handshake::State::kHearing:
        if (taken == 0) return;
        break;
      case Handshake::State::kDeciding:
        break;
      case Handshake::State::kProven:
        promote(c);
        return;
      case Handshake::State::kRefused:
        conclude_refused(c);
        return;
    }
  }
  const std::size_t more = c.connection->input().size();
  if (c.stage == Stage::kRefused) {
    c.connection->take(more);
  } else if (c.stage == Stage::kParked && more != 0) {
    report_refusal(c, {RefusalReason::kGarbage, "it went on before it was answered"}, true);
    drop(c);
  }
}

void NetworkTransport::stranger_gone(Conversation& c) {
  if (c.stage != Stage::kRefused && c.dialled) {
    dial_failed(c, DialFailure::kUnreachable,
                "the other end closed the connection during the handshake");
    return;
  }
  if (c.stage == Stage::kHandshake && c.heard && c.number == 0)
    report_refusal(c, {RefusalReason::kGarbage, "it left in the middle of its first message"},
                   true);
  drop(c);
}

// The peer has shown the key and said who it is; rule 18 has the word.
void NetworkTransport::decide(Conversation& c) {
  Handshake& handshake = *c.handshake;
  c.peer.introduction = handshake.peer().introduction;
  const NodeId& node = c.peer.introduction.node;
  const Conversation* const kept = session_with(node);
  const bool older_wins =
      kept != nullptr && ((dialled_by_smaller(*kept) && !dialled_by_smaller(c)) ||
                          (kept->dialled && c.dialled));  // we would know if that one were broken
  if (older_wins) {
    handshake.refuse(RefusalReason::kDuplicate,
                     "there is another session between " + node.short_name() + " and " +
                         options_.introduction.node.short_name() + ", which is kept");
  } else if (c.dialled && !dialled_by_smaller(c) && hears_from(node) && is_patient(c)) {
    c.stage = Stage::kParked;
    parked_ = true;
  } else if (c.dialled) {
    const bool fabric = handshake.fabric_wanted() && wanted_with(node, c) == DataChannel::kFabric;
    handshake.accept(handshake.memory_wanted() && memory_trusted(node) ? DataChannel::kMemory
                     : fabric                                          ? DataChannel::kFabric
                                                                       : DataChannel::kControl);
  } else if (!dialled_by_smaller(c) && dials_node(c)) {
    c.stage = Stage::kParked;
    parked_ = true;
  } else {
    number_session(c);
    if (!memory_trusted(node)) handshake.offer_no_memory();
    handshake.accept(c.number, wanted_with(node, c));
  }
}

// Whether a dial of ours may go on waiting for the same node's dial to us.
bool NetworkTransport::is_patient(Conversation& c) {
  if (c.patient_until == Time{}) c.patient_until = now_ + kOtherDial;
  due(c.patient_until);
  return now_ < c.patient_until;
}

// Asks again for those whose answer depended on another dial.
void NetworkTransport::decide_parked() {
  parked_ = false;
  for (std::size_t i = 0; i < conversations_.size(); ++i) {
    Conversation* const c = conversations_[i].get();
    if (c == nullptr || c->stage != Stage::kParked) continue;
    c->stage = Stage::kHandshake;
    advance(*c);
    parked_ = parked_ || c->stage == Stage::kParked;
  }
}

void NetworkTransport::conclude_refused(Conversation& c) {
  const Objection objection = c.handshake->objection();
  const bool by_us = c.handshake->by_us();
  c.stage = Stage::kRefused;
  c.deadline = now_ + kLastWord;
  due(c.deadline);
  c.connection->finish();
  report_refusal(c, objection, by_us);
  if (!by_us || objection.reason == RefusalReason::kGarbage) drop(c);
}

void NetworkTransport::report_refusal(Conversation& c, const Objection& objection, bool by_us) {
  if (objection.reason == RefusalReason::kDuplicate) {
    if (!c.dialled) return;  // nobody asked
  } else {
    ++counters_.refusals;
    if (!c.dialled && !reports_.allow(now_)) return;
  }
  ++handled_;
  handler_->on_refused({c.address, objection.reason, by_us, objection.sentence});
}

// ---- which session is kept

Conversation* NetworkTransport::session_with(const NodeId& node) const {
  const auto found = by_node_.find(node);
  return found == by_node_.end() ? nullptr : found->second;
}

bool NetworkTransport::dialled_by_smaller(const Conversation& c) const {
  const bool we_are_smaller = options_.introduction.node < c.peer.introduction.node;
  return c.dialled == we_are_smaller;
}

// Whether a dial of ours to the node behind `listener` is under way.
bool NetworkTransport::dials_node(const Conversation& listener) const {
  const Introduction& who = listener.peer.introduction;
  return std::any_of(conversations_.begin(), conversations_.end(), [&](const auto& c) {
    return c != nullptr && c->dialled && c->stage < Stage::kParked &&
           (listens_at(who, listener.remote, c->remote) || c->peer.introduction.node == who.node);
  });
}

// Whether that node's own dial has been answered by us and only its last message is missing.
bool NetworkTransport::hears_from(const NodeId& node) const {
  return std::any_of(conversations_.begin(), conversations_.end(), [&](const auto& c) {
    return c != nullptr && !c->dialled && c->stage == Stage::kHandshake && c->number != 0 &&
           c->peer.introduction.node == node;
  });
}

std::string NetworkTransport::provider_of(DataChannel data) const {
  switch (data) {
    case DataChannel::kControl:
      return "control";
    case DataChannel::kFabric:
      return fabric_address_.provider;
    case DataChannel::kMemory:
      return "shm";
  }
  return {};
}

void NetworkTransport::promote(Conversation& c) {
  Agreement agreement = c.handshake->take_agreement();
  c.handshake.reset();
  stranger_left(c);
  c.stage = Stage::kOpening;
  c.deadline = now_ + options_.limits.fabric;
  const NodeId node = agreement.peer.introduction.node;
  c.data = agreement.data;
  c.peer = {agreement.peer.introduction, c.remote, provider_of(c.data), c.dialled};
  if (Conversation* const older = session_with(node)) {
    if (dialled_by_smaller(*older) && !dialled_by_smaller(c)) {
      drop(c);  // became obsolete while its last message was under way
      return;
    }
    end(*older, DownReason::kReplaced, "a newer session with the same node took its place");
  }
  by_node_[node] = &c;
  if (several_hosts_) prefer(local_address_of(c.connection->fd()));
  const FabricAddress at = agreement.peer.fabric;
  const std::string door = agreement.peer.memory.door;
  c.memory_token = std::move(agreement.memory_token);
  // (The fabric that was agreed on may be closed by now: this session is about to end then.)
  const bool bulk_by_control =
      c.data == DataChannel::kControl ||
      (c.data == DataChannel::kFabric && fabric_ != nullptr && !fabric_->is_device());
  c.session = std::make_unique<Session>(
      Session::Setup{std::move(agreement), c.number, options_.limits.credit_frames,
                     options_.limits.heartbeat, options_.limits.dead, options_.limits.keepalive,
                     bulk_by_control},
      now_);
  c.connection->make_room(c.data == DataChannel::kControl ? kDataRoom : kControlRoom);
  due(std::min(c.deadline, c.session->next_due()));
  touch(c);
  if (c.data == DataChannel::kControl) {
    announce(c);
  } else if (c.data == DataChannel::kMemory) {
    if (c.dialled) {
      hand_memory_over(c, door);
    } else {
      seat_callers();
    }
    if (!c.carries()) return;
  } else if (c.floods != counters_.floods) {
    end(c, DownReason::kFabric, "the fabric was closed during the handshake");
    return;
  } else {
    try {
      c.fabric_peer = fabric_->add(at);
      ++fabric_users_;
    } catch (const Error& error) {
      lane_failed(c, error.what());
      return;
    }
  }
  take_control_frames(c);
}

}  // namespace pp::transport
