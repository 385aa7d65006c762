#include "slabheap/core/best_fit.hpp"

namespace slabheap {
namespace {

constexpr std::uint32_t long_pages = 8;  // what is longer is cut from the upper end of a free run

}  // namespace

static_assert(PageLayer<BestFit>);

BestFit::Bin BestFit::bin_of(Pages pages) {
  if (pages.count < splits) return {0, pages.count};
  const auto order = static_cast<unsigned>(std::bit_width(pages.count) - 1);
  return {order - split_shift + 1, (pages.count >> (order - split_shift)) - splits};
}

Run BestFit::run_at(const Regions& regions, PageNumber head) {
  return {head, {static_cast<std::uint32_t>(regions.page(head).word)}};
}

/// Where in a free run such a request could start, or `no_page`.
PageNumber BestFit::aligned_start(Run free_run, Pages pages, Pages alignment) {
  const std::uint64_t start = round_up(std::uint64_t{free_run.first.value}, alignment.count);
  const std::uint64_t end = std::uint64_t{free_run.first.value} + free_run.pages.count;
  return start + pages.count <= end ? PageNumber{static_cast<std::uint32_t>(start)} : no_page;
}

void BestFit::file(Regions& regions, Run run) {
  Page& last = regions.page(run.end() - Pages{1});
  last.kind = PageKind::free_end;
  last.word = run.pages.count;
  Page& head = regions.page(run.first);  // of a run of one page, the last is the head
  head.kind = PageKind::free_run;
  head.word = run.pages.count;
  head.class_index = 0;

  const Bin bin = bin_of(run.pages);
  regions.push_front(list_of(bin), run.first);
  filled_rows_ |= 1U << bin.row;
  filled_columns_[bin.row] = static_cast<std::uint8_t>(filled_columns_[bin.row] | 1U << bin.column);
}

void BestFit::withdraw(Regions& regions, PageNumber head) {
  const Run run = run_at(regions, head);
  regions.page(head).kind = PageKind::inner;
  regions.page(run.end() - Pages{1}).kind = PageKind::inner;

  const Bin bin = bin_of(run.pages);
  regions.unlink(list_of(bin), head);
  if (!list_of(bin).empty()) return;
  filled_columns_[bin.row] = static_cast<std::uint8_t>(filled_columns_[bin.row] & ~(1U << bin.column));
  if (filled_columns_[bin.row] == 0) filled_rows_ &= ~(1U << bin.row);
}

void BestFit::give(Regions& regions, Run run) {
  const Region& region = regions.of(run.first);
  regions.page(run.first).kind = PageKind::inner;
  if (run.end() < region.end() && region.page(run.end()).kind == PageKind::free_run) {
    const Run right = run_at(regions, run.end());
    withdraw(regions, right.first);
    run.pages += right.pages;
  }
  if (run.first > region.first) {
    const Page& before = region.page(run.first - Pages{1});
    if (before.kind == PageKind::free_end || before.kind == PageKind::free_run) {
      const Pages left{static_cast<std::uint32_t>(before.word)};
      withdraw(regions, run.first - left);
      run = {run.first - left, run.pages + left};
    }
  }
  file(regions, run);
}

/// The first run of the first filled list behind a bin, or `no_page`.
PageNumber BestFit::first_above(Bin bin) const {
  const unsigned columns = filled_columns_[bin.row] & ~((2U << bin.column) - 1);
  if (columns != 0) return free_[bin.row][std::countr_zero(columns)].first;
  const std::uint32_t rows = filled_rows_ & ~((std::uint32_t{2} << bin.row) - 1);
  if (rows == 0) return no_page;
  const auto row = static_cast<unsigned>(std::countr_zero(rows));
  return free_[row][std::countr_zero(filled_columns_[row])].first;
}

/// The shortest run among the first few of a bin that has room for the request, or `no_page`.
PageNumber BestFit::find_in(const Regions& regions, Bin bin, Pages pages, Pages alignment, Search search) const {
  PageNumber best = no_page;
  const PageNumber first = free_[bin.row][bin.column].first;
  PageNumber head = first;
  for (unsigned look = 0; look < looks_of(search) && head != no_page; ++look) {
    const Run run = run_at(regions, head);
    if (aligned_start(run, pages, alignment) != no_page && (best == no_page || run.pages < run_at(regions, best).pages)) {
      best = head;
    }
    head = regions.page(head).next;
    if (head == first) break;
  }
  return best;
}

PageNumber BestFit::find(const Regions& regions, Pages pages, Pages alignment, Search search) const {
  const Bin bin = bin_of(pages);
  const PageNumber near = find_in(regions, bin, pages, alignment, search);
  if (near != no_page) return near;
  const PageNumber above = first_above(bin);
  if (above == no_page || aligned_start(run_at(regions, above), pages, alignment) != no_page) return above;
  // Long enough but not aligned. A run with room for the alignment too serves wherever it starts.
  const std::uint64_t padded = std::uint64_t{pages.count} + alignment.count - 1;
  if (padded > max_region_pages) return no_page;
  const PageNumber roomy = find(regions, {static_cast<std::uint32_t>(padded)}, {1}, search);
  if (roomy != no_page || search == Search::quick) return roomy;
  // A shorter one may happen to start where it should.
  for (unsigned at = bin.row * splits + bin.column + 1; at < row_count * splits; ++at) {
    const PageNumber found = find_in(regions, {at / splits, at % splits}, pages, alignment, Search::quick);
    if (found != no_page) return found;
  }
  return no_page;
}

PageNumber BestFit::take(Regions& regions, Pages pages, Pages alignment, Search search) {
  const PageNumber head = find(regions, pages, alignment, search);
  if (head == no_page) return no_page;
  const Run free_run = run_at(regions, head);
  withdraw(regions, head);
  // Short runs come from the lower end of a free run and long ones from the upper, so that sets do not part large blocks.
  Run run{aligned_start(free_run, pages, alignment), pages};
  if (pages.count > long_pages) run.first = {round_down((free_run.end() - pages).value, alignment.count)};
  if (run.first > head) file(regions, {head, run.first - head});
  if (run.end() < free_run.end()) file(regions, {run.end(), free_run.end() - run.end()});
  return run.first;
}

Pages BestFit::longest(const Regions& regions, Search search) const {
  if (filled_rows_ == 0) return {};
  const auto row = static_cast<unsigned>(std::bit_width(filled_rows_) - 1);
  const auto column = static_cast<unsigned>(std::bit_width(static_cast<unsigned>(filled_columns_[row])) - 1);
  const PageNumber first = free_[row][column].first;
  Pages longest;
  PageNumber head = first;
  for (unsigned look = 0; look < looks_of(search); ++look) {
    const Pages pages = run_at(regions, head).pages;
    longest = pages > longest ? pages : longest;
    head = regions.page(head).next;
    if (head == first) break;
  }
  return longest;
}

bool BestFit::files(const Regions& regions, PageNumber head) {
  const Region& region = regions.of(head);
  const Run run = run_at(regions, head);
  if (run.pages.count > 1) {
    const Page& last = region.page(run.end() - Pages{1});
    if (last.kind != PageKind::free_end || last.word != run.pages.count) return false;
  }
  return run.end() == region.end() || region.page(run.end()).kind != PageKind::free_run;
}

bool BestFit::holds(const Regions& regions, std::uint64_t count) const {
  std::uint64_t filed = 0;
  if (filled_rows_ >> row_count != 0) return false;
  for (unsigned row = 0; row < row_count; ++row) {
    if ((filled_rows_ >> row & 1) != (filled_columns_[row] != 0) || filled_columns_[row] >> splits != 0) return false;
    for (unsigned column = 0; column < splits; ++column) {
      const Regions::List& list = free_[row][column];
      if ((filled_columns_[row] >> column & 1) == static_cast<unsigned>(list.empty())) return false;
      const bool sound = regions.is_sound(list, count - filed, [&](PageNumber head) {
        ++filed;
        if (!is_free_head(regions, head)) return false;
        const Bin bin = bin_of(run_at(regions, head).pages);
        return bin.row == row && bin.column == column;
      });
      if (!sound) return false;
    }
  }
  return filed == count;
}

}  // namespace slabheap
