// Page: what people see in a browser: page.html, as CMake put it into the library.
#pragma once

#include <string_view>

namespace pp::runtime {

extern const std::string_view kPage;
extern const std::string_view kVersion;  // of the library

}  // namespace pp::runtime
