// Nodes that find each other: on hosts joined by a bridge, by multicast or by what was written down
// for them.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "on_hosts.hpp"

namespace pp::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Lt;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr char kGroup[] = "239.255.77.80";
constexpr char kGroupPort[] = "7707";

class Discovery : public OnHosts {
 protected:
  std::string key_;

  void SetUp() override {
    OnHosts::SetUp();
    if (!IsSkipped()) key_ = new_key("key");
  }

  // A node per host, started in any order; the driver is on host 0. They count one tree together.
  void expect_that_all_count_one_tree(const Hosts& hosts,
                                      const std::function<Environment(int host)>& how) {
    std::vector<int> order(hosts.count());
    for (int i = 0; i < hosts.count(); ++i) order[i] = i;
    std::mt19937 random = seeded();
    std::ranges::shuffle(order, random);
    const std::vector<std::string> program{UTS_PROGRAM, "--tree", "T1", "-g", "20", "--stats"};
    Nodes nodes(order.size());
    for (const int host : order) {
      const std::string all = "PP_NODES=" + std::to_string(hosts.count());
      const Environment environment =
          host == 0 ? driver_with(key_, together(how(0), {all})) : worker_with(key_, how(host));
      nodes[host] = start(hosts.on(host, program), environment);
    }
    Process& driver = *nodes[0];
    EXPECT_EQ(driver.wait(seconds{240}), 0) << driver.err();
    EXPECT_THAT(driver.out(), HasSubstr("4130071 nodes, depth 10, 3305118 leaves"));
    EXPECT_THAT(driver.out(), HasSubstr(std::to_string(hosts.count()) + " nodes, "));
    EXPECT_THAT(driver.out(), ContainsRegex("[1-9][0-9]* jobs of this node lent"));
  }

  // Driver on host 0 and worker on host 1 meet on a second network; eth0 of one of them is dead.
  void expect_that_they_meet_although_the_first_interface_leads_nowhere_of(int host) {
    Hosts hosts(2);
    hosts.add_second_network({0, 1});
    hosts.lead_nowhere(host);
    const auto driver = start_held(hosts, 0, driver_with(key_));
    const auto worker = start(hosts.on(1, {SPREAD_PROGRAM}), worker_with(key_));
    ask_until(*driver, "nodes", "nodes 2");
    expect_work_on(*driver, *worker);
  }

  // "ignored FOREIGN FORGED REPLAYED MALFORMED", as a held driver answers.
  struct Ignored {
    std::uint64_t foreign = 0, forged = 0, replayed = 0, malformed = 0;
  };
  static Ignored ignored_by(Process& driver) {
    std::istringstream answer(ask(driver, "ignored"));
    std::string word;
    Ignored ignored;
    answer >> word >> ignored.foreign >> ignored.forged >> ignored.replayed >> ignored.malformed;
    EXPECT_TRUE(answer) << answer.str();
    return ignored;
  }

  static Environment without_multicast(const Environment& more) {
    return together({"PP_DISCOVER=off"}, more);
  }
};

TEST_F(Discovery, of_eight_nodes_in_any_order_needs_nothing_but_the_key) {
  const Hosts hosts(8);
  expect_that_all_count_one_tree(hosts, [](int) { return Environment{}; });
}

// Each worker knows the one before it, and only the first of them knows the driver: whoever does
// not pass on whom it has met leaves the driver with two nodes.
TEST_F(Discovery, of_eight_nodes_needs_no_multicast_where_each_knows_one_other) {
  const Hosts hosts(8);
  const auto at = [&](int host) { return hosts.address(host) + ":7400"; };
  expect_that_all_count_one_tree(hosts, [&](int host) {
    Environment how = without_multicast({"PP_LISTEN=" + at(host)});
    if (host > 0) how.push_back("PP_PEERS=" + at(host - 1));
    return how;
  });
}

TEST_F(Discovery, of_a_seed_works_over_IPv6) {
  const Hosts hosts(2);
  const auto at = [&](int host) { return "[" + hosts.address_v6(host) + "]:7400"; };
  const auto driver =
      start_held(hosts, 0, driver_with(key_, without_multicast({"PP_LISTEN=" + at(0)})));
  const auto worker =
      start(hosts.on(1, {SPREAD_PROGRAM}),
            worker_with(key_, without_multicast({"PP_LISTEN=" + at(1), "PP_PEERS=" + at(0)})));
  ask_until(*driver, "nodes", "nodes 2");
  expect_work_on(*driver, *worker);
}

