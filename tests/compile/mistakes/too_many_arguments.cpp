// One argument more than the function takes.
// expect: too many arguments
// names: NumberOfArguments<2, 1>
#include <pp/pp.hpp>

int twice(int n) { return 2 * n; }

int main_job(pp::Runtime& rt) { return rt.submit<twice>(3, 4).get(); }
