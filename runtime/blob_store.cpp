// BlobStore: what is in use is known by who else refers to it.
#include "blob_store.hpp"

#include <utility>

namespace pp::runtime {

namespace {

// New references come from the store itself or from those that are held: where there is none, none
// can appear meanwhile.
bool in_use(const BlobPtr& blob) { return blob.use_count() > 1; }

}  // namespace

BlobPtr BlobStore::find(const BlobId& id) {
  const auto found = blobs_.find(id);
  if (found == blobs_.end()) return nullptr;
  order_.splice(order_.begin(), order_, found->second);
  return *found->second;
}

BlobPtr BlobStore::put(BlobPtr blob) {
  if (BlobPtr known = find(blob->id())) return known;
  order_.push_front(blob);
  blobs_.emplace(blob->id(), order_.begin());
  bytes_ += blob->id().size;
  trim();
  return blob;
}

void BlobStore::drop(const BlobId& id) {
  const auto found = blobs_.find(id);
  if (found != blobs_.end() && !in_use(*found->second)) forget(found->second);
}

void BlobStore::trim() {
  for (auto blob = order_.end(); bytes_ > most_bytes_ && blob != order_.begin();) {
    --blob;
    if (in_use(*blob)) continue;
    blob = forget(blob);
    ++forgotten_;
  }
}

BlobStore::Order::iterator BlobStore::forget(Order::iterator blob) {
  bytes_ -= (*blob)->id().size;
  blobs_.erase((*blob)->id());
  return order_.erase(blob);
}

}  // namespace pp::runtime
