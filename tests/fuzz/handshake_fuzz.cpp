// Finds words that get a stranger past the handshake, or that end otherwise when they come in other
// pieces. An input's first byte: 0 dials a listener, 1 answers a dialler.
#include "fixed_random.hpp"
#include "handshake.hpp"
#include "handshake_input.hpp"
#include "promise.hpp"

using namespace pp::transport;
using pp::fuzz::fuzzed_hello, pp::fuzz::hear, pp::fuzz::promise;
using State = Handshake::State;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  pp::fuzz::fix_random();
  static const pp::ClusterKey key = pp::ClusterKey::generate();
  const auto role = data[0] % 2 == 0 ? Handshake::Role::kListener : Handshake::Role::kDialler;
  const std::span bytes(data + 1, size - 1);
  Handshake whole(key, role, fuzzed_hello(1)), bit_by_bit(key, role, fuzzed_hello(1));
  hear(whole, bytes, bytes.size());
  hear(bit_by_bit, bytes, 1);
  promise(whole.state() == State::kHearing || whole.state() == State::kRefused,
          "nobody without the key gets further than a refusal");
  promise(whole.state() == bit_by_bit.state() && whole.by_us() == bit_by_bit.by_us() &&
              whole.objection().reason == bit_by_bit.objection().reason,
          "it makes no difference in which pieces bytes arrive");
  return 0;
}
