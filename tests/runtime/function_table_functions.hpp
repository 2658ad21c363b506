// Functions that two source files of the function table's test have in common.
#pragma once

#include <vector>

#include <pp/function_table.hpp>

namespace geometry {
inline double area(double width, double height) { return width * height; }
}  // namespace geometry

namespace elsewhere {  // in function_table_elsewhere.cpp, a static library
const pp::runtime::Function& shared_area();
const pp::runtime::Function& its_own_same_name();
const pp::runtime::Function& its_own_same_lambda();
int never_called();
}  // namespace elsewhere
