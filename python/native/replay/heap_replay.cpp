#include "replay/heap_replay.hpp"

#include <memory>
#include <stdexcept>
#include <string>

namespace slabheap::replay {
namespace {

struct Destroy {
  void operator()(Heap* heap) const { heap_destroy(heap); }
};
using HeapPointer = std::unique_ptr<Heap, Destroy>;

HeapPointer make_heap(const HeapOptions& options) {
  Heap* heap = nullptr;
  const HeapStatus status = heap_new_with(&options, &heap);
  if (status != HEAP_STATUS_OK) throw HeapNotMade{status, options.bytes};
  return HeapPointer{heap};
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
  Measurement(const HeapReplayRequest& request, std::uint64_t events, HeapReplay& result)
      : request_{request}, events_{events}, result_{result} {}

  void run(Heap* heap, HeapAllocator& allocator, const Step* steps, Slot* slots, std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t event = first; event < first + count; ++event) {
      measure_step(allocator, steps[event], slots, result_.account);
      if (next_snapshot_ < request_.snapshot_events.size() && event == request_.snapshot_events[next_snapshot_]) {
        take_snapshot(heap);
      }
      while (next_sample_ < request_.samples && event == sample_event(next_sample_, request_.samples, events_)) {
        take_sample(heap, event, steps[event].time);
      }
    }
  }

  void finish(const Heap* heap) {
    result_.stats = heap_stats(heap);
    result_.peak_held = result_.stats.peak_page_bytes + result_.stats.used_metadata_bytes;
    result_.classes.resize(heap_class_count(heap));
    for (std::size_t i = 0; i < result_.classes.size(); ++i) (void)heap_class_stats(heap, i, &result_.classes[i]);
  }

 private:
  void take_sample(const Heap* heap, std::uint64_t event, std::uint64_t time) {
    const HeapStats stats = heap_stats(heap);
    const std::uint64_t held = stats.slab_total_bytes + stats.buddy_used_bytes + stats.used_metadata_bytes;
    result_.timeline.push_back({event, time, result_.account.requested, result_.account.used, held});
    for (std::size_t i = 0; i < heap_class_count(heap); ++i) {
      HeapClassStats one{};
      (void)heap_class_stats(heap, i, &one);
      result_.occupancy.push_back({one.total_blocks, one.used_blocks});
    }
    ++next_sample_;
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
  HeapReplay& result_;
  std::size_t next_sample_ = 0;
  std::size_t next_snapshot_ = 0;
};

}  // namespace

HeapReplay replay_on_heap(const Program& program, const HeapReplayRequest& request, const Progress& progress) {
  const MappedSteps steps{program.file(), program.compiler().events()};
  if (!steps.is_mapped()) throw std::runtime_error("the program cannot be mapped");
  HeapReplay result;
  const auto is_wanted = [&](std::uint64_t replays_before, std::uint64_t done) {
    return !progress || progress(replays_before * steps.count() + done);
  };
  // On a heap of its own; false if progress ended it.
  const auto replay = [&](std::uint64_t replays_before, auto run, auto finish) {
    const HeapPointer heap = make_heap(request.options);
    HeapAllocator allocator{heap.get()};
    std::vector<Slot> slots(program.compiler().slots());
    const bool is_whole = steps.in_stretches([&](std::uint64_t first, std::uint64_t count) {
      run(heap.get(), allocator, slots.data(), first, count);
      return is_wanted(replays_before, first + count);
    });
    allocator.expect_none_refused();
    finish(heap.get());
    return is_whole;
  };

  Measurement measurement{request, steps.count(), result};
  bool is_whole = replay(
      0,
      [&](Heap* heap, HeapAllocator& allocator, Slot* slots, std::uint64_t first, std::uint64_t count) {
        measurement.run(heap, allocator, steps.begin(), slots, first, count);
      },
      [&](Heap* heap) { measurement.finish(heap); });
  for (unsigned repeat = 0; repeat < request.repeats && is_whole; ++repeat) {
    double seconds = 0;
    is_whole = replay(
        repeat + 1,
        [&](Heap*, HeapAllocator& allocator, Slot* slots, std::uint64_t first, std::uint64_t count) {
          const double start = seconds_now();
          (void)replay_steps(allocator, steps.begin() + first, steps.begin() + first + count, slots);
          seconds += seconds_now() - start;
        },
        [](Heap*) {});
    if (is_whole) result.seconds.push_back(seconds);
  }
  return result;
}

}  // namespace slabheap::replay
