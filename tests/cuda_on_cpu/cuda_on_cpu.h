// CUDA's words as ordinary C++, so that g++ compiles the kernels of csrc/cuda: a launch calls the
// kernel once for each thread of the grid, one after the other.
//
// It holds for kernels whose threads do not talk to each other: no shared memory, no
// __syncthreads, no shuffles. A kernel that uses them does not compile here.
//
// CONVVIZ_THREAD_ORDER (forward, reversed, shuffled or mixed) is the order in which the threads
// run, and CONVVIZ_MAX_BLOCKS limits the grid, so that small tensors also take the loops that stride
// over it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __grid_constant__

using cudaStream_t = void*;
using cudaError_t = int;
constexpr cudaError_t cudaSuccess = 0;
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t) { return ""; }

struct Index {
  unsigned x = 0;
};

// On a GPU, the launch fails with an error that names no reason.
[[noreturn]] inline void __trap() { throw std::runtime_error("the kernel trapped"); }

inline thread_local Index threadIdx, blockIdx, blockDim, gridDim;

namespace cuda_on_cpu {

// The recorder of memory accesses (access_recorder.cpp); without it, these are null.
extern "C" __attribute__((weak)) void convviz_begin_launch();
extern "C" __attribute__((weak)) void convviz_begin_thread(uint64_t thread);
extern "C" __attribute__((weak)) void convviz_end_thread();
extern "C" __attribute__((weak)) const char* convviz_end_launch();

// "mixed" takes another order for each launch, the same ones in every run.
inline std::string order_of_launch() {
  static std::mt19937_64 random;
  const char* given = std::getenv("CONVVIZ_THREAD_ORDER");
  const std::string name = given == nullptr ? "forward" : given;
  const char* orders[] = {"forward", "reversed", "shuffled"};
  return name == "mixed" ? orders[random() % 3] : name;
}

// Records the accesses of one thread, also of one that traps.
struct RecordedThread {
  explicit RecordedThread(uint64_t thread) {
    if (convviz_begin_thread) convviz_begin_thread(thread);
  }
  ~RecordedThread() {
    if (convviz_end_thread) convviz_end_thread();
  }
};

inline std::vector<uint64_t> thread_order(uint64_t count) {
  std::vector<uint64_t> order(count);
  std::iota(order.begin(), order.end(), uint64_t{0});
  const std::string name = order_of_launch();
  if (name == "reversed") {
    std::reverse(order.begin(), order.end());
  } else if (name == "shuffled") {
    std::shuffle(order.begin(), order.end(), std::mt19937_64(count));
  } else if (name != "forward") {
    throw std::runtime_error(
        "CONVVIZ_THREAD_ORDER is forward, reversed, shuffled or mixed, not " + name);
  }
  return order;
}

template <typename Body>
void run_grid(unsigned blocks, unsigned threads, const Body& body) {
  if (const char* cap = std::getenv("CONVVIZ_MAX_BLOCKS")) {
    blocks = std::min<unsigned>(blocks, static_cast<unsigned>(std::atoi(cap)));
  }
  if (blocks == 0) throw std::runtime_error("a launch needs at least one block, as CUDA has it");
  gridDim.x = blocks;
  blockDim.x = threads;
  if (convviz_begin_launch) convviz_begin_launch();
  for (const uint64_t thread : thread_order(uint64_t{blocks} * threads)) {
    blockIdx.x = static_cast<unsigned>(thread / threads);
    threadIdx.x = static_cast<unsigned>(thread % threads);
    const RecordedThread recorded(thread);
    body();
  }
  if (convviz_end_launch) {
    if (const char* conflict = convviz_end_launch()) throw std::runtime_error(conflict);
  }
}

}  // namespace cuda_on_cpu
