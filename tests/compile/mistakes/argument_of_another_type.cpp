// An argument that does not convert.
// expect: does not convert to the function's parameter. Convert it
// names: PassedArgument<2, int, .*string
#include <pp/pp.hpp>
#include <string>

int count(char letter, const std::string& text) { return text[0] == letter; }

int main_job(pp::Runtime& rt) { return rt.submit<count>('a', 7).get(); }
