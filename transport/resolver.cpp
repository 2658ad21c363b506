// Resolver: one short-lived thread per lookup, its result in a shared list.
#include "resolver.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <mutex>
#include <pp/error.hpp>
#include <system_error>
#include <thread>

namespace pp::transport {

// Lives as long as the Resolver or the last of its lookups.
struct Resolver::Shared {
  Descriptor bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex;
  std::deque<Result> done;  // guarded by mutex
  int under_way = 0;        // guarded by mutex
};

Resolver::Resolver() : shared_(std::make_shared<Shared>()) {
  if (shared_->bell.get() < 0) throw Error(std::string("eventfd: ") + std::strerror(errno));
}

Resolver::~Resolver() = default;

int Resolver::fd() const { return shared_->bell.get(); }

std::optional<std::uint64_t> Resolver::begin(const Address& address) {
  {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->under_way == kMaxLookups) return std::nullopt;
    ++shared_->under_way;
  }
  const std::uint64_t ticket = ++tickets_;
  const auto work = [shared = shared_, ticket, address] {
    Result result{ticket, {}, {}};
    result.endpoints = look_up(address, false, result.why);
    {
      const std::lock_guard lock(shared->mutex);
      shared->done.push_back(std::move(result));
      --shared->under_way;
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = ::write(shared->bell.get(), &one, sizeof one);
  };
  try {
    std::thread(work).detach();
  } catch (const std::system_error&) {  // no thread to be had: wait for the system after all
    work();
  }
  return ticket;
}

std::optional<Resolver::Result> Resolver::next() {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->done.empty()) {
    std::uint64_t rings = 0;
    [[maybe_unused]] const ssize_t got = ::read(shared_->bell.get(), &rings, sizeof rings);
    return std::nullopt;
  }
  Result result = std::move(shared_->done.front());
  shared_->done.pop_front();
  return result;
}

}  // namespace pp::transport
