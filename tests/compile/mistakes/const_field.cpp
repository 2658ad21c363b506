// A struct with a member that cannot be set.
// expect: cannot be set from what arrives
// names: Argument<1, const Limits ?&>
#include <pp/pp.hpp>

struct Limits {
  const int most = 10;
  int least = 1;
};

int width(const Limits& limits) { return limits.most - limits.least; }

int main_job(pp::Runtime& rt) { return rt.submit<width>(Limits{}).get(); }
