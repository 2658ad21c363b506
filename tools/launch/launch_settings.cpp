// LaunchSettings: see the header.
#include "launch_settings.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <pp/error.hpp>
#include <sstream>
#include <vector>

#include "settings_file.hpp"

namespace pp::tools {

namespace {

// These make no sense in a file.
bool is_about_this_run(const std::string& option) {
  for (const char* name : {"help", "version", "config", "show-config", "dry-run", "env", "nodes"}) {
    if (option == name) return true;
  }
  return false;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// Empty: there is none.
std::string find_file(char** begin, char** end) {
  for (char** word = begin; word != end; ++word) {
    const std::string text = *word;
    if (text == "--config" && word + 1 != end) return word[1];
    if (text.starts_with("--config=")) return text.substr(9);
  }
  if (const char* named = std::getenv("PP_LAUNCH_CONFIG"); named != nullptr && *named != 0)
    return named;
  std::vector<std::string> usual;
  if (const char* folder = std::getenv("XDG_CONFIG_HOME"); folder != nullptr && *folder == '/') {
    usual.push_back(std::string(folder) + "/pp/launch.toml");
  } else if (const char* home = std::getenv("HOME"); home != nullptr) {
    usual.push_back(std::string(home) + "/.config/pp/launch.toml");
  }
  usual.push_back("/etc/pp/launch.toml");
  for (const std::string& file : usual) {
    std::error_code none;
    if (std::filesystem::is_regular_file(file, none)) return file;
  }
  return {};
}

}  // namespace

LaunchSettings LaunchSettings::read(CLI::App& app, char** begin, char** end) {
  LaunchSettings settings(app);
  settings.file_ = find_file(begin, end);
  if (settings.file_.empty()) return settings;
  std::ifstream in(settings.file_);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) throw Error("--config " + settings.file_ + ": the file cannot be read");
  for (const SettingLine& line : parse_settings(text.str(), settings.file_)) {
    const std::string where = settings.file_ + ":" + std::to_string(line.line) + ": ";
    CLI::Option* const option = app.get_option_no_throw("--" + line.name);
    if (option == nullptr || is_about_this_run(line.name))
      throw Error(where + "no option for a file is called " + line.name +
                  " (pp-launch --help lists them)");
    try {
      option->run_callback_for_default()->default_val(line.value);
    } catch (const CLI::Error& error) {
      throw Error(where + error.what());
    }
    settings.lines_[option] = line.line;
  }
  return settings;
}

bool LaunchSettings::on_command_line(const std::string& option) const {
  const std::vector<CLI::Option*>& seen = app_->parse_order();
  return std::find(seen.begin(), seen.end(), app_->get_option(option)) != seen.end();
}

bool LaunchSettings::is_set(const std::string& option) const {
  const CLI::Option* found = app_->get_option(option);
  return found->count() > 0 || lines_.contains(found);
}

std::string LaunchSettings::source(const CLI::Option& option) const {
  if (on_command_line("--" + option.get_lnames().front())) return "command line";
  if (option.count() > 0) return "environment: " + option.get_envname();
  if (const auto line = lines_.find(&option); line != lines_.end())
    return file_ + ":" + std::to_string(line->second);
  return "default";
}

std::string LaunchSettings::table() const {
  std::string table;
  for (const CLI::Option* option : app_->get_options()) {
    if (option->get_lnames().empty() || is_about_this_run(option->get_lnames().front())) continue;
    const std::string value =
        option->count() > 0 ? joined(option->results()) : option->get_default_str();
    table += option->get_lnames().front() + " = " + (value.empty() ? "-" : value) + "   (" +
             source(*option) + ")\n";
  }
  return table;
}

}  // namespace pp::tools
