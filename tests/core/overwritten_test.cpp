// Anything may be written over the metadata: validation answers, and neither reads a byte of what is not metadata nor follows
// what it has not checked. It trusts the pointers to the regions alone.
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core_heap.hpp"
#include "support/environment.hpp"
#include "support/figures.hpp"

using namespace slabheap;
using slabheap::test::Memory;
using slabheap::test::with_each_bit_flipped;

namespace {

using Word = std::uintptr_t;

constexpr std::size_t region_bytes = std::size_t{3} << 19;  // enough for sets that are longer than they need be

std::size_t round_to_os_page(std::size_t value) { return value & ~(static_cast<std::size_t>(getpagesize()) - 1); }

/// How far into a heap the pointer to the table of its regions stands, which is null as long as there is one.
std::size_t place_of_table() {
  Memory first{region_bytes, 0};
  Memory second{region_bytes, 0};
  const Span spans[] = {{reinterpret_cast<Address>(first.start()), region_bytes},
                        {reinterpret_cast<Address>(second.start()), region_bytes}};
  auto* heap = slabheap::Heap::create(spans[0], {}, false, 0).heap;
  REQUIRE(heap != nullptr);
  REQUIRE(heap->add_memory(spans[1], false, 0) == Status::ok);
  for (std::size_t at = 0; at < sizeof *heap; at += sizeof(Word)) {
    const Word value = *reinterpret_cast<const Word*>(reinterpret_cast<Address>(heap) + at);
    if (spans[1].holds(value) && value != reinterpret_cast<Word>(heap->regions().find(value))) return at;
  }
  FAIL("no word of a heap of two regions leads to the table");
  return 0;
}

/// A heap with blocks, sets and runs of every kind, whose pages can be closed.
class Victim {
 public:
  Victim(const Options& options, std::size_t region_count) {
    for (std::size_t i = 0; i < region_count; ++i) memory_.push_back(std::make_unique<Memory>(region_bytes, 64 * i));
    // So what is between the fields is zero.
    for (const auto& memory : memory_) std::memset(memory->start(), 0, memory->bytes());
    heap_ = slabheap::Heap::create(span(0), options, false, 0).heap;
    REQUIRE(heap_ != nullptr);
    for (std::size_t i = 1; i < region_count; ++i) REQUIRE(heap_->add_memory(span(i), false, 0) == Status::ok);
    find_metadata();
    const std::vector<Word> before = values();
    furnish();
    const std::vector<Word> after = values();
    for (std::size_t i = 0; i < words_.size(); ++i) {
      if (before[i] == after[i] && !is_of_a_page(words_[i])) lasting_.push_back(words_[i]);
    }
  }

  slabheap::Heap& operator*() { return *heap_; }
  slabheap::Heap* operator->() { return heap_; }

  /// The pointers to regions that the heap itself has.
  [[nodiscard]] const std::vector<Word*>& links() const { return links_; }
  /// Every other word of the metadata but the pointers of the table of regions, and to it.
  [[nodiscard]] const std::vector<Word*>& words() const { return words_; }
  /// The table of regions, behind the places of 64 of them; null if there is one region.
  [[nodiscard]] unsigned char* table() const { return table_; }
  /// Those of them that are as they were when the heap was made, and not about single pages.
  [[nodiscard]] const std::vector<Word*>& lasting() const { return lasting_; }
  /// How many of them precede the first descriptor of the first region.
  [[nodiscard]] std::size_t leading() const { return leading_; }

  /// Lets nobody look at the pages, or everybody again.
  void close_pages() { set_protection(PROT_NONE); }
  void open_pages() { set_protection(PROT_READ | PROT_WRITE); }

 private:
  [[nodiscard]] Span span(std::size_t index) const { return {reinterpret_cast<Address>(memory_[index]->start()), region_bytes}; }

