// DnsName: one short-lived thread per lookup, its answer behind a bell.
#include <netdb.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <pp/dns_name.hpp>
#include <pp/error.hpp>
#include <random>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "descriptor.hpp"

namespace pp::discovery {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr seconds kPause{30};  // what the time to live of such names is
constexpr seconds kFirstRetry{1};

struct Answer {
  std::vector<Address> addresses;
  std::string why;
};

// Lives as long as the DnsName or the last of its lookups.
struct Shared {
  Descriptor bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex;
  // Guarded by the mutex.
  std::optional<Answer> answer;
  bool closed = false;  // nobody takes it any more

  // Rings before the lock is given up: who takes the answer finds the bell rung, and silences it.
  void put(Answer found) {
    const std::lock_guard lock(mutex);
    if (closed) return;
    answer = std::move(found);
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t rung = ::write(bell.get(), &one, sizeof one);
  }

  std::optional<Answer> take() {
    const std::lock_guard lock(mutex);
    if (answer) silence();
    return std::exchange(answer, std::nullopt);
  }

  // From now on the bell is silent.
  void close() {
    const std::lock_guard lock(mutex);
    closed = true;
    silence();
  }

  void silence() {
    std::uint64_t rings = 0;
    [[maybe_unused]] const ssize_t got = ::read(bell.get(), &rings, sizeof rings);
  }
};

Answer ask(const DnsName::Lookup& lookup, const Address& name) {
  Answer answer;
  try {
    answer.addresses = lookup(name, answer.why);
  } catch (const std::exception& fault) {  // nobody above us on this thread
    answer.why = fault.what();
  }
  return answer;
}

}  // namespace

struct DnsName::State {
  State(Address who, std::uint64_t seed, Lookup how)
      : name(std::move(who)), lookup(std::move(how)), random(seed) {}

  void begin();
  void take_in(const Answer& answer, Time now, Listener& listener);
  void found(const std::vector<Address>& addresses, Listener& listener);
  nanoseconds pause();

  const Address name;
  const Lookup lookup;
  const std::shared_ptr<Shared> shared = std::make_shared<Shared>();
  bool under_way = false;
  Time next = Time::min();  // of the next lookup
  unsigned failures = 0;    // since the last success
  bool cut = false;         // an answer was too long, and that was noticed
  std::mt19937_64 random;
};

void DnsName::State::begin() {
  under_way = true;
  const auto work = [shared = shared, lookup = lookup, name = name] {
    shared->put(ask(lookup, name));
  };
  try {
    std::thread(work).detach();
  } catch (const std::system_error& fault) {  // no thread to be had: not now
    shared->put({{}, std::string("no thread: ") + fault.what()});
  }
}

void DnsName::State::take_in(const Answer& answer, Time now, Listener& listener) {
  under_way = false;
  const bool failed = answer.addresses.empty();
  const unsigned failed_before = std::exchange(failures, failed ? failures + 1 : 0);
  next = now + pause();
  if (failed && failed_before == 0) {
    listener.noticed("looking up " + name.to_string() +
                     " failed: " + (answer.why.empty() ? "it has no address" : answer.why) +
                     "; expected a DNS name with the addresses of nodes; it is tried again");
  } else if (!failed && failed_before != 0) {
    listener.noticed("looking up " + name.to_string() + " succeeds now, after " +
                     std::to_string(failed_before) +
                     (failed_before == 1 ? " failure" : " failures"));
  }
  found(answer.addresses, listener);
}

void DnsName::State::found(const std::vector<Address>& addresses, Listener& listener) {
  std::set<Address> told;
  for (const Address& address : addresses) {
    if (told.size() == kMostAddresses) {
      if (!std::exchange(cut, true)) {
        listener.noticed("looking up " + name.to_string() + ": only the first " +
                         std::to_string(kMostAddresses) + " addresses are used");
      }
      return;
    }
    // Which of them belong to one node is unknown, so each stands for itself.
    if (told.insert(address).second) listener.sighted({{address}, {}, false, false});
  }
}

// Half to all of it: nodes that started together do not go on asking together.
nanoseconds DnsName::State::pause() {
  seconds whole = failures == 0 ? kPause : kFirstRetry;
  for (unsigned i = 1; i < failures && whole < kPause; ++i) whole *= 2;
  const nanoseconds half = nanoseconds(std::min(whole, kPause)) / 2;
  return half +
         nanoseconds(std::uniform_int_distribution<nanoseconds::rep>(0, half.count())(random));
}

std::vector<Address> DnsName::ask_system(const Address& name, std::string& why) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  std::vector<Address> found;
  const int fault = ::getaddrinfo(name.host.c_str(), nullptr, &hints, &list);
  if (fault != 0) {
    why = fault == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(fault);
    return found;
  }
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    char host[NI_MAXHOST] = "";
    if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, host, sizeof host, nullptr, 0,
                      NI_NUMERICHOST) == 0)
      found.push_back({host, name.port});
  }
  ::freeaddrinfo(list);
  return found;
}

DnsName::DnsName(Address name, std::uint64_t seed, Lookup lookup)
    : state_(std::make_unique<State>(std::move(name), seed, std::move(lookup))) {
  assert(state_->name.port != 0 && state_->lookup);
  if (state_->shared->bell.get() < 0) throw Error(std::string("eventfd: ") + std::strerror(errno));
}

DnsName::~DnsName() = default;

void DnsName::poll(Time now, Listener& listener) {
  if (state_->under_way) {
    if (const std::optional<Answer> answer = state_->shared->take())
      state_->take_in(*answer, now, listener);
  }
  if (!state_->under_way && now >= state_->next) state_->begin();
}

Time DnsName::next_due(Time now) const {
  return state_->under_way ? Time::max() : std::max(now, state_->next);
}

std::vector<int> DnsName::descriptors() const { return {state_->shared->bell.get()}; }

void DnsName::leave() { state_->shared->close(); }

}  // namespace pp::discovery
