// The scripts that run on hosts, by the shells that there are here; and what is heard of them.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <pp/error.hpp>

#include "keeper_ear.hpp"
#include "keeper_script.hpp"
#include "launch_plan.hpp"
#include "muster.hpp"
#include "process.hpp"

namespace pp::tools {
namespace {

using test::Folder;
using test::Process;
using testing::AllOf;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// --- what is heard

struct Heard {
  std::vector<std::string> printed, said;
  KeeperEar ear{"T"};

  void feed(std::string_view bytes) {
    ear.feed(
        bytes, [this](std::string_view line) { printed.emplace_back(line); },
        [this](std::string_view line) { said.emplace_back(line); });
  }
  void finish() {
    ear.finish([this](std::string_view line) { printed.emplace_back(line); },
               [this](std::string_view line) { said.emplace_back(line); });
  }
};

TEST(KeeperEar, tells_a_scripts_words_from_a_nodes_lines) {
  Heard heard;
  heard.feed("hello\n\001pp T started 17\nworld\n");
  EXPECT_THAT(heard.printed, ElementsAre("hello", "world"));
  EXPECT_THAT(heard.said, ElementsAre("started 17"));
}

TEST(KeeperEar, puts_a_line_together_again_in_which_the_script_spoke) {
  Heard heard;
  for (const char c : std::string("half a \001pp T report ready\nline\nlast")) heard.feed({&c, 1});
  heard.finish();
  EXPECT_THAT(heard.printed, ElementsAre("half a line", "last"));
  EXPECT_THAT(heard.said, ElementsAre("report ready"));
}

TEST(KeeperEar, believes_no_other_launchs_mark) {
  Heard heard;
  heard.feed("\001pp X ended 0\n");
  EXPECT_THAT(heard.said, IsEmpty());
}

TEST(HostFacts, are_read_or_not_there) {
  const auto facts = parse_facts("Linux x86_64 8 0 1700000000.25");
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->machine, "x86_64");
  EXPECT_EQ(facts->cores, 8u);
  EXPECT_TRUE(facts->root);
  EXPECT_EQ(facts->memory, 0u);
  EXPECT_EQ(parse_facts("Linux x86_64 8 0 1700000000.25 2048")->memory, 2u << 20);
  EXPECT_FALSE(parse_facts("Linux x86_64 many"));
  EXPECT_FALSE(parse_facts(""));
}

// --- what is run

TEST(SshCommand, says_nothing_of_a_script_but_its_length) {
  SshCommand command;
  command.target = "me@h1";
  command.control = "/run/x/1";
  command.opens_it = true;
  const std::vector<std::string> words = command.words("secret");
  EXPECT_THAT(words, testing::Contains("BatchMode=yes"));
  EXPECT_THAT(words, testing::Contains("ControlMaster=yes"));
  EXPECT_EQ(words.at(words.size() - 3), "--");
  EXPECT_EQ(words.at(words.size() - 2), "me@h1");
  EXPECT_THAT(words.back(), AllOf(HasSubstr("count=6"), Not(HasSubstr("secret"))));
}

TEST(SshCommand, quotes_for_a_shell) {
  EXPECT_EQ(quoted("it's"), "'it'\\''s'");
  EXPECT_EQ(quoted(""), "''");
}

// As sshd runs it, in a session of its own.
class Keeper : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (::access(shell().c_str(), X_OK) != 0) GTEST_SKIP() << "there is no " << shell() << " here";
    order_.token = "T";
    order_.tag = fresh_launch_id() + ".1";  // sweeps of other tests end all that has theirs
    order_.usual_workdir = folder_.path();
    order_.command = {"./node"};
    order_.driver = "192.0.2.1:7400";
    order_.key_bytes = kKey.size();
    program("true");
  }
  std::string shell() const { return GetParam().substr(0, GetParam().find(' ')); }
  void program(const std::string& script) {
    const std::string file = folder_ / "node";
    std::ofstream(file) << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  }
  std::unique_ptr<Process> start(const std::string& script, const std::string& input) {
    std::vector<std::string> words{shell()};
    if (GetParam().find(' ') != std::string::npos)
      words.push_back(GetParam().substr(GetParam().find(' ') + 1));
    words.insert(
        words.end(),
        {"-c", "eval \"$(dd bs=1 count=" + std::to_string(script.size()) + " 2>/dev/null)\"",
         "pp-keeper"});
    Process::Setting setting;
    setting.own_session = true;
    setting.input_stays_open = true;
    setting.environment = {"XDG_RUNTIME_DIR=" + folder_.path(),
                           "SSH_CONNECTION=192.0.2.9 1 192.0.2.8 22"};
    auto process = std::make_unique<Process>(words, setting);
    process->write_input(script + input);
    return process;
  }
  std::unique_ptr<Process> start_node() { return start(node_script(order_), kKey); }
  // No key and no pipe is left in the folder.
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_.path()), {}));
  }

  const std::string kKey = "a key of 17 bytes";
  Folder folder_;
  NodeOrder order_;
};

