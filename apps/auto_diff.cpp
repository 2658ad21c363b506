// auto_diff: functions and their derivatives from their Taylor series, by numbers that carry their
// own derivative. The jobs are member functions of a class of this program: the object travels.
//
//   auto_diff                      alone, on every core of this machine
//   pp-launch -n 2 -- ./auto_diff  two nodes
//
// It prints a line for each function at each of eight points, the first of them being
//   "t_log(1.031250) = 0.030772, t_log'(1.031250) = 0.969697"
#include <iostream>
#include <pp/pp.hpp>
#include <vector>

// A value and its derivative with respect to x: all that calculus asks for is how these two are
// added and multiplied. An aggregate, so it travels as it is.
struct Dual {
  double value = 0;
  double slope = 0;

  friend Dual operator+(Dual a, Dual b) { return {a.value + b.value, a.slope + b.slope}; }
  friend Dual operator-(Dual a, Dual b) { return {a.value - b.value, a.slope - b.slope}; }
  friend Dual operator*(Dual a, Dual b) {
    return {a.value * b.value, a.value * b.slope + a.slope * b.value};
  }

  Dual t_log(int terms) const;  // around 1
  Dual t_exp(int terms) const;  // around 0
};

Dual Dual::t_log(int terms) const {
  Dual sum{}, power{1};
  for (int n = 1; n <= terms; ++n) {
    power = power * (*this - Dual{1});
    sum = sum + Dual{(n % 2 == 0 ? -1.0 : 1.0) / n} * power;
  }
  return sum;
}

Dual Dual::t_exp(int terms) const {
  Dual sum{1}, power{1};
  for (int n = 1; n <= terms; ++n) {
    power = power * *this * Dual{1.0 / n};
    sum = sum + power;
  }
  return sum;
}

int main(int argc, char** argv) {
  if (argc > 1) return std::cerr << argv[0] << ": takes no arguments\n", 2;
  return pp::run(argc, argv, [](pp::Runtime& rt) {
    constexpr int kTerms = 100'000;
    struct Line {
      const char* name;
      double x;
      pp::Future<Dual> y;
    };
    std::vector<Line> lines;
    for (int i = 1; i <= 8; ++i) {
      const Dual x{1 + i / 32.0, 1};  // the slope of x itself is 1
      lines.push_back({"t_log", x.value, rt.submit<&Dual::t_log>(x, kTerms)});
      lines.push_back({"t_exp", x.value, rt.submit<&Dual::t_exp>(x, kTerms)});
    }
    std::cout << std::fixed;  // six digits
    for (const auto& [name, x, y] : lines) {
      std::cout << name << '(' << x << ") = " << y.get().value << ", " << name << "'(" << x
                << ") = " << y.get().slope << '\n';
    }
  });
}
