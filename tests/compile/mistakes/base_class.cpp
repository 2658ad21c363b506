// A struct with a base and no `serialize` of its own.
// expect: a struct with a base class travels only by a `serialize` of its own
// names: Argument<1, Square>
#include <pp/pp.hpp>

struct Shape {
  int colour = 0;
};
struct Square : Shape {
  double side = 1;
};

double area(Square square) { return square.side * square.side; }

double main_job(pp::Runtime& rt) { return rt.submit<area>(Square{}).get(); }
