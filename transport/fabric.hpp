// Fabric: one libfabric reliable-datagram endpoint, over sockets or over a network card's own
// means.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <pp/address.hpp>
#include <pp/error.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "remote_memory.hpp"

namespace pp::transport {

struct Libfabric;

// A fabric address as the provider wrote it; travels in the handshake and means something to the
// same provider only.
struct FabricAddress {
  std::string provider;
  std::vector<std::byte> bytes;
};

// A peer this endpoint can send to. The number is never used again (libfabric's own indices are:
// pitfall 8).
enum class FabricPeer : std::uint64_t {};

// Called inside Fabric::poll() only.
class FabricHandler {
 public:
  virtual ~FabricHandler() = default;
  // A frame arrived, from whom only its content can say. 8-byte aligned; gone after the call. May
  // be hostile.
  virtual void on_frame(std::span<std::byte> frame) = 0;
  // Something sent to this peer could not be delivered. May come more than once.
  virtual void on_send_failed(FabricPeer peer, std::string_view why) = 0;
  // What Fabric::read() asked for is here, 8-byte aligned, and gone after the call. It is what lay
  // in the peer's memory: as hostile as a frame.
  virtual void on_read(FabricPeer /*peer*/, std::uint64_t /*ticket*/,
                       std::span<std::byte> /*bytes*/) {}
  virtual void on_read_failed(FabricPeer /*peer*/, std::uint64_t /*ticket*/,
                              std::string_view /*why*/) {}
};

// This host cannot, whatever the port: one may do without.
struct NoFabricError : Error {
  enum class Lack {
    kProvider,      // no provider answers to the name, or none that can carry frames
    kLockedMemory,  // the system does not let it lock the memory that it needs
  };
  NoFabricError(Lack what, const std::string& text) : Error(text), lack(what) {}
  const Lack lack;
};

// REQUIRES: one thread. Our own memory is bounded: receive buffers are posted once, sends come from
// a pool of fixed size. The provider's is not: it accepts everybody who connects to its port, and
// keeps what nobody has asked for (tagged messages, say; measured: 120 MB a second from one
// stranger). So look at held() and callers(), and open another one in place of a Fabric that holds
// too much.
class Fabric {
 public:
  // No frame is larger (the eager limit; equal on all nodes or rxm refuses the connection). All
  // lengths are multiples of 8.
  static constexpr std::size_t kMaxFrame = 8192;

  struct Options {
    // A provider of this libfabric by its name ("verbs;ofi_rxm") or its core's ("verbs", "tcp"), or
    // "auto": the best that opens, network cards with transport of their own before sockets.
    std::string provider = "auto";
    std::string host;                    // the numeric address of the chosen interface; required
    std::uint16_t port = 0;              // 0: any
    const Libfabric* library = nullptr;  // null: the system's; must outlive the Fabric
  };

  // Throws pp::Error naming the provider, the address, what libfabric said and what it has instead;
  // NoFabricError where that is all there is to say. Leaves the process's signal handlers and
  // environment as they were (reference: libfabric.md pitfalls 1 and 4).
  explicit Fabric(const Options& options);
  ~Fabric();
  Fabric(const Fabric&) = delete;
  Fabric& operator=(const Fabric&) = delete;

  FabricAddress address() const;

  // Whether it is hardware of its own, and not the system's sockets.
  bool is_device() const;

  // Providers that would have come first and did not open, with the reasons; mostly empty.
  const std::string& passed_over() const;

  // Connects lazily: with the first send(). Throws pp::Error on an address that cannot be used
  // (another provider's, or garbage).
  FabricPeer add(const FabricAddress& address);
  // Gives up what is still unsent for this peer; no on_send_failed follows.
  void remove(FabricPeer peer);

  enum class Sent {
    kSent,   // copied; a later failure is told by on_send_failed
    kAgain,  // the connection is not there yet, or too much is under way: try again after poll()
    kGone,   // no such peer
  };
  Sent send(FabricPeer peer, std::span<const std::byte> frame);

