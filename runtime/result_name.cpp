// Result names: two hashes of half the length each.
#include "result_name.hpp"

#include <sodium.h>

#include <algorithm>

namespace pp::runtime {

namespace {

constexpr std::size_t kHalf = 16;

// What is named: which way it goes, for which loan, and which part of it.
struct Errand {
  const NodeId& from;
  const NodeId& to;
  std::uint64_t loan;
  std::uint64_t part;
};

// Of an errand, under a key.
void half(std::uint8_t* out, const Errand& errand, const ResultSecret& key) {
  std::array<std::uint8_t, 16> numbers;
  for (std::size_t i = 0; i < 8; ++i) {
    numbers[i] = static_cast<std::uint8_t>(errand.loan >> (8 * i));
    numbers[8 + i] = static_cast<std::uint8_t>(errand.part >> (8 * i));
  }
  crypto_generichash_state state;
  crypto_generichash_init(&state, key.data(), key.size(), kHalf);
  crypto_generichash_update(&state, errand.from.bytes.data(), errand.from.bytes.size());
  crypto_generichash_update(&state, errand.to.bytes.data(), errand.to.bytes.size());
  crypto_generichash_update(&state, numbers.data(), numbers.size());
  crypto_generichash_final(&state, out, kHalf);
}

BlobId name(const Errand& errand, std::uint64_t size, const ResultSecret& kind,
            const ResultSecret& secret) {
  BlobId id;
  id.size = size;
  half(id.hash.bytes.data(), errand, kind);
  half(id.hash.bytes.data() + kHalf, errand, secret);
  return id;
}

bool is_name(const BlobId& id, const Errand& errand, const ResultSecret& kind) {
  std::array<std::uint8_t, kHalf> expected;
  half(expected.data(), errand, kind);
  return std::equal(expected.begin(), expected.end(), id.hash.bytes.begin());
}

constexpr ResultSecret kOfResult{'p', 'p', ':', ' ', 't', 'h', 'e', ' ',
                                 'r', 'e', 's', 'u', 'l', 't', ' ', ' '};
constexpr ResultSecret kOfArgument{'p', 'p', ':', ' ', 'a', 'n', ' ', 'a',
                                   'r', 'g', 'u', 'm', 'e', 'n', 't', ' '};

}  // namespace

BlobId result_name(const NodeId& borrower, const NodeId& owner, std::uint64_t loan,
                   std::uint64_t size, const ResultSecret& secret) {
  return name({borrower, owner, loan, 0}, size, kOfResult, secret);
}

bool is_result_name(const BlobId& id, const NodeId& borrower, const NodeId& owner,
                    std::uint64_t loan) {
  return is_name(id, {borrower, owner, loan, 0}, kOfResult);
}

BlobId argument_name(const NodeId& owner, const NodeId& borrower, std::uint64_t loan,
                     Luggage::Place place, std::uint64_t size, const ResultSecret& secret) {
  return name({owner, borrower, loan, place}, size, kOfArgument, secret);
}

bool is_argument_name(const BlobId& id, const NodeId& owner, const NodeId& borrower,
                      std::uint64_t loan, Luggage::Place place) {
  return is_name(id, {owner, borrower, loan, place}, kOfArgument);
}

}  // namespace pp::runtime
