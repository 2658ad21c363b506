// A view of somebody else's elements.
// expect: std::span means nothing on another node. Use a std::vector
// names: Argument<1, .*span<const int
#include <pp/pp.hpp>
#include <span>
#include <vector>

int sum(std::span<const int> values) { return values[0]; }

int main_job(pp::Runtime& rt) { return rt.submit<sum>(std::vector<int>{1}).get(); }
