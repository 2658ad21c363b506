// Handshake: the three messages, in the order in which they are said.
#include "handshake.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <optional>
#include <utility>

namespace pp::transport {
namespace {

constexpr std::string_view kProtocol =
    "pp handshake 1: Noise NNpsk0, X25519, ChaCha20-Poly1305, keyed BLAKE2b, confirmed";
constexpr std::size_t kKey = Secret::kBytes;

enum Number : std::uint8_t { kHello = 1, kAnswer = 2, kConclusion = 3, kHint = 4 };

std::array<std::uint8_t, Handshake::kPrefix> prefix_of(std::uint8_t number, std::size_t body) {
  return {'p',
          'p',
          'h',
          Handshake::kVersion,
          static_cast<std::uint8_t>(body & 0xff),
          static_cast<std::uint8_t>(body >> 8),
          number,
          0};
}

std::string hex(std::uint64_t value) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[value >> shift & 15];
  return text;
}

// Who says it, for both to understand: the same sentence is shown at both ends.
std::string named(const Introduction& who) {
  std::string text = "'";
  text += printable(who.name, kMaxName);
  text += "' (" + who.node.short_name() + ")";
  return text;
}

}  // namespace

Handshake::Handshake(const ClusterKey& key, Role role, Hello own)
    : key_(key), role_(role), own_(std::move(own)), transcript_(kProtocol) {
  if (role_ == Role::kDialler) say_hello();
}

std::size_t Handshake::receive(std::span<const std::byte> in) {
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(in.data()), in.size());
  if (state_ != State::kHearing || bytes.empty()) return 0;
  // What is no handshake is known by its first bytes: a port scanner need not send eight of them.
  constexpr std::uint8_t kMagic[] = {'p', 'p', 'h'};
  const std::size_t seen = std::min(bytes.size(), sizeof kMagic);
  if (std::memcmp(bytes.data(), kMagic, seen) != 0) {
    object(RefusalReason::kGarbage, "it does not speak pp: its first bytes are '" +
                                        printable({reinterpret_cast<const char*>(bytes.data()),
                                                   std::min<std::size_t>(bytes.size(), 16)},
                                                  64) +
                                        "'; is the port right?");
    return bytes.size();
  }
  if (bytes.size() < kPrefix) return 0;
  const std::size_t size = bytes[4] | static_cast<std::size_t>(bytes[5]) << 8;
  const std::uint8_t number = bytes[6];
  const std::uint8_t expected =
      role_ == Role::kListener ? (said_ == 0 ? kHello : kConclusion) : kAnswer;
  if (size > kMaxBody || (number != expected && number != kHint)) {
    object(RefusalReason::kGarbage, "it sent handshake message " + std::to_string(number) + " of " +
                                        std::to_string(size) + " bytes where message " +
                                        std::to_string(expected) + " was due");
    return bytes.size();
  }
  const bool other_version = bytes[3] != kVersion;
  if (bytes.size() < kPrefix + size && !other_version) return 0;
  const Bytes prefix = bytes.first(kPrefix);
  if (number == kHint && !other_version) {
    hear_hint(bytes.subspan(kPrefix, size));
  } else if (other_version) {
    hint_and_object(RefusalReason::kVersion,
                    "protocol versions differ: " + named(own_.introduction) + " speaks version " +
                        std::to_string(kVersion) + ", the other node version " +
                        std::to_string(bytes[3]) + "; run the same release of pp on both");
    return bytes.size();
  } else if (expected == kHello) {
    hear_hello(prefix, bytes.subspan(kPrefix, size));
  } else if (expected == kAnswer) {
    hear_answer(prefix, bytes.subspan(kPrefix, size));
  } else {
    hear_conclusion(prefix, bytes.subspan(kPrefix, size));
  }
  return kPrefix + size;
}

void Handshake::make_key() {
  randombytes_buf(ephemeral_.bytes().data(), kKey);
  crypto_scalarmult_base(public_.data(), ephemeral_.bytes().data());
}

// False: the peer's key is one of the few that make the secret the same for everybody.
bool Handshake::mix_shared(Bytes theirs) {
  Secret shared;
  if (crypto_scalarmult(shared.bytes().data(), ephemeral_.bytes().data(), theirs.data()) != 0)
    return false;
  transcript_.mix_key(shared.bytes());
  return true;
}

void Handshake::begin(std::uint8_t number, std::size_t body) {
  assert(body <= kMaxBody);
  const auto prefix = prefix_of(number, body);
  output_.insert(output_.end(), prefix.begin(), prefix.end());
  transcript_.mix_hash(prefix);
  ++said_;
}

void Handshake::say_hello() {
  make_key();
  const std::vector<std::uint8_t> plain = encode(own_);
  begin(kHello, kKey + plain.size() + Transcript::kTagSize);
  transcript_.mix_key_and_hash(key_.bytes());
  output_.insert(output_.end(), public_.begin(), public_.end());
  transcript_.mix_hash(public_);
  transcript_.mix_key(public_);
  transcript_.seal(plain, output_);
}

