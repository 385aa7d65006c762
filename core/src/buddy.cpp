#include "slabheap/core/buddy.hpp"

#include <new>

namespace slabheap {

static_assert(PageLayer<Buddy>);

namespace {

Pages size_of(unsigned order) { return {std::uint32_t{1} << order}; }

FreeTree& tree_of(Region& region) { return *static_cast<FreeTree*>(region.layer); }
const FreeTree& tree_of(const Region& region) { return *static_cast<const FreeTree*>(region.layer); }

/// The order of the longest aligned run between two pages, `no_order` if they are the same.
std::uint8_t order_between(PageNumber start, PageNumber end) {
  const std::uint32_t count = (end - start).count;
  if (count == 0) return no_order;
  const auto order = static_cast<unsigned>(std::bit_width(count) - 1);
  const std::uint64_t aligned = round_up(std::uint64_t{start.value}, size_of(order).count);
  // A run of at least two of the next lower order holds an aligned one of them.
  return static_cast<std::uint8_t>(aligned + size_of(order).count <= end.value ? order : order - 1);
}

std::uint8_t longest_order_of(const Region& region) {
  const std::uint32_t orders = tree_of(region).orders();
  const std::uint8_t filed = orders == 0 ? no_order : static_cast<std::uint8_t>(std::bit_width(orders) - 1);
  const std::uint8_t fresh = order_between(region.fresh, region.end());
  if (filed == no_order || fresh == no_order) return filed == no_order ? fresh : filed;
  return filed > fresh ? filed : fresh;
}

void file(Region& region, PageNumber head, unsigned order) {
  Page& page = region.page(head);
  page.kind = PageKind::free_run;
  page.word = size_of(order).count;
  page.class_index = 0;
  FreeTree& tree = tree_of(region);
  tree.set(tree.node_of(head, order), order);
}

/// Files a run that starts where no filed run ends, and ends on a multiple of a size above its own. So its parts ascend in order,
/// and the buddy of each is not free as a whole: there is nothing to merge.
void file_parts(Region& region, Run run) {
  while (run.pages.count != 0) {
    const Pages part{lowest_bit(run.first.value)};
    file(region, run.first, order_for(part));
    run = {run.first + part, run.pages - part};
  }
}

/// Where the fresh run begins from now on.
void set_fresh(Region& region, PageNumber fresh) {
  region.fresh = fresh;
  if (fresh == region.end()) return;
  Page& page = region.page(fresh);
  page.kind = PageKind::free_run;
  page.word = (region.end() - fresh).count;
  page.class_index = 0;
}

/// The order of the filed run that ends at a page, `no_order` if none does.
unsigned order_before(const Region& region, PageNumber page) {
  const FreeTree& tree = tree_of(region);
  for (std::uint32_t orders = tree.orders(); orders != 0; orders &= orders - 1) {
    const auto order = static_cast<unsigned>(std::countr_zero(orders));
    const Pages size = size_of(order);
    if ((page.value & (size.count - 1)) != 0 || page - region.first < size) break;
    if (tree.has(tree.node_of(page - size, order))) return order;
  }
  return no_order;
}

void merge_and_file(Region& region, PageNumber head, unsigned order) {
  FreeTree& tree = tree_of(region);
  TreeNode node = tree.node_of(head, order);
  for (; tree.has(node ^ 1); node >>= 1) {
    tree.clear(node ^ 1, order);
    const PageNumber buddy{head.value ^ size_of(order).count};
    region.page(buddy).kind = PageKind::inner;
    head = buddy < head ? buddy : head;
    ++order;
  }
  file(region, head, order);
}

/// Adds a run to the fresh one behind it, and every filed run that ends where it starts.
void refresh(Region& region, Run run) {
  if (region.fresh != region.end()) region.page(region.fresh).kind = PageKind::inner;
  FreeTree& tree = tree_of(region);
  PageNumber first = run.first;
  for (unsigned order = order_before(region, first); order != no_order; order = order_before(region, first)) {
    first = first - size_of(order);
    tree.clear(tree.node_of(first, order), order);
    region.page(first).kind = PageKind::inner;
  }
  set_fresh(region, first);
}

/// Any run falls into aligned parts whose orders ascend, then descend; each is merged upwards. Merging uses up one run a step,
/// and there are at most two parts and two free neighbours of each order.
void file_merged(Region& region, Run run) {
  while (run.pages.count != 0) {
    const std::uint32_t longest = std::bit_floor(run.pages.count);
    const std::uint32_t aligned = run.first.value == 0 ? longest : lowest_bit(run.first.value);
    const Pages part{aligned < longest ? aligned : longest};
    merge_and_file(region, run.first, order_for(part));
    run = {run.first + part, run.pages - part};
  }
}

}  // namespace

void Buddy::begin(Region& region) { new (region.layer) FreeTree{region.run()}; }

bool Buddy::has_begun(const Region& region) { return tree_of(region).is_for(region.run()); }

PageNumber Buddy::take(Regions& regions, Pages pages, Pages alignment, Search /*search*/) {
  const unsigned order = order_for(pages > alignment ? pages : alignment);
  if (order >= order_count) return no_page;
  Region* region = regions.with_order(order);
  if (region == nullptr) return no_page;
  FreeTree& tree = tree_of(*region);
  const std::uint32_t orders = tree.orders() >> order;
  PageNumber head = no_page;
  if (orders != 0) {
    const unsigned found = order + static_cast<unsigned>(std::countr_zero(orders));
    head = tree.lowest(found);
    tree.clear(tree.node_of(head, found), found);
    file_parts(*region, {head + pages, size_of(found) - pages});
  } else {
    const PageNumber fresh = region->fresh;
    head = {round_up(fresh.value, size_of(order).count)};
    file_parts(*region, {fresh, head - fresh});
    set_fresh(*region, head + pages);
  }
  region->page(head).kind = PageKind::inner;
  regions.set_longest_order(*region, longest_order_of(*region));
  return head;
}

void Buddy::give(Regions& regions, Run run) {
  Region& region = regions.of(run.first);
  region.page(run.first).kind = PageKind::inner;
  if (run.end() == region.fresh) {
    refresh(region, run);
  } else {
    file_merged(region, run);
  }
  regions.set_longest_order(region, longest_order_of(region));
}

void Buddy::withdraw(Regions& regions, PageNumber head) {
  Region& region = regions.of(head);
  Page& page = region.page(head);
  page.kind = PageKind::inner;
  if (head == region.fresh) {
    region.fresh = region.end();
  } else {
    const auto order = static_cast<unsigned>(std::countr_zero(page.word));
    FreeTree& tree = tree_of(region);
    tree.clear(tree.node_of(head, order), order);
  }
  regions.set_longest_order(region, longest_order_of(region));
}

Pages Buddy::longest(const Regions& regions, Search /*search*/) {
  const std::uint8_t order = regions.longest_order();
  return order == no_order ? Pages{} : size_of(order);
}

bool Buddy::files(const Regions& regions, PageNumber head) {
  const Region& region = regions.of(head);
  const Page& page = region.page(head);
  if (head == region.fresh) {
    return page.word == (region.end() - head).count && order_before(region, head) == no_order;
  }
  if (page.word > size_of(order_count - 1).count || !is_power_of_two(static_cast<std::size_t>(page.word))) return false;
  if (head.value != 0 && lowest_bit(head.value) < page.word) return false;
  const auto order = static_cast<unsigned>(std::countr_zero(page.word));
  const FreeTree& tree = tree_of(region);
  const TreeNode node = tree.node_of(head, order);
  return tree.has(node) && !tree.has(node ^ 1);
}

bool Buddy::holds(const Regions& regions, std::uint64_t count) {
  std::uint64_t filed = 0;
  for (std::uint32_t i = 0; i < regions.count(); ++i) {
    const Region& region = regions.by_address(i);
    if (region.fresh < region.first || region.fresh > region.end()) return false;
    if (!tree_of(region).sums_up()) return false;
    filed += tree_of(region).count() + (region.fresh != region.end() ? 1U : 0U);
    if (region.longest_order != longest_order_of(region)) return false;
  }
  return filed == count;
}

}  // namespace slabheap
