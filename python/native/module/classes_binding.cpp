#include "module/classes_binding.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "classes/best_classes.hpp"

namespace slabheap::python {

namespace py = pybind11;

namespace {

using Numbers = py::array_t<std::uint64_t, py::array::c_style>;

std::vector<std::uint64_t> best_classes(const Numbers& sizes, const Numbers& aligns, const Numbers& counts, unsigned most_classes,
                                        std::uint64_t largest) {
  std::vector<classes::Requests> requests;
  for (py::ssize_t i = 0; i < sizes.size(); ++i) requests.push_back({sizes.at(i), aligns.at(i), counts.at(i)});
  const py::gil_scoped_release unlocked;
  return classes::best_classes(requests, most_classes, largest);
}

}  // namespace

void bind_classes(py::module_& module) {
  module.def("best_classes", best_classes, py::arg("sizes"), py::arg("aligns"), py::arg("counts"), py::arg("most_classes"),
             py::arg("largest"));
}

}  // namespace slabheap::python
