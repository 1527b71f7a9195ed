// The Python module convviz._C. Importing it registers the CPU kernels, which happens in the
// static initialisers of cpu/*.cpp; the module itself only says how it was built and what the
// processor at hand can do.
#include <pybind11/pybind11.h>

#include <string>

#define CONVVIZ_TEXT_(x) #x
#define CONVVIZ_TEXT(x) CONVVIZ_TEXT_(x)

#ifndef USE_CUDA
namespace convviz {
bool conv3x3_is_fast();
}
#endif

namespace {

pybind11::dict build_info() {
  pybind11::dict info;
  info["compiler"] = std::string(__VERSION__);
  info["torch_target"] = CONVVIZ_TEXT(TORCH_TARGET_VERSION);
  return info;
}

}  // namespace

PYBIND11_MODULE(CONVVIZ_MODULE, m) {
  m.doc() = "Compiled kernels of convviz; importing this registers them with torch.";
  m.def("build_info", &build_info, "Compiler and torch ABI the kernels were built for.");
#ifndef USE_CUDA
  m.def("conv3x3_is_fast", &convviz::conv3x3_is_fast,
        "Whether conv3x3_windows runs with AVX2 here, and so beats a direct convolution.");
#endif
}
