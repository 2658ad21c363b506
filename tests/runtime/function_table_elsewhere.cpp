// A second source file, linked from a static library: some of its names exist in the first one,
// too.
#include "function_table_functions.hpp"

namespace {
int same_name(int n) { return n + 2; }
int only_here(int n) { return n; }
[[maybe_unused]] auto same_lambda() {
  return [](int n) { return n + 20; };
}
}  // namespace

namespace elsewhere {

using pp::runtime::Constant;
using pp::runtime::function_of;

const pp::runtime::Function& shared_area() { return function_of<Constant<geometry::area>>(); }
const pp::runtime::Function& its_own_same_name() { return function_of<Constant<same_name>>(); }
const pp::runtime::Function& its_own_same_lambda() {
  return function_of<decltype(same_lambda())>();
}
// Nobody calls this, so --gc-sections may drop it, but not its registration.
int never_called() { return static_cast<int>(function_of<Constant<only_here>>().id); }

}  // namespace elsewhere
