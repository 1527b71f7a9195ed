// occlude on the CPU: a batch of copies of one image, each with one window replaced.
//
// Memory traffic: the batch is written once, and the image is read from cache. A window is written
// a second time while its rows are still in cache.
#include "../checks.h"

#include <algorithm>
#include <cstring>

namespace convviz {
namespace {

struct Window {
  int64_t top, left, y0, y1, x0, x1;
};

Window clipped(const Occlusion& o, int64_t top, int64_t left) {
  return {top,
          left,
          std::max<int64_t>(top, 0),
          std::min(top + o.window_height, o.height),
          std::max<int64_t>(left, 0),
          std::min(left + o.window_width, o.width)};
}

// Strides of one copy in its layout: (channel, row, column).
struct Strides {
  int64_t channel, row, column;
};

Strides strides_of(const Occlusion& o, bool channels_last) {
  if (channels_last) return {1, o.width * o.channels, o.channels};
  return {o.height * o.width, o.width, 1};
}

template <typename T>
void write_copy(const Occlusion& o, const Strides& s, const T* image, const T* fill, Window win,
                T* out) {
  std::memcpy(out, image, sizeof(T) * o.channels * o.height * o.width);
  const int64_t from_y = o.travels ? win.top : 0, from_x = o.travels ? win.left : 0;
  for (int64_t y = win.y0; y < win.y1; ++y) {
    for (int64_t c = 0; c < o.channels; ++c) {
      const T* source = fill + c * o.fill_channel + (y - from_y) * o.fill_row - from_x * o.fill_column;
      T* row = out + c * s.channel + y * s.row;
      for (int64_t x = win.x0; x < win.x1; ++x) row[x * s.column] = source[x * o.fill_column];
    }
  }
}

Tensor occlude(const Tensor& image, const Tensor& y, const Tensor& x, int64_t height,
               int64_t width, const Tensor& fill, bool channels_last) {
  const Occlusion o = check_occlude(image, y, x, height, width, fill);
  const int64_t sizes[] = {o.copies, o.channels, o.height, o.width};
  Tensor batch = torch::stable::empty({sizes, 4}, image.scalar_type(), std::nullopt,
                                      image.device(), std::nullopt, layout(channels_last));
  if (batch.numel() == 0) return batch;
  const Tensor one =
      torch::stable::contiguous(torch::stable::unsqueeze(image, 0), layout(channels_last));
  const Tensor dense_fill = torch::stable::contiguous(fill);
  const Tensor tops = torch::stable::contiguous(y), lefts = torch::stable::contiguous(x);
  const Strides strides = strides_of(o, channels_last);
  const int64_t elements = o.channels * o.height * o.width;
  dispatch_floating("occlude", "image", image, [&](auto type) {
    using T = decltype(type);
    const T* source = one.const_data_ptr<T>();
    const T* filled = dense_fill.const_data_ptr<T>();
    const int64_t* top = tops.const_data_ptr<int64_t>();
    const int64_t* left = lefts.const_data_ptr<int64_t>();
    T* out = batch.mutable_data_ptr<T>();
    torch::stable::parallel_for(0, o.copies, 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        write_copy(o, strides, source, filled + p * o.fill_copy, clipped(o, top[p], left[p]),
                   out + p * elements);
      }
    });
  });
  return batch;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(convviz, CPU, m) { m.impl("occlude", TORCH_BOX(&occlude)); }

}  // namespace convviz
