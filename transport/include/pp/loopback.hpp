// LoopbackWorld: a network inside one process, for tests and simulation: deliver, delay, cut.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include <pp/transport.hpp>

#pragma GCC visibility push(default)

namespace pp::transport {

// Joins any number of transports in one process behind the same interface as the real network. Time is
// what the callers pass to poll(): in tests virtual, beside real threads real. Thread-safe: each transport
// may live on a courier thread of its own. The world must outlive its transports.
//
// Example (compiled in tests/transport/loopback_test.cpp):
//   LoopbackWorld world;
//   auto a = world.open(introduction_a);
//   auto b = world.open(introduction_b);
//   a->dial(b->self().addresses.front());
//   a->poll(now, events_a); b->poll(now, events_b);      // on_up at both
class LoopbackWorld {
 public:
  LoopbackWorld();
  ~LoopbackWorld();

  // A node with an address of its own ("loopback:1", "loopback:2", ...).
  std::unique_ptr<Transport> open(Introduction introduction);

  // Each message from now on takes this long, in the time passed to poll().
  void delay(std::chrono::nanoseconds per_message);
  // So many of the words (Transport::send_word) get lost, 0 to 1; messages do not, a session is a
  // stream.
  void lose(double probability, std::uint64_t seed);
  // Ends the session between the two as if the wire were cut; what was in flight is lost; dialling fails
  // until heal(). on_down(kClosed) follows at both.
  void cut(const NodeId& a, const NodeId& b);
  void heal(const NodeId& a, const NodeId& b);
  // The node is gone as by kill -9: its sessions end with kClosed at its peers, dialling it fails.
  void kill(const NodeId& node);
  // The node hears and says nothing (SIGSTOP) until resume(); its peers see kSilent after `dead`.
  void stop(const NodeId& node);
  void resume(const NodeId& node);
  void set_dead_limit(std::chrono::milliseconds dead);

  // For a simulation that polls only who has something to do. Nodes are numbered from 0 in the order
  // in which they were opened.
  // Those for which something has come since the last call.
  std::vector<std::size_t> stirred();
  // When the node is to be polled; Time::min() for now, Time::max() if nothing is on its way.
  Time next_due(std::size_t node) const;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace pp::transport

#pragma GCC visibility pop
