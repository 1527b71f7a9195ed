// guided_relu on CUDA: a ReLU that keeps one bit per element, and its backward pass.
//
// Memory traffic as on the CPU: forward reads and writes each element once plus 1/8 byte, backward
// reads gradient and bits once and writes once. The goal is the speed of a copy. A thread processes
// the 8 elements of one byte of bits, with 16-byte loads and stores, without shuffles or atomics.
#include "launch.cuh"

namespace convviz {
namespace {

// 8 elements, moved in pieces of 16 bytes.
template <typename T>
struct alignas(16) Eight {
  T at[8];
};

// Doubles are compared as such, the other types as float.
template <typename T>
__device__ __forceinline__ bool not_positive(T value) {
  if constexpr (std::is_same_v<T, double>) {
    return value <= 0.0;
  } else {
    return static_cast<float>(value) <= 0.0f;  // false for NaN, so that it passes
  }
}

template <typename T>
__device__ __forceinline__ uint8_t rectify(Eight<T>& value) {
  uint8_t packed = 0;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const bool off = not_positive(value.at[i]);
    packed |= static_cast<uint8_t>(!off) << i;
    if (off) value.at[i] = T(0);
  }
  return packed;
}

template <typename T, Rule rule>
__device__ __forceinline__ void carry_back(Eight<T>& grad, uint8_t packed) {
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const bool closed = rule != Rule::deconv && !((packed >> i) & 1);
    const bool negative = rule != Rule::plain && not_positive(grad.at[i]);
    if (closed || negative) grad.at[i] = T(0);
  }
}

// The last byte may cover fewer than 8 elements; these are moved one by one.
template <typename T>
__device__ __forceinline__ Eight<T> load(const T* from, int64_t base, int64_t count) {
  if (base + 8 <= count) return *reinterpret_cast<const Eight<T>*>(from + base);
  Eight<T> value;
#pragma unroll
  for (int i = 0; i < 8; ++i) value.at[i] = base + i < count ? from[base + i] : T(0);
  return value;
}

template <typename T>
__device__ __forceinline__ void store(T* to, int64_t base, int64_t count, const Eight<T>& value) {
  if (base + 8 <= count) {
    *reinterpret_cast<Eight<T>*>(to + base) = value;
    return;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    if (base + i < count) to[base + i] = value.at[i];
  }
}

template <typename T>
__global__ void forward_kernel(const T* x, T* y, uint8_t* __restrict__ bits, int64_t count) {
  const int64_t bytes = (count + 7) / 8, step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t byte = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; byte < bytes;
       byte += step) {
    Eight<T> value = load(x, byte * 8, count);
    bits[byte] = rectify(value);
    store(y, byte * 8, count, value);
  }
}

template <typename T, Rule rule>
__global__ void backward_kernel(const T* __restrict__ grad, const uint8_t* __restrict__ bits,
                                T* __restrict__ out, int64_t count) {
  const int64_t bytes = (count + 7) / 8, step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t byte = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; byte < bytes;
       byte += step) {
    Eight<T> value = load(grad, byte * 8, count);
    carry_back<T, rule>(value, rule == Rule::deconv ? 0 : bits[byte]);
    store(out, byte * 8, count, value);
  }
}

template <typename T>
void launch_backward(Rule rule, unsigned blocks, cudaStream_t stream, const T* grad,
                     const uint8_t* bits, T* out, int64_t count) {
  switch (rule) {
    case Rule::plain:
      launch(&backward_kernel<T, Rule::plain>, blocks, stream, grad, bits, out, count);
      break;
    case Rule::guided:
      launch(&backward_kernel<T, Rule::guided>, blocks, stream, grad, bits, out, count);
      break;
    case Rule::deconv:
      launch(&backward_kernel<T, Rule::deconv>, blocks, stream, grad, bits, out, count);
      break;
  }
}

// 16-byte loads need aligned addresses. A view may start at any element; it is then copied.
Tensor aligned(const Tensor& x, bool channels_last) {
  const Tensor dense = torch::stable::contiguous(x, layout(channels_last));
  if (reinterpret_cast<uintptr_t>(dense.const_data_ptr()) % 16 == 0) return dense;
  Tensor copy = dense_like(dense, channels_last);
  torch::stable::copy_(copy, dense);
  return copy;
}

std::tuple<Tensor, Tensor> guided_relu(const Tensor& given, const std::string& rule) {
  parse_rule("guided_relu", rule);
  const DeviceGuard guard(given.get_device_index());
  const bool channels_last = is_channels_last(given);
  const Tensor x = aligned(given, channels_last);
  Tensor y = dense_like(x, channels_last), bits = bits_for(x);
  dispatch_floating("guided_relu", "x", x, [&](auto type) {
    using T = decltype(type);
    if (x.numel() == 0) return;
    launch(&forward_kernel<T>, blocks_for(bits.numel()), current_stream(x), x.const_data_ptr<T>(),
           y.mutable_data_ptr<T>(), bits.mutable_data_ptr<uint8_t>(), x.numel());
    check_launch("guided_relu");
  });
  return {y, bits};
}

// As guided_relu, but y is written over x.
Tensor guided_relu_(const Tensor& x, const std::string& rule) {
  const bool dense = x.is_contiguous() || is_channels_last(x);
  if (!dense || reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 16 != 0) {
    auto [y, bits] = guided_relu(x, rule);
    const DeviceGuard guard(x.get_device_index());
    Tensor target = x;
    torch::stable::copy_(target, y);
    return bits;
  }
  parse_rule("guided_relu_", rule);
  const DeviceGuard guard(x.get_device_index());
  Tensor bits = bits_for(x);
  dispatch_floating("guided_relu_", "x", x, [&](auto type) {
    using T = decltype(type);
    if (x.numel() == 0) return;
    T* data = x.mutable_data_ptr<T>();
    launch(&forward_kernel<T>, blocks_for(bits.numel()), current_stream(x), data, data,
           bits.mutable_data_ptr<uint8_t>(), x.numel());
    check_launch("guided_relu_");
  });
  return bits;
}

Tensor guided_relu_backward(const Tensor& given, const Tensor& bits, const std::string& name,
                            bool channels_last) {
  const Rule rule = parse_rule("guided_relu_backward", name);
  check_bits(given, bits, channels_last);
  check(is_on_device_of(given, bits),
        "guided_relu_backward", "bits must be on the gradient's device");
  const DeviceGuard guard(given.get_device_index());
  const Tensor grad = aligned(given, channels_last);
  const Tensor dense_bits = torch::stable::contiguous(bits);
  Tensor out = dense_like(grad, channels_last);
  dispatch_floating("guided_relu_backward", "grad", grad, [&](auto type) {
    using T = decltype(type);
    if (grad.numel() == 0) return;
    launch_backward<T>(rule, blocks_for(bits.numel()), current_stream(grad),
                       grad.const_data_ptr<T>(), dense_bits.const_data_ptr<uint8_t>(),
                       out.mutable_data_ptr<T>(), grad.numel());
    check_launch("guided_relu_backward");
  });
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(convviz, CONVVIZ_CUDA_KEY, m) {
  m.impl("guided_relu", TORCH_BOX(&guided_relu));
  m.impl("guided_relu_", TORCH_BOX(&guided_relu_));
  m.impl("guided_relu_backward", TORCH_BOX(&guided_relu_backward));
}

}  // namespace convviz
