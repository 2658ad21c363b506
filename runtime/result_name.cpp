// Result names: two hashes of half the length each.
#include "result_name.hpp"

#include <sodium.h>

#include <algorithm>

namespace pp::runtime {

namespace {

constexpr std::size_t kHalf = 16;

// Of both nodes and the loan, under a key.
void half(std::uint8_t* to, const NodeId& borrower, const NodeId& owner, std::uint64_t loan,
          const ResultSecret& key) {
  std::array<std::uint8_t, 8> number;
  for (std::size_t i = 0; i < number.size(); ++i)
    number[i] = static_cast<std::uint8_t>(loan >> (8 * i));
  crypto_generichash_state state;
  crypto_generichash_init(&state, key.data(), key.size(), kHalf);
  crypto_generichash_update(&state, borrower.bytes.data(), borrower.bytes.size());
  crypto_generichash_update(&state, owner.bytes.data(), owner.bytes.size());
  crypto_generichash_update(&state, number.data(), number.size());
  crypto_generichash_final(&state, to, kHalf);
}

constexpr ResultSecret kNoSecret{'p', 'p', ':', ' ', 't', 'h', 'e', ' ',
                                 'r', 'e', 's', 'u', 'l', 't', ' ', ' '};

}  // namespace

BlobId result_name(const NodeId& borrower, const NodeId& owner, std::uint64_t loan,
                   std::uint64_t size, const ResultSecret& secret) {
  BlobId id;
  id.size = size;
  half(id.hash.bytes.data(), borrower, owner, loan, kNoSecret);
  half(id.hash.bytes.data() + kHalf, borrower, owner, loan, secret);
  return id;
}

bool is_result_name(const BlobId& id, const NodeId& borrower, const NodeId& owner,
                    std::uint64_t loan) {
  std::array<std::uint8_t, kHalf> expected;
  half(expected.data(), borrower, owner, loan, kNoSecret);
  return std::equal(expected.begin(), expected.end(), id.hash.bytes.begin());
}

}  // namespace pp::runtime
