// Fabric: one libfabric reliable-datagram endpoint; the only door to <rdma/...>.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <pp/address.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pp::transport {

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
    std::string provider = "tcp;ofi_rxm";
    std::string host;        // the numeric address of the chosen interface; required
    std::uint16_t port = 0;  // 0: any
  };

  // Throws pp::Error naming the provider, the address and what libfabric said. Leaves the process's
  // signal handlers and environment as they were (reference: libfabric.md pitfalls 1 and 4).
  explicit Fabric(const Options& options);
  ~Fabric();
  Fabric(const Fabric&) = delete;
  Fabric& operator=(const Fabric&) = delete;

  FabricAddress address() const;

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

  // Readable when poll() has something to do; meaningful only after may_sleep() said yes.
  int wait_fd() const;
  // False: poll() again before sleeping.
  bool may_sleep();

 private:
  struct Endpoint;
  std::unique_ptr<Endpoint> endpoint_;
};

}  // namespace pp::transport
