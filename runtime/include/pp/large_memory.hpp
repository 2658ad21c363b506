// Large memory: for what is encoded, sent and decoded by the megabyte, so that as little time as
// possible goes into page faults.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#pragma GCC visibility push(default)

namespace pp::codec {

using Bytes = std::vector<std::byte>;

// From so many bytes on it pays.
inline constexpr std::size_t kLarge = std::size_t{4} << 20;

// Asks that memory not written to yet is mapped in large pages where it can be. A hint: to touch 64
// MiB for the first time takes 25 ms in pages of 4 KiB, and 5 to 10 in large ones.
void use_large_pages(void* begin, std::size_t size) noexcept;

// No bytes, with room for at least `size`: memory that was put aside lately, whose pages are there,
// or new memory in large pages. Any thread.
Bytes large_room(std::size_t size);
// Room for at least `size` more.
void grow_large(Bytes& bytes, std::size_t size);

// These bytes are not needed any more, but others of their size may soon be: the system would have
// to give us pages for those, and fill them with zeros, which takes as long as receiving them. What
// is small or too much is given back to the system at once, the rest after kPutAside. Any thread.
void put_aside(Bytes&& bytes) noexcept;
inline constexpr std::chrono::seconds kPutAside{1};
// Gives back what nobody has taken meanwhile. To be called now and then; costs next to nothing when
// there is nothing.
void give_back_large(std::chrono::steady_clock::time_point now) noexcept;

}  // namespace pp::codec

#pragma GCC visibility pop
