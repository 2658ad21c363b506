// StrictProvider's objects: each has the real one behind it.
#include "strict_provider.hpp"

#include <gtest/gtest.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <utility>

namespace pp::transport::testing {
namespace {

StrictProvider* now = nullptr;  // libfabric's entry points have no context

constexpr std::size_t kOwnAddress = 32, kRealAddress = 16;
constexpr char kMagic[] = "a card's address";
static_assert(sizeof kMagic - 1 == kOwnAddress - kRealAddress);

int wrong(const std::string& what) {
  constexpr std::size_t kEnough = 100;  // of one that is tried again and again
  if (now->violations.size() < kEnough) now->violations.push_back(what);
  return -FI_EINVAL;
}

const Libfabric& real() { return Libfabric::library(); }

// The real answer behind each of ours.
std::map<const fi_info*, fi_info*>& answers() {
  static std::map<const fi_info*, fi_info*> all;
  return all;
}

template <typename Object>
Object& of(const fid* id) {
  return *static_cast<Object*>(id->context);
}

struct Domain;
struct Endpoint;

struct Fabric {
  fid_fabric id{};
  fid_fabric* real = nullptr;
  Personality personality;
};

struct Registration {
  fid_mr id{};
  fid_mr* real = nullptr;
  Domain* domain = nullptr;
  Endpoint* bound = nullptr;
  const std::byte* begin = nullptr;
  std::size_t bytes = 0;
  std::uint64_t access = 0, real_key = 0;
  bool enabled = false;

  bool holds(const void* at, std::size_t length) const {
    const auto* first = static_cast<const std::byte*>(at);
    return first >= begin && length <= bytes &&
           static_cast<std::size_t>(first - begin) <= bytes - length;
  }
};

struct Domain {
  fid_domain id{};
  fid_domain* real = nullptr;
  Personality personality;
  std::set<Registration*> registrations;
  std::uint64_t last_key = 0;

  bool wants(int mode) const { return (personality.mr_mode & mode) != 0; }
  // Whether an operation may name this memory.
  int check(const void* at, std::size_t length, void* descriptor, std::uint64_t access) const;
};

struct Vector {
  fid_av id{};
  fid_av* real = nullptr;
  Domain* domain = nullptr;
  std::map<fi_addr_t, fi_addr_t> known;      // ours, the real one
  std::map<fi_addr_t, std::string> address;  // of ours; the real bytes
  fi_addr_t real_of(fi_addr_t ours) const {
    const auto found = known.find(ours);
    return found == known.end() ? FI_ADDR_UNSPEC : found->second;
  }
};

struct Queue {
  fid_cq id{};
  fid_cq* real = nullptr;
  Domain* domain = nullptr;
  bool has_descriptor = false;
  Endpoint* endpoint = nullptr;
};

struct Endpoint {
  fid_ep id{};
  fid_ep* real = nullptr;
  Domain* domain = nullptr;
  Vector* vector = nullptr;
  Queue* queue = nullptr;
  bool enabled = false;
  std::set<void*> under_way;                                         // contexts of sends and reads
  std::map<void*, std::pair<const std::byte*, std::size_t>> posted;  // receives by context
  std::size_t injected = 0;  // since the queue was last read

