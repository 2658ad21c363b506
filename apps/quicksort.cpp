// quicksort: jobs mixed with values. The upper levels of a quicksort leave a list of numbers that
// are already in place and, between them, jobs that sort what lies there.
//
//   quicksort                      alone, on every core of this machine
//   pp-launch -n 2 -- ./quicksort  two nodes
//
// It sorts a million numbers in 32 jobs and prints the first 30; they are the same in every run:
//   "First 30 of 1000000 numbers: 6 7 20 ..."
#include <algorithm>
#include <iostream>
#include <pp/pp.hpp>
#include <span>
#include <variant>
#include <vector>

using Numbers = std::vector<int>;
// A number in its place, or numbers that a job puts in theirs.
using Piece = std::variant<int, pp::Future<Numbers>>;

Numbers sorted(Numbers numbers) {
  std::ranges::sort(numbers);
  return numbers;
}

// Halves the numbers at their median until there is one part for each job.
void quicksort(pp::Runtime& rt, std::span<int> numbers, int jobs, std::vector<Piece>& pieces) {
  if (jobs == 1 || numbers.size() < 2) {
    pieces.push_back(rt.submit<sorted>(Numbers(numbers.begin(), numbers.end())));
    return;
  }
  const std::size_t middle = numbers.size() / 2;
  std::ranges::nth_element(numbers, numbers.begin() + middle);
  quicksort(rt, numbers.first(middle), jobs / 2, pieces);
  pieces.push_back(numbers[middle]);
  quicksort(rt, numbers.subspan(middle + 1), jobs / 2, pieces);
}

Numbers joined(const std::vector<Piece>& pieces) {
  Numbers all;
  for (const Piece& piece : pieces) {
    if (const int* number = std::get_if<int>(&piece)) {
      all.push_back(*number);
    } else {
      const Numbers& part = std::get<pp::Future<Numbers>>(piece).get();
      all.insert(all.end(), part.begin(), part.end());
    }
  }
  return all;
}

int main(int argc, char** argv) {
  if (argc > 1) return std::cerr << argv[0] << ": takes no arguments\n", 2;
  return pp::run(argc, argv, [](pp::Runtime& rt) {
    Numbers numbers(1'000'000);
    std::ranges::generate(numbers, [random = pp::Random(1)]() mutable {
      return static_cast<int>(random.below(10'000'000));
    });
    std::vector<Piece> pieces;
    quicksort(rt, numbers, 32, pieces);
    const Numbers all = joined(pieces);
    std::cout << "First 30 of " << all.size() << " numbers:";
    for (int i = 0; i < 30; ++i) std::cout << ' ' << all[static_cast<std::size_t>(i)];
    std::cout << '\n';
    return std::ranges::is_sorted(all) ? 0 : 1;
  });
}
