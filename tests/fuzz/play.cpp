#include "fuzz/play.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "fuzz/ground.hpp"
#include "support/free_memory.hpp"

namespace slabheap::fuzz {
namespace {

using test::Model;
using test::Range;
using test::Setup;
using test::Shortage;

constexpr std::size_t regions_of_a_heap = 3;
constexpr std::size_t most_heaps = 2;
constexpr std::size_t margin = 4096;  // of untouched ground before the first region and behind the last
constexpr std::size_t most_region_bytes = (ground_bytes - 2 * margin) / (regions_of_a_heap * most_heaps) - 256;

/// Class lists beside the presets', which are none here.
const std::vector<std::size_t>& class_list(std::size_t choice) {
  static const std::vector<std::size_t> lists[] = {
      {}, {}, {8}, {24, 40, 100, 1000}, {9, 333, 4097, 20000}, {64, 65536}, {16, 32, 48, 64, 80, 96, 112, 128}};
  return lists[choice % std::size(lists)];
}

/// Those that the compact preset has in a heap of 8 MiB.
const std::vector<std::size_t>& fine_classes() {
  static const std::vector<std::size_t> classes =
      Model{Setup{HEAP_PRESET_COMPACT, {}, 0, 0, {}, {std::size_t{8} << 20}}}.classes();
  return classes;
}

Setup read_setup(Stream& stream) {
  Setup setup;
  const std::uint8_t choice = stream.byte();
  setup.preset = (choice & 1) != 0 ? HEAP_PRESET_COMPACT : HEAP_PRESET_CLASSIC;
  setup.pages = static_cast<HeapPageLayer>((choice >> 1) % 3);
  setup.classes = class_list(choice >> 3);
  const std::uint8_t pages = stream.byte();
  setup.page_bytes = pages < 128 ? 0 : std::size_t{512} << pages % 8;
  const std::uint8_t blocks = stream.byte();
  setup.set_blocks = blocks < 128 ? 0 : blocks % 64 + 1;
  const std::uint8_t last = stream.last();
  if (last < 192) return setup;
  setup.freed_runs = static_cast<HeapFreedRuns>(last & 1);
  setup.shortage = static_cast<Shortage>(last >> 1 & 3);
  if ((last >> 3 & 7) == 7) setup.classes = fine_classes();
  return setup;
}

/// Places of the regions of so many heaps: they alternate, and touch or nearly touch.
std::vector<std::vector<Range>> read_places(Stream& stream, std::size_t heap_count) {
  std::vector<std::vector<Range>> places(heap_count);
  unsigned char* start = ground().start + margin;
  for (std::size_t i = 0; i < regions_of_a_heap * heap_count; ++i) {
    const std::size_t gap = stream.byte();
    start += gap < 128 ? 0 : gap;
    const std::size_t bytes = 1 + stream.number(3) % most_region_bytes;
    places[i % heap_count].push_back({start, bytes});
    start += bytes;
  }
  return places;
}

/// A heap and its model, or none if the memory is too small for one.
std::unique_ptr<Model> make_model(const Setup& setup, const std::vector<Range>& places) {
  HeapOptions options = setup.options();
  options.memory = places[0].start;
  options.bytes = places[0].bytes;
  Heap* heap = nullptr;
  const HeapStatus status = heap_new_with(&options, &heap);
  if (status != HEAP_STATUS_TOO_SMALL) return std::make_unique<Model>(setup, places);
  CHECK(heap == nullptr);
  return nullptr;
}

/// Calls on one of the heaps.
class Player {
 public:
  Player(Stream& stream, Model& model, const Model& other) : stream_{stream}, model_{model}, other_{other} {}

  void call();

 private:
  void allocate();
  void request_what_is_none(std::size_t size, std::size_t align);
  void reallocate();
  void free();
  void free_any();
  void deallocate_any();
  void reallocate_any();
  void overwrite_free_memory();
  [[nodiscard]] std::uintptr_t a_block(const Model& model);
  [[nodiscard]] std::uintptr_t an_address();

