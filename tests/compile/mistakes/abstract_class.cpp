// A reference to an interface.
// expect: an abstract class cannot travel.*std::variant
// names: Argument<1, const Shape ?&>
#include <pp/pp.hpp>

struct Shape {
  virtual ~Shape() = default;
  virtual double area() const = 0;
};
struct Square : Shape {
  double area() const override { return 1; }
};

double area(const Shape& shape) { return shape.area(); }

double main_job(pp::Runtime& rt) { return rt.submit<area>(Square{}).get(); }
