// BlobStore: the blobs that this node has, and which it forgets when there are too many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <pp/blob.hpp>

namespace pp::runtime {

// A blob that somebody holds (a job, a handle, a transfer) is in use: it stays however large it is.
// The others are a cache: of them the store keeps at most `most_bytes`, those that were asked for
// last. A value of its own: no locks, the courier's thread.
class BlobStore {
 public:
  explicit BlobStore(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  // The one of this name; null if it is not here. Counts as use.
  BlobPtr find(const BlobId& id);
  // Whether it is. Counts as none.
  bool has(const BlobId& id) const { return blobs_.contains(id); }
  // From now on it is here. Returns the one to hold: of two of one name the first.
  BlobPtr put(BlobPtr blob);
  // Nobody will ask for it again soon: forgotten at once, unless it is in use.
  void drop(const BlobId& id);
  // Forgets what is too much. To be called when something has come out of use, too.
  void trim();

  struct Figures {
    std::size_t blobs = 0;
    std::size_t bytes = 0;  // of all that are here
    std::uint64_t forgotten = 0;
  };
  Figures figures() const { return {blobs_.size(), bytes_, forgotten_}; }

 private:
  using Order = std::list<BlobPtr>;  // the one asked for last in front

  Order::iterator forget(Order::iterator blob);

  const std::size_t most_bytes_;
  Order order_;
  std::map<BlobId, Order::iterator> blobs_;
  std::size_t bytes_ = 0;
  std::uint64_t forgotten_ = 0;
};

}  // namespace pp::runtime