  bool full() const {
    const bool is = under_way.size() + injected >= domain->personality.sends;
    now->full += is;
    return is;
  }
  std::string address() const {
    std::array<char, kRealAddress> bytes{};
    std::size_t length = bytes.size();
    fi_getname(&real->fid, bytes.data(), &length);
    return {bytes.data(), length};
  }
};

// Who listens where.
std::map<std::string, Endpoint*>& listeners() {
  static std::map<std::string, Endpoint*> all;
  return all;
}

int Domain::check(const void* at, std::size_t length, void* descriptor,
                  std::uint64_t access) const {
  if (!wants(FI_MR_LOCAL)) return 0;
  for (const Registration* it : registrations) {
    if (it->id.mem_desc != descriptor) continue;
    if (!it->holds(at, length)) return wrong("the descriptor is of other memory");
    if ((it->access & access) == 0) return wrong("memory is registered for something else");
    if (!it->enabled) return wrong("a registration is used that was not enabled");
    return 0;
  }
  return wrong("memory that is not registered, or with no descriptor of it");
}

bool resident(const void* at, std::size_t bytes) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = reinterpret_cast<std::uintptr_t>(at) / page * page;
  const auto last = reinterpret_cast<std::uintptr_t>(at) + bytes;
  std::vector<unsigned char> pages((last - first + page - 1) / page);
  if (::mincore(reinterpret_cast<void*>(first), last - first, pages.data()) != 0) return false;
  return std::all_of(pages.begin(), pages.end(), [](unsigned char in) { return (in & 1) != 0; });
}

// ---- registrations

int close_registration(fid* id) {
  auto& it = of<Registration>(id);
  for (const auto& [address, endpoint] : listeners()) {
    if (endpoint->domain != it.domain || it.domain->wants(FI_MR_ENDPOINT)) continue;
    for (const auto& [context, where] : endpoint->posted)
      if (it.domain->wants(FI_MR_LOCAL) && it.holds(where.first, where.second))
        wrong("memory is forgotten that libfabric may still write to");
  }
  it.domain->registrations.erase(&it);
  fi_close(&it.real->fid);
  delete &it;
  return 0;
}

int bind_registration(fid* id, fid* to, std::uint64_t) {
  auto& it = of<Registration>(id);
  if (!it.domain->wants(FI_MR_ENDPOINT)) return wrong("a registration is bound for no reason");
  it.bound = &of<Endpoint>(to);
  return 0;
}

int control_registration(fid* id, int command, void*) {
  auto& it = of<Registration>(id);
  if (command != FI_ENABLE) return -FI_ENOSYS;
  if (it.bound == nullptr || !it.bound->enabled)
    return wrong("a registration is enabled before its endpoint");
  it.enabled = true;
  return 0;
}

fi_ops registration_ops{
    sizeof(fi_ops), close_registration, bind_registration, control_registration, nullptr, nullptr,
    nullptr};

int register_memory(fid* id, const void* at, std::size_t bytes, std::uint64_t access,
                    std::uint64_t offset, std::uint64_t key, std::uint64_t flags, fid_mr** made,
                    void*) {
  auto& domain = of<Domain>(id);
  const Personality& p = domain.personality;
  if (p.registering_fails != 0) return p.registering_fails;
  if (p.registrations != 0 && domain.registrations.size() >= p.registrations)
    return wrong("more registrations than there are");
  if (offset != 0 || flags != 0) return wrong("an offset or flags that nobody has");
  if (domain.wants(FI_MR_ALLOCATED) && !resident(at, bytes))
    return wrong("memory without pages is registered");
  if (!domain.wants(FI_MR_PROV_KEY)) {
    if (p.key_bytes < 8 && key >> (8 * p.key_bytes) != 0)
      return wrong("a key is longer than those of the provider");
    for (const Registration* other : domain.registrations)
      if (other->id.key == key) return -FI_ENOKEY;
  } else {
    key = 0xfeed000000000000 + ++domain.last_key * 4097;
  }
  auto* it = new Registration;
  it->real_key = reinterpret_cast<std::uint64_t>(it);
  const int code =
      fi_mr_reg(domain.real, at, bytes, access, 0, it->real_key, 0, &it->real, nullptr);
  if (code != 0) {
    delete it;
    return code;
  }
  it->id.fid = {FI_CLASS_MR, it, &registration_ops};
  it->id.mem_desc = domain.wants(FI_MR_LOCAL) ? it : nullptr;
  it->id.key = key;
  it->domain = &domain;
  it->begin = static_cast<const std::byte*>(at);
  it->bytes = bytes;
  it->access = access;
  it->enabled = !domain.wants(FI_MR_ENDPOINT);
  domain.registrations.insert(it);
  ++now->registered;
  *made = &it->id;
  return 0;
}

// ---- addresses

int insert_addresses(fid_av* id, const void* bytes, std::size_t count, fi_addr_t* made,
                     std::uint64_t flags, void* context) {
  auto& it = of<Vector>(&id->fid);
  if (count != 1) return wrong("one address at a time, please");
  const auto* text = static_cast<const char*>(bytes);
  if (it.domain->personality.own_addresses &&
      std::memcmp(text + kRealAddress, kMagic, kOwnAddress - kRealAddress) != 0)
    return wrong("no address of this card");
  fi_addr_t behind = FI_ADDR_UNSPEC;
  const int done = fi_av_insert(it.real, bytes, 1, &behind, flags, context);
  if (done != 1) return done;
  *made = it.domain->personality.addresses_by_pointer ? 0x7f3300000040 + behind * 192 : behind;
  it.known[*made] = behind;
  it.address[*made] = std::string(text, kRealAddress);
  return 1;
}

int remove_addresses(fid_av* id, fi_addr_t* which, std::size_t count, std::uint64_t flags) {
  auto& it = of<Vector>(&id->fid);
  for (std::size_t i = 0; i < count; ++i) {
    fi_addr_t behind = it.real_of(which[i]);
    if (behind == FI_ADDR_UNSPEC) return wrong("an address is removed that is not there");
    fi_av_remove(it.real, &behind, 1, flags);
    it.known.erase(which[i]);
    it.address.erase(which[i]);
  }
  return 0;
}

int close_vector(fid* id) {
  auto& it = of<Vector>(id);
  const int code = fi_close(&it.real->fid);
  delete &it;
  return code;
}

fi_ops vector_ops{sizeof(fi_ops), close_vector, nullptr, nullptr, nullptr, nullptr, nullptr};
fi_ops_av address_ops{sizeof(fi_ops_av), insert_addresses, nullptr, nullptr,
                      remove_addresses,  nullptr,          nullptr, nullptr};

int open_vector(fid_domain* id, fi_av_attr* attributes, fid_av** made, void* context) {
  auto& domain = of<Domain>(&id->fid);
  const fi_av_type type = domain.personality.addresses_by_pointer ? FI_AV_MAP : FI_AV_TABLE;
  if (attributes->type != FI_AV_UNSPEC && attributes->type != type) return -FI_EINVAL;
  auto* it = new Vector;
  fi_av_attr table = *attributes;
  table.type = FI_AV_TABLE;
  const int code = fi_av_open(domain.real, &table, &it->real, context);
  it->id.fid = {FI_CLASS_AV, it, &vector_ops};
  it->id.ops = &address_ops;
  it->domain = &domain;
  *made = &it->id;
  return code;
}

// ---- completions

ssize_t read_queue(fid_cq* id, void* where, std::size_t count) {
  auto& it = of<Queue>(&id->fid);
  const ssize_t got = fi_cq_read(it.real, where, count);
  if (it.endpoint == nullptr) return got;
  it.endpoint->injected = 0;
  const auto* entry = static_cast<const fi_cq_data_entry*>(where);
  for (ssize_t i = 0; i < got; ++i, ++entry) {
    if (it.endpoint->under_way.erase(entry->op_context) > 0) continue;
    if (!it.domain->personality.multi_recv || (entry->flags & FI_MULTI_RECV) != 0)
      it.endpoint->posted.erase(entry->op_context);
  }
  return got;
}

ssize_t read_error(fid_cq* id, fi_cq_err_entry* entry, std::uint64_t flags) {
  auto& it = of<Queue>(&id->fid);
  const ssize_t got = fi_cq_readerr(it.real, entry, flags);
  if (got == 1 && it.endpoint != nullptr && it.endpoint->under_way.erase(entry->op_context) == 0)
    it.endpoint->posted.erase(entry->op_context);
  return got;
}

int control_queue(fid* id, int command, void* argument) {
  auto& it = of<Queue>(id);
  if (command == FI_GETWAIT && !it.has_descriptor) return -FI_ENOSYS;
  return fi_control(&it.real->fid, command, argument);
}

int close_queue(fid* id) {
  auto& it = of<Queue>(id);
  const int code = fi_close(&it.real->fid);
  delete &it;
  return code;
}

fi_ops queue_ops{sizeof(fi_ops), close_queue, nullptr, control_queue, nullptr, nullptr, nullptr};
fi_ops_cq completion_ops{sizeof(fi_ops_cq), read_queue, nullptr, read_error,
                         nullptr,           nullptr,    nullptr, nullptr};

int open_queue(fid_domain* id, fi_cq_attr* attributes, fid_cq** made, void* context) {
  auto& domain = of<Domain>(&id->fid);
  const Personality::Wait wait = domain.personality.wait;
  if (attributes->wait_obj == FI_WAIT_FD && wait == Personality::Wait::kRefused) return -FI_ENOSYS;
  auto* it = new Queue;
  const int code = fi_cq_open(domain.real, attributes, &it->real, context);
  it->id.fid = {FI_CLASS_CQ, it, &queue_ops};
  it->id.ops = &completion_ops;
  it->domain = &domain;
  it->has_descriptor = attributes->wait_obj == FI_WAIT_FD && wait == Personality::Wait::kDescriptor;
  *made = &it->id;
  return code;
}

// ---- the endpoint

ssize_t post_receive(fid_ep* id, const fi_msg* message, std::uint64_t flags) {
  auto& it = of<Endpoint>(&id->fid);
  const Personality& p = it.domain->personality;
  if ((flags & FI_MULTI_RECV) != 0 && !p.multi_recv)
    return wrong("a buffer for many messages, which the provider does not know");
  if (it.posted.size() >= p.receives) return -FI_EAGAIN;
  if (message->iov_count != 1) return wrong("a receive in several pieces");
  const iovec& where = *message->msg_iov;
  void* const descriptor = message->desc == nullptr ? nullptr : message->desc[0];
  const auto* begin = static_cast<const std::byte*>(where.iov_base);
  if (const int code = it.domain->check(begin, where.iov_len, descriptor, FI_RECV); code != 0)
    return code;
  for (const auto& [context, other] : it.posted)
    if (begin < other.first + other.second && other.first < begin + where.iov_len)
      return wrong("a receive buffer is posted that is posted already");
  fi_msg behind = *message;
  behind.desc = nullptr;
  const ssize_t code = fi_recvmsg(it.real, &behind, flags);
  if (code == 0) it.posted[message->context] = {begin, where.iov_len};
  return code;
}

ssize_t send(fid_ep* id, const void* at, std::size_t bytes, void* descriptor, fi_addr_t to,
             void* context) {
  auto& it = of<Endpoint>(&id->fid);
  if (bytes > it.domain->personality.longest) {
    wrong("a message longer than there are");
    return -FI_EMSGSIZE;
  }
  if (const int code = it.domain->check(at, bytes, descriptor, FI_SEND); code != 0) return code;
  if (it.under_way.contains(context)) return wrong("a context is used twice");
  if (it.full()) return -FI_EAGAIN;
  const ssize_t code = fi_send(it.real, at, bytes, nullptr, it.vector->real_of(to), context);
  if (code == 0) it.under_way.insert(context);
  now->sent += code == 0;
  return code;
}

ssize_t inject(fid_ep* id, const void* at, std::size_t bytes, fi_addr_t to) {
  auto& it = of<Endpoint>(&id->fid);
  if (bytes > it.domain->personality.inject) {
    wrong("more is injected than may be");
    return -FI_EMSGSIZE;
  }
  if (it.full()) return -FI_EAGAIN;
  const ssize_t code = fi_inject(it.real, at, bytes, it.vector->real_of(to));
  if (code == 0) ++it.injected;
  now->injected += code == 0;
  return code;
}

// The address that the real provider wants for it, an offset; `key` becomes the real one.
int translate(const Endpoint& it, fi_addr_t from, std::size_t bytes, std::uint64_t& address,
              std::uint64_t& key) {
  const auto name = it.vector->address.find(from);
  const auto listener =
      name == it.vector->address.end() ? listeners().end() : listeners().find(name->second);
  const Registration* found = nullptr;
  if (listener != listeners().end())
    for (const Registration* other : listener->second->domain->registrations)
      if (other->id.key == key && (other->access & FI_REMOTE_READ) != 0) found = other;
  if (found == nullptr) {  // withdrawn: the real provider says what happens then
    key = ~std::uint64_t{1};
    return 0;
  }
  if (!found->enabled) return wrong("memory is read that was not enabled for it");
  if (found->domain->wants(FI_MR_VIRT_ADDR))
    address -= reinterpret_cast<std::uint64_t>(found->begin);
  if (address > found->bytes || bytes > found->bytes - address)
    return wrong("memory is read past what was exposed: the address is of the wrong kind");
  key = found->real_key;
  return 0;
}

ssize_t read_memory(fid_ep* id, void* into, std::size_t bytes, void* descriptor, fi_addr_t from,
                    std::uint64_t address, std::uint64_t key, void* context) {
  auto& it = of<Endpoint>(&id->fid);
  if (bytes > it.domain->personality.longest) return wrong("more is read at once than may be");
  if (const int code = it.domain->check(into, bytes, descriptor, FI_READ); code != 0) return code;
  if (it.under_way.contains(context)) return wrong("a context is used twice");
  if (it.full()) return -FI_EAGAIN;
  if (const int code = translate(it, from, bytes, address, key); code != 0) return code;
  const ssize_t code =
      fi_read(it.real, into, bytes, nullptr, it.vector->real_of(from), address, key, context);
  if (code == 0) it.under_way.insert(context);
  now->read += code == 0;
  return code;
}

int bind_endpoint(fid* id, fid* to, std::uint64_t flags) {
  auto& it = of<Endpoint>(id);
  if (to->fclass == FI_CLASS_AV) {
    it.vector = &of<Vector>(to);
    return fi_ep_bind(it.real, &it.vector->real->fid, flags);
  }
  it.queue = &of<Queue>(to);
  it.queue->endpoint = &it;
  return fi_ep_bind(it.real, &it.queue->real->fid, flags);
}

int control_endpoint(fid* id, int command, void* argument) {
  auto& it = of<Endpoint>(id);
  const int code = fi_control(&it.real->fid, command, argument);
  if (command == FI_ENABLE && code == 0) {
    it.enabled = true;
    listeners()[it.address()] = &it;
  }
  return code;
}

int close_endpoint(fid* id) {
  auto& it = of<Endpoint>(id);
  for (const Registration* other : it.domain->registrations)
    if (other->bound == &it) wrong("an endpoint is closed to which registrations are bound");
  std::erase_if(listeners(), [&](const auto& entry) { return entry.second == &it; });
  if (it.queue != nullptr) it.queue->endpoint = nullptr;
  const int code = fi_close(&it.real->fid);
  delete &it;
  return code;
}

int name_endpoint(fid* id, void* where, std::size_t* length) {
  auto& it = of<Endpoint>(id);
  if (!it.domain->personality.own_addresses) return fi_getname(&it.real->fid, where, length);
  const std::size_t room = std::exchange(*length, kOwnAddress);
  if (room < kOwnAddress) return -FI_ETOOSMALL;
  const std::string bytes = it.address();
  std::memcpy(where, bytes.data(), std::min(bytes.size(), kRealAddress));
  std::memcpy(static_cast<char*>(where) + kRealAddress, kMagic, kOwnAddress - kRealAddress);
  return 0;
}

int set_option(fid* id, int level, int option, const void* value, std::size_t length) {
  auto& it = of<Endpoint>(id);
  if (option == FI_OPT_MIN_MULTI_RECV && !it.domain->personality.multi_recv) return -FI_ENOPROTOOPT;
  return fi_setopt(&it.real->fid, level, option, value, length);
}

fi_ops endpoint_ops{sizeof(fi_ops), close_endpoint, bind_endpoint, control_endpoint,
                    nullptr,        nullptr,        nullptr};

int open_endpoint(fid_domain* id, fi_info* info, fid_ep** made, void* context) {
  static fi_ops_ep options{};
  static fi_ops_msg messages{};
  static fi_ops_rma memory{};
  static fi_ops_cm names{};
  options.size = sizeof options;
  options.setopt = set_option;
  messages.size = sizeof messages;
  messages.recvmsg = post_receive;
  messages.send = send;
  messages.inject = inject;
  memory.size = sizeof memory;
  memory.read = read_memory;
  names.size = sizeof names;
  names.getname = name_endpoint;
  auto& domain = of<Domain>(&id->fid);
  auto* it = new Endpoint;
  const int code = fi_endpoint(domain.real, answers().at(info), &it->real, context);
  it->id.fid = {FI_CLASS_EP, it, &endpoint_ops};
  it->id.ops = &options;
  it->id.msg = &messages;
  it->id.rma = &memory;
  it->id.cm = &names;
  it->domain = &domain;
  *made = &it->id;
  return code;
}

// ---- domain and fabric

int close_domain(fid* id) {
  auto& it = of<Domain>(id);
  if (!it.registrations.empty()) wrong("a domain is closed in which memory is registered");
  const int code = fi_close(&it.real->fid);
  delete &it;
  return code;
}

fi_ops domain_ops{sizeof(fi_ops), close_domain, nullptr, nullptr, nullptr, nullptr, nullptr};

int open_domain(fid_fabric* id, fi_info* info, fid_domain** made, void* context) {
  static fi_ops_domain objects{};
  static fi_ops_mr memory{sizeof memory, register_memory, nullptr, nullptr};
  objects.size = sizeof objects;
  objects.av_open = open_vector;
  objects.cq_open = open_queue;
  objects.endpoint = open_endpoint;
  auto& fabric = of<Fabric>(&id->fid);
  auto* it = new Domain;
  const int code = fi_domain(fabric.real, answers().at(info), &it->real, context);
  it->id.fid = {FI_CLASS_DOMAIN, it, &domain_ops};
  it->id.ops = &objects;
  it->id.mr = &memory;
  it->personality = fabric.personality;
  *made = &it->id;
  return code;
}

int try_wait(fid_fabric* id, fid** waiting, int count) {
  auto& fabric = of<Fabric>(&id->fid);
  if (count != 1) return wrong("one queue at a time, please");
  auto& queue = of<Queue>(waiting[0]);
  if (!queue.has_descriptor) return wrong("a sleep on a queue without a descriptor");
  fid* behind[] = {&queue.real->fid};
  return fi_trywait(fabric.real, behind, 1);
}

int close_fabric(fid* id) {
  auto& it = of<Fabric>(id);
  const int code = fi_close(&it.real->fid);
  delete &it;
  return code;
}

fi_ops fabric_ops{sizeof(fi_ops), close_fabric, nullptr, nullptr, nullptr, nullptr, nullptr};

}  // namespace

