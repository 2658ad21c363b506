// When a search gives work away, how much, and how it collects what became of it.
#include "parallel.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace uts {
namespace {

// How often a search looks whether somebody is idle: about every 2 us. Looking costs a few ns.
constexpr std::uint64_t kNodesBetweenLooks = 64;

// Of 28 bytes each: with the rest of the job below 8 KiB, which travel in one message without an
// announcement.
constexpr std::size_t kMostNodesInPiece = 200;

// Pieces a search has given away and not yet heard of. More than this only in very large clusters,
// where those who took them give away in turn.
constexpr std::size_t kMostPiecesOut = 256;

// Adds up the counts of pieces as they are done, in any order.
class PiecesOut {
 public:
  void add(pp::Future<Counts> piece) { out_.push_back(std::move(piece)); }

  // Whether another may be given away.
  bool has_room() {
    if (out_.size() < kMostPiecesOut) return true;
    std::erase_if(out_, [this](pp::Future<Counts>& piece) {
      if (!piece.ready()) return false;
      counts_ += piece.get();
      return true;
    });
    return out_.size() < kMostPiecesOut;
  }

  // Waits for all, the newest first: it is the one that most likely nobody has begun, so that we
  // search it ourselves.
  Counts wait() {
    for (; !out_.empty(); out_.pop_back()) counts_ += out_.back().get();
    return counts_;
  }

 private:
  std::vector<pp::Future<Counts>> out_;
  Counts counts_;
};

}  // namespace

Counts search_piece(Parameters parameters, Piece piece) {
  // A node that costs more to hash is a longer time between looks.
  const std::uint64_t between_looks = kNodesBetweenLooks / parameters.granularity;
  Search search(parameters);
  search.add(piece);
  PiecesOut pieces;
  while (!search.done()) {
    search.visit(std::max<std::uint64_t>(between_looks, 1));
    if (search.waiting() >= 2 && pp::work_wanted() && pieces.has_room()) {
      pieces.add(pp::spawn<search_piece>(parameters, search.take_oldest(kMostNodesInPiece)));
    }
  }
  Counts counts = search.counts();
  counts += pieces.wait();
  return counts;
}

Counts search_all(pp::Runtime& runtime, const Parameters& parameters) {
  const Node root = Tree(parameters).root();
  Counts counts = count_root(root);
  counts += runtime.submit<search_piece>(parameters, Piece{root}).get();
  return counts;
}

}  // namespace uts
