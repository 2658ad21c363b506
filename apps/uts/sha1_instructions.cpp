// SHA-1's compression function by the SHA instructions of x86 processors (Intel SDM volume 2,
// SHA1RNDS4 and its kin).
//
// Only the functions here are compiled for those instructions, by attribute: the program runs on
// processors without them, and nothing else is compiled for newer ones (AVX encodings around SHA
// instructions were seen to be ten times slower).
#include "sha1_ways.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define PP_SHA_TARGET __attribute__((target("sha,sse4.1"), always_inline)) inline

namespace uts::instructions {
namespace {

// The computation of N independent hashes, step by step side by side: one hash alone waits four to
// six cycles for each instruction's result, and a second one runs in the gaps at hardly any cost.
template <int N>
struct Lanes {
  __m128i abcd[N];      // a in the highest number
  __m128i previous[N];  // abcd before the last four rounds: its a is what e is made of
  __m128i w[4][N];      // the sixteen newest numbers of the message schedule, four in a vector

  // Four rounds, numbers 4 * Step to 4 * Step + 3.
  template <int Step>
  PP_SHA_TARGET void four_rounds(__m128i e_at_start) {
    for (int n = 0; n < N; ++n) {
      __m128i& newest = w[Step % 4][n];
      if constexpr (Step >= 4) {
        const __m128i mixed =
            _mm_xor_si128(_mm_sha1msg1_epu32(newest, w[(Step + 1) % 4][n]), w[(Step + 2) % 4][n]);
        newest = _mm_sha1msg2_epu32(mixed, w[(Step + 3) % 4][n]);
      }
      const __m128i e =
          Step == 0 ? _mm_add_epi32(e_at_start, newest) : _mm_sha1nexte_epu32(previous[n], newest);
      previous[n] = abcd[n];
      abcd[n] = _mm_sha1rnds4_epu32(abcd[n], e, Step / 5);
    }
  }

  // Mixes the block in w into the state whose first four numbers are in abcd; digest n goes to
  // out[n].
  PP_SHA_TARGET void run(__m128i abcd_at_start, __m128i e_at_start, State* out) {
    for (int n = 0; n < N; ++n) abcd[n] = abcd_at_start;
    four_rounds<0>(e_at_start);
    four_rounds<1>(e_at_start);
    four_rounds<2>(e_at_start);
    four_rounds<3>(e_at_start);
    four_rounds<4>(e_at_start);
    four_rounds<5>(e_at_start);
    four_rounds<6>(e_at_start);
    four_rounds<7>(e_at_start);
    four_rounds<8>(e_at_start);
    four_rounds<9>(e_at_start);
    four_rounds<10>(e_at_start);
    four_rounds<11>(e_at_start);
    four_rounds<12>(e_at_start);
    four_rounds<13>(e_at_start);
    four_rounds<14>(e_at_start);
    four_rounds<15>(e_at_start);
    four_rounds<16>(e_at_start);
    four_rounds<17>(e_at_start);
    four_rounds<18>(e_at_start);
    four_rounds<19>(e_at_start);
    for (int n = 0; n < N; ++n) {
      const __m128i last = _mm_sha1nexte_epu32(previous[n], e_at_start);
      const __m128i sum = _mm_add_epi32(abcd[n], abcd_at_start);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out[n].data()), _mm_shuffle_epi32(sum, 0x1b));
      out[n][4] = static_cast<std::uint32_t>(_mm_extract_epi32(last, 3));
    }
  }
};

PP_SHA_TARGET __m128i four(std::uint32_t first, std::uint32_t second, std::uint32_t third,
                           std::uint32_t fourth) {
  return _mm_set_epi32(static_cast<int>(first), static_cast<int>(second), static_cast<int>(third),
                       static_cast<int>(fourth));
}

PP_SHA_TARGET __m128i first_four(const State& state) {
  return four(state[0], state[1], state[2], state[3]);
}

template <int N>
PP_SHA_TARGET void children(const State& parent, std::uint32_t first, State* out) {
  Lanes<N> lanes;
  for (int n = 0; n < N; ++n) {
    lanes.w[0][n] = first_four(parent);
    lanes.w[1][n] = four(parent[4], first + static_cast<std::uint32_t>(n), 0x80000000, 0);
    lanes.w[2][n] = _mm_setzero_si128();
    lanes.w[3][n] = four(0, 0, 0, 24 * 8);
  }
  lanes.run(first_four(kInitialState), four(kInitialState[4], 0, 0, 0), out);
}

}  // namespace

bool available() noexcept {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || (ecx & bit_SSE4_1) == 0) return false;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & bit_SHA) != 0;
}

__attribute__((target("sha,sse4.1"))) void compress(State& state, const Block& block) noexcept {
  Lanes<1> lanes;
  for (int i = 0; i < 4; ++i) {
    lanes.w[i][0] = four(block[4 * i], block[4 * i + 1], block[4 * i + 2], block[4 * i + 3]);
  }
  lanes.run(first_four(state), four(state[4], 0, 0, 0), &state);
}

__attribute__((target("sha,sse4.1"))) void hash_children(const State& parent, std::uint32_t first,
                                                         State* out, std::size_t count) noexcept {
  std::size_t i = 0;
  for (; i + 2 <= count; i += 2)
    children<2>(parent, first + static_cast<std::uint32_t>(i), out + i);
  if (i < count) children<1>(parent, first + static_cast<std::uint32_t>(i), out + i);
}

}  // namespace uts::instructions

#else  // another processor: never available

namespace uts::instructions {
bool available() noexcept { return false; }
void compress(State& state, const Block& block) noexcept { portable::compress(state, block); }
void hash_children(const State& parent, std::uint32_t first, State* children,
                   std::size_t count) noexcept {
  portable::hash_children(parent, first, children, count);
}
}  // namespace uts::instructions

#endif
