// ContentHash: a tree of BLAKE2b, eight leaves at a time where the processor can.
#include <sodium.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <pp/content_hash.hpp>
#include <pp/usable_cores.hpp>
#include <system_error>
#include <thread>
#include <utility>

namespace pp::runtime {

namespace {

constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kLeaf = ContentHasher::kLeafBytes;
constexpr std::size_t kLanes = 8;

#if defined(__x86_64__)

// BLAKE2b (RFC 7693) of eight leaves at once, one in each lane of a vector: its operations are
// additions, exclusive ors and rotations of 64-bit words, so the compiler makes of them what the
// processor has. The values are the same as libsodium's of each leaf (a test compares them); one
// core does several GB/s of them instead of less than one.
using Words = std::uint64_t __attribute__((vector_size(kLanes * sizeof(std::uint64_t))));

constexpr std::uint64_t kInitial[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                                       0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                                       0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
constexpr std::uint8_t kSchedule[10][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                            {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
                                            {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
                                            {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
                                            {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
                                            {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
                                            {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
                                            {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
                                            {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
                                            {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

[[gnu::always_inline]] inline void mix(Words& a, Words& b, Words& c, Words& d, const Words& x,
                                       const Words& y) {
  a += b + x;
  d ^= a;
  d = d >> 32 | d << 32;
  c += d;
  b ^= c;
  b = b >> 24 | b << 40;
  a += b + y;
  d ^= a;
  d = d >> 16 | d << 48;
  c += d;
  b ^= c;
  b = b >> 63 | b << 1;
}

// Eight words of each leaf: `from` lies in the first one, `to[i]` has the i-th word of each.
[[gnu::always_inline]] inline void transpose(const std::byte* from, Words* to) {
  Words rows[kLanes];
  for (std::size_t lane = 0; lane < kLanes; ++lane)
    std::memcpy(&rows[lane], from + lane * kLeaf, sizeof(Words));
  Words pairs[kLanes];
  for (std::size_t i = 0; i < kLanes; i += 2) {
    pairs[i] = __builtin_shufflevector(rows[i], rows[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    pairs[i + 1] = __builtin_shufflevector(rows[i], rows[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
  Words fours[kLanes];
  for (std::size_t i = 0; i < kLanes; i += 4) {
    for (std::size_t j = i; j < i + 2; ++j) {
      fours[j] = __builtin_shufflevector(pairs[j], pairs[j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      fours[j + 2] = __builtin_shufflevector(pairs[j], pairs[j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
  for (std::size_t j = 0; j < 4; ++j) {
    to[j] = __builtin_shufflevector(fours[j], fours[j + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    to[j + 4] = __builtin_shufflevector(fours[j], fours[j + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

// Eight whole leaves, which lie one behind the other.
[[gnu::always_inline]] inline void hash_lanes(const std::byte* leaves, std::uint8_t* hashes) {
  constexpr std::size_t kBlock = 128;
  Words state[8];
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t lane = 0; lane < kLanes; ++lane) state[i][lane] = kInitial[i];
  state[0] ^= 0x01010000 ^ kHashBytes;  // no key, fan-out and depth 1
  for (std::size_t at = 0; at < kLeaf; at += kBlock) {
    Words block[16];
    transpose(leaves + at, block);
    transpose(leaves + at + kBlock / 2, block + 8);
    Words v[16];
    for (std::size_t i = 0; i < 8; ++i) {
      v[i] = state[i];
      for (std::size_t lane = 0; lane < kLanes; ++lane) v[8 + i][lane] = kInitial[i];
    }
    v[12] ^= at + kBlock;  // so many bytes so far
    if (at + kBlock == kLeaf) v[14] = ~v[14];
    for (std::size_t round = 0; round < 12; ++round) {
      const std::uint8_t* s = kSchedule[round % 10];
      mix(v[0], v[4], v[8], v[12], block[s[0]], block[s[1]]);
      mix(v[1], v[5], v[9], v[13], block[s[2]], block[s[3]]);
      mix(v[2], v[6], v[10], v[14], block[s[4]], block[s[5]]);
      mix(v[3], v[7], v[11], v[15], block[s[6]], block[s[7]]);
      mix(v[0], v[5], v[10], v[15], block[s[8]], block[s[9]]);
      mix(v[1], v[6], v[11], v[12], block[s[10]], block[s[11]]);
      mix(v[2], v[7], v[8], v[13], block[s[12]], block[s[13]]);
      mix(v[3], v[4], v[9], v[14], block[s[14]], block[s[15]]);
    }
    for (std::size_t i = 0; i < 8; ++i) state[i] ^= v[i] ^ v[8 + i];
  }
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    for (std::size_t i = 0; i < kHashBytes / 8; ++i) {
      const std::uint64_t word = state[i][lane];
      std::memcpy(hashes + lane * kHashBytes + 8 * i, &word, 8);
    }
  }
}

[[gnu::target("avx512f")]] void hash_with_512(const std::byte* leaves, std::uint8_t* hashes) {
  hash_lanes(leaves, hashes);
}
[[gnu::target("avx2")]] void hash_with_256(const std::byte* leaves, std::uint8_t* hashes) {
  hash_lanes(leaves, hashes);
}

// False: this processor gains nothing by it.
bool hash_eight(const std::byte* leaves, std::uint8_t* hashes) {
  static const int width = __builtin_cpu_supports("avx512f") ? 512
                           : __builtin_cpu_supports("avx2")  ? 256
                                                             : 0;
  if (width == 512) hash_with_512(leaves, hashes);
  if (width == 256) hash_with_256(leaves, hashes);
  return width != 0;
}

#else

bool hash_eight(const std::byte*, std::uint8_t*) { return false; }

#endif

const unsigned char* unsigned_bytes(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

void ContentHasher::leaf(std::span<const std::byte> bytes) {
  const std::size_t at = leaves_.size();
  leaves_.resize(at + kHashBytes);
  crypto_generichash(leaves_.data() + at, kHashBytes, unsigned_bytes(bytes), bytes.size(), nullptr,
                     0);
}

void ContentHasher::add(std::span<const std::byte> part) {
  size_ += part.size();
  if (!begun_.empty()) {
    const std::size_t missing = std::min(kLeaf - begun_.size(), part.size());
    begun_.insert(begun_.end(), part.data(), part.data() + missing);
    part = part.subspan(missing);
    if (begun_.size() == kLeaf) {
      leaf(begun_);
      begun_.clear();
    }
  }
  while (part.size() >= kLanes * kLeaf) {
    const std::size_t at = leaves_.size();
    leaves_.resize(at + kLanes * kHashBytes);
    if (!hash_eight(part.data(), leaves_.data() + at)) {
      leaves_.resize(at);
      break;
    }
    part = part.subspan(kLanes * kLeaf);
  }
  for (; part.size() >= kLeaf; part = part.subspan(kLeaf)) leaf(part.first(kLeaf));
  begun_.insert(begun_.end(), part.begin(), part.end());
}

void ContentHasher::expect(std::size_t bytes) {
  leaves_.reserve(leaves_.size() + (bytes + kLeaf - 1) / kLeaf * kHashBytes);
}

void ContentHasher::append(ContentHasher&& next) {
  assert(begun_.empty());
  size_ += next.size_;
  leaves_.insert(leaves_.end(), next.leaves_.begin(), next.leaves_.end());
  begun_ = std::move(next.begun_);
}

ContentHash ContentHasher::finish() {
  if (!begun_.empty()) leaf(begun_);
  begun_.clear();
  unsigned char size[8];
  for (std::size_t i = 0; i < 8; ++i) size[i] = static_cast<unsigned char>(size_ >> (8 * i));
  constexpr unsigned char kKey[] = "pp: the root of leaves";  // no leaf is ever taken for a root
  ContentHash hash;
  crypto_generichash_state state;
  crypto_generichash_init(&state, kKey, sizeof kKey - 1, kHashBytes);
  crypto_generichash_update(&state, size, sizeof size);
  crypto_generichash_update(&state, leaves_.data(), leaves_.size());
  crypto_generichash_final(&state, hash.bytes.data(), kHashBytes);
  return hash;
}

ContentHash content_hash(std::span<const std::byte> bytes) {
  // Of a thread: 3 ms, a hundred times as long as it takes to begin one.
  constexpr std::size_t kShare = std::size_t{8} << 20;
  constexpr std::size_t kMostThreads = 4;
  std::size_t shares = std::clamp<std::size_t>(bytes.size() / kShare, 1, kMostThreads);
  if (shares > 1) shares = std::min<std::size_t>(shares, usable_cores());
  const std::size_t each = bytes.size() / shares / (kLanes * kLeaf) * (kLanes * kLeaf);
  std::vector<ContentHasher> hashers(shares);
  std::vector<std::jthread> threads;
  threads.reserve(shares);
  for (std::size_t i = 0; i + 1 < shares; ++i) {
    const auto share = bytes.subspan(i * each, each);
    hashers[i].expect(each);  // or a lack of memory would end that thread, and us
    try {
      threads.emplace_back([share, &hasher = hashers[i]] { hasher.add(share); });
    } catch (const std::system_error&) {  // no thread to be had
      hashers[i].add(share);
    }
  }
  hashers.back().add(bytes.subspan((shares - 1) * each));
  threads.clear();  // they have ended
  for (std::size_t i = 1; i < shares; ++i) hashers[0].append(std::move(hashers[i]));
  return hashers[0].finish();
}

}  // namespace pp::runtime
