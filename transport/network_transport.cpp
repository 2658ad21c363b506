// NetworkTransport's interface, and the order in which a poll() goes about its work.
#include <sys/random.h>

#include <algorithm>
#include <cassert>
#include <pp/error.hpp>
#include <pp/interfaces.hpp>
#include <utility>

#include "network.hpp"
#include "undisturbed.hpp"

namespace pp::transport {
namespace {

constexpr std::chrono::milliseconds kFabricRetry{1};
constexpr std::chrono::microseconds kLookEvery{50};  // at the sockets, beside fabric and memory

std::uint32_t random_bits() {
  std::uint32_t bits = 0;
  std::size_t got = 0;
  while (got < sizeof bits) {
    const ssize_t some = ::getrandom(reinterpret_cast<char*>(&bits) + got, sizeof bits - got, 0);
    if (some > 0) got += static_cast<std::size_t>(some);
  }
  return bits;
}

Counters add(Counters a, const Counters& b) {
  a.frames_sent += b.frames_sent;
  a.frames_received += b.frames_received;
  a.bytes_sent += b.bytes_sent;
  a.bytes_received += b.bytes_received;
  a.messages_sent += b.messages_sent;
  a.messages_received += b.messages_received;
  a.words_sent += b.words_sent;
  a.words_received += b.words_received;
  a.violations += b.violations;
  return a;  // the rest is counted by the transport alone
}

bool is_any(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

}  // namespace

std::unique_ptr<Transport> open_network(ClusterKey key, NetworkOptions options) {
  return std::make_unique<NetworkTransport>(std::move(key), std::move(options));
}

NetworkTransport::NetworkTransport(ClusterKey key, NetworkOptions options)
    : key_(std::move(key)),
      options_(std::move(options)),
      ciphers_(available_ciphers()),
      reopenings_(3, 1.0 / 3600),
      gate_(options_.limits.unproven, options_.limits.unproven_per_source),
      reports_(32, 8) {
  Introduction& who = options_.introduction;
  if (who.launch.size() > kMaxLaunch)
    throw Error("the launch's name '" + who.launch + "' is longer than " +
                std::to_string(kMaxLaunch) + " bytes; shorten it");
  who.name.resize(std::min(who.name.size(), kMaxName));
  who.build.resize(std::min(who.build.size(), kMaxBuild));
  if (options_.limits.credit_frames == 0)
    throw Error("Limits::credit_frames is 0: no peer could ever send; use 1 or more");
  listen();
  poller_.add(resolver_.fd(), kResolverTag, true, false);
  if (options_.shared_memory) open_door();
}

NetworkTransport::~NetworkTransport() = default;

// What others may dial, the most promising first. Throws pp::Error when there is nothing.
std::vector<std::string> NetworkTransport::hosts_to_publish() const {
  const std::vector<Interface> all = interfaces();
  std::vector<std::string> hosts;
  const std::string first = choose_among(all, options_.interface).address;
  const bool v6 = first.find(':') != std::string::npos;
  for (const Interface& it : usable_among(all, options_.interface)) {
    if ((it.address.find(':') != std::string::npos) == v6 && hosts.size() < kMaxAddresses)
      hosts.push_back(it.address);
  }
  if (hosts.empty()) hosts.push_back(first);
  for (const Address& peer : options_.towards) {
    const std::string local = local_address_towards(peer);
    const auto leads_there = std::find(hosts.begin(), hosts.end(), local);
    if (leads_there == hosts.end()) continue;
    std::rotate(hosts.begin(), leads_there, leads_there + 1);
    break;
  }
  return hosts;
}

void NetworkTransport::listen() {
  std::string host = options_.listen.host;
  std::vector<std::string> published{host};
  if (host.empty() || is_any(host)) {
    published = hosts_to_publish();
    const bool v6 = published.front().find(':') != std::string::npos;
    if (host.empty()) host = published.size() == 1 ? published.front() : v6 ? "::" : "0.0.0.0";
    several_hosts_ = published.size() > 1;
  }
  std::string why;
  const std::vector<Endpoint> at = look_up({host, options_.listen.port}, false, why);
  if (at.empty()) throw Error("cannot listen at " + options_.listen.to_string() + ": " + why);
  listener_ = std::make_unique<Listener>(at.front());
  const Address bound = listener_->address();
  if (!is_any(bound.host)) published = {bound.host};
  options_.introduction.addresses.clear();
  for (const std::string& each : published)
    options_.introduction.addresses.push_back({each, bound.port});
  poller_.add(listener_->fd(), kListenerTag, true, false);

  if (options_.fabric == "off") return;
  fabric_options_.provider = options_.fabric;
  fabric_options_.host = fabric_host_ = published.front();
  fabric_options_.port = options_.fabric_port;
  if (fabric_options_.port == 0 && options_.listen.port != 0)
    fabric_options_.port = static_cast<std::uint16_t>(options_.listen.port + 1);
  fabric_options_.library = options_.libfabric;
  keep_psm_from_signals();
  // Who names a provider wants to know at once whether it opens.
  fabric_unopened_ = options_.fabric == "auto" && options_.libfabric == nullptr;
  if (!fabric_unopened_) open_first_fabric();
}

// The address over which the first contact came goes in front of those that nobody has tried.
void NetworkTransport::prefer(const std::string& host) {
  std::vector<Address>& all = options_.introduction.addresses;
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Address& address) { return address.host == host; });
  if (found == all.end()) return;
  several_hosts_ = false;
  std::rotate(all.begin(), found, found + 1);
}

