#include "slabheap/core/buddy.hpp"

namespace slabheap {

static_assert(PageLayer<Buddy>);

void Buddy::file(Regions& regions, PageNumber head, unsigned order) {
  Page& page = regions.page(head);
  page.kind = PageKind::free_run;
  page.word = size_of(order).count;
  page.countdown = 0;
  regions.push_front(free_[order], head);
  filed_orders_ |= size_of(order).count;
}

void Buddy::withdraw(Regions& regions, PageNumber head) {
  Page& page = regions.page(head);
  const auto order = static_cast<unsigned>(std::countr_zero(page.word));
  page.kind = PageKind::inner;
  regions.unlink(free_[order], head);
  if (free_[order].empty()) filed_orders_ &= ~size_of(order).count;
}

/// Files the part of a block that a request leaves over. The run ends where the block ends, so its parts ascend in order and the
/// buddy of each holds used pages: there is nothing to merge.
void Buddy::file_parts(Regions& regions, Run run) {
  while (run.pages.count != 0) {
    const Pages part{lowest_bit(run.first.value)};
    file(regions, run.first, order_for(part));
    run = {run.first + part, run.pages - part};
  }
}

PageNumber Buddy::take(Regions& regions, Pages pages, Pages alignment) {
  const unsigned order = order_for(pages > alignment ? pages : alignment);
  if (order >= order_count || filed_orders_ >> order == 0) return no_page;
  const unsigned found = order + static_cast<unsigned>(std::countr_zero(filed_orders_ >> order));
  const PageNumber head = free_[found].first;
  withdraw(regions, head);
  file_parts(regions, {head + pages, size_of(found) - pages});
  return head;
}

void Buddy::merge_and_file(Regions& regions, const Region& region, PageNumber head, unsigned order) {
  for (; order + 1 < order_count; ++order) {
    const PageNumber buddy = buddy_of(head, order);
    if (!region.run().holds(buddy)) break;
    const Page& page = region.page(buddy);
    if (page.kind != PageKind::free_run || page.word != size_of(order).count) break;
    withdraw(regions, buddy);
    head = buddy < head ? buddy : head;
  }
  file(regions, head, order);
}

/// Any run falls into aligned parts whose orders ascend, then descend; each is merged upwards. Merging uses up one run a step,
/// and there are at most two parts and two free neighbours of each order.
void Buddy::give(Regions& regions, Run run) {
  const Region& region = regions.of(run.first);
  regions.page(run.first).kind = PageKind::inner;
  while (run.pages.count != 0) {
    const std::uint32_t longest = std::bit_floor(run.pages.count);
    const std::uint32_t aligned = run.first.value == 0 ? longest : lowest_bit(run.first.value);
    const Pages part{aligned < longest ? aligned : longest};
    merge_and_file(regions, region, run.first, order_for(part));
    run = {run.first + part, run.pages - part};
  }
}

Pages Buddy::longest(const Regions& /*regions*/) const { return {std::bit_floor(filed_orders_)}; }

bool Buddy::files(const Regions& regions, PageNumber head) {
  const Page& page = regions.page(head);
  if (page.word > size_of(order_count - 1).count || !is_power_of_two(static_cast<std::size_t>(page.word))) return false;
  const auto order = static_cast<unsigned>(std::countr_zero(page.word));
  if (lowest_bit(head.value) < page.word && head.value != 0) return false;
  const PageNumber buddy = buddy_of(head, order);
  const Region& region = regions.of(head);
  if (!region.run().holds(buddy)) return true;
  return region.page(buddy).kind != PageKind::free_run || region.page(buddy).word != page.word;
}

bool Buddy::holds(const Regions& regions, std::uint64_t count) const {
  std::uint64_t filed = 0;
  for (unsigned order = 0; order < order_count; ++order) {
    const bool marked = (filed_orders_ >> order & 1) != 0;
    if (marked == free_[order].empty()) return false;
    const bool sound = regions.is_sound(free_[order], count - filed, [&](PageNumber head) {
      ++filed;
      return is_free_head(regions, head) && regions.page(head).word == size_of(order).count;
    });
    if (!sound) return false;
  }
  return filed == count;
}

}  // namespace slabheap
