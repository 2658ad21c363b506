// Apart: a source of addresses on a thread of its own, so that nobody waits for what it waits for.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <pp/discovery.hpp>
#include <thread>
#include <vector>

#pragma GCC visibility push(default)

namespace pp::discovery {

// For a source that reads files. On a file system of the network each open and each stat may take
// minutes: a client waits for a server that reboots. A node that waited with it would say nothing
// meanwhile, and be taken for dead.
//
//     neighbourhood.add(std::make_unique<Apart>(std::make_unique<HostsFile>("/net/hosts", 7400)));
//
// The thread begins with the first poll(). It polls the source by the system's clock, whenever that
// is due, one of its descriptors is readable, or this node is introduced anew; what it tells comes
// out of the next poll() here, in order. No call here waits for one of the source, but leave() and
// the destructor, for kPatience: that suffices a source that can do what it wants to do at its end.
// Otherwise the thread is left behind with the source, which then ends after the call that it hangs
// in, and reaches nobody any more.
//
// The source is used by its own thread only, and destroyed there; one that was never polled is
// destroyed by our destructor, and has nothing to say when this node leaves.
class Apart final : public Discovery {
 public:
  // So many sightings and sentences lie ready at most; a source that tells more waits, on its own
  // thread, until they were taken. Nothing is lost: a hosts file tells each host only once.
  static constexpr std::size_t kMostReady = 1024;
  // How long leave() and the destructor wait, together: much longer than a file server that is well
  // needs to remove a file, much shorter than the silence after which a node is suspected.
  static constexpr std::chrono::milliseconds kPatience{200};

  // Throws pp::Error when there is no descriptor to be had. REQUIRES: a source.
  explicit Apart(std::unique_ptr<Discovery> source);
  ~Apart() override;

  void poll(Time now, Listener& listener) override;
  Time next_due(Time now) const override;
  std::vector<int> descriptors() const override;
  void introduce(const Self& self) override;
  void leave() override;
  // As the source had it after its last poll().
  Ignored ignored() const override;

 private:
  struct Shared;

  void begin(Time now, Listener& listener);
  void end(bool say_so);

  const std::shared_ptr<Shared> shared_;
  std::thread thread_;
  Time next_try_ = Time::min();  // to begin the thread
  bool no_thread_ = false;       // could not begin it, and that was noticed
  bool ended_ = false;           // the source was told to, and was given its time
};

}  // namespace pp::discovery

#pragma GCC visibility pop
