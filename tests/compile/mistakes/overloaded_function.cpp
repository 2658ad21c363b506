// A name that stands for two functions: the compiler refuses it before pp is asked.
// expect: no matching (member )?function for call to .*submit
// names: area
#include <pp/pp.hpp>

double area(double radius) { return 3 * radius * radius; }
double area(double width, double height) { return width * height; }

double main_job(pp::Runtime& rt) { return rt.submit<area>(1.0).get(); }
