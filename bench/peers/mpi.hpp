// Mpi: what the tests of pp-bench-mpi share: who this rank is, and messages of plain bytes.
#pragma once

// The C interface alone.
#define OMPI_SKIP_MPICXX 1
#include <mpi.h>

#include <cstddef>

#include "arguments.hpp"

namespace pp::bench {

struct Ranks {
  int own = 0;
  int count = 1;
};

// One word of mpirun's command line each. Every rank calls it; rank 0 emits.
using MpiTest = int (*)(const Arguments&, Ranks);
int mpi_latency(const Arguments& arguments, Ranks ranks);
int mpi_rate(const Arguments& arguments, Ranks ranks);
int mpi_bulk(const Arguments& arguments, Ranks ranks);
int mpi_start(const Arguments& arguments, Ranks ranks);
int mpi_idle(const Arguments& arguments, Ranks ranks);
int mpi_skew(const Arguments& arguments, Ranks ranks);
int mpi_primes(const Arguments& arguments, Ranks ranks);
int mpi_grain(const Arguments& arguments, Ranks ranks);
int mpi_uts(const Arguments& arguments, Ranks ranks);

inline void send_bytes(const void* bytes, std::size_t count, int to, int tag) {
  MPI_Send(bytes, static_cast<int>(count), MPI_BYTE, to, tag, MPI_COMM_WORLD);
}
inline MPI_Status receive_bytes(void* bytes, std::size_t most, int from, int tag) {
  MPI_Status status;
  MPI_Recv(bytes, static_cast<int>(most), MPI_BYTE, from, tag, MPI_COMM_WORLD, &status);
  return status;
}

}  // namespace pp::bench
