#include <vector>

#include "page_bench.hpp"

using namespace slabheap;
using slabheap::test::Bench;
using slabheap::test::FarBench;

TEST_CASE("buddy: pages that were never handed out are one run, and cut from below") {
  Bench bench{PageLayerKind::buddy, 23};
  CHECK(bench.picture() == "[0+23]");
  CHECK(bench.take(1) == 0);
  CHECK(bench.picture() == "[1+22]");
  CHECK(bench.take(4) == 4);
  CHECK(bench.picture() == "[1+1] [2+2] [8+15]");
  CHECK(bench.take(8) == 8);
  CHECK(bench.take(8) == -1);
  CHECK(bench.picture() == "[1+1] [2+2] [16+7]");
}

TEST_CASE("buddy: what comes back in front of the fresh run is fresh again, with every run that ends there") {
  Bench bench{PageLayerKind::buddy, 16};
  REQUIRE(bench.take(7) == 0);
  bench.give(0, 1);
  bench.give(2, 4);
  CHECK(bench.picture() == "[0+1] [2+2] [4+2] [7+9]");
  bench.give(6, 1);
  CHECK(bench.picture() == "[0+1] [2+14]");
  bench.give(1, 1);
  CHECK(bench.picture() == "[0+16]");
}

TEST_CASE("buddy: of the shortest runs that suffice, the lowest is taken") {
  Bench bench{PageLayerKind::buddy, 64};
  REQUIRE(bench.take(64) == 0);
  for (const int start : {40, 8, 16, 20}) bench.give(start, 4);
  CHECK(bench.take(4) == 8);
  CHECK(bench.take(2) == 40);
  CHECK(bench.take(4) == 16);
  CHECK(bench.picture() == "[20+4] [42+2]");
}

TEST_CASE("buddy: a request is trimmed to whole pages and its surplus stays free") {
  Bench bench{PageLayerKind::buddy, 16};
  CHECK(bench.take(5) == 0);
  CHECK(bench.picture() == "[5+11]");
  CHECK(bench.pages().used_pages() == 5);
  bench.give(0, 5);
  CHECK(bench.picture() == "[0+16]");
}

TEST_CASE("buddy: freeing both halves restores the run") {
  Bench bench{PageLayerKind::buddy, 8};
  const int left = bench.take(4);
  const int right = bench.take(4);
  CHECK(bench.picture().empty());
  bench.give(left, 4);
  CHECK(bench.picture() == (left == 0 ? "[0+4]" : "[4+4]"));
  bench.give(right, 4);
  CHECK(bench.picture() == "[0+8]");
}

TEST_CASE("buddy: equal neighbours that are not buddies stay apart") {
  Bench bench{PageLayerKind::buddy, 8};
  for (int i = 0; i < 8; ++i) REQUIRE(bench.take(1) >= 0);
  bench.give(1, 1);
  bench.give(2, 1);
  CHECK(bench.picture() == "[1+1] [2+1]");
  bench.give(0, 1);
  CHECK(bench.picture() == "[0+2] [2+1]");
  bench.give(3, 1);
  CHECK(bench.picture() == "[0+4]");
}

TEST_CASE("buddy: part of a run can be given back, anywhere in it") {
  Bench bench{PageLayerKind::buddy, 16};
  REQUIRE(bench.take(16) == 0);
  bench.give(3, 9);
  CHECK(bench.picture() == "[3+1] [4+4] [8+4]");
  bench.give(0, 3);
  CHECK(bench.picture() == "[0+8] [8+4]");
  bench.give(12, 4);
  CHECK(bench.picture() == "[0+16]");
}

TEST_CASE("best fit: a region is one free run") { CHECK(Bench{PageLayerKind::best_fit, 23}.picture() == "[0+23]"); }

TEST_CASE("best fit: of several free runs the shortest that holds the request is taken") {
  Bench bench{PageLayerKind::best_fit, 64};
  REQUIRE(bench.take(64) == 0);
  bench.give(0, 7);
  bench.give(10, 3);
  bench.give(20, 12);
  bench.give(40, 5);
  CHECK(bench.take(3) == 10);
  CHECK(bench.take(4) == 40);
  CHECK(bench.take(8) == 20);
  CHECK(bench.picture() == "[0+7] [28+4] [44+1]");
}

