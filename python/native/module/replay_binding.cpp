// The replay engine for Python: programs, and their replay on a slabheap heap. Other allocators are replayed by a host process
// that slabheap/hosting.py starts.
#include "module/replay_binding.hpp"

#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "module/heap_choice.hpp"
#include "module/heap_state.hpp"
#include "module/paths.hpp"
#include "module/rows.hpp"
#include "replay/heap_replay.hpp"

namespace slabheap::python {
namespace {

namespace py = pybind11;
using namespace py::literals;
using replay::CostWindow;
using replay::HeapMoment;
using replay::HeapReplay;
using replay::HeapReplayRequest;
using replay::Occupancy;
using replay::Program;
using replay::Sample;
using trace::Event;

/// Arrays of what a heap said of itself at some moments: samples, largest free runs, and the occupancy of each class.
py::dict moments_of(const std::vector<HeapMoment>& moments, std::size_t classes) {
  std::vector<Sample> samples;
  std::vector<std::uint64_t> largest;
  std::vector<Occupancy> occupancy;
  for (const HeapMoment& moment : moments) {
    samples.push_back(moment.sample);
    largest.push_back(moment.largest_free);
    occupancy.insert(occupancy.end(), moment.occupancy.begin(), moment.occupancy.end());
  }
  const auto rows = static_cast<py::ssize_t>(moments.size());
  return py::dict("samples"_a = array_of(samples), "largest_free"_a = array_of(largest),
                  "occupancy"_a = py::array_t<Occupancy>({rows, static_cast<py::ssize_t>(classes)}, occupancy.data()));
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
    py::handle{callback}(done);
  };
}

py::dict replay_on_heap(const Program& program, const HeapChoice& choice, unsigned regions, std::uint64_t samples,
                        const std::vector<std::uint64_t>& snapshot_events, unsigned repeats, bool is_warm,
                        std::uint64_t cost_windows, const py::object& progress) {
  const HeapReplayRequest request{choice.options(), regions, samples, snapshot_events, repeats, is_warm, cost_windows};
  HeapReplay result;
  try {
    const replay::Progress report = progress_of(progress);
    const py::gil_scoped_release unlocked;
    result = replay::replay_on_heap(program, request, report);
  } catch (const replay::HeapNotMade& heap) {
    raise_unless_added(heap.status, heap.bytes, "a heap of ");
  }
  const std::size_t classes = result.classes.size();
  return py::dict("failures"_a = result.failures, "peak_used_bytes"_a = result.peaks.used,
                  "peak_slack_bytes"_a = result.peaks.slack, "peak_live_pages"_a = result.peaks.live_pages,
                  "peak_held_bytes"_a = result.peak_held, "peak_resident_bytes"_a = result.peak_resident,
                  "touched_pages"_a = result.touched_pages, "seconds"_a = result.seconds,
                  "timeline"_a = moments_of(result.timeline, classes), "at_peak"_a = moments_of(result.at_peak, classes),
                  "snapshots"_a = snapshots_of(result), "stats"_a = dict_of(result.stats), "class_stats"_a = classes_of(result),
                  "costs"_a = array_of(result.costs),
                  "cost_clock"_a = py::make_tuple(result.cost_clock.nanoseconds_per_tick, result.cost_clock.reading_ticks,
                                                  result.cost_clock.resolution_ticks));
}

/// The least number of ticks in each bucket of a histogram of costs.
py::array_t<std::uint64_t> cost_bounds() {
  std::vector<std::uint64_t> least(replay::cost_buckets);
  for (unsigned bucket = 0; bucket < replay::cost_buckets; ++bucket) least[bucket] = replay::cost_least(bucket);
  return array_of(least);
}

}  // namespace

void bind_replay(py::module_& module) {
  PYBIND11_NUMPY_DTYPE(Event, time, block, size, align, thread, tag, operation);
  PYBIND11_NUMPY_DTYPE(Sample, event, time, requested, used, held, slack, failures, live_pages, touched_pages);
  PYBIND11_NUMPY_DTYPE(CostWindow, event, time, sum, most, counts);
  PYBIND11_NUMPY_DTYPE(Occupancy, total_blocks, used_blocks);

  py::class_<Program>(module, "Program", "A trace compiled for replay.")
      .def(py::init(&made_of_path<Program>), py::arg("folder"))
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

  module.def("replay_on_heap", replay_on_heap, py::arg("program"), py::arg("choice"), py::arg("regions"), py::arg("samples"),
             py::arg("snapshot_events"), py::arg("repeats"), py::arg("warm"), py::arg("cost_windows"), py::arg("progress"));
  module.attr("event_dtype") = py::dtype::of<Event>();
  module.attr("sample_dtype") = py::dtype::of<Sample>();
  module.attr("cost_window_dtype") = py::dtype::of<CostWindow>();
  module.attr("stretch_events") = replay::MappedSteps::stretch;
  module.attr("cost_bounds") = cost_bounds();
}

}  // namespace slabheap::python
