// Blobs: their names, and the luggage of the thread.
#include <algorithm>
#include <pp/blob.hpp>

namespace pp::runtime {

namespace {
constinit thread_local Luggage* laid_out = nullptr;
}

BlobPtr Blob::make(codec::Bytes bytes, std::vector<BlobPtr> mentions) {
  const BlobId id{content_hash(bytes), bytes.size()};
  return std::make_shared<const Blob>(id, std::move(bytes), std::move(mentions));
}

codec::Bytes LooseBytes::whole() && {
  if (rest.empty()) return std::move(front);
  codec::Bytes bytes = codec::large_room(size());
  bytes.insert(bytes.end(), front.begin(), front.end());
  bytes.insert(bytes.end(), rest.begin(), rest.end());
  return bytes;
}

std::array<std::span<const std::byte>, 2> LooseBytes::part(std::size_t at,
                                                           std::size_t length) const {
  const std::size_t begun = std::min(at, front.size());
  const std::size_t of_front = std::min(length, front.size() - begun);
  return {std::span(front).subspan(begun, of_front),
          rest.subspan(std::min(at - begun, rest.size()), length - of_front)};
}

std::span<const std::byte> Blob::put_together() const {
  const std::lock_guard lock(mutex_);
  if (together_.empty()) together_ = LooseBytes(loose_).whole();
  return together_;
}

void Luggage::pack(Place place, BlobPtr blob) {
  const auto known = [&](const BlobPtr& one) {
    return std::any_of(packed_.begin(), packed_.end(), [&](const Item& item) {
      return item.place == kMentioned && item.blob->id() == one->id();
    });
  };
  if (place == kMentioned && known(blob)) return;
  for (BlobPtr& mentioned : blob->mentions())
    if (!known(mentioned)) packed_.push_back({kMentioned, std::move(mentioned)});
  packed_.push_back({place, std::move(blob)});
}

BlobPtr Luggage::at(Place place) const {
  const auto found = std::find_if(arrived_.begin(), arrived_.end(),
                                  [&](const Item& item) { return item.place == place; });
  return found == arrived_.end() ? nullptr : found->blob;
}

BlobPtr Luggage::unpack(const BlobId& id) {
  const auto found = std::find_if(arrived_.begin(), arrived_.end(),
                                  [&](const Item& item) { return item.blob->id() == id; });
  if (found == arrived_.end()) return nullptr;
  unpacked_.push_back(found->blob);
  return found->blob;
}

Luggage* Luggage::current() noexcept { return laid_out; }

Luggage::Scope::Scope(Luggage* luggage) noexcept : before_(std::exchange(laid_out, luggage)) {}

Luggage::Scope::~Scope() { laid_out = before_; }

}  // namespace pp::runtime
