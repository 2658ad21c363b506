// Large pages: memory for much that comes at once, without a page fault every 4 KiB.
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <pp/archive.hpp>

namespace pp::codec {

void use_large_pages(void* begin, std::size_t size) noexcept {
  constexpr std::uintptr_t kPage = std::uintptr_t{2} << 20;
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  const std::uintptr_t first = (address + kPage - 1) / kPage * kPage;
  const std::uintptr_t last = (address + size) / kPage * kPage;
  if (last > first) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
}

// Before what is there is copied over: its pages are touched then.
void grow_large(Bytes& out, std::size_t size) {
  Bytes grown;
  grown.reserve(out.size() + std::max(out.size(), size));
  use_large_pages(grown.data(), grown.capacity());
  grown.insert(grown.end(), out.begin(), out.end());
  out.swap(grown);
}

}  // namespace pp::codec
