// StepKey: a cluster key for one step, which its first task makes and the others find in a folder.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace pp::runtime {

// Why a file, and not what Slurm hands to each task anyway. A key derived from numbers of the job
// would be known to everybody who can read the queue. One in the environment would be written to
// Slurm's spool, be inherited by every program that a job starts, and cross the network in clear:
// Slurm proves who sent a message, but does not hide it. A file of mode 0600 in a folder of the
// user's own is as secret as that user's ssh keys, which lie in the same place: whoever can read it
// could log in as that user. It exists from the start of the step until all have joined.
//
// The owner of the file must be this very user, for root too: in a folder where others can write,
// somebody else might lay a key of theirs in the place of ours, and be obeyed. What others can do
// in such a folder is to take the file away, or put one of our own there: then the step does not
// come together, and says so.
//
// The folder may be on a network file system, which shows a new file late and offers no locks: the
// file is written under another name and renamed, and looked for again and again.
class StepKey {
 public:
  // Makes the key: `folder`/`name`.step-key. What another step of that name left is replaced.
  // Throws pp::Error.
  static StepKey make(const std::filesystem::path& folder, const std::string& name);

  // Waits until it is there. `waits` is called once, when that takes more than a few seconds.
  // Throws pp::Error that names the file, and what to do, after `limit`.
  static StepKey wait_for(const std::filesystem::path& folder, const std::string& name,
                          std::chrono::milliseconds limit,
                          const std::function<void(const std::string& sentence)>& waits);

  // $HOME/.pp/slurm, for `home` as that variable has it. Throws pp::Error if there is none.
  static std::filesystem::path usual_folder(const char* home);
  // Makes it, for this user alone, where it does not exist. Throws pp::Error.
  static void make_folder(const std::filesystem::path& folder);
  // Removes keys of steps that a driver which was killed has left there two days ago, or earlier.
  // Throws nothing.
  static void sweep(const std::filesystem::path& folder);

  StepKey(StepKey&& other) noexcept;
  StepKey& operator=(StepKey&&) = delete;
  // Who made the file removes it.
  ~StepKey();
  // Now already: everybody has it.
  void remove();

  // What is to be removed; empty: nothing of ours.
  const std::filesystem::path& made() const { return made_; }
  // The key file as this process reads it, by a descriptor: whatever stands under the name later.
  const std::string& file() const { return file_; }

 private:
  StepKey(int descriptor, std::filesystem::path made);

  int descriptor_;
  std::filesystem::path made_;
  std::string file_;
};

}  // namespace pp::runtime
