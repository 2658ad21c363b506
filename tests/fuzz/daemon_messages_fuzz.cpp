// Finds messages between launchers and node daemons that cost too much memory, pass a limit or
// change on the way.
#include <cstring>
#include <pp/error.hpp>
#include <variant>

#include "daemon_messages.hpp"
#include "memory.hpp"
#include "promise.hpp"

namespace {

using namespace pp::tools::daemon;
using pp::fuzz::promise;

// Aligned, as the transport hands it over; nothing if it is refused.
std::vector<std::byte> echo(std::span<const std::byte> message) {
  std::vector<std::uint64_t> words(message.size() / 8);
  if (!words.empty()) std::memcpy(words.data(), message.data(), words.size() * 8);
  try {
    const Message read = decode(std::as_bytes(std::span(words)));
    if (const auto* open = std::get_if<Open>(&read)) {
      for (const auto* texts : {&open->arguments, &open->environment}) {
        promise(texts->size() <= kMostWords, "words are as many as they may be");
        for (const std::string& one : *texts)
          promise(one.find('\0') == std::string::npos, "an argument is a C string");
      }
    }
    if (const auto* piece = std::get_if<Piece>(&read))
      promise(piece->bytes.size() <= kMaxPiece, "a piece is as long as it may be");
    return encode(read);
  } catch (const pp::Error& error) {
    promise(error.what()[0] != '\0', "a refusal says why");
    return {};
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Texts may lie on top of each other, as far as the limits of words let them.
  constexpr std::size_t kGrowth = 8, kFixed = 8 * (kMaxWords + kMostWords * 64);
  const pp::fuzz::Memory memory;
  const std::vector<std::byte> first = echo(std::as_bytes(std::span(data, size)));
  promise(memory.peak() <= kGrowth * size + kFixed, "memory is bounded");
  if (first.empty()) return 0;
  promise(first.size() % 8 == 0, "the transport carries whole words");
  promise(echo(first) == first, "what is said again is understood in the same way");
  return 0;
}
