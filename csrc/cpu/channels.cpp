// Statistics of the channels of maps on the CPU: the highest value and its place, the mean, and
// moments with a histogram.
//
// The channels of a pixel are adjacent in memory, so that the compiler vectorizes over channels.
// Memory traffic: channel_peaks and channel_means read a map once; channel_moments reads it twice,
// the second time from cache if the map of one image fits there. An image is processed by a single
// thread, and its pixels are read row by row in every layout. The results therefore do not depend
// on the number of threads, the layout or the batch.
#include "../checks.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <tuple>
#include <type_traits>

// Functions are also compiled for wider registers, and the loader chooses the widest at run time.
// Sanitizers do not support this.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define CONVVIZ_ANY_WIDTH __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CONVVIZ_ANY_WIDTH
#endif

namespace convviz {
namespace {

// The functions below update the statistics of all channels by one pixel. They take nearly all of
// the time. Each is a template for all dtypes, with overloads that are compiled for wide registers.
template <typename N, typename T>
inline void raise_peaks(const T* pixel, int64_t channels, int32_t place, N* high, int32_t* where) {
  for (int64_t c = 0; c < channels; ++c) {
    const N v = static_cast<N>(pixel[c]);
    // The first NaN is the highest of all values, as in torch. It stays: v > NaN is false.
    const bool higher = (v > high[c]) | ((v != v) & (high[c] == high[c]));
    high[c] = higher ? v : high[c];
    where[c] = higher ? place : where[c];
  }
}

CONVVIZ_ANY_WIDTH void peaks(const float* pixel, int64_t channels, int32_t place, float* high,
                             int32_t* where) {
  raise_peaks(pixel, channels, place, high, where);
}

CONVVIZ_ANY_WIDTH void peaks(const double* pixel, int64_t channels, int32_t place, double* high,
                             int32_t* where) {
  raise_peaks(pixel, channels, place, high, where);
}

template <typename T>
void peaks(const T* pixel, int64_t channels, int32_t place, float* high, int32_t* where) {
  raise_peaks(pixel, channels, place, high, where);
}

template <typename T>
inline void add_values(const T* pixel, int64_t channels, double* sum) {
  for (int64_t c = 0; c < channels; ++c) sum[c] += static_cast<double>(static_cast<float>(pixel[c]));
}

template <>
inline void add_values(const double* pixel, int64_t channels, double* sum) {
  for (int64_t c = 0; c < channels; ++c) sum[c] += pixel[c];
}

CONVVIZ_ANY_WIDTH void totals(const float* pixel, int64_t channels, double* sum) {
  add_values(pixel, channels, sum);
}

CONVVIZ_ANY_WIDTH void totals(const double* pixel, int64_t channels, double* sum) {
  add_values(pixel, channels, sum);
}

template <typename T>
void totals(const T* pixel, int64_t channels, double* sum) {
  add_values(pixel, channels, sum);
}

template <typename T>
inline void add_sums(const T* pixel, int64_t channels, double* sum, T* lowest, T* highest) {
  for (int64_t c = 0; c < channels; ++c) {
    sum[c] += static_cast<double>(pixel[c]);
    lowest[c] = pixel[c] < lowest[c] ? pixel[c] : lowest[c];
    highest[c] = pixel[c] > highest[c] ? pixel[c] : highest[c];
  }
}

CONVVIZ_ANY_WIDTH void sums(const float* pixel, int64_t channels, double* sum, float* lowest,
                            float* highest) {
  add_sums(pixel, channels, sum, lowest, highest);
}

CONVVIZ_ANY_WIDTH void sums(const double* pixel, int64_t channels, double* sum, double* lowest,
                            double* highest) {
  add_sums(pixel, channels, sum, lowest, highest);
}

// Index of the half octave of a number. Half octaves of absolute values are bounded by 1, 1.5, 2,
// 3, 4, 6, 8 ...: the exponent and the first bit of the mantissa. Without the sign, these leading
// bits of a number, rounded up, are the index; zero alone has index 0. The half octaves of negative
// numbers come first, then those of the others.
template <typename T>
struct HalfOctaves {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  static constexpr int kSign = sizeof(T) * 8 - 1, kShift = sizeof(T) == 4 ? 22 : 51;
  static constexpr int32_t kSizes = int32_t{1} << (kSign - kShift);

