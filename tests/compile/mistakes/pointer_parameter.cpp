// A pointer and a length.
// expect: a pointer means nothing on another node.*Use the value itself, a std::vector
// names: Argument<1, const double ?\*>
#include <pp/pp.hpp>

double sum(const double* values, int count) {
  double total = 0;
  for (int i = 0; i < count; ++i) total += values[i];
  return total;
}

double main_job(pp::Runtime& rt) {
  const double values[] = {1, 2, 3};
  return rt.submit<sum>(values, 3).get();
}
