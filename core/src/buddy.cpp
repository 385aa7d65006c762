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

/// Files the run of a node, whose first page is `head`.
[[gnu::always_inline]] inline void file(Region& region, PageNumber head, TreeNode node, unsigned order) {
  Page& page = region.page(head);
  page.kind = PageKind::free_run;
  page.word = size_of(order).count;
  page.class_index = 0;
  tree_of(region).set(node, order);
}

/// The opposite.
[[gnu::always_inline]] inline void unfile(Region& region, PageNumber head, TreeNode node, unsigned order) {
  region.page(head).kind = PageKind::inner;
  tree_of(region).clear(node, order);
}

/// Files a run that starts where no filed run ends, and ends on a multiple of a size above its own. So its parts ascend in order,
/// each a bit of its length, and the buddy of each is not free as a whole: there is nothing to merge.
void file_parts(Region& region, Run run) {
  PageNumber head = run.first;
  for (std::uint32_t left = run.pages.count; left != 0; left &= left - 1) {
    const auto order = static_cast<unsigned>(std::countr_zero(left));
    file(region, head, tree_of(region).node_of(head, order), order);
    head = head + size_of(order);
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

/// The order of the filed run that ends at a page, `no_order` if none does. From the longest down: where each of several runs
/// ends where the next begins, their orders ascend and then descend, and all of them take at most three times as many looks as
/// there are orders.
unsigned order_before(const Region& region, PageNumber page) {
  if (page == region.first) return no_order;
  const FreeTree& tree = tree_of(region);
  const TreeNode leaf = tree.node_of(page, 0);
  for (auto orders = static_cast<std::uint32_t>(tree.orders() & (leaf ^ (leaf - 1))); orders != 0;) {
    const auto order = static_cast<unsigned>(std::bit_width(orders) - 1);
    if (tree.has((leaf >> order) - 1)) return order;
    orders -= size_of(order).count;
  }
  return no_order;
}

/// Adds a run to the fresh one behind it, and every filed run that ends where it starts.
void refresh(Region& region, Run run) {
  if (region.fresh != region.end()) region.page(region.fresh).kind = PageKind::inner;
  PageNumber first = run.first;
  for (unsigned order = order_before(region, first); order != no_order; order = order_before(region, first)) {
    first = first - size_of(order);
    unfile(region, first, tree_of(region).node_of(first, order), order);
  }
  set_fresh(region, first);
}

/// From both ends of the run inwards, order by order: what has no buddy within it is merged with the one outside, if that is
/// free, and filed otherwise.
void file_merged(Region& region, Run run) {
  const FreeTree& tree = tree_of(region);
  TreeNode first = tree.node_of(run.first, 0);
  TreeNode end = tree.node_of(run.end(), 0);
  for (unsigned order = 0; first != end; ++order) {
    if ((first & 1) != 0) {
      if (tree.has(first - 1)) {
        --first;
        unfile(region, tree.head_of(first, order), first, order);
      } else {
        file(region, tree.head_of(first, order), first, order);
        ++first;
      }
    }
    if ((end & 1) != 0) {
      if (tree.has(end)) {
        unfile(region, tree.head_of(end, order), end, order);
        ++end;
      } else {
        --end;
        file(region, tree.head_of(end, order), end, order);
      }
    }
    first >>= 1;
    end >>= 1;
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
  if (head == region.fresh) {
    page.kind = PageKind::inner;
    region.fresh = region.end();
  } else {
    const auto order = static_cast<unsigned>(std::countr_zero(page.word));
    unfile(region, head, tree_of(region).node_of(head, order), order);
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
