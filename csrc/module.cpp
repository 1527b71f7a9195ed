// The Python module convviz._C. Importing it registers the CPU kernels, which happens in the
// static initialisers of cpu/*.cpp; the module itself only says what the processor at hand can do.
#include <pybind11/pybind11.h>

#ifndef USE_CUDA
namespace convviz {
const char* conv3x3_instructions();
}
#endif

PYBIND11_MODULE(CONVVIZ_MODULE, m) {
  m.doc() = "Compiled kernels of convviz; importing this registers them with torch.";
#ifndef USE_CUDA
  m.def("conv3x3_instructions", &convviz::conv3x3_instructions,
        "The instruction set that conv3x3_windows runs with, AVX-512 or AVX2; empty for none, with "
        "which it is slower than a direct convolution.");
#endif
}
