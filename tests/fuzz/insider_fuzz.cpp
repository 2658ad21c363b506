// Finds words of a node that holds the cluster key which leave a handshake without an end that can
// be shown, or with more than was agreed.
#include <algorithm>

#include "fixed_random.hpp"
#include "handshake.hpp"
#include "handshake_input.hpp"
#include "insider.hpp"
#include "promise.hpp"

namespace {

using namespace pp::transport;
using pp::fuzz::fuzzed_hello, pp::fuzz::InsiderInput, pp::fuzz::promise;
using Bytes = std::span<const std::uint8_t>;
using State = Handshake::State;

void check_end(Handshake& end, bool degenerate) {
  const std::vector<std::uint8_t> said = end.take_output();
  promise(said.size() <= 2 * (Handshake::kPrefix + Handshake::kMaxBody), "answers are short");
  if (end.state() != State::kRefused) return;
  const Objection& why = end.objection();
  promise(std::all_of(why.sentence.begin(), why.sentence.end(),
                      [](char c) { return c >= ' ' && c <= '~'; }),
          "a sentence may be shown");
  promise(!end.by_us() || !why.sentence.empty(), "a refusal of ours has a sentence");
  promise(!end.by_us() || degenerate || why.reason != RefusalReason::kWrongKey,
          "who holds the key is not told that it does not");
}

void insider(const pp::ClusterKey& key, InsiderInput kind, bool degenerate, Bytes plain) {
  const bool dials = kind != InsiderInput::kAnswer;
  Handshake end(key, dials ? Handshake::Role::kListener : Handshake::Role::kDialler,
                fuzzed_hello(1));
  pp::fuzz::Insider it(key, degenerate);
  const auto tell = [&end](const std::vector<std::uint8_t>& words) {
    pp::fuzz::hear(end, words, 4096);
  };
  if (!dials) {
    const std::vector<std::uint8_t> hello = end.take_output();
    it.hear_hello(hello);
    tell(it.say_answer(plain));
    if (end.state() == State::kDeciding)
      end.accept(end.memory_wanted()   ? DataChannel::kMemory
                 : end.fabric_wanted() ? DataChannel::kFabric
                                       : DataChannel::kControl);
  } else {
    tell(it.say_hello(kind == InsiderInput::kHello ? plain : encode(fuzzed_hello(2))));
    if (end.state() == State::kDeciding) end.accept(7, DataChannel::kFabric);
    if (kind == InsiderInput::kConclusion && end.state() == State::kHearing) {
      const std::vector<std::uint8_t> answer = end.take_output();
      it.hear_answer(answer);
      tell(it.say_conclusion(plain));
      promise(end.state() != State::kHearing, "a conclusion ends it");
    }
  }
  check_end(end, degenerate);
  if (end.state() != State::kProven) return;
  const bool may_use_fabric = end.fabric_wanted(), may_use_memory = end.memory_wanted();
  const DataChannel data = end.take_agreement().data;
  promise(data == DataChannel::kControl || (data == DataChannel::kFabric && may_use_fabric) ||
              (data == DataChannel::kMemory && may_use_memory),
          "fabric and memory are used only if both want it");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > Handshake::kMaxBody) return 0;
  pp::fuzz::fix_random();
  static const pp::ClusterKey key = pp::ClusterKey::generate();
  const auto kind = static_cast<InsiderInput>(data[0] % 8 % 3);
  insider(key, kind, (data[0] & 8) != 0, {data + 1, size - 1});
  return 0;
}
