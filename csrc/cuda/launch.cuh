// Helpers of all launchers: device guard, current stream, launch and its check.
//
// With CONVVIZ_CUDA_ON_CPU the kernels are compiled as ordinary C++ and called once for each thread
// of the grid, so that they can be tested without a GPU: see tests/cuda_on_cpu/.
#pragma once

#include "../checks.h"

#include <algorithm>

#ifdef CONVVIZ_CUDA_ON_CPU
#include "cuda_on_cpu.h"
#define CONVVIZ_CUDA_KEY CPU
#else
#include <cuda_runtime.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/accelerator.h>
#define CONVVIZ_CUDA_KEY CUDA
#endif

namespace convviz {

constexpr int kThreads = 256;

#ifdef CONVVIZ_CUDA_ON_CPU
struct DeviceGuard {
  explicit DeviceGuard(int64_t) {}
};

inline cudaStream_t current_stream(const Tensor&) { return nullptr; }

inline bool is_on_device_of(const Tensor&, const Tensor& other) { return other.is_cpu(); }

// All tensors are on the CPU here. With CONVVIZ_TABLES_ON_DEVICE, tables count as on the device.
inline bool is_on_host(const Tensor&) {
  return std::getenv("CONVVIZ_TABLES_ON_DEVICE") == nullptr;
}

template <typename... Parameters, typename... Args>
inline void launch(void (*kernel)(Parameters...), unsigned blocks, cudaStream_t, Args... args) {
  cuda_on_cpu::run_grid(blocks, kThreads, [&] { kernel(static_cast<Parameters>(args)...); });
}
#else
using torch::stable::accelerator::DeviceGuard;

inline cudaStream_t current_stream(const Tensor& x) {
  void* stream = nullptr;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(x.get_device_index(), &stream));
  return static_cast<cudaStream_t>(stream);
}

inline bool is_on_device_of(const Tensor& x, const Tensor& other) {
  return other.is_cuda() && other.get_device_index() == x.get_device_index();
}

inline bool is_on_host(const Tensor& x) { return x.is_cpu(); }

template <typename... Parameters, typename... Args>
inline void launch(void (*kernel)(Parameters...), unsigned blocks, cudaStream_t stream,
                   Args... args) {
  kernel<<<blocks, kThreads, 0, stream>>>(static_cast<Parameters>(args)...);
}
#endif

// Number of blocks for `count` threads of work. It is limited, which is no loss: kernels loop over
// the grid.
inline unsigned blocks_for(int64_t count) {
  constexpr int64_t kMost = 1 << 20;
  return static_cast<unsigned>(std::min((count + kThreads - 1) / kThreads, kMost));
}

inline void check_launch(const char* op) {
  const cudaError_t error = cudaGetLastError();
  check(error == cudaSuccess, op, "launch failed: ", cudaGetErrorString(error));
}

}  // namespace convviz
