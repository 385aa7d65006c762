#pragma once

#include <pybind11/pybind11.h>

namespace slabheap::python {

/// Adds best_classes to the module.
void bind_classes(pybind11::module_& module);

}  // namespace slabheap::python
