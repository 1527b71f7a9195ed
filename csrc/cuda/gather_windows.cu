// gather_windows on CUDA: for every position, the input window of the next operator, read from the
// changed window where that covers it and from the clean map elsewhere.
//
// Memory traffic: every element of the result is written once. The inputs are small or shared by
// neighboring positions, and are read from the L2 cache. The goal is the speed of a fill. A thread
// moves 16 bytes of adjacent channels of one pixel if their number allows it.
#include "launch.cuh"

#include <cstring>

namespace convviz {
namespace {

// One tensor of `changed`: its address, and the number and size of its windows.
struct Source {
  int64_t address, count, height, width;
};

// The sources are an argument of the kernel, so that no copy to the device is needed; `more` lists
// all of them on the device if they are too many for that.
constexpr int64_t kListed = 64;
struct Sources {
  int64_t count;
  const Source* more;
  Source listed[kListed];
};

struct Extent {
  int64_t channels, map_height, map_width, height, width;
};

template <typename T, int kPerThread>
__global__ void gather_kernel(Extent e, int64_t count, const T* __restrict__ clean,
                              const __grid_constant__ Sources sources,
                              const WindowEntry* __restrict__ table, T padding,
                              T* __restrict__ out) {
  struct alignas(sizeof(T) * kPerThread) Pack {
    T at[kPerThread];
  };
  const int64_t packs = e.channels / kPerThread, total = count * e.height * e.width * packs;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < total;
       i += step) {
    const int64_t pixel = i / packs, channel = (i - pixel * packs) * kPerThread;
    const int64_t row = pixel / e.width, p = row / e.height;
    const WindowEntry entry = table[p];
    if (entry.source < -1 || entry.source >= sources.count) __trap();
    const int64_t y = entry.y + row % e.height, x = entry.x + pixel % e.width;
    Pack pack;
    const T* from = nullptr;
    if (y >= 0 && y < e.map_height && x >= 0 && x < e.map_width) {
      from = clean + (y * e.map_width + x) * e.channels;
      if (entry.source >= 0) {
        const Source source = sources.more ? sources.more[entry.source]
                                           : sources.listed[entry.source];
        if (entry.index < 0 || entry.index >= source.count) __trap();
        const int64_t dy = y - entry.source_y, dx = x - entry.source_x;
        if (dy >= 0 && dy < source.height && dx >= 0 && dx < source.width) {
          from = reinterpret_cast<const T*>(source.address) +
                 ((entry.index * source.height + dy) * source.width + dx) * e.channels;
        }
      }
    }
    if (from != nullptr) {
      pack = *reinterpret_cast<const Pack*>(from + channel);
    } else {
#pragma unroll
      for (int j = 0; j < kPerThread; ++j) pack.at[j] = padding;
    }
    *reinterpret_cast<Pack*>(out + i * kPerThread) = pack;
  }
}

template <typename T>
bool wide(const Tensor& x) {
  return x.size(1) % (16 / sizeof(T)) == 0 &&
         reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 16 == 0;
}

Tensor gather_windows(const Tensor& clean, const std::vector<Tensor>& changed, const Tensor& table,
                      int64_t height, int64_t width, double padding) {
  check_gather("gather_windows", clean, changed, table, height, width);
  const bool on_host = is_on_host(table);
  check(on_host || is_on_device_of(clean, table), "gather_windows",
        "table must be on the CPU or on clean's device");
  const DeviceGuard guard(clean.get_device_index());
  const Extent e{clean.size(1), clean.size(2), clean.size(3), height, width};
  const int64_t count = table.size(0), sizes[] = {count, e.channels, height, width};
  Tensor out = torch::stable::empty({sizes, 4}, clean.scalar_type(), std::nullopt, clean.device(),
                                    std::nullopt, MemoryFormat::ChannelsLast);
  if (out.numel() == 0) return out;
  const Tensor rows = torch::stable::contiguous(table);
  // The windows of one size read a few of many parts. Only these are copied if necessary. The rows
  // of a table on the device are not known here; the kernel checks them.
  std::vector<bool> read(changed.size(), !on_host);
  if (on_host) {
    check_table("gather_windows", rows.const_data_ptr<int64_t>(), count, changed);
    const auto* known = reinterpret_cast<const WindowEntry*>(rows.const_data_ptr<int64_t>());
    for (int64_t i = 0; i < count; ++i) {
      if (known[i].source >= 0) read[known[i].source] = true;
    }
  }
  const Tensor base = torch::stable::contiguous(clean, MemoryFormat::ChannelsLast);
  std::vector<Tensor> dense;
  std::vector<Source> list;
  for (size_t i = 0; i < changed.size(); ++i) {
    const Tensor& part = changed[i];
    check(is_on_device_of(clean, part),
          "gather_windows", "changed must be on clean's device");
    dense.push_back(read[i] ? torch::stable::contiguous(part, MemoryFormat::ChannelsLast) : part);
    list.push_back({reinterpret_cast<int64_t>(dense[i].const_data_ptr()), dense[i].size(0),
                    dense[i].size(2), dense[i].size(3)});
  }
  const Tensor entries = on_host ? torch::stable::to(rows, clean.device()) : rows;
  Sources sources{static_cast<int64_t>(list.size()), nullptr, {}};
  const int64_t bytes = list.size() * sizeof(Source);
  Tensor more;
  if (sources.count <= kListed) {
    std::copy(list.begin(), list.end(), sources.listed);
  } else {
    const Tensor on_cpu = torch::stable::empty({&bytes, 1}, ScalarType::Byte);
    std::memcpy(on_cpu.mutable_data_ptr<uint8_t>(), list.data(), bytes);
    more = torch::stable::to(on_cpu, clean.device());
    sources.more = reinterpret_cast<const Source*>(more.const_data_ptr<uint8_t>());
  }
  dispatch_floating("gather_windows", "clean", clean, [&](auto type) {
    using T = decltype(type);
    bool packed = wide<T>(base) && wide<T>(out);
    for (size_t i = 0; i < dense.size(); ++i) packed = packed && (!read[i] || wide<T>(dense[i]));
    constexpr int kWide = 16 / sizeof(T);
    const auto kernel = packed ? &gather_kernel<T, kWide> : &gather_kernel<T, 1>;
    launch(kernel, blocks_for(out.numel() / (packed ? kWide : 1)), current_stream(clean), e, count,
           base.const_data_ptr<T>(), sources,
           reinterpret_cast<const WindowEntry*>(entries.const_data_ptr<int64_t>()),
           padding_value<T>(padding), out.mutable_data_ptr<T>());
    check_launch("gather_windows");
  });
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(convviz, CONVVIZ_CUDA_KEY, m) {
  m.impl("gather_windows", TORCH_BOX(&gather_windows));
}

}  // namespace convviz
