// nqueens: in how many ways N queens stand on a board of N rows without attacking each other. Jobs
// that wait for jobs.
//
//   nqueens 12                      alone, on every core of this machine
//   pp-launch -n 4 -- ./nqueens 16  four nodes
//
// It prints "12 queens: 14200 solutions (as known)" and ends with 0; with 1 if it is not the known
// number; with 2 after a mistake on the command line.
#include <charconv>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <optional>
#include <pp/pp.hpp>
#include <vector>

#include "queens.hpp"

namespace queens {

// Only the first rows are split into jobs, and only while enough rows are left. 12 rows make 4,080
// jobs of some microseconds, 18 rows 36,264 of some milliseconds: enough for any number of cores to
// share evenly.
constexpr std::uint32_t kRowsSplit = 4;
constexpr std::uint32_t kRowsOfOneJob = 8;

// A job: in how many ways the board can be completed.
std::uint64_t solve(Board board) {
  const std::uint32_t left = board.rows - board.filled;
  if (board.filled >= kRowsSplit || left <= kRowsOfOneJob) return solutions(board);
  std::vector<pp::Future<std::uint64_t>> parts;
  for (const Board& next : next_boards(board)) {
    parts.push_back(pp::spawn<solve>(next));
  }
  std::uint64_t sum = 0;
  for (; !parts.empty(); parts.pop_back()) sum += parts.back().get();
  return sum;
}

}  // namespace queens

namespace {

std::optional<std::uint32_t> read_rows(int argc, char** argv) {
  if (argc != 2) return std::nullopt;
  const char* end = argv[1] + std::strlen(argv[1]);
  std::uint32_t rows = 0;
  const auto [stopped, error] = std::from_chars(argv[1], end, rows);
  const bool number = error == std::errc{} && stopped == end;
  if (!number || rows < 1 || rows > queens::kMostRows) return std::nullopt;
  return rows;
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<std::uint32_t> rows = read_rows(argc, argv);
  if (!rows) {
    std::cerr << "nqueens: how many queens? A number from 1 to " << queens::kMostRows
              << ", for example: nqueens 12\n";
    return 2;
  }
  return pp::run(argc, argv, [rows = *rows](pp::Runtime& runtime) {
    const std::uint64_t found = runtime.submit<queens::solve>(queens::Board{.rows = rows}).get();
    const bool known = found == queens::kKnownSolutions[rows];
    std::cout << rows << " queens: " << found << " solutions ("
              << (known ? "as known" : "WRONG: known are ");
    if (!known) std::cout << queens::kKnownSolutions[rows];
    std::cout << ")\n";
    return known ? 0 : 1;
  });
}