// libfabric's entry points.
struct Strict {
  static const Personality* personality(const char* name) {
    for (const Personality& each : now->offered_)
      if (each.name == name) return &each;
    return nullptr;
  }

  static fi_info* answer(const Personality& p, std::uint32_t version, const char* node,
                         const char* service, std::uint64_t flags, const fi_info* hints) {
    const std::string core = p.name.substr(0, p.name.find(';'));
    const char* asked = hints->fabric_attr->prov_name;
    if (asked != nullptr && p.name != asked && core != asked) return nullptr;
    if ((hints->caps & FI_MULTI_RECV) != 0 && !p.multi_recv) return nullptr;
    if ((hints->caps & FI_RMA) != 0 && !p.remote_memory) return nullptr;
    if (p.own_addresses && node != nullptr) return nullptr;
    fi_info* wish = real().dupinfo(hints);
    std::free(std::exchange(wish->fabric_attr->prov_name, ::strdup("tcp;ofi_rxm")));
    if (p.own_addresses) {
      node = "127.0.0.1";
      flags = FI_SOURCE | FI_NUMERICHOST;
    }
    fi_info* found = nullptr;
    const int code = real().getinfo(version, node, service, flags, wish, &found);
    real().freeinfo(wish);
    if (code != 0) return nullptr;
    fi_info* const behind = real().dupinfo(found);
    fi_info* const it = real().dupinfo(found);
    real().freeinfo(found);
    answers()[it] = behind;
    describe(*it, p);
    return it;
  }

