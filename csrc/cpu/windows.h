// The inputs of the operators on windows of partly changed maps: the clean map, the changed
// windows, and a table of their places.
#pragma once

#include "../checks.h"

#include <cstring>

namespace convviz {

template <typename T>
struct Source {
  const T* data;
  int64_t height, width;
};

template <typename T>
struct Maps {
  const T* clean;
  int64_t channels, height, width;
  std::vector<Source<T>> changed;
};

// The checked inputs, dense as [N, H, W, C]. Owns copies of those that have another layout.
class Gathered {
 public:
  Gathered(const Tensor& clean, const std::vector<Tensor>& changed, const Tensor& table,
           const char* op)
      : clean_(torch::stable::contiguous(clean, MemoryFormat::ChannelsLast)),
        table_(torch::stable::contiguous(table)) {
    check_table(op, table_.const_data_ptr<int64_t>(), table.size(0), changed);
    // The windows of one size read a few of many parts. Only these are copied if necessary.
    std::vector<bool> read(changed.size());
    for (int64_t i = 0; i < table.size(0); ++i) {
      if (entries()[i].source >= 0) read[entries()[i].source] = true;
    }
    for (size_t i = 0; i < changed.size(); ++i) {
      changed_.push_back(
          read[i] ? torch::stable::contiguous(changed[i], MemoryFormat::ChannelsLast) : changed[i]);
    }
  }

  template <typename T>
  Maps<T> maps() const {
    Maps<T> found{clean_.const_data_ptr<T>(), clean_.size(1), clean_.size(2), clean_.size(3), {}};
    for (const Tensor& part : changed_) {
      found.changed.push_back({part.const_data_ptr<T>(), part.size(2), part.size(3)});
    }
    return found;
  }

  const WindowEntry* entries() const {
    return reinterpret_cast<const WindowEntry*>(table_.const_data_ptr<int64_t>());
  }

 private:
  Tensor clean_, table_;
  std::vector<Tensor> changed_;
};

}  // namespace convviz
