// The fabric's open port: opened, watched, and closed when strangers make too much of it.
#include <algorithm>
#include <pp/error.hpp>
#include <utility>

#include "network.hpp"

namespace pp::transport {
namespace {

// What one proven session may add: the frames of its window that wait in the provider for a buffer
// of ours, its connection, and one that is being set up in its place.
constexpr std::size_t kSessionsBytes = std::size_t{3} << 19;
constexpr std::size_t kSessionsCallers = 2;

constexpr std::chrono::microseconds kPollEvery{50};  // while nobody's data goes that way

std::string in_mib(std::size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

void NetworkTransport::open_fabric() {
  fabric_ = std::make_unique<Fabric>(fabric_options_);
  fabric_address_ = fabric_->address();
  if (fabric_->wait_fd() >= 0) poller_.add(fabric_->wait_fd(), kFabricTag, true, false);
}

// A limit of locked memory is no reason not to work at all, nor is a host without any provider when
// none was asked for by name. Everything else somebody must change.
void NetworkTransport::open_first_fabric() {
  try {
    open_fabric();
    if (fabric_->passed_over().empty()) return;
    fabric_news_ = "data goes by provider '" + fabric_address_.provider +
                   "', because better ones did not open: " + fabric_->passed_over();
  } catch (const NoFabricError& error) {
    if (error.lack == NoFabricError::Lack::kProvider && options_.fabric != "auto") throw;
    settle_without_fabric(error.what());
  }
}

// Whether it must be opened before anything is said to this one, who may be on another host. On
// this one data goes through memory, and a node whose peers are all here never loads libfabric,
// which costs as much time as all else and twice the memory.
bool NetworkTransport::waits_for_fabric(const Conversation& c) {
  if (!fabric_unopened_ || !over_fabrics_interface(c)) return false;
  if (door_ != nullptr && local_address_of(c.connection->fd()) == c.remote.host) return false;
  if (fabric_loader_ != nullptr) return true;
  try {
    fabric_loader_ = std::make_unique<FabricLoader>();
    poller_.add(fabric_loader_->fd(), kLoaderTag, true, false);
    return true;
  } catch (const Error& error) {
    settle_without_fabric(error.what());
    return false;
  }
}

void NetworkTransport::take_loaded() {
  poller_.remove(fabric_loader_->fd());
  fabric_loader_.reset();
  fabric_unopened_ = false;
  try {
    open_first_fabric();
  } catch (const Error& error) {
    settle_without_fabric(error.what());
  }
  if (!fabric_news_.empty()) tell_fabric_news();
  for (std::size_t i = 0; i < conversations_.size(); ++i) {  // a handler may add to it
    Conversation* const c = conversations_[i].get();
    if (c != nullptr && c->stage == Stage::kHeld) begin_handshake(*c);
  }
}

void NetworkTransport::settle_without_fabric(std::string_view why) {
  fabric_unopened_ = false;
  fabric_news_ = "data goes by the control connections: " + std::string(why);
}

void NetworkTransport::tell_fabric_news() {
  ++handled_;
  handler_->on_refused({{fabric_host_, fabric_options_.port},
                        RefusalReason::kFabric,
                        true,
                        printable(std::exchange(fabric_news_, {}))});
}

// Without a descriptor that tells, it is looked at again after a nap.
Time NetworkTransport::fabric_nap_ends() {
  const std::chrono::microseconds nap = fabric_->longest_nap();
  if (nap == Fabric::kAnyNap) return Time::max();
  next_fabric_poll_ = {};
  return Clock::now() + nap;
}

// It costs a call of the system each time, in which a node whose peers are all in shared memory
// need not put its hopes: strangers ring, or are heard a little later.
bool NetworkTransport::fabric_due() const {
  return fabric_users_ > 0 || memory_lanes_.empty() || now_ >= next_fabric_poll_;
}

void NetworkTransport::poll_fabric() {
  next_fabric_poll_ = now_ + kPollEvery;
  handled_ += fabric_->poll(*this);
}

// After a poll, which is where the provider takes what comes. Its memory is a number of ours; the
// callers cost a look at every descriptor.
void NetworkTransport::watch_fabric() {
  const std::size_t limit = options_.limits.fabric_memory + by_node_.size() * kSessionsBytes;
  if (fabric_->held() > limit) {
    close_flooded_fabric("made it hold " + in_mib(fabric_->held()) +
                         " that nobody had asked for (limit " + in_mib(limit) + ")");
    return;
  }
  if (now_ >= next_look_at_callers_) look_at_callers();
}

void NetworkTransport::look_at_callers() {
  next_look_at_callers_ = now_ + options_.limits.fabric_silence;
  const std::size_t limit = options_.limits.fabric_callers + by_node_.size() * kSessionsCallers;
  Fabric::Callers seen = fabric_->look_at_callers();
  if (seen.connected > limit) {  // no time for patience
    const std::size_t more = fabric_->cut_off_silent_callers();
    seen.connected -= std::min(more, seen.connected);
    seen.cut_off += more;
  }
  if (seen.cut_off > 0) {
    counters_.refusals += seen.cut_off;
    if (reports_.allow(now_)) {
      ++handled_;
      handler_->on_refused({{fabric_host_, 0},
                            RefusalReason::kTimeout,
                            true,
                            std::to_string(seen.cut_off) +
                                " connections to the fabric's port said nothing and were cut off"});
    }
  }
  if (seen.connected > limit)
    close_flooded_fabric("held " + std::to_string(seen.connected) + " connections to it (limit " +
                         std::to_string(limit) + ")");
}

// The sessions on it begin again; those on control connections alone do not notice.
void NetworkTransport::close_flooded_fabric(const std::string& how) {
  for (std::size_t i = 0; i < conversations_.size(); ++i) {  // a handler may add to it
    Conversation* const c = conversations_[i].get();
    if (c != nullptr && c->carries() && c->fabric_peer)
      end(*c, DownReason::kFabric, "strangers flooded this node's fabric, which was closed");
  }
  fabric_->cut_off_all_callers(*this);
  removals_.clear();  // they go with it
  if (fabric_->wait_fd() >= 0) poller_.remove(fabric_->wait_fd());
  fabric_.reset();
  fabric_address_ = {};
  std::string then = "it was opened anew";
  if (!reopenings_.allow(now_)) {
    then = "this is not the first time: it stays closed, and data goes by the control connections";
  } else {
    try {
      open_fabric();
    } catch (const Error& error) {
      then = std::string("data goes by the control connections from now on: ") + error.what();
    }
  }
  ++counters_.floods;
  ++counters_.refusals;
  ++handled_;
  handler_->on_refused({{fabric_host_, fabric_options_.port},
                        RefusalReason::kFlood,
                        true,
                        printable("strangers at the fabric's port " + how + "; " + then +
                                  ". Bind it to an interface you trust (PP_IFACE), or do without "
                                  "(PP_FABRIC=off)")});
}

}  // namespace pp::transport
