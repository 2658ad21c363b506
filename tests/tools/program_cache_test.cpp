// ProgramCache: programs appear whole or not at all.
#include "program_cache.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <pp/error.hpp>

#include "process.hpp"

namespace pp::tools::daemon {
namespace {

using testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

class Cache : public testing::Test {
 protected:
  std::size_t files() const {
    std::filesystem::directory_iterator all(folder / "cache");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }
  void bring(ProgramCache& cache, const std::string& what) {
    ASSERT_FALSE(cache.make_room(runtime::content_hash(bytes_of(what)), what.size()));
    ProgramCache::Arrival arrival(cache, runtime::content_hash(bytes_of(what)), what.size());
    ASSERT_FALSE(arrival.add(bytes_of(what)));
    ASSERT_FALSE(arrival.finish());
  }

  test::Folder folder;
  const std::string program = "#!/bin/sh\necho it runs\n";
  const runtime::ContentHash hash = runtime::content_hash(bytes_of(program));
};

TEST_F(Cache, a_program_that_came_can_be_run_now_and_after_a_restart) {
  {
    ProgramCache cache(folder / "cache", 1000);
    EXPECT_FALSE(cache.hold(hash, program.size()));
    bring(cache, program);
    const auto file = cache.hold(hash, program.size());
    ASSERT_TRUE(file);
    test::Process run({file->string()});
    EXPECT_EQ(run.wait(), 0);
    EXPECT_EQ(run.out(), "it runs\n");
  }
  ProgramCache cache(folder / "cache", 1000);
  EXPECT_TRUE(cache.hold(hash, program.size()));
}

TEST_F(Cache, what_is_unfinished_leaves_nothing) {
  ProgramCache cache(folder / "cache", 1000);
  {
    ProgramCache::Arrival arrival(cache, hash, program.size());
    EXPECT_FALSE(arrival.add(bytes_of(program).first(5)));
    EXPECT_EQ(files(), 1u);
  }
  EXPECT_EQ(files(), 0u);
  EXPECT_EQ(cache.index().bytes(), 0u);
}

TEST_F(Cache, what_is_not_what_was_announced_leaves_nothing) {
  ProgramCache cache(folder / "cache", 1000);
  ProgramCache::Arrival arrival(cache, hash, program.size());
  EXPECT_FALSE(arrival.add(bytes_of("something else")));
  const auto why = arrival.finish();
  ASSERT_TRUE(why);
  EXPECT_THAT(*why, HasSubstr("its hash differs"));
  EXPECT_FALSE(cache.hold(hash, program.size()));
}

TEST_F(Cache, what_was_damaged_is_not_run) {
  ProgramCache cache(folder / "cache", 1000);
  bring(cache, program);
  const std::string file = folder / ("cache/" + to_string(hash));
  ::chmod(file.c_str(), 0700);
  std::ofstream(file, std::ios::app) << "rm -rf /\n";
  EXPECT_FALSE(cache.hold(hash, program.size()));
  EXPECT_EQ(files(), 0u);
}

TEST_F(Cache, what_a_writer_left_that_died_is_removed_and_what_one_writes_is_not) {
  ProgramCache cache(folder / "cache", 1000);
  ProgramCache::Arrival arrival(cache, hash, program.size());
  std::ofstream(folder / "cache/unfinished-0123") << "half";
  EXPECT_EQ(files(), 2u);
  ProgramCache another(folder / "cache", 1000);
  EXPECT_EQ(files(), 1u);
}

TEST_F(Cache, the_oldest_goes) {
  ProgramCache cache(folder / "cache", 40);
  bring(cache, program);
  bring(cache, program + "# 2");
  EXPECT_EQ(files(), 1u);
  EXPECT_FALSE(cache.hold(hash, program.size()));
}

TEST_F(Cache, a_link_a_pipe_and_a_folder_under_a_programs_name_are_no_programs) {
  ProgramCache cache(folder / "cache", 1000);
  const std::string place = folder / ("cache/" + to_string(hash));
  std::ofstream(folder / "theirs") << program;
  std::filesystem::create_symlink(folder / "theirs", place);
  EXPECT_FALSE(cache.hold(hash, program.size()));
  std::filesystem::remove(place);
  ASSERT_EQ(::mkfifo(place.c_str(), 0600), 0);
  EXPECT_FALSE(cache.hold(hash, program.size()));  // and does not wait for a writer
  bring(cache, program);
  EXPECT_TRUE(cache.hold(hash, program.size()));
  std::filesystem::remove(place);
  std::filesystem::create_directory(place);
  EXPECT_FALSE(cache.hold(hash, program.size()));
  ProgramCache::Arrival arrival(cache, hash, program.size());
  EXPECT_FALSE(arrival.add(bytes_of(program)));
  const auto why = arrival.finish();
  ASSERT_TRUE(why);
  EXPECT_THAT(*why, HasSubstr("cannot be stored"));
}

TEST_F(Cache, a_folder_that_is_named_from_where_we_are_is_found_from_everywhere) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  ProgramCache cache("cache", 1000);
  std::filesystem::current_path(before);
  bring(cache, program);
  const auto file = cache.hold(hash, program.size());
  ASSERT_TRUE(file);
  EXPECT_EQ(file->string(), folder / ("cache/" + to_string(hash)));
}

TEST_F(Cache, a_folder_in_which_others_may_write_is_refused) {
  ::mkdir((folder / "cache").c_str(), 0700);
  ::chmod((folder / "cache").c_str(), 0777);
  try {
    ProgramCache cache(folder / "cache", 1000);
    FAIL() << "it was taken";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("can be written to by others"));
  }
}

}  // namespace
}  // namespace pp::tools::daemon
