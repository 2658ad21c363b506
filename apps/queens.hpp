// N queens on a board of N rows that do not attack each other: boards, what comes next, and how
// many solutions are known.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace queens {

inline constexpr std::uint32_t kMostRows = 18;

// solutions[n] = in how many ways n queens can be placed (OEIS A000170).
inline constexpr std::array<std::uint64_t, kMostRows + 1> kKnownSolutions{
    1,   1,    0,     0,     2,      10,      4,        40,       92,       352,
    724, 2680, 14200, 73712, 365596, 2279184, 14772512, 95815104, 666090624};

// A board whose first rows hold a queen each. A value: it travels with every job.
struct Board {
  std::uint32_t rows = 0;    // of the whole board, at most kMostRows
  std::uint32_t filled = 0;  // rows that have their queen
  // Columns of the next row (a bit each) that a queen above attacks: straight down, and along the
  // two diagonals.
  std::uint32_t down = 0;
  std::uint32_t left = 0;
  std::uint32_t right = 0;

  friend bool operator==(const Board&, const Board&) = default;
};

// The boards with one more queen in the next row, from left to right; none if there is no place for
// it. REQUIRES: board.filled < board.rows <= kMostRows.
std::vector<Board> next_boards(const Board& board);

// In how many ways the remaining rows can be filled.
// REQUIRES: board.rows <= kMostRows.
std::uint64_t solutions(const Board& board);

}  // namespace queens
