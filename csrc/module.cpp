// The Python module convviz._C (convviz._cuda for CUDA). Importing it registers the kernels, in the
// static initializers of the other files. The module itself only reports the instruction set.
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
