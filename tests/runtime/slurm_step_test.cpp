// SlurmStep and StepKey: what a task makes of its environment, and the key that tasks share.
#include "slurm_step.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <pp/cluster_key.hpp>
#include <pp/error.hpp>
#include <pp/slurm_address.hpp>
#include <thread>

#include "step_key.hpp"

namespace pp::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// As Slurm 22.05 sets them for `srun -N3 -n3`.
class AStep : public testing::Test {
 protected:
  std::optional<SlurmStep> read() const {
    return SlurmStep::from([this](const char* name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      if (found == variables_.end()) return std::nullopt;
      return found->second;
    });
  }
  std::string refusal() const {
    try {
      read();
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }
  Options completed(Options options = {}, unsigned usable = 64) const {
    read().value().complete(options, usable);
    return options;
  }

  std::map<std::string, std::string> variables_{{"SLURM_CLUSTER_NAME", "lab"},
                                                {"SLURM_JOB_ID", "4711"},
                                                {"SLURM_STEP_ID", "2"},
                                                {"SLURM_PROCID", "1"},
                                                {"SLURM_NTASKS", "3"},
                                                {"SLURM_STEP_NUM_TASKS", "3"},
                                                {"SLURM_NODEID", "1"},
                                                {"SLURM_CPUS_ON_NODE", "8"},
                                                {"SLURM_STEP_TASKS_PER_NODE", "1(x3)"},
                                                {"SLURM_STEP_NODELIST", "n[07-09]"},
                                                {"SLURM_SRUN_COMM_PORT", "43247"}};
};

TEST_F(AStep, the_first_task_is_the_driver_and_waits_for_all) {
  variables_["SLURM_PROCID"] = "0";
  const Options options = completed();
  EXPECT_EQ(options.role, Role::kDriver);
  EXPECT_EQ(options.nodes, 3u);
  EXPECT_EQ(options.listen, ":" + std::to_string(read()->port(options.slurm_ports)));
  EXPECT_THAT(options.peers, IsEmpty());
}

TEST_F(AStep, the_others_are_workers_that_dial_it_by_the_name_of_its_host) {
  const Options options = completed();
  EXPECT_EQ(options.role, Role::kWorker);
  EXPECT_THAT(options.peers, ElementsAre(Address{"n07", read()->port(options.slurm_ports)}));
  EXPECT_EQ(options.listen, "");
  EXPECT_EQ(options.discover, "off");
}

TEST_F(AStep, all_tasks_agree_on_launch_port_and_name_and_other_steps_have_others) {
  const SlurmStep one = read().value();
  variables_["SLURM_PROCID"] = "0";
  variables_["SLURM_NODEID"] = "0";
  const SlurmStep first = read().value();
  EXPECT_EQ(one.name, first.name);
  EXPECT_EQ(one.port("7000-7999"), first.port("7000-7999"));
  EXPECT_EQ(one.name, "lab-4711.2-0-43247");
  for (const auto& [name, value] : {std::pair{"SLURM_JOB_ID", "4712"},
                                    {"SLURM_STEP_ID", "3"},
                                    {"SLURM_RESTART_COUNT", "1"},
                                    {"SLURM_SRUN_COMM_PORT", "1"},
                                    {"SLURM_CLUSTER_NAME", "../evil/\n"}}) {
    const auto before = variables_;
    variables_[name] = value;
    EXPECT_NE(read()->name, one.name) << name;
    EXPECT_EQ(read()->name.find_first_of("/\n"), std::string::npos);
    variables_ = before;
  }
}

TEST_F(AStep, steps_of_one_job_have_ports_of_their_own_within_the_range) {
  SlurmStep step = read().value();
  std::map<std::uint16_t, int> ports;
  for (step.step = 0; step.step < 16; ++step.step) {
    const std::uint16_t port = step.port("7000-7099");
    EXPECT_EQ(port % 2, 0);
    EXPECT_TRUE(port >= 7000 && port + 1 <= 7099) << port;
    ++ports[port];
  }
  EXPECT_EQ(ports.size(), 16u);
  step.job = UINT32_MAX;
  EXPECT_EQ(step.port("7400"), 7400);
  EXPECT_EQ(step.port("7400-7401"), 7400);
}

TEST_F(AStep, what_somebody_has_decided_stays) {
  variables_["PP_NODES"] = "1";
  variables_["PP_DISCOVER"] = "on";
  Options given;
  given.workers = 5;
  given.launch = "mine";
  given.listen = "10.0.0.1:7000";
  const Options worker = completed(given);
  EXPECT_EQ(worker.nodes, 1u);
  EXPECT_EQ(worker.discover, "on");
  EXPECT_EQ(worker.workers, 5u);
  EXPECT_EQ(worker.launch, "mine");
  EXPECT_EQ(worker.listen, "") << "it is the driver's";
  EXPECT_THAT(worker.peers, ElementsAre(Address{"n07", 7000}));
  variables_["SLURM_PROCID"] = "0";
  EXPECT_EQ(completed(given).listen, "10.0.0.1:7000");
  given.listen = ":0";
  EXPECT_EQ(completed(given).listen, ":" + std::to_string(read()->port(given.slurm_ports)));
}

TEST_F(AStep, who_leaves_has_left_before_slurm_kills) {
  EXPECT_EQ(completed().drain, seconds(25));
  Options given;
  given.drain = seconds(5);
  EXPECT_EQ(completed(given).drain, seconds(5));
  variables_["PP_DRAIN"] = "90000";
  given.drain = seconds(90);
  EXPECT_EQ(completed(given).drain, seconds(90));
}

TEST_F(AStep, workers_are_the_cores_that_the_task_has) {
  EXPECT_EQ(completed().workers, 8u);
  EXPECT_EQ(completed({}, 3).workers, 3u) << "it is bound to these";
  variables_["SLURM_STEP_TASKS_PER_NODE"] = "2,4(x2)";
  EXPECT_EQ(completed().workers, 2u) << "not bound: a share of the host's";
  variables_["SLURM_NODEID"] = "0";
  EXPECT_EQ(completed().workers, 4u);
  variables_["SLURM_STEP_TASKS_PER_NODE"] = "16(x3)";
  EXPECT_EQ(completed().workers, 1u);
  variables_["SLURM_CPUS_PER_TASK"] = "6";
  EXPECT_EQ(completed().workers, 6u);
  variables_.erase("SLURM_CPUS_PER_TASK");
  variables_.erase("SLURM_CPUS_ON_NODE");
  EXPECT_EQ(completed().workers, std::nullopt) << "as without Slurm";
}

TEST_F(AStep, where_somebody_wrote_down_who_runs_where_any_host_may_have_the_driver) {
  variables_["SLURM_DISTRIBUTION"] = "arbitrary";
  const Options options = completed();
  ASSERT_EQ(options.peers.size(), 3u);
  EXPECT_EQ(options.peers.back().host, "n09");
}

TEST_F(AStep, nothing_else_is_taken_for_one) {
  for (const char* name : {"SLURM_PROCID", "SLURM_STEP_NODELIST"}) {
    const auto before = variables_;
    variables_.erase(name);
    EXPECT_FALSE(read()) << name;
    variables_ = before;
  }
  variables_["PP_ROLE"] = "worker";
  EXPECT_FALSE(read()) << "a launcher has decided";
  variables_.erase("PP_ROLE");
  variables_["SLURM_STEP_NUM_TASKS"] = "1";
  variables_["SLURM_NTASKS"] = "8";
  EXPECT_FALSE(read()) << "a shell inside an allocation of 8 tasks";
  variables_.erase("SLURM_STEP_NUM_TASKS");
  EXPECT_TRUE(read());
  variables_.erase("SLURM_NTASKS");
  EXPECT_FALSE(read());
}

TEST_F(AStep, nonsense_is_refused_with_its_name_and_a_way_out) {
  for (const auto& [name, value, expected] :
       {std::tuple{"SLURM_PROCID", "3", "a number from 0 to 2"},
        {"SLURM_PROCID", "-1", "a number from 0 to 2"},
        {"SLURM_STEP_NUM_TASKS", "many", "a number from 1 to 100000"},
        {"SLURM_STEP_NUM_TASKS", "99999999999999999999", "a number from 1 to 100000"},
        {"SLURM_JOB_ID", "x", "a number"},
        {"SLURM_STEP_NODELIST", "n[1-", "Slurm's node list"},
        {"SLURM_STEP_TASKS_PER_NODE", "2(x", "something like 2(x3),1"},
        {"SLURM_STEP_TASKS_PER_NODE", "2(x1),", "something like 2(x3),1"},
        {"SLURM_STEP_TASKS_PER_NODE", "99999999(x3)", "something like 2(x3),1"},
        {"SLURM_CPUS_PER_TASK", "0", "a number from 1"},
        {"SLURM_JOB_END_TIME", "soon", "a number"}}) {
    const auto before = variables_;
    variables_[name] = value;
    EXPECT_THAT(refusal(), AllOf(HasSubstr(std::string(name) + "="), HasSubstr(expected),
                                 HasSubstr("PP_SLURM=off")))
        << name << "=" << value;
    variables_ = before;
  }
  variables_["SLURM_JOB_ID"] = "\x1b[31m";
  EXPECT_THAT(refusal(), Not(HasSubstr("\x1b")));
}

TEST_F(AStep, ports_are_one_or_a_range) {
  for (const char* good : {"1", "7400", "7400-7499", "65534", "1-65534", "7400-7400"})
    EXPECT_NO_THROW(check_slurm_ports(good)) << good;
  for (const char* bad :
       {"", "0", "65535", "7499-7400", "7400-", "-7400", "7400-7499-7500", "a", "7400 "}) {
    EXPECT_THROW(check_slurm_ports(bad), Error) << bad;
  }
}

TEST_F(AStep, an_end_is_known_where_slurm_tells_one) {
  EXPECT_FALSE(read()->end);
  variables_["SLURM_JOB_END_TIME"] = "0";
  EXPECT_FALSE(read()->end);
  variables_["SLURM_JOB_END_TIME"] = "4294967295";
  EXPECT_FALSE(read()->end) << "no limit";
  variables_["SLURM_JOB_END_TIME"] = "1700000000";
  EXPECT_EQ(read()->end, std::chrono::system_clock::time_point(seconds(1'700'000'000)));
}

TEST_F(AStep, a_worker_begins_to_leave_in_time_but_not_in_the_middle_of_a_short_run) {
  EXPECT_EQ(SlurmStep::time_to_leave(seconds(3600), seconds(25)), seconds(25));
  EXPECT_EQ(SlurmStep::time_to_leave(seconds(60), seconds(25)), seconds(15));
  EXPECT_EQ(SlurmStep::time_to_leave(seconds(-5), seconds(25)), seconds(0));
}

TEST(SlurmAddress, is_read_from_what_scontrol_prints) {
  EXPECT_EQ(discovery::node_address_in(
                "NodeName=n1 Arch=x86_64 NodeAddr=10.1.2.3 NodeHostName=n1 Port=6818"),
            "10.1.2.3");
  EXPECT_EQ(discovery::node_address_in("NodeAddr=fd00::3\n"), "fd00::3");
  for (const char* text :
       {"", "Node n1 not found", "NodeAddr=", "NodeAddr= x", "NodeAddr=a;b", "NodeAddr=\x1b[31m"}) {
    EXPECT_EQ(discovery::node_address_in(text), std::nullopt) << text;
  }
  EXPECT_EQ(discovery::node_address_in("NodeAddr=" + std::string(256, 'a')), std::nullopt);
}

TEST(SlurmAddress, is_not_asked_for_where_the_name_serves) {
  EXPECT_EQ(discovery::slurm_address("127.0.0.1"), std::nullopt);
  EXPECT_EQ(discovery::slurm_address("--version"), std::nullopt);
}

class AStepKey : public testing::Test {
 protected:
  AStepKey() {
    std::string name = testing::TempDir() + "step_key_XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~AStepKey() override { std::filesystem::remove_all(folder_); }

  std::size_t files() const {
    const auto each = std::filesystem::directory_iterator(folder_);
    return static_cast<std::size_t>(std::distance(begin(each), end(each)));
  }
  StepKey wait(milliseconds limit) const {
    return StepKey::wait_for(folder_, "s", limit, [](const std::string&) {});
  }
  std::string failure_to_wait() const {
    try {
      wait(milliseconds(0));
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }
  void write(const std::string& text, mode_t mode) const {
    std::ofstream(file_) << text;
    ::chmod(file_.c_str(), mode);
  }

  std::filesystem::path folder_;
  const std::filesystem::path& file_ = path_;

 private:
  std::filesystem::path path_;

 protected:
  void SetUp() override { path_ = folder_ / "s.step-key"; }
};

TEST_F(AStepKey, what_the_first_task_makes_the_others_read) {
  StepKey made = StepKey::make(folder_, "s");
  const StepKey found = wait(seconds(60));
  EXPECT_EQ(ClusterKey::load(made.file()).fingerprint(),
            ClusterKey::load(found.file()).fingerprint());
  struct stat status {};
  ASSERT_EQ(::stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  made.remove();
  EXPECT_EQ(files(), 0u);
  EXPECT_EQ(ClusterKey::load(made.file()).fingerprint(),
            ClusterKey::load(found.file()).fingerprint())
      << "it can be read by who has it open";
}

TEST_F(AStepKey, only_who_made_it_removes_it) {
  {
    const StepKey made = StepKey::make(folder_, "s");
    { const StepKey found = wait(seconds(60)); }
    EXPECT_EQ(files(), 1u);
  }
  EXPECT_EQ(files(), 0u);
}

TEST_F(AStepKey, it_is_waited_for) {
  std::optional<StepKey> found;
  std::thread waits([&] { found.emplace(wait(seconds(60))); });
  const StepKey made = StepKey::make(folder_, "s");
  waits.join();
  EXPECT_EQ(ClusterKey::load(made.file()).fingerprint(),
            ClusterKey::load(found->file()).fingerprint());
}

TEST_F(AStepKey, what_another_step_left_under_this_name_is_replaced) {
  write("pp-key-1:old\n", 0600);
  const StepKey made = StepKey::make(folder_, "s");
  EXPECT_NO_THROW(ClusterKey::load(wait(seconds(60)).file()));
}

TEST_F(AStepKey, a_wait_in_vain_names_the_file_and_what_to_do) {
  EXPECT_THAT(failure_to_wait(), AllOf(HasSubstr(file_.string()), HasSubstr("PP_JOIN_TIMEOUT"),
                                       HasSubstr("PP_SLURM_FOLDER"), HasSubstr("PP_KEY_FILE")));
}

TEST_F(AStepKey, a_file_that_others_can_read_is_no_key_of_ours) {
  write("pp-key-1:...\n", 0640);
  EXPECT_THAT(failure_to_wait(), HasSubstr("nobody else can read"));
}

TEST_F(AStepKey, a_link_to_some_other_file_is_no_key_of_ours) {
  std::filesystem::create_symlink("/dev/null", file_);
  EXPECT_THAT(failure_to_wait(), HasSubstr("the step's key"));
}

TEST_F(AStepKey, root_does_not_take_a_key_that_another_user_laid_there) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make files of others";
  { StepKey::make(folder_, "t"); }
  ClusterKey::generate().save(file_);
  ASSERT_EQ(::chown(file_.c_str(), 12345, 12345), 0);
  EXPECT_THAT(failure_to_wait(), HasSubstr("of uid 12345"));
}

TEST_F(AStepKey, a_folder_that_is_not_there_is_named) {
  try {
    StepKey::make(folder_ / "none", "s");
    ADD_FAILURE() << "made";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("/none/"), HasSubstr("PP_SLURM_FOLDER")));
  }
}

TEST_F(AStepKey, the_usual_folder_is_the_users_alone) {
  const std::filesystem::path usual = StepKey::usual_folder(folder_.c_str());
  StepKey::make_folder(usual);
  StepKey::make_folder(usual);  // again is as well
  EXPECT_EQ(std::filesystem::status(usual).permissions(), std::filesystem::perms::owner_all);
  EXPECT_THROW(StepKey::usual_folder(nullptr), Error);
  EXPECT_THROW(StepKey::usual_folder("relative"), Error);
}

TEST_F(AStepKey, keys_left_behind_for_days_are_swept_away_and_nothing_else) {
  write("old", 0600);
  std::ofstream(folder_ / "cluster.key") << "somebody's";
  std::ofstream(folder_ / "young.step-key") << "new";
  for (const char* name : {"s.step-key", "cluster.key"}) {
    std::filesystem::last_write_time(
        folder_ / name, std::filesystem::file_time_type::clock::now() - std::chrono::hours(72));
  }
  StepKey::sweep(folder_);
  EXPECT_FALSE(std::filesystem::exists(file_));
  EXPECT_EQ(files(), 2u);
  StepKey::sweep(folder_ / "none");
}

}  // namespace
}  // namespace pp::runtime
