// BlobSpread: a tree in the order of arrival.
#include "blob_spread.hpp"

#include <algorithm>

namespace pp::runtime {

std::optional<NodeId> BlobSpread::instead(const BlobId& id, const NodeId& reader) {
  if (id.size < least_) return std::nullopt;
  const auto [tree, is_new] = trees_.try_emplace(id);
  if (is_new) {
    ages_.push_front(id);
    tree->second.age = ages_.begin();
    if (ages_.size() > kMostBlobs) {
      trees_.erase(ages_.back());
      ages_.pop_back();
    }
  }
  auto& readers = tree->second.readers;
  auto place = std::find(readers.begin(), readers.end(), reader);
  if (place == readers.end()) {
    if (readers.size() == kMostReaders) return std::nullopt;
    place = readers.insert(place, reader);
  }
  const auto rank = static_cast<std::size_t>(place - readers.begin());
  if (rank < kDirect) return std::nullopt;
  return readers[rank / kDirect - 1];
}

void BlobSpread::gone(const NodeId& node) {
  for (auto& [id, tree] : trees_)
    std::replace(tree.readers.begin(), tree.readers.end(), std::optional(node),
                 std::optional<NodeId>());
}

}  // namespace pp::runtime