  Stream& stream_;
  Model& model_;
  const Model& other_;
};

void Player::call() {
  const std::uint8_t choice = stream_.byte();
  switch (choice % 32) {
    case 18:
    case 19:
    case 20: return reallocate();
    case 21:
    case 22: return free_any();
    case 23:
    case 24: return deallocate_any();
    case 25:
    case 26: return reallocate_any();
    case 27: (void)model_.add_region(); return;
    case 28: return model_.trim();
    case 29: return overwrite_free_memory();
    case 30: CHECK(heap_block_size(model_.heap(), nullptr) == 0); return;
    case 31: return choice == 31 ? model_.reset() : free();
    default: return choice % 32 < 10 ? allocate() : free();
  }
}

void Player::allocate() {
  const std::size_t size = stream_.size();
  const std::size_t align = stream_.align();
  if (Model::is_request(size, align)) {
    (void)model_.allocate(size, align, stream_.byte() % 4 == 0);
  } else {
    request_what_is_none(size, align);
  }
}

void Player::request_what_is_none(std::size_t size, std::size_t align) {
  Heap* heap = model_.heap();
  CHECK(heap_allocate(heap, size, align) == nullptr);
  CHECK(heap_allocate_zeroed(heap, size, align) == nullptr);
  CHECK(heap_reallocate(heap, nullptr, 1, align, size) == nullptr);
  CHECK(heap_usable_size(heap, size, align).max == 0);
}

/// One of the model's blocks; 0 if it has none.
std::uintptr_t Player::a_block(const Model& model) {
  const auto& blocks = model.blocks();
  const std::size_t choice = stream_.byte();
  return blocks.empty() ? 0 : std::next(blocks.begin(), static_cast<std::ptrdiff_t>(choice % blocks.size()))->first;
}

/// Near a block of either heap, near an edge of the ground's pages, or anywhere.
std::uintptr_t Player::an_address() {
  const std::uint8_t choice = stream_.byte();
  const auto start = reinterpret_cast<std::uintptr_t>(ground().start);
  switch (choice % 8) {
    case 0: return a_block(model_);
    case 1: return a_block(model_) + stream_.number(2);
    case 2: return a_block(other_);
    case 3: return a_block(other_) - stream_.number(2);
    case 4: return start + stream_.number(1) * 4096 + choice / 64 - 1;
    case 5: return ~std::uintptr_t{0} - stream_.number(1);
    case 6: return stream_.number(1);
    default: return start + stream_.number(3) % (2 * ground_bytes);
  }
}

void Player::reallocate() {
  const std::uintptr_t block = a_block(model_);
  const std::size_t size = stream_.size();
  if (block == 0) return;
  if (Model::is_request(size, 1)) {
    (void)model_.reallocate(block, size);
  } else {
    CHECK(heap_reallocate(model_.heap(), reinterpret_cast<void*>(block), model_.blocks().at(block).size,
                          model_.blocks().at(block).align, size) == nullptr);
  }
}

void Player::free() {
  const std::uintptr_t block = a_block(model_);
  if (block == 0) return;
  if (stream_.byte() % 2 == 0) {
    model_.free(block);
  } else {
    model_.deallocate(block);
  }
}

void Player::free_any() {
  const std::uintptr_t address = an_address();
  const HeapStatus status = model_.expected_status(address);
  const auto found = model_.blocks().find(address);
  CHECK(heap_block_size(model_.heap(), reinterpret_cast<void*>(address)) ==
        (found != model_.blocks().end() ? found->second.held : 0));
  if (status != HEAP_STATUS_OK) return model_.refuse(reinterpret_cast<void*>(address), status);
  if (address != 0) return model_.free(address);
  CHECK(heap_free(model_.heap(), nullptr) == HEAP_STATUS_OK);
}

void Player::deallocate_any() {
  const std::uintptr_t address = an_address();
  const std::size_t size = stream_.size();
  const std::size_t align = stream_.align();
  const HeapStatus status = model_.expected_status(address, size, align);
  if (status != HEAP_STATUS_OK) return model_.refuse(reinterpret_cast<void*>(address), size, align, status);
  if (address != 0) return model_.deallocate(address);  // by the layout that it was asked for with, which is as good
  CHECK(heap_deallocate(model_.heap(), nullptr, size, align) == HEAP_STATUS_OK);
}

void Player::reallocate_any() {
  const std::uintptr_t address = an_address();
  const std::size_t size = stream_.size();
  const std::size_t align = stream_.align();
  const HeapStatus status = model_.expected_status(address, size, align);
  if (address == 0 || status == HEAP_STATUS_OK) return;
  model_.refuse_reallocation(reinterpret_cast<void*>(address), size, align, stream_.size());
}

/// What stands in free memory makes no difference.
void Player::overwrite_free_memory() {
  const std::uint8_t fill = stream_.byte();
  test::visit_free_memory(model_.heap(), [=](unsigned char* start, std::size_t bytes) { std::memset(start, fill, bytes); });
}

void call_all(Stream& stream, const std::vector<std::unique_ptr<Model>>& models) {
  std::size_t calls = 0;
  while (!stream.empty()) {
    const std::size_t turn = models.size() == 1 ? 0 : stream.byte() % models.size();
    Player{stream, *models[turn], *models[models.size() - 1 - turn]}.call();
    if (++calls % 4 == 0) models[turn]->check();
  }
  for (const auto& model : models) model->check();
}

}  // namespace

void play(Stream stream, std::size_t heap_count) {
  clear_ground();
  std::vector<Setup> setups;
  for (std::size_t i = 0; i < heap_count; ++i) setups.push_back(read_setup(stream));
  const std::vector<std::vector<Range>> places = read_places(stream, heap_count);
  std::vector<std::unique_ptr<Model>> models;
  for (std::size_t i = 0; i < heap_count; ++i) {
    if (auto model = make_model(setups[i], places[i])) models.push_back(std::move(model));
  }
  if (!models.empty()) call_all(stream, models);

  std::vector<Range> given;
  for (std::size_t i = 0; i < regions_of_a_heap * heap_count; ++i) given.push_back(places[i % heap_count][i / heap_count]);
  CHECK(is_untouched_outside(given));
}

}  // namespace slabheap::fuzz
