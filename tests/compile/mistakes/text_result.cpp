// A view of a string that the job's own node keeps.
// expect: char pointer or a string_view means nothing.*Use std::string
// names: ReturnedValue<.*string_view
#include <pp/pp.hpp>
#include <string_view>

std::string_view name(int) { return "seven"; }

void main_job(pp::Runtime& rt) { rt.submit<name>(7).wait(); }