TEST_CASE("best fit: within a bin of mixed lengths the shortest of the first few is taken") {
  Bench bench{PageLayerKind::best_fit, 512};
  REQUIRE(bench.take(512) == 0);
  bench.give(0, 69);
  bench.give(100, 66);
  bench.give(200, 71);
  CHECK(bench.take(65) == 101);  // long runs come from the upper end
  CHECK(bench.take(70) == 201);
  CHECK(bench.take(70) == -1);
}

TEST_CASE("best fit: a freed run merges with both neighbours at once") {
  Bench bench{PageLayerKind::best_fit, 16};
  REQUIRE(bench.take(16) == 0);
  bench.give(0, 1);
  bench.give(5, 6);
  CHECK(bench.picture() == "[0+1] [5+6]");
  bench.give(1, 4);
  CHECK(bench.picture() == "[0+11]");
  bench.give(15, 1);
  bench.give(11, 4);
  CHECK(bench.picture() == "[0+16]");
}

TEST_CASE("best fit: what precedes and follows an aligned request stays free") {
  Bench bench{PageLayerKind::best_fit, 64};
  REQUIRE(bench.take(3) == 0);
  CHECK(bench.take(2, 16) == 16);
  CHECK(bench.picture() == "[3+13] [18+46]");
}

TEST_CASE("best fit: an aligned request looks further if the nearest run has no aligned room") {
  Bench bench{PageLayerKind::best_fit, 64};
  REQUIRE(bench.take(64) == 0);
  bench.give(9, 7);    // eight pages, but 16 is its end
  bench.give(33, 14);  // 40 is inside
  CHECK(bench.take(4, 8) == 40);
  CHECK(bench.take(4, 8) == -1);
}

TEST_CASE("best fit: a run that is just long enough for any alignment serves, and one a page shorter does not") {
  Bench bench{PageLayerKind::best_fit, 64};
  REQUIRE(bench.take(64) == 0);
  bench.give(33, 3);  // the nearest, in which 36 is the end
  bench.give(41, 5);
  CHECK(bench.take(2, 4) == 44);
  CHECK(bench.picture() == "[33+3] [41+3]");
  bench.give(9, 16);  // from 16 on nine pages, and 17 would be filed with it
  CHECK(bench.take(10, 8) == -1);
  CHECK(bench.picture() == "[9+16] [33+3] [41+3]");
  CHECK(bench.take(9, 8) == 16);
}

TEST_CASE("either layer: every alignment of every length is honoured, or there is no room for it") {
  for (const PageLayerKind kind : {PageLayerKind::buddy, PageLayerKind::best_fit}) {
    for (std::uint32_t alignment = 1; alignment <= 64; alignment *= 2) {
      for (std::uint32_t count = 1; count <= 64; ++count) {
        Bench bench{kind, 128};
        REQUIRE(bench.take(1) == 0);
        const int start = bench.take(count, alignment);
        REQUIRE(start > 0);
        CHECK(start % static_cast<int>(alignment) == 0);
        bench.give(start, count);
        bench.give(0, 1);
        CHECK(bench.picture() == "[0+128]");
      }
    }
  }
}

TEST_CASE("buddy: a page of a run does not count as free because a free run began there once") {
  const auto reach_of_page_five = [](Bench& bench) {
    REQUIRE(bench.take(5) == 0);
    REQUIRE(bench.take(1) == 5);
    const Run run = bench.run(5, 1);
    return bench.pages().reach(run, [&](PageNumber head) { return head == run.first ? run.pages : Pages{}; });
  };
  Bench fresh{PageLayerKind::buddy, 16};
  REQUIRE(fresh.take(4) == 0);
  REQUIRE(fresh.picture() == "[4+12]");
  fresh.give(0, 4);
  CHECK(reach_of_page_five(fresh) == Pages{1});

  Bench filed{PageLayerKind::buddy, 16};
  REQUIRE(filed.take(6) == 0);
  filed.give(2, 2);
  filed.give(4, 1);
  REQUIRE(filed.picture() == "[2+2] [4+1] [6+10]");
  filed.give(5, 1);
  filed.give(0, 2);
  CHECK(reach_of_page_five(filed) == Pages{1});
}