  static void describe(fi_info& it, const Personality& p) {
    std::free(std::exchange(it.fabric_attr->prov_name, ::strdup(p.name.c_str())));
    std::free(std::exchange(it.domain_attr->name, ::strdup((p.name + "_0").c_str())));
    it.mode |= p.mode;
    if (!p.multi_recv) it.caps &= ~FI_MULTI_RECV;  // rxm says that it can, asked or not
    it.domain_attr->mr_mode = p.mr_mode;
    it.domain_attr->mr_cnt = p.registrations;
    it.domain_attr->mr_key_size = p.key_bytes;
    it.domain_attr->av_type = p.addresses_by_pointer ? FI_AV_MAP : FI_AV_UNSPEC;
    it.tx_attr->inject_size = p.inject;
    it.tx_attr->size = p.sends;
    it.rx_attr->size = p.receives;
    it.ep_attr->max_msg_size = p.longest;
    if (!p.in_order) it.tx_attr->msg_order = it.rx_attr->msg_order = 0;
    if (p.own_addresses) {
      it.addr_format = FI_ADDR_EFA;
      std::free(it.src_addr);
      it.src_addr = std::calloc(1, kOwnAddress);
      it.src_addrlen = kOwnAddress;
    }
    if (!p.card) return;
    auto* nic = new Nic;
    nic->id.device_attr = &nic->device;
    nic->id.link_attr = &nic->link;
    nic->link.state = p.link_up ? FI_LINK_UP : FI_LINK_DOWN;
    nic->link.speed = p.speed;
    it.nic = &nic->id;
  }
  struct Nic {
    fid_nic id{};
    fi_device_attr device{};
    fi_link_attr link{};
  };

