// Shared objects, large arguments and large results, among nodes of one process.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <numeric>
#include <pp/cluster_key.hpp>
#include <pp/share.hpp>
#include <string>
#include <thread>
#include <vector>

#include "runtimes.hpp"

namespace pp {
namespace {

using namespace std::chrono_literals;
using Numbers = std::vector<std::uint64_t>;
using test::OnNodes;
using test::Runtimes;

// So that decoding and copying can be counted; all nodes are in this process.
std::atomic<int> decoded{0};

struct Table {
  Numbers numbers;

  template <class Archive>
  void save(Archive& archive) const {
    archive(numbers);
  }
  template <class Archive>
  void load(Archive& archive) {
    ++decoded;
    archive(numbers);
  }
};

Numbers numbers(std::size_t count, std::uint64_t first = 0) {
  Numbers all(count);
  std::iota(all.begin(), all.end(), first);
  return all;
}
std::uint64_t sum(const Numbers& all) {
  return std::accumulate(all.begin(), all.end(), std::uint64_t{0});
}

std::uint64_t sum_from(const Shared<Table>& table, std::uint64_t offset) {
  return sum(table->numbers) + offset;
}
std::uint64_t sum_plain(const Numbers& all, std::uint64_t offset) { return sum(all) + offset; }
std::uint64_t sum_two(std::uint64_t a, const Numbers& x, std::string s, const Numbers& y) {
  return a + sum(x) + s.size() + 3 * sum(y);
}
std::uint64_t sum_element(std::uint64_t element, const Numbers& all) { return element + sum(all); }
std::uint64_t size_of_element(const Numbers& element) { return sum(element); }

struct Letter {
  std::string text;
  std::vector<Shared<Table>> tables;
};
std::uint64_t read_letter(const Letter& letter) {
  std::uint64_t all = letter.text.size();
  for (const Shared<Table>& table : letter.tables)
    if (table) all += sum(table->numbers);
  return all;
}
std::uint64_t read_shared_letter(const Shared<Letter>& letter) { return read_letter(*letter); }
std::uint64_t pass_on(const Shared<Letter>& letter, Where where) {
  JobOptions options;
  options.where = where;
  return spawn<read_shared_letter>(std::move(options), letter).get();
}

Shared<Table> make_table(std::size_t count) { return share(Table{numbers(count)}); }
Shared<Table> give_back(Shared<Table> table) { return table; }
Numbers make_numbers(std::size_t count) { return numbers(count, 7); }

JobOptions away_from_here(Where where) {
  JobOptions options;
  options.where = std::move(where);
  return options;
}

class ShareOnNodes : public OnNodes {
 protected:
  JobOptions away() const { return away_from_here(OnNodes::away()); }
};
INSTANTIATE_TEST_SUITE_P(Nodes, ShareOnNodes, test::on_one_and_on_three(), test::nodes_name);

TEST_P(ShareOnNodes, jobs_read_a_shared_object) {
  const Shared<Table> table = share(Table{numbers(100'000)});
  std::vector<Future<std::uint64_t>> jobs;
  for (std::uint64_t i = 0; i < 20; ++i) jobs.push_back(rt_.submit<sum_from>(away(), table, i));
  for (std::uint64_t i = 0; i < 20; ++i) EXPECT_EQ(jobs[i].get(), sum(table->numbers) + i);
}

TEST_P(ShareOnNodes, it_travels_inside_of_other_values_and_of_shared_ones) {
  const Shared<Table> one = share(Table{numbers(1000)}), other = share(Table{numbers(50'000)});
  const Letter letter{"dear all", {one, Shared<Table>(), other, one}};
  const std::uint64_t expected = read_letter(letter);
  EXPECT_EQ(rt_.submit<read_letter>(away(), letter).get(), expected);
  EXPECT_EQ(rt_.submit<read_shared_letter>(away(), share(letter)).get(), expected);
}

TEST_P(ShareOnNodes, a_job_passes_on_what_it_was_given) {
  const Letter letter{std::string(100'000, 'x'), {share(Table{numbers(50'000)})}};
  const Where from_there = nodes_.size() > 1 ? Where::not_here() : Where::anywhere();
  // Where is no value that travels: a number stands for it.
  const auto job = [](Shared<Letter> shared, bool further) {
    return pass_on(shared, further ? Where::not_here() : Where::anywhere());
  };
  static_cast<void>(from_there);
  EXPECT_EQ(rt_.submit(away(), job, share(letter), nodes_.size() > 1).get(), read_letter(letter));
}

TEST_P(ShareOnNodes, a_result_may_be_shared_or_have_shared_ones) {
  const Future<Shared<Table>> made = rt_.submit<make_table>(away(), std::size_t{60'000});
  EXPECT_EQ(sum(made.get()->numbers), sum(numbers(60'000)));
  const Shared<Table> table = share(Table{numbers(10'000)});
  const Future<Shared<Table>> same = rt_.submit<give_back>(away(), table);
  EXPECT_EQ(same.get(), table);
  EXPECT_EQ(same.get().get(), table.get()) << "it was here all the time";
  // And on to the next.
  EXPECT_EQ(rt_.submit<sum_from>(away(), made.get(), std::uint64_t{1}).get(),
            sum(numbers(60'000)) + 1);
}

TEST_P(ShareOnNodes, maps_share_what_all_calls_have_in_common) {
  const Numbers common = numbers(200'000);
  const Batch<std::uint64_t> batch = rt_.map<sum_element>(away(), numbers(300), common);
  const std::vector<std::uint64_t>& all = batch.get();
  for (std::uint64_t i = 0; i < 300; ++i) EXPECT_EQ(all[i], i + sum(common));
  const auto shared = share(Table{common});
  const auto call = [](std::uint64_t i, const Shared<Table>& table) { return sum_from(table, i); };
  const auto batch2 = rt_.map(away(), call, numbers(300), shared);
  for (std::uint64_t i = 0; i < 300; ++i) EXPECT_EQ(batch2.get()[i], i + sum(common));
}

TEST_P(ShareOnNodes, large_arguments_and_results_come_as_they_went) {
  const Numbers x = numbers(20'000, 1), y = numbers(300'000, 2);
  EXPECT_EQ(rt_.submit<sum_two>(away(), std::uint64_t{5}, x, std::string("four"), y).get(),
            5 + sum(x) + 4 + 3 * sum(y));
  EXPECT_EQ(
      rt_.submit<sum_two>(away(), std::uint64_t{5}, Numbers(), std::string(70'000, 's'), y).get(),
      5 + 70'000 + 3 * sum(y));
  EXPECT_EQ(rt_.submit<make_numbers>(away(), std::size_t{500'000}).get(), numbers(500'000, 7));
}

// Takes its argument apart.
std::uint64_t use_up(Numbers all, std::string text, Numbers more) {
  const std::uint64_t result = sum(all) + text.size() + 3 * sum(more);
  std::fill(all.begin(), all.end(), 0);
  return result;
}
std::string repeat(const std::string& text) { return text + text; }
Task<Numbers> double_slowly(Numbers all) {
  for (std::uint64_t& one : all) one *= 2;
  co_return all;
}

TEST_P(ShareOnNodes, very_large_ones_that_one_job_alone_has) {
  const Numbers x = numbers(1'000'000, 3), y = numbers(700'000, 5);
  const std::string text(5'000'001, 't');
  EXPECT_EQ(rt_.submit<use_up>(away(), x, text, y).get(), sum(x) + text.size() + 3 * sum(y));
  EXPECT_EQ(rt_.submit<use_up>(away(), y, text, x).get(), sum(y) + text.size() + 3 * sum(x));
  EXPECT_EQ(rt_.submit<repeat>(away(), text).get(), text + text);
  EXPECT_EQ(rt_.submit<make_numbers>(away(), std::size_t{1'200'000}).get(), numbers(1'200'000, 7));
  const Numbers doubled = rt_.submit<double_slowly>(away(), x).get();
  ASSERT_EQ(doubled.size(), x.size());
  EXPECT_EQ(sum(doubled), 2 * sum(x));
}

TEST_P(ShareOnNodes, elements_of_a_map_may_be_large_as_well_as_its_results) {
  std::vector<Numbers> elements;
  for (std::uint64_t i = 0; i < 10; ++i) elements.push_back(numbers(400'000, i));
  const auto sums = rt_.map<size_of_element>(away(), elements);
  for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(sums.get()[i], sum(elements[i]));
  const auto made = rt_.map<make_numbers>(away(), std::vector<std::size_t>{3, 100'000, 200'000});
  EXPECT_EQ(made.get()[0], numbers(3, 7));
  EXPECT_EQ(made.get()[2], numbers(200'000, 7));
}

Task<std::uint64_t> sum_slowly(Numbers all, Shared<Table> table) {
  const Future<std::uint64_t> child = spawn<sum_plain>(all, std::uint64_t{1});
  co_return co_await child + sum(table->numbers);
}

TEST_P(ShareOnNodes, coroutines_too) {
  const Numbers all = numbers(100'000);
  EXPECT_EQ(rt_.submit<sum_slowly>(away(), all, share(Table{all})).get(), 2 * sum(all) + 1);
}

// ---- what it costs

std::uint64_t fetched_bytes(Runtimes& nodes) {
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) all += nodes[i].stats().fetched_bytes;
  return all;
}

TEST(Share, what_a_thousand_jobs_read_is_sent_once_per_node_and_decoded_once) {
  Runtimes nodes(3, 2);
  decoded = 0;
  const Shared<Table> table = share(Table{numbers(1'000'000)});
  std::vector<Future<std::uint64_t>> jobs;
  for (std::uint64_t i = 0; i < 1000; ++i)
    jobs.push_back(nodes.first().submit<sum_from>(away_from_here(Where::not_here()), table, i));
  for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_EQ(jobs[i].get(), sum(table->numbers) + i);
  EXPECT_LE(decoded, 2);
  EXPECT_GE(decoded, 1);
  EXPECT_EQ(fetched_bytes(nodes), static_cast<std::uint64_t>(decoded) * table.bytes());
  EXPECT_LE(nodes.first().stats().given_bytes, 2 * table.bytes());
}

TEST(Share, so_is_a_large_plain_argument_that_many_jobs_have) {
  Runtimes nodes(3, 2);
  const Numbers all = numbers(100'000);
  std::vector<Future<std::uint64_t>> jobs;
  for (std::uint64_t i = 0; i < 100; ++i)
    jobs.push_back(nodes.first().submit<sum_plain>(away_from_here(Where::not_here()), all, i));
  for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(jobs[i].get(), sum(all) + i);
  EXPECT_LE(fetched_bytes(nodes), 2 * (8 * all.size() + 8));
  const std::uint64_t before = fetched_bytes(nodes);
  // And the next time it is there already.
  for (std::uint64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(nodes.first()
                  .submit<sum_plain>(away_from_here(Where::node(nodes[1].nodes()[0].id)), all, i)
                  .get(),
              sum(all) + i);
  }
  EXPECT_LE(fetched_bytes(nodes), before + 8 * all.size() + 8);
}

// Nobody knows of the first that others like it will come; so each node may get it twice.
TEST(Share, so_is_a_very_large_one_but_for_the_first) {
  Runtimes nodes(3, 2);
  const Numbers all = numbers(1'000'000);
  std::vector<Future<std::uint64_t>> jobs;
  for (std::uint64_t i = 0; i < 30; ++i)
    jobs.push_back(nodes.first().submit<sum_plain>(away_from_here(Where::not_here()), all, i));
  for (std::uint64_t i = 0; i < 30; ++i) EXPECT_EQ(jobs[i].get(), sum(all) + i);
  EXPECT_LE(fetched_bytes(nodes), 3 * (8 * all.size() + 8));
}

// Over sockets, where parts of the argument lie in the queue of what goes out, as they lie in the
// job. Under AddressSanitizer, too: what it would catch is a part that is read when the job has run
// here and its arguments are gone.
TEST(Share, a_job_that_comes_back_while_its_argument_is_on_its_way_has_it_still) {
  const auto directory =
      std::filesystem::temp_directory_path() / ("pp-share-test-" + std::to_string(::getpid()));
  std::filesystem::create_directory(directory);
  Options options;
  options.workers = 1;
  options.listen = "127.0.0.1:0";
  options.key_file = directory / "key";
  options.fabric = "off";
  options.shared_memory = false;
  options.discover = "off";
  ClusterKey::generate().save(options.key_file);
  {
    Runtime owner(options);
    options.peers = {Address::parse(owner.address())};
    for (std::uint64_t round = 1; round <= 3; ++round) {
      owner.set_workers(0);
      auto other = std::make_unique<Runtime>(options);
      ASSERT_TRUE(owner.wait_for_nodes(2, 20s));
      const Numbers x = numbers(4'000'000, round), y = numbers(1'000'000, 2 * round);
      const Future<std::uint64_t> job = owner.submit<use_up>(x, std::string("four"), y);
      const std::uint64_t given = owner.stats().given_bytes;
      while (!job.ready() && owner.stats().given_bytes < given + round * 3'000'000)
        std::this_thread::yield();
      other.reset();
      owner.set_workers(1);
      EXPECT_EQ(job.get(), sum(x) + 4 + 3 * sum(y));
    }
  }
  std::filesystem::remove_all(directory);
}

TEST(Share, and_what_all_calls_of_a_map_have_in_common) {
  Runtimes nodes(3, 2);
  const Numbers all = numbers(1'000'000);
  const Batch<std::uint64_t> batch =
      nodes.first().map<sum_element>(away_from_here(Where::not_here()), numbers(1000), all);
  EXPECT_EQ(batch.get()[999], 999 + sum(all));
  EXPECT_LE(fetched_bytes(nodes), 2 * (8 * all.size() + 8));
}

TEST(Share, a_node_forgets_what_it_has_no_room_for_and_fetches_it_again) {
  Options options;
  options.cache_bytes = std::size_t{1} << 20;
  Runtimes nodes(2, 1, options);
  std::vector<Shared<Table>> tables;
  for (std::uint64_t i = 0; i < 4; ++i) tables.push_back(share(Table{numbers(100'000, i)}));
  for (int round = 0; round < 2; ++round) {
    for (const Shared<Table>& table : tables) {
      EXPECT_EQ(nodes.first()
                    .submit<sum_from>(away_from_here(Where::not_here()), table, std::uint64_t{0})
                    .get(),
                sum(table->numbers));
    }
  }
  EXPECT_EQ(nodes[1].stats().fetched, 8U);
}

TEST(Share, a_runtime_that_has_ended_leaves_what_its_futures_have) {
  Future<Shared<Table>> future;
  {
    Runtimes nodes(2);
    future =
        nodes.first().submit<make_table>(away_from_here(Where::not_here()), std::size_t{20'000});
    future.wait();
  }
  EXPECT_EQ(sum(future.get()->numbers), sum(numbers(20'000)));
}

TEST(Share, is_a_value_like_any_other_within_a_process) {
  const Shared<Table> none;
  EXPECT_FALSE(none);
  EXPECT_EQ(none.get(), nullptr);
  EXPECT_EQ(none.bytes(), 0U);
  const Shared<Table> a = share(Table{numbers(10)}), b = share(Table{numbers(10)}),
                      c = share(Table{numbers(11)});
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
  EXPECT_NE(a, none);
  EXPECT_EQ(a.bytes(), 88U);
  EXPECT_EQ(none, Shared<Table>());
  const auto boxed = share(std::make_unique<int>(3));  // what cannot be copied is given away
  EXPECT_EQ(**boxed, 3);
  codec::Bytes bytes;
  codec::encode(bytes, a);
  EXPECT_THROW(codec::decode_whole<Shared<Table>>(bytes), codec::DecodeError);
}

// A value of a gigabyte, there and back. It takes 5 GiB of memory: only when asked for.
TEST(Share, a_gigabyte_travels) {
  if (std::getenv("PP_TEST_LARGE") == nullptr) GTEST_SKIP() << "set PP_TEST_LARGE=1 to run it";
  Runtimes nodes(2);
  const auto there_and_back = [](std::string text) { return text; };
  std::string text(std::size_t{1} << 30, 'x');
  text.back() = 'y';
  Future<std::string> job =
      nodes.first().submit(away_from_here(Where::not_here()), there_and_back, std::move(text));
  const std::string& back = job.get();
  EXPECT_EQ(back.size(), std::size_t{1} << 30);
  EXPECT_EQ(back.back(), 'y');
  EXPECT_EQ(nodes[1].stats().fetched, 1U);
}

}  // namespace
}  // namespace pp
