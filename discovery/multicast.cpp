// Multicast's sockets: what the announcer says goes out on every link, what links hear goes to it.
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <iterator>
#include <pp/error.hpp>
#include <pp/interfaces.hpp>
#include <pp/multicast.hpp>
#include <set>
#include <span>
#include <utility>

#include "announcer.hpp"
#include "beacon.hpp"
#include "descriptor.hpp"
#include "link.hpp"
#include "multicast_options.hpp"

namespace pp::discovery {
namespace {

// Looking at the interfaces costs some 30 us on a plain host, but milliseconds on one with hundreds
// of containers: there it is done less often, so that it takes no more than a ten-thousandth of a
// core.
constexpr std::chrono::seconds kLookEvery{3}, kLookAtLeastEvery{30};
constexpr int kLookShare = 10'000;
// A link that hears more waits for the next poll(): a flood must not keep the caller.
constexpr int kMostPerLink = 16;
// Sentences, so that an interface that changes its name for ever does not fill our memory.
constexpr std::size_t kMostNoticed = 64;

// The time that this thread has computed: waiting for a core is no cost.
Time::duration computed() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// This node's, those on the link's own interface first: whoever hears the beacon there has a way to
// them.
std::vector<Address> nearest_first(const std::vector<Address>& addresses, const Place& place) {
  std::vector<Address> sorted;
  for (const std::string& here : place.addresses) {
    std::copy_if(addresses.begin(), addresses.end(), std::back_inserter(sorted),
                 [&here](const Address& address) { return address.host == here; });
  }
  const auto& near = place.addresses;
  std::copy_if(addresses.begin(), addresses.end(), std::back_inserter(sorted),
               [&near](const Address& address) {
                 return std::find(near.begin(), near.end(), address.host) == near.end();
               });
  return sorted;
}

}  // namespace

struct Multicast::State {
  State(ClusterKey&& cluster_key, MulticastOptions&& given)
      : key(std::move(cluster_key)),
        options(std::move(given)),
        cluster(ClusterId::of(key, options.launch, options.function_table)),
        announcer(key, cluster, options.seed != 0 ? options.seed : drawn_seed()),
        epoll(::epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll.get() < 0) throw Error(std::string("multicast: epoll: ") + std::strerror(errno));
  }

  static std::uint64_t drawn_seed() { return std::hash<NodeId>()(NodeId::random()); }

  // Opens what is wanted and not open, closes what is not wanted any more. What cannot be opened is
  // told in `failures`, a sentence for each.
  void look(std::span<const transport::Interface> all, std::vector<std::string>& failures) {
    std::vector<Place> places = places_among(all, options);
    for (std::size_t way = 0; way < kMaxWays; ++way) {
      if (links[way] &&
          std::find(places.begin(), places.end(), links[way]->place()) == places.end())
        close(way);
    }
    for (Place& place : places) {
      const auto is_there = [&place](const auto& link) { return link && link->place() == place; };
      if (std::any_of(links.begin(), links.end(), is_there)) continue;
      const auto free = std::find(links.begin(), links.end(), nullptr);
      if (free == links.end()) {
        failures.push_back(place.to_string() + ": more interfaces than beacons go to (" +
                           std::to_string(kMaxWays) + ")");
        continue;
      }
      try {
        open(std::move(place), static_cast<std::size_t>(free - links.begin()));
      } catch (const Error& error) {
        failures.emplace_back(error.what());
      }
    }
  }

