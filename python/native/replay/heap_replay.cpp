#include "replay/heap_replay.hpp"

#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "replay/residency.hpp"

namespace slabheap::replay {
namespace {

struct Destroy {
  void operator()(Heap* heap) const { heap_destroy(heap); }
};
using HeapPointer = std::unique_ptr<Heap, Destroy>;

void expect_ok(HeapStatus status, std::size_t bytes) {
  if (status != HEAP_STATUS_OK) throw HeapNotMade{status, bytes};
}

/// A heap of as many regions as asked for, all of one length but for what is left over, which the first has.
HeapPointer make_heap(const HeapReplayRequest& request) {
  HeapOptions options = request.options;
  const std::size_t part = options.bytes / request.regions;
  options.bytes -= part * (request.regions - 1);
  Heap* heap = nullptr;
  expect_ok(heap_new_with(&options, &heap), options.bytes);
  HeapPointer made{heap};
  for (unsigned region = 1; region < request.regions; ++region) expect_ok(heap_add_memory(heap, nullptr, part), part);
  return made;
}

/// A slabheap heap as the loop wants it.
class HeapAllocator {
 public:
  explicit HeapAllocator(Heap* heap) : heap_{heap} {}
  void* allocate(std::size_t size, std::size_t align) { return heap_allocate(heap_, size, align); }
  void* allocate_zeroed(std::size_t size, std::size_t align) { return heap_allocate_zeroed(heap_, size, align); }
  void* reallocate(void* block, std::size_t old_size, std::size_t align, std::size_t size) {
    return heap_reallocate(heap_, block, old_size, align, size);
  }
  void deallocate(void* block, std::size_t size, std::size_t align) {
    refused_ += heap_deallocate(heap_, block, size, align) != HEAP_STATUS_OK ? 1 : 0;
  }
  void free(void* block) { refused_ += heap_free(heap_, block) != HEAP_STATUS_OK ? 1 : 0; }
  [[nodiscard]] std::size_t usable(const void* block, std::size_t /*size*/, std::size_t /*align*/) const {
    return heap_block_size(heap_, block);
  }
  /// No step is wrong, so nothing may have been refused.
  void expect_none_refused() const {
    if (refused_ != 0) throw std::runtime_error("the heap refused " + std::to_string(refused_) + " frees of a replay");
  }

 private:
  Heap* heap_;
  std::uint64_t refused_ = 0;
};

/// The measured replay, and what it fills in.
class Measurement {
 public:
  Measurement(const HeapReplayRequest& request, const Program& program, HeapReplay& result)
      : request_{request}, events_{program.compiler().events()}, peak_event_{program.compiler().peak_event()}, result_{result} {}

  void run(Heap* heap, HeapAllocator& allocator, const Step* steps, Slot* slots, std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t event = first; event < first + count; ++event) {
      account_.measure(allocator, steps[event], slots);
      if (next_snapshot_ < request_.snapshot_events.size() && event == request_.snapshot_events[next_snapshot_]) {
        take_snapshot(heap);
      }
      if (event == peak_event_) result_.at_peak.push_back(moment(heap, event, steps[event].time));
      while (result_.timeline.size() < request_.samples &&
             event == spread_event(result_.timeline.size(), request_.samples, events_)) {
        result_.timeline.push_back(moment(heap, event, steps[event].time));
      }
    }
  }

  void finish(const Heap* heap) {
    if (!account_.is_whole()) throw std::bad_alloc{};
    result_.peaks = account_.peaks();
    result_.failures = account_.failures();
    result_.touched_pages = account_.touched_pages();
    result_.stats = heap_stats(heap);
    result_.peak_held = result_.stats.peak_page_bytes + result_.stats.used_metadata_bytes;
    result_.peak_resident = resident_bytes(heap);  // a replay gives nothing back, so there was never more
    result_.classes.resize(heap_class_count(heap));
    for (std::size_t i = 0; i < result_.classes.size(); ++i) (void)heap_class_stats(heap, i, &result_.classes[i]);
  }