TEST_CASE("either layer: an alignment beyond the region is judged by the address") {
  for (const PageLayerKind kind : {PageLayerKind::buddy, PageLayerKind::best_fit}) {
    Bench bench{kind, 8};
    const auto address = bench.pages().regions().address(bench.run(0, 1).first);
    for (std::uint32_t alignment = 16; alignment < 1U << 31; alignment *= 2) {
      const bool is_aligned = std::uint64_t{address} % (std::uint64_t{alignment} << 12) == 0;
      const int start = bench.take(1, alignment);
      // The buddy does not look for an aligned run shorter than the alignment.
      if (kind == PageLayerKind::best_fit || !is_aligned) CHECK((start == 0) == is_aligned);
      if (start >= 0) bench.give(start, 1);
      CHECK(bench.picture() == "[0+8]");
    }
  }
}

TEST_CASE("either layer: pages behind a run in use can be taken if all of them are free") {
  for (const PageLayerKind kind : {PageLayerKind::buddy, PageLayerKind::best_fit}) {
    Bench bench{kind, 32};
    REQUIRE(bench.take(32) == 0);
    bench.give(3, 20);
    CHECK_FALSE(bench.pages().take_at(bench.run(3, 21)));
    CHECK(bench.pages().take_at(bench.run(3, 11)));
    CHECK(bench.pages().used_pages() == 23);
    CHECK(bench.picture() == (kind == PageLayerKind::buddy ? "[14+2] [16+4] [20+2] [22+1]" : "[14+9]"));
    bench.give(31, 1);
    CHECK_FALSE(bench.pages().take_at(bench.run(31, 2)));
    bench.give(23, 8);
    bench.give(3, 11);
    bench.give(0, 3);
    CHECK(bench.picture() == "[0+32]");
  }
}

TEST_CASE("either layer: a free run behind a run in use can be taken as a whole, and the longest is known after that") {
  for (const PageLayerKind kind : {PageLayerKind::buddy, PageLayerKind::best_fit}) {
    Bench bench{kind, 64};
    REQUIRE(bench.take(64) == 0);
    bench.give(32, 16);
    bench.give(8, 4);
    CHECK(bench.pages().take_at(bench.run(32, 16)));
    CHECK(bench.picture() == "[8+4]");
    CHECK(bench.pages().longest() == Pages{4});
    CHECK(bench.pages().take_at(bench.run(8, 4)));
    CHECK(bench.picture().empty());
    CHECK(bench.pages().longest() == Pages{0});
    CHECK(bench.take(1) == -1);
  }
}

TEST_CASE("either layer: where a run is taken, no free run begins any more") {
  for (const PageLayerKind kind : {PageLayerKind::buddy, PageLayerKind::best_fit}) {
    Bench bench{kind, 64};
    REQUIRE(bench.take(8) == 0);
    REQUIRE(bench.page(8).kind == PageKind::free_run);  // of pages that were never handed out
    REQUIRE(bench.pages().take_at(bench.run(8, 8)));
    CHECK(bench.page(8).kind == PageKind::inner);
    bench.give(2, 2);
    REQUIRE(bench.page(2).kind == PageKind::free_run);
    REQUIRE(bench.pages().take_at(bench.run(2, 2)));
    CHECK(bench.page(2).kind == PageKind::inner);
  }
}

TEST_CASE("best fit: what follows the last descriptor is no page, whatever it says") {
  Bench bench{PageLayerKind::best_fit, 512};
  REQUIRE(bench.take(512) == 0);
  // The backward links follow the descriptors; that of page 3 leads to page 257, whose number ends like a free run's kind.
  for (const int start : {0, 3, 257}) bench.give(start, 2);
  REQUIRE(bench.page(512).kind == PageKind::free_run);
  CHECK_FALSE(bench.pages().take_at(bench.run(512, 1)));
  CHECK(bench.pages().reach(bench.run(511, 1), [](PageNumber) { return Pages{}; }) == Pages{1});
  bench.give(511, 1);
  CHECK(bench.picture() == "[0+2] [3+2] [257+2] [511+1]");
}

TEST_CASE("best fit: up to eight pages come from the lower end of a free run, more from the upper") {
  Bench bench{PageLayerKind::best_fit, 64};
  CHECK(bench.take(8) == 0);
  CHECK(bench.take(9) == 55);
  CHECK(bench.take(9, 8) == 40);
  CHECK(bench.picture() == "[8+32] [49+6]");
}

TEST_CASE("either layer: the peak is the most pages in use at once") {
  for (const PageLayerKind kind : {PageLayerKind::buddy, PageLayerKind::best_fit}) {
    Bench bench{kind, 32};
    const int a = bench.take(7);
    const int b = bench.take(9);
    bench.give(a, 7);
    CHECK(bench.take(2) >= 0);
    bench.give(b, 9);
    CHECK(bench.pages().peak_pages() == 16);
    CHECK(bench.pages().used_pages() == 2);
  }
}

