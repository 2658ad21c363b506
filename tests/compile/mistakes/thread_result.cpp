// A result that is no value.
// expect: has private members or constructors
// names: ReturnedValue<std::thread>
#include <pp/pp.hpp>
#include <thread>

std::thread start(int) {
  return std::thread([] {});
}

void main_job(pp::Runtime& rt) { rt.submit<start>(1).get().join(); }
