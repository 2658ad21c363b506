// Whether a sanitizer watches: tests that only repeat themselves repeat less then.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PP_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PP_TEST_THREAD_SANITIZED 1
#endif
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define PP_TEST_SANITIZED 1
#endif
#endif

namespace pp::runtime {

#if defined(PP_TEST_SANITIZED)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// ThreadSanitizer does not see the synchronisation inside the packaged (uninstrumented) oneTBB: what
// a test does with oneTBB itself would be reported.
#if defined(PP_TEST_THREAD_SANITIZED)
inline constexpr bool kSeesRacesInOneTbb = true;
#else
inline constexpr bool kSeesRacesInOneTbb = false;
#endif

// `full` times, or `less` under a sanitizer.
constexpr std::size_t times(std::size_t full, std::size_t less) { return kSanitized ? less : full; }

}  // namespace pp::runtime