  void open(Place place, std::size_t way) {
    auto link = std::make_unique<Link>(std::move(place), options);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = way;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, link->fd(), &event) != 0)
      throw Error(link->place().to_string() + ": epoll: " + std::strerror(errno));
    links[way] = std::move(link);
    opened.set(way);
  }

  // If its interface is there, or is back, the next look opens it again.
  void close(std::size_t way) {
    // A process that was forked holds the socket, too: closing ours would leave it in the set.
    ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, links[way]->fd(), nullptr);
    links[way].reset();
  }

  // As look(); in a node that runs, nothing of it is worth an exception.
  void look_again(Time now) {
    const Time::duration before = computed();
    std::vector<std::string> failures;
    try {
      look(transport::interfaces(), failures);
    } catch (const Error& error) {
      failures.emplace_back(error.what());
    }
    next_look = now + std::clamp<Time::duration>(kLookShare * (computed() - before), kLookEvery,
                                                 kLookAtLeastEvery);
    for (const std::string& failure : failures) notice(failure);
  }

  void notice(const std::string& failure) {
    if (noticed.size() < kMostNoticed && noticed.insert(failure).second)
      to_notice.push_back("multicast: " + failure);
  }

  Ways open_ways() const {
    Ways ways;
    for (std::size_t way = 0; way < kMaxWays; ++way) ways.set(way, links[way] != nullptr);
    return ways;
  }

  // A way that was closed and opened since the last poll() is another one.
  void tell_of_ways(Time now) {
    announcer.open(open_ways() & ~std::exchange(opened, Ways()), now);
    announcer.open(open_ways(), now);
  }

  void hear(Time now, Listener& listener) {
    std::array<epoll_event, kMaxWays> ready;
    const int count = ::epoll_wait(epoll.get(), ready.data(), static_cast<int>(ready.size()), 0);
    for (int i = 0; i < count; ++i) {
      const auto way = static_cast<std::size_t>(ready[static_cast<std::size_t>(i)].data.u64);
      for (int heard = 0; heard < kMostPerLink && hear(way, now, listener); ++heard) {
      }
    }
  }

  // One datagram; false if there was none.
  bool hear(std::size_t way, Time now, Listener& listener) {
    std::array<std::byte, kMaxBeacon + 1> buffer;  // one more: longer ones are not taken for whole
    std::size_t size = 0;
    std::string source;
    switch (links[way]->receive(buffer, size, source)) {
      case Link::Received::kDatagram:
        announcer.hear(std::span(buffer).first(size), source, way, now, listener);
        return true;
      case Link::Received::kNothing:
        return false;
      case Link::Received::kGone:
        close(way);
        return false;
    }
    return false;
  }

  void say(const Announcer::Saying& saying) {
    for (std::size_t way = 0; way < kMaxWays; ++way) {
      if (!saying.ways[way] || !links[way]) continue;
      Beacon beacon = saying.beacon;
      beacon.addresses = nearest_first(saying.beacon.addresses, links[way]->place());
      switch (links[way]->send(encode(beacon, key, cluster))) {
        case Link::Sent::kSent:
          ++sent;
          break;
        case Link::Sent::kLost:
          break;
        case Link::Sent::kGone:
          close(way);
          break;
        case Link::Sent::kRefused:
          notice(links[way]->place().to_string() + ": send: " + std::strerror(errno));
          break;
      }
    }
  }

  const ClusterKey key;
  const MulticastOptions options;
  const ClusterId cluster;
  Announcer announcer;
  const Descriptor epoll;                             // stands for the links, which come and go
  std::array<std::unique_ptr<Link>, kMaxWays> links;  // by way
  Ways opened;                                        // since the last poll()
  std::uint64_t sent = 0;
  std::set<std::string> noticed;
  std::vector<std::string> to_notice;  // at the next poll()
  Time next_look = Time::min();
};

Multicast::Multicast(ClusterKey key, MulticastOptions options) {
  check(options);
  state_ = std::make_unique<State>(std::move(key), std::move(options));
  State& s = *state_;
  const std::vector<transport::Interface> all = transport::interfaces();
  const std::string left_out = left_out_of(all, s.options);
  std::vector<std::string> failures;
  s.look(all, failures);
  if (s.open_ways().none()) {
    std::string tried;
    for (const std::string& failure : failures) tried += (tried.empty() ? "" : "; ") + failure;
    if (!left_out.empty()) tried += (tried.empty() ? "" : "; ") + ("not used: " + left_out);
    throw Error(
        "multicast: no interface to find others on: " + (tried.empty() ? "there is none" : tried) +
        "; name one that is up (interfaces=...), or give addresses instead");
  }
  for (const std::string& failure : failures) s.notice(failure);
  if (!s.options.interfaces.empty() && !left_out.empty()) s.notice("not used: " + left_out);
}

Multicast::~Multicast() = default;

void Multicast::poll(Time now, Listener& listener) {
  State& s = *state_;
  if (now >= s.next_look) s.look_again(now);
  s.tell_of_ways(now);
  s.hear(now, listener);
  while (const auto saying = s.announcer.due(now)) s.say(*saying);
  for (const std::string& sentence : std::exchange(s.to_notice, {})) listener.noticed(sentence);
}

Time Multicast::next_due(Time now) const {
  return std::min(state_->announcer.next_due(now), std::max(now, state_->next_look));
}

std::vector<int> Multicast::descriptors() const { return {state_->epoll.get()}; }

void Multicast::introduce(const Self& self) { state_->announcer.introduce(self); }

void Multicast::leave() {
  State& s = *state_;
  if (const auto saying = s.announcer.leave()) s.say(*saying);
  // Nobody reads what comes from now on.
  for (std::size_t way = 0; way < kMaxWays; ++way) {
    if (s.links[way]) s.close(way);
  }
}

Discovery::Ignored Multicast::ignored() const {
  const BeaconCounters& counted = state_->announcer.counters();
  return {counted.foreign + counted.other_version, counted.forged, counted.replayed,
          counted.malformed};
}

BeaconCounters Multicast::counters() const {
  BeaconCounters counters = state_->announcer.counters();
  counters.sent = state_->sent;
  return counters;
}

}  // namespace pp::discovery
