// LaunchSettings: where each of pp-launch's options has its value from.
#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <map>
#include <string>

namespace pp::tools {

// Command line before environment before settings file before default.
class LaunchSettings {
 public:
  // Makes what a settings file says the defaults of the app's options. The file is that of --config
  // among these words, else of $PP_LAUNCH_CONFIG, else the user's, else the machine's, else none.
  // Throws pp::Error that names the file and the line. The app outlives this.
  static LaunchSettings read(CLI::App& app, char** begin, char** end);

  // After the app has parsed. On the command line; there, in the environment or in the file.
  bool on_command_line(const std::string& option) const;
  bool is_set(const std::string& option) const;

  // A line for each: name, value, where from.
  std::string table() const;

 private:
  explicit LaunchSettings(const CLI::App& app) : app_(&app) {}

  std::string source(const CLI::Option& option) const;

  const CLI::App* app_;
  std::string file_;
  std::map<const CLI::Option*, std::size_t> lines_;  // in the file
};

}  // namespace pp::tools
