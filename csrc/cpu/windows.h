// What the operators on windows of partly changed maps read: the clean map, the changed windows,
// and a table that says which window lies where.
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

// Checked and laid out densely as [N, H, W, C]; holds the copies that this may need.
class Gathered {
 public:
  Gathered(const Tensor& clean, const std::vector<Tensor>& changed, const Tensor& table,
           const char* op)
      : clean_(torch::stable::contiguous(clean, MemoryFormat::ChannelsLast)),
        table_(torch::stable::contiguous(table)) {
    check_table(op, table_.const_data_ptr<int64_t>(), table.size(0), changed);
    // Windows of one size come from a few parts of many; only those that are read are laid out.
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