TEST_P(Keeper, says_what_the_host_is_and_stays) {
  auto keeper = start(visit_script({"T"}), "");
  const std::string line = keeper->wait_for_line("\001pp T here ");
  const auto facts = parse_facts(line.substr(line.find("here ") + 5));
  ASSERT_TRUE(facts) << line;
  EXPECT_GT(facts->memory, 0u) << line;
  keeper->write_input("clock\n");
  keeper->wait_for_line("\001pp T clock 1");
  EXPECT_TRUE(keeper->running());
  keeper->close_input();
  EXPECT_EQ(keeper->wait(), 0);
}

TEST_P(Keeper, runs_a_node_and_says_how_it_ended) {
  program("echo out; echo err >&2; echo ready >&3; exit 7");
  auto keeper = start_node();
  keeper->wait_for_line("\001pp T ended 7");
  keeper->wait();
  EXPECT_EQ(keeper->out(), "out\n");
  EXPECT_THAT(keeper->err(), HasSubstr("err\n"));
  const std::size_t report = keeper->err().find("\001pp T report ready");
  EXPECT_LT(report, keeper->err().find("\001pp T ended 7")) << keeper->err();
}

TEST_P(Keeper, gives_the_node_a_key_that_lies_nowhere) {
  program("cat $PP_KEY_FILE; echo; stat -L -c %a $PP_KEY_FILE; echo $PP_PEERS");
  auto keeper = start_node();
  keeper->wait_for_line("\001pp T ended 0");
  keeper->wait();
  EXPECT_EQ(keeper->out(), kKey + "\n\n600\n192.0.2.1:7400,192.0.2.9:7400\n");
  EXPECT_EQ(files(), 1u);
}

TEST_P(Keeper, hands_on_arguments_and_variables_whatever_they_hold) {
  const std::string odd = "it's $HOME {command} `x` \\ \"q\"\n#";
  order_.command = {"./node", odd, ""};
  order_.environment = {"ODD=" + odd};
  program("printf '%s|%s|%s|' \"$1\" \"$2\" \"$ODD\"");
  auto keeper = start_node();
  keeper->wait_for_line("ended 0");
  keeper->wait();
  EXPECT_EQ(keeper->out(), odd + "||" + odd + "|");
}

TEST_P(Keeper, passes_signals_on) {
  program("trap 'echo asked; exit 5' TERM; echo up >&3; while :; do sleep 0.05; done");
  auto keeper = start_node();
  keeper->wait_for_line("report up");
  keeper->write_input("signal TERM\n");
  keeper->wait_for_line("ended 5");
  keeper->wait();
  EXPECT_EQ(keeper->out(), "asked\n");
}

TEST_P(Keeper, tells_the_signal_that_killed_the_node) {
  program("kill -KILL $$");
  auto keeper = start_node();
  keeper->wait_for_line("ended 137");
  keeper->wait();
  EXPECT_THAT(keeper->err(), Not(HasSubstr("illed")));
}

