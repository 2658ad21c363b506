// BlobSpread: which nodes a blob was given to, and so who may pass it on to the next.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <optional>
#include <pp/blob.hpp>
#include <pp/node_id.hpp>
#include <vector>

namespace pp::runtime {

// The nodes that asked here for a blob form a tree: the first kDirect are given it from here, the
// next kDirect from the first of those, and so on; each passes on what has come to it, while the
// rest is still coming. So nobody sends a blob more than kDirect times however many want it, and
// the last one has it after as many steps as the tree is high: the logarithm of their number. Who
// cannot get it there insists, and is served here. A value, one thread.
class BlobSpread {
 public:
  static constexpr std::size_t kDirect = 2;
  static constexpr std::uint64_t kLeast = std::uint64_t{1} << 20;  // smaller ones are not worth it
  static constexpr std::size_t kMostBlobs =
      256;  // of which it is remembered; then the oldest is not
  static constexpr std::size_t kMostReaders = 65536;  // likewise; the next are served here

  // Of what has `least` bytes at least.
  explicit BlobSpread(std::uint64_t least = kLeast) : least_(least) {}

  // `reader` wants it: whom it should ask. Nothing: it is served here.
  std::optional<NodeId> instead(const BlobId& id, const NodeId& reader);
  // Nobody is sent there any more.
  void gone(const NodeId& node);

 private:
  struct Tree {
    std::vector<std::optional<NodeId>> readers;  // in the order in which they came; null: gone
    std::list<BlobId>::iterator age;
  };

  const std::uint64_t least_;
  std::map<BlobId, Tree> trees_;
  std::list<BlobId> ages_;  // the newest in front
};

}  // namespace pp::runtime
