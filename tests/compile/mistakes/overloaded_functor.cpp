// A functor with two call operators.
// expect: which function is meant\?
// names: Either
#include <pp/pp.hpp>

struct Either {
  int operator()(int n) const { return n; }
  double operator()(double n) const { return n; }
};

int main_job(pp::Runtime& rt) { return rt.submit(Either{}, 1).get(); }
