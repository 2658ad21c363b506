// RunFolder: gone with its lease, whatever lies in it, also when its daemon was killed.
#include "run_folder.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <optional>

#include "process.hpp"

namespace pp::tools::daemon {
namespace {

namespace fs = std::filesystem;

TEST(RunFolder, is_its_owners_alone_and_goes_with_all_that_lies_in_it) {
  const test::Folder here;
  fs::path path;
  {
    const RunFolder folder(here.path());
    path = folder.path();
    struct stat about {};
    ASSERT_EQ(::stat(path.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777u, 0700u);
    fs::create_directories(path / "a/b/c");
    std::ofstream(path / "a/b/c/file") << "left";
    fs::permissions(path / "a/b", fs::perms::none);
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(RunFolder, a_link_in_it_is_removed_and_not_followed) {
  const test::Folder here;
  fs::create_directory(here / "elsewhere");
  std::ofstream(here / "elsewhere/file") << "precious";
  {
    const RunFolder folder(here.path());
    fs::create_directory_symlink(here / "elsewhere", folder.path() / "link");
  }
  EXPECT_TRUE(fs::exists(here / "elsewhere/file"));
}

TEST(RunFolder, what_nobody_holds_is_removed_and_what_somebody_holds_is_not) {
  const test::Folder here;
  const RunFolder used(here.path());
  fs::create_directories(here / "run-abcdef/left");
  fs::create_directories(here / "another");
  fs::create_directories(here / "elsewhere");
  fs::create_directory_symlink(here / "elsewhere", here / "run-linked");
  RunFolder::remove_abandoned(here.path());
  EXPECT_TRUE(fs::exists(used.path()));
  EXPECT_FALSE(fs::exists(here / "run-abcdef"));
  EXPECT_TRUE(fs::exists(here / "another"));
  EXPECT_TRUE(fs::exists(here / "elsewhere"));
}

}  // namespace
}  // namespace pp::tools::daemon
