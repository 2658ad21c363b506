// Stranger: somebody with libfabric and without a key, at the fabric's open port.
#pragma once

#include <gtest/gtest.h>
#include <rdma/fabric.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_tagged.h>

#include <cstddef>
#include <cstring>
#include <pp/error.hpp>
#include <vector>

#include "fabric.hpp"
#include "libfabric.hpp"

namespace pp::transport::testing {

// Sends what it likes to whom it likes.
class Stranger {
 public:
  explicit Stranger(const FabricAddress& victim) {
    hints_->caps = FI_MSG | FI_TAGGED;
    hints_->mode = FI_CONTEXT;
    hints_->ep_attr->type = FI_EP_RDM;
    hints_->domain_attr->mr_mode = FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
    hints_->fabric_attr->prov_name = strdup(victim.provider.c_str());
    must(Libfabric::library().getinfo(FI_VERSION(1, 17), "127.0.0.1", nullptr, FI_SOURCE, hints_,
                                      &info_));
    must(Libfabric::library().fabric(info_->fabric_attr, &fabric_, nullptr));
    must(fi_domain(fabric_, info_, &domain_, nullptr));
    fi_av_attr av{};
    av.type = FI_AV_TABLE;
    must(fi_av_open(domain_, &av, &av_, nullptr));
    fi_cq_attr cq{};
    cq.format = FI_CQ_FORMAT_DATA;
    must(fi_cq_open(domain_, &cq, &cq_, nullptr));
    must(fi_endpoint(domain_, info_, &endpoint_, nullptr));
    must(fi_ep_bind(endpoint_, &av_->fid, 0));
    must(fi_ep_bind(endpoint_, &cq_->fid, FI_TRANSMIT | FI_RECV));
    must(fi_enable(endpoint_));
    EXPECT_EQ(fi_av_insert(av_, victim.bytes.data(), 1, &victim_, 0, nullptr), 1);
  }
  ~Stranger() {
    for (fid* object : {&endpoint_->fid, &cq_->fid, &av_->fid, &domain_->fid, &fabric_->fid}) {
      fi_close(object);
    }
    Libfabric::library().freeinfo(info_);
    Libfabric::library().freeinfo(hints_);
  }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

  // True once the message is given to libfabric.
  bool send(std::size_t bytes) {
    poll();
    return fi_send(endpoint_, junk_.data(), bytes, nullptr, victim_, &context_) == 0;
  }
  // The same, of a kind that a Fabric never asks for: its provider keeps what comes.
  bool send_tagged(std::size_t bytes) {
    poll();
    return fi_tsend(endpoint_, junk_.data(), bytes, nullptr, victim_, 1, &context_) == 0;
  }
  void poll() {
    fi_cq_data_entry entry{};
    fi_cq_err_entry error{};
    if (fi_cq_read(cq_, &entry, 1) == -FI_EAVAIL) fi_cq_readerr(cq_, &error, 0);
  }

 private:
  static void must(int code) {
    if (code != 0) throw Error(Libfabric::library().strerror(-code));
  }
  std::vector<std::byte> junk_ = std::vector<std::byte>(300'000, std::byte{0x5a});
  fi_context2 context_{};
  fi_info* hints_ = Libfabric::library().dupinfo(nullptr);
  fi_info* info_ = nullptr;
  fid_fabric* fabric_ = nullptr;
  fid_domain* domain_ = nullptr;
  fid_av* av_ = nullptr;
  fid_cq* cq_ = nullptr;
  fid_ep* endpoint_ = nullptr;
  fi_addr_t victim_ = FI_ADDR_UNSPEC;
};

}  // namespace pp::transport::testing
