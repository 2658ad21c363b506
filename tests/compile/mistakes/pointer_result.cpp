// A result that points home.
// expect: a pointer means nothing on another node
// names: ReturnedValue<int ?\*>
#include <pp/pp.hpp>

int* make(int n) { return new int(n); }

int main_job(pp::Runtime& rt) { return *rt.submit<make>(1).get(); }
