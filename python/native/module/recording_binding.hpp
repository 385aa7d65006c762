#pragma once

#include <pybind11/pybind11.h>

namespace slabheap::python {

/// Adds Recording to the module.
void bind_recording(pybind11::module_& module);

}  // namespace slabheap::python
