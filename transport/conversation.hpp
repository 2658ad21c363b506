// Conversation: one control connection from the first byte to the last, and the session it carries.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <pp/transport.hpp>
#include <string>
#include <vector>

#include "fabric.hpp"
#include "handshake.hpp"
#include "memory_lane.hpp"
#include "session.hpp"
#include "socket.hpp"

namespace pp::transport {

// What NetworkTransport knows of one connection. It only stores; the transport acts.
struct Conversation {
  enum class Stage {
    kLookingUp,   // a host name is being resolved
    kConnecting,  // TCP is
    kHeld,        // unproven; waits until the fabric is open, or is known not to be
    kHandshake,   // unproven
    kParked,      // unproven; waits until another dial between the two nodes is decided (rule 18)
    kRefused,     // our last word is on its way; waits for the peer to close
    kOpening,     // proven; the data lane is not open yet
    kUp,          // on_up was called
    kLeaving,     // hung up by us: what is queued goes out, then goodbye, then the peer closes
    kOver,        // nothing follows; swept at the end of poll()
  };

  std::uint32_t slot = 0;  // its place in the table of conversations
  Stage stage = Stage::kHandshake;
  bool dialled = false;
  Address address;              // as dialled
  Address remote;               // numeric
  Time deadline = Time::max();  // of the stage
  Time patient_until{};         // of a dial of ours that is parked

  std::vector<Endpoint> endpoints;  // still to be tried, last first
  std::uint64_t lookup = 0;
  std::optional<Descriptor> connecting;
  std::optional<Connection> connection;
  bool writable_wanted = false;  // as told to the poller
  bool heard = false;            // at least one byte came
  bool ended = false;            // end of file or an error on the control connection

  std::unique_ptr<Handshake> handshake;
  std::uint64_t floods =
      0;  // Counters::floods when that began: is the fabric it names still there?

  SessionId id{};
  std::uint64_t number = 0;  // on the wire: `slot` in the low half, random bits in the high one
  std::unique_ptr<Session> session;
  Peer peer;
  DataChannel data = DataChannel::kControl;
  std::optional<FabricPeer> fabric_peer;
  std::unique_ptr<MemoryLane> memory;
  Secret memory_token;               // of the listener's: what its caller has to show
  Time bell_ended_at = Time::max();  // the peer has closed its end of the lane
  std::string fabric_error;          // what on_send_failed said
  bool dirty = false;                // in the list of those to flush
  bool finished_writing = false;
  std::string hang_up_why;
  bool abandoned = false;                           // left without a word: nothing is said any more
  std::vector<std::vector<std::byte>> early_words;  // came before on_up was called

  bool unproven() const {
    return stage == Stage::kHeld || stage == Stage::kHandshake || stage == Stage::kParked ||
           stage == Stage::kRefused;
  }
  bool carries() const {
    return stage == Stage::kOpening || stage == Stage::kUp || stage == Stage::kLeaving;
  }
};

}  // namespace pp::transport
