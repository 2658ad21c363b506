// The search for queens: a row after the other, with the attacked columns in the bits of three
// numbers.
#include "queens.hpp"

namespace queens {
namespace {

constexpr std::uint32_t all_columns(const Board& board) { return (1u << board.rows) - 1; }

std::uint64_t fill(std::uint32_t all, std::uint32_t down, std::uint32_t left, std::uint32_t right) {
  if (down == all) return 1;  // a queen in every column is a queen in every row
  std::uint64_t found = 0;
  for (std::uint32_t free = all & ~(down | left | right); free != 0; free &= free - 1) {
    const std::uint32_t queen = free & -free;
    found += fill(all, down | queen, (left | queen) << 1, (right | queen) >> 1);
  }
  return found;
}

}  // namespace

std::vector<Board> next_boards(const Board& board) {
  std::vector<Board> next;
  const std::uint32_t attacked = board.down | board.left | board.right;
  for (std::uint32_t free = all_columns(board) & ~attacked; free != 0; free &= free - 1) {
    const std::uint32_t queen = free & -free;
    next.push_back({board.rows, board.filled + 1, board.down | queen, (board.left | queen) << 1,
                    (board.right | queen) >> 1});
  }
  return next;
}

std::uint64_t solutions(const Board& board) {
  return fill(all_columns(board), board.down, board.left, board.right);
}

}  // namespace queens
