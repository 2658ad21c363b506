// The queens' solver against the known numbers, and boards that are filled row by row.
#include "queens.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace queens {
namespace {

std::uint64_t row_by_row(const Board& board) {
  if (board.filled == board.rows) return 1;
  std::uint64_t sum = 0;
  for (const Board& next : next_boards(board)) sum += row_by_row(next);
  return sum;
}

TEST(Queens, the_known_numbers_come_out) {
  for (std::uint32_t rows = 1; rows <= 12; ++rows) {
    EXPECT_EQ(solutions(Board{.rows = rows}), kKnownSolutions[rows]) << rows;
  }
}

TEST(Queens, rows_filled_one_by_one_lead_to_the_same_number) {
  for (std::uint32_t rows = 1; rows <= 8; ++rows) {
    EXPECT_EQ(row_by_row(Board{.rows = rows}), kKnownSolutions[rows]) << rows;
  }
}

// What the jobs rely on: it does not matter at which row the solver takes over.
TEST(Queens, the_solver_may_take_over_at_any_row) {
  std::vector<Board> boards{Board{.rows = 8}};
  for (std::uint32_t filled = 0; filled < 8; ++filled) {
    std::uint64_t sum = 0;
    std::vector<Board> next;
    for (const Board& board : boards) {
      EXPECT_EQ(board.filled, filled);
      sum += solutions(board);
      for (const Board& deeper : next_boards(board)) next.push_back(deeper);
    }
    EXPECT_EQ(sum, 92u) << filled << " rows filled";
    boards = next;
  }
  EXPECT_EQ(boards.size(), 92u);
}

TEST(Queens, an_empty_board_offers_every_column_and_then_what_is_not_attacked) {
  const std::vector<Board> first = next_boards(Board{.rows = 4});
  ASSERT_EQ(first.size(), 4u);
  EXPECT_EQ(next_boards(first[0]).size(), 2u);  // beside a corner two columns are free
  EXPECT_EQ(next_boards(first[1]).size(), 1u);
}

}  // namespace
}  // namespace queens