  [[nodiscard]] bool is_of_a_page(const Word* word) const {
    for (std::uint32_t i = 0; i < heap_->regions().count(); ++i) {
      const Region& region = heap_->regions().by_address(i);
      const Span arrays{reinterpret_cast<Address>(region.pages), region.page_count * metadata_per_page};
      if (arrays.holds(reinterpret_cast<Address>(word))) return true;
    }
    return false;
  }

  [[nodiscard]] std::vector<Word> values() const {
    std::vector<Word> values;
    for (const Word* word : words_) values.push_back(*word);
    return values;
  }

  void furnish() {
    std::mt19937 random{5};
    std::vector<void*> blocks;
    for (int step = 0; step < 700; ++step) {
      if (step < 40 || random() % 8 < 4) {
        const std::size_t size = random() % 3 == 0 ? random() % 40000 : random() % 700;
        if (void* block = heap_->allocate(size, 1)) blocks.push_back(block);
      } else if (!blocks.empty()) {
        std::swap(blocks[random() % blocks.size()], blocks.back());
        REQUIRE(heap_->free(blocks.back()) == Status::ok);
        blocks.pop_back();
      }
    }
    REQUIRE(heap_->validate());
  }

  void find_metadata() {
    std::set<Word> regions;
    std::set<Word> tables;  // where the table of the regions is: in front of the second that was added
    const Region& first = *heap_->regions().first();
    for (std::uint32_t i = 0; i < heap_->regions().count(); ++i) {
      const Region& region = heap_->regions().by_address(i);
      regions.insert(reinterpret_cast<Word>(&region));
      if (&region != &first) tables.insert(start_of(region));
    }
    // Of the heap's own region, what precedes the descriptors comes first.
    const Word own = start_of(first);
    static const std::size_t to_table = place_of_table();
    for (Word* word : words_between(own, reinterpret_cast<Word>(first.pages))) {
      if (regions.contains(*word)) {
        links_.push_back(word);
      } else if (reinterpret_cast<Word>(word) != reinterpret_cast<Word>(&*heap_) + to_table) {
        words_.push_back(word);
      }
    }
    leading_ = words_.size();
    for (Word* word : words_between(reinterpret_cast<Word>(first.pages), own + first.metadata_bytes)) words_.push_back(word);
    for (const Word start : tables) {
      const Region& region = *heap_->regions().find(start);
      const bool has_table = start != reinterpret_cast<Word>(&region);
      const Word behind_pointers = start + (has_table ? max_regions * sizeof(Word) : 0);
      if (has_table) table_ = reinterpret_cast<unsigned char*>(behind_pointers);
      for (Word* word : words_between(behind_pointers, start + region.metadata_bytes)) words_.push_back(word);
    }
  }

  static std::vector<Word*> words_between(Word start, Word end) {
    std::vector<Word*> words;
    for (Word at = start; at < end; at += sizeof(Word)) words.push_back(reinterpret_cast<Word*>(at));
    return words;
  }

  static Word start_of(const Region& region) {
    return reinterpret_cast<Word>(region.head_distances + region.page_count) - region.metadata_bytes;
  }

  /// The metadata has to be whole.
  void set_protection(int protection) const {
    for (std::uint32_t i = 0; i < heap_->regions().count(); ++i) {
      const Region& region = heap_->regions().by_address(i);
      const std::size_t first = round_to_os_page(region.pages_start + static_cast<std::size_t>(getpagesize()) - 1);
      const std::size_t end = round_to_os_page(region.pages_start + region.pages_bytes);
      REQUIRE(mprotect(reinterpret_cast<void*>(first), end - first, protection) == 0);
    }
  }

