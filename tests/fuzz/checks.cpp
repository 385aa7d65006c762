// Assertions outside of a test case: one that fails says what failed, and aborts.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>

namespace {

void fail(const doctest::AssertData& data) {
  (void)std::fprintf(stderr, "%s:%d: %s does not hold: %s\n", data.m_file, data.m_line, data.m_expr, data.m_decomp.c_str());
  std::abort();
}

struct Checks {
  Checks() {
    context.setAsDefaultForAssertsOutOfTestCases();
    context.setAssertHandler(fail);
  }
  doctest::Context context;
};

const Checks checks;

}  // namespace
