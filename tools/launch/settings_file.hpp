// SettingsFile: what a user wants every launch to be told.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pp::tools {

struct SettingLine {
  std::string name;   // of a long option, without dashes: "min-nodes"
  std::string value;  // without quotes
  std::size_t line = 0;
  friend bool operator==(const SettingLine&, const SettingLine&) = default;
};

// Lines like `min-nodes = 3`, `hosts = "a,b:8"`, `stage = true`: of TOML, what a flat list of
// options needs. "#" begins a comment. Throws pp::Error that names the file and the line.
std::vector<SettingLine> parse_settings(std::string_view text, std::string_view file);

}  // namespace pp::tools