TEST_P(Keeper, hands_on_what_a_node_has_noted_when_it_ends_otherwise_than_well) {
  program(
      "trap 'exit 5' TERM; exec 5<\"$0\"; echo box $$ 5 >&3; echo up >&3; while :; do sleep 0.05; "
      "done");
  auto keeper = start_node();
  keeper->wait_for_line("report up");  // and so the word before it was heard
  keeper->write_input("signal TERM\n");
  keeper->wait_for_line("ended 5");
  keeper->wait();
  const std::string& said = keeper->err();
  EXPECT_THAT(said, HasSubstr("\001pp T box 000000 23 21 2f 62 69 6e 2f 73 68"));
  EXPECT_THAT(said, testing::ContainsRegex("pp T boxed [0-9]+ [0-9.]+\n"));
  EXPECT_LT(said.find("boxed"), said.find("ended 5"));
  EXPECT_THAT(said, Not(HasSubstr("report box")));
}

TEST_P(Keeper, goes_on_without_notes_that_cannot_be_had) {
  program("trap 'exit 5' TERM; echo box 1 99999 >&3; echo up >&3; while :; do sleep 0.05; done");
  auto keeper = start_node();
  keeper->wait_for_line("report up");
  keeper->write_input("signal TERM\n");
  keeper->wait_for_line("ended 5");
  keeper->wait();
  EXPECT_THAT(keeper->err(), Not(HasSubstr("box")));
}

TEST_P(Keeper, ends_everything_when_nobody_is_there_any_more) {
  program(
      "trap '' TERM HUP INT; setsid sh -c 'trap \"\" TERM; sleep 1000' & echo up >&3; sleep 1000");
  auto keeper = start_node();
  keeper->wait_for_line("report up");
  keeper->close_input();
  keeper->wait_until_nothing_is_left(test::seconds{30});
}

TEST_P(Keeper, ends_what_a_node_leaves_behind) {
  program("setsid sleep 1000 & exit 0");
  auto keeper = start_node();
  keeper->wait_for_line("ended 0");
  keeper->wait_until_nothing_is_left(test::seconds{30});
}

TEST_P(Keeper, names_the_stage_that_fails) {
  const auto failure = [this] {
    auto keeper = start_node();
    std::string line = keeper->wait_for_line("\001pp T failed ");
    keeper->wait();
    return line.substr(line.find("failed "));
  };
  order_.command = {"./missing"};
  EXPECT_THAT(failure(), HasSubstr("failed exec ./missing: no such file in " + folder_.path()));
  order_.command = {"pp-no-such-program"};
  EXPECT_THAT(failure(), HasSubstr("failed exec pp-no-such-program: command not found in PATH="));
  order_.command = {folder_.path()};
  EXPECT_THAT(failure(), HasSubstr("failed exec " + folder_.path() + ": is not a file"));
  order_.command = {"./node"};
  order_.workdir = "/no/such/folder";
  EXPECT_THAT(failure(), AllOf(HasSubstr("failed workdir "), HasSubstr("/no/such/folder")));
  order_.workdir.clear();
  order_.key_bytes = 0;
  order_.key_file = "/no/such/key";
  EXPECT_THAT(failure(), HasSubstr("failed key /no/such/key: there is no such file"));
}

// --- what is staged

class StagingKeeper : public Keeper {
 protected:
  void SetUp() override {
    Keeper::SetUp();
    plan_.cache = folder_ / "the cache";
    plan_.limit = 100;
    plan_.program = file("prog", "0123", "#!/bin/sh\necho staged $1 $LD_LIBRARY_PATH\n");
    plan_.libraries.push_back(file("lib x.so", "4567", "library"));
  }
  static StagedFile file(std::string name, std::string hash, std::string bytes) {
    return {std::move(name), std::move(hash),
            std::make_shared<const std::string>(std::move(bytes))};
  }
  std::string copy(const StagedFile& file, const std::string& bytes) {
    auto keeper = start(copy_script({"T", &plan_}, file), bytes);
    keeper->close_input();
    keeper->wait();
    return keeper->err();
  }
  std::string copy(const StagedFile& file) { return copy(file, *file.bytes); }
  std::string visit() {
    auto keeper = start(visit_script({"T", &plan_}), "");
    keeper->wait_for_line("here ");
    keeper->close_input();
    keeper->wait();
    return keeper->err();
  }

  StagePlan plan_;
};

