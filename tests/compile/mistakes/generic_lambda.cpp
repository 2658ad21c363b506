// A lambda whose parameter has no type.
// expect: which function is meant\? Give a generic lambda's parameters types
// names: generic_lambda.cpp:7
#include <pp/pp.hpp>

int main_job(pp::Runtime& rt) {
  return rt.submit([](auto n) { return n; }, 1).get();
}
