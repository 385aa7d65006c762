// How far best fit looks for a run, and what a request finds that fails otherwise.
#include <algorithm>
#include <vector>

#include "page_bench.hpp"

using namespace slabheap;
using slabheap::test::Bench;
using slabheap::test::FarBench;

namespace {

/// A bench of 4096 pages, all in use.
struct Full : Bench {
  Full() : Bench{PageLayerKind::best_fit, 4096} { REQUIRE(take(4096) == 0); }

  int take_thoroughly(std::uint32_t count, std::uint32_t alignment = 1) {
    return pages().thoroughly([=, this] { return take(count, alignment); });
  }
};

}  // namespace

TEST_CASE("before a request fails, best fit looks at more runs of a bin than a heap can file when it gives up what it keeps") {
  Full bench;
  bench.give(0, 143);  // the last that is looked at
  for (int i = 0; i < 9; ++i) bench.give(200 * (i + 1), 130);
  CHECK(bench.take(143) == -1);
  CHECK(bench.take_thoroughly(144) == -1);
  CHECK(bench.take_thoroughly(143) == 0);
  CHECK(bench.picture().find("[0+") == std::string::npos);
  CHECK(bench.take(131) == -1);
}

TEST_CASE("the longest run that best fit would find thoroughly is the longest") {
  Full bench;
  bench.give(0, 143);
  for (int i = 0; i < 9; ++i) bench.give(200 * (i + 1), 130);
  CHECK(bench.pages().longest() == Pages{130});
  CHECK(bench.pages().thoroughly([&] { return bench.pages().longest(); }) == Pages{143});
  CHECK(bench.pages().longest() == Pages{130});
}

TEST_CASE("before a request fails, best fit looks for a run that happens to be aligned") {
  Full bench;
  bench.give(512, 5);   // starts where a request may
  bench.give(1001, 4);  // the first that is long enough does not
  CHECK(bench.take(3, 16) == -1);
  CHECK(bench.take_thoroughly(3, 16) == 512);
  CHECK(bench.picture() == "[515+2] [1001+4]");
  CHECK(bench.take_thoroughly(1, 256) == -1);
  CHECK(bench.take_thoroughly(4, 8) == -1);
}

TEST_CASE("before a request fails, best fit looks for an aligned run from the next length on, up to the longest") {
  // Of two runs in a bin the second that is given comes first, and is the one that a quick search looks at.
  Full lower;
  lower.give(512, 4);
  lower.give(1001, 4);
  CHECK(lower.take(3, 512) == -1);
  CHECK(lower.take_thoroughly(3, 512) == 512);
  Full upper;
  upper.give(2048, 1024);
  upper.give(100, 1024);
  CHECK(upper.take(900, 2048) == -1);
  CHECK(upper.take_thoroughly(900, 2048) == 2048);
}

#if SIZE_MAX > 0xffffffff
TEST_CASE("either layer: an alignment to which numbers and addresses are not congruent is refused before anything changes") {
  for (const PageLayerKind kind : {PageLayerKind::buddy, PageLayerKind::best_fit}) {
    // Of a region at an odd multiple of 2^35, or 2^26 pages, whose first page has the number 0.
    FarBench bench{kind};
    REQUIRE(bench.add(Address{3} << 35) == PageNumber{0});
    const auto* bytes = static_cast<const unsigned char*>(bench.metadata().start());
    const std::vector<unsigned char> before(bytes, bytes + bench.metadata().bytes());
    CHECK(bench.pages().take({1}, {1U << 27}) == no_page);
    CHECK(std::equal(before.begin(), before.end(), bytes));
    // Buddies are as long as they are aligned.
    CHECK(bench.pages().take({1}, {1U << 26}) == (kind == PageLayerKind::buddy ? no_page : PageNumber{0}));
  }
}

TEST_CASE("best fit: an alignment beyond what numbers are made congruent for is met where they happen to be") {
  FarBench bench{PageLayerKind::best_fit};
  REQUIRE(bench.add(Address{4} << 35) == PageNumber{0});
  CHECK(bench.pages().take({1}, {1U << 29}) == no_page);
  CHECK(bench.pages().take({1}, {1U << 28}) == PageNumber{0});
}

TEST_CASE("best fit: an alignment beyond what numbers are made congruent for is met if they happen to be in every region") {
  constexpr Address chunk_bytes = Address{1} << 35;
  FarBench congruent{PageLayerKind::best_fit};
  REQUIRE(congruent.add(4 * chunk_bytes) == PageNumber{0});
  REQUIRE(congruent.add(9 * chunk_bytes) == PageNumber{1U << 26});
  CHECK(congruent.pages().thoroughly([&] { return congruent.pages().take({1}, {1U << 28}); }) == PageNumber{0});
  FarBench other{PageLayerKind::best_fit};
  REQUIRE(other.add(4 * chunk_bytes) == PageNumber{0});
  REQUIRE(other.add(8 * chunk_bytes) == PageNumber{1U << 26});
  CHECK(other.pages().thoroughly([&] { return other.pages().take({1}, {1U << 28}); }) == no_page);
  CHECK(other.pages().take({1}, {1U << 26}) == PageNumber{1U << 26});
}
#endif
