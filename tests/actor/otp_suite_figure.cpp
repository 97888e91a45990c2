// Says how long all ports of the suite took together.
#include <doctest/doctest.h>

#include <chrono>
#include <cstdio>

namespace {

struct figure : doctest::IReporter {
  explicit figure(const doctest::ContextOptions& options) : options_(options) {}

  void test_run_start() override { began_ = std::chrono::steady_clock::now(); }
  void test_run_end(const doctest::TestRunStats& stats) override {
    const auto took = std::chrono::steady_clock::now() - began_;
    std::printf("supervisor suite: %u cases in %lld ms\n", stats.numTestCasesPassingFilters,
                static_cast<long long>(
                    std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
  }
  void report_query(const doctest::QueryData&) override {}
  void test_case_start(const doctest::TestCaseData&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}

 private:
  [[maybe_unused]] const doctest::ContextOptions& options_;
  std::chrono::steady_clock::time_point began_;
};

} // namespace

REGISTER_LISTENER("figure", 1, figure);
