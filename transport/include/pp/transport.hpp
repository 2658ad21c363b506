// Transport: proven peers exchange messages; what carries them (fabric, sockets, memory) stays below.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <pp/address.hpp>
#include <pp/node_id.hpp>

#pragma GCC visibility push(default)

namespace pp::transport {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

// One proven session with one peer: the control and the data channel together. Numbered by this process
// from 1 and never used again, so that a late word about an old session cannot be mistaken for a new one.
enum class SessionId : std::uint64_t {};

// What a node says of itself in the handshake. Believed, because only a holder of the key can say it.
struct Introduction {
  NodeId node;
  std::string name;                   // for people: "host:pid" unless told otherwise; at most 64 bytes
  std::uint32_t workers = 0;          // how many jobs it runs at a time
  std::uint64_t function_table = 0;   // fingerprint: nodes with different functions refuse each other
  std::string build;                  // compiler and version, for the sentence of a refusal
  std::string launch;                 // the launch it belongs to, or empty
  bool driver = false;                // it runs a program's body; others serve
  // Where its control port can be dialled, the most promising first (filled by the transport).
  std::vector<Address> addresses;
};

struct Peer {
  Introduction introduction;
  Address remote;         // the other end of the control connection
  std::string provider;   // what carries the data: "tcp;ofi_rxm", "shm", "control", "loopback"
  bool dialled = false;   // we dialled it (otherwise it dialled us)
};

enum class DownReason {
  kClosed,      // the peer's process ended, or the connection broke, without a word
  kGoodbye,     // the peer ended it in order
  kSilent,      // nothing was heard for longer than Limits::dead
  kReplaced,    // a newer proven session with the same node took its place (protocol.md rule 18)
  kViolation,   // a bad seal or a malformed frame: an attack or a bug, counted as such
  kFabric,      // the data channel failed
  kHungUp,      // we ended it
};
std::string_view to_string(DownReason reason);

enum class RefusalReason {
  kWrongKey,
  kVersion,         // another protocol version
  kFunctionTable,   // another build: its functions are not ours
  kLaunch,          // it belongs to another launch
  kSelf,            // it is this very node
  kDuplicate,       // the pair already has a session that is kept (rule 18): not an error
  kGarbage,         // it does not speak pp
  kTooMany,         // too many unproven connections
  kTimeout,         // connected, but the handshake was not finished in time
  kFlood,           // strangers took more of the fabric's open port than they may; never said to a peer
  kFabric,          // libfabric did not open as was hoped for; told once, of no peer, never said to one
};
std::string_view to_string(RefusalReason reason);

// Why a dial came to nothing.
enum class DialFailure {
  kRefused,      // the host is there, and nobody listens at that port
  kNoAnswer,     // nothing came back within the limit
  kUnreachable,  // no route, no such name, or the connection broke before it was proven
};
std::string_view to_string(DialFailure failure);

struct Refusal {
  Address remote;
  RefusalReason reason{};
  bool by_us = false;     // we refused the peer (otherwise the peer refused us)
  std::string sentence;   // both values and the cure, printable, at most 512 bytes
};

// Monotonic since the transport was made.
struct Counters {
  std::uint64_t frames_sent = 0, frames_received = 0;
  std::uint64_t bytes_sent = 0, bytes_received = 0;
  std::uint64_t messages_sent = 0, messages_received = 0;
  std::uint64_t words_sent = 0, words_received = 0;
  std::uint64_t refusals = 0;      // proven or not, by us or by them; kDuplicate is not counted
  std::uint64_t violations = 0;    // bad seals and malformed frames within sessions
  std::uint64_t floods = 0;        // strangers made the fabric hold too much: it was closed for that
  std::uint64_t sessions_up = 0, sessions_down = 0;
};

// Told what happens. Every call comes from inside poll(), on the thread that called it; a handler may
// call dial(), send() and hang_up(), never poll() or wait().
class Handler {
 public:
  virtual ~Handler() = default;
  // A session is proven and can carry messages in both directions. Exactly one on_down follows.
  virtual void on_up(SessionId session, const Peer& peer) = 0;
  // One whole message. `message` is 8-byte aligned, a multiple of 8 long, and gone after the call.
  virtual void on_message(SessionId session, std::span<const std::byte> message) = 0;
  // A word that rode in a heartbeat (Transport::send_word). Aligned as a message is; gone after the
  // call. Words are not ordered with messages.
  virtual void on_word(SessionId session, std::span<const std::byte> word) = 0;
  // Everything that had already arrived has been handed over; nothing follows under this number.
  virtual void on_down(SessionId session, DownReason reason, std::string_view why) = 0;
  // A dial() came to nothing. Who dialled may try again.
  virtual void on_dial_failed(const Address& address, DialFailure failure,
                              std::string_view why) = 0;
  virtual void on_refused(const Refusal& refusal) = 0;
};

// Bytes that go out behind a message, from where they lie: they are read when there is room for
// them, not copied when they are sent. Whoever sends them may put them elsewhere meanwhile, on the
// thread that sends.
struct Enclosure {
  virtual ~Enclosure() = default;
  std::span<const std::byte> bytes;  // never of another length
};

// One node's end of the network. Used by one thread (the courier); only wake() may be called by others.
// Destruction closes every session without a word to the handler and leaves no descriptor behind.
class Transport {
 public:
  virtual ~Transport() = default;

