// A daemon's settings: by flag, by file, and what is said of mistakes.
#include "daemon_settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <pp/error.hpp>

#include "daemon_config.hpp"
#include "daemon_log.hpp"
#include "pid_file.hpp"
#include "process.hpp"

namespace pp::tools::daemon {
namespace {

using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Settings, each_is_shown_as_it_is_read) {
  DaemonSettings settings;
  for (const Setting& setting : all_settings()) {
    const std::string shown = setting.show(settings);
    DaemonSettings again;
    setting.set(again, shown);
    EXPECT_EQ(setting.show(again), shown) << setting.name;
  }
}

TEST(Settings, sizes_have_units) {
  DaemonSettings settings;
  const Setting* memory = find_setting("memory");
  for (const auto& [text, bytes] : {std::pair{"512MiB", std::uint64_t{512} << 20},
                                    {"2G", std::uint64_t{2} << 30},
                                    {"1000", std::uint64_t{1000}},
                                    {"4 KiB", std::uint64_t{4096}}}) {
    memory->set(settings, text);
    EXPECT_EQ(settings.memory, bytes) << text;
  }
  EXPECT_THAT(error_of([&] { memory->set(settings, "lots"); }), HasSubstr("as in 512MiB"));
  EXPECT_THAT(error_of([&] { memory->set(settings, "99999999TiB"); }), HasSubstr("bytes"));
}

TEST(Settings, mistakes_are_named_with_what_was_expected) {
  DaemonSettings settings;
  const auto fault = [&](const char* name, const char* text) {
    return error_of([&] { find_setting(name)->set(settings, text); });
  };
  EXPECT_THAT(fault("workers", "many"), HasSubstr("'many': expected a number of workers from 0"));
  EXPECT_THAT(fault("listen", "7706"), HasSubstr("host:port, or :port"));
  EXPECT_THAT(fault("log-level", "loud"), HasSubstr("one of error, warning, info, debug"));
  EXPECT_THAT(fault("discover", "maybe"), HasSubstr("on, off, or settings"));
  EXPECT_THAT(fault("drain", "-1"), HasSubstr("seconds from 0"));
  EXPECT_EQ(nearest_setting("worker"), "workers");
  EXPECT_EQ(nearest_setting("completely-different"), "");
}

TEST(Settings, a_daemon_without_a_key_is_refused) {
  EXPECT_THAT(error_of([] { check(DaemonSettings()); }), HasSubstr("pp-keygen"));
}

class ConfigFile : public testing::Test {
 protected:
  std::string error_in(const std::string& text) {
    write(text);
    return error_of([this] { read_config(file, settings); });
  }
  void write(const std::string& text) { std::ofstream(file) << text; }

  test::Folder folder;
  const std::string file = folder / "ppd.toml";
  DaemonSettings settings;
};

TEST_F(ConfigFile, sets_what_it_says_and_leaves_the_rest) {
  EXPECT_EQ(error_in("# a comment\n"
                     "workers = 4\n"
                     "memory = \"2GiB\"\n"
                     "key-file = \"/etc/pp/cluster.key\"\n"
                     "peers = [\"a:1\", \"b:2\"]\n"
                     "idle-exit = 60\n"
                     "discover = false\n"),
            "");
  EXPECT_EQ(settings.workers, 4u);
  EXPECT_EQ(settings.memory, std::uint64_t{2} << 30);
  EXPECT_EQ(settings.key_file, "/etc/pp/cluster.key");
  EXPECT_EQ(settings.peers, (std::vector<Address>{{"a", 1}, {"b", 2}}));
  EXPECT_EQ(settings.idle_exit, seconds(60));
  EXPECT_EQ(settings.discover, "off");
  EXPECT_EQ(settings.leases, DaemonSettings().leases);
}

TEST_F(ConfigFile, mistakes_are_named_with_file_and_line) {
  EXPECT_THAT(error_in("workers = 4\nmemory = \"much\"\n"),
              AllOf(StartsWith(file + ":2:"), HasSubstr("memory: 'much': expected bytes")));
  EXPECT_THAT(error_in("\n\nworker = 4\n"),
              AllOf(StartsWith(file + ":3:1: "), HasSubstr("did you mean workers?")));
  EXPECT_THAT(error_in("workers = \n"), StartsWith(file + ":1:"));
  EXPECT_THAT(error_in("workers = 1.5\n"), HasSubstr("whole number"));
  EXPECT_THAT(error_in("peers = [1]\n"), HasSubstr("a list of texts"));
  EXPECT_THAT(error_of([this] { read_config(folder / "none", settings); }),
              HasSubstr("No such file"));
  EXPECT_THAT(error_of([this] { read_config(folder.path(), settings); }),
              StartsWith(folder.path()));
}

TEST(PidFiles, hold_the_process_id_and_go_at_the_end) {
  test::Folder folder;
  const std::string file = folder / "pid";
  {
    const PidFile ours(file);
    std::ifstream in(file);
    pid_t pid = 0;
    in >> pid;
    EXPECT_EQ(pid, ::getpid());
    EXPECT_THAT(error_of([&] { PidFile{file}; }),
                HasSubstr("a ppd runs already (pid " + std::to_string(::getpid()) + ")"));
  }
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST(PidFiles, one_that_was_left_behind_is_taken_over) {
  test::Folder folder;
  const std::string file = folder / "pid";
  std::ofstream(file) << "1\nand more than we write";
  const PidFile ours(file);
  std::ifstream in(file);
  std::string all{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(all, std::to_string(::getpid()) + "\n");
}

TEST(DaemonLogs, are_of_one_line_in_each_form) {
  const std::string text = "he said \"no\"\nand left";
  EXPECT_THAT(log_line(LogFormat::kPlain, LogLevel::kWarning, text, 0),
              HasSubstr("ppd: warning: he said \"no\"\\x0aand left\n"));
  EXPECT_EQ(log_line(LogFormat::kJournal, LogLevel::kError, text, 0),
            "<3>he said \"no\"\\x0aand left\n");
  EXPECT_EQ(log_line(LogFormat::kJson, LogLevel::kInfo, text, 1.5),
            "{\"time\":1.500,\"level\":\"info\",\"text\":\"he said \\\"no\\\"\\\\x0aand left\"}\n");
}

}  // namespace
}  // namespace pp::tools::daemon