  std::vector<std::unique_ptr<Memory>> memory_;
  slabheap::Heap* heap_ = nullptr;
  std::vector<Word*> links_;
  std::vector<Word*> words_;
  unsigned char* table_ = nullptr;
  std::vector<Word*> lasting_;
  std::size_t leading_ = 0;
};

/// Calls `attack(victim)` with heaps of either preset, either page layer, runs kept or merged, and one to three regions.
template <typename Attack>
void attack_all(Attack attack) {
  for (const Preset preset : {Preset::classic, Preset::compact}) {
    for (const PageLayerKind pages : {PageLayerKind::buddy, PageLayerKind::best_fit}) {
      for (const bool has_cache : {true, false}) {
        Options options;
        options.preset = preset;
        options.pages = pages;
        options.has_pages = true;
        options.has_cache = has_cache;
        for (std::size_t region_count = 1; region_count <= 3; ++region_count) {
          CAPTURE(region_count);
          Victim victim{options, region_count};
          victim.close_pages();
          attack(victim);
          REQUIRE(victim->validate());
          victim.open_pages();
        }
      }
    }
  }
}

std::size_t below(std::mt19937_64& random, std::size_t limit) { return static_cast<std::size_t>(random() % limit); }

}  // namespace

TEST_CASE("validate answers whatever stands in any word of the metadata, and looks at nothing else") {
  const std::size_t every = slabheap::test::every_or(7);
  std::size_t tried = 0;
  std::size_t noticed = 0;
  attack_all([&](Victim& victim) {
    std::mt19937_64 random{11};
    for (std::size_t i = tried % every; i < victim.words().size(); i += every) {
      Word& word = *victim.words()[i];
      const Word before = word;
      const Word other = *victim.words()[below(random, victim.words().size())];
      const Word values[] = {0,
                             ~Word{0},
                             before + 1,
                             before - 1,
                             before ^ ~(~Word{0} >> 1),
                             before << 1,
                             ~before,
                             other,
                             static_cast<Word>(random())};
      for (const Word value : values) {
        if (value == before) continue;
        word = value;
        noticed += victim->validate() ? 0 : 1;
        word = before;
        ++tried;
      }
    }
  });
  CHECK(tried > 0);
  // The rest are hints, counters, and what descriptors inside of runs hold.
  CHECK(8 * noticed > tried);
  slabheap::test::add_figure("overwritten_words", tried);
}

TEST_CASE("validate answers whatever stands in any byte of the heap itself") {
  slabheap::test::Stride stride{slabheap::test::every_or(1)};
  std::size_t classes[max_classes];  // as many, and as large a table, as there can be
  for (std::size_t i = 0; i < max_classes; ++i) classes[i] = i == 0 ? min_block_bytes : 512 * (i + 1);
  for (const std::size_t class_count : {std::size_t{0}, max_classes}) {
    Options options;
    options.classes = class_count == 0 ? nullptr : classes;
    options.class_count = class_count;
    Victim victim{options, 1};
    victim.close_pages();
    const std::set<Word*> links{victim.links().begin(), victim.links().end()};
    std::size_t noticed = 0;
    for (std::size_t at = 0; at < sizeof(slabheap::Heap); ++at) {
      auto& byte = reinterpret_cast<unsigned char*>(&*victim)[at];
      if (links.contains(reinterpret_cast<Word*>(reinterpret_cast<Word>(&byte) & ~(sizeof(Word) - 1)))) continue;
      const unsigned char before = byte;
      for (unsigned value = 0; value < 256; value += 1 + value / 16) {
        if (!stride.tries_next()) continue;
        byte = static_cast<unsigned char>(value);
        noticed += victim->validate() ? 0 : 1;
      }
      byte = before;
    }
    CHECK(noticed > 0);
    CHECK(victim->validate());
    victim.open_pages();
  }
}

TEST_CASE("validate looks at no descriptor behind the last, however long a run says that it is") {
  attack_all([](Victim& victim) {
    for (std::uint32_t i = 0; i < victim->regions().count(); ++i) {
      const Region& region = victim->regions().by_address(i);
      for (Page* page = region.pages + 1; page < region.pages + region.page_count; ++page) {
        if (page->kind != PageKind::large && page->kind != PageKind::free_run && page->kind != PageKind::kept_run) continue;
        const std::uint64_t before = page->word;
        page->word = region.page_count;
        CHECK_FALSE(victim->validate());
        page->word = before;
      }
    }
  });
}