  // What this node says of itself, with the addresses where it listens.
  virtual const Introduction& self() const = 0;

  // Begins a connection and returns at once; on_up, on_dial_failed or on_refused tells how it ended.
  // An address that is already being dialled is not dialled twice.
  virtual void dial(const Address& address) = 0;

  // Queues one message (a multiple of 8 bytes, at most kMaxMessage); messages of a session arrive whole
  // and in order or the session ends. Copied before the call returns. It goes out in the next poll(),
  // together with everything else for that peer, as soon as credit allows. False: no such session any more.
  // Memory: the caller bounds what it queues by looking at backlog().
  virtual bool send(SessionId session, std::span<const std::byte> message) = 0;

  // The same of `head` and behind it `enclosed`, with zeros up to a multiple of 8, as one message.
  // Of the latter no copy is made; it is let go when it has gone out, or never will. Such messages
  // are in order among themselves alone: they may take another way than the others. At most
  // kMaxEnclosing in all. REQUIRES: the peer has sent a message in this session, and expects this.
  virtual bool send_enclosing(SessionId session, std::span<const std::byte> head,
                              std::shared_ptr<const Enclosure> enclosed);

  // A small message (a multiple of 8 bytes, at most kMaxWord) that rides in a heartbeat: it overtakes
  // what send() has queued, costs no credit, and may be lost without a word; nobody is told. False:
  // no such session, or too many words wait already.
  virtual bool send_word(SessionId session, std::span<const std::byte> word) = 0;

  // Bytes queued for this session and not yet given to the network; 0 for an unknown session.
  virtual std::size_t backlog(SessionId session) const = 0;

  // Sends what is queued as far as credit allows at once, then ends the session; on_down(kHungUp) follows.
  virtual void hang_up(SessionId session, std::string_view why) = 0;

  // Ends the session without a last word to a peer that is taken for dead: what is queued is dropped.
  // on_down(kHungUp) follows in the next poll().
  virtual void abandon(SessionId session, std::string_view why) = 0;

  // From now on wait() also returns while this descriptor is readable; it must stay open as long as
  // the transport lives. (The loopback world looks at none.)
  virtual void watch(int descriptor) = 0;

  // Moves whatever can be moved at `now`, without blocking; returns how many events there were.
  virtual std::size_t poll(Time now, Handler& handler) = 0;

  // Blocks until something can be moved, wake() was called since the last wait() began, or `deadline` has
  // come; returns early whenever a timer of the transport's own is due. Uses no CPU while it waits.
  // True: a descriptor given to watch() is readable.
  virtual bool wait(Time deadline) = 0;

  // Ends the current or the next wait(). Any thread; cheap when nobody waits.
  virtual void wake() noexcept = 0;

  virtual Counters counters() const = 0;
};

// No message is larger; larger ones are refused by assertion at the sender and end the session at the receiver.
// Room for a value of 1 GiB and what it is wrapped in.
inline constexpr std::size_t kMaxMessage = (std::size_t{1} << 30) + (std::size_t{64} << 20);

// The same for what send_enclosing() sends.
inline constexpr std::size_t kMaxEnclosing = std::size_t{8} << 20;


// The same for a word.
inline constexpr std::size_t kMaxWord = 4096;

}  // namespace pp::transport

#pragma GCC visibility pop