  static int getinfo(std::uint32_t version, const char* node, const char* service,
                     std::uint64_t flags, const fi_info* hints, fi_info** found) {
    fi_info** end = found;
    *end = nullptr;
    for (const Personality& each : now->offered_) {
      *end = answer(each, version, node, service, flags, hints);
      if (*end != nullptr) end = &(*end)->next;
    }
    if (now->sockets_too_) real().getinfo(version, node, service, flags, hints, end);
    return *found == nullptr ? -FI_ENODATA : 0;
  }

  static void freeinfo(fi_info* info) {
    while (info != nullptr) {
      fi_info* const next = std::exchange(info->next, nullptr);
      if (const auto ours = answers().find(info); ours != answers().end()) {
        if (info->nic != nullptr)
          delete reinterpret_cast<Nic*>(std::exchange(info->nic, nullptr));  // its first member
        real().freeinfo(ours->second);
        answers().erase(ours);
      }
      real().freeinfo(info);
      info = next;
    }
  }

  static int fabric(fi_fabric_attr* attributes, fid_fabric** made, void* context) {
    for (const auto& [ours, behind] : answers()) {
      if (ours->fabric_attr != attributes) continue;
      static fi_ops_fabric objects{};
      objects.size = sizeof objects;
      objects.domain = open_domain;
      objects.trywait = try_wait;
      auto* it = new Fabric;
      const int code = real().fabric(behind->fabric_attr, &it->real, context);
      it->id.fid = {FI_CLASS_FABRIC, it, &fabric_ops};
      it->id.ops = &objects;
      it->personality = *personality(attributes->prov_name);
      *made = &it->id;
      return code;
    }
    return real().fabric(attributes, made, context);
  }
};

