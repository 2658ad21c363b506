// Shared ownership.
// expect: nodes cannot share an object.*std::unique_ptr
// names: Argument<1, .*shared_ptr<int
#include <memory>
#include <pp/pp.hpp>

int value_of(std::shared_ptr<int> value) { return *value; }

int main_job(pp::Runtime& rt) { return rt.submit<value_of>(std::make_shared<int>(1)).get(); }
