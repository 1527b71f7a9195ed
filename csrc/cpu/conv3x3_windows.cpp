// conv3x3_windows on the CPU: windows of the output of a 3 x 3 convolution. The input is read
// directly from the changed windows and the clean map, so no gathered input is written to memory.
//
// For 4 x 4 outputs of K filters over C channels this takes 36 C K multiply-adds, where a direct
// convolution takes 144 C K, and about 14 vector operations per point for the transforms. The
// output is divided into tiles of 4 x 4. A block of tiles goes through three stages, and stays in
// the second-level cache between them:
//   1. transform the inputs of each tile: 36 points, [block, C] for each point;
//   2. multiply by the transformed weights, for each point: [block, C] x [C, K];
//   3. transform the products of each tile back, and add bias and ReLU.
// See winograd.h for the transforms and ops/winograd.py for the method.
#include "../checks.h"
#include "windows.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>

namespace convviz {
namespace {

// A tile of output: pointers to its 6 x 6 input pixels (to a row of zeros outside of the map), and
// to the place of its height x width output pixels.
template <typename T>
struct Tile {
  const T* pixels[36];
  T* out;
  int64_t row;  // elements from one row of the output window to the next
  int height, width;
};

// Number of adjacent filters in the weights: one cache line.
template <typename T>
constexpr int64_t kPanel = 64 / sizeof(T);

template <typename T>
struct Layer {
  const T* weights;  // [36, K / panel, C, panel]
  const T* bias;
  int64_t channels, filters;
  bool relu;
};

// Elements of one of the 36 planes of a block. Without the 16 unused ones at the end, the planes
// would often be a power of two apart, and compete for the same sets of a cache.
constexpr int64_t plane_size(int64_t block, int64_t depth) { return block * depth + 16; }

#pragma GCC diagnostic ignored "-Wpsabi"  // no vector crosses the boundary of a function
namespace baseline {
#define CONVVIZ_BYTES 32
#define CONVVIZ_TILES 6
#include "winograd.h"
}  // namespace baseline

#if defined(__x86_64__) && defined(__GNUC__)
#define CONVVIZ_X86
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
namespace avx2 {
#define CONVVIZ_BYTES 32
#define CONVVIZ_TILES 6
#include "winograd.h"
}  // namespace avx2
#ifdef __clang__
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#else
#pragma GCC target("avx512f")
#endif
namespace avx512 {
#define CONVVIZ_BYTES 64
#define CONVVIZ_TILES 12
#include "winograd.h"
}  // namespace avx512
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

enum class Instructions { kBaseline, kAvx2, kAvx512 };

// The widest instruction set of this processor, limited by ATEN_CPU_CAPABILITY as torch itself is.
Instructions instructions() {
#ifdef CONVVIZ_X86
  const char* named = std::getenv("ATEN_CPU_CAPABILITY");
  const std::string limit = named ? named : "avx512";
  if (limit == "default") return Instructions::kBaseline;
  if (limit != "avx2" && __builtin_cpu_supports("avx512f")) return Instructions::kAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Instructions::kAvx2;
#endif
  return Instructions::kBaseline;
}

const Instructions kInstructions = instructions();

template <typename T>
void convolve(const Layer<T>& layer, const Tile<T>* tiles, int64_t count, int64_t block, T* room) {
#ifdef CONVVIZ_X86
  if (kInstructions == Instructions::kAvx512) return avx512::convolve(layer, tiles, count, block, room);
  if (kInstructions == Instructions::kAvx2) return avx2::convolve(layer, tiles, count, block, room);
#endif
  baseline::convolve(layer, tiles, count, block, room);
}

// Number of tiles in a block, a multiple of 12. The weights are read once for each block. If they
// are too large for the caches, larger blocks save memory traffic.
int64_t block_size(int64_t weights_bytes) { return weights_bytes > (int64_t{16} << 20) ? 48 : 24; }

// Scratch memory of one thread, kept for the next call. It is small, and page faults of new memory
// would take longer than the computation.
template <typename T>
T* scratch(int64_t elements) {
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  thread_local std::unique_ptr<T, Free> room;
  thread_local int64_t size = 0;
  if (size < elements) {
    const size_t bytes = (elements * sizeof(T) + 63) / 64 * 64;
    room.reset(static_cast<T*>(std::aligned_alloc(64, bytes)));
    size = room ? elements : 0;
    if (!room) throw std::bad_alloc();
    std::memset(room.get(), 0, bytes);
  }
  return room.get();
}

// The arguments of a call. The tiles of all windows are numbered consecutively.
template <typename T>
struct Work {
  Maps<T> maps;
  Layer<T> layer;
  const WindowEntry* entries;
  int64_t height, width, down, across;  // of a window: its pixels, and its tiles each way
  const T* zeros;
  T* out;

