// A variable where a function should stand.
// expect: which function is meant\?
// names: counter
#include <pp/pp.hpp>

int counter = 0;

void main_job(pp::Runtime& rt) { rt.submit<&counter>().get(); }
