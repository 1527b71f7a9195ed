// gather_windows on the CPU: for every position, the input window of the next operator, read from
// the changed window where that covers it and from the clean map elsewhere.
//
// Memory traffic: every element of the result is read once (mostly from cache, since neighboring
// positions share the clean map) and written once. A row of a window consists of at most five runs,
// each of which is one copy: padding, clean, changed, clean, padding.
#include "windows.h"

#include <algorithm>

namespace convviz {
namespace {

struct Span {
  int64_t begin, end;  // columns of the map
};

Span overlap(Span a, Span b) { return {std::max(a.begin, b.begin), std::min(a.end, b.end)}; }

// Copies a run of columns of one row of the map. `start` is the map column of the first pixel of
// `from`, `wanted` that of the first pixel of `to`.
template <typename T>
void copy_run(const T* from, int64_t start, Span run, T* to, int64_t wanted, int64_t channels) {
  if (run.begin >= run.end) return;
  std::memcpy(to + (run.begin - wanted) * channels, from + (run.begin - start) * channels,
              sizeof(T) * (run.end - run.begin) * channels);
}

template <typename T>
void gather_one(const Maps<T>& maps, const WindowEntry& e, int64_t height, int64_t width,
                T padding, T* out) {
  const int64_t row_size = width * maps.channels;
  const Span wanted{e.x, e.x + width}, inside = overlap(wanted, {0, maps.width});
  const Source<T>* source = e.source < 0 ? nullptr : &maps.changed[e.source];
  const Span part =
      source ? overlap(inside, {e.source_x, e.source_x + source->width}) : Span{0, 0};
  for (int64_t row = 0; row < height; ++row, out += row_size) {
    const int64_t y = e.y + row;
    if (y < 0 || y >= maps.height || inside.begin >= inside.end) {
      std::fill(out, out + row_size, padding);
      continue;
    }
    std::fill(out, out + (inside.begin - wanted.begin) * maps.channels, padding);
    std::fill(out + (inside.end - wanted.begin) * maps.channels, out + row_size, padding);
    const T* clean = maps.clean + y * maps.width * maps.channels;
    const bool changed = source && part.begin < part.end && y >= e.source_y &&
                         y < e.source_y + source->height;
    if (!changed) {
      copy_run(clean, 0, inside, out, e.x, maps.channels);
      continue;
    }
    const T* from = source->data +
                    ((e.index * source->height + y - e.source_y) * source->width) * maps.channels;
    copy_run(clean, 0, {inside.begin, part.begin}, out, e.x, maps.channels);
    copy_run(from, e.source_x, part, out, e.x, maps.channels);
    copy_run(clean, 0, {part.end, inside.end}, out, e.x, maps.channels);
  }
}

Tensor gather_windows(const Tensor& clean, const std::vector<Tensor>& changed, const Tensor& table,
                      int64_t height, int64_t width, double padding) {
  check_gather("gather_windows", clean, changed, table, height, width);
  const int64_t count = table.size(0), channels = clean.size(1);
  const int64_t sizes[] = {count, channels, height, width};
  Tensor out = torch::stable::empty({sizes, 4}, clean.scalar_type(), std::nullopt, clean.device(),
                                    std::nullopt, MemoryFormat::ChannelsLast);
  if (out.numel() == 0) return out;
  const Gathered from(clean, changed, table, "gather_windows");
  dispatch_floating("gather_windows", "clean", clean, [&](auto type) {
    using T = decltype(type);
    const Maps<T> maps = from.maps<T>();
    const WindowEntry* entries = from.entries();
    T* result = out.mutable_data_ptr<T>();
    const int64_t elements = channels * height * width;
    const int64_t grain = std::max<int64_t>(1, 16384 / elements);
    torch::stable::parallel_for(0, count, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        gather_one(maps, entries[i], height, width, padding_value<T>(padding),
                   result + i * elements);
      }
    });
  });
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(convviz, CPU, m) {
  m.impl("gather_windows", TORCH_BOX(&gather_windows));
}

}  // namespace convviz
