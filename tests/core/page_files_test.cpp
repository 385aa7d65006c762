// Damage to the files of free runs, which they have to notice.
#include <algorithm>

#include "page_bench.hpp"

using namespace slabheap;
using slabheap::test::Bench;

TEST_CASE("either layer: the files notice every bit of theirs that is flipped") {
  for (const PageLayerKind kind : {PageLayerKind::buddy, PageLayerKind::best_fit}) {
    Bench bench{kind, 64};
    REQUIRE(bench.take(64) == 0);
    for (const int start : {1, 4, 16, 32}) bench.give(start, static_cast<std::uint32_t>(start) / 2 + 1);
    const std::string before = bench.picture();
    const auto runs = static_cast<std::uint64_t>(std::count(before.begin(), before.end(), '['));
    std::size_t unnoticed = 0;
    for (std::size_t at = 0; at < bench.files_bytes(); ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        bench.files()[at] ^= std::byte{1} << bit;
        if (bench.pages().holds(runs)) ++unnoticed;
        bench.files()[at] ^= std::byte{1} << bit;
      }
    }
    CHECK(unnoticed == (kind == PageLayerKind::buddy ? 0 : 8));  // a byte of padding
    CHECK(bench.picture() == before);
  }
}

TEST_CASE("either layer: a run that is filed as longer or shorter than it is, or is none, is noticed") {
  for (const PageLayerKind kind : {PageLayerKind::buddy, PageLayerKind::best_fit}) {
    Bench bench{kind, 64};
    REQUIRE(bench.take(64) == 0);
    bench.give(16, 4);
    bench.give(32, 16);
    const PageNumber head = bench.run(16, 4).first;
    const auto is_sound = [&] { return bench.pages().files(head) && bench.pages().holds(2); };
    REQUIRE(is_sound());
    for (const std::uint64_t length : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{5}, std::uint64_t{8}, std::uint64_t{12},
                                       std::uint64_t{24}, std::uint64_t{1} << 33}) {
      bench.page(16).word = length;
      CHECK_FALSE(is_sound());
      bench.page(16).word = 4;
    }
    bench.page(16).kind = PageKind::large;  // so the walk counts one free run
    CHECK_FALSE(bench.pages().holds(1));
    if (kind == PageLayerKind::best_fit) CHECK_FALSE(bench.pages().holds(2));
    bench.page(16).kind = PageKind::free_run;
    CHECK(bench.picture() == "[16+4] [32+16]");
  }
}

TEST_CASE("buddy: a fresh run that begins or ends elsewhere, and a longest order that is none, are noticed") {
  Bench bench{PageLayerKind::buddy, 64};
  REQUIRE(bench.take(16) == 0);
  bench.give(4, 4);
  Region& region = bench.pages().regions().by_address(0);
  const PageNumber fresh = region.fresh;
  REQUIRE(fresh == bench.run(16, 48).first);
  REQUIRE(bench.pages().holds(2));
  for (const PageNumber other : {region.first - Pages{1}, region.end() + Pages{1}, region.end(), no_page, PageNumber{0}}) {
    region.fresh = other;
    CHECK_FALSE(bench.pages().holds(2));
  }
  region.fresh = fresh;
  bench.page(16).word = 47;
  CHECK_FALSE(bench.pages().files(fresh));
  bench.page(16).word = 48;
  REQUIRE(region.longest_order == 5);
  for (const std::uint8_t order : {std::uint8_t{4}, std::uint8_t{6}, no_order}) {
    region.longest_order = order;
    CHECK_FALSE(bench.pages().holds(2));
  }
  region.longest_order = 5;
  CHECK(bench.picture() == "[4+4] [16+48]");
}

TEST_CASE("buddy: a run that should be part of the fresh one behind it is noticed") {
  Bench bench{PageLayerKind::buddy, 64};
  REQUIRE(bench.take(16) == 0);
  FreeTree& tree = bench.tree();
  const TreeNode node = tree.node_of(bench.run(12, 4).first, 2);
  CHECK(bench.pages().files(bench.run(16, 48).first));
  tree.set(node, 2);
  CHECK_FALSE(bench.pages().files(bench.run(16, 48).first));
  tree.clear(node, 2);
  CHECK(bench.picture() == "[16+48]");
}

TEST_CASE("best fit: a list of more runs than there are is noticed") {
  Bench bench{PageLayerKind::best_fit, 64};
  REQUIRE(bench.take(64) == 0);
  for (const int start : {16, 32, 48}) bench.give(start, 4);
  for (std::uint64_t count = 0; count < 6; ++count) CHECK(bench.pages().holds(count) == (count == 3));
}

TEST_CASE("best fit: runs that are filed under the length of each other are noticed") {
  Bench bench{PageLayerKind::best_fit, 64};
  REQUIRE(bench.take(64) == 0);
  // The lists are the first that best fit has, four of them for every doubling.
  const auto list = [&](std::size_t index) { return bench.files() + index * sizeof(Regions::List); };
  const auto swap = [&](std::size_t one, std::size_t other) {
    std::swap_ranges(list(one), list(one + 1), list(other));
    return bench.pages().holds(2);
  };
  bench.give(16, 4);
  bench.give(32, 5);
  CHECK_FALSE(swap(4, 5));
  CHECK(swap(4, 5));
  REQUIRE(bench.take(5) == 32);
  bench.give(32, 8);
  CHECK_FALSE(swap(4, 8));
  CHECK(swap(4, 8));
  CHECK(bench.picture() == "[16+4] [32+8]");
}

TEST_CASE("best fit: a free run whose last page says otherwise is noticed") {
  Bench bench{PageLayerKind::best_fit, 64};
  REQUIRE(bench.take(64) == 0);
  bench.give(16, 4);
  const PageNumber head = bench.run(16, 4).first;
  bench.page(19).word = 3;
  CHECK_FALSE(bench.pages().files(head));
  bench.page(19) = {4, no_page, PageKind::inner, 0, 0, 0};
  CHECK_FALSE(bench.pages().files(head));
  bench.page(19).kind = PageKind::free_end;
  bench.page(20).kind = PageKind::free_run;
  CHECK_FALSE(bench.pages().files(head));
  bench.page(20).kind = PageKind::inner;
  CHECK(bench.pages().files(head));
  bench.give(32, 2);
  bench.page(33).kind = PageKind::inner;
  CHECK_FALSE(bench.pages().files(bench.run(32, 2).first));
  bench.page(33).kind = PageKind::free_end;
  CHECK(bench.picture() == "[16+4] [32+2]");
}

TEST_CASE("buddy: a free run of no order, off its alignment, or beside its free buddy is noticed") {
  Bench bench{PageLayerKind::buddy, 64};
  REQUIRE(bench.take(64) == 0);
  bench.give(16, 4);
  const PageNumber head = bench.run(16, 4).first;
  for (const std::uint64_t length : {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{1} << 32, ~std::uint64_t{0}}) {
    bench.page(16).word = length;
    CHECK_FALSE(bench.pages().files(head));
  }
  bench.page(16).word = 32;
  CHECK_FALSE(bench.pages().files(head));
  bench.page(16).word = 4;
  FreeTree& tree = bench.tree();
  const TreeNode buddy = tree.node_of(bench.run(20, 4).first, 2);
  tree.set(buddy, 2);
  CHECK_FALSE(bench.pages().files(head));
  tree.clear(buddy, 2);
  CHECK(bench.picture() == "[16+4]");
}
