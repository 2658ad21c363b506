// Result names: what a large result is called on its way to the owner of its job.
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
// ask for the result.
using ResultSecret = std::array<std::uint8_t, 16>;

BlobId result_name(const NodeId& borrower, const NodeId& owner, std::uint64_t loan,
                   std::uint64_t size, const ResultSecret& secret);
bool is_result_name(const BlobId& id, const NodeId& borrower, const NodeId& owner,
                    std::uint64_t loan);

}  // namespace pp::runtime
