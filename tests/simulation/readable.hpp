// What a history says of failures and messages, for a reader.
#pragma once

#include <cstddef>
#include <pp/errors.hpp>
#include <span>
#include <string>

namespace pp::simulation {

std::string name_of(runtime::Failure::Kind kind);

// What a message says, in a line: its numbers first.
std::string line_of(std::span<const std::byte> message);

}  // namespace pp::simulation
