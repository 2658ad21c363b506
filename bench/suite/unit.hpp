// Unit: in what a figure is given, and which way it is better.
#pragma once

#include <string>
#include <string_view>

namespace pp::bench {

// Whether less is better: times, memory, bytes, processor time. Rates and shares of an ideal are
// better when they are larger.
bool less_is_better(std::string_view unit);

// A number for people, three digits that mean something: "0.482", "12.3", "1540".
std::string digits(double value);

// "1 KiB", "64 MiB": a number of bytes that is a power of two or not.
std::string bytes_text(double bytes);

}  // namespace pp::bench
