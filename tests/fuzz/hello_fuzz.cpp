// Finds words of a handshake (by somebody who holds the key) that pass their limits or change on
// the way.
#include <algorithm>

#include "hello.hpp"
#include "memory.hpp"
#include "promise.hpp"

namespace {

using namespace pp::transport;
using pp::fuzz::promise;
using Words = std::span<const std::uint8_t>;

void check(const Hello& hello) {
  const Introduction& who = hello.introduction;
  promise(who.name.size() <= kMaxName && who.build.size() <= kMaxBuild &&
              who.launch.size() <= kMaxLaunch && hello.fabric.provider.size() <= kMaxName &&
              hello.fabric.bytes.size() <= kMaxFabricAddress &&
              who.addresses.size() <= kMaxAddresses && hello.memory.place.size() <= kMaxPlace &&
              hello.memory.door.size() <= kMaxDoor,
          "nothing in a Hello is longer than hello.capnp allows");
}

void check(const Objection& objection) {
  promise(objection.sentence.size() <= kMaxSentence &&
              std::all_of(objection.sentence.begin(), objection.sentence.end(),
                          [](char c) { return c >= ' ' && c <= '~'; }),
          "a sentence may be shown");
}

void check(DataChannel) {}

template <class... Kinds>
void check(const std::variant<Kinds...>& words) {
  std::visit([](const auto& each) { check(each); }, words);
}

template <class T>
void hear(std::optional<T> (*decode)(Words), Words words) {
  const pp::fuzz::Memory memory;
  const std::optional<T> heard = decode(words);
  promise(memory.peak() <= 16 * words.size() + 16 * 1024, "memory is bounded by what arrived");
  if (!heard) return;
  check(*heard);
  const std::vector<std::uint8_t> again = encode(*heard);
  const std::optional<T> twice = decode(again);
  promise(twice && encode(*twice) == again, "what is said again is understood in the same way");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Words words(data + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      hear(decode_hello, words);
      break;
    case 1:
      hear(decode_answer, words);
      break;
    default:
      hear(decode_conclusion, words);
  }
  return 0;
}