// ---- the interface

void NetworkTransport::dial(const Address& address) {
  const auto same = [&address](const auto& c) {
    return c != nullptr && c->dialled && c->address == address && c->stage <= Stage::kParked;
  };
  const auto asked = [&address](const Asked& dial) { return dial.address == address; };
  if (std::any_of(dials_.begin(), dials_.end(), asked) ||
      std::any_of(conversations_.begin(), conversations_.end(), same))
    return;
  dials_.push_back({address, {}});
}

bool NetworkTransport::send(SessionId session, std::span<const std::byte> message) {
  Conversation* const c = find(session);
  if (c == nullptr || c->stage != Stage::kUp) return false;
  c->session->queue(message);
  touch(*c);
  return true;
}

bool NetworkTransport::send_enclosing(SessionId session, std::span<const std::byte> head,
                                      std::shared_ptr<const Enclosure> enclosed) {
  if (enclosed->bytes.empty()) return Transport::send_enclosing(session, head, std::move(enclosed));
  Conversation* const c = find(session);
  if (c == nullptr || c->stage != Stage::kUp) return false;
  c->session->queue(head, std::move(enclosed));
  touch(*c);
  return true;
}

bool NetworkTransport::send_word(SessionId session, std::span<const std::byte> word) {
  Conversation* const c = find(session);
  if (c == nullptr || c->stage != Stage::kUp || !c->session->queue_word(word)) return false;
  touch(*c);
  return true;
}

std::size_t NetworkTransport::backlog(SessionId session) const {
  const Conversation* const c = find(session);
  return c == nullptr || c->session == nullptr ? 0
                                               : c->session->backlog() + c->connection->unsent();
}

void NetworkTransport::hang_up(SessionId session, std::string_view why) {
  Conversation* const c = leave(session, why);
  if (c == nullptr) return;
  c->session->say_goodbye(why);
  touch(*c);
}

void NetworkTransport::abandon(SessionId session, std::string_view why) {
  Conversation* const c = leave(session, why);
  if (c != nullptr) c->abandoned = true;
}

void NetworkTransport::watch(int descriptor) { poller_.add(descriptor, kOutsideTag, true, false); }

std::size_t NetworkTransport::poll(Time now, Handler& handler) {
  assert(handler_ == nullptr);  // a handler must not call poll()
  if (now - now_ > options_.limits.heartbeat) stood_still(now);
  now_ = now;
  handler_ = &handler;
  handled_ = 0;
  if (!fabric_news_.empty()) tell_fabric_news();
  for (Conversation* const c : stuck_) touch(*c);
  stuck_.clear();
  flush_dirty();
  if (!dials_.empty()) start_dials();
  take_events();
  if (fabric_ != nullptr && fabric_due()) poll_fabric();
  if (fabric_ != nullptr) watch_fabric();
  if (!memory_lanes_.empty()) poll_memory();
  if (!endings_.empty()) settle_ended();
  if (parked_) decide_parked();
  if (now_ >= next_timer_) run_timers();
  flush_dirty();
  if (over_) sweep();
  handler_ = nullptr;
  return handled_;
}