TEST_P(StagingKeeper, says_what_is_lacking_takes_it_and_runs_it) {
  EXPECT_THAT(visit(), AllOf(HasSubstr("T lacks 0123\n"), HasSubstr("T lacks 4567\n")));
  EXPECT_THAT(copy(plan_.program), HasSubstr("T staged 0123\n"));
  EXPECT_THAT(visit(), AllOf(Not(HasSubstr("lacks 0123")), HasSubstr("T lacks 4567\n")));
  EXPECT_THAT(copy(plan_.libraries[0]), HasSubstr("T staged 4567\n"));
  EXPECT_THAT(visit(), Not(HasSubstr("lacks")));
  order_.stage = &plan_;
  order_.command = {"./elsewhere/prog", "argument"};
  auto keeper = start_node();
  keeper->wait_for_line("ended 0");
  keeper->wait();
  EXPECT_EQ(keeper->out(), "staged argument " + plan_.cache + "/4567\n");
}

TEST_P(StagingKeeper, lets_what_was_not_used_for_longest_go) {
  const StagedFile old = file("old", "aaaa", std::string(40, 'o'));
  const StagedFile used = file("used", "bbbb", std::string(40, 'u'));
  StagePlan before = plan_;
  plan_.libraries.clear();
  plan_.program = old;
  copy(old);
  plan_.program = used;
  copy(used);
  const auto past = std::filesystem::file_time_type::clock::now();
  std::filesystem::last_write_time(plan_.cache + "/aaaa", past - std::chrono::hours(2));
  std::filesystem::last_write_time(plan_.cache + "/bbbb", past - std::chrono::hours(3));
  visit();  // it is used
  plan_ = before;
  EXPECT_THAT(copy(plan_.program), HasSubstr("staged"));
  EXPECT_FALSE(std::filesystem::exists(plan_.cache + "/aaaa"));
  EXPECT_TRUE(std::filesystem::exists(plan_.cache + "/bbbb/used"));
}

TEST_P(StagingKeeper, refuses_what_is_larger_than_the_limit_or_not_whole) {
  plan_.limit = 10;
  EXPECT_THAT(copy(plan_.program), HasSubstr("failed stage it takes "));
  plan_.limit = 100;
  EXPECT_THAT(copy(plan_.program, "#!/bin"), HasSubstr("failed stage the connection ended"));
  EXPECT_THAT(visit(), HasSubstr("lacks 0123"));
  for (const auto& left : std::filesystem::directory_iterator(plan_.cache))
    ADD_FAILURE() << left.path() << " is left";
}

const auto kShells =
    testing::Values("/bin/sh", "/bin/dash", "/bin/bash", "/bin/busybox sh", "/bin/mksh");
std::string name_of(const testing::TestParamInfo<std::string>& info) {
  return std::filesystem::path(info.param.substr(0, info.param.find(' '))).filename().string();
}
INSTANTIATE_TEST_SUITE_P(by, StagingKeeper, kShells, name_of);

TEST(StagePlan, takes_the_libraries_that_are_not_the_systems) {
  EXPECT_THAT(private_libraries("\tlinux-vdso.so.1 (0x00007ffd)\n"
                                "\tlibmine.so.1 => /opt/mine/lib/libmine.so.1 (0x00007f)\n"
                                "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n"
                                "\tlibz.so.1 => /opt/../usr/lib/libz.so.1 (0x00007f)\n"
                                "\tlibgone.so => not found\n"
                                "\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n"),
              ElementsAre(Library{"libmine.so.1", "/opt/mine/lib/libmine.so.1"}));
  EXPECT_THAT(private_libraries("\tnot a dynamic executable\n"), IsEmpty());
}

TEST(StagePlan, calls_a_file_by_its_content) {
  const Folder folder;
  std::ofstream(folder / "a") << "the same";
  std::ofstream(folder / "b") << "the same";
  std::ofstream(folder / "c") << "another";
  const StagePlan plan = plan_staging(folder / "a", {{"b", folder / "b"}, {"c", folder / "c"}});
  EXPECT_EQ(plan.program.hash.size(), 32u);
  EXPECT_EQ(plan.program.hash, plan.libraries[0].hash);
  EXPECT_NE(plan.program.hash, plan.libraries[1].hash);
  EXPECT_THROW(plan_staging(folder / "none", {}), Error);
}

INSTANTIATE_TEST_SUITE_P(by, Keeper, kShells, name_of);

}  // namespace
}  // namespace pp::tools
