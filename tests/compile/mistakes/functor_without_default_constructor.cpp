// A functor that another node could not make.
// expect: functor must be default-constructible
// names: Strict
#include <pp/pp.hpp>

struct Strict {
  explicit Strict(int) {}
  int operator()(int n) const { return n; }
};

int main_job(pp::Runtime& rt) { return rt.submit(Strict(1), 2).get(); }
