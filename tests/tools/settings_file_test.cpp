// The lines of a settings file.
#include "settings_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pp/error.hpp>

namespace pp::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(SettingsFile, has_an_option_a_line) {
  EXPECT_THAT(parse_settings("# ours\nmin-nodes = 3\n\nhosts=\"a,b:8\" # two\nssh = 'ssh -F x'\n"
                             "stage = true # always",
                             "f"),
              ElementsAre(SettingLine{"min-nodes", "3", 2}, SettingLine{"hosts", "a,b:8", 4},
                          SettingLine{"ssh", "ssh -F x", 5}, SettingLine{"stage", "true", 6}));
  EXPECT_THAT(parse_settings("", "f"), IsEmpty());
}

TEST(SettingsFile, names_the_line_that_it_cannot_read) {
  for (const char* text : {"x\n", "= 3\n", "a b = 3\n", "a =\n", "a = \"b\n", "a = b c\n",
                           "[table]\n", "a = \"b\" c\n", "a = [1]\n", "a = \"b\\n\"\n"}) {
    try {
      parse_settings(std::string("ok = 1\n") + text, "launch.toml");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("launch.toml:2: ")) << text;
    }
  }
}

}  // namespace
}  // namespace pp::tools