// The process was stopped, or its host. (Or had nothing to do; then nothing is unacknowledged.)
void NetworkTransport::stood_still(Time now) {
  for (const auto& c : conversations_)
    if (c != nullptr && c->carries()) c->session->stood_still(now);
}

bool NetworkTransport::wait(Time deadline) {
  if (!sleep(deadline)) return std::exchange(outside_readable_, false);
  return std::any_of(events_seen_.begin(), events_seen_.end(),
                     [](const Poller::Event& event) { return event.tag == kOutsideTag; });
}

// False: there was no need to.
bool NetworkTransport::sleep(Time deadline) {
  if (!dirty_.empty()) return false;
  if (!dials_.empty()) due(now_ + kFabricRetry);
  if (fabric_ != nullptr && !fabric_->may_sleep()) {
    next_fabric_poll_ = {};
    return false;
  }
  deadline = std::min(deadline, next_timer_);
  if (fabric_ != nullptr) deadline = std::min(deadline, fabric_nap_ends());
  if (!stuck_.empty()) deadline = std::min(deadline, Clock::now() + kFabricRetry);
  if (!memory_lanes_.empty() && (spin(deadline) || !memory_sleeps())) return false;
  events_seen_ = poller_.wait(deadline);
  wake_memory();
  events_fresh_ = true;
  outside_readable_ = false;
  return true;
}

Counters NetworkTransport::counters() const {
  Counters sum = counters_;
  for (const auto& c : conversations_)
    if (c != nullptr && c->session != nullptr) sum = add(sum, c->session->counters());
  return sum;
}

// ---- the parts of a poll()

void NetworkTransport::take_events() {
  // A courier that spins for an answer on fabric or memory must not pay for a look at every socket
  // each time.
  if (!events_fresh_ && (fabric_ != nullptr || !memory_lanes_.empty()) && now_ < next_look_) return;
  next_look_ = now_ + kLookEvery;
  const bool told = events_fresh_;  // by wait(), to who watches a descriptor as well
  const auto events = events_fresh_ ? events_seen_ : poller_.ready();
  events_fresh_ = false;
  for (const Poller::Event& event : events) {
    if (event.tag == kListenerTag) {
      take_strangers();
    } else if (event.tag == kResolverTag) {
      take_lookups();
    } else if (event.tag == kFabricTag) {
      next_fabric_poll_ = {};
    } else if (event.tag == kLoaderTag) {
      take_loaded();
    } else if (event.tag == kOutsideTag) {
      outside_readable_ = !told;
    } else if (event.tag == kDoorTag) {
      take_callers();
    } else if (event.tag == kCallersTag) {
      hear_callers();
    } else if ((event.tag & kBellBit) != 0 && event.tag < 2 * kBellBit) {
      Conversation* const c = conversations_[event.tag & (kBellBit - 1)].get();
      if (c != nullptr && c->memory != nullptr) take_bell(*c);
    } else if (event.tag < conversations_.size() && conversations_[event.tag] != nullptr) {
      Conversation& c = *conversations_[event.tag];
      if (c.stage == Stage::kConnecting) {
        take_connected(c);
      } else if (c.carries()) {
        if (event.writable) touch(c);
        if (event.readable) take_control(c);
      } else if (c.unproven()) {
        advance(c);
      }
    }
  }
}

