// SettingsFile: a line at a time.
#include "settings_file.hpp"

#include <algorithm>
#include <pp/error.hpp>

namespace pp::tools {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  return text.substr(0, text.find_last_not_of(kBlank) + 1);
}

// The value in front of a comment. Nothing: it makes no sense.
bool read_value(std::string_view text, std::string& value) {
  const bool quotes = text.starts_with('"') || text.starts_with('\'');
  if (!quotes) {
    text = trimmed(text.substr(0, text.find('#')));
    value = text;
    return !text.empty() && text.find_first_of(" \t\"'[]{}") == std::string_view::npos;
  }
  const std::size_t end = text.find(text.front(), 1);
  if (end == std::string_view::npos) return false;
  value = text.substr(1, end - 1);
  const std::string_view rest = trimmed(text.substr(end + 1));
  return (rest.empty() || rest.front() == '#') && value.find('\\') == std::string::npos;
}

}  // namespace

std::vector<SettingLine> parse_settings(std::string_view text, std::string_view file) {
  std::vector<SettingLine> settings;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = trimmed(text.substr(begin, end - begin));
    begin = end + 1;
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const std::size_t equals = line.find('=');
    const std::string_view name = trimmed(line.substr(0, equals));
    SettingLine setting{std::string(name), {}, number};
    const bool named = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
    if (equals == std::string_view::npos || !named ||
        !read_value(trimmed(line.substr(equals + 1)), setting.value)) {
      throw Error(std::string(file) + ":" + std::to_string(number) + ": \"" + std::string(line) +
                  "\": expected option = value, with the option's long name");
    }
    settings.push_back(std::move(setting));
  }
  return settings;
}

}  // namespace pp::tools
