#pragma once

#include <pybind11/pybind11.h>

namespace slabheap::python {

/// Adds Program and replay_on_heap to the module.
void bind_replay(pybind11::module_& module);

}  // namespace slabheap::python
