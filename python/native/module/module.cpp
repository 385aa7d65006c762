// The private module of the package: slabheap._core.
#include <pybind11/pybind11.h>

#include "module/classes_binding.hpp"
#include "module/heap_binding.hpp"
#include "module/heap_choice.hpp"
#include "module/numbering_binding.hpp"
#include "module/recording_binding.hpp"
#include "module/replay_binding.hpp"
#include "slabheap/slabheap.h"

PYBIND11_MODULE(_core, module) {
  module.doc() = "The native part of slabheap.";
  module.attr("version") = heap_version();
  slabheap::python::bind_heap_choice(module);
  slabheap::python::bind_heaps(module);
  slabheap::python::bind_replay(module);
  slabheap::python::bind_recording(module);
  slabheap::python::bind_numbering(module);
  slabheap::python::bind_classes(module);
}
