// Text by char pointer.
// expect: char pointer or a string_view means nothing.*Use std::string
// names: Argument<1, const char ?\*>
#include <pp/pp.hpp>

int length(const char* text) { return text[0]; }

int main_job(pp::Runtime& rt) { return rt.submit<length>("seven").get(); }
