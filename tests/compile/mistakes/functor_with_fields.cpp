// A functor that carries something.
// expect: or have fields.*Pass them as arguments
// names: Scale
#include <pp/pp.hpp>

struct Scale {
  double factor;
  double operator()(double value) const { return factor * value; }
};

double main_job(pp::Runtime& rt) { return rt.submit(Scale{2}, 1.0).get(); }