  static inline int32_t of(T value) {
    Bits bits;
    std::memcpy(&bits, &value, sizeof(T));
    const Bits size = ((bits & ~(Bits{1} << kSign)) + ((Bits{1} << kShift) - 1)) >> kShift;
    // NaN with a large payload would be behind the last.
    const int32_t known = std::min<int32_t>(static_cast<int32_t>(size), kSizes - 1);
    return known + ((bits >> kSign) ? 0 : kSizes);
  }
};

template <typename T>
inline void add_distances(const T* pixel, int64_t channels, const double* mean, double* apart,
                          int32_t* octave) {
  for (int64_t c = 0; c < channels; ++c) {
    const double d = static_cast<double>(pixel[c]) - mean[c];
    apart[c] += d * d;
    octave[c] = HalfOctaves<T>::of(pixel[c]);
  }
}

CONVVIZ_ANY_WIDTH void distances(const float* pixel, int64_t channels, const double* mean,
                                 double* apart, int32_t* octave) {
  add_distances(pixel, channels, mean, apart, octave);
}

CONVVIZ_ANY_WIDTH void distances(const double* pixel, int64_t channels, const double* mean,
                                 double* apart, int32_t* octave) {
  add_distances(pixel, channels, mean, apart, octave);
}

// Maps whose channels are adjacent in memory. Owns a copy if the maps have another layout.
class Pixels {
 public:
  explicit Pixels(const Tensor& maps)
      : maps_(maps.stride(1) == 1 || maps.size(1) == 1
                  ? maps
                  : torch::stable::contiguous(maps, MemoryFormat::ChannelsLast)),
        width_(maps.size(3)) {}

  template <typename T>
  const T* image(int64_t n) const {
    return maps_.const_data_ptr<T>() + n * maps_.stride(0);
  }

  // Calls f with every pixel of an image, row by row.
  template <typename T, typename F>
  void each(int64_t n, const F& f) const {
    const T* row = image<T>(n);
    for (int64_t y = 0; y < maps_.size(2); ++y, row += maps_.stride(2)) {
      const T* pixel = row;
      for (int64_t x = 0; x < width_; ++x, pixel += maps_.stride(3)) f(pixel);
    }
  }

 private:
  Tensor maps_;
  int64_t width_;
};

constexpr int64_t kMostPositions = (int64_t{1} << 31) - 1;

void check_maps(const char* op, const Tensor& maps) {
  check(maps.dim() == 4, op, "maps must be [N, C, H, W], got ", shape(maps));
  const int64_t positions = maps.size(2) * maps.size(3);
  check(positions > 0 && positions <= kMostPositions, op,
        "maps must have 1 to ", kMostPositions, " positions, got ", shape(maps));
}

int64_t images_at_once(const Tensor& maps) {
  const int64_t numbers = std::max<int64_t>(1, maps.size(1) * maps.size(2) * maps.size(3));
  return std::max<int64_t>(1, 32768 / numbers);
}

std::tuple<Tensor, Tensor> channel_peaks(const Tensor& maps) {
  check_maps("channel_peaks", maps);
  const int64_t count = maps.size(0), channels = maps.size(1), sizes[] = {count, channels};
  Tensor values = torch::stable::empty({sizes, 2}, maps.scalar_type());
  Tensor places = torch::stable::empty({sizes, 2}, ScalarType::Long);
  const Pixels pixels(maps);
  dispatch_floating("channel_peaks", "maps", maps, [&](auto type) {
    using T = decltype(type);
    using Number = std::conditional_t<sizeof(T) == 2, float, T>;
    if (maps.numel() == 0) return;
    T* value = values.mutable_data_ptr<T>();
    int64_t* place = places.mutable_data_ptr<int64_t>();
    const auto run = [&](int64_t begin, int64_t end) {
      std::vector<Number> best(channels);
      std::vector<int32_t> at(channels);
      Number* high = best.data();
      int32_t* where = at.data();
      for (int64_t n = begin; n < end; ++n) {
        int32_t p = 0;
        pixels.each<T>(n, [&](const T* pixel) {
          if (p == 0) {
            for (int64_t c = 0; c < channels; ++c) high[c] = static_cast<Number>(pixel[c]);
            std::fill(at.begin(), at.end(), 0);
          }
          peaks(pixel, channels, p++, high, where);
        });
        for (int64_t c = 0; c < channels; ++c) {
          value[n * channels + c] = static_cast<T>(high[c]);
          place[n * channels + c] = where[c];
        }
      }
    };
    torch::stable::parallel_for(0, count, images_at_once(maps), run);
  });
  return {values, places};
}

Tensor channel_means(const Tensor& maps) {
  check_maps("channel_means", maps);
  const int64_t count = maps.size(0), channels = maps.size(1), sizes[] = {count, channels};
  const double positions = static_cast<double>(maps.size(2) * maps.size(3));
  Tensor means = torch::stable::empty({sizes, 2}, ScalarType::Double);
  const Pixels pixels(maps);
  dispatch_floating("channel_means", "maps", maps, [&](auto type) {
    using T = decltype(type);
    if (maps.numel() == 0) return;
    double* mean = means.mutable_data_ptr<double>();
    torch::stable::parallel_for(0, count, images_at_once(maps), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        double* sum = mean + n * channels;
        std::fill(sum, sum + channels, 0.0);
        pixels.each<T>(n, [&](const T* pixel) { totals(pixel, channels, sum); });
        for (int64_t c = 0; c < channels; ++c) sum[c] /= positions;
      }
    });
  });
  return means;
}

