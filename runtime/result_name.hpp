// Result names: what a large result, or an argument of one job alone, is called on its way.
#pragma once

#include <array>
#include <cstdint>
#include <pp/blob.hpp>
#include <pp/node_id.hpp>

namespace pp::runtime {

// Nobody but the owner ever reads a result, and it is fetched from the one that made it: to hash
// all of it on both sides would prove nothing that the session's seal has not. So it is named by
// who owes it to whom, and for which loan; the owner can tell such a name, which is that of no
// content, from others. The other half of it is a secret of the borrower's, so that nobody else can
// ask for the result. Likewise an argument that is lent with one job and is like no other, with the
// two in each other's place.
using ResultSecret = std::array<std::uint8_t, 16>;

BlobId result_name(const NodeId& borrower, const NodeId& owner, std::uint64_t loan,
                   std::uint64_t size, const ResultSecret& secret);
bool is_result_name(const BlobId& id, const NodeId& borrower, const NodeId& owner,
                    std::uint64_t loan);

// The argument at `place` (Luggage::Place).
BlobId argument_name(const NodeId& owner, const NodeId& borrower, std::uint64_t loan,
                     Luggage::Place place, std::uint64_t size, const ResultSecret& secret);
bool is_argument_name(const BlobId& id, const NodeId& owner, const NodeId& borrower,
                      std::uint64_t loan, Luggage::Place place);

}  // namespace pp::runtime
