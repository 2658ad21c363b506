// http_get: one document from a node's door for watchers.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace pp::tools {

// What a node's door is called: "http://host:port/?token=...".
struct DoorUrl {
  std::string host;  // a name or an address, without brackets
  std::string port;
  std::string token;

  // Throws pp::Error with the text and the expected form.
  static DoorUrl parse(std::string_view text);
};

// The body of `path` ("/status.json", "/why?job=x") there. Throws pp::Error: nobody answers within
// `limit`, or what the door has said against it.
std::string http_get(const DoorUrl& door, std::string_view path, std::chrono::milliseconds limit);

// Fit for the value in a query.
std::string percent_encoded(std::string_view text);

}  // namespace pp::tools
