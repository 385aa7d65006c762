// What the recorder left, for Python to read as events.
#include "module/recording_binding.hpp"

#include <pybind11/numpy.h>

#include "module/paths.hpp"
#include "module/rows.hpp"
#include "record/recording.hpp"

namespace slabheap::python {
namespace {

namespace py = pybind11;
using record::Recording;

/// The arguments of the program, split at the zeros that end them.
py::list command_of(const Recording& recording) {
  const record::RawHeader& header = recording.header();
  py::list arguments;
  std::string argument;
  for (std::uint32_t i = 0; i < header.command_length && i < record::command_bytes; ++i) {
    if (header.command[i] != '\0') {
      argument += header.command[i];
      continue;
    }
    arguments.append(py::reinterpret_steal<py::str>(
        PyUnicode_DecodeFSDefaultAndSize(argument.data(), static_cast<py::ssize_t>(argument.size()))));
    argument.clear();
  }
  return arguments;
}

}  // namespace

void bind_recording(py::module_& module) {
  py::class_<Recording>(module, "Recording", "A file of the recorder, read as the events of a trace.")
      .def(py::init(&made_of_path<Recording>), py::arg("path"))
      .def(
          "read", [](Recording& recording, std::size_t most) { return array_of(recording.read(most)); }, py::arg("most"))
      .def_property_readonly("process", [](const Recording& recording) { return recording.header().process; })
      .def_property_readonly("command", command_of)
      .def_property_readonly("start_nanoseconds", [](const Recording& recording) { return recording.header().start_nanoseconds; })
      .def_property_readonly("lost", [](const Recording& recording) { return recording.header().lost; })
      .def_property_readonly("records", &Recording::records)
      .def_property_readonly("records_read", &Recording::records_read)
      .def_property_readonly("foreign", &Recording::foreign)
      .def_property_readonly("implied_frees", &Recording::implied_frees);
  module.attr("record_folder_variable") = record::folder_variable;
}

}  // namespace slabheap::python