TEST_CASE("validate answers whatever stands in several words of the metadata at once") {
  const std::size_t rounds = 40000 / slabheap::test::every_or(7);
  attack_all([&](Victim& victim) {
    std::mt19937_64 random{13};
    for (std::size_t round = 0; round < rounds; ++round) {
      std::vector<std::pair<Word*, Word>> damaged;
      const std::size_t limit = random() % 2 == 0 ? victim.leading() : victim.words().size();
      for (std::size_t count = 2 + below(random, 3); count > 0; --count) {
        Word* word = victim.words()[below(random, limit)];
        damaged.emplace_back(word, *word);
        const auto noise = static_cast<Word>(random());
        const Word values[] = {noise, noise >> random() % 60, *word + noise % 64, *victim.words()[noise % limit]};
        *word = values[random() % 4];
      }
      (void)victim->validate();
      for (; !damaged.empty(); damaged.pop_back()) *damaged.back().first = damaged.back().second;
    }
  });
}

TEST_CASE("validate notices any bit that is lost of what was made for good") {
  slabheap::test::Stride stride{slabheap::test::every_or(1)};
  attack_all([&](Victim& victim) {
    std::set<const void*> spared;  // how far pages were used is believed, and that what lies in front of the pages was given
    for (std::uint32_t i = 0; i < victim->regions().count(); ++i) {
      spared.insert(&victim->regions().by_address(i).untouched_first);
      spared.insert(&victim->regions().by_address(i).untouched_end);
      spared.insert(&victim->regions().by_address(i).given.start);
    }
    for (Word* word : victim.lasting()) {
      if (spared.contains(word)) continue;
      for (Word left = *word; left != 0; left &= left - 1) {
        if (!stride.tries_next()) continue;
        const Word bit = left & (~left + 1);
        const auto offset = static_cast<std::size_t>(reinterpret_cast<Word>(word) - reinterpret_cast<Word>(&*victim));
        CAPTURE(offset);
        CAPTURE(bit);
        *word ^= bit;
        CHECK_FALSE(victim->validate());
        *word ^= bit;
      }
    }
  });
  CHECK(stride.tried() > 0);
}

TEST_CASE("validate notices any bit that is flipped in what the table of several regions says of them") {
  attack_all([](Victim& victim) {
    if (victim->regions().count() == 1) return;
    // 32 words of 64 bits, and one of 32.
    with_each_bit_flipped(victim.table(), 32 * 8 + 4, [&] { CHECK_FALSE(victim->validate()); });
  });
}

TEST_CASE("validate notices most bits that are flipped in front of the descriptors") {
  const std::size_t every = slabheap::test::every_or(7);
  std::size_t tried = 0;
  std::size_t noticed = 0;
  attack_all([&](Victim& victim) {
    for (std::size_t i = tried % every; i < victim.leading(); i += every) {
      Word& word = *victim.words()[i];
      for (unsigned bit = 0; bit < 8 * sizeof(Word); bit += 3) {
        word ^= Word{1} << bit;
        noticed += victim->validate() ? 0 : 1;
        word ^= Word{1} << bit;
        ++tried;
      }
    }
  });
  // The rest are the owner's words, counters of what happened, and what a slab that has no set says of one.
  CHECK(tried > 0);
  CHECK(10 * noticed > 7 * tried);
}

TEST_CASE("validate notices a heap that begins elsewhere than at a region of its own") {
  attack_all([](Victim& victim) {
    REQUIRE(victim.links().size() == 1);
    for (Word* link : victim.links()) {
      const Word before = *link;
      for (const Word value : {Word{0}, before + 64, before - 64, reinterpret_cast<Word>(&*victim)}) {
        *link = value;
        CHECK_FALSE(victim->validate());
        *link = before;
      }
    }
  });
}
