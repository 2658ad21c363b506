// SharedFolder: nodes that share a file system meet in a folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <pp/discovery.hpp>

#pragma GCC visibility push(default)

namespace pp::discovery {

// Each node that can be dialled keeps a small text file there, named after its id, refreshes it
// every 30 s and takes it away when it goes; each node lists the folder every 2 s, after half a
// minute every 5 s (sooner by up to a quarter, by the seed), and sights what the others say of
// themselves: at once when a file is new or says something else, and again at most every 30 s while
// its node goes on refreshing it.
//
// A file that was not refreshed for 2 minutes is not sighted, and after an hour whoever sees it
// removes it: its node died without a word. What counts is the folder's clock, which on NFS is the
// server's: it is read off our own file. A node that has none there, having no address or no leave
// to write, takes every file for fresh and removes nothing: a dial too many costs little.
//
// The file's form is in node_file.hpp. Everything found is taken for hostile; what is wrong with
// the folder or a file is noticed once, and tried again for ever.
//
// Each call takes as long as the folder's server does, which may be for ever: see Apart
// (pp/apart.hpp).
class SharedFolder final : public Discovery {
 public:
  // A folder with more files than that is some other folder: the rest is not looked at.
  static constexpr std::size_t kMostFiles = 16'384;
  // A listing looks at that many files at most, the next one at the next: on a slow server each
  // costs a millisecond. With more nodes than that, nodes look in
  // different orders (by the seed), and one that answers is enough to meet all.
  static constexpr std::size_t kMostLooks = 128;

  SharedFolder(std::filesystem::path folder, std::uint64_t seed);
  ~SharedFolder() override;

  void poll(Time now, Listener& listener) override;
  Time next_due(Time now) const override;
  // REQUIRES: always the same node.
  void introduce(const Self& self) override;
  void leave() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pp::discovery

#pragma GCC visibility pop
