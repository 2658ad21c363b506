// share(): an object that many jobs read, sent to each node once.
#pragma once

#include <pp/blob.hpp>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace pp {

// A constant object of type T that travels by its name. A small handle: copy it, pass it to jobs as
// an argument, put it into values that travel, return it. A job that is run on another node carries
// only the name; the object is fetched there when the first job needs it, from any node that has
// it, decoded once, and kept for the next as long as there is room (Options::cache_bytes). The
// object lives as long as a handle or a job that carries one does. Any thread.
template <class T>
class Shared {
 public:
  // Empty: refers to no object.
  Shared() = default;

  // The object. REQUIRES: not empty.
  const T& operator*() const { return *object_; }
  const T* operator->() const { return object_; }
  // Null if empty.
  const T* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

  // What it takes on the way, once per node; 0 if empty.
  std::size_t bytes() const { return blob_ ? blob_->bytes().size() : 0; }

  // True for handles to equal content, wherever it was shared.
  friend bool operator==(const Shared& a, const Shared& b) {
    return a.blob_ == b.blob_ || (a.blob_ && b.blob_ && a.blob_->id() == b.blob_->id());
  }

  // For the codec.
  template <class Archive>
  void save(Archive& archive) const {
    const runtime::BlobId id = blob_ ? blob_->id() : runtime::BlobId{};
    archive(blob_ != nullptr, id.hash.bytes, id.size);
    runtime::Luggage* luggage = runtime::Luggage::current();
    if (luggage != nullptr && blob_ != nullptr) luggage->pack(runtime::Luggage::kMentioned, blob_);
  }
  template <class Archive>
  void load(Archive& archive) {
    bool any = false;
    runtime::BlobId id;
    archive(any, id.hash.bytes, id.size);
    *this = any ? Shared(find(id)) : Shared();
  }

 private:
  template <class U>
  friend Shared<std::decay_t<U>> share(U&& object);

  explicit Shared(runtime::BlobPtr blob)
      : blob_(std::move(blob)),
        object_(&blob_->template object<T>([this] { return runtime::decode_blob<T>(*blob_); })) {}

  static runtime::BlobPtr find(const runtime::BlobId& id) {
    runtime::Luggage* luggage = runtime::Luggage::current();
    runtime::BlobPtr blob = luggage == nullptr ? nullptr : luggage->unpack(id);
    if (blob == nullptr)
      throw codec::DecodeError(
          "a shared object that is not here: it travels with jobs and their results only");
    return blob;
  }

  runtime::BlobPtr blob_;
  const T* object_ = nullptr;  // the blob's
};

// Makes a shared object of a copy of `object`, or of itself if it is given away:
//   pp::Shared<Mesh> mesh = pp::share(read_mesh("wing.msh"));
//   for (int i = 0; i < 1'000; ++i) jobs.push_back(rt.submit<simulate>(mesh, i));   // 1 transfer a
//   node
// It is encoded and hashed here, on this thread, once: about half a second for a gigabyte. That
// costs the memory for the encoded bytes beside the object. Throws what encoding throws.
template <class T>
Shared<std::decay_t<T>> share(T&& object) {
  using Object = std::decay_t<T>;
  static_assert(sizeof(MustTravel<Object>) > 0);
  runtime::Luggage mentioned;
  codec::Bytes bytes;
  {
    const runtime::Luggage::Scope scope(&mentioned);
    codec::encode(bytes, static_cast<const Object&>(object));
  }
  std::vector<runtime::BlobPtr> mentions;
  for (const runtime::Luggage::Item& item : mentioned.packed()) mentions.push_back(item.blob);
  runtime::BlobPtr blob = runtime::Blob::make(std::move(bytes), std::move(mentions));
  blob->object<Object>([&]() -> Object { return std::forward<T>(object); });
  return Shared<Object>(std::move(blob));
}

}  // namespace pp

#pragma GCC visibility pop