StrictProvider::StrictProvider(std::vector<Personality> offered, bool sockets_too)
    : offered_(std::move(offered)), sockets_too_(sockets_too), table_(real()) {
  table_.getinfo = Strict::getinfo;
  table_.freeinfo = Strict::freeinfo;
  table_.fabric = Strict::fabric;
  EXPECT_EQ(now, nullptr);
  now = this;
}

StrictProvider::~StrictProvider() {
  EXPECT_TRUE(answers().empty()) << "an answer was not given back";
  EXPECT_TRUE(listeners().empty()) << "an endpoint was not closed";
  for (const std::string& each : violations) ADD_FAILURE() << "against the rules: " << each;
  now = nullptr;
}

Personality verbs_like() {
  Personality p;
  p.name = "verbs;ofi_rxm";
  p.mr_mode = FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
  p.inject = 16384;
  p.speed = 100'000'000'000;
  return p;
}

Personality efa_like() {
  Personality p;
  p.name = "efa";
  p.mr_mode = FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
  p.inject = 32;
  p.sends = 256;
  p.wait = Personality::Wait::kRefused;
  p.own_addresses = true;
  p.speed = 100'000'000'000;
  return p;
}

Personality cxi_like() {
  Personality p;
  p.name = "cxi";
  p.mr_mode = FI_MR_ALLOCATED | FI_MR_ENDPOINT;
  p.inject = 192;
  p.key_bytes = 4;
  p.wait = Personality::Wait::kOpensWithoutDescriptor;
  p.own_addresses = true;
  p.speed = 200'000'000'000;
  return p;
}

}  // namespace pp::transport::testing
