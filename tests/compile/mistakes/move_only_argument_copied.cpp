// A unique_ptr that is not handed over.
// expect: cannot be copied. Hand it over: submit<f>\(std::move\(x\)\)
// names: PassedArgument<1, std::unique_ptr<int.*&, std::unique_ptr<int
#include <memory>
#include <pp/pp.hpp>

int take(std::unique_ptr<int> value) { return *value; }

int main_job(pp::Runtime& rt) {
  auto value = std::make_unique<int>(1);
  return rt.submit<take>(value).get();
}
