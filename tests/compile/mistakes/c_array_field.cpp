// A struct with a C array.
// expect: C arrays do not travel.*Use std::array
// names: Argument<1, Matrix>
#include <pp/pp.hpp>

struct Matrix {
  double cells[3][3];
};

double trace(Matrix matrix) { return matrix.cells[0][0]; }

double main_job(pp::Runtime& rt) { return rt.submit<trace>(Matrix{}).get(); }
