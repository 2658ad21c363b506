// The calls of mistakes/ as they should be: all of them compile.
#include <array>
#include <memory>
#include <pp/pp.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace {

// A class with private members names its fields and can be made empty.
class Account {
 public:
  Account() = default;
  explicit Account(int balance) : balance_(balance) {}
  int after(int deposit) const { return balance_ + deposit; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(balance_);
  }

 private:
  int balance_ = 0;
};
struct Square {
  double side = 1;
};
struct Circle {
  double radius = 1;
};
struct Matrix {
  std::array<std::array<double, 3>, 3> cells{};
};
struct Doubled {
  int operator()(int n) const { return 2 * n; }
};

int power(int base, int exponent = 2) {
  return exponent == 0 ? 1 : base * power(base, exponent - 1);
}
double area(double radius) { return 3 * radius * radius; }
[[maybe_unused]] double area(double width, double height) { return width * height; }
double area_of(const std::variant<Square, Circle>& shape) {
  return std::holds_alternative<Square>(shape) ? 1 : 3;
}
std::vector<int> filled(int value, std::vector<int> out) {
  out.assign(out.size(), value);
  return out;
}
double trace(Matrix matrix) { return matrix.cells[0][0]; }
int length(const std::string& text) { return static_cast<int>(text.size()); }
int take(std::unique_ptr<int> value) { return *value; }

}  // namespace

// Some fields named, and no warning of the others.
pp::Options right_options() { return {.workers = 1, .name = "one"}; }

double right_calls(pp::Runtime& rt) {
  const int base = 10;
  double sum = rt.submit([](int n, int to) { return n + to; }, base, 1).get();
  sum += rt.submit(Doubled{}, 1).get();
  sum += rt.submit<power>(3, 2).get();
  sum += rt.submit<static_cast<double (*)(double)>(area)>(1.0).get();
  sum += rt.submit<area_of>(Circle{}).get();
  sum += rt.submit<filled>(7, std::vector<int>(10)).get()[0];
  sum += rt.submit<trace>(Matrix{}).get();
  sum += rt.submit<length>("seven").get();
  sum += rt.submit<take>(std::make_unique<int>(1)).get();
  return sum + rt.submit<&Account::after>(Account(5), 1).get();
}