  // Moves what can be moved without blocking; returns the number of completions.
  std::size_t poll(FabricHandler& handler);

  // A send() that answers kAgain sets up the connection, and only poll() at both ends carries that
  // on. The descriptor does not tell the connecting side when it is its turn again (rxm; measured:
  // it would sleep for ever): while a send() waits for its connection, sleep no longer than this at
  // a time. 7 to 20 ms in all here. The side that is dialled is woken.
  static constexpr std::chrono::milliseconds kConnectingNap{2};

  // Bytes that the provider has allocated since this was opened and not freed.
  std::size_t held() const;

  struct Callers {
    std::size_t connected = 0;  // connections that others have made to our port
    std::size_t cut_off = 0;    // more, on which nothing came between the last two looks
  };
  // Looks at them. The time between two looks is what a caller has to say its first word; peers do
  // so at once. Not cheap: about a microsecond for each descriptor of this process.
  Callers look_at_callers();
  // Those that have said nothing yet, at once; says how many.
  std::size_t cut_off_silent_callers();
  // Before a Fabric with strangers at its port is destroyed: libfabric 1.17 forgets to close the
  // connections that had not come to an end of their handshake.
  void cut_off_all_callers(FabricHandler& handler);

  // Readable when poll() has something to do; meaningful only after may_sleep() said yes. -1: this
  // provider has no such thing (network cards often do not), and longest_nap() bounds the sleep.
  int wait_fd() const;
  // False: poll() again before sleeping.
  bool may_sleep();
  // For so long one may sleep before the next poll(), which also carries on what is under way.
  // Grows from sleep to sleep while nothing moves: what comes after a rest is late by kLongestNap
  // at most, and a thousand looks a second cost a hundredth of a core. The alternative, a bell on
  // the control connection that the sender rings, would cost every sender a system call for each
  // burst and needs the sender to know who sleeps; and what is urgent goes by the control
  // connection anyway (words, heartbeats), whose descriptor ends the sleep as well.
  std::chrono::microseconds longest_nap() const;
  static constexpr std::chrono::microseconds kAnyNap = std::chrono::microseconds::max();
  static constexpr std::chrono::microseconds kShortestNap{50}, kLongestNap{1000};

  // ---- Memory that the other side reads without our doing: `expose` here, send the RemoteMemory
  // by any message, `read` there piece by piece, and say so by a message; then `withdraw`. What is
  // exposed may be read by anybody who knows its key and reaches the port: expose sealed bytes
  // only. Over sockets both sides must poll() meanwhile, as for frames. It all ends with this
  // Fabric: one that is opened in its place has exposed nothing and answers no read of before.

  // Why this provider cannot; empty: it can, as far as it says.
  std::string_view why_no_remote_memory() const;

  // A read is of at most so many bytes; 0 without remote memory.
  static constexpr std::size_t kLongestPiece = 256 * 1024;
  std::size_t longest_read() const;

  // Lets others read these bytes, which must stay where they are and unchanged until withdraw().
  // Nothing: it cannot be done, and `why` says why; the bytes can travel in frames instead. Costs a
  // call of the system and locks the pages where there is hardware: for 64 KiB and more.
  std::optional<Exposure> expose(std::span<const std::byte> memory, std::string& why);
  // Reads of it fail from now on. The provider may end the connection of who tries, so ask first.
  // An unknown number is none.
  void withdraw(ExposureId exposure);

  // Asks for a piece of a peer's memory; kSent is answered by one on_read or on_read_failed with
  // this ticket, unless the peer is removed. kAgain: all buffers for it are in use, or as for
  // send(). REQUIRES: from.bytes is neither 0 nor more than longest_read().
  Sent read(FabricPeer peer, const RemoteMemory& from, std::uint64_t ticket);

 private:
  struct Endpoint;
  std::unique_ptr<Endpoint> endpoint_;
};

}  // namespace pp::transport