void NetworkTransport::run_timers() {
  next_timer_ = Time::max();
  if (listening_paused_) {
    if (gate_.admits(now_)) {
      pause_listening(false);
    } else {
      due(gate_.until(now_));
    }
  }
  if (!callers_.empty()) hear_callers();
  for (std::size_t i = 0; i < conversations_.size(); ++i) {  // may grow meanwhile
    if (conversations_[i] == nullptr) continue;
    Conversation& c = *conversations_[i];
    if (c.stage == Stage::kOver) continue;
    if (c.carries()) {
      tick(c);
    } else if (now_ >= c.deadline) {
      stranger_late(c);
    }
    if (c.stage == Stage::kOver) continue;
    if (c.stage == Stage::kParked && c.dialled) due(c.patient_until);
    due(c.deadline);
    due(c.bell_ended_at);
    if (c.carries()) due(session_due(c));
  }
}

void NetworkTransport::sweep() {
  over_ = false;
  for (const FabricPeer peer : removals_)
    if (fabric_ != nullptr) fabric_->remove(peer);
  removals_.clear();
  for (auto& c : conversations_) {
    if (c == nullptr || c->stage != Stage::kOver) continue;
    std::erase(dirty_, c.get());
    std::erase(stuck_, c.get());
    std::erase(endings_, c.get());
    std::erase(memory_lanes_, c.get());
    free_slots_.push_back(c->slot);
    c.reset();
  }
}

// ---- conversations

Conversation& NetworkTransport::begin_conversation(bool dialled) {
  std::uint32_t slot = static_cast<std::uint32_t>(conversations_.size());
  if (free_slots_.empty()) {
    conversations_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  conversations_[slot] = std::make_unique<Conversation>();
  conversations_[slot]->slot = slot;
  conversations_[slot]->dialled = dialled;
  return *conversations_[slot];
}

// A number that a stranger at the fabric's open port cannot guess.
void NetworkTransport::number_session(Conversation& c) {
  c.id = SessionId{next_session_};
  sessions_.emplace(next_session_++, &c);
  c.number = std::uint64_t{random_bits() | 1} << 32 | c.slot;  // never 0: that is none
}

Conversation* NetworkTransport::find(SessionId session) const {
  const auto found = sessions_.find(static_cast<std::uint64_t>(session));
  return found == sessions_.end() ? nullptr : found->second;
}

Conversation* NetworkTransport::find_number(std::uint64_t number) const {
  const std::uint64_t slot = number & 0xffffffff;
  Conversation* const c = slot < conversations_.size() ? conversations_[slot].get() : nullptr;
  return c != nullptr && c->number == number ? c : nullptr;
}

// Null: there is nothing to leave.
Conversation* NetworkTransport::leave(SessionId session, std::string_view why) {
  Conversation* const c = find(session);
  if (c == nullptr || c->stage != Stage::kUp) return nullptr;
  c->stage = Stage::kLeaving;
  c->deadline = Time::min();  // the next poll() knows the time
  c->hang_up_why = printable(why);
  by_node_.erase(c->peer.introduction.node);
  due(Time::min());
  return c;
}

// Closes all that the conversation holds. Its place is freed by sweep(), when nobody looks at it
// any more.
void NetworkTransport::drop(Conversation& c) {
  if (c.stage == Stage::kOver) return;
  if (!c.dialled && c.unproven()) gate_.leave(c.slot);
  if (listening_paused_) due(now_);
  c.stage = Stage::kOver;
  over_ = true;
  if (c.connection) poller_.remove(c.connection->fd());
  if (c.connecting) poller_.remove(c.connecting->get());
  c.connection.reset();
  c.connecting.reset();
  c.handshake.reset();
  if (c.session != nullptr) counters_ = add(counters_, c.session->counters());
  c.session.reset();
  if (c.fabric_peer) {
    removals_.push_back(*c.fabric_peer);
    --fabric_users_;
  }
  c.fabric_peer.reset();
  if (c.memory && c.bell_ended_at == Time::max()) poller_.remove(c.memory->bell_fd());
  c.memory.reset();
  const auto known = by_node_.find(c.peer.introduction.node);
  if (known != by_node_.end() && known->second == &c) by_node_.erase(known);
  sessions_.erase(static_cast<std::uint64_t>(c.id));
}

void NetworkTransport::watch(Conversation& c, bool writable) {
  if (c.writable_wanted == writable || c.ended) return;
  c.writable_wanted = writable;
  poller_.change(c.connection->fd(), c.slot, true, writable);
}

}  // namespace pp::transport
