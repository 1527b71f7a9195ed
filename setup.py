"""The compiled kernels and the package folders; the metadata lives in pyproject.toml."""

import os
import shutil
import subprocess
from pathlib import Path

from setuptools import find_packages, setup

# One binary for every torch from 2.10 on (the stable ABI).
MACROS = [("TORCH_TARGET_VERSION", "0x020a000000000000")]


def find_cuda_home() -> str | None:
    """Return the CUDA folder with headers and libraries, also where only nvcc is on the PATH.

    A CUDA_HOME that is set is taken at its word: an empty one means no CUDA kernels.
    """
    if "CUDA_HOME" in os.environ:
        guesses = [os.environ["CUDA_HOME"]]
    else:
        nvcc = shutil.which("nvcc")
        guesses = [str(Path(nvcc).resolve().parent.parent)] if nvcc else []
        guesses.append("/usr/local/cuda")
    return next((g for g in guesses if g and Path(g, "include", "cuda_runtime.h").exists()), None)


def cuda_reason(home: str | None) -> str:
    """Say why the CUDA kernels are not built; "" where they are."""
    import torch

    if home is None:
        return "no CUDA toolkit was found (set CUDA_HOME to the folder with include/ and lib64/)"
    if torch.version.cuda is None:
        return "this torch has no CUDA"
    if not Path(home, "bin", "nvcc").exists():
        return f"{home} has no bin/nvcc"
    text = subprocess.run([f"{home}/bin/nvcc", "--version"], capture_output=True, text=True).stdout
    major = text.partition("release ")[2].partition(".")[0]
    if major != torch.version.cuda.partition(".")[0]:
        return f"nvcc is of CUDA {major}, torch of CUDA {torch.version.cuda}"
    return ""


def extensions() -> list:
    """Return what can be built here."""
    home = find_cuda_home()
    if home is not None:
        os.environ["CUDA_HOME"] = home  # before torch's build helper guesses
    os.environ.setdefault("TORCH_CUDA_ARCH_LIST", "7.5;8.0;9.0+PTX")
    import pybind11
    from torch.utils.cpp_extension import CppExtension, CUDAExtension

    common = {"include_dirs": [pybind11.get_include()]}
    found = [
        CppExtension(
            "convviz._C",
            ["csrc/module.cpp", *map(str, sorted(Path("csrc/cpu").glob("*.cpp")))],
            define_macros=[*MACROS, ("CONVVIZ_MODULE", "_C")],
            extra_compile_args=["-O3", "-fvisibility=hidden"],
            **common,
        )
    ]
    if reason := cuda_reason(home):
        print(f"convviz: CUDA kernels are not built: {reason}")
    else:
        found.append(
            CUDAExtension(
                "convviz._cuda",
                ["csrc/module.cpp", *map(str, sorted(Path("csrc/cuda").glob("*.cu")))],
                define_macros=[*MACROS, ("CONVVIZ_MODULE", "_cuda"), ("USE_CUDA", None)],
                extra_compile_args={"cxx": ["-O3", "-fvisibility=hidden"], "nvcc": ["-O3"]},
                **common,
            )
        )
    return found


def build_command() -> type:
    """Return torch's build_ext, made to leave a working install where nothing compiles."""
    from torch.utils.cpp_extension import BuildExtension

    class OptionalBuild(BuildExtension):
        def build_extensions(self) -> None:
            wanted, self.extensions = self.extensions, []
            for extension in wanted:
                self.extensions = [extension]
                try:
                    super().build_extensions()
                except Exception as error:
                    print(
                        f"convviz: {extension.name} is not built, its operators run as Python "
                        f"references: {type(error).__name__}: {error}"
                    )
                    extension.optional = True  # so that an editable install does not miss it
            self.extensions = wanted

    return OptionalBuild


setup(
    packages=find_packages(include=["convviz*"])
    + find_packages("plugins", include=["convviz_plugins*"]),
    package_dir={"convviz_plugins": "plugins/convviz_plugins"},
    ext_modules=extensions(),
    cmdclass={"build_ext": build_command()},
)
