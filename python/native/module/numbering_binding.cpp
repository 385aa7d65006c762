// The numbering of blocks, for Python: arrays of calls in, arrays of events out.
#include "module/numbering_binding.hpp"

#include <pybind11/numpy.h>

#include "module/rows.hpp"
#include "trace/numbering.hpp"

namespace slabheap::python {
namespace {

namespace py = pybind11;
using trace::AddressNumbering;
using trace::BlockNumbering;
using trace::Event;

using Calls = py::array_t<Event, py::array::c_style>;

py::array_t<Event> numbered(AddressNumbering& numbering, const Calls& calls) {
  std::vector<Event> events;
  events.reserve(static_cast<std::size_t>(calls.size()));
  for (py::ssize_t i = 0; i < calls.size(); ++i) numbering.number(calls.data()[i], events);
  return array_of(events);
}

py::array_t<Event> renumbered(BlockNumbering& numbering, const Calls& calls) {
  py::array_t<Event> events = array_of(calls.data(), static_cast<std::size_t>(calls.size()));
  for (py::ssize_t i = 0; i < events.size(); ++i) numbering.number(events.mutable_data()[i]);
  return events;
}

}  // namespace

void bind_numbering(py::module_& module) {
  py::class_<AddressNumbering>(module, "AddressNumbering",
                               "Turns addresses into numbers of blocks, and makes up for what was not seen.")
      .def(py::init<>())
      .def("number", numbered, py::arg("calls"))
      .def_property_readonly("foreign", &AddressNumbering::foreign)
      .def_property_readonly("implied_frees", &AddressNumbering::implied_frees);
  py::class_<BlockNumbering>(module, "BlockNumbering", "Turns numbers of blocks into those that a trace wants, or refuses them.")
      .def(py::init<>())
      .def("number", renumbered, py::arg("calls"));
  module.attr("reallocate_begins") = static_cast<unsigned>(trace::reallocate_begins);
}

}  // namespace slabheap::python
