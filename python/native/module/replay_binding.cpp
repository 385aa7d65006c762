// The replay engine for Python: programs, and their replay on a slabheap heap. Other allocators are replayed by a host process
// that slabheap/replay.py starts.
#include "module/replay_binding.hpp"

#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "module/heap_choice.hpp"
#include "module/heap_state.hpp"
#include "module/rows.hpp"
#include "replay/heap_replay.hpp"

namespace slabheap::python {
namespace {

namespace py = pybind11;
using namespace py::literals;
using replay::HeapReplay;
using replay::HeapReplayRequest;
using replay::Occupancy;
using replay::Program;
using replay::Sample;
using trace::Event;

py::array_t<Occupancy> occupancy_of(const HeapReplay& replay) {
  const auto samples = static_cast<py::ssize_t>(replay.timeline.size());
  const auto classes = static_cast<py::ssize_t>(replay.classes.size());
  return py::array_t<Occupancy>({samples, classes}, replay.occupancy.data());
}

py::list snapshots_of(const HeapReplay& replay) {
  py::list snapshots;
  for (const std::vector<HeapRun>& runs : replay.snapshots) {
    // Counted from the start of the first run: where the OS mapped the heap is chance.
    const auto start = runs.empty() ? 0 : reinterpret_cast<std::uintptr_t>(runs.front().start);
    std::vector<RunRow> rows;
    for (const HeapRun& run : runs) rows.push_back(row_of(run, start));
    snapshots.append(array_of(rows));
  }
  return snapshots;
}

py::list classes_of(const HeapReplay& replay) {
  py::list classes;
  for (const HeapClassStats& stats : replay.classes) classes.append(dict_of(stats));
  return classes;
}

/// Progress as Python sees it: called with the interpreter's lock, which is also when Ctrl-C is noticed.
replay::Progress progress_of(const py::object& callback) {
  return [callback = callback.ptr()](std::uint64_t done) {
    const py::gil_scoped_acquire lock;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (callback != Py_None) py::handle{callback}(done);
    return true;
  };
}

py::dict replay_on_heap(const Program& program, const HeapChoice& choice, std::uint64_t samples,
                        const std::vector<std::uint64_t>& snapshot_events, unsigned repeats, const py::object& progress) {
  const HeapReplayRequest request{choice.options(), samples, snapshot_events, repeats};
  HeapReplay result;
  try {
    const replay::Progress report = progress_of(progress);
    const py::gil_scoped_release unlocked;
    result = replay::replay_on_heap(program, request, report);
  } catch (const replay::HeapNotMade& heap) {
    raise_unless_added(heap.status, heap.bytes, "a heap of ");
  }
  return py::dict("failures"_a = result.account.failures, "peak_used_bytes"_a = result.account.peak_used,
                  "peak_held_bytes"_a = result.peak_held, "seconds"_a = result.seconds, "timeline"_a = array_of(result.timeline),
                  "occupancy"_a = occupancy_of(result), "snapshots"_a = snapshots_of(result), "stats"_a = dict_of(result.stats),
                  "class_stats"_a = classes_of(result));
}

}  // namespace

void bind_replay(py::module_& module) {
  PYBIND11_NUMPY_DTYPE(Event, time, block, size, align, thread, tag, operation);
  PYBIND11_NUMPY_DTYPE(Sample, event, time, requested, used, held);
  PYBIND11_NUMPY_DTYPE(Occupancy, total_blocks, used_blocks);

  py::class_<Program>(module, "Program", "A trace compiled for replay.")
      .def(py::init<const std::string&>(), py::arg("folder"))
      .def(
          "append",
          [](Program& program, const py::array_t<Event, py::array::c_style>& events) {
            program.append(events.data(), static_cast<std::size_t>(events.size()));
          },
          py::arg("events"))
      .def_property_readonly("events", [](const Program& program) { return program.compiler().events(); })
      .def_property_readonly("slots", [](const Program& program) { return program.compiler().slots(); })
      .def_property_readonly("requested_bytes", [](const Program& program) { return program.compiler().requested_bytes(); })
      .def_property_readonly("peak_requested_bytes",
                             [](const Program& program) { return program.compiler().peak_requested_bytes(); })
      .def_property_readonly("peak_event", [](const Program& program) { return program.compiler().peak_event(); })
      .def_property_readonly("largest_request", [](const Program& program) { return program.compiler().largest_request(); })
      .def("fileno", &Program::file);

  module.def("replay_on_heap", replay_on_heap, py::arg("program"), py::arg("choice"), py::arg("samples"),
             py::arg("snapshot_events"), py::arg("repeats"), py::arg("progress"));
  module.attr("event_dtype") = py::dtype::of<Event>();
  module.attr("sample_dtype") = py::dtype::of<Sample>();
}

}  // namespace slabheap::python
