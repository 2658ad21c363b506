// Replay: runs a fuzz target on a corpus and on seeded mutations of it, where there is no
// libFuzzer.
//
//   fuzz_messages CORPUS [MUTATIONS]    each file as it is, then so many changed copies of each
//
// The input at hand lies in ./<program>.input, so that what a crash leaves behind is the file that
// belongs into the corpus.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;

// One to four changes of the kinds that decoders stumble over.
Bytes mutated(Bytes bytes, std::mt19937& random) {
  for (unsigned changes = 1 + random() % 4; changes > 0 && !bytes.empty(); --changes) {
    const std::size_t at = random() % bytes.size();
    const std::size_t rest = bytes.size() - at;
    switch (random() % 6) {
      case 0:
        bytes[at] ^= static_cast<std::uint8_t>(1u << random() % 8);
        break;
      case 1:
        bytes[at] = static_cast<std::uint8_t>(random());
        break;
      case 2:
        bytes.resize(at);
        break;
      case 3:
        bytes.resize(bytes.size() + random() % 64, static_cast<std::uint8_t>(random()));
        break;
      case 4:
        std::fill_n(bytes.begin() + static_cast<long>(at), std::min<std::size_t>(rest, 8),
                    random() % 2 == 0 ? std::uint8_t{0} : std::uint8_t{0xff});
        break;
      default:
        bytes.insert(bytes.begin() + static_cast<long>(random() % bytes.size()), 8,
                     static_cast<std::uint8_t>(random() % 4));
    }
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: %s CORPUS [MUTATIONS]\n", argv[0]), 2;
  const std::string kept = std::filesystem::path(argv[0]).filename().string() + ".input";
  const auto run = [&kept](const Bytes& bytes) {
    std::ofstream(kept, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<long>(bytes.size()));
    const Bytes exact(bytes.begin(), bytes.end());  // no room behind it: a sanitizer sees overreads
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
  };
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) files.push_back(entry);
  std::sort(files.begin(), files.end());  // the same order, and so the same mutations, everywhere
  if (files.empty()) return std::fprintf(stderr, "%s is empty\n", argv[1]), 1;
  const int mutations = argc > 2 ? std::stoi(argv[2]) : 0;
  std::mt19937 random(20'261'122);
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    const Bytes bytes{std::istreambuf_iterator<char>(in), {}};
    run(bytes);
    for (int i = 0; i < mutations; ++i) run(mutated(bytes, random));
  }
  std::filesystem::remove(kept);
  std::printf("%zu files, %d mutations of each\n", files.size(), mutations);
}
