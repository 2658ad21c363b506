// relax(): a moment's rest in a loop that waits for another thread.
#pragma once

namespace pp::runtime {

// Tells the core that this thread only waits; some tens of nanoseconds.
inline void relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace pp::runtime