  Tile<T> tile(int64_t number) const {
    const int64_t window = number / (down * across), place = number % (down * across);
    const int64_t y = place / across * 4, x = place % across * 4;
    const WindowEntry& e = entries[window];
    Tile<T> t;
    for (int64_t i = 0; i < 6; ++i) {
      for (int64_t j = 0; j < 6; ++j) {
        // Inputs behind the window affect only outputs that are not written.
        const bool used = y + i < height + 2 && x + j < width + 2;
        t.pixels[i * 6 + j] = used ? pixel(e, e.y + y + i, e.x + x + j) : zeros;
      }
    }
    t.row = width * layer.filters;
    t.out = out + (window * height + y) * t.row + x * layer.filters;
    t.height = static_cast<int>(std::min<int64_t>(4, height - y));
    t.width = static_cast<int>(std::min<int64_t>(4, width - x));
    return t;
  }

  const T* pixel(const WindowEntry& e, int64_t y, int64_t x) const {
    if (y < 0 || y >= maps.height || x < 0 || x >= maps.width) return zeros;
    if (e.source >= 0) {
      const Source<T>& part = maps.changed[e.source];
      const int64_t row = y - e.source_y, column = x - e.source_x;
      if (row >= 0 && row < part.height && column >= 0 && column < part.width) {
        return part.data + ((e.index * part.height + row) * part.width + column) * maps.channels;
      }
    }
    return maps.clean + (y * maps.width + x) * maps.channels;
  }
};

template <typename T>
void convolve_blocks(const Work<T>& work, int64_t begin, int64_t end, int64_t tiles,
                     int64_t block) {
  const Layer<T>& layer = work.layer;
  T* room = scratch<T>(36 * (plane_size(block, layer.channels) + plane_size(block, layer.filters)));
  std::vector<Tile<T>> found(block);
  for (int64_t b = begin; b < end; ++b) {
    const int64_t first = b * block, count = std::min(block, tiles - first);
    for (int64_t t = 0; t < count; ++t) found[t] = work.tile(first + t);
    convolve(layer, found.data(), count, block, room);
  }
}

void check_conv3x3(const Tensor& clean, const Tensor& weights, const Tensor& bias) {
  constexpr const char* op = "conv3x3_windows";
  check(clean.scalar_type() == ScalarType::Float || clean.scalar_type() == ScalarType::Double, op,
        "clean must be float32 or float64, got ", dtype(clean));
  const int64_t panel = 64 / static_cast<int64_t>(clean.element_size());
  const int64_t channels = clean.size(1);
  check(weights.dim() == 4 && weights.scalar_type() == clean.scalar_type() &&
            weights.size(0) == 36 && weights.size(2) == channels && weights.size(3) == panel,
        op, "weights must be ", dtype(clean), " [36, K / ", panel, ", ", channels, ", ", panel,
        "], got ", dtype_and_shape(weights));
  check(channels % (panel / 2) == 0, op, "clean's channels must be a multiple of ", panel / 2,
        ", got ", channels);
  check(bias.dim() == 1 && bias.scalar_type() == clean.scalar_type() &&
            bias.size(0) == weights.size(1) * panel,
        op, "bias must be ", dtype(clean), " [", weights.size(1) * panel, "], got ",
        dtype_and_shape(bias));
}

Tensor conv3x3_windows(const Tensor& clean, const std::vector<Tensor>& changed,
                       const Tensor& table, int64_t height, int64_t width, const Tensor& weights,
                       const Tensor& bias, bool relu) {
  check_gather("conv3x3_windows", clean, changed, table, height, width);
  check_conv3x3(clean, weights, bias);
  const int64_t count = table.size(0), channels = clean.size(1), filters = bias.size(0);
  const int64_t sizes[] = {count, filters, height, width};
  Tensor out = torch::stable::empty({sizes, 4}, clean.scalar_type(), std::nullopt, clean.device(),
                                    std::nullopt, MemoryFormat::ChannelsLast);
  if (out.numel() == 0) return out;
  const Gathered from(clean, changed, table, "conv3x3_windows");
  const Tensor dense_weights = torch::stable::contiguous(weights);
  const Tensor dense_bias = torch::stable::contiguous(bias);
  const auto run = [&](auto type) {
    using T = decltype(type);
    const std::vector<T> zeros(channels, T(0));
    Work<T> work{from.maps<T>(),
                 {dense_weights.const_data_ptr<T>(), dense_bias.const_data_ptr<T>(), channels,
                  filters, relu},
                 from.entries(),
                 height,
                 width,
                 (height + 3) / 4,
                 (width + 3) / 4,
                 zeros.data(),
                 out.mutable_data_ptr<T>()};
    const int64_t tiles = count * work.down * work.across;
    const int64_t block = block_size(weights.numel() * static_cast<int64_t>(sizeof(T)));
    torch::stable::parallel_for(0, (tiles + block - 1) / block, 1, [&](int64_t begin, int64_t end) {
      convolve_blocks(work, begin, end, tiles, block);
    });
  };
  if (clean.scalar_type() == ScalarType::Double) {
    run(double{});
  } else {
    run(float{});
  }
  return out;
}

}  // namespace

// The instruction set that the operator uses, "" for the baseline.
const char* conv3x3_instructions() {
  switch (kInstructions) {
    case Instructions::kAvx512:
      return "AVX-512";
    case Instructions::kAvx2:
      return "AVX2";
    default:
      return "";
  }
}

STABLE_TORCH_LIBRARY_IMPL(convviz, CPU, m) {
  m.impl("conv3x3_windows", TORCH_BOX(&conv3x3_windows));
}

}  // namespace convviz
