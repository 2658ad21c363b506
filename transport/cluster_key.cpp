// The cluster key's file: written once with mode 0600, and read only while nobody else can.
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <pp/cluster_key.hpp>
#include <pp/error.hpp>
#include <string_view>

namespace pp {
namespace {

// The whole file: "pp-key-1:" + 64 hexadecimal digits + newline. The prefix tells people what they
// have found, and us which format follows.
constexpr std::string_view kPrefix = "pp-key-1:";
constexpr std::size_t kTextSize = kPrefix.size() + 2 * ClusterKey::kBytes;

// The key in words; wiped, because it would otherwise stay behind on the stack or in the heap.
struct Text {
  char bytes[kTextSize + 2] = {};  // newline and the terminator sodium_bin2hex writes
  ~Text() { sodium_memzero(bytes, sizeof bytes); }
};

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

void need_sodium() {
  if (sodium_init() < 0) throw Error("libsodium cannot start: no source of random numbers");
}

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& what) {
  throw Error("cluster key file " + file.string() + ": " + what);
}

// Nobody but the owner may read or write the key, and the owner must be us (or root, who may
// anyway). One exception: root may hand us a key through a group of ours, read-only. Nobody else
// can make such a file, and it is the only form in which Kubernetes mounts a secret for who is not
// root.
void check_private(const File& file, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(file.fd(), &status) != 0) fail(path, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) fail(path, "is not a regular file");
  const bool handed_by_root = status.st_uid == 0 && ::geteuid() != 0 &&
                              (status.st_mode & (S_IWGRP | S_IXGRP | S_IRWXO)) == 0;
  if (handed_by_root) return;  // that we could open it says that the group is ours
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    fail(path, "can be read or written by others than its owner; chmod 600 " + path.string());
  if (status.st_uid != ::geteuid() && ::geteuid() != 0)
    fail(path, "belongs to another user (uid " + std::to_string(status.st_uid) + "), not to uid " +
                   std::to_string(::geteuid()) + "; make a copy of your own with mode 600");
}

}  // namespace

ClusterKey ClusterKey::generate() {
  need_sodium();
  ClusterKey key;
  randombytes_buf(key.bytes_.data(), key.bytes_.size());
  return key;
}

ClusterKey ClusterKey::load(const std::filesystem::path& path) {
  need_sodium();
  // O_NONBLOCK: a FIFO in the file's place is refused below instead of waited for.
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (file.fd() < 0) fail(path, std::string(std::strerror(errno)) + "; make a key with pp-keygen");
  check_private(file, path);

  Text text;
  std::size_t size = 0;
  while (size < sizeof text.bytes) {
    const ssize_t got = ::read(file.fd(), text.bytes + size, sizeof text.bytes - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, std::strerror(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size == kTextSize + 1 && text.bytes[kTextSize] == '\n') --size;
  ClusterKey key;
  std::size_t decoded = 0;
  const char* end = nullptr;
  const char* const hex = text.bytes + kPrefix.size();
  if (size != kTextSize || std::string_view(text.bytes, kPrefix.size()) != kPrefix ||
      sodium_hex2bin(key.bytes_.data(), kBytes, hex, 2 * kBytes, nullptr, &decoded, &end) != 0 ||
      decoded != kBytes)
    fail(path,
         "is not a cluster key (expected one line: pp-key-1: and 64 hexadecimal digits); make "
         "one with pp-keygen");
  return key;
}

void ClusterKey::save(const std::filesystem::path& path) const {
  const File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.fd() < 0) {
    fail(path, errno == EEXIST ? "exists already and is not overwritten; choose another name"
                               : std::string(std::strerror(errno)));
  }
  try {
    // An odd umask may have taken our own bits.
    if (::fchmod(file.fd(), 0600) != 0) throw Error(std::strerror(errno));
    write_to(file.fd());
  } catch (const Error& error) {
    ::unlink(path.c_str());  // ours: O_EXCL made it; half a key must not stay
    fail(path, error.what());
  }
}

void ClusterKey::write_to(int descriptor) const {
  Text text;
  std::memcpy(text.bytes, kPrefix.data(), kPrefix.size());
  sodium_bin2hex(text.bytes + kPrefix.size(), 2 * kBytes + 1, bytes_.data(), kBytes);
  text.bytes[kTextSize] = '\n';
  std::size_t written = 0;
  while (written < kTextSize + 1) {
    const ssize_t put = ::write(descriptor, text.bytes + written, kTextSize + 1 - written);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) throw Error(std::strerror(errno));
    written += static_cast<std::size_t>(put);
  }
}

std::string ClusterKey::fingerprint() const {
  need_sodium();
  constexpr std::string_view kPurpose = "pp cluster key fingerprint";
  std::array<unsigned char, 16> hash{};  // crypto_generichash's minimum; half of it is shown
  crypto_generichash(hash.data(), hash.size(),
                     reinterpret_cast<const unsigned char*>(kPurpose.data()), kPurpose.size(),
                     bytes_.data(), kBytes);
  char text[17];
  sodium_bin2hex(text, sizeof text, hash.data(), 8);
  return text;
}

ClusterKey::Seal ClusterKey::seal(std::string_view purpose,
                                  std::span<const std::byte> bytes) const {
  need_sodium();
  std::array<unsigned char, kBytes> key{};
  crypto_generichash(key.data(), key.size(), reinterpret_cast<const unsigned char*>(purpose.data()),
                     purpose.size(), bytes_.data(), kBytes);
  Seal seal{};
  crypto_generichash(seal.data(), seal.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size(), key.data(), key.size());
  sodium_memzero(key.data(), key.size());
  return seal;
}

bool ClusterKey::verify(std::string_view purpose, std::span<const std::byte> bytes,
                        const Seal& given) const {
  const Seal right = seal(purpose, bytes);
  return sodium_memcmp(right.data(), given.data(), right.size()) == 0;
}

ClusterKey::ClusterKey(ClusterKey&& other) noexcept : bytes_(other.bytes_) {
  sodium_memzero(other.bytes_.data(), kBytes);
}

ClusterKey& ClusterKey::operator=(ClusterKey&& other) noexcept {
  if (this != &other) {
    bytes_ = other.bytes_;
    sodium_memzero(other.bytes_.data(), kBytes);
  }
  return *this;
}

ClusterKey::~ClusterKey() { sodium_memzero(bytes_.data(), kBytes); }

}  // namespace pp
