// guided_relu on the CPU: a ReLU that keeps one bit per element, and its backward pass.
//
// Memory traffic: forward reads and writes every element once and writes 1/8 byte for each;
// backward reads gradient and bits once and writes once. For large maps both are limited by memory
// bandwidth. Work is divided by bytes of bits, so that no two threads write the same byte.
#include "../checks.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define CONVVIZ_AVX2 1
#endif

namespace convviz {
namespace {

constexpr int64_t kGrain = 4096;  // bytes of bits per task: 32 768 elements

// `x <= 0 ? 0 : x` and not `x > 0 ? x : 0`: NaN must pass, as it does in torch's own ReLU.
template <typename T>
void forward_bytes(const T* x, T* y, uint8_t* bits, int64_t begin, int64_t end, int64_t count) {
  for (int64_t byte = begin; byte < end; ++byte) {
    const int64_t base = byte * 8, left = count - base < 8 ? count - base : 8;
    uint8_t packed = 0;
    for (int64_t i = 0; i < left; ++i) {
      const T value = x[base + i];
      const bool off = static_cast<float>(value) <= 0;
      y[base + i] = off ? T(0) : value;
      packed |= static_cast<uint8_t>(!off) << i;
    }
    bits[byte] = packed;
  }
}

template <>
void forward_bytes<double>(const double* x, double* y, uint8_t* bits, int64_t begin, int64_t end,
                           int64_t count) {
  for (int64_t byte = begin; byte < end; ++byte) {
    const int64_t base = byte * 8, left = count - base < 8 ? count - base : 8;
    uint8_t packed = 0;
    for (int64_t i = 0; i < left; ++i) {
      const bool off = x[base + i] <= 0;
      y[base + i] = off ? 0 : x[base + i];
      packed |= static_cast<uint8_t>(!off) << i;
    }
    bits[byte] = packed;
  }
}

template <typename T, Rule rule>
void backward_bytes(const T* grad, const uint8_t* bits, T* out, int64_t begin, int64_t end,
                    int64_t count) {
  for (int64_t byte = begin; byte < end; ++byte) {
    const int64_t base = byte * 8, left = count - base < 8 ? count - base : 8;
    const uint8_t packed = rule == Rule::deconv ? 0xff : bits[byte];
    for (int64_t i = 0; i < left; ++i) {
      const T value = grad[base + i];
      const bool open = (packed >> i) & 1;
      const bool negative = rule != Rule::plain && value <= T(0);
      out[base + i] = open && !negative ? value : T(0);
    }
  }
}

#ifdef CONVVIZ_AVX2
const bool kHasAvx2 = __builtin_cpu_supports("avx2");

__attribute__((target("avx2"))) int64_t forward_avx2(const float* x, float* y, uint8_t* bits,
                                                     int64_t begin, int64_t end) {
  const __m256 zero = _mm256_setzero_ps();
  for (int64_t byte = begin; byte < end; ++byte) {
    const __m256 value = _mm256_loadu_ps(x + byte * 8);
    const __m256 on = _mm256_cmp_ps(value, zero, _CMP_NLE_UQ);  // not (value <= 0): NaN is on
    _mm256_storeu_ps(y + byte * 8, _mm256_and_ps(value, on));
    bits[byte] = static_cast<uint8_t>(_mm256_movemask_ps(on));
  }
  return end;
}

template <Rule rule>
__attribute__((target("avx2"))) int64_t backward_avx2(const float* grad, const uint8_t* bits,
                                                      float* out, int64_t begin, int64_t end) {
  const __m256 zero = _mm256_setzero_ps();
  const __m256i lanes = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  for (int64_t byte = begin; byte < end; ++byte) {
    __m256 value = _mm256_loadu_ps(grad + byte * 8);
    if (rule != Rule::plain) {
      value = _mm256_and_ps(value, _mm256_cmp_ps(value, zero, _CMP_NLE_UQ));
    }
    if (rule != Rule::deconv) {
      const __m256i packed = _mm256_and_si256(_mm256_set1_epi32(bits[byte]), lanes);
      value = _mm256_and_ps(value, _mm256_castsi256_ps(_mm256_cmpeq_epi32(packed, lanes)));
    }
    _mm256_storeu_ps(out + byte * 8, value);
  }
  return end;
}
#endif

template <typename T>
void forward(const T* x, T* y, uint8_t* bits, int64_t begin, int64_t end, int64_t count) {
#ifdef CONVVIZ_AVX2
  if constexpr (std::is_same_v<T, float>) {
    if (kHasAvx2) begin = forward_avx2(x, y, bits, begin, end * 8 <= count ? end : end - 1);
  }
#endif
  forward_bytes(x, y, bits, begin, end, count);
}

template <typename T, Rule rule>
void backward(const T* grad, const uint8_t* bits, T* out, int64_t begin, int64_t end,
              int64_t count) {
#ifdef CONVVIZ_AVX2
  if constexpr (std::is_same_v<T, float>) {
    if (kHasAvx2) {
      begin = backward_avx2<rule>(grad, bits, out, begin, end * 8 <= count ? end : end - 1);
    }
  }
#endif
  backward_bytes<T, rule>(grad, bits, out, begin, end, count);
}

template <typename T>
void backward_by(Rule rule, const T* grad, const uint8_t* bits, T* out, int64_t begin, int64_t end,
                 int64_t count) {
  switch (rule) {
    case Rule::plain: return backward<T, Rule::plain>(grad, bits, out, begin, end, count);
    case Rule::guided: return backward<T, Rule::guided>(grad, bits, out, begin, end, count);
    case Rule::deconv: return backward<T, Rule::deconv>(grad, bits, out, begin, end, count);
  }
}

std::tuple<Tensor, Tensor> guided_relu(const Tensor& given, const std::string& rule) {
  parse_rule("guided_relu", rule);
  const bool channels_last = is_channels_last(given);
  const Tensor x = torch::stable::contiguous(given, layout(channels_last));
  Tensor y = dense_like(x, channels_last), bits = bits_for(x);
  dispatch_floating("guided_relu", "x", x, [&](auto type) {
    using T = decltype(type);
    const T* in = x.const_data_ptr<T>();
    T* out = y.mutable_data_ptr<T>();
    uint8_t* packed = bits.mutable_data_ptr<uint8_t>();
    torch::stable::parallel_for(0, bits.numel(), kGrain, [&](int64_t begin, int64_t end) {
      forward(in, out, packed, begin, end, x.numel());
    });
  });
  return {y, bits};
}

// As guided_relu, but y is written over x. Page faults of new memory take longer than the pass.
Tensor guided_relu_(const Tensor& x, const std::string& rule) {
  if (!x.is_contiguous() && !is_channels_last(x)) {
    auto [y, bits] = guided_relu(x, rule);
    Tensor target = x;
    torch::stable::copy_(target, y);
    return bits;
  }
  parse_rule("guided_relu_", rule);
  Tensor bits = bits_for(x);
  dispatch_floating("guided_relu_", "x", x, [&](auto type) {
    using T = decltype(type);
    T* data = x.mutable_data_ptr<T>();
    uint8_t* packed = bits.mutable_data_ptr<uint8_t>();
    torch::stable::parallel_for(0, bits.numel(), kGrain, [&](int64_t begin, int64_t end) {
      forward<T>(data, data, packed, begin, end, x.numel());
    });
  });
  return bits;
}

Tensor guided_relu_backward(const Tensor& given, const Tensor& bits, const std::string& name,
                            bool channels_last) {
  const Rule rule = parse_rule("guided_relu_backward", name);
  check_bits(given, bits, channels_last);
  const Tensor grad = torch::stable::contiguous(given, layout(channels_last));
  const Tensor dense_bits = torch::stable::contiguous(bits);
  Tensor out = dense_like(grad, channels_last);
  dispatch_floating("guided_relu_backward", "grad", grad, [&](auto type) {
    using T = decltype(type);
    const T* in = grad.const_data_ptr<T>();
    const uint8_t* packed = dense_bits.const_data_ptr<uint8_t>();
    T* result = out.mutable_data_ptr<T>();
    torch::stable::parallel_for(0, bits.numel(), kGrain, [&](int64_t begin, int64_t end) {
      backward_by(rule, in, packed, result, begin, end, grad.numel());
    });
  });
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(convviz, CPU, m) {
  m.impl("guided_relu", TORCH_BOX(&guided_relu));
  m.impl("guided_relu_", TORCH_BOX(&guided_relu_));
  m.impl("guided_relu_backward", TORCH_BOX(&guided_relu_backward));
}

}  // namespace convviz
