// Paths from Python, which need not be UTF-8; nor need what is said of them be.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl/filesystem.h>

#include <filesystem>
#include <memory>
#include <stdexcept>

namespace slabheap::python {

/// Makes what is made of a path; that it cannot be is a RuntimeError, in which the path reads as Python has it.
template <typename Made>
std::unique_ptr<Made> made_of_path(const std::filesystem::path& path) {
  try {
    return std::make_unique<Made>(path.native());
  } catch (const std::runtime_error& error) {
    const auto text = pybind11::reinterpret_steal<pybind11::object>(PyUnicode_DecodeFSDefault(error.what()));
    PyErr_SetObject(PyExc_RuntimeError, text.ptr());
    throw pybind11::error_already_set();
  }
}

}  // namespace slabheap::python
