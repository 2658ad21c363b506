// Reading the daemon's file with toml++; nothing else knows that it is TOML.
#include "daemon_config.hpp"

#include <toml++/toml.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <pp/error.hpp>
#include <sstream>
#include <string>

namespace pp::tools::daemon {
namespace {

constexpr std::size_t kLongest = std::size_t{1} << 20;

std::string at(const std::filesystem::path& file, const toml::source_region& where) {
  return file.string() + ":" + std::to_string(where.begin.line) + ":" +
         std::to_string(where.begin.column) + ": ";
}

// What a flag of the same name would be given. Throws pp::Error.
std::string text_of(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
  if (const auto yes = node.value_exact<bool>()) return *yes ? "on" : "off";
  if (const toml::array* list = node.as_array()) {
    std::string all;
    for (const toml::node& one : *list) {
      const auto text = one.value_exact<std::string>();
      if (!text) throw Error("expected a list of texts");
      all += (all.empty() ? "" : ",") + *text;
    }
    return all;
  }
  throw Error("expected a text, a whole number, true or false, or a list of texts");
}

}  // namespace

void read_config(const std::filesystem::path& file, DaemonSettings& settings) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Error(file.string() + ": " + std::strerror(errno));
  std::string content(kLongest + 1, '\0');
  in.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad()) throw Error(file.string() + ": it cannot be read (is it a file?)");
  if (content.size() > kLongest) throw Error(file.string() + ": expected at most 1 MiB");
  toml::table table;
  try {
    table = toml::parse(content);
  } catch (const toml::parse_error& error) {
    throw Error(at(file, error.source()) + std::string(error.description()));
  }
  for (const auto& [key, node] : table) {
    const Setting* setting = find_setting(key.str());
    if (setting == nullptr) {
      const std::string near = nearest_setting(key.str());
      throw Error(at(file, key.source()) + "there is no setting '" + std::string(key.str()) + "'" +
                  (near.empty() ? " (ppd --help lists them)" : "; did you mean " + near + "?"));
    }
    try {
      setting->set(settings, text_of(node));
    } catch (const Error& error) {
      throw Error(at(file, node.source()) + setting->name + ": " + error.what());
    }
  }
}

}  // namespace pp::tools::daemon
