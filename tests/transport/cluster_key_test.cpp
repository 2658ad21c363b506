// The cluster key's file: private or refused, never overwritten, and the same key when read again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <pp/cluster_key.hpp>
#include <pp/error.hpp>
#include <pp/node_id.hpp>
#include <span>
#include <string>
#include <string_view>

namespace pp {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ClusterKeyFile : public ::testing::Test {
 protected:
  ClusterKeyFile() { fs::create_directory(folder_); }
  ~ClusterKeyFile() override { fs::remove_all(folder_); }

  fs::path written(const std::string& text, mode_t mode = 0600) {
    const fs::path file = folder_ / "written";
    std::ofstream(file) << text;
    ::chmod(file.c_str(), mode);
    return file;
  }
  std::string refusal(const fs::path& file) {
    try {
      ClusterKey::load(file);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  }

  const fs::path folder_ =
      fs::temp_directory_path() / ("pp-key-test-" + NodeId::random().to_string());
  const std::string good_ = "pp-key-1:" + std::string(64, 'a') + "\n";
};

TEST_F(ClusterKeyFile, a_saved_key_is_the_same_when_loaded_and_private) {
  const ClusterKey key = ClusterKey::generate();
  const fs::path file = folder_ / "key";
  key.save(file);
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
  const ClusterKey loaded = ClusterKey::load(file);
  EXPECT_TRUE(std::ranges::equal(key.bytes(), loaded.bytes()));
  EXPECT_EQ(key.fingerprint(), loaded.fingerprint());
}

TEST_F(ClusterKeyFile, an_existing_file_is_not_overwritten) {
  const fs::path file = written(good_);
  EXPECT_THROW(ClusterKey::generate().save(file), Error);
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  EXPECT_EQ(line + "\n", good_);
}

TEST_F(ClusterKeyFile, a_key_that_others_can_read_or_write_is_refused_with_the_cure) {
  for (const mode_t mode : {0640u, 0604u, 0620u, 0602u, 0610u, 0666u}) {
    const fs::path file = written(good_, mode);
    EXPECT_THAT(refusal(file), HasSubstr("chmod 600 " + file.string())) << std::oct << mode;
  }
  EXPECT_EQ(refusal(written(good_, 0600)), "accepted");
  EXPECT_EQ(refusal(written(good_, 0400)), "accepted");
}

// As Kubernetes mounts a secret for a user who is not root: root's file, readable by a group of
// theirs.
TEST_F(ClusterKeyFile,
       a_key_that_root_hands_to_a_group_of_ours_is_accepted_if_the_group_cannot_write) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can hand a file to a group";
  constexpr uid_t kSomebody = 12'345;
  constexpr gid_t kTheirs = 23'456;
  const fs::path file = written(good_, 0440);
  ASSERT_EQ(::chmod(folder_.c_str(), 0755), 0);
  const auto as_somebody = [&](uid_t owner, mode_t mode) {
    EXPECT_EQ(::chown(file.c_str(), owner, kTheirs), 0);
    EXPECT_EQ(::chmod(file.c_str(), mode), 0);
    const gid_t before = ::getegid();
    EXPECT_EQ(::setegid(kTheirs), 0);
    EXPECT_EQ(::seteuid(kSomebody), 0);
    const std::string said = refusal(file);
    EXPECT_EQ(::seteuid(0), 0);
    EXPECT_EQ(::setegid(before), 0);
    return said;
  };
  EXPECT_EQ(as_somebody(0, 0440), "accepted");
  EXPECT_EQ(as_somebody(0, 0640), "accepted");
  for (const mode_t mode : {0660u, 0444u, 0450u, 0644u})
    EXPECT_THAT(as_somebody(0, mode), HasSubstr("chmod 600")) << std::oct << mode;
  EXPECT_THAT(as_somebody(kSomebody, 0440), HasSubstr("chmod 600"));
  EXPECT_THAT(as_somebody(kSomebody + 1, 0440), HasSubstr("chmod 600"));
}

TEST_F(ClusterKeyFile, what_is_no_key_is_refused) {
  const std::string digits(64, 'a');
  for (const std::string& text :
       {std::string(), std::string("pp-key-1:"), "pp-key-2:" + digits, digits,
        "pp-key-1:" + digits.substr(1), "pp-key-1:" + digits + "a", "pp-key-1:" + digits + "\n\n",
        "pp-key-1:" + std::string(64, 'g'), "pp-key-1:" + digits.substr(1) + " "}) {
    EXPECT_THAT(refusal(written(text)), HasSubstr("is not a cluster key")) << text;
  }
}

TEST_F(ClusterKeyFile, a_missing_file_or_a_folder_is_named) {
  EXPECT_THAT(refusal(folder_ / "nowhere"), HasSubstr((folder_ / "nowhere").string()));
  EXPECT_THAT(refusal(folder_), HasSubstr("is not a regular file"));
}

TEST(ClusterKey, two_keys_differ_and_a_fingerprint_is_sixteen_digits_that_are_not_the_key) {
  const ClusterKey a = ClusterKey::generate(), b = ClusterKey::generate();
  EXPECT_FALSE(std::ranges::equal(a.bytes(), b.bytes()));
  EXPECT_NE(a.fingerprint(), b.fingerprint());
  EXPECT_THAT(a.fingerprint(), ::testing::MatchesRegex("[0-9a-f]{16}"));
}

TEST(ClusterKey, a_key_that_was_moved_leaves_nothing_behind) {
  ClusterKey a = ClusterKey::generate();
  const std::string print = a.fingerprint();
  const ClusterKey b = std::move(a);
  EXPECT_EQ(b.fingerprint(), print);
  EXPECT_TRUE(std::ranges::all_of(a.bytes(), [](std::uint8_t byte) { return byte == 0; }));
}

// ---- seals

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(ClusterKeySeal, a_holder_of_the_key_recognises_it) {
  const ClusterKey key = ClusterKey::generate();
  for (const std::string& text : {std::string(), std::string("a beacon"), std::string(5000, 'x')}) {
    const ClusterKey::Seal seal = key.seal("beacon", bytes(text));
    EXPECT_EQ(seal, key.seal("beacon", bytes(text)));
    EXPECT_TRUE(key.verify("beacon", bytes(text), seal));
  }
}

TEST(ClusterKeySeal, one_made_for_one_purpose_is_none_for_another) {
  const ClusterKey key = ClusterKey::generate();
  const ClusterKey::Seal seal = key.seal("beacon", bytes("text"));
  for (const std::string_view other : {"", "beaco", "beacons", "Beacon", "folder"}) {
    EXPECT_NE(key.seal(other, bytes("text")), seal) << other;
    EXPECT_FALSE(key.verify(other, bytes("text"), seal)) << other;
  }
  // Purpose and bytes are not merely put one behind the other.
  EXPECT_NE(key.seal("beacon", bytes("text")), key.seal("beacont", bytes("ext")));
}

TEST(ClusterKeySeal, another_key_makes_another_one) {
  const ClusterKey key = ClusterKey::generate(), other = ClusterKey::generate();
  EXPECT_FALSE(other.verify("beacon", bytes("text"), key.seal("beacon", bytes("text"))));
}

TEST(ClusterKeySeal, no_bit_of_the_bytes_or_of_the_seal_may_change) {
  const ClusterKey key = ClusterKey::generate();
  const std::string text = "sixteen bytes of";
  const ClusterKey::Seal seal = key.seal("beacon", bytes(text));
  for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
    std::string other = text;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(key.verify("beacon", bytes(other), seal)) << bit;
  }
  for (std::size_t bit = 0; bit < 8 * seal.size(); ++bit) {
    ClusterKey::Seal other = seal;
    other[bit / 8] = static_cast<std::uint8_t>(other[bit / 8] ^ (1u << bit % 8));
    EXPECT_FALSE(key.verify("beacon", bytes(text), other)) << bit;
  }
  EXPECT_FALSE(key.verify("beacon", bytes(text.substr(1)), seal));
  EXPECT_FALSE(key.verify("beacon", bytes(text + '\0'), seal));
}

}  // namespace
}  // namespace pp