 private:
  [[nodiscard]] HeapMoment moment(const Heap* heap, std::uint64_t event, std::uint64_t time) const {
    const HeapStats stats = heap_stats(heap);
    const std::uint64_t held = stats.slab_total_bytes + stats.buddy_used_bytes + stats.used_metadata_bytes;
    HeapMoment now{account_.sample(event, time, held), stats.largest_free_bytes, {}};
    for (std::size_t i = 0; i < heap_class_count(heap); ++i) {
      HeapClassStats one{};
      (void)heap_class_stats(heap, i, &one);
      now.occupancy.push_back({one.total_blocks, one.used_blocks});
    }
    return now;
  }

  void take_snapshot(const Heap* heap) {
    std::vector<HeapRun> runs;
    const HeapRunVisitor collect = [](void* context, const HeapRun* run) {
      static_cast<std::vector<HeapRun>*>(context)->push_back(*run);
      return true;
    };
    (void)heap_visit_runs(heap, collect, &runs);
    result_.snapshots.push_back(std::move(runs));
    ++next_snapshot_;
  }

  const HeapReplayRequest& request_;
  std::uint64_t events_;
  std::uint64_t peak_event_;
  HeapReplay& result_;
  Account account_;
  std::size_t next_snapshot_ = 0;
};

/// The replays of a program, one after the other, each on a heap of its own.
class Replays {
 public:
  Replays(const Program& program, const HeapReplayRequest& request, const Progress& progress)
      : program_{program}, request_{request}, progress_{progress}, steps_{program.file(), program.compiler().events()} {
    if (!steps_.is_mapped()) throw std::runtime_error("the program cannot be mapped");
  }

  void measure(HeapReplay& result) {
    Measurement measurement{request_, program_, result};
    once([&](Heap* heap, HeapAllocator& allocator, Slot* slots, std::uint64_t first,
             std::uint64_t count) { measurement.run(heap, allocator, steps_.begin(), slots, first, count); },
         [&](Heap* heap) { measurement.finish(heap); });
  }

  void time(HeapReplay& result) {
    std::vector<double> seconds;
    once(
        [&](Heap*, HeapAllocator& allocator, Slot* slots, std::uint64_t first, std::uint64_t count) {
          const double start = seconds_now();
          (void)replay_steps(allocator, steps_.begin() + first, steps_.begin() + first + count, slots);
          seconds.push_back(seconds_now() - start);
        },
        [](Heap*) {}, request_.is_warm);
    result.seconds.push_back(std::move(seconds));
  }

  void measure_costs(HeapReplay& result) {
    std::vector<CostWindow> windows(request_.cost_windows);
    CostMeter meter{windows.data(), windows.size(), steps_.count()};
    once([&](Heap*, HeapAllocator& allocator, Slot* slots, std::uint64_t first,
             std::uint64_t count) { meter.replay(allocator, steps_.begin(), first, first + count, slots); },
         [](Heap*) {});
    result.costs = std::move(windows);
    result.cost_clock = meter.cost_clock();
  }

 private:
  template <typename Run, typename Finish>
  void once(Run run, Finish finish, bool is_warm = false) {
    const HeapPointer heap = make_heap(request_);
    HeapAllocator allocator{heap.get()};
    std::vector<Slot> slots(program_.compiler().slots());
    if (is_warm) {
      pass([&](std::uint64_t first, std::uint64_t count) {
        (void)replay_steps(allocator, steps_.begin() + first, steps_.begin() + first + count, slots.data());
      });
      free_live(allocator, slots.data(), slots.size());
    }
    pass([&](std::uint64_t first, std::uint64_t count) { run(heap.get(), allocator, slots.data(), first, count); });
    allocator.expect_none_refused();
    finish(heap.get());
  }

  /// All steps, stretch by stretch.
  template <typename Run>
  void pass(Run run) {
    steps_.in_stretches([&](std::uint64_t first, std::uint64_t count) {
      run(first, count);
      progress_(done_before_ + first + count);
    });
    done_before_ += steps_.count();
  }

  const Program& program_;
  const HeapReplayRequest& request_;
  const Progress& progress_;
  MappedSteps steps_;
  std::uint64_t done_before_ = 0;
};

}  // namespace

HeapReplay replay_on_heap(const Program& program, const HeapReplayRequest& request, const Progress& progress) {
  HeapReplay result;
  Replays replays{program, request, progress};
  replays.measure(result);
  for (unsigned repeat = 0; repeat < request.repeats; ++repeat) replays.time(result);
  if (request.cost_windows != 0) replays.measure_costs(result);
  return result;
}

}  // namespace slabheap::replay
