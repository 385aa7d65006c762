#pragma once

#include <pybind11/pybind11.h>

namespace slabheap::python {

/// Adds Block and HeapBase to the module.
void bind_heaps(pybind11::module_& module);

}  // namespace slabheap::python
