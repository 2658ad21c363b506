// MeasuredTransport: a transport that remembers how much was waiting in it at most.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <pp/transport.hpp>
#include <span>
#include <string_view>
#include <utility>

namespace pp::test {

// The most that was queued for any one peer, in bytes. May be read from any thread. Relaxed: a
// figure, read when those who make it are known to be done.
using Peak = std::atomic<std::size_t>;

// Another transport, handed on.
class MeasuredTransport final : public transport::Transport {
 public:
  using SessionId = transport::SessionId;

  // `peak` must outlive it.
  MeasuredTransport(std::unique_ptr<Transport> inner, Peak& peak)
      : inner_(std::move(inner)), peak_(peak) {}

  bool send(SessionId session, std::span<const std::byte> message) override {
    const bool queued = inner_->send(session, message);
    const std::size_t now = inner_->backlog(session);
    if (now > peak_.load(std::memory_order_relaxed)) peak_.store(now, std::memory_order_relaxed);
    return queued;
  }

  const transport::Introduction& self() const override { return inner_->self(); }
  void dial(const Address& address) override { inner_->dial(address); }
  bool send_word(SessionId session, std::span<const std::byte> word) override {
    return inner_->send_word(session, word);
  }
  std::size_t backlog(SessionId session) const override { return inner_->backlog(session); }
  void hang_up(SessionId session, std::string_view why) override { inner_->hang_up(session, why); }
  void abandon(SessionId session, std::string_view why) override { inner_->abandon(session, why); }
  void watch(int descriptor) override { inner_->watch(descriptor); }
  std::size_t poll(transport::Time now, transport::Handler& handler) override {
    return inner_->poll(now, handler);
  }
  bool wait(transport::Time deadline) override { return inner_->wait(deadline); }
  void wake() noexcept override { inner_->wake(); }
  transport::Counters counters() const override { return inner_->counters(); }

 private:
  const std::unique_ptr<Transport> inner_;
  Peak& peak_;
};

}  // namespace pp::test
