// occlude on CUDA: a batch of copies of one image, each with one window replaced.
//
// Memory traffic: the batch is written once; image and fill are small and are read from the L2
// cache. The goal is the speed of a fill. A thread writes 16 bytes of output if the sizes allow it.
#include "launch.cuh"

namespace convviz {
namespace {

struct Place {
  int64_t channel, y, x;
};

template <bool channels_last>
__device__ __forceinline__ Place place_of(const Occlusion& o, int64_t element) {
  if constexpr (channels_last) {
    const int64_t pixel = element / o.channels;
    return {element - pixel * o.channels, pixel / o.width, pixel % o.width};
  } else {
    const int64_t row = element / o.width;
    return {row / o.height, row % o.height, element - row * o.width};
  }
}

// A thread writes kPerThread adjacent elements of one copy. They may be in different rows.
template <typename T, bool channels_last, int kPerThread>
__global__ void occlude_kernel(Occlusion o, const T* __restrict__ image,
                               const int64_t* __restrict__ tops,
                               const int64_t* __restrict__ lefts, const T* __restrict__ fill,
                               T* __restrict__ out) {
  struct alignas(sizeof(T) * kPerThread) Pack {
    T at[kPerThread];
  };
  const int64_t elements = o.channels * o.height * o.width, packs = elements / kPerThread;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       i < packs * o.copies; i += step) {
    const int64_t p = i / packs, first = (i - p * packs) * kPerThread;
    const int64_t top = tops[p], left = lefts[p];
    const int64_t from_y = o.travels ? top : 0, from_x = o.travels ? left : 0;
    Pack pack = *reinterpret_cast<const Pack*>(image + first);
#pragma unroll
    for (int j = 0; j < kPerThread; ++j) {
      const Place at = place_of<channels_last>(o, first + j);
      if (at.y >= top && at.y < top + o.window_height && at.x >= left &&
          at.x < left + o.window_width) {
        pack.at[j] = fill[p * o.fill_copy + at.channel * o.fill_channel +
                          (at.y - from_y) * o.fill_row + (at.x - from_x) * o.fill_column];
      }
    }
    *reinterpret_cast<Pack*>(out + p * elements + first) = pack;
  }
}

template <typename T, bool channels_last>
void occlude_batch(const Occlusion& o, cudaStream_t stream, const T* image, const int64_t* tops,
                   const int64_t* lefts, const T* fill, T* out) {
  constexpr int kWide = 16 / sizeof(T);
  const int64_t elements = o.channels * o.height * o.width;
  const bool wide = elements % kWide == 0 && reinterpret_cast<uintptr_t>(image) % 16 == 0;
  const unsigned blocks = blocks_for(elements * o.copies / (wide ? kWide : 1));
  if (wide) {
    launch(&occlude_kernel<T, channels_last, kWide>, blocks, stream, o, image, tops, lefts, fill,
           out);
  } else {
    launch(&occlude_kernel<T, channels_last, 1>, blocks, stream, o, image, tops, lefts, fill, out);
  }
  check_launch("occlude");
}

Tensor occlude(const Tensor& image, const Tensor& y, const Tensor& x, int64_t height,
               int64_t width, const Tensor& fill, bool channels_last) {
  const Occlusion o = check_occlude(image, y, x, height, width, fill);
  for (const Tensor* other : {&y, &x, &fill}) {
    check(is_on_device_of(image, *other), "occlude",
          "y, x and fill must be on the image's device");
  }
  const DeviceGuard guard(image.get_device_index());
  const int64_t sizes[] = {o.copies, o.channels, o.height, o.width};
  Tensor batch = torch::stable::empty({sizes, 4}, image.scalar_type(), std::nullopt,
                                      image.device(), std::nullopt, layout(channels_last));
  if (batch.numel() == 0) return batch;
  const Tensor one =
      torch::stable::contiguous(torch::stable::unsqueeze(image, 0), layout(channels_last));
  const Tensor dense_fill = torch::stable::contiguous(fill);
  const Tensor tops = torch::stable::contiguous(y), lefts = torch::stable::contiguous(x);
  dispatch_floating("occlude", "image", image, [&](auto type) {
    using T = decltype(type);
    const auto run = channels_last ? &occlude_batch<T, true> : &occlude_batch<T, false>;
    run(o, current_stream(image), one.const_data_ptr<T>(), tops.const_data_ptr<int64_t>(),
        lefts.const_data_ptr<int64_t>(), dense_fill.const_data_ptr<T>(),
        batch.mutable_data_ptr<T>());
  });
  return batch;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(convviz, CONVVIZ_CUDA_KEY, m) { m.impl("occlude", TORCH_BOX(&occlude)); }

}  // namespace convviz
