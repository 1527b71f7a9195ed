// What every launcher shares: the current stream, the grid, and the check after a launch.
#pragma once

#include "../checks.h"

#include <cuda_runtime.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/accelerator.h>

#include <algorithm>

namespace convviz {

constexpr int kThreads = 256;

inline cudaStream_t current_stream(const Tensor& x) {
  void* stream = nullptr;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(x.get_device_index(), &stream));
  return static_cast<cudaStream_t>(stream);
}

// Blocks for `count` threads of work; kernels stride over the grid, so the cap loses nothing.
inline unsigned blocks_for(int64_t count) {
  constexpr int64_t kMost = 1 << 20;
  return static_cast<unsigned>(std::min((count + kThreads - 1) / kThreads, kMost));
}

inline void check_launch(const char* op) {
  const cudaError_t error = cudaGetLastError();
  check(error == cudaSuccess, op, "launch failed: ", cudaGetErrorString(error));
}

}  // namespace convviz
