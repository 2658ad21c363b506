// A default argument left out.
// expect: too few arguments. Pass one for each parameter, also where the function has a default
// names: NumberOfArguments<1, 2>
#include <pp/pp.hpp>

int power(int base, int exponent = 2) {
  return exponent == 0 ? 1 : base * power(base, exponent - 1);
}

int main_job(pp::Runtime& rt) { return rt.submit<power>(3).get(); }
