// Futex: the kernel's wait on a word of memory, with a limit.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace pp::runtime {

// Sleeps while the word holds `seen`, until futex_wake() or the deadline (futex(2), FUTEX_WAIT).
// False: the deadline has come. True may come for no reason.
bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t seen,
                std::chrono::steady_clock::time_point deadline) noexcept;
// Wakes all who sleep on the word. It may be gone already: at worst others are woken for no reason.
void futex_wake(const std::atomic<std::uint32_t>& word) noexcept;

}  // namespace pp::runtime
