// The reference model: what a heap must look like after the calls it has seen, kept in the plainest way there is, a map of
// blocks.
//
// Every operation goes to the heap and to the model, and every answer is compared. The model knows the routing rule and the
// formulas of the statistics on its own; it knows nothing of pages, sets or lists. Of those it asks the heap's own walk, and
// checks the sums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "slabheap/slabheap.h"
#include "support/memory.hpp"
#include "support/snapshot.hpp"

namespace slabheap::test {

/// What is done when memory runs out: nothing is asked, the request fails, or it is tried again after a trim or with the next
/// region.
enum class Shortage { unasked, fails, trims, adds_region };

/// What a heap under test is made of.
struct Setup {
  HeapPreset preset = HEAP_PRESET_CLASSIC;
  std::vector<std::size_t> classes;  // empty: the preset's
  std::size_t set_blocks = 0;
  std::size_t page_bytes = 0;
  HeapPageLayer pages = HEAP_PAGE_LAYER_PRESET;
  std::vector<std::size_t> regions = {std::size_t{1} << 20};  // bytes of each; the first makes the heap
  std::size_t misalignment = 0;                               // of each
  HeapFreedRuns freed_runs = HEAP_FREED_RUNS_KEPT;
  bool is_mapped = false;  // whether the system gives the memory of the regions
  Shortage shortage = Shortage::unasked;

  [[nodiscard]] HeapOptions options() const;
  [[nodiscard]] std::size_t page_size() const;
  [[nodiscard]] HeapPageLayer layer() const;
  [[nodiscard]] std::string name() const;
};

class Model {
 public:
  struct Block {
    std::size_t size;
    std::size_t align;
    std::size_t held;  // what the block can hold
    bool is_large;     // whole pages, of no class
    unsigned char fill;
  };

  /// A heap over regions of its own, each between rims.
  explicit Model(const Setup& setup);
  /// A heap over the caller's memory, a range for each region; the setup's own are not looked at.
  Model(const Setup& setup, std::vector<Range> places);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  [[nodiscard]] const Setup& setup() const { return setup_; }
  [[nodiscard]] const std::vector<std::size_t>& classes() const { return classes_; }
  [[nodiscard]] ::Heap* heap() const { return heap_; }
  [[nodiscard]] const std::map<std::uintptr_t, Block>& blocks() const { return blocks_; }

  /// One operation each; the answer and the contents are checked. They return the block's address, 0 if there was no memory.
  std::uintptr_t allocate(std::size_t size, std::size_t align, bool zeroed = false);
  std::uintptr_t reallocate(std::uintptr_t address, std::size_t new_size);
  void deallocate(std::uintptr_t address);
  void free(std::uintptr_t address);
  void reset();
  void trim();
  /// Adds the next region of the setup; false if there is none left, or it cannot hold a page.
  bool add_region();
  /// A wrong free: must answer `status`, and change nothing but the counter.
  void refuse(void* block, HeapStatus status);
  void refuse(void* block, std::size_t size, std::size_t align, HeapStatus status);
  void refuse_reallocation(void* block, std::size_t size, std::size_t align, std::size_t new_size);

  /// Everything that must hold between two operations: I1 to I5, and every statistic.
  void check() const;

  /// Whether this size and alignment are in range, be there memory for them or not.
  [[nodiscard]] static bool is_request(std::size_t size, std::size_t align);
  /// The block that such a request gets, by the routing rule as the documentation states it.
  [[nodiscard]] Block expected_block(std::size_t size, std::size_t align) const;
  /// What a free of any address has to answer, without a layout and with one.
  [[nodiscard]] HeapStatus expected_status(std::uintptr_t address) const;
  [[nodiscard]] HeapStatus expected_status(std::uintptr_t address, std::size_t size, std::size_t align) const;
  /// The same for a layout at the start of a live block that was asked for with `own`.
  [[nodiscard]] HeapStatus expected_status(std::uintptr_t address, const Block& own, std::size_t size, std::size_t align) const;

 private:
  void open();
  [[nodiscard]] Range place_of_mapping(std::size_t bytes) const;
  bool help(const ::Heap* heap, std::size_t size, std::size_t align);
  void ask_for(std::size_t size, std::size_t align);
  void check_helped(bool is_given) const;
  void insert(std::uintptr_t address, const Block& block);
  [[nodiscard]] std::size_t& used_bytes_for(const Block& block);
  void erase(std::uintptr_t address);
  static void check_contents(std::uintptr_t address, const Block& block, std::size_t bytes);
  void check_statistics() const;
  void check_runs(const HeapStats& stats) const;

  Setup setup_;
  std::vector<std::size_t> classes_;
  std::vector<std::unique_ptr<Memory>> owned_;
  std::vector<Range> places_;   // of all regions that there may be; null where the system gives the memory
  std::vector<Range> regions_;  // that there are
  ::Heap* heap_ = nullptr;
  std::map<std::uintptr_t, Block> blocks_;
  HeapStats expected_{};
  std::size_t given_bytes_ = 0;
  unsigned char next_fill_ = 1;
  std::size_t asked_size_ = 0;  // of the request that is being made
  std::size_t asked_align_ = 0;
  std::size_t shortages_ = 0;  // in which memory ran out so many times
};

/// `steps` random operations on a model, `check` after every one, or every `stride` of them.
void drive(Model& model, std::mt19937_64& random, std::size_t steps, std::size_t stride = 1);

}  // namespace slabheap::test
