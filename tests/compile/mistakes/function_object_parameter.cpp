// A std::function, which may hold anything.
// expect: a std::function may hold anything.*std::variant
// names: Argument<1, .*function<int ?\(int\)>
#include <functional>
#include <pp/pp.hpp>

int apply(const std::function<int(int)>& f, int n) { return f(n); }

int main_job(pp::Runtime& rt) {
  return rt.submit<apply>([](int n) { return n; }, 1).get();
}
