// A unique_ptr that may hold something derived.
// expect: of a std::unique_ptr only an object of exactly its type travels.*std::variant
// names: Argument<1, std::unique_ptr<Shape
#include <memory>
#include <pp/pp.hpp>

struct Shape {
  virtual ~Shape() = default;
  virtual double area() const { return 0; }
};

double area(std::unique_ptr<Shape> shape) { return shape->area(); }

double main_job(pp::Runtime& rt) { return rt.submit<area>(std::make_unique<Shape>()).get(); }
