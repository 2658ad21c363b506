// The tree search by two-sided work stealing: who has nothing asks a random rank, who has enough
// gives the oldest half away. That all are done is found out by a token with a count of pieces
// under way.
//
// Dijkstra's ring with Safra's counter: E. W. Dijkstra, EWD 998, 1987.
#include <random>
#include <vector>

#include "mpi.hpp"
#include "search.hpp"
#include "uts_rows.hpp"

namespace pp::bench {
namespace {

constexpr int kAsk = 1, kPiece = 2, kToken = 3, kDone = 4;  // tags
constexpr std::uint64_t kBetweenLooks = 128;                // nodes
constexpr std::size_t kMostInPiece = 500;

struct Token {
  long pieces = 0;     // sent and not yet received, as counted so far
  bool black = false;  // somebody on the way has been given work since the token was there last
};

// One rank's part in one search.
class Thief {
 public:
  Thief(const uts::Parameters& parameters, Ranks ranks)
      : search_(parameters), ranks_(ranks), dice_(static_cast<unsigned>(ranks.own) + 1) {
    has_token_ = ranks.own == 0;
    if (ranks.own != 0) return;
    const uts::Node root = uts::Tree(parameters).root();
    at_root_ = uts::count_root(root);
    search_.add(std::span(&root, 1));
  }

  uts::Counts run() {
    while (!done_) {
      if (!search_.done()) search_.visit(kBetweenLooks);
      while (answer_one()) {
      }
      if (!search_.done() || done_) continue;
      if (ranks_.count == 1) break;
      if (!asked_) ask();
      pass_token();
    }
    uts::Counts counts = search_.counts();
    counts += at_root_;
    return counts;
  }

 private:
  // Handles one message, if there is one.
  bool answer_one() {
    int there = 0;
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &there, &status);
    if (there == 0) return false;
    const int from = status.MPI_SOURCE;
    switch (status.MPI_TAG) {
      case kAsk:
        receive_bytes(nullptr, 0, from, kAsk);
        give(from);
        break;
      case kPiece: {
        int bytes = 0;
        MPI_Get_count(&status, MPI_BYTE, &bytes);
        uts::Piece piece(static_cast<std::size_t>(bytes) / sizeof(uts::Node));
        receive_bytes(piece.data(), static_cast<std::size_t>(bytes), from, kPiece);
        asked_ = false;
        if (piece.empty()) break;
        --pieces_;
        black_ = true;
        search_.add(piece);
        break;
      }
      case kToken:
        receive_bytes(&token_, sizeof token_, from, kToken);
        has_token_ = true;
        break;
      default:
        receive_bytes(nullptr, 0, from, kDone);
        done_ = true;
    }
    return true;
  }

  void give(int to) {
    uts::Piece piece;
    if (search_.waiting() >= 2) piece = search_.take_oldest(kMostInPiece);
    if (!piece.empty()) ++pieces_;
    send_bytes(piece.data(), piece.size() * sizeof(uts::Node), to, kPiece);
  }

  void ask() {
    std::uniform_int_distribution<int> others(1, ranks_.count - 1);
    send_bytes(nullptr, 0, (ranks_.own + others(dice_)) % ranks_.count, kAsk);
    asked_ = true;
  }

  // Only who has nothing to do calls this.
  void pass_token() {
    if (!has_token_) return;
    if (ranks_.own == 0) {
      if (round_ && !token_.black && !black_ && token_.pieces + pieces_ == 0) return finish();
      token_ = {};  // another round
      round_ = true;
      black_ = false;
    } else {
      token_.pieces += pieces_;
      token_.black = token_.black || black_;
      black_ = false;
    }
    has_token_ = false;
    send_bytes(&token_, sizeof token_, (ranks_.own + ranks_.count - 1) % ranks_.count, kToken);
  }

  void finish() {
    for (int rank = 1; rank < ranks_.count; ++rank) send_bytes(nullptr, 0, rank, kDone);
    done_ = true;
  }

  uts::Search search_;
  uts::Counts at_root_;
  const Ranks ranks_;
  std::minstd_rand dice_;
  bool asked_ = false, done_ = false;
  bool has_token_ = false, black_ = false, round_ = false;
  long pieces_ = 0;  // sent less received
  Token token_;
};

// All ranks; the sum is rank 0's.
uts::Counts search_all(const uts::Parameters& parameters, Ranks ranks) {
  Thief thief(parameters, ranks);
  const uts::Counts own = thief.run();
  const std::uint64_t mine[] = {own.nodes, own.leaves};
  std::uint64_t all[2] = {};
  MPI_Reduce(mine, all, 2, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
  uts::Counts counts{all[0], all[1], 0};
  MPI_Reduce(&own.depth, &counts.depth, 1, MPI_UINT32_T, MPI_MAX, 0, MPI_COMM_WORLD);
  // Answers that came after the end would be read by the next search.
  MPI_Barrier(MPI_COMM_WORLD);
  int there = 1;
  while (there != 0) {
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &there, &status);
    if (there != 0) receive_bytes(nullptr, 0, status.MPI_SOURCE, status.MPI_TAG);
  }
  MPI_Barrier(MPI_COMM_WORLD);
  return counts;
}

}  // namespace

int mpi_uts(const Arguments& arguments, Ranks ranks) {
  const uts::Published& tree = known_tree(arguments);
  const uts::Parameters parameters = fast(tree);
  // A fixed number of searches, since every rank must make the same.
  const int searches = tree.counts.nodes > 10'000'000 ? 2 : 4;
  std::vector<double> seconds;
  for (int i = 0; i < searches; ++i) {
    const double took = seconds_of([&] {
      const uts::Counts counts = search_all(parameters, ranks);
      if (ranks.own == 0) check_counts(tree, counts);
    });
    if (i > 0) seconds.push_back(took);  // the first one connects
  }
  if (ranks.own != 0) return 0;
  const double rate = static_cast<double>(tree.counts.nodes) / spread_of(seconds)->median / 1e6;
  for (const Place& place : places_of(arguments)) emit_rate(place, rate);
  return 0;
}

}  // namespace pp::bench
