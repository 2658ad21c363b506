// A function passed like a lambda.
// expect: name a function in angle brackets
// names: function_in_parentheses.cpp:8
#include <pp/pp.hpp>

int doubled(int n) { return 2 * n; }

int main_job(pp::Runtime& rt) { return rt.submit(doubled, 1).get(); }
