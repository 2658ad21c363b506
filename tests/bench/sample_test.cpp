// Samples: what a program prints is what we read, and nothing else is taken for a sample.
#include "sample.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pp/error.hpp>

namespace pp::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Sample, comes_back_as_it_was_printed) {
  const Sample full{"2 x 1, \"fabric\"", "M/s", 0.1, 2.0, "nodes"};
  const Sample least{"idle", "us", 1e-9, std::nullopt, ""};
  const Samples read = read_samples(to_line(full) + "\n" + to_line(least) + "\n");
  EXPECT_THAT(read.samples, ElementsAre(full, least));
}

TEST(Sample, lines_of_other_things_are_left_alone) {
  const Sample sample{"a", "us", 1, std::nullopt, ""};
  const Samples read = read_samples("[1] hello\n\n" + to_line(sample));  // no last end of line
  EXPECT_THAT(read.samples, ElementsAre(sample));
}

TEST(Sample, that_is_none_is_named) {
  for (const char* line : {"{", "{}", "{\"row\":\"a\"}", "{\"row\":1,\"unit\":2,\"value\":3}",
                           "{\"row\":\"a\",\"unit\":\"us\",\"value\":\"fast\"}",
                           "{\"row\":\"a\",\"unit\":\"us\",\"quantiles\":[1,2]}"}) {
    try {
      read_samples(line);
      ADD_FAILURE() << "accepted: " << line;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(line));
    }
  }
}

TEST(Distribution, comes_back_as_it_was_printed) {
  const Distribution printed = distribution_of("idle", "us", {3, 1, 2});
  EXPECT_EQ(printed.values.front(), 1);
  EXPECT_EQ(printed.values.back(), 3);
  EXPECT_EQ(printed.values.size(), kept_quantiles().size());
  EXPECT_THAT(read_samples(to_line(printed)).distributions, ElementsAre(printed));
}

}  // namespace
}  // namespace pp::bench
