// slurm_nodes: what Slurm writes, and what nobody should have written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pp/error.hpp>
#include <pp/slurm_nodes.hpp>

namespace pp::discovery {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

std::string refusal(std::string_view list) {
  try {
    slurm_nodes(list);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(SlurmNodes, a_name_without_brackets_is_itself) {
  EXPECT_THAT(slurm_nodes("n1"), ElementsAre("n1"));
  EXPECT_THAT(slurm_nodes("login-1.example.org"), ElementsAre("login-1.example.org"));
}

TEST(SlurmNodes, brackets_hold_numbers_and_ranges) {
  EXPECT_THAT(slurm_nodes("n[1-3]"), ElementsAre("n1", "n2", "n3"));
  EXPECT_THAT(slurm_nodes("n[1-2,7,9-10]"), ElementsAre("n1", "n2", "n7", "n9", "n10"));
  EXPECT_THAT(slurm_nodes("n[5]"), ElementsAre("n5"));
  EXPECT_THAT(slurm_nodes("n[5-5]"), ElementsAre("n5"));
}

TEST(SlurmNodes, leading_zeros_stay) {
  EXPECT_THAT(slurm_nodes("n[08-11]"), ElementsAre("n08", "n09", "n10", "n11"));
  EXPECT_THAT(slurm_nodes("n[098-101,7,007]"),
              ElementsAre("n098", "n099", "n100", "n101", "n7", "n007"));
  EXPECT_THAT(slurm_nodes("n[8-11]"), ElementsAre("n8", "n9", "n10", "n11"));
  EXPECT_THAT(slurm_nodes("n[0-1]"), ElementsAre("n0", "n1"));
}

TEST(SlurmNodes, several_brackets_are_every_combination) {
  EXPECT_THAT(slurm_nodes("r[1-2]n[08-09]-ib"),
              ElementsAre("r1n08-ib", "r1n09-ib", "r2n08-ib", "r2n09-ib"));
  EXPECT_THAT(slurm_nodes("[1-2][3-4]"), ElementsAre("13", "14", "23", "24"));
}

TEST(SlurmNodes, a_list_keeps_its_order_and_its_repetitions) {
  EXPECT_THAT(slurm_nodes("z,n[2-3],a,z"), ElementsAre("z", "n2", "n3", "a", "z"));
}

TEST(SlurmNodes, nonsense_is_refused_where_it_stands) {
  EXPECT_THAT(refusal(""), HasSubstr("is empty"));
  for (const char* list : {",n1", "n1,,n2", "n1,", ","})
    EXPECT_THAT(refusal(list), HasSubstr("a name is missing")) << list;
  for (const char* list : {"n[1-3", "n[1", "n[1-3,4"})
    EXPECT_THAT(refusal(list), HasSubstr("not closed")) << list;
  for (const char* list : {"n[]", "n[a-b]", "n[-3]", "n[1-]", "n[1,]", "n[,1]", "n[", "n[1-3,"})
    EXPECT_THAT(refusal(list), HasSubstr("a number is missing")) << list;
  EXPECT_THAT(refusal("n[1-[2-3]]"), HasSubstr("brackets within brackets"));
  EXPECT_THAT(refusal("n[[1-2]]"), HasSubstr("brackets within brackets"));
  EXPECT_THAT(refusal("x,n[3-1]"), AllOf(HasSubstr("backwards"), HasSubstr("\"3-1]\"")));
  for (const char* list : {"n1]", "n 1", "n1\n", "n1;rm", "n1/2", "n\x01", "n[1-2]]", "\xc3\xa4"})
    EXPECT_THAT(refusal(list), HasSubstr("no host's name")) << list;
  EXPECT_THAT(refusal("n[1-2x]"), HasSubstr("','"));
  EXPECT_THAT(refusal("n\x1b[31m"), Not(HasSubstr("\x1b")));
}

TEST(SlurmNodes, what_is_too_large_is_refused_before_it_is_made) {
  EXPECT_THAT(slurm_nodes("n[1-65536]"), SizeIs(kMostSlurmNodes));
  for (const char* list :
       {"n[1-65537]", "n[0-999999999999999999]", "n[1-65536],x", "a[1-65536]b[1-65536]",
        "n[1-256]m[1-257]", "n[1-65536,1]", "x[1-60000],y[1-60000]",
        "a[1-65536]a[1-65536]a[1-65536]a[1-65536]a[1-65536]a[1-65536]a[1-65536]a[1-65536]"}) {
    EXPECT_THAT(refusal(list), HasSubstr("more than 65536 nodes")) << list;
  }
  EXPECT_THAT(refusal("n[1-9999999999999999999]"), HasSubstr("a number that is too long"));
  EXPECT_THAT(refusal("a[1]a[1]a[1]a[1]a[1]a[1]a[1]a[1]a[1]"), HasSubstr("too many brackets"));
  EXPECT_THAT(refusal(std::string(256, 'n')), HasSubstr("a name that is too long"));
  EXPECT_THAT(refusal(std::string(250, 'n') + "[100000-100001]"),
              HasSubstr("a name that is too long"));
  EXPECT_THAT(refusal(std::string(kLongestSlurmList + 1, 'n')), HasSubstr("bytes"));
}

}  // namespace
}  // namespace pp::discovery