TEST_F(Discovery, works_where_there_is_no_IPv4) {
  Hosts hosts(2);
  hosts.drop_v4(0);
  hosts.drop_v4(1);
  const auto driver = start_held(hosts, 0, driver_with(key_));
  const auto worker = start(hosts.on(1, {SPREAD_PROGRAM}), worker_with(key_));
  ask_until(*driver, "nodes", "nodes 2");
  expect_work_on(*driver, *worker);
}

// Beacons of the others are never answered by a connection: nobody is refused, because nobody
// tries.
TEST_F(Discovery, keeps_clusters_with_different_keys_apart_and_says_that_it_saw_the_other) {
  const Hosts hosts(4);
  const std::string other_key = new_key("other key");
  const auto driver = start_held(hosts, 0, driver_with(key_));
  const auto other_driver = start_held(hosts, 1, driver_with(other_key));
  const auto worker = start(hosts.on(2, {SPREAD_PROGRAM}), worker_with(key_));
  const auto other_worker = start(hosts.on(3, {SPREAD_PROGRAM}), worker_with(other_key));
  for (Process* each : {driver.get(), other_driver.get()}) {
    ask_until(*each, "nodes", "nodes 2");
    each->wait_for_line("another cluster");
  }
  expect_work_on(*driver, *worker);
  expect_work_on(*other_driver, *other_worker);
  for (Process* each : {driver.get(), other_driver.get()}) {
    EXPECT_EQ(ask(*each, "nodes"), "nodes 2");
    EXPECT_EQ(ask(*each, "refused"), "refused 0");
    const Ignored ignored = ignored_by(*each);
    EXPECT_GT(ignored.foreign, 0u);
    EXPECT_EQ(ignored.forged, 0u);
    EXPECT_EQ(ignored.replayed, 0u);
    EXPECT_EQ(ignored.malformed, 0u);
    each->write_input("statistics\n");
    EXPECT_THAT(
        each->wait_for_line("Time elapsed"),
        ContainsRegex("; [1-9][0-9]* beacons? of (another cluster|other clusters) ignored"));
  }
}

// The noise has heard all beacons from the first: of those that are there and of one that was
// killed. Played again, changed or not, they must neither remove the ones nor bring back the other,
// and what is said of them must not fill the log.
TEST_F(Discovery, is_not_changed_by_forged_and_replayed_beacons) {
  const Hosts hosts(6);
  const std::string where = std::string("PP_DISCOVER=group=") + kGroup + ",port=" + kGroupPort;
  Process noise(hosts.on(5, {BEACON_NOISE_PROGRAM, kGroup, kGroupPort, hosts.address(5),
                             std::to_string(seeded()())}),
                held_open());
  noise.wait_for_line("listening");
  const auto driver = start_held(hosts, 0, driver_with(key_, {where, "PP_NAME=driver"}));
  Nodes workers;
  for (int host = 1; host < 5; ++host) {
    workers.push_back(start(hosts.on(host, {SPREAD_PROGRAM}),
                            worker_with(key_, {where, "PP_NAME=worker-" + std::to_string(host)})));
  }
  ask_until(*driver, "nodes", "nodes 5");
  noise.wait_for_line("heard one");
  workers[3]->signal(SIGKILL);
  ask_until(*driver, "nodes", "nodes 4");

  constexpr int kTrees = 3;
  for (int i = 0; i < kTrees; ++i) {
    EXPECT_THAT(ask(*driver, "tree T1 20"), HasSubstr("is met"));
    EXPECT_THAT(members(*driver),
                UnorderedElementsAre("driver", "worker-1", "worker-2", "worker-3"));
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(workers[i]->running());
    expect_work_on(*driver, *workers[i]);
  }
  const Ignored ignored = ignored_by(*driver);
  EXPECT_GT(ignored.forged, 0u);
  EXPECT_GT(ignored.replayed, 0u);
  EXPECT_GT(ignored.malformed, 0u);
  driver->write_input("statistics\n");
  EXPECT_THAT(
      driver->wait_for_line("Time elapsed"),
      ContainsRegex("[1-9][0-9]* replayed and [1-9][0-9]* malformed (beacon|one)s? ignored"));
  noise.close_input();
  EXPECT_EQ(noise.wait(), 0) << noise.err();
  EXPECT_THAT(noise.out(), ContainsRegex("sent [1-9][0-9][0-9]"));
  EXPECT_THAT(lines_with(driver->err(), "pp "), SizeIs(Lt(50u))) << driver->err();
}

