// Memory's counter: operator new and delete that keep accounts.
#include "memory.hpp"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

// Signed: what another thread allocated may be freed by this one.
thread_local long live = 0, peak = 0;

// Not inlined: g++ would compare the halves of what it sees and find new freed by free().
[[gnu::noinline]] void* take(std::size_t size) noexcept {
  void* memory = std::malloc(size);
  if (memory == nullptr) return nullptr;
  live += static_cast<long>(malloc_usable_size(memory));
  peak = std::max(peak, live);
  return memory;
}
[[gnu::noinline]] void* take_or_throw(std::size_t size) {
  void* memory = take(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void give_back(void* memory) noexcept {
  if (memory != nullptr) live -= static_cast<long>(malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

// All of them but those for special alignment: a sanitizer brings its own and must see none mixed.
void* operator new(std::size_t size) { return take_or_throw(size); }
void* operator new[](std::size_t size) { return take_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return take(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return take(size); }
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give_back(memory); }

namespace pp::fuzz {

Memory::Memory() : before_(live) { ::peak = live; }
std::size_t Memory::peak() const { return static_cast<std::size_t>(::peak - before_); }

}  // namespace pp::fuzz