void Handshake::hear_hello(Bytes prefix, Bytes body) {
  if (body.size() < kKey) {
    object(RefusalReason::kGarbage, "its first message is too short");
    return;
  }
  std::memcpy(peers_public_.data(), body.data(), kKey);
  transcript_.mix_hash(prefix);
  transcript_.mix_key_and_hash(key_.bytes());
  transcript_.mix_hash(peers_public_);
  transcript_.mix_key(peers_public_);
  std::vector<std::uint8_t> plain;
  if (!transcript_.open(body.subspan(kKey), plain)) {
    hint_and_object(RefusalReason::kWrongKey,
                    "cluster keys differ: the dialling node does not hold the key of " +
                        named(own_.introduction) + "; give both nodes the same key file");
    return;
  }
  std::optional<Hello> hello = decode_hello(plain);
  if (!hello) {
    object(RefusalReason::kGarbage, "it holds the key, but its Hello cannot be read");
    return;
  }
  peer_ = std::move(*hello);
  state_ = State::kDeciding;
  check(peer_);
}

// Message 2: our half of the shared secret, then what we have to say, sealed under it.
void Handshake::say_answer(const Answer& answer) {
  const std::vector<std::uint8_t> plain = encode(answer);
  make_key();
  begin(kAnswer, kKey + plain.size() + Transcript::kTagSize);
  output_.insert(output_.end(), public_.begin(), public_.end());
  transcript_.mix_hash(public_);
  transcript_.mix_key(public_);
  if (!mix_shared(peers_public_)) {
    output_.clear();
    object(RefusalReason::kGarbage, "its ephemeral key is degenerate");
    return;
  }
  transcript_.seal(plain, output_);
}

void Handshake::accept(std::uint64_t session, DataChannel wanted) {
  assert(role_ == Role::kListener && state_ == State::kDeciding);
  own_.session = session;
  own_.wanted = wanted;
  state_ = State::kHearing;
  say_answer(own_);
}

void Handshake::hear_answer(Bytes prefix, Bytes body) {
  constexpr const char* kUnproven =
      "cluster keys differ: the node that answered does not hold our key; give both nodes the same "
      "key file";
  if (body.size() < kKey) {
    object(RefusalReason::kGarbage, "its answer is too short");
    return;
  }
  std::memcpy(peers_public_.data(), body.data(), kKey);
  transcript_.mix_hash(prefix);
  transcript_.mix_hash(peers_public_);
  transcript_.mix_key(peers_public_);
  std::vector<std::uint8_t> plain;
  if (!mix_shared(peers_public_) || !transcript_.open(body.subspan(kKey), plain)) {
    object(RefusalReason::kWrongKey, kUnproven);
    return;
  }
  std::optional<Answer> answer = decode_answer(plain);
  if (!answer) {
    object(RefusalReason::kGarbage, "it holds the key, but its answer cannot be read");
  } else if (auto* objection = std::get_if<Objection>(&*answer)) {
    be_refused(std::move(*objection));
  } else {
    peer_ = std::move(std::get<Hello>(*answer));
    state_ = State::kDeciding;
    check(peer_);
  }
}

void Handshake::say_conclusion(const Conclusion& conclusion) {
  const std::vector<std::uint8_t> plain = encode(conclusion);
  begin(kConclusion, plain.size() + Transcript::kTagSize);
  transcript_.seal(plain, output_);
}

void Handshake::accept(DataChannel data) {
  assert(role_ == Role::kDialler && state_ == State::kDeciding);
  assert(is_offered(data));
  data_ = data;
  say_conclusion(data);
  state_ = State::kProven;
}

void Handshake::hear_conclusion(Bytes prefix, Bytes body) {
  transcript_.mix_hash(prefix);
  std::vector<std::uint8_t> plain;
  if (!transcript_.open(body, plain)) {
    object(RefusalReason::kWrongKey,
           "its last message does not fit: it repeated somebody else's first one, or the "
           "connection was tampered with");
    return;
  }
  std::optional<Conclusion> conclusion = decode_conclusion(plain);
  if (!conclusion) {
    object(RefusalReason::kGarbage, "it holds the key, but its last message cannot be read");
  } else if (auto* objection = std::get_if<Objection>(&*conclusion)) {
    be_refused(std::move(*objection));
  } else if (!is_offered(std::get<DataChannel>(*conclusion))) {
    object(RefusalReason::kGarbage, "it chose a data channel that was not offered");
  } else {
    data_ = std::get<DataChannel>(*conclusion);
    state_ = State::kProven;
  }
}

