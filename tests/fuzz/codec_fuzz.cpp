// Finds arguments and results that make the codec read too far, allocate too much or change a
// value.
#include <algorithm>
#include <optional>
#include <pp/codec.hpp>

#include "codec_types.hpp"
#include "memory.hpp"
#include "promise.hpp"

namespace pp::fuzz {
namespace {

using codec::Bytes;
using codec::decode_whole;

constexpr std::size_t kForTheMessage = 2048;  // of the exception, and what a type costs when empty

// The value in these bytes, unless they are refused.
template <class T>
std::optional<T> decoded(std::span<const std::byte> in) {
  const Memory memory;
  std::optional<T> value;
  try {
    value.emplace(decode_whole<T>(in));
  } catch (const codec::DecodeError& error) {
    promise(error.offset() <= in.size(), "an error's place lies within what arrived");
  }
  promise(memory.peak() <= codec::kMaxGrowth * in.size() + kForTheMessage,
          "decoding allocates at most kMaxGrowth times what arrived");
  return value;
}

template <class T>
void ordered(std::span<const std::byte> in) {
  const std::optional<T> value = decoded<T>(in);
  if (!value) return;
  Bytes again;
  codec::encode(again, *value);
  promise(std::ranges::equal(again, in), "what is decoded is encoded as it came");
}

template <class T>
void unordered(std::span<const std::byte> in) {
  const std::optional<T> value = decoded<T>(in);
  if (!value) return;
  Bytes again;
  codec::encode(again, *value);
  promise(again.size() == in.size(), "what is decoded is encoded as long as it came");
  promise(decode_whole<T>(again) == *value, "what is encoded is decoded to the same value");
}

using Target = void (*)(std::span<const std::byte>);

template <class... Os, class... Us>
constexpr auto targets(std::tuple<Os...>*, std::tuple<Us...>*) {
  return std::array{Target{ordered<Os>}..., Target{unordered<Us>}...};
}

constexpr auto kTargets = targets(static_cast<Ordered*>(nullptr), static_cast<Unordered*>(nullptr));

}  // namespace
}  // namespace pp::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || data[0] >= pp::fuzz::kTargets.size()) return 0;
  pp::fuzz::kTargets[data[0]](std::as_bytes(std::span(data + 1, size - 1)));
  return 0;
}
