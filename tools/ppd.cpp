// ppd: the command line of the node daemon.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <pp/error.hpp>
#include <string>

#include "child.hpp"
#include "daemon.hpp"
#include "daemon_config.hpp"
#include "daemon_settings.hpp"
#include "pid_file.hpp"

namespace {

using namespace pp::tools::daemon;

constexpr int kUsage = 2;  // exit code: the command line or the file makes no sense

constexpr char kExamples[] = R"(Examples:
  pp-keygen daemons.key                       once; copy it to every host and to who may use them
  ppd --key-file daemons.key                  lends all usable cores, found by multicast
  ppd --key-file daemons.key --workers 4 --memory 8GiB --idle-exit 3600
  ppd --config /etc/pp/ppd.toml               the same settings in a file: workers = 4
and then, on any machine of that network:
  pp-launch --discover --key-file daemons.key -- ./app

Who holds the key may run programs here, as the user that ppd runs as. A launch's workers end when
its pp-launch ends, and when ppd does. SIGTERM: take no more launches, let workers leave in order,
end; again: at once. SIGHUP: read file and key again. SIGUSR1: say what is going on.

A flag goes before PP_KEY_FILE, that before the file, the file before the default.
Exit code: 0 it was asked to end, or idle for long enough; 2 settings that make no sense, or a
daemon that runs already; 1 anything else.)";

int complain(const std::string& sentence, int code) {
  std::cerr << "ppd: " << sentence << '\n';
  return code;
}

class Wishes {
 public:
  void add_to(CLI::App& app) {
    app.add_option("-c,--config", file_, "A file of these settings (TOML), read again on SIGHUP")
        ->type_name("FILE");
    app.add_flag("--show-config", show_, "Print every setting, its value and where it is from");
    for (const Setting& setting : all_settings()) {
      app.add_option_function<std::string>(
             "--" + std::string(setting.name),
             [this, name = setting.name](const std::string& text) { flags_[name] = text; },
             setting.help)
          ->type_name(setting.value);
    }
  }

  bool show() const { return show_; }

  DaemonSettings read() const {
    DaemonSettings settings;
    if (!file_.empty()) read_config(file_, settings);
    if (const char* key = std::getenv("PP_KEY_FILE"); key != nullptr && key[0] != '\0')
      settings.key_file = key;
    for (const auto& [name, text] : flags_) {
      try {
        find_setting(name)->set(settings, text);
      } catch (const pp::Error& error) {
        throw pp::Error("--" + name + " " + error.what());
      }
    }
    return settings;
  }

  void print(std::ostream& out) const {
    const DaemonSettings ours = read();
    DaemonSettings of_file;
    if (!file_.empty()) read_config(file_, of_file);
    const DaemonSettings none;
    for (const Setting& setting : all_settings()) {
      const std::string value = setting.show(ours);
      const char* from = flags_.contains(setting.name)                                   ? "flag"
                         : value == setting.show(of_file) && value != setting.show(none) ? "file"
                         : value == setting.show(none)                                   ? "default"
                                                       : "PP_KEY_FILE";
      out << setting.name << " = \"" << value << "\"  # " << from << '\n';
    }
  }

 private:
  std::string file_;
  bool show_ = false;
  std::map<std::string, std::string> flags_;
};

}  // namespace

int main(int argc, char** argv) {
  pp::tools::tidy_descriptors();
  Wishes wishes;
  CLI::App app("Lends this machine's cores to programs of pp-launch --discover.", "ppd");
  app.footer(kExamples);
  app.set_version_flag("--version", "ppd " PP_VERSION);
  wishes.add_to(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return complain(std::string(error.what()) + " (ppd --help tells more)", kUsage);
  }
  try {
    if (wishes.show()) {
      wishes.print(std::cout);
      return 0;
    }
    const DaemonSettings settings = wishes.read();
    check(settings);
    std::optional<PidFile> pid_file;
    if (!settings.pid_file.empty()) pid_file.emplace(settings.pid_file);
    return Daemon(settings, [&wishes] { return wishes.read(); }).run();
  } catch (const pp::Error& error) {
    return complain(error.what(), kUsage);
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
}
