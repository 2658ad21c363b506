// Resuming: a program that is started again gives what it would have given, and repeats nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <pp/pp.hpp>
#include <ranges>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtimes.hpp"

namespace resume_test {

using pp::Batch;
using pp::JobOptions;
using pp::Options;
using pp::Runtime;
using pp::test::Gate;
using pp::test::Runtimes;
using testing::AllOf;
using testing::HasSubstr;

// While it is broken, the elements of which `fails` says so throw.
std::atomic<bool> broken{false};
bool fails(std::uint64_t n) { return n % 3 == 1 || (n > 700 && n < 800); }
void may_fail(std::uint64_t n) {
  if (broken && fails(n)) throw std::runtime_error("broken: " + std::to_string(n));
}

// How often each element was run to its end, in this process.
std::vector<std::atomic<int>> runs(1 << 17);
void reset_runs() {
  for (auto& n : runs) n = 0;
}
void ran(std::uint64_t n) { ++runs[n]; }

std::uint64_t squared(std::uint64_t n, std::uint64_t by) {
  may_fail(n);
  ran(n);
  return n * n * by;
}
bool odd(int n) {
  may_fail(static_cast<std::uint64_t>(n));
  return n % 2 != 0;
}
std::string spelled(std::uint64_t n, const std::string& before) {
  may_fail(n);
  return before + std::string(n % 50, 'x');
}
std::unique_ptr<int> boxed(int n) {
  may_fail(static_cast<std::uint64_t>(n));
  return n % 5 == 0 ? nullptr : std::make_unique<int>(n);
}
void noted(std::uint64_t n) {
  may_fail(n);
  ran(n);
}
std::uint64_t drawn(std::uint64_t n) {
  may_fail(n);
  return pp::this_job().random()();
}
double term(std::uint64_t n) {
  may_fail(n / 1'000);
  ran(n);
  return std::sin(static_cast<double>(n));
}
std::uint64_t square(std::uint64_t n) { return n * n; }
std::uint64_t sum_of_squares(std::uint64_t n) {
  may_fail(n);
  const std::vector<std::uint64_t> squares =
      pp::map<square>(std::views::iota(std::uint64_t{0}, n)).get();
  return std::accumulate(squares.begin(), squares.end(), std::uint64_t{0});
}

class Resumed : public testing::TestWithParam<std::size_t> {
 protected:
  Resumed() {
    std::string pattern = (std::filesystem::temp_directory_path() / "pp_resume_XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    broken = false;
    reset_runs();
  }
  ~Resumed() override { std::filesystem::remove_all(folder_); }

  Options options(bool logged) const {
    Options options;
    if (logged) {
      options.joblog = folder_ + "/log";
      options.resume = true;
    }
    return options;
  }

  // A whole life of a program.
  template <class Body>
  auto run(Body body, bool logged = true) {
    Runtimes nodes(GetParam(), 1, options(logged));
    return body(nodes.first());
  }
  // The program as nobody disturbs it; its first life, in which some elements fail; its second one.
  // The results of the first and the last are the same. Returns how many elements the second took.
  template <class Program>
  std::uint64_t expect_the_same_resumed(Program program) {
    const auto expected = run(program, false);
    broken = true;
    run([&](Runtime& rt) {
      EXPECT_THROW(program(rt), std::runtime_error);
      return 0;
    });
    broken = false;
    std::uint64_t taken = 0;
    const auto resumed = run([&](Runtime& rt) {
      auto results = program(rt);
      taken = rt.stats().resumed_elements;
      return results;
    });
    EXPECT_EQ(resumed, expected);
    return taken;
  }

  std::string folder_;
};

INSTANTIATE_TEST_SUITE_P(Nodes, Resumed, pp::test::on_one_and_on_three(), pp::test::nodes_name);

auto upto(std::uint64_t n) { return std::views::iota(std::uint64_t{0}, n); }
std::uint64_t failing(std::uint64_t n) {
  const auto all = upto(n);
  return static_cast<std::uint64_t>(std::ranges::count_if(all, fails));
}

TEST_P(Resumed, a_map_runs_what_had_failed_and_nothing_else) {
  constexpr std::uint64_t kElements = 20'000;
  const auto program = [](Runtime& rt) { return rt.map<squared>(upto(kElements), 3u).get(); };
  const auto expected = run(program, false);
  reset_runs();
  broken = true;
  run([&](Runtime& rt) {
    EXPECT_THROW(program(rt), std::runtime_error);
    return 0;
  });
  for (std::uint64_t n = 0; n < kElements; ++n) ASSERT_EQ(runs[n], fails(n) ? 0 : 1) << n;
  broken = false;
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(run(program), expected);
    for (std::uint64_t n = 0; n < kElements; ++n) ASSERT_EQ(runs[n], 1) << n;
  }
}

TEST_P(Resumed, results_of_any_kind_are_the_same) {
  std::vector<int> numbers(2'000);
  std::iota(numbers.begin(), numbers.end(), 0);
  // Each batch throws in the first life, so one program each.
  EXPECT_GT(expect_the_same_resumed([&](Runtime& rt) { return rt.map<odd>(numbers).get(); }), 0u);
  std::filesystem::remove(folder_ + "/log");
  EXPECT_GT(expect_the_same_resumed(
                [](Runtime& rt) { return rt.map<spelled>(upto(2'000), "before ").get(); }),
            0u);
  std::filesystem::remove(folder_ + "/log");
  EXPECT_GT(expect_the_same_resumed([&](Runtime& rt) {
              std::vector<int> values;
              for (const auto& box : rt.map<boxed>(numbers).get())
                values.push_back(box ? *box : -1);
              return values;
            }),
            0u);
}

class ResumedAcross : public Resumed {};
INSTANTIATE_TEST_SUITE_P(Nodes, ResumedAcross, testing::Values(std::size_t{3}),
                         pp::test::nodes_name);

TEST_P(ResumedAcross, elements_that_were_run_elsewhere_are_kept_as_well) {
  EXPECT_EQ(expect_the_same_resumed([](Runtime& rt) {
              const JobOptions away{.where = pp::Where::not_here()};
              return rt.map<spelled>(away, upto(3'000), "").get();
            }),
            3'000 - failing(3'000));
}

TEST_P(Resumed, calls_without_a_result_are_not_repeated) {
  constexpr std::uint64_t kElements = 20'000;
  for (const bool fail : {true, false}) {
    broken = fail;
    run([&](Runtime& rt) {
      const Batch<void> batch = rt.parallel_for<noted>(0, kElements);
      batch.wait();
      EXPECT_EQ(batch.errors().size(), fail ? failing(kElements) : 0);
      return 0;
    });
  }
  for (std::uint64_t n = 0; n < kElements; ++n) ASSERT_EQ(runs[n], 1) << n;
}

// Its blocks are kept.
TEST_P(Resumed, a_reduction_has_the_same_bits) {
  reset_runs();
  const std::uint64_t taken = expect_the_same_resumed([](Runtime& rt) {
    return std::bit_cast<std::uint64_t>(
        rt.parallel_reduce<term, std::plus<>{}>(0, 100'000, 0.5).get());
  });
  EXPECT_GT(taken, 1'000u);
}

TEST_P(Resumed, elements_draw_the_numbers_that_they_would_have_drawn) {
  EXPECT_GT(expect_the_same_resumed([](Runtime& rt) {
              std::vector<std::uint64_t> all = rt.map<drawn>(upto(100)).get();
              const auto more = rt.map<drawn>(upto(3'000)).get();
              all.insert(all.end(), more.begin(), more.end());
              return all;
            }),
            0u);
}

TEST_P(Resumed, jobs_that_come_after_a_batch_draw_the_same_numbers_too) {
  const auto program = [](Runtime& rt) {
    rt.map<drawn>(upto(3'000)).get();
    return rt.submit<drawn>(std::uint64_t{2}).get();
  };
  const std::uint64_t expected = run(program, false);
  EXPECT_EQ(run(program), expected);
  EXPECT_EQ(run(program), expected);
}

TEST_P(Resumed, as_completed_gives_those_from_the_log_as_well) {
  broken = true;
  run([](Runtime& rt) {
    rt.map<squared>(upto(5'000), 1u).wait();
    return 0;
  });
  broken = false;
  run([](Runtime& rt) {
    const Batch<std::uint64_t> batch = rt.map<squared>(upto(5'000), 1u);
    EXPECT_GE(batch.done(), 5'000 - failing(5'000));
    std::vector<int> seen(5'000);
    for (auto&& [index, value] : batch.as_completed()) {
      ++seen[index];
      EXPECT_EQ(value, index * index);
    }
    EXPECT_EQ(std::ranges::count(seen, 1), 5'000);
    std::ostringstream printed;
    rt.print_stats(printed);
    EXPECT_THAT(printed.str(), HasSubstr("; " + std::to_string(5'000 - failing(5'000)) +
                                         " of 5000 elements taken from the job log"));
    return 0;
  });
}

TEST_P(Resumed, what_jobs_start_is_not_recorded) {
  EXPECT_EQ(
      expect_the_same_resumed([](Runtime& rt) { return rt.map<sum_of_squares>(upto(60)).get(); }),
      60 - failing(60));
  run([](Runtime& rt) {
    rt.map<sum_of_squares>(upto(60)).get();
    EXPECT_EQ(rt.stats().recorded_elements, 60u);
    rt.submit<sum_of_squares>(std::uint64_t{50}).get();
    EXPECT_EQ(rt.stats().recorded_elements, 60u);
    return 0;
  });
}

Gate gate;
std::uint64_t pass_gate(std::uint64_t n) {
  if (n % 100 == 7) gate.pass();
  ran(n);
  return n + 1;
}

TEST_P(Resumed, what_a_runtime_that_ended_had_not_begun_runs_in_the_next) {
  gate.close();
  run([](Runtime& rt) {
    const auto batch = rt.map<pass_gate>(upto(1'000));
    gate.wait_until_reached();
    std::thread opener([] { gate.open(); });
    opener.join();
    return 0;  // the rest fails with Closed
  });
  const auto results = run([](Runtime& rt) { return rt.map<pass_gate>(upto(1'000)).get(); });
  for (std::uint64_t n = 0; n < 1'000; ++n) {
    ASSERT_EQ(results[n], n + 1);
    // On three nodes, what others still ran when the owner ended was lost with it.
    if (GetParam() == 1) {
      ASSERT_EQ(runs[n], 1);
    } else {
      ASSERT_GE(runs[n], 1);
    }
  }
}

std::uint64_t until_stopped(std::uint64_t n) {
  gate.pass();
  if (broken) {
    while (!pp::this_job().stop_requested()) std::this_thread::yield();
    return 0;  // half of what it would have been
  }
  return n;
}

TEST_P(Resumed, what_was_told_to_stop_runs_again) {
  gate.close();
  gate.open();
  broken = true;
  run([](Runtime& rt) {
    const auto batch = rt.map<until_stopped>(upto(200));
    gate.wait_until_reached();
    batch.cancel();
    batch.wait();
    return 0;
  });
  broken = false;
  const auto all = upto(200);
  EXPECT_EQ(run([](Runtime& rt) { return rt.map<until_stopped>(upto(200)).get(); }),
            std::vector<std::uint64_t>(all.begin(), all.end()));
}

TEST_P(Resumed, empty_batches_have_their_places) {
  for (int life = 0; life < 2; ++life) {
    run([](Runtime& rt) {
      EXPECT_TRUE(rt.map<squared>(std::vector<std::uint64_t>{}, 1u).get().empty());
      EXPECT_EQ(rt.map<squared>(std::vector<std::uint64_t>{3}, 1u).get(),
                std::vector<std::uint64_t>{9});
      return 0;
    });
  }
  EXPECT_EQ(runs[3], 1);
}

// --- another program ---

template <class Start>
std::string refusal(Start start) {
  try {
    start();
  } catch (const pp::Error& error) {
    return error.what();
  }
  return "not refused";
}

TEST_P(Resumed, another_batch_in_the_place_of_one_is_refused) {
  run([](Runtime& rt) {
    rt.map<squared>(std::vector<std::uint64_t>{1, 2, 3}, 1u).get();
    rt.parallel_for<noted>(0, 10).get();
    return 0;
  });
  run([](Runtime& rt) {
    EXPECT_THAT(refusal([&] { rt.parallel_for<noted>(0, 10); }),
                AllOf(HasSubstr("batch 1 "), HasSubstr("10 calls of"), HasSubstr("noted"),
                      HasSubstr("3 calls of"), HasSubstr("squared")));
    EXPECT_THAT(refusal([&] {
                  rt.map<squared>(std::vector<std::uint64_t>{1, 2, 4}, 1u);
                }),
                HasSubstr("other elements or arguments"));
    EXPECT_THAT(refusal([&] {
                  rt.map<squared>(std::vector<std::uint64_t>{1, 2, 3}, 2u);
                }),
                HasSubstr("other elements or arguments"));
    // The one that fits is still welcome.
    rt.map<squared>(std::vector<std::uint64_t>{1, 2, 3}, 1u).get();
    EXPECT_THAT(refusal([&] { rt.parallel_for<noted>(0, 11); }), HasSubstr("batch 2 "));
    return 0;
  });
}

// --- values that do not want to be kept ---

std::atomic<bool> obstinate{false};
struct Obstinate {
  std::uint64_t n = 0;
  template <class Archive>
  void save(Archive& archive) const {
    if (obstinate) throw std::runtime_error("not to be saved");
    archive(n);
  }
  template <class Archive>
  void load(Archive& archive) {
    if (obstinate) throw std::runtime_error("not to be loaded");
    archive(n);
  }
};
Obstinate made(std::uint64_t n) {
  ran(n);
  return Obstinate{n};
}

void expect_all(const std::vector<Obstinate>& results) {
  ASSERT_EQ(results.size(), 10u);
  for (std::uint64_t n = 0; n < 10; ++n) EXPECT_EQ(results[n].n, n);
}

class ResumedHere : public Resumed {};
INSTANTIATE_TEST_SUITE_P(Nodes, ResumedHere, testing::Values(std::size_t{1}), pp::test::nodes_name);

TEST_P(ResumedHere, results_that_cannot_be_encoded_are_run_again) {
  testing::internal::CaptureStderr();
  for (const bool now : {true, false}) {
    obstinate = now;
    run([](Runtime& rt) {
      expect_all(rt.map<made>(upto(10)).get());
      return 0;
    });
  }
  for (std::uint64_t n = 0; n < 10; ++n) EXPECT_EQ(runs[n], 2);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("cannot be recorded"), HasSubstr("not to be saved")));
}

TEST_P(ResumedHere, results_that_cannot_be_decoded_are_run_again) {
  testing::internal::CaptureStderr();
  for (const bool now : {false, true}) {
    obstinate = now;
    run([](Runtime& rt) {
      expect_all(rt.map<made>(upto(10)).get());
      return 0;
    });
  }
  obstinate = false;
  for (std::uint64_t n = 0; n < 10; ++n) EXPECT_EQ(runs[n], 2);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("cannot be decoded"), HasSubstr("not to be loaded")));
}

// --- who has a log ---

TEST_P(ResumedHere, workers_have_no_log) {
  Options worker = options(true);
  worker.role = pp::Role::kWorker;
  const Runtime rt(std::make_unique<pp::runtime::Node>(worker, nullptr));
  EXPECT_FALSE(std::filesystem::exists(worker.joblog));
}

TEST_P(ResumedHere, a_log_that_exists_is_refused_by_who_does_not_resume) {
  run([](Runtime& rt) { return rt.map<squared>(upto(10), 1u).get(); });
  Options anew = options(true);
  anew.resume = false;
  EXPECT_THAT(refusal([&] { const Runtime rt(anew); }), HasSubstr("--resume"));
}

TEST_P(ResumedHere, to_resume_from_nothing_is_refused) {
  Options options;
  options.resume = true;
  EXPECT_THAT(refusal([&] { const Runtime rt(options); }), HasSubstr("Options::joblog"));
}

}  // namespace resume_test