TEST_CASE("either layer: there is room as long as less than half of the pages are in use") {
  for (const PageLayerKind kind : {PageLayerKind::buddy, PageLayerKind::best_fit}) {
    for (const std::uint32_t count : {64U, 65U}) {
      Bench bench{kind, count};
      for (std::uint32_t used = 0; used < count; ++used) {
        CHECK(bench.pages().is_roomy() == (2 * used < count));
        REQUIRE(bench.take(1) >= 0);
      }
      CHECK_FALSE(bench.pages().is_roomy());
    }
  }
}

TEST_CASE("either layer: the longest run is what a request can get") {
  for (const PageLayerKind kind : {PageLayerKind::buddy, PageLayerKind::best_fit}) {
    Bench bench{kind, 100};
    for (std::uint32_t longest = bench.pages().longest().count; longest != 0; longest = bench.pages().longest().count) {
      REQUIRE(bench.take(longest + 1) == -1);
      REQUIRE(bench.take(longest) >= 0);
    }
    CHECK(bench.picture().empty());
    CHECK(bench.take(1) == -1);
  }
}

TEST_CASE("either layer: a request beyond any region finds nothing") {
  for (const PageLayerKind kind : {PageLayerKind::buddy, PageLayerKind::best_fit}) {
    Bench bench{kind, 16};
    for (const std::uint32_t count : {17U, 0x8000'0000U, 0xffff'ffffU}) CHECK(bench.take(count) == -1);
    for (const std::uint32_t count : {1U, 16U}) CHECK(bench.take(count, 1U << 31) == -1);
    CHECK(bench.picture() == "[0+16]");
  }
}

TEST_CASE("best fit: of equal runs the one that came last is taken, and eight of a bin are looked at") {
  Bench bench{PageLayerKind::best_fit, 4096};
  REQUIRE(bench.take(4096) == 0);
  for (const int start : {0, 100, 200}) bench.give(start, 5);
  CHECK(bench.take(5) == 200);
  CHECK(bench.take(5) == 100);
  // Lengths of one bin; the shortest, which came first, is the ninth.
  for (int i = 0; i < 9; ++i) bench.give(1000 + 200 * i, static_cast<std::uint32_t>(129 + i));
  CHECK(bench.take(129) == 1201);
  CHECK(bench.take(129) == 1000);
}

TEST_CASE("best fit: the longest run is that of the first eight of the last bin, which a request looks at") {
  Bench bench{PageLayerKind::best_fit, 4096};
  REQUIRE(bench.take(4096) == 0);
  bench.give(0, 143);  // the ninth, since what comes last is the first
  bench.give(200, 140);
  for (int i = 2; i < 9; ++i) bench.give(200 * i, 130);
  CHECK(bench.pages().longest() == Pages{140});
  CHECK(bench.take(140) == 200);
}

#if SIZE_MAX > 0xffffffff
TEST_CASE("either layer: a run grows to the last page of its region and no further, wherever the numbers of its pages are") {
  for (const PageLayerKind kind : {PageLayerKind::buddy, PageLayerKind::best_fit}) {
    // Numbers are dealt in chunks of 2^26 pages: 32 GiB of such pages. One region ends where a chunk does, one begins there.
    FarBench bench{kind};
    PageAllocator& pages = bench.pages();
    const Address boundary = Address{1} << 35;
    const PageNumber firsts[] = {bench.add(3 * boundary - 4 * 512), bench.add(5 * boundary)};
    REQUIRE(firsts[1] == firsts[0] + Pages{4});
    for (int i = 0; i < 2; ++i) REQUIRE(pages.take({4}, {1}) != no_page);
    for (int i = 0; i < 2; ++i) {
      const PageNumber head = firsts[i];
      const PageNumber other = firsts[1 - i];
      pages.give({other, {4}});
      for (const std::uint32_t rest : {3U, 1U}) {
        const Run tail{head + Pages{4 - rest}, {rest}};
        CHECK_FALSE(pages.take_at({head + Pages{4}, {1}}));
        pages.give(tail);
        CHECK_FALSE(pages.take_at({tail.first, {rest + 1}}));
        CHECK(pages.take_at(tail));
        CHECK(pages.used_pages() == 4);
      }
      REQUIRE(pages.take({4}, {1}) == other);
    }
  }
}
#endif
