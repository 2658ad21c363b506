// A function that writes to its caller's variable.
// expect: cannot change its caller's variable.*Take the argument by value or const reference
// names: Argument<2, std::vector<int> ?&>
#include <pp/pp.hpp>
#include <vector>

void fill(int value, std::vector<int>& out) { out.assign(out.size(), value); }

void main_job(pp::Runtime& rt) {
  std::vector<int> values(10);
  rt.submit<fill>(7, values).get();
}
