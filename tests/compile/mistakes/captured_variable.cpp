// A lambda that captures.
// expect: cannot capture variables .*Pass them as arguments
// names: captured_variable.cpp:10
#include <pp/pp.hpp>

int main() {
  pp::Runtime rt;
  int base = 10;
  ++base;
  return rt.submit([base](int n) { return base + n; }, 1).get();
}
