// The private module of the package: slabheap._core.
#include <pybind11/pybind11.h>

#include "module/heap_binding.hpp"
#include "slabheap/slabheap.h"

PYBIND11_MODULE(_core, module) {
  module.doc() = "The native part of slabheap.";
  module.attr("version") = heap_version();
  slabheap::python::bind_heaps(module);
}
