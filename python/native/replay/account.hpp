// What is counted step by step when a replay is measured.
#pragma once

#include <algorithm>

#include "replay/loop.hpp"
#include "replay/page_counts.hpp"
#include "replay/sample.hpp"

namespace slabheap::replay {

/// Touches every OS page of a block, so that memory that is held shows as resident.
inline void touch_all(void* block, std::size_t from, std::size_t size) {
  auto* bytes = static_cast<volatile unsigned char*>(block);
  for (std::size_t offset = from; offset < size; offset += std::size_t{1} << PageCounts::page_shift) bytes[offset] = 1;
  if (size > from) bytes[size - 1] = 1;
}

/// The peaks of a measured replay. All are exact: they are looked at after every event.
struct Peaks {
  std::uint64_t used;
  std::uint64_t slack;
  std::uint64_t live_pages;
};

class Account {
 public:
  /// Does a step, touches every page of its block, and counts everything.
  template <typename Allocator>
  void measure(Allocator& allocator, const Step& step, Slot* slots);

  /// The figures after an event; what is held, only the allocator knows.
  [[nodiscard]] Sample sample(std::uint64_t event, std::uint64_t time, std::uint64_t held) const {
    return {event, time, requested_, used_, held, slack(), failures_, pages_.live(), pages_.touched()};
  }

  [[nodiscard]] Peaks peaks() const { return {peak_used_, peak_slack_, pages_.peak_live()}; }
  [[nodiscard]] std::uint64_t failures() const { return failures_; }
  [[nodiscard]] std::uint64_t touched_pages() const { return pages_.touched(); }
  [[nodiscard]] bool is_whole() const { return pages_.is_whole(); }

 private:
  /// An allocator may say of a block that it holds less than was asked for; then there is none.
  [[nodiscard]] std::uint64_t slack() const { return used_ > served_ ? used_ - served_ : 0; }

  std::uint64_t requested_ = 0;
  std::uint64_t served_ = 0;  // the part of it that there was memory for
  std::uint64_t used_ = 0;
  std::uint64_t failures_ = 0;
  std::uint64_t peak_used_ = 0;
  std::uint64_t peak_slack_ = 0;
  PageCounts pages_;
};

template <typename Allocator>
void Account::measure(Allocator& allocator, const Step& step, Slot* slots) {
  const std::size_t align = std::size_t{1} << step.align_shift;
  const auto usable = [&](const Slot& slot) {
    return slot.block != nullptr ? allocator.usable(slot.block, slot.size, align) : 0;
  };
  Slot& slot = slots[step.slot];
  const Slot before = slot.block != nullptr ? slot : Slot{nullptr, 0};
  const std::size_t used_before = usable(before);

  failures_ += do_step(allocator, step, slot, [](auto call) { return call(); });
  const Slot after = slot.block != nullptr ? slot : Slot{nullptr, 0};
  touch_all(after.block, std::min(before.size, after.size), after.size);
  pages_.replace(before.block, before.size, after.block, after.size);
  requested_ += step.size - step.old_size;
  served_ += after.size - before.size;
  used_ += usable(after) - used_before;
  peak_used_ = std::max(peak_used_, used_);
  peak_slack_ = std::max(peak_slack_, slack());
}

}  // namespace slabheap::replay
