// Handshake: two strangers prove to each other that they hold the cluster key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <pp/cluster_key.hpp>
#include <span>
#include <string>
#include <vector>

#include "channel.hpp"
#include "hello.hpp"
#include "transcript.hpp"

namespace pp::transport {

// What a finished handshake leaves behind: keys for two channels, one per direction, and who it is.
struct Agreement {
  Hello peer;
  Cipher cipher{};  // of the control connection
  DataChannel data{};
  Cipher data_cipher{};  // of the data lane, if it has one of its own
  Secret control_sending, control_receiving, data_sending, data_receiving;
  Secret memory_token;  // with which the dialler shows who it is where it hands the memory over
};

// Protocol 2: the pattern NNpsk0 of Noise (noiseprotocol.org) with X25519, keyed BLAKE2b and
// ChaCha20-Poly1305, and a third message, so that the listener too knows that it hears no
// recording:
//
//   1  dialler -> listener   e, { Hello }                 sealed under the cluster key (and e)
//   2  listener -> dialler   e, ee, { Answer }            sealed under that and the shared secret
//   3  dialler -> listener   { Conclusion }               the same
//
// In front of each stand 8 bytes in the clear: "pph", the protocol's version, the length of what
// follows (16 bits, at most kMaxBody), the number of the message (1, 2, 3; 4 is a hint), and a zero
// byte. They are part of the transcript, and so is everything said before: each seal covers both
// roles' identities, ciphers, versions and addresses. The listener opens message 1 before it
// computes with any public key.
//
// Message 4, a hint, is in the clear and proves nothing: why a node refuses somebody who has not
// shown the key (or speaks another version). It is shown escaped, and nothing else follows from it.
//
// Bytes in, bytes out: the caller moves output() to the peer, hands in what came from there, and
// decides when state() says kDeciding. REQUIRES: one thread; `key` outlives it.
class Handshake {
 public:
  enum class Role { kDialler, kListener };
  enum class State {
    kHearing,   // waits for bytes from the peer
    kDeciding,  // the peer showed the key and nothing speaks against it: accept() or refuse()
    kProven,    // take_agreement(); send output() first
    kRefused,   // objection() says why, by_us() by whom; send output(), then close
  };

  static constexpr std::uint8_t kVersion = 5;
  static constexpr std::size_t kPrefix = 8;
  static constexpr std::size_t kMaxBody = 4096;

  // `own.session` matters to a dialler at once, to a listener in accept().
  Handshake(const ClusterKey& key, Role role, Hello own);

  // Takes at most one message from the front of `in` and returns how many bytes that were; 0: not
  // whole yet. Call again while it takes something and state() is kHearing.
  std::size_t receive(std::span<const std::byte> in);

  State state() const { return state_; }
  // The peer is who it says it is, except for a listener in kDeciding: then it may be a recording.
  // REQUIRES: kDeciding or kProven.
  const Hello& peer() const { return peer_; }

  // A listener: go on as session number `session`, with the data where we want it.
  void accept(std::uint64_t session, DataChannel wanted);
  // A dialler: finish, with the data there at last (fabric or memory only if both wanted it).
  void accept(DataChannel data);
  // Whether both can and want to have the data on the fabric. REQUIRES: as peer().
  bool fabric_wanted() const;
  // Whether both offer to share memory, and can. REQUIRES: as peer().
  bool memory_wanted() const;
  // Before accept(): not with this peer.
  void offer_no_memory() { own_.memory = {}; }
  void refuse(RefusalReason reason, std::string sentence);

  // Bytes for the peer, handed over once.
  std::vector<std::uint8_t> take_output();

  const Objection& objection() const { return objection_; }
  bool by_us() const { return by_us_; }
  // REQUIRES: kProven; once.
  Agreement take_agreement();

  // A hint in the clear, for somebody who never gets a handshake (too many, too late).
  static std::vector<std::uint8_t> hint(RefusalReason reason, std::string_view sentence);

 private:
  using Bytes = std::span<const std::uint8_t>;

  void begin(std::uint8_t number, std::size_t body);
  void say_hello();
  void say_answer(const Answer& answer);
  void say_conclusion(const Conclusion& conclusion);
  void make_key();
  bool mix_shared(Bytes theirs);
  void hear_hello(Bytes prefix, Bytes body);
  void hear_answer(Bytes prefix, Bytes body);
  void hear_conclusion(Bytes prefix, Bytes body);
  void hear_hint(Bytes body);
  bool check(const Hello& peer);
  bool is_offered(DataChannel data) const;
  void object(RefusalReason reason, std::string sentence);
  void hint_and_object(RefusalReason reason, std::string sentence);
  void be_refused(Objection objection);

  const ClusterKey& key_;
  const Role role_;
  State state_ = State::kHearing;
  Hello own_, peer_;
  Transcript transcript_;
  Secret ephemeral_;
  Secret::Bytes public_{}, peers_public_{};
  DataChannel data_ = DataChannel::kControl;
  std::vector<std::uint8_t> output_;
  int said_ = 0;  // messages of ours so far
  Objection objection_;
  bool by_us_ = false;
};

}  // namespace pp::transport
