// The Python module convviz._C. Importing it registers the CPU kernels, which happens in the
// static initialisers of cpu/*.cpp; the module itself only says how it was built and what the
// processor at hand can do.
#include <pybind11/pybind11.h>

#include <string>

#define CONVVIZ_TEXT_(x) #x
#define CONVVIZ_TEXT(x) CONVVIZ_TEXT_(x)

#ifndef USE_CUDA
namespace convviz {
const char* conv3x3_instructions();
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
  m.def("conv3x3_instructions", &convviz::conv3x3_instructions,
        "The instruction set that conv3x3_windows runs with, AVX-512 or AVX2; empty for none, with "
        "which it is slower than a direct convolution.");
#endif
}