void Handshake::hear_hint(Bytes body) {
  // Anybody may have said it: only what makes us try again later is heard. Who believed that it had
  // dialled itself, for one, would never dial that node again.
  RefusalReason reason = RefusalReason::kGarbage;
  for (const RefusalReason harmless : {RefusalReason::kWrongKey, RefusalReason::kVersion,
                                       RefusalReason::kTooMany, RefusalReason::kTimeout}) {
    if (!body.empty() && body[0] == static_cast<std::uint8_t>(harmless)) reason = harmless;
  }
  const Bytes text = body.empty() ? body : body.subspan(1);
  be_refused({reason, printable({reinterpret_cast<const char*>(text.data()), text.size()})});
}

bool Handshake::is_offered(DataChannel data) const {
  switch (data) {
    case DataChannel::kControl:
      return true;
    case DataChannel::kFabric:
      return fabric_wanted();
    case DataChannel::kMemory:
      return memory_wanted();
  }
  return false;
}

bool Handshake::memory_wanted() const { return own_.memory.leads_to(peer_.memory); }

bool Handshake::fabric_wanted() const {
  return own_.wanted == DataChannel::kFabric && peer_.wanted == DataChannel::kFabric &&
         !own_.fabric.provider.empty() && own_.fabric.provider == peer_.fabric.provider &&
         own_.eager_limit == peer_.eager_limit;
}

// What speaks against any node of this kind, whatever else we are doing.
bool Handshake::check(const Hello& peer) {
  const Introduction& we = own_.introduction;
  const Introduction& it = peer.introduction;
  if (it.node == we.node) {
    refuse(RefusalReason::kSelf, named(we) + " was dialled by itself");
  } else if (it.function_table != we.function_table) {
    refuse(RefusalReason::kFunctionTable,
           "function tables differ: " + named(we) + " has " + hex(we.function_table) + " (" +
               we.build + "), " + named(it) + " has " + hex(it.function_table) + " (" + it.build +
               "); start the same build of the program on both");
  } else if (!it.launch.empty() && !we.launch.empty() && it.launch != we.launch) {
    refuse(RefusalReason::kLaunch, "launches differ: " + named(we) + " belongs to " + we.launch +
                                       ", " + named(it) + " to " + it.launch +
                                       "; each launch keeps to its own nodes");
  } else if ((peer.ciphers & static_cast<std::uint32_t>(Cipher::kChaCha20Poly1305)) == 0 ||
             peer.credit_frames == 0) {
    refuse(RefusalReason::kVersion, named(it) + " offers no cipher or no credit that " + named(we) +
                                        " could use; run the same release of pp on both");
  } else {
    return true;
  }
  return false;
}

void Handshake::refuse(RefusalReason reason, std::string sentence) {
  assert(state_ == State::kDeciding);
  const Objection objection{reason, printable(sentence)};
  if (role_ == Role::kListener) {
    say_answer(objection);
  } else {
    say_conclusion(objection);
  }
  object(reason, std::move(sentence));
}

void Handshake::object(RefusalReason reason, std::string sentence) {
  state_ = State::kRefused;
  by_us_ = true;
  objection_ = {reason, printable(sentence)};
}

void Handshake::hint_and_object(RefusalReason reason, std::string sentence) {
  const auto words = hint(reason, sentence);
  output_.insert(output_.end(), words.begin(), words.end());
  object(reason, std::move(sentence));
}

void Handshake::be_refused(Objection objection) {
  state_ = State::kRefused;
  by_us_ = false;
  objection_ = std::move(objection);
}

std::vector<std::uint8_t> Handshake::hint(RefusalReason reason, std::string_view sentence) {
  const std::string text = printable(sentence);
  const auto prefix = prefix_of(kHint, 1 + text.size());
  std::vector<std::uint8_t> out(prefix.begin(), prefix.end());
  out.push_back(static_cast<std::uint8_t>(reason));
  out.insert(out.end(), text.begin(), text.end());
  return out;
}

std::vector<std::uint8_t> Handshake::take_output() { return std::exchange(output_, {}); }

Agreement Handshake::take_agreement() {
  assert(state_ == State::kProven);
  const bool dialled = role_ == Role::kDialler;
  Secret control_out = transcript_.derive("control, dialler to listener");
  Secret control_in = transcript_.derive("control, listener to dialler");
  Secret data_out = transcript_.derive("data, dialler to listener");
  Secret data_in = transcript_.derive("data, listener to dialler");
  if (!dialled) {
    std::swap(control_out, control_in);
    std::swap(data_out, data_in);
  }
  const Cipher cipher = choose_cipher(own_.ciphers, peer_.ciphers);
  return {std::move(peer_),
          cipher,
          data_,
          data_ == DataChannel::kMemory ? authentication_only(cipher) : cipher,
          std::move(control_out),
          std::move(control_in),
          std::move(data_out),
          std::move(data_in),
          transcript_.derive("memory, dialler to listener")};
}

}  // namespace pp::transport
