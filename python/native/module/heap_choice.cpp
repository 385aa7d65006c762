#include "module/heap_choice.hpp"

#include <pybind11/stl.h>

namespace slabheap::python {

namespace py = pybind11;

HeapOptions HeapChoice::options() const {
  static const std::size_t no_classes = 0;
  HeapOptions options = heap_options_default();
  options.bytes = bytes;
  options.preset = static_cast<HeapPreset>(preset);
  if (classes) {
    options.classes = classes->empty() ? &no_classes : classes->data();
    options.class_count = classes->size();
  }
  options.set_blocks = set_blocks;
  options.page_bytes = page_bytes;
  options.pages = static_cast<HeapPageLayer>(pages);
  options.freed_runs = static_cast<HeapFreedRuns>(freed_runs);
  options.huge_pages = static_cast<HeapHugePages>(huge_pages);
  return options;
}

void bind_heap_choice(py::module_& module) {
  py::class_<HeapChoice>(module, "HeapChoice", "What a heap is made with; slabheap.options makes it from names.")
      .def(py::init([](std::size_t bytes, std::uint32_t preset, std::optional<std::vector<std::size_t>> classes,
                       std::size_t set_blocks, std::size_t page_bytes, std::uint32_t pages, std::uint32_t freed_runs,
                       std::uint32_t huge_pages) {
             HeapChoice choice{bytes, preset, std::move(classes), set_blocks, page_bytes, pages, freed_runs, huge_pages};
             const HeapOptions options = choice.options();
             if (const char* problem = heap_options_problem(&options)) throw py::value_error(problem);
             return choice;
           }),
           py::kw_only(), py::arg("bytes"), py::arg("preset"), py::arg("classes"), py::arg("set_blocks"), py::arg("page_bytes"),
           py::arg("pages"), py::arg("freed_runs"), py::arg("huge_pages"))
      .def_readonly("bytes", &HeapChoice::bytes);
}

}  // namespace slabheap::python