TEST_F(Discovery, meets_a_worker_although_its_first_interface_leads_nowhere) {
  expect_that_they_meet_although_the_first_interface_leads_nowhere_of(1);
}

TEST_F(Discovery, meets_a_driver_although_its_first_interface_leads_nowhere) {
  expect_that_they_meet_although_the_first_interface_leads_nowhere_of(0);
}

// A line is added in place, as by an editor's `>>`, then the whole file is replaced, as by a tool
// that writes a new one and renames it. The workers' own file names nobody but themselves.
TEST_F(Discovery, reads_a_hosts_file_again_when_it_gains_a_line) {
  const Hosts hosts(3);
  const auto at = [&](int host) { return hosts.address(host) + ":7400"; };
  const std::string file = folder_ / "hosts";
  std::ofstream(file) << at(0) << '\n';
  const auto driver = start_held(
      hosts, 0,
      driver_with(key_, without_multicast({"PP_LISTEN=" + at(0), "PP_HOSTS_FILE=" + file})));
  Nodes workers;
  for (const int host : {1, 2}) {
    const std::string own_file = folder_ / ("hosts of " + std::to_string(host));
    std::ofstream(own_file) << at(host) << '\n';
    workers.push_back(start(hosts.on(host, {SPREAD_PROGRAM}),
                            worker_with(key_, without_multicast({"PP_LISTEN=" + at(host),
                                                                 "PP_HOSTS_FILE=" + own_file}))));
  }
  EXPECT_EQ(ask(*driver, "nodes"), "nodes 1");

  std::ofstream(file, std::ios::app) << at(1) << '\n';
  ask_until(*driver, "nodes", "nodes 2");
  expect_work_on(*driver, *workers[0]);

  std::ofstream(file + ".new") << at(0) << '\n' << at(1) << '\n' << at(2) << '\n';
  std::filesystem::rename(file + ".new", file);
  ask_until(*driver, "nodes", "nodes 3");
  expect_work_on(*driver, *workers[1]);
}

TEST_F(Discovery, by_a_shared_folder_needs_no_multicast) {
  const Hosts hosts(3);
  const std::string folder = folder_ / "meeting place";
  std::filesystem::create_directory(folder);
  const Environment how = without_multicast({"PP_FOLDER=" + folder});
  const auto driver = start_held(hosts, 0, driver_with(key_, how));
  const auto first = start(hosts.on(1, {SPREAD_PROGRAM}), worker_with(key_, how));
  const auto second = start(hosts.on(2, {SPREAD_PROGRAM}), worker_with(key_, how));
  ask_until(*driver, "nodes", "nodes 3");
  expect_work_on(*driver, *first);
  expect_work_on(*driver, *second);
}

class CutOff : public Discovery {
 protected:
  // Three nodes; a host is without its link until nobody counts it any more, then it is back.
  void expect_that_all_work_again_after_a_cut_of(int host, const std::string& nodes_meanwhile) {
    Hosts hosts(3);
    const auto driver = start_held(hosts, 0, driver_with(key_));
    const auto first = start(hosts.on(1, {SPREAD_PROGRAM}), worker_with(key_));
    const auto second = start(hosts.on(2, {SPREAD_PROGRAM}), worker_with(key_));
    ask_until(*driver, "nodes", "nodes 3");
    expect_work_on(*driver, *first);
    hosts.link_down(host);
    ask_until(*driver, "nodes", nodes_meanwhile);
    EXPECT_THAT(ask(*driver, "tree T1 5"), HasSubstr("is met"));
    hosts.link_up(host);
    ask_until(*driver, "nodes", "nodes 3");
    expect_work_on(*driver, *first);
    expect_work_on(*driver, *second);
    EXPECT_THAT(ask(*driver, "tree T1 5"), HasSubstr("is met"));
  }
};

TEST_F(CutOff, a_worker_that_comes_back_is_a_member_again_and_works) {
  expect_that_all_work_again_after_a_cut_of(1, "nodes 2");
}

TEST_F(CutOff, a_driver_that_comes_back_finds_its_workers_again) {
  expect_that_all_work_again_after_a_cut_of(0, "nodes 1");
}

}  // namespace
}  // namespace pp::test
