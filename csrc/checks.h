// Checks and small helpers shared by the operators of all devices. They use torch's stable ABI
// only, so that one binary runs under every torch from 2.10 on.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/MemoryFormat.h>
#include <torch/headeronly/core/ScalarType.h>

#include <cstdint>
#include <stdexcept>
#include <sstream>
#include <string>
#include <vector>

namespace convviz {

using torch::headeronly::MemoryFormat;
using torch::headeronly::ScalarType;
using torch::stable::Tensor;

enum class Rule { plain, guided, deconv };

// Throws "convviz::<operator>: <what>" unless ok. STD_TORCH_CHECK would put file and line first.
template <typename... Args>
inline void check(bool ok, const char* op, const Args&... what) {
  if (ok) return;
  std::ostringstream text;
  text << "convviz::" << op << ": ";
  (text << ... << what);
  throw std::runtime_error(text.str());
}

inline std::string shape(const Tensor& x) {
  std::ostringstream text;
  text << "[";
  for (int64_t d = 0; d < x.dim(); ++d) text << (d ? ", " : "") << x.size(d);
  text << "]";
  return text.str();
}

// The name of a tensor's dtype in Python; for the dtypes not listed, torch's own name.
inline std::string dtype(const Tensor& x) {
  switch (x.scalar_type()) {
    case ScalarType::Half: return "float16";
    case ScalarType::BFloat16: return "bfloat16";
    case ScalarType::Float: return "float32";
    case ScalarType::Double: return "float64";
    case ScalarType::Byte: return "uint8";
    case ScalarType::Int: return "int32";
    case ScalarType::Long: return "int64";
    default: return torch::headeronly::toString(x.scalar_type());
  }
}

inline std::string dtype_and_shape(const Tensor& x) { return dtype(x) + " " + shape(x); }

inline Rule parse_rule(const char* op, const std::string& rule) {
  check(rule == "plain" || rule == "guided" || rule == "deconv", op,
        "rule must be one of plain, guided, deconv, got '", rule, "'");
  return rule == "plain" ? Rule::plain : rule == "guided" ? Rule::guided : Rule::deconv;
}

// Whether x is dense in memory as [N, H, W, C], not as [N, C, H, W]. The strides of axes of size 1
// are meaningless and ignored, as in torch.
inline bool is_channels_last(const Tensor& x) {
  if (x.dim() != 4 || x.is_contiguous()) return false;
  int64_t expected = 1;
  for (int64_t d : {1, 3, 2, 0}) {
    if (x.size(d) == 1) continue;
    if (x.stride(d) != expected) return false;
    expected *= x.size(d);
  }
  return true;
}

inline MemoryFormat layout(bool channels_last) {
  return channels_last ? MemoryFormat::ChannelsLast : MemoryFormat::Contiguous;
}

// An uninitialized tensor with the shape and dtype of x, dense in a layout.
inline Tensor dense_like(const Tensor& x, bool channels_last) {
  return torch::stable::empty(x.sizes(), x.scalar_type(), std::nullopt, x.device(), std::nullopt,
                              layout(channels_last));
}

inline Tensor bits_for(const Tensor& x) {
  const int64_t bytes = (x.numel() + 7) / 8;
  return torch::stable::empty({&bytes, 1}, ScalarType::Byte, std::nullopt, x.device());
}

inline void check_bits(const Tensor& grad, const Tensor& bits, bool channels_last) {
  constexpr const char* op = "guided_relu_backward";
  check(bits.scalar_type() == ScalarType::Byte && bits.numel() == (grad.numel() + 7) / 8, op,
        "bits must be uint8 [", (grad.numel() + 7) / 8, "] for a gradient of ", grad.numel(),
        " elements, got ", dtype_and_shape(bits));
  check(!channels_last || grad.dim() == 4, op,
        "channels_last needs a gradient [N, C, H, W], got ", shape(grad));
}

// Sizes of an `occlude` call, and the strides of its fill. The value for copy p, channel c and
// pixel (y, x) is at
//     p * fill_copy + c * fill_channel + (y - from_y) * fill_row + (x - from_x) * fill_column
// of the fill's data. (from_y, from_x) is the window's corner if the fill belongs to the window
// (`travels`), and (0, 0) if it belongs to the image. The strides of one color are 0.
struct Occlusion {
  int64_t copies, channels, height, width, window_height, window_width;
  int64_t fill_copy, fill_channel, fill_row, fill_column;
  bool travels;
};

inline Occlusion check_occlude(const Tensor& image, const Tensor& y, const Tensor& x,
                               int64_t window_height, int64_t window_width, const Tensor& fill) {
  constexpr const char* op = "occlude";
  check(image.dim() == 3, op, "image must be [C, H, W], got ", shape(image));
  check(y.scalar_type() == ScalarType::Long && y.dim() == 1, op, "y must be int64 [P], got ",
        dtype_and_shape(y));
  check(x.scalar_type() == ScalarType::Long && x.dim() == 1 && x.size(0) == y.size(0), op,
        "x must be int64 [", y.size(0), "], got ", dtype_and_shape(x));
  check(window_height > 0 && window_width > 0, op, "the window must be 1 x 1 or more, got ",
        window_height, " x ", window_width);
  check(fill.scalar_type() == image.scalar_type(), op,
        "fill must be ", dtype(image), " as the image, got ", dtype(fill));
  Occlusion o{y.size(0), image.size(0), image.size(1), image.size(2), window_height, window_width,
              0, 0, 0, 0, false};
  const int64_t lead = fill.dim() - 3;
  bool fits = (lead == 0 || (lead == 1 && fill.size(0) == o.copies)) && fill.size(lead) == o.channels;
  if (fits) {
    const int64_t fh = fill.size(lead + 1), fw = fill.size(lead + 2);
    const bool colour = fh == 1 && fw == 1;
    const int64_t want_h = lead ? window_height : o.height, want_w = lead ? window_width : o.width;
    fits = colour || (fh == want_h && fw == want_w);
    o.travels = lead == 1;
    o.fill_copy = lead ? o.channels * fh * fw : 0;
    o.fill_channel = fh * fw;
    o.fill_row = colour ? 0 : fw;
    o.fill_column = colour ? 0 : 1;
  }
  check(fits, op, "fill must be [", o.channels, ", 1, 1], [", o.channels, ", ", o.height, ", ",
        o.width, "], [", o.copies, ", ", o.channels, ", 1, 1] or [", o.copies, ", ", o.channels,
        ", ", window_height, ", ", window_width, "], got ", shape(fill));
  return o;
}

// One row of the table of `gather_windows` and `conv3x3_windows`. Places are in pixels of the map.
// A position's true map is the clean map with its changed window written over it; the wanted window
// is read from the true map.
struct WindowEntry {
  int64_t source;              // the tensor of `changed` with the changed window, -1: none
  int64_t index;               // the window in that tensor
  int64_t source_y, source_x;  // top left corner of the changed window
  int64_t y, x;                // top left corner of the wanted window; it may overhang the map
};

inline void check_gather(const char* op, const Tensor& clean, const std::vector<Tensor>& changed,
                         const Tensor& table, int64_t height, int64_t width) {
  check(clean.dim() == 4 && clean.size(0) == 1, op, "clean must be [1, C, H, W], got ",
        shape(clean));
  check(height > 0 && width > 0, op, "the window must be 1 x 1 or more, got ", height, " x ",
        width);
  check(table.scalar_type() == ScalarType::Long && table.dim() == 2 && table.size(1) == 6, op,
        "table must be int64 [P, 6], got ", dtype_and_shape(table));
  for (const Tensor& part : changed) {
    check(part.dim() == 4 && part.size(1) == clean.size(1) &&
              part.scalar_type() == clean.scalar_type(),
          op, "changed must hold tensors [n, ", clean.size(1),
          ", h, w] of clean's dtype, ", dtype(clean), ", got ", dtype_and_shape(part));
  }
}

// A wrong table would read memory out of bounds, so every row is checked. The table is small.
inline void check_table(const char* op, const int64_t* table, int64_t count,
                        const std::vector<Tensor>& changed) {
  const auto* entries = reinterpret_cast<const WindowEntry*>(table);
  for (int64_t i = 0; i < count; ++i) {
    const WindowEntry& e = entries[i];
    const bool known = e.source >= -1 && e.source < static_cast<int64_t>(changed.size());
    check(known && (e.source < 0 || (e.index >= 0 && e.index < changed[e.source].size(0))), op,
          "row ", i, " of table names window ", e.index, " of source ",
          e.source, ", and there are ", changed.size(), " sources");
  }
}

// A double as an element; c10's 16-bit types convert from float only.
template <typename T>
inline T padding_value(double value) {
  if constexpr (sizeof(T) == 2) {
    return T(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

// Calls f with a value of the C++ type that corresponds to the dtype of a floating-point tensor.
template <typename F>
inline void dispatch_floating(const char* op, const char* name, const Tensor& x, const F& f) {
  switch (x.scalar_type()) {
    case ScalarType::Float: return f(float{});
    case ScalarType::Double: return f(double{});
    case ScalarType::Half: return f(c10::Half{});
    case ScalarType::BFloat16: return f(c10::BFloat16{});
    default:
      check(false, op, name, " must be float16, bfloat16, float32 or float64, got ", dtype(x));
  }
}

}  // namespace convviz
