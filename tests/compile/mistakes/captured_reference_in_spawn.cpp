// A lambda that captures, given to spawn.
// expect: cannot capture variables .*Pass them as arguments
// names: captured_reference_in_spawn.cpp:8
#include <pp/pp.hpp>

void parent() {
  int total = 0;
  pp::spawn([&](int n) { total += n; }, 1).wait();
}