template <typename T>
struct Moments {
  const Pixels& pixels;
  int64_t channels, positions, bins;
  const int32_t* homes;
  double *mean, *squares, *low, *high;

  void measure(int64_t n, std::vector<int32_t>& octaves, std::vector<T>& range,
               int32_t* histogram) const {
    double* sum = mean + n * channels;
    double* apart = squares + n * channels;
    T *lowest = range.data(), *highest = range.data() + channels;
    std::fill(sum, sum + channels, 0.0);
    std::fill(apart, apart + channels, 0.0);
    std::memcpy(lowest, pixels.image<T>(n), sizeof(T) * channels);
    std::memcpy(highest, pixels.image<T>(n), sizeof(T) * channels);
    pixels.each<T>(n, [&](const T* pixel) { sums(pixel, channels, sum, lowest, highest); });
    for (int64_t c = 0; c < channels; ++c) {
      sum[c] /= static_cast<double>(positions);
      low[n * channels + c] = static_cast<double>(lowest[c]);
      high[n * channels + c] = static_cast<double>(highest[c]);
    }
    int32_t* octave = octaves.data();
    pixels.each<T>(n, [&](const T* pixel) {
      distances(pixel, channels, sum, apart, octave);
      for (int64_t c = 0; c < channels; ++c) ++histogram[c * bins + homes[octave[c]]];
    });
  }
};

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> channel_moments(const Tensor& maps,
                                                                   const Tensor& homes,
                                                                   int64_t bins) {
  constexpr const char* op = "channel_moments";
  check_maps(op, maps);
  const bool wide = maps.scalar_type() == ScalarType::Double;
  check(wide || maps.scalar_type() == ScalarType::Float, op,
        "maps must be float32 or float64, got ", dtype(maps));
  const int64_t octaves = 2 * (wide ? HalfOctaves<double>::kSizes : HalfOctaves<float>::kSizes);
  check(homes.scalar_type() == ScalarType::Long && homes.dim() == 1 && homes.size(0) == octaves, op,
        "homes must be int64 [", octaves, "] for ", dtype(maps), ", got ", dtype_and_shape(homes));
  const Tensor dense_homes = torch::stable::contiguous(homes);
  const int64_t* given = dense_homes.const_data_ptr<int64_t>();
  check(bins > 0 && std::all_of(given, given + octaves, [&](int64_t b) { return b >= 0 && b < bins; }),
        op, "homes must lie in the ", bins, " bins");
  const std::vector<int32_t> home(given, given + octaves);
  const int64_t count = maps.size(0), channels = maps.size(1);
  const int64_t positions = maps.size(2) * maps.size(3);
  const int64_t sizes[] = {count, channels}, counts[] = {channels, bins};
  Tensor made[4] = {torch::stable::empty({sizes, 2}, ScalarType::Double),
                    torch::stable::empty({sizes, 2}, ScalarType::Double),
                    torch::stable::empty({sizes, 2}, ScalarType::Double),
                    torch::stable::empty({sizes, 2}, ScalarType::Double)};
  Tensor histogram = torch::stable::empty({counts, 2}, ScalarType::Long);
  int64_t* total = histogram.mutable_data_ptr<int64_t>();
  std::fill(total, total + channels * bins, 0);
  if (maps.numel() == 0) return {made[0], made[1], made[2], made[3], histogram};
  const Pixels pixels(maps);
  std::mutex adding;
  const auto run = [&](auto type) {
    using T = decltype(type);
    const Moments<T> moments{pixels, channels, positions, bins, home.data(),
                             made[0].mutable_data_ptr<double>(), made[1].mutable_data_ptr<double>(),
                             made[2].mutable_data_ptr<double>(), made[3].mutable_data_ptr<double>()};
    torch::stable::parallel_for(0, count, images_at_once(maps), [&](int64_t begin, int64_t end) {
      // 32-bit counts take half the cache of 64-bit ones. They are added to the total before they
      // could overflow.
      std::vector<int32_t> own(channels * bins);
      int64_t counted = 0;
      const auto add = [&] {
        const std::lock_guard<std::mutex> lock(adding);
        for (int64_t i = 0; i < channels * bins; ++i) total[i] += own[i];
        std::fill(own.begin(), own.end(), 0);
        counted = 0;
      };
      std::vector<int32_t> scratch(channels);
      std::vector<T> range(2 * channels);
      for (int64_t n = begin; n < end; ++n) {
        if (counted + positions > kMostPositions) add();
        moments.measure(n, scratch, range, own.data());
        counted += positions;
      }
      add();
    });
  };
  if (wide) {
    run(double{});
  } else {
    run(float{});
  }
  return {made[0], made[1], made[2], made[3], histogram};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(convviz, CPU, m) {
  m.impl("channel_peaks", TORCH_BOX(&channel_peaks));
  m.impl("channel_means", TORCH_BOX(&channel_means));
  m.impl("channel_moments", TORCH_BOX(&channel_moments));
}

}  // namespace convviz
