// Text by string_view.
// expect: char pointer or a string_view means nothing.*Use std::string
// names: Argument<2, .*string_view
#include <pp/pp.hpp>
#include <string_view>

int occurrences(char letter, std::string_view text) { return text[0] == letter; }

int main_job(pp::Runtime& rt) { return rt.submit<occurrences>('a', "banana").get(); }
