// pp-keygen: makes a key once and never again, and tells which one it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "process.hpp"

namespace pp::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

TEST(PpKeygen, makes_a_key_that_only_its_owner_can_read_and_tells_its_fingerprint) {
  const Folder folder;
  Process make({PP_KEYGEN_PROGRAM, folder / "key"});
  EXPECT_EQ(make.wait(), 0);
  struct stat about {};
  ASSERT_EQ(::stat((folder / "key").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777u, 0600u);

  Process tell({PP_KEYGEN_PROGRAM, "--fingerprint", folder / "key"});
  EXPECT_EQ(tell.wait(), 0);
  EXPECT_THAT(tell.out(), ContainsRegex("^[0-9a-f]{16}\n$"));
  EXPECT_THAT(make.out(), HasSubstr("fingerprint " + tell.out()));
}

TEST(PpKeygen, never_overwrites_a_file) {
  const Folder folder;
  std::ofstream(folder / "key") << "precious";
  Process make({PP_KEYGEN_PROGRAM, folder / "key"});
  EXPECT_EQ(make.wait(), 1);
  EXPECT_THAT(make.err(), HasSubstr("exists"));
  std::string content;
  std::ifstream(folder / "key") >> content;
  EXPECT_EQ(content, "precious");
}

TEST(PpKeygen, names_a_file_that_is_missing_or_open_to_others) {
  const Folder folder;
  Process missing({PP_KEYGEN_PROGRAM, "--fingerprint", folder / "key"});
  EXPECT_EQ(missing.wait(), 1);
  EXPECT_THAT(missing.err(), HasSubstr(folder / "key"));

  Process make({PP_KEYGEN_PROGRAM, folder / "key"});
  ASSERT_EQ(make.wait(), 0);
  ::chmod((folder / "key").c_str(), 0644);
  Process open_to_others({PP_KEYGEN_PROGRAM, "--fingerprint", folder / "key"});
  EXPECT_EQ(open_to_others.wait(), 1);
  EXPECT_THAT(open_to_others.err(), HasSubstr("chmod 600"));
}

TEST(PpKeygen, answers_nonsense_with_one_sentence_and_code_2) {
  Process nothing({PP_KEYGEN_PROGRAM});
  EXPECT_EQ(nothing.wait(), 2);
  EXPECT_EQ(count(nothing.err(), "\n"), 1u);
}

}  // namespace
}  // namespace pp::test
