// The numbering of blocks, for Python.
#pragma once

#include <pybind11/pybind11.h>

namespace slabheap::python {

void bind_numbering(pybind11::module_& module);

}  // namespace slabheap::python
